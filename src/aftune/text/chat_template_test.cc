// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/chat_template.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

/// The file of SmolLM2-135M-Instruct, as far as it matters here.
constexpr const char* kSmollm2 =
    R"({"bos_token":"<|im_start|>","chat_template":"{% for message in messages %}{% if loop.first )"
    R"(and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI )"
    R"(assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' )"
    R"(+ message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if )"
    R"(add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"})";

constexpr const char* kChatml =
    R"({"chat_template":"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + )"
    R"(message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ )"
    R"('<|im_start|>assistant\n' }}{% endif %}"})";

/// The file of Meta-Llama-3-8B-Instruct, as far as it matters here.
constexpr const char* kLlama3 =
    R"({"bos_token":"<|begin_of_text|>","chat_template":"{% set loop_messages = messages %}{% for )"
    R"(message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + )"
    R"('<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 )"
    R"(%}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if )"
    R"(add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"})";

TEST(ChatTemplate, IsKnownByItsExactText) {
  EXPECT_EQ(*template_of(kSmollm2), ChatTemplate::kSmollm2);
  EXPECT_EQ(*template_of(kChatml), ChatTemplate::kChatml);
  EXPECT_EQ(*template_of(kLlama3), ChatTemplate::kLlama3);
  std::string bos = kLlama3;
  bos.replace(bos.find("<|begin_of_text|>"), 17, "<s>");
  EXPECT_EQ(*template_of(bos), ChatTemplate::kNone) << "its first token is another one";
  bos = kLlama3;
  bos.replace(bos.find("\"<|begin_of_text|>\""), 19, R"({"content":"<|begin_of_text|>"})");
  EXPECT_EQ(*template_of(bos), ChatTemplate::kLlama3);
  std::string qwen = kSmollm2;
  qwen.replace(qwen.find("You are a"), 68, "You are a helpful assistant.");
  EXPECT_EQ(*template_of(qwen), ChatTemplate::kQwen2);
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

TEST(ChatTemplate, Llama3TrimsAsPythonDoes) {
  const std::vector<ChatMessage> chat{{"user", " \n\u2003Hi there\u00a0\t"},
                                      {"assistant", "\u3000"}};
  EXPECT_EQ(*render_chat(ChatTemplate::kLlama3, chat),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST(ChatTemplate, DefaultSystemMessagesAreTheModels) {
  const std::vector<ChatMessage> user{{"user", "Hi"}};
  EXPECT_NE(render_chat(ChatTemplate::kQwen2, user)->find("system\nYou are a helpful assistant.<"),
            std::string::npos);
  EXPECT_NE(render_chat(ChatTemplate::kQwen25, user)
                ->find("system\nYou are Qwen, created by Alibaba Cloud. You are a helpful"),
            std::string::npos);
  EXPECT_EQ(render_chat(ChatTemplate::kLlama3, user)->find("system"), std::string::npos);
}

TEST(ChatTemplate, Llama31StatesItsDates) {
  const std::string dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  const std::string system = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n";
  const std::string user = "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>";
  const std::string opening = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  EXPECT_EQ(*render_chat(ChatTemplate::kLlama31, std::vector<ChatMessage>{{"user", "Hi"}}),
            system + dates + user + opening);
  EXPECT_EQ(*render_chat(ChatTemplate::kLlama31,
                         std::vector<ChatMessage>{{"system", " Be brief.\n"}, {"user", "Hi "}}),
            system + dates + "Be brief." + user + opening);
}

TEST(ChatTemplate, Qwen3KeepsTheThoughtsOfTheLastAnswer) {
  const std::vector<ChatMessage> chat{{"user", "1?"},
                                      {"assistant", "<think>\nold\n</think>\n\none"},
                                      {"user", "2?"},
                                      {"assistant", "<think>\n\nnew\n\n</think>\n\n\ntwo"}};
  EXPECT_EQ(*chat_pieces(ChatTemplate::kQwen3, chat),
            (std::vector<ChatPiece>{{"<|im_start|>user\n1?<|im_end|>\n<|im_start|>assistant\n"},
                                    {"one<|im_end|>", true},
                                    {"\n<|im_start|>user\n2?<|im_end|>\n<|im_start|>assistant\n"},
                                    {"<think>\nnew\n</think>\n\ntwo<|im_end|>", true},
                                    {"\n"}}));
  // A last answer without thoughts gets empty ones; what a tool answered is no question.
  const std::vector<ChatMessage> tool{{"user", "1?"},
                                      {"assistant", "call"},
                                      {"user", "<tool_response>1</tool_response>"},
                                      {"assistant", "one"}};
  const auto pieces = chat_pieces(ChatTemplate::kQwen3, tool);
  ASSERT_TRUE(pieces);
  EXPECT_EQ((*pieces)[1].text, "call<|im_end|>");
  EXPECT_EQ((*pieces)[3].text, "<think>\n\n</think>\n\none<|im_end|>");
}

TEST(ChatTemplate, PiecesAreCutAroundAnswers) {
  const std::vector<ChatMessage> chat{
      {"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Go"}, {"assistant", ""}};
  EXPECT_EQ(*chat_pieces(ChatTemplate::kChatml, chat),
            (std::vector<ChatPiece>{{"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"},
                                    {"Yes?<|im_end|>", true},
                                    {"\n<|im_start|>user\nGo<|im_end|>\n<|im_start|>assistant\n"},
                                    {"<|im_end|>", true},
                                    {"\n"}}));
  EXPECT_EQ(chat_pieces(ChatTemplate::kLlama3, chat)->back(), (ChatPiece{"<|eot_id|>", true}));
  // What comes before an answer is the text that a model would be asked to continue.
  for (const auto id :
       {ChatTemplate::kChatml, ChatTemplate::kSmollm2, ChatTemplate::kQwen2, ChatTemplate::kQwen25,
        ChatTemplate::kQwen3, ChatTemplate::kLlama3, ChatTemplate::kLlama31}) {
    std::string before;
    std::size_t answers = 0;
    const auto pieces = chat_pieces(id, chat);
    ASSERT_TRUE(pieces);
    for (const ChatPiece& piece : *pieces) {
      if (piece.is_answer) {
        const auto asked = std::span(chat).first(answers++ == 0 ? 1 : 3);
        EXPECT_EQ(before, *render_chat(id, asked)) << template_name(id);
      }
      before += piece.text;
    }
    EXPECT_EQ(answers, 2U);
  }
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
  EXPECT_FALSE(parse_template("llama2"));
  EXPECT_FALSE(chat_pieces(ChatTemplate::kNone, user));
  EXPECT_FALSE(chat_pieces(ChatTemplate::kChatml, tool));
  for (const auto id : {ChatTemplate::kNone, ChatTemplate::kChatml, ChatTemplate::kSmollm2,
                        ChatTemplate::kQwen2, ChatTemplate::kQwen25, ChatTemplate::kQwen3,
                        ChatTemplate::kLlama3, ChatTemplate::kLlama31}) {
    EXPECT_EQ(*parse_template(template_name(id)), id);
  }
}

}  // namespace
}  // namespace aftune::text
