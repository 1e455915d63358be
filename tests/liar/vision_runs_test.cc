// SPDX-License-Identifier: Apache-2.0
// Image classifiers through the whole system: recorded runs are audited in all blocks and
// accepted, and lies about what they have of their own are found.
#include <gtest/gtest.h>

#include <algorithm>

#include "aftune/attack/gallery_run.h"
#include "aftune/codec/json.h"
#include "aftune/image/image_row.h"
#include "aftune/model/adapter_folder.h"
#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using model::Family;

constexpr std::int64_t kNow = 1'800'000'000;

class EachVisionRun : public ::testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(VisionRuns, EachVisionRun,
                         ::testing::Values(Family::kVit, Family::kDinov2),
                         [](const auto& p) { return std::string(model::traits_of(p.param).name); });

TEST_P(EachVisionRun, IsAcceptedInAllBlocksOnOtherMachines) {
  Terms terms = of_family(GetParam());
  terms.micro_batch = 3;
  const World& w = world(terms);
  const trace::RunFolder run = w.honest_run();
  for (const numerics::Isa isa : numerics::available_isas()) {
    ThreadPool pool(2);
    const auto verdict =
        must(audit::audit_run(w.all_blocks(run), must(numerics::Engine::create(isa, pool))));
    EXPECT_TRUE(accepted(verdict)) << numerics::isa_name(isa);
  }
}

TEST_P(EachVisionRun, IsRebuiltFromSparseStatesAndEdges) {
  Terms terms = of_family(GetParam());
  terms.layers_per_block = 1;
  terms.steps_per_block = 1;
  terms.state_interval = 2;
  terms.edge_interval = 2;
  EXPECT_TRUE(accepted(world(terms).audit_all(world(terms).honest_run())));
}

Terms adapted(Terms terms, trace::AdapterSpec spec) {
  terms.change = [spec](trace::Contract& c) { c.adapter = spec; };
  return terms;
}

TEST_P(EachVisionRun, WithAdaptersIsAcceptedInAllBlocks) {
  const std::vector<std::string> linear =
      model::linear_modules(world(of_family(GetParam())).contract().architecture);
  Terms sparse = of_family(GetParam());
  sparse.layers_per_block = 1;
  sparse.steps_per_block = 1;
  sparse.state_interval = 2;
  sparse.edge_interval = 2;
  Terms narrow = fine(of_family(GetParam()));
  narrow.base_dtype = Dtype::kBF16;
  const std::pair<const char*, Terms> variants[] = {
      {"queries and values, classifier saved",
       adapted(fine(of_family(GetParam())),
               {{2, 4, 0, false, {"q_proj", "v_proj"}, {"classifier"}}, std::nullopt})},
      {"all linear layers, rebuilt, dropout",
       adapted(sparse, {{2, 4, 0.25, true, linear, {"classifier", "layernorm"}}, std::nullopt})},
      {"a narrow base",
       adapted(narrow, {{3, 6, 0.125, false, {"o_proj"}, {"classifier"}}, std::nullopt})},
  };
  for (const auto& [name, terms] : variants) {
    const World& w = world(terms);
    const trace::RunFolder run = w.honest_run();
    // An audit replays what was trained, and would accept that nothing was.
    const auto delivered =
        must(model::open_adapter_folder(run.delivered(), w.contract().architecture));
    for (const auto& [tensor_name, tensor] : delivered.tensors) {
      const auto values = tensor.f32();
      EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](float v) { return v != 0; }))
          << name << " " << tensor_name;
    }
    for (const numerics::Isa isa : numerics::available_isas()) {
      ThreadPool pool(2);
      const auto machine = must(numerics::Engine::create(isa, pool));
      EXPECT_TRUE(accepted(must(audit::audit_run(w.all_blocks(run), machine))))
          << name << " " << numerics::isa_name(isa);
    }
  }
}

TEST(VisionRuns, T10AnotherPixelIsFound) {
  const World& w = world(of_family(Family::kVit));
  Lies lies;
  lies.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step == 1) batches[0].pixels[77] ^= 1;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
}

TEST(VisionRuns, T10AnotherClassIsFound) {
  const World& w = world(of_family(Family::kVit));
  Lies lies;
  lies.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step == 2) batches[0].targets[3] = (batches[0].targets[3] + 1) % 5;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"loss", "layer block 1, step block 1", ""}));
}

TEST(VisionRuns, T29AnotherNormalizationIsFound) {
  const World& w = world(of_family(Family::kVit));
  Lies lies;
  lies.model = [](model::Llama& llama) { llama.inv_freq.f32()[1] += 0x1p-20F; };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
}

TEST(VisionRuns, T3PositionsHeldBackAreFound) {
  const World& w = world(of_family(Family::kVit));
  Lies lies;
  lies.after_step = [](std::uint64_t, States& states) {
    states[0].parameters.at("vit.embeddings.position_embeddings").clear();
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
}

TEST(VisionRuns, T24AScaleEditedInOneStateIsFound) {
  const World& w = world(fine(of_family(Family::kDinov2)));
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step != 3) return;
    states[2].parameters.at("dinov2.encoder.layer.2.layer_scale2.lambda1").f32()[1] += 1;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"state", "layer block 2, step block 1",
                                         "dinov2.encoder.layer.2.layer_scale2.lambda1"}));
}

TEST(VisionRuns, T10ADataSetWithOneOtherPixelIsNotTheAgreedOne) {
  const World& w = world(of_family(Family::kVit));
  const trace::RunFolder run = w.copy_of_honest_run();
  std::string text = must(read_text_file(run.data(), 1 << 20));
  const std::size_t end = text.find('\n');
  image::ImageRow row = must(image::parse_row(std::string_view(text).substr(0, end)));
  row.image.pixels[0] ^= 1;
  text.replace(0, end, image::spell_row(row));
  must(write_file(run.data(), as_bytes(text)));
  EXPECT_TRUE(rejected(w.audit_all(run), {"data", "data, tokenizer or tables", "has root"}));
}

TEST(VisionRuns, AContractOfImagesHasNoText) {
  const trace::Contract& contract = world(of_family(Family::kVit)).contract();
  EXPECT_EQ(contract.sequence(), 5U);
  const codec::Json::Object honest = *must(codec::parse_json(contract.payload(), {})).object();
  const codec::Json text = codec::Json::Object{{"format", "text"}};
  const auto refused = [&](const char* member, const codec::Json& value, std::string_view what) {
    codec::Json::Object other = honest;
    if (std::string_view(member) == "text") other.erase("images");
    other[member] = value;
    const auto got = trace::Contract::parse(codec::canonical_json(other));
    ASSERT_FALSE(got) << member;
    EXPECT_NE(got.error().what.find(what), std::string::npos) << got.error().what;
  };
  ASSERT_EQ(honest.at("images"), codec::Json(codec::Json::Object{{"format", "pixels"}}));
  ASSERT_TRUE(trace::Contract::parse(codec::canonical_json(honest)));
  refused("images", codec::Json::Object{{"format", "files"}},
          "contract.images.format is \"files\"");
  refused("images", codec::Json::Object{{"format", "pixels"}, {"size", 8}}, "size");
  refused("text", text, "images");
  codec::Json::Object both = honest;
  both["text"] = text;
  const auto got = trace::Contract::parse(codec::canonical_json(both));
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what.find("text"), std::string::npos) << got.error().what;
}

TEST(VisionRuns, T22AFrozenScaleEditedBesideAdaptersIsFound) {
  const World& w = world(adapted(fine(of_family(Family::kDinov2)),
                                 {{2, 4, 0, false, {"q_proj"}, {"classifier"}}, std::nullopt}));
  Lies lies;
  lies.before_step = [](std::uint64_t step, States& states) {
    if (step != 1) return;
    auto frozen = std::make_shared<TensorMap>();
    for (const auto& [name, tensor] : *states[1].frozen) frozen->emplace(name, tensor.clone());
    frozen->at("dinov2.encoder.layer.1.layer_scale1.lambda1").f32()[0] += 1;
    states[1].frozen = frozen;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 1, step block 0", "edge 2"}));
}

class EachVisionGallery : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(VisionRuns, EachVisionGallery, ::testing::Values("whole", "adapters"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(EachVisionGallery, NoLiePasses) {
  const bool whole = GetParam() == std::string_view("whole");
  const Terms vit = of_family(Family::kVit);
  const World& w = world(
      whole ? vit
            : adapted(vit, {{2, 4, 0, false, {"q_proj", "v_proj"}, {"classifier"}}, std::nullopt}));
  const Path work = fresh_path("gallery");
  std::filesystem::create_directory(work);
  const auto report = must(attack::run_gallery(
      {w.contract(), w.honest_run(), {}, work, attack::Begin::kLastStates, {}, kNow, {}},
      engine()));
  EXPECT_EQ(report.accepted(), 0U) << attack::gallery_text(report);
  EXPECT_GT(report.lies.size(), 30U);
  for (const attack::LieOutcome& lie : report.lies) {
    EXPECT_EQ(lie.why_not, "") << lie.lie;
    EXPECT_TRUE(lie.caught()) << lie.lie << ": " << lie.cause;
  }
}

}  // namespace
}  // namespace aftune::liar
