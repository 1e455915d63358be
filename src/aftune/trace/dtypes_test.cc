// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/dtypes.h"

#include <gtest/gtest.h>

namespace aftune::trace {
namespace {

using codec::Json;

constexpr bool kWithAdapter = true, kPlain = false;

Result<Dtypes> read(const Json& json, bool has_adapter) {
  AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(json, "contract.dtypes"));
  return dtypes_from_contract(reader, has_adapter);
}

Result<Dtypes> read_with(const char* member, const char* value, bool has_adapter) {
  Json json = to_contract(Dtypes{});
  (*json.object())[member] = Json(value);
  return read(json, has_adapter);
}

TEST(Dtypes, ComeBack) {
  for (const Dtype boundary : {Dtype::kF32, Dtype::kBF16}) {
    for (const Dtype frozen : {Dtype::kF32, Dtype::kBF16, Dtype::kF16}) {
      for (const Dtype moments : {Dtype::kF32, Dtype::kBF16}) {
        const Dtypes dtypes{boundary, frozen, moments};
        const auto back = read(to_contract(dtypes), kWithAdapter);
        ASSERT_TRUE(back) << back.error().what;
        EXPECT_EQ(*back, dtypes);
      }
    }
  }
}

TEST(Dtypes, OtherTypesAreRefusedByName) {
  const struct {
    const char *member, *value;
    bool has_adapter;
    const char* says;
  } rows[] = {
      {"boundary", "F16", kWithAdapter,
       "contract.dtypes.boundary is \"F16\", known here: F32, BF16"},
      {"boundary", "bf16", kPlain, "contract.dtypes.boundary is \"bf16\""},
      {"frozen", "BF16", kPlain, "contract.dtypes.frozen is \"BF16\", known here: F32"},
      {"frozen", "F16", kPlain, "contract.dtypes.frozen is \"F16\", known here: F32"},
      {"frozen", "F64", kWithAdapter,
       "contract.dtypes.frozen is \"F64\", known here: F32, BF16, F16"},
      {"gradients", "BF16", kWithAdapter, "contract.dtypes.gradients is \"BF16\", known here: F32"},
      {"moments", "F16", kPlain, "contract.dtypes.moments is \"F16\", known here: F32, BF16"},
      {"parameters", "BF16", kPlain, "contract.dtypes.parameters"},
      {"logits", "F32", kPlain, "logits"},
  };
  for (const auto& row : rows) {
    const auto got = read_with(row.member, row.value, row.has_adapter);
    ASSERT_FALSE(got) << row.member << " " << row.value;
    EXPECT_NE(got.error().what.find(row.says), std::string::npos) << got.error().what;
  }
}

TEST(Dtypes, NoneIsOptional) {
  for (const char* member : {"boundary", "frozen", "gradients", "moments", "parameters"}) {
    Json json = to_contract(Dtypes{});
    json.object()->erase(member);
    const auto got = read(json, kPlain);
    ASSERT_FALSE(got) << member;
    EXPECT_NE(got.error().what.find(member), std::string::npos) << got.error().what;
  }
}

}  // namespace
}  // namespace aftune::trace
