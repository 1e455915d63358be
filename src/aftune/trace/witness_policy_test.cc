// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/witness_policy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using codec::Json;
using testing::must;
using testing::test_key;

tlog::WitnessKey witness(unsigned char seed, const std::string& name) {
  return {name, test_key(seed).public_key()};
}

WitnessPolicy two_of_three() {
  return {{witness(9, "a.example"), witness(8, "b.example"), witness(7, "c.example")}, 2, 3600};
}

/// The policy as a contract has it, changed, and read again.
Result<WitnessPolicy> read_changed(const std::function<void(Json::Object&)>& change) {
  Json audit = Json::Object{{"witnesses", to_contract(two_of_three())}};
  change(*audit.object()->at("witnesses").object());
  auto reader = must(codec::JsonReader::open(audit, "audit"));
  return witness_policy_from_contract(reader);
}

void expect_refused(const char* names, const std::function<void(Json::Object&)>& change) {
  const auto read = read_changed(change);
  ASSERT_FALSE(read) << names;
  EXPECT_NE(read.error().what.find(names), std::string::npos) << read.error().what;
  EXPECT_NE(read.error().what.find("audit.witnesses"), std::string::npos) << read.error().what;
}

TEST(WitnessPolicy, ComesBackAsItWas) {
  EXPECT_EQ(must(read_changed([](auto&) {})), two_of_three());
  EXPECT_EQ(to_contract(WitnessPolicy()), Json("none"));
  Json audit = Json::Object{{"witnesses", "none"}};
  auto reader = must(codec::JsonReader::open(audit, "audit"));
  EXPECT_FALSE(must(witness_policy_from_contract(reader)).asks());
}

TEST(WitnessPolicy, WrongValuesAreRefusedByName) {
  expect_refused("quorum", [](auto& w) { w["quorum"] = 0; });
  expect_refused("quorum", [](auto& w) { w["quorum"] = 4; });
  expect_refused("max_delay_seconds", [](auto& w) { w["max_delay_seconds"] = 0; });
  expect_refused("max_delay_seconds", [](auto& w) { w.erase("max_delay_seconds"); });
  expect_refused("keys has 0 keys", [](auto& w) { w["keys"] = Json::Array(); });
  expect_refused("keys has 17 keys", [](auto& w) { w["keys"] = Json::Array(17, Json("x")); });
  expect_refused("zzz", [](auto& w) { w["zzz"] = 1; });
  expect_refused("no string", [](auto& w) { (*w["keys"].array())[0] = 1; });
}

TEST(WitnessPolicy, KeysHaveOneOrderAndOneSpelling) {
  expect_refused("is not ascending",
                 [](auto& w) { std::swap((*w["keys"].array())[0], (*w["keys"].array())[1]); });
  expect_refused("is not ascending",
                 [](auto& w) { (*w["keys"].array())[1] = (*w["keys"].array())[0]; });
  expect_refused("stands there twice",
                 [](auto& w) { (*w["keys"].array())[1] = witness(9, "b.example").spell(); });
  expect_refused("algorithm", [](auto& w) {
    (*w["keys"].array())[0] = tlog::VerifierKey{"a.example", test_key(9).public_key()}.spell();
  });
}

TEST(WitnessPolicy, OfAContractNamesNobodyWhoWatchesItself) {
  Contract contract = testing::tiny_contract();
  contract.audit.witnesses = two_of_three();
  const Contract back = must(Contract::parse(contract.payload()));
  EXPECT_EQ(back.audit, contract.audit);
  EXPECT_NE(back.digest(), testing::tiny_contract().digest());
  contract.audit.witnesses.keys[2].key = contract.provider.key;
  const auto own = Contract::parse(contract.payload());
  ASSERT_FALSE(own);
  EXPECT_NE(own.error().what.find("c.example is the provider's key"), std::string::npos);
}

}  // namespace
}  // namespace aftune::trace
