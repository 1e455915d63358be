// SPDX-License-Identifier: Apache-2.0
// Against Hugging Face transformers: tests/golden/make_chat_golden.py makes the file.
#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using codec::Json;

const Path kGolden = Path(AFTUNE_SOURCE_DIR) / "tests/golden";

std::vector<ChatMessage> messages_of(const Json& item) {
  std::vector<ChatMessage> out;
  for (const Json& message : *item.find("messages")->array()) {
    out.push_back({*message.find("role")->string(), *message.find("content")->string()});
  }
  return out;
}

/// Calls `check(id, case)` for each conversation under each template.
template <typename Check>
void for_each_chat(Check check) {
  const auto text = read_text_file(kGolden / "chats.json", 16 << 20);
  ASSERT_TRUE(text) << text.error().what;
  const auto json = codec::parse_json(*text, {16 << 20, 32, 1'000'000});
  ASSERT_TRUE(json) << json.error().what;
  std::size_t seen = 0;
  for (const Json& one : *json->find("templates")->array()) {
    const ChatTemplate id = *parse_template(*one.find("name")->string());
    const Json config = Json::Object{{"bos_token", "<|begin_of_text|>"},
                                     {"chat_template", *one.find("chat_template")->string()}};
    const bool is_whole = *one.find("is_whole")->boolean();  // else a job has to name it
    EXPECT_EQ(*template_of(codec::canonical_json(config)), is_whole ? id : ChatTemplate::kNone)
        << template_name(id);
    for (const Json& item : *one.find("cases")->array()) {
      check(id, item);
      ++seen;
    }
  }
  EXPECT_EQ(seen, 84U);
}

TEST(ChatGolden, TextsAreThoseOfTransformers) {
  for_each_chat([](ChatTemplate id, const Json& item) {
    const auto messages = messages_of(item);
    std::string whole;
    const auto pieces = chat_pieces(id, messages);
    ASSERT_TRUE(pieces);
    for (const ChatPiece& piece : *pieces) whole += piece.text;
    EXPECT_EQ(whole, *item.find("whole")->string()) << template_name(id);
    EXPECT_EQ(*render_chat(id, messages), *item.find("prompt")->string()) << template_name(id);
  });
}

TEST(ChatGolden, TokensAreThoseOfTransformers) {
  const auto tokenizer = Tokenizer::load(kGolden / "tokenizer/smollm.tokenizer.json");
  ASSERT_TRUE(tokenizer);
  std::size_t compared = 0;
  for_each_chat([&](ChatTemplate id, const Json& item) {
    const Json* ids = item.find("ids");
    if (ids == nullptr) return;
    const TextRule rule{"messages", "", "", "", -1, -1, 0, 512, "completion", id};
    const auto sample = make_sample(rule, *tokenizer, codec::canonical_json(item), 0);
    ASSERT_TRUE(sample) << sample.error().what;
    for (std::size_t t = 0; t < ids->array()->size(); ++t) {
      ASSERT_EQ(sample->tokens[t], *(*ids->array())[t].integer()) << template_name(id) << " " << t;
    }
    ++compared;
  });
  EXPECT_EQ(compared, 20U);
}

}  // namespace
}  // namespace aftune::text
