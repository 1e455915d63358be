// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/adapter_spec.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using codec::Json;
using testing::must;
using testing::tiny_contract;

Contract lora_contract() {
  Contract contract = tiny_contract();
  contract.adapter = AdapterSpec{{4, 8, 0.125, true, {"q_proj", "v_proj"}, {"norm"}}, std::nullopt};
  return contract;
}

Json json_of(const Contract& contract) {
  return must(codec::parse_json(contract.payload(), {.bytes = kMaxContractBytes, .depth = 8}));
}

::testing::AssertionResult refused(const Json& json, const std::string& naming) {
  const auto parsed = Contract::parse(codec::canonical_json(json));
  if (parsed) return ::testing::AssertionFailure() << "accepted, though " << naming;
  if (parsed.error().what.find(naming) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << parsed.error().what << "\" lacks " << naming;
}

TEST(AdapterSpec, ReadsBackInAContract) {
  Contract contract = lora_contract();
  EXPECT_EQ(must(Contract::parse(contract.payload())).adapter, contract.adapter);
  contract.adapter->initial = testing::digest_of("adapter");
  contract.adapter->lora.modules_to_save.clear();
  EXPECT_EQ(must(Contract::parse(contract.payload())).adapter, contract.adapter);
  const Json* adapter = json_of(contract).find("adapter");
  ASSERT_NE(adapter, nullptr);
}

TEST(AdapterSpec, IsAbsentWhereAllIsTrained) {
  const std::string payload = tiny_contract().payload();
  EXPECT_EQ(payload.find("adapter"), std::string::npos);
  EXPECT_NE(payload.find("\"format\":\"huggingface\""), std::string::npos);
  EXPECT_NE(lora_contract().payload().find("\"format\":\"peft\""), std::string::npos);
}

TEST(AdapterSpec, EveryMemberIsNeededAndOthersAreRefused) {
  const Json whole = json_of(lora_contract());
  const Json::Object members = *whole.find("adapter")->object();
  EXPECT_EQ(members.size(), 8U);
  for (const auto& [name, value] : members) {
    Json json = whole;
    (*json.object())["adapter"].object()->erase(name);
    EXPECT_TRUE(refused(json, "contract.adapter." + name));
    json = whole;
    (*(*json.object())["adapter"].object())[name] = Json();
    EXPECT_TRUE(refused(json, "contract.adapter." + name));
  }
  Json json = whole;
  (*(*json.object())["adapter"].object())["zzz"] = 1;
  EXPECT_TRUE(refused(json, "zzz"));
}

TEST(AdapterSpec, ValuesOutOfRangeAreRefusedByName) {
  const std::vector<std::pair<const char*, Json>> table = {
      {"kind", "dora"},
      {"rank", 0},
      {"rank", 5000},
      {"alpha", "0x0p+0"},
      {"alpha", "8"},
      {"dropout", "0x1p+0"},
      {"dropout", "-0x0p+0"},
      {"initial", "zeros"},
      {"initial", ""},
      {"rslora", 1},
      {"target_modules", Json::Array{}},
      {"target_modules", Json::Array{Json(1)}},
      {"target_modules", Json::Array{"v_proj", "q_proj"}},
      {"target_modules", Json::Array{"embed_tokens"}},
      {"modules_to_save", Json::Array{"lm_head"}},  // the tiny model ties it
      {"modules_to_save", Json::Array{"nothing"}}};
  for (const auto& [name, value] : table) {
    Json json = json_of(lora_contract());
    (*(*json.object())["adapter"].object())[name] = value;
    EXPECT_TRUE(refused(json, std::string("contract.adapter.") + name));
  }
}

TEST(AdapterSpec, ExportsAnAdapterFolderAndNothingElse) {
  Json json = json_of(lora_contract());
  (*(*json.object())["export"].object())["format"] = "huggingface";
  EXPECT_TRUE(refused(json, "contract.export.format is \"huggingface\""));
  json = json_of(tiny_contract());
  (*(*json.object())["export"].object())["format"] = "peft";
  EXPECT_TRUE(refused(json, "contract.export.format is \"peft\""));
}

TEST(AdapterSpec, DropoutHasFewerElementsThanItsCounter) {
  AdapterSpec spec = *lora_contract().adapter;
  const model::LlamaConfig architecture = testing::tiny_architecture();  // width 8
  const std::uint64_t tokens = std::uint64_t{1} << 31;
  EXPECT_TRUE(check_dropout_counter(spec, architecture, tokens - 1));
  const Status many = check_dropout_counter(spec, architecture, tokens);
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().what.find("adapter.dropout"), std::string::npos);
  spec.lora.dropout = 0;
  EXPECT_TRUE(check_dropout_counter(spec, architecture, tokens));
}

TEST(AdapterSpec, KeysOfTheGeneratorHangOnTheSeedAndTheirUse) {
  const Contract contract = lora_contract();
  EXPECT_NE(contract.adapter_key(), contract.dropout_key());
  Contract other = contract;
  other.nonces.client = testing::digest_of("another");
  EXPECT_NE(other.adapter_key(), contract.adapter_key());
  EXPECT_NE(other.dropout_key(), contract.dropout_key());
}

}  // namespace
}  // namespace aftune::trace
