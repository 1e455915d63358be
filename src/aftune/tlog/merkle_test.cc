// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/merkle.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "aftune/base/file.h"
#include "aftune/codec/base64.h"
#include "aftune/codec/json.h"

namespace aftune::tlog {
namespace {

std::vector<Digest> painted_leaves(std::size_t count) {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_hash(as_bytes(std::to_string(i))));
  return leaves;
}

TEST(MerkleRoot, OfSmallTreesFollowsTheDefinition) {
  const auto x = painted_leaves(5);
  EXPECT_EQ(merkle_root({}).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(merkle_root(std::span(x).first(1)), x[0]);
  EXPECT_EQ(merkle_root(std::span(x).first(3)), node_hash(node_hash(x[0], x[1]), x[2]));
  EXPECT_EQ(merkle_root(x),
            node_hash(node_hash(node_hash(x[0], x[1]), node_hash(x[2], x[3])), x[4]));
}

TEST(GrowingTree, HasTheRootOfEveryPrefix) {
  const auto leaves = painted_leaves(70);
  GrowingTree tree;
  for (std::size_t size = 0; size <= leaves.size(); ++size) {
    EXPECT_EQ(tree.size(), size);
    EXPECT_EQ(tree.root(), merkle_root(std::span(leaves).first(size))) << size;
    if (size < leaves.size()) tree.append(leaves[size]);
  }
}

TEST(Inclusion, HoldsForEveryLeafOfEverySmallTree) {
  const auto all = painted_leaves(33);
  for (std::size_t count = 1; count <= all.size(); ++count) {
    const auto leaves = std::span(all).first(count);
    for (std::uint64_t index = 0; index < count; ++index) {
      const auto path = inclusion_proof(leaves, index);
      ASSERT_TRUE(path);
      EXPECT_TRUE(verify_inclusion(leaves[index], index, count, *path, merkle_root(leaves)))
          << index << " of " << count;
    }
  }
}

struct Inclusion {
  Digest leaf, root;
  std::uint64_t index = 0, size = 0;
  std::vector<Digest> path;
  [[nodiscard]] bool holds() const { return verify_inclusion(leaf, index, size, path, root); }
};

TEST(Inclusion, FailsAfterAnySingleChange) {
  struct Change {
    std::string name;
    std::function<void(Inclusion&)> apply;
  };
  const Change changes[] = {
      {"leaf bit", [](Inclusion& p) { p.leaf.bytes[31] ^= 1; }},
      {"root bit", [](Inclusion& p) { p.root.bytes[0] ^= 1; }},
      {"path bit", [](Inclusion& p) { p.path[1].bytes[7] ^= 4; }},
      {"path short", [](Inclusion& p) { p.path.pop_back(); }},
      {"path long", [](Inclusion& p) { p.path.push_back(p.root); }},
      {"path empty", [](Inclusion& p) { p.path.clear(); }},
      {"path swapped", [](Inclusion& p) { std::swap(p.path[0], p.path[1]); }},
      {"index next", [](Inclusion& p) { p.index += 1; }},
      {"index before", [](Inclusion& p) { p.index -= 1; }},
      {"index outside", [](Inclusion& p) { p.index = p.size; }},
      {"tree empty", [](Inclusion& p) { p.size = 0; }},
      {"tree twice as large", [](Inclusion& p) { p.size *= 2; }},
  };
  const auto leaves = painted_leaves(13);
  for (const Change& change : changes) {
    Inclusion proof{leaves[5], merkle_root(leaves), 5, 13, *inclusion_proof(leaves, 5)};
    ASSERT_TRUE(proof.holds());
    change.apply(proof);
    EXPECT_FALSE(proof.holds()) << change.name;
  }
}

TEST(Inclusion, ProvingOutsideTheTreeNamesBothNumbers) {
  const auto got = inclusion_proof(painted_leaves(8), 9);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalidInput);
  EXPECT_EQ(got.error().what, "leaf index 9, tree has 8 leaves");
  EXPECT_FALSE(inclusion_proof({}, 0));
}

TEST(Consistency, HoldsForEveryPairOfSmallTreesAndNoOtherRoot) {
  const auto all = painted_leaves(33);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const auto leaves = std::span(all).first(size);
    const Digest root = merkle_root(leaves);
    for (std::size_t old = 1; old <= size; ++old) {
      const Digest old_root = merkle_root(leaves.first(old));
      const auto proof = consistency_proof(leaves, old);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(verify_consistency(old, old_root, size, root, *proof)) << old << " " << size;
      Digest other = old_root;
      other.bytes[3] ^= 1;
      EXPECT_FALSE(verify_consistency(old, other, size, root, *proof)) << old << " " << size;
      auto longer = *proof;
      longer.push_back(root);
      EXPECT_FALSE(verify_consistency(old, old_root, size, root, longer)) << old << " " << size;
      if (proof->empty()) continue;
      EXPECT_FALSE(verify_consistency(old, old_root, size, root, std::span(*proof).first(1)) &&
                   proof->size() > 1);
      EXPECT_FALSE(verify_consistency(old, old_root, size, root, {})) << old << " " << size;
    }
  }
}

TEST(Consistency, FromNothingOrToLessIsNeverAccepted) {
  const auto leaves = painted_leaves(4);
  const Digest root = merkle_root(leaves);
  EXPECT_TRUE(consistency_proof(leaves, 0)->empty());
  EXPECT_FALSE(verify_consistency(0, merkle_root({}), 4, root, {}));
  EXPECT_FALSE(verify_consistency(0, merkle_root({}), 0, merkle_root({}), {}));
  EXPECT_FALSE(verify_consistency(5, root, 4, root, {}));
  const auto got = consistency_proof(leaves, 5);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "old size 5, tree has 4 leaves");
}

// A vector's value as a digest: shorter ones (they stand for "any value") filled up with zeros,
// empty and longer ones are none.
bool digest_of(const codec::Json& value, Digest& out) {
  if (value.string() == nullptr) return false;
  const auto bytes = codec::from_base64(*value.string());
  if (!bytes || bytes->empty() || bytes->size() > out.bytes.size()) return false;
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return true;
}

bool proof_of(const codec::Json& value, std::vector<Digest>& out) {
  if (value.array() == nullptr) return true;
  for (const codec::Json& hash : *value.array()) {
    if (!digest_of(hash, out.emplace_back())) return false;
  }
  return true;
}

// 2^64 - 1, which stands in two vectors, is no integer for our reader.
std::uint64_t number(const codec::Json& json, std::string_view name) {
  const std::int64_t* integer = json.find(name)->integer();
  return integer == nullptr ? ~std::uint64_t{0} : static_cast<std::uint64_t>(*integer);
}

bool inclusion_holds(const codec::Json& json) {
  Digest leaf;
  Digest root;
  std::vector<Digest> proof;
  return digest_of(*json.find("leafHash"), leaf) && digest_of(*json.find("root"), root) &&
         proof_of(*json.find("proof"), proof) &&
         verify_inclusion(leaf, number(json, "leafIdx"), number(json, "treeSize"), proof, root);
}

bool consistency_holds(const codec::Json& json) {
  Digest old_root;
  Digest new_root;
  std::vector<Digest> proof;
  return digest_of(*json.find("root1"), old_root) && digest_of(*json.find("root2"), new_root) &&
         proof_of(*json.find("proof"), proof) &&
         verify_consistency(number(json, "size1"), old_root, number(json, "size2"), new_root,
                            proof);
}

void check_vectors(const std::string& kind, bool (*holds)(const codec::Json&), int least) {
  const Path folder = Path(AFTUNE_SOURCE_DIR "/../shared/vectors/merkle") / kind;
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no vectors beside the source tree";
  int count = 0;
  for (const auto& at : std::filesystem::recursive_directory_iterator(folder)) {
    if (at.path().extension() != ".json") continue;
    const auto json = codec::parse_json(*read_text_file(at.path(), 1 << 20), {});
    ASSERT_TRUE(json) << at.path() << json.error().what;
    EXPECT_EQ(holds(*json), !*json->find("wantErr")->boolean()) << at.path();
    ++count;
  }
  EXPECT_GE(count, least);
}

TEST(Inclusion, AgreesWithPublishedVectors) { check_vectors("inclusion", inclusion_holds, 90); }

TEST(Consistency, AgreesWithPublishedVectors) {
  check_vectors("consistency", consistency_holds, 90);
}

}  // namespace
}  // namespace aftune::tlog
