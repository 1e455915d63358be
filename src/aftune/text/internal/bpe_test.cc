// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/bpe.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "aftune/text/internal/fallback_decoder.h"

namespace aftune::text {
namespace {

Result<Bpe> parse(const std::string& json) {
  auto value = codec::parse_json(json, {});
  EXPECT_TRUE(value) << json;
  auto reader = codec::JsonReader::open(*value, "model");
  EXPECT_TRUE(reader);
  return Bpe::parse(std::move(*reader));
}

std::vector<std::int32_t> encode(const Bpe& bpe, std::string_view piece) {
  std::vector<std::int32_t> ids;
  bpe.encode(piece, ids);
  return ids;
}

using Ids = std::vector<std::int32_t>;
constexpr const char* kVocab = R"("vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5,"aa":6,"?":7})";

std::string model(const std::string& merges, const std::string& more = "") {
  return std::string("{") + kVocab + R"(,"merges":)" + merges + more + "}";
}

TEST(Bpe, MergesByRankThenFromTheLeft) {
  EXPECT_EQ(encode(*parse(model(R"(["a b","b c"])")), "abc"), (Ids{3, 2}));
  EXPECT_EQ(encode(*parse(model(R"(["b c","a b"])")), "abc"), (Ids{0, 4}));
  EXPECT_EQ(encode(*parse(model(R"(["b c","a bc"])")), "abcab"), (Ids{5, 0, 1}));
  EXPECT_EQ(encode(*parse(model(R"([["a","a"]])")), "aaaaa"), (Ids{6, 6, 0}));
  EXPECT_EQ(encode(*parse(model(R"([])")), ""), Ids{});
}

TEST(Bpe, WholeTokensComeFirstOnlyIfMergesAreIgnored) {
  EXPECT_EQ(encode(*parse(model(R"(["b c"])", R"(,"ignore_merges":true)")), "abc"), (Ids{5}));
  EXPECT_EQ(encode(*parse(model(R"(["b c"])", R"(,"ignore_merges":false)")), "abc"), (Ids{0, 4}));
}

TEST(Bpe, UnknownBytesVanishOrBecomeTheUnknownToken) {
  EXPECT_EQ(encode(*parse(model("[]")), "axyb"), (Ids{0, 1}));
  EXPECT_EQ(encode(*parse(model("[]", R"(,"unk_token":"?")")), "axyb"), (Ids{0, 7, 7, 1}));
  EXPECT_EQ(encode(*parse(model("[]", R"(,"unk_token":"?","fuse_unk":true)")), "axybx"),
            (Ids{0, 7, 1, 7}));
}

/// Characters, the 256 bytes from id 10 on, and some merges.
Result<Bpe> parse_characters(const std::string& without = "") {
  std::string vocab = R"("?":0,"_":1,"a":2,"\u00e9":3,"_a":4,"a\u00e9":5)";
  for (unsigned b = 0; b < 256; ++b) {
    const std::string token = token_of_byte(static_cast<std::uint8_t>(b));
    if (token != without) vocab += ",\"" + token + "\":" + std::to_string(10 + b);
  }
  const std::string json = "{\"vocab\":{" + vocab +
                           R"(},"merges":[["_","a"],["a","\u00e9"]],"byte_fallback":true,)"
                           R"("unk_token":"?","fuse_unk":true})";
  const auto value = codec::parse_json(json, {});
  return Bpe::parse(*codec::JsonReader::open(*value, "model"), Alphabet::kCharacters);
}

TEST(Bpe, CharactersWithoutATokenBecomeTheirBytes) {
  const auto bpe = parse_characters();
  ASSERT_TRUE(bpe) << bpe.error().what;
  EXPECT_EQ(encode(*bpe, "_a\u00e9"), (Ids{4, 3}));
  EXPECT_EQ(encode(*bpe, "a\u00e9"), (Ids{5}));
  EXPECT_EQ(encode(*bpe, "\u20aca"), (Ids{10 + 0xe2, 10 + 0x82, 10 + 0xac, 2}));
  EXPECT_EQ(encode(*bpe, "a\nb"), (Ids{2, 10 + '\n', 10 + 'b'}));
  EXPECT_EQ(encode(*bpe, ""), Ids{});
}

TEST(Bpe, FallbackNeedsEveryByte) {
  const auto bpe = parse_characters("<0x7F>");
  ASSERT_FALSE(bpe);
  EXPECT_EQ(bpe.error().code, Code::kUnsupported);
  EXPECT_NE(bpe.error().what.find("<0x7F>"), std::string::npos) << bpe.error().what;
}

TEST(Bpe, RefusesMalformedModels) {
  struct Lie {
    std::string name, json;
    Code code;
  };
  const Lie lies[] = {
      {"merge of an unknown token", model(R"(["a z"])"), Code::kInvalidInput},
      {"merge into an unknown token", model(R"(["c c"])"), Code::kInvalidInput},
      {"the same merge twice", model(R"(["a b","b c",["a","b"]])"), Code::kInvalidInput},
      {"one word", model(R"(["ab"])"), Code::kInvalidInput},
      {"three words", model(R"(["a b c"])"), Code::kInvalidInput},
      {"three in a pair", model(R"([["a","b","c"]])"), Code::kInvalidInput},
      {"a number", model("[1]"), Code::kInvalidInput},
      {"merges an object", model("{}"), Code::kInvalidInput},
      {"no vocab", R"({"merges":[]})", Code::kInvalidInput},
      {"vocab an array", R"({"merges":[],"vocab":[]})", Code::kInvalidInput},
      {"negative id", R"({"merges":[],"vocab":{"a":-1}})", Code::kInvalidInput},
      {"huge id", R"({"merges":[],"vocab":{"a":2147483648}})", Code::kInvalidInput},
      {"fractional id", R"({"merges":[],"vocab":{"a":0.5}})", Code::kInvalidInput},
      {"unk outside vocab", model("[]", R"(,"unk_token":"<unk>")"), Code::kInvalidInput},
      {"unk a number", model("[]", R"(,"unk_token":7)"), Code::kInvalidInput},
      {"other model", model("[]", R"(,"type":"Unigram")"), Code::kUnsupported},
      {"byte fallback", model("[]", R"(,"byte_fallback":true)"), Code::kUnsupported},
      {"dropout", model("[]", R"(,"dropout":0.1)"), Code::kUnsupported},
      {"prefix", model("[]", R"(,"continuing_subword_prefix":"##")"), Code::kUnsupported},
      {"suffix", model("[]", R"(,"end_of_word_suffix":"</w>")"), Code::kUnsupported},
      {"unknown member", model("[]", R"(,"sampling":1)"), Code::kInvalidInput},
  };
  for (const Lie& lie : lies) {
    const auto bpe = parse(lie.json);
    ASSERT_FALSE(bpe) << lie.name;
    EXPECT_EQ(bpe.error().code, lie.code) << lie.name << ": " << bpe.error().what;
  }
}

TEST(Bpe, SwitchedOffVariantsAreAccepted) {
  EXPECT_TRUE(parse(model("[\"#version: 0.2\"]",
                          R"(,"type":"BPE","dropout":null,"unk_token":null,"byte_fallback":false,)"
                          R"("continuing_subword_prefix":"","end_of_word_suffix":null)")));
}

/// The definition, word by word: scan for the lowest rank, merge its leftmost pair, repeat.
Ids encode_slowly(const std::vector<std::array<std::int32_t, 3>>& merges, Ids symbols) {
  while (true) {
    for (std::size_t rank = 0;; ++rank) {
      if (rank == merges.size()) return symbols;
      const auto& [left, right, merged] = merges[rank];
      std::size_t at = 0;
      while (at + 1 < symbols.size() && (symbols[at] != left || symbols[at + 1] != right)) ++at;
      if (at + 1 >= symbols.size()) continue;
      symbols[at] = merged;
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      break;
    }
  }
}

TEST(Bpe, AgreesWithTheDefinitionOnRandomTexts) {
  const std::string merges = R"(["a b","b c","a a","ab c"])";
  const auto bpe = parse(model(merges));
  ASSERT_TRUE(bpe);
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    Ids symbols;
    for (std::size_t i = random() % 20; i > 0; --i) {
      symbols.push_back(static_cast<std::int32_t>(random() % 3));
      text += static_cast<char>('a' + symbols.back());
    }
    EXPECT_EQ(encode(*bpe, text),
              encode_slowly({{0, 1, 3}, {1, 2, 4}, {0, 0, 6}, {3, 2, 5}}, symbols))
        << text;
  }
}

TEST(Bpe, LongWordsTakeNoQuadraticTime) {
  const auto bpe = parse(model(R"(["a a","a b","b c"])"));
  ASSERT_TRUE(bpe);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(*bpe, std::string(std::size_t{1} << 20, 'a')).size(), std::size_t{1} << 19);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace aftune::text
