// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/model_root.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::digest_of;
using Tensors = std::map<std::string, RootedTensor, std::less<>>;

Tensors two() {
  return {{"a", {Dtype::kF32, {2, 3}, digest_of("a")}}, {"b", {Dtype::kF32, {4}, digest_of("b")}}};
}

/// RFC 6962 written out: leaves are hashed behind 00, nodes behind 01.
Digest leaf(const std::string& json) { return digest_of(std::string(1, '\0') + json); }

TEST(ModelRoot, IsTheStatedTreeOverTheStatedLeaves) {
  const Digest left = leaf(R"({"digest":")" + digest_of("a").hex() +
                           R"(","dtype":"F32","name":"a","salt":"","shape":[2,3]})");
  const Digest right = leaf(R"({"digest":")" + digest_of("b").hex() +
                            R"(","dtype":"F32","name":"b","salt":"","shape":[4]})");
  std::string node(1, '\1');
  node += as_text(left.view());
  node += as_text(right.view());
  EXPECT_EQ(model_root(two(), std::nullopt), digest_of(node));
}

TEST(ModelRoot, BindsEverythingOfEachTensor) {
  std::set<Digest> roots{model_root(two(), std::nullopt)};
  const std::vector<std::function<void(Tensors&)>> lies = {
      [](Tensors& t) { t["a"].digest = digest_of("c"); },
      [](Tensors& t) {
        t["a"].shape = {3, 2};
      },
      [](Tensors& t) { t["a"].shape = {6}; },
      [](Tensors& t) { t["a"].dtype = Dtype::kF16; },
      [](Tensors& t) { std::swap(t["a"].digest, t["b"].digest); },
      [](Tensors& t) { t.erase("b"); },
      [](Tensors& t) { t["c"] = t["b"]; },
      [](Tensors& t) {
        t["c"] = t["b"];
        t.erase("b");
      }};
  for (const auto& lie : lies) {
    Tensors tensors = two();
    lie(tensors);
    EXPECT_TRUE(roots.insert(model_root(tensors, std::nullopt)).second);
  }
  EXPECT_TRUE(roots.insert(model_root(two(), digest_of("salt"))).second);
  EXPECT_TRUE(roots.insert(model_root(two(), digest_of("other salt"))).second);
}

}  // namespace
}  // namespace aftune::trace
