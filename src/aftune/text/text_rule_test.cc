// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using codec::Json;

TextRule rule_of_pairs() {
  return {"prompt_completion", "a", "b", "<s>", 8, 9, 7, 8, "completion"};
}

TextRule rule_of_texts() { return {"text", "", "", "", -1, -1, 7, 6, "all"}; }

Result<TextRule> read(const Json& json) {
  auto reader = codec::JsonReader::open(json, "contract.text");
  EXPECT_TRUE(reader);
  return text_rule_from_contract(*reader);
}

TextRule messages_rule() {
  return {"messages", "", "", "", -1, -1, 7, 6, "completion", ChatTemplate::kChatml};
}

TextRule packed(TextRule rule) {
  rule.packing = true;
  return rule;
}

TEST(TextRule, SurvivesTheContract) {
  for (const TextRule& rule :
       {rule_of_pairs(), rule_of_texts(), messages_rule(), packed(rule_of_pairs()),
        packed(messages_rule()), TextRule{"tokens", "", "", "", -1, -1, 7, 6, "completion"}}) {
    const auto back = read(to_contract(rule));
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, rule);
  }
}

TEST(TextRule, RefusesWhatThePageDoesNotAllow) {
  struct Lie {
    std::string name;
    Json value;
  };
  const Lie lies[] = {
      {"format", "messages"},
      {"format", "tokens"},
      {"format", "Text"},
      {"labels", "prompt"},
      {"labels", ""},
      {"bos_id", -2},
      {"eos_id", std::int64_t{1} << 31},
      {"pad_id", -1},
      {"sequence", 1},
      {"sequence", 1048577},
      {"sequence", "8"},
      {"before_prompt", Json()},
      {"after_completion", std::string(65537, 'x')},
      {"packing", false},
      {"packing", 1},
      {"packed", true},
      {"chat_template", "chatml"},
  };
  for (const Lie& lie : lies) {
    Json json = to_contract(rule_of_pairs());
    (*json.object())[lie.name] = lie.value;
    EXPECT_FALSE(read(json)) << lie.name;
  }
  const Json whole = to_contract(rule_of_pairs());
  for (const auto& [name, value] : *whole.object()) {
    Json json = whole;
    json.object()->erase(name);
    EXPECT_FALSE(read(json)) << name << " missing";
  }
  TextRule rule = rule_of_texts();
  rule.before_completion = "x";
  EXPECT_FALSE(read(to_contract(rule)));
  rule = rule_of_texts();
  rule.labels = "completion";
  EXPECT_FALSE(read(to_contract(rule)));
}

TEST(TextRule, WhatTheTemplateOrTheRowsSayHasNoSecondPlace) {
  const std::pair<const char*, Json> lies[] = {{"before_prompt", "x"},
                                               {"before_completion", "x"},
                                               {"after_completion", "x"},
                                               {"bos_id", 1},
                                               {"eos_id", 1}};
  for (const char* format : {"messages", "tokens"}) {
    TextRule rule = messages_rule();
    rule.format = format;
    EXPECT_TRUE(read(to_contract(rule))) << format;
    for (const auto& [name, value] : lies) {
      Json json = to_contract(rule);
      (*json.object())[name] = value;
      EXPECT_FALSE(read(json)) << format << " " << name;
    }
  }
  for (const Json& lie : {Json("none"), Json("chatml "), Json("vicuna"), Json(), Json(1)}) {
    Json json = to_contract(messages_rule());
    (*json.object())["chat_template"] = lie;
    EXPECT_FALSE(read(json));
    json.object()->erase("chat_template");
    EXPECT_FALSE(read(json)) << "missing";
  }
}

}  // namespace
}  // namespace aftune::text
