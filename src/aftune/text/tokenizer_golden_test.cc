// SPDX-License-Identifier: Apache-2.0
// Against Hugging Face `tokenizers`: tests/golden/make_tokenizer_golden.py makes the files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "aftune/base/check.h"
#include "aftune/codec/json.h"
#include "aftune/crypto/sha256.h"
#include "aftune/text/tokenizer.h"

namespace aftune::text {
namespace {

using codec::Json;

const Path kGoldenTokens = Path(AFTUNE_SOURCE_DIR) / "tests/golden/tokenizer";

struct Golden {
  std::string name;
  Tokenizer tokenizer;
  Json cases;
};

/// Calls `check` for the committed files and those of the folder AFTUNE_TOKENIZER_GOLDEN.
template <typename Check>
void for_each_golden(Check check) {
  std::vector<Path> folders = {kGoldenTokens};
  if (const char* more = std::getenv("AFTUNE_TOKENIZER_GOLDEN")) folders.emplace_back(more);
  std::size_t seen = 0;
  for (const Path& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string file = entry.path().filename().string();
      if (!file.ends_with(".encodings.json")) continue;
      const std::string name = file.substr(0, file.find('.'));
      SCOPED_TRACE(name);
      auto tokenizer = Tokenizer::load(folder / (name + ".tokenizer.json"));
      ASSERT_TRUE(tokenizer) << tokenizer.error().what;
      const auto text = read_text_file(entry.path(), 64 << 20);
      ASSERT_TRUE(text);
      auto cases = codec::parse_json(*text, {64 << 20, 32, 8'000'000});
      ASSERT_TRUE(cases) << cases.error().what;
      check(Golden{name, *std::move(tokenizer), *std::move(cases)});
      ++seen;
    }
  }
  EXPECT_GE(seen, 9u);
}

std::vector<std::int32_t> ids_of(const Json& item) {
  std::vector<std::int32_t> ids;
  for (const Json& id : *item.find("ids")->array()) {
    ids.push_back(static_cast<std::int32_t>(*id.integer()));
  }
  return ids;
}

TEST(TokenizerGolden, EncodesAsHuggingFace) {
  for_each_golden([](const Golden& golden) {
    EXPECT_EQ(golden.tokenizer.vocab_size(), *golden.cases.find("vocab_size")->integer());
    for (const Json& item : *golden.cases.find("encode")->array()) {
      std::string text;
      for (std::int64_t i = 0; i < *item.find("times")->integer(); ++i) {
        text += *item.find("part")->string();
      }
      const auto ids = golden.tokenizer.encode(text);
      ASSERT_TRUE(ids) << text << ": " << ids.error().what;
      EXPECT_EQ(*ids, ids_of(item)) << golden.name << ": \"" << text << '"';
    }
  });
}

TEST(TokenizerGolden, DecodesAsHuggingFace) {
  for_each_golden([](const Golden& golden) {
    for (const Json& item : *golden.cases.find("decode")->array()) {
      const auto ids = ids_of(item);
      EXPECT_EQ(*golden.tokenizer.decode(ids, false), *item.find("text")->string()) << golden.name;
      EXPECT_EQ(*golden.tokenizer.decode(ids, true), *item.find("without_special")->string())
          << golden.name;
    }
  });
}

/// The families differ where their set-ups do: else a golden test could pass by ignoring them.
TEST(TokenizerGolden, CasesTellTheFamiliesApart) {
  std::set<std::vector<std::size_t>> shapes;
  std::size_t count = 0;
  for_each_golden([&](const Golden& golden) {
    std::vector<std::size_t> shape;
    for (const Json& item : *golden.cases.find("encode")->array()) {
      shape.push_back(item.find("ids")->array()->size());
    }
    shapes.insert(shape);
    ++count;
  });
  EXPECT_EQ(shapes.size(), count);
}

/// The texts of a file in ../shared/data that real_text.json speaks of; none if it is not there.
std::vector<std::string> real_texts(const std::string& file) {
  const auto whole =
      read_text_file(Path(AFTUNE_SOURCE_DIR) / "../shared/data" / file, std::uint64_t{1} << 30);
  if (!whole) return {};
  if (!file.ends_with(".jsonl")) return {whole->substr(0, 60000)};
  std::vector<std::string> out;
  for (std::size_t at = 0; out.size() < 300 && at < whole->size();) {
    const std::size_t end = whole->find('\n', at);
    const auto row = codec::parse_json(std::string_view(*whole).substr(at, end - at), {});
    AFTUNE_CHECK(row.has_value(), "a row is no JSON");
    out.push_back(*row->find("prompt")->string());
    at = end + 1;
  }
  return out;
}

TEST(TokenizerGolden, EncodesRealTextAsHuggingFace) {
  const auto text = read_text_file(kGoldenTokens / "real_text.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto cases = codec::parse_json(*text, {});
  ASSERT_TRUE(cases) << cases.error().what;
  std::size_t seen = 0;
  for (const Json& item : *cases->find("cases")->array()) {
    const std::string name = *item.find("tokenizer")->string();
    const std::vector<std::string> texts = real_texts(*item.find("file")->string());
    if (texts.empty()) continue;
    ASSERT_EQ(texts.size(), static_cast<std::size_t>(*item.find("texts")->integer()));
    const auto tokenizer = Tokenizer::load(kGoldenTokens / (name + ".tokenizer.json"));
    ASSERT_TRUE(tokenizer);
    std::string lines;
    std::int64_t tokens = 0;
    for (const std::string& each : texts) {
      const auto ids = tokenizer->encode(each);
      ASSERT_TRUE(ids);
      for (const std::int32_t id : *ids) lines += std::to_string(id) + "\n";
      lines += "\n";
      tokens += static_cast<std::int64_t>(ids->size());
    }
    EXPECT_EQ(tokens, *item.find("tokens")->integer()) << name;
    EXPECT_EQ(crypto::sha256(as_bytes(lines)).hex(), *item.find("sha256")->string()) << name;
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "../shared/data is not here";
}

TEST(TokenizerGolden, TheTinyExampleIsTheCommittedOne) {
  const auto tiny =
      read_text_file(Path(AFTUNE_SOURCE_DIR) / "examples/tiny/tokenizer.json", 1 << 20);
  const auto golden = read_text_file(kGoldenTokens / "smollm.tokenizer.json", 1 << 20);
  ASSERT_TRUE(tiny && golden);
  EXPECT_EQ(*tiny, *golden);
  const auto tokenizer = Tokenizer::parse(*tiny);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->vocab_size(), 512);
  EXPECT_EQ(tokenizer->id_of("<|endoftext|>"), 0);
  EXPECT_EQ(tokenizer->id_of("<|im_start|>"), 1);
  EXPECT_EQ(tokenizer->id_of("<|im_end|>"), 2);
}

}  // namespace
}  // namespace aftune::text
