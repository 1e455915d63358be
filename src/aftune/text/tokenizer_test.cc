// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/tokenizer.h"

#include <gtest/gtest.h>

#include <array>

namespace aftune::text {
namespace {

using Ids = std::vector<std::int32_t>;

/// A whole file in parts that a test can replace.
struct File {
  std::string added =
      R"([{"id":4,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,)"
      R"("normalized":false,"special":true}])";
  std::string normalizer = "null";
  std::string splitting = R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true})";
  std::string post = "null";
  std::string decoder = R"({"type":"ByteLevel"})";
  std::string vocab = R"({"a":0,"b":1,"ab":2,"\u0120":3})";
  std::string merges = R"(["a b"])";
  std::string more;

  [[nodiscard]] std::string json() const {
    return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" + added +
           R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + splitting +
           R"(,"post_processor":)" + post + R"(,"decoder":)" + decoder +
           R"(,"model":{"type":"BPE","vocab":)" + vocab + R"(,"merges":)" + merges + "}" + more +
           "}";
  }
};

TEST(Tokenizer, EncodesAndDecodesASmallFile) {
  const auto tokenizer = Tokenizer::parse(File().json());
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_EQ(tokenizer->vocab_size(), 5);
  EXPECT_EQ(*tokenizer->encode("ab<s> ba"), (Ids{2, 4, 3, 1, 0}));
  EXPECT_EQ(*tokenizer->encode(""), Ids{});
  EXPECT_EQ(*tokenizer->decode(Ids{2, 4, 3, 1, 0}, false), "ab<s> ba");
  EXPECT_EQ(*tokenizer->decode(Ids{2, 4, 3, 1, 0}, true), "ab ba");
  EXPECT_EQ(tokenizer->id_of("<s>"), 4);
  EXPECT_EQ(tokenizer->id_of("ab"), 2);
  EXPECT_EQ(tokenizer->id_of("ba"), -1);
}

TEST(Tokenizer, InvalidUtf8IsAnErrorThatNamesTheByte) {
  const auto tokenizer = Tokenizer::parse(File().json());
  ASSERT_TRUE(tokenizer);
  const auto ids = tokenizer->encode("ab\xED\xA0\x80");
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, Code::kInvalidInput);
  EXPECT_NE(ids.error().what.find("byte 2"), std::string::npos) << ids.error().what;
}

TEST(Tokenizer, UnknownIdsAreNotDecoded) {
  const auto tokenizer = Tokenizer::parse(File().json());
  ASSERT_TRUE(tokenizer);
  for (const std::int32_t id : {-1, 5, 2147483647}) {
    EXPECT_FALSE(tokenizer->decode(std::array{id}, false)) << id;
  }
}

TEST(Tokenizer, ComponentsThatChangeNoIdAreAccepted) {
  File file;
  file.post = R"({"type":"Sequence","processors":[{"type":"ByteLevel","trim_offsets":true},)"
              R"({"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{}}]})";
  EXPECT_TRUE(Tokenizer::parse(file.json()));
  std::string json = file.json();
  json.replace(json.find("\"truncation\":null"), 17, R"("truncation":{"max_length":8})");
  EXPECT_TRUE(Tokenizer::parse(json));
}

TEST(Tokenizer, UnknownComponentsAreRefusedByName) {
  struct Lie {
    std::string File::*part;
    std::string value, named;
  };
  const Lie lies[] = {
      {&File::normalizer, R"({"type":"Lowercase"})", "normalizer: type Lowercase"},
      {&File::normalizer, R"({"type":"Sequence","normalizers":[]})", "normalizer: type Sequence"},
      {&File::splitting, R"({"type":"Whitespace"})", "pre_tokenizer: type Whitespace"},
      {&File::post, R"({"type":"BertProcessing"})", "post_processor: type BertProcessing"},
      {&File::post, R"({"type":"Sequence","processors":[{"type":"RobertaProcessing"}]})",
       "post_processor[0]: type RobertaProcessing"},
      {&File::decoder, R"({"type":"WordPiece"})", "type WordPiece"},
  };
  for (const Lie& lie : lies) {
    File file;
    file.*lie.part = lie.value;
    const auto tokenizer = Tokenizer::parse(file.json());
    ASSERT_FALSE(tokenizer) << lie.value;
    EXPECT_EQ(tokenizer.error().code, Code::kUnsupported) << tokenizer.error().what;
    EXPECT_NE(tokenizer.error().what.find(lie.named), std::string::npos) << tokenizer.error().what;
  }
}

TEST(Tokenizer, IdsMustBeEachOnceWithoutAGap) {
  const auto added = [](int id, const std::string& content) {
    return R"([{"id":)" + std::to_string(id) + R"(,"content":")" + content +
           R"(","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}])";
  };
  struct Lie {
    std::string name, vocab, added;
  };
  const Lie lies[] = {
      {"twice in vocab", R"({"a":0,"b":1,"ab":1})", "[]"},
      {"gap in vocab", R"({"a":0,"b":1,"ab":3})", "[]"},
      {"not from zero", R"({"a":1,"b":2,"ab":3})", "[]"},
      {"added one too far", R"({"a":0,"b":1,"ab":2})", added(4, "x")},
      {"added far away", R"({"a":0,"b":1,"ab":2})", added(2147483647, "x")},
      {"added on another's id", R"({"a":0,"b":1,"ab":2})", added(1, "x")},
      {"added with another id than in vocab", R"({"a":0,"b":1,"ab":2})", added(0, "b")},
  };
  for (const Lie& lie : lies) {
    File file;
    file.vocab = lie.vocab;
    file.added = lie.added;
    const auto tokenizer = Tokenizer::parse(file.json());
    ASSERT_FALSE(tokenizer) << lie.name;
    EXPECT_EQ(tokenizer.error().code, Code::kInvalidInput) << lie.name;
  }
  File file;
  file.vocab = R"({"a":3,"b":0,"ab":1})";
  file.added = added(2, "x");
  EXPECT_TRUE(Tokenizer::parse(file.json())) << "any order is fine";
}

TEST(Tokenizer, MalformedFilesAreErrors) {
  const std::string good = File().json();
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_FALSE(Tokenizer::parse(std::string_view(good).substr(0, size))) << size;
  }
  File more;
  more.more = R"(,"plug_in":{})";
  EXPECT_FALSE(Tokenizer::parse(more.json()));
  for (const char* json : {"", "null", "[]", "{}", R"({"model":{}})", "{\"a\":1,\"a\":2}"}) {
    EXPECT_FALSE(Tokenizer::parse(json)) << json;
  }
  std::string version = good;
  version.replace(version.find("1.0"), 3, "2.0");
  EXPECT_FALSE(Tokenizer::parse(version));
  std::string deep = good;
  deep.replace(deep.find("null"), 4, std::string(100, '[') + std::string(100, ']'));
  EXPECT_FALSE(Tokenizer::parse(deep));
}

TEST(Tokenizer, ACatastrophicPatternEndsWithAnError) {
  File file;
  file.splitting =
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?:a+)+b"},)"
      R"("behavior":"Isolated","invert":false},)" +
      file.splitting + "]}";
  const auto tokenizer = Tokenizer::parse(file.json());
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_TRUE(tokenizer->encode("aab a"));
  EXPECT_FALSE(tokenizer->encode(std::string(5000, 'a')));
}

TEST(Tokenizer, MissingFilesAreNotFound) {
  const auto tokenizer = Tokenizer::load("/nonexistent/tokenizer.json");
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace aftune::text
