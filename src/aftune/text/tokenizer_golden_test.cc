// SPDX-License-Identifier: Apache-2.0
// Against Hugging Face `tokenizers`: tests/golden/make_tokenizer_golden.py makes the files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "aftune/codec/json.h"
#include "aftune/text/tokenizer.h"

namespace aftune::text {
namespace {

using codec::Json;

const Path kGolden = Path(AFTUNE_SOURCE_DIR) / "tests/golden/tokenizer";

struct Golden {
  std::string name;
  Tokenizer tokenizer;
  Json cases;
};

/// Calls `check` for the committed files and those of the folder AFTUNE_TOKENIZER_GOLDEN.
template <typename Check>
void for_each_golden(Check check) {
  std::vector<Path> folders = {kGolden};
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
  EXPECT_GE(seen, 5u);
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

TEST(TokenizerGolden, TheTinyExampleIsTheCommittedOne) {
  const auto tiny =
      read_text_file(Path(AFTUNE_SOURCE_DIR) / "examples/tiny/tokenizer.json", 1 << 20);
  const auto golden = read_text_file(kGolden / "smollm.tokenizer.json", 1 << 20);
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
