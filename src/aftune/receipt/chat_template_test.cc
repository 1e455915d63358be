// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/chat_template.h"

#include <gtest/gtest.h>

#include "aftune/receipt/tiny_served_testing.h"

namespace aftune::receipt {
namespace {

/// The file of SmolLM2-135M-Instruct, as far as it matters here.
constexpr const char* kSmollm2 =
    R"({"bos_token":"<|im_start|>","chat_template":"{% for message in messages %}{% if loop.first )"
    R"(and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI )"
    R"(assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' )"
    R"(+ message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if )"
    R"(add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"})";

TEST(ChatTemplate, IsKnownByItsExactText) {
  EXPECT_EQ(*template_of(kSmollm2), ChatTemplate::kSmollm2);
  EXPECT_EQ(*template_of(testing::chatml_config()), ChatTemplate::kChatml);
  std::string other = kSmollm2;
  other.replace(other.find("helpful"), 7, "hostile");
  EXPECT_EQ(*template_of(other), ChatTemplate::kNone);
  EXPECT_EQ(*template_of("{}"), ChatTemplate::kNone);
  EXPECT_EQ(*template_of(R"({"chat_template":[{"name":"default"}]})"), ChatTemplate::kNone);
  EXPECT_FALSE(template_of("[]"));
  EXPECT_FALSE(template_of("{"));
}

TEST(ChatTemplate, PutsMessagesAsTheTemplatesDo) {
  const ChatMessage user{"user", "Hi"}, system{"system", "Be brief."}, answer{"assistant", "Yes?"};
  EXPECT_EQ(*render_chat(ChatTemplate::kChatml, std::vector{user}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(*render_chat(ChatTemplate::kSmollm2, std::vector{user}),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            "Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(*render_chat(ChatTemplate::kSmollm2, std::vector{system, user, answer}),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnowByName) {
  const std::vector<ChatMessage> user{{"user", "Hi"}}, tool{{"tool", "x"}};
  const auto none = render_chat(ChatTemplate::kNone, user);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnsupported);
  const auto role = render_chat(ChatTemplate::kChatml, tool);
  ASSERT_FALSE(role);
  EXPECT_NE(role.error().what.find("\"tool\""), std::string::npos) << role.error().what;
  EXPECT_FALSE(render_chat(ChatTemplate::kChatml, std::vector<ChatMessage>{}));
  EXPECT_FALSE(render_chat(ChatTemplate::kChatml, std::vector<ChatMessage>(1025, user.front())));
  EXPECT_FALSE(parse_template("llama3"));
  for (const auto id : {ChatTemplate::kNone, ChatTemplate::kChatml, ChatTemplate::kSmollm2}) {
    EXPECT_EQ(*parse_template(template_name(id)), id);
  }
}

}  // namespace
}  // namespace aftune::receipt
