// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace aftune::model {
namespace {

LlamaConfig layers(std::uint32_t count, bool tied) {
  return {.vocab_size = 19,
          .hidden_size = 12,
          .intermediate_size = 20,
          .layer_count = count,
          .head_count = 4,
          .kv_head_count = 2,
          .head_dim = 6,
          .max_positions = 128,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = tied};
}

std::set<std::string> names(const std::vector<TensorSpec>& specs) {
  std::set<std::string> out;
  for (const TensorSpec& spec : specs) out.insert(spec.name);
  return out;
}

TEST(Partition, UntiedHeadBelongsToTheLastSegment) {
  const Partition p = make_partition(layers(7, false), 3);
  ASSERT_EQ(p.segments.size(), 3U);
  EXPECT_EQ(p.block_count, 3U);
  EXPECT_EQ(p.edge_count(), 4U);
  EXPECT_TRUE(p.segments[0].embeds);
  EXPECT_FALSE(p.segments[0].heads);
  EXPECT_FALSE(p.segments[1].embeds || p.segments[1].heads);
  EXPECT_TRUE(p.segments[2].heads);
  EXPECT_EQ(p.segments[2].first_layer, 6U);
  EXPECT_EQ(p.segments[2].layer_count, 1U);
  EXPECT_EQ(p.segments_of(2), (std::vector<std::uint32_t>{2}));
}

TEST(Partition, TiedHeadIsASegmentOfTheFirstBlock) {
  const Partition p = make_partition(layers(30, true), 5);
  ASSERT_EQ(p.segments.size(), 7U);
  EXPECT_EQ(p.block_count, 6U);
  EXPECT_EQ(p.edge_count(), 8U);
  EXPECT_TRUE(p.segments[6].heads);
  EXPECT_FALSE(p.segments[5].heads);
  EXPECT_EQ(p.segments[6].layer_count, 0U);
  EXPECT_EQ(p.segments[6].first_layer, 30U);
  EXPECT_EQ(p.segments_of(0), (std::vector<std::uint32_t>{0, 6}));
  EXPECT_EQ(p.segments_of(5), (std::vector<std::uint32_t>{5}));
}

TEST(Partition, BlockOfAllLayersStillCutsATiedHead) {
  for (const std::uint32_t per_block : {4U, 5U, 1000U}) {
    const Partition tied = make_partition(layers(4, true), per_block);
    EXPECT_EQ(tied.segments.size(), 2U);
    EXPECT_EQ(tied.block_count, 1U);
    EXPECT_EQ(tied.segments_of(0), (std::vector<std::uint32_t>{0, 1}));
    const Partition untied = make_partition(layers(4, false), per_block);
    ASSERT_EQ(untied.segments.size(), 1U);
    EXPECT_TRUE(untied.segments[0].embeds && untied.segments[0].heads);
  }
}

TEST(Partition, SegmentsCoverTheLayersInOrderForEverySmallGrid) {
  for (std::uint32_t count = 1; count <= 12; ++count) {
    for (std::uint32_t per_block = 1; per_block <= 13; ++per_block) {
      for (const bool tied : {false, true}) {
        const Partition p = make_partition(layers(count, tied), per_block);
        std::uint32_t next = 0;
        for (std::size_t i = 0; i < p.segments.size(); ++i) {
          const Segment& s = p.segments[i];
          EXPECT_EQ(s.index, i);
          EXPECT_EQ(s.first_layer, next);
          EXPECT_LE(s.layer_count, per_block);
          EXPECT_EQ(s.embeds, i == 0);
          EXPECT_EQ(s.heads, i + 1 == p.segments.size());
          EXPECT_LT(s.block, p.block_count);
          next += s.layer_count;
        }
        EXPECT_EQ(next, count);
        EXPECT_EQ(p.block_count, (count + per_block - 1) / per_block);
      }
    }
  }
}

TEST(Partition, BlocksAreDisjointAndTogetherComplete) {
  for (const std::uint32_t count : {1U, 2U, 5U, 11U, 12U}) {
    for (const std::uint32_t per_block : {1U, 2U, 5U, 11U, 50U}) {
      for (const bool tied : {false, true}) {
        const LlamaConfig config = layers(count, tied);
        const Partition p = make_partition(config, per_block);
        std::set<std::string> seen;
        std::size_t total = 0;
        for (std::uint32_t block = 0; block < p.block_count; ++block) {
          const auto specs = block_parameters(config, p, block);
          EXPECT_TRUE(std::is_sorted(
              specs.begin(), specs.end(),
              [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; }));
          total += specs.size();
          seen.merge(names(specs));
        }
        EXPECT_EQ(total, seen.size()) << count << " by " << per_block;
        EXPECT_EQ(seen, names(parameter_specs(config))) << count << " by " << per_block;
      }
    }
  }
}

TEST(Partition, BlockHoldsWhatItsSegmentsUse) {
  const LlamaConfig tied = layers(12, true);
  const Partition p = make_partition(tied, 2);
  const auto first = names(block_parameters(tied, p, 0));
  EXPECT_TRUE(first.contains("model.embed_tokens.weight"));
  EXPECT_TRUE(first.contains("model.norm.weight"));
  EXPECT_TRUE(first.contains("model.layers.1.mlp.up_proj.weight"));
  EXPECT_FALSE(first.contains("model.layers.10.mlp.up_proj.weight"));
  const auto last = names(block_parameters(tied, p, 5));
  EXPECT_EQ(last.size(), 18U);
  EXPECT_TRUE(last.contains("model.layers.10.mlp.up_proj.weight"));

  const LlamaConfig untied = layers(12, false);
  const Partition q = make_partition(untied, 2);
  const auto head = names(block_parameters(untied, q, 5));
  EXPECT_TRUE(head.contains("model.norm.weight"));
  EXPECT_TRUE(head.contains("lm_head.weight"));
  EXPECT_FALSE(names(block_parameters(untied, q, 0)).contains("lm_head.weight"));
}

}  // namespace
}  // namespace aftune::model
