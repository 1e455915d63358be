// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/model/gguf_testing.h"
#include "aftune/model/temp_folder_testing.h"

namespace aftune::model {
namespace {

using testing::GgufText;
using testing::u32;
using testing::u64;

/// Two tensors whose sizes are multiples of the alignment, so that every byte counts.
GgufText small_file() {
  GgufText file;
  file.set_text("general.architecture", "llama");
  file.set_u32("some.count", 7);
  file.set_f32("some.real", 0.5F);
  file.set_bool("some.flag", true);
  file.set_texts("some.names", {"x", "yz"});
  file.set_i32s("some.list", {1, -2, 3});
  file.tensors.push_back({"first", {4, 2}, 0, testing::floats({0, 1, 2, 3, 4, 5, 6, 7})});
  file.tensors.push_back({"second", {8}, 0, testing::floats({8, 9, 10, 11, 12, 13, 14, 15})});
  return file;
}

Result<GgufFile> parse(const std::string& bytes) { return GgufFile::parse(as_bytes(bytes)); }

TEST(Gguf, GivesValuesAndTensorsOfBothVersions) {
  for (const std::uint32_t version : {2U, 3U}) {
    GgufText text = small_file();
    text.version = version;
    const std::string bytes = text.bytes();
    const auto file = parse(bytes);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(file->find("general.architecture")->string(), "llama");
    EXPECT_EQ(file->find("some.count")->integer(), 7U);
    EXPECT_EQ(file->find("some.real")->f32(), 0.5F);
    EXPECT_EQ(file->find("some.flag")->boolean(), true);
    EXPECT_EQ(file->find("some.names")->strings, (std::vector<std::string_view>{"x", "yz"}));
    EXPECT_EQ(*file->find("some.list")->i32_array(), (std::vector<std::int32_t>{1, -2, 3}));
    EXPECT_EQ(file->find("absent"), nullptr);
    EXPECT_EQ(file->tensors().at("first").shape, (Shape{2, 4}));
    EXPECT_EQ(as_text(file->tensors().at("second").bytes), text.tensors[1].data);
  }
}

TEST(Gguf, ValueOfAnotherTypeIsNotGiven) {
  const std::string bytes = small_file().bytes();
  const auto file = parse(bytes);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->find("some.count")->string(), std::nullopt);
  EXPECT_EQ(file->find("some.count")->f32(), std::nullopt);
  EXPECT_EQ(file->find("some.real")->integer(), std::nullopt);
  EXPECT_EQ(file->find("some.names")->string(), std::nullopt);
  EXPECT_EQ(file->find("some.flag")->i32_array(), std::nullopt);
  EXPECT_EQ(file->find("some.list")->boolean(), std::nullopt);
}

TEST(Gguf, IntegersOfEveryWidthAreReadAndNegativeOnesAreNot) {
  const struct {
    std::uint32_t type;
    std::string raw;
    std::optional<std::uint64_t> value;
  } cases[] = {{0, "\xff", 255},
               {1, "\x7f", 127},
               {1, "\xff", std::nullopt},
               {2, "\xff\xff", 65535},
               {3, std::string("\x01\x00", 2), 1},
               {3, "\xff\xff", std::nullopt},
               {4, u32(0xFFFFFFFF), 0xFFFFFFFF},
               {5, u32(0xFFFFFFFF), std::nullopt},
               {10, u64(~std::uint64_t{0}), ~std::uint64_t{0}},
               {11, u64(5), 5},
               {11, u64(~std::uint64_t{0}), std::nullopt},
               {12, u64(0), std::nullopt}};
  for (const auto& c : cases) {
    GgufText text;
    text.set("k", c.type, c.raw);
    const std::string bytes = text.bytes();
    const auto file = parse(bytes);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(file->find("k")->integer(), c.value) << "type " << c.type;
  }
}

TEST(Gguf, TruncationAtEveryByteIsRefused) {
  const std::string bytes = small_file().bytes();
  ASSERT_TRUE(parse(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a read past the end.
    const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    EXPECT_FALSE(GgufFile::parse(cut)) << size << " of " << bytes.size();
  }
}

TEST(Gguf, LastTensorMayLackItsPadding) {
  GgufText text = small_file();
  text.tensors[1] = {"second", {3}, 0, testing::floats({8, 9, 10})};
  const std::string bytes = text.bytes();
  EXPECT_TRUE(parse(bytes));
  EXPECT_TRUE(parse(bytes.substr(0, bytes.size() - 20)));
  EXPECT_FALSE(parse(bytes.substr(0, bytes.size() - 21)));
}

TEST(Gguf, AlignmentOfTheFileIsUsed) {
  GgufText text = small_file();
  text.alignment = 128;
  text.set_u32("general.alignment", 128);
  const std::string bytes = text.bytes();
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(as_text(file->tensors().at("second").bytes), text.tensors[1].data);
}

struct GgufLie {
  std::string name;
  std::function<void(GgufText&)> apply;
  std::string what;  // part of the message
};

TEST(Gguf, LiesInKeysAreRefused) {
  const GgufLie lies[] = {
      {"key twice", [](GgufText& f) { f.keys.push_back(f.keys[0]); }, "is there twice"},
      {"key empty", [](GgufText& f) { f.keys[0].name = ""; }, "empty name"},
      {"key long", [](GgufText& f) { f.keys[0].name = std::string(257, 'x'); }, "limit is 256"},
      {"key not UTF-8", [](GgufText& f) { f.keys[0].name = "\xc0\x80"; }, "not UTF-8"},
      {"type 13", [](GgufText& f) { f.keys[1].type = 13; }, "value type 13"},
      {"bool 2", [](GgufText& f) { f.set("some.flag", 7, "\x02"); }, "bool is 2"},
      {"array of arrays", [](GgufText& f) { f.set("k", 9, u32(9) + u64(1) + u32(4) + u64(0)); },
       "array of arrays"},
      {"array count", [](GgufText& f) { f.set("k", 9, u32(0) + u64(1U << 25)); }, "limit is"},
      {"array count 2^63", [](GgufText& f) { f.set("k", 9, u32(12) + u64(1ULL << 63)); },
       "limit is"},
      {"array past the end", [](GgufText& f) { f.set("k", 9, u32(12) + u64(1U << 20)); }, "left"},
      {"strings past the end", [](GgufText& f) { f.set("k", 9, u32(8) + u64(1U << 20)); },
       "1048576 strings"},
      {"string long", [](GgufText& f) { f.set("k", 8, u64((1U << 20) + 1)); }, "limit is"},
      {"string 2^64-1", [](GgufText& f) { f.set("k", 8, u64(~0ULL)); }, "limit is"},
      {"string past the end", [](GgufText& f) { f.set("k", 8, u64(1U << 20)); }, "left"},
      {"alignment 0", [](GgufText& f) { f.set_u32("general.alignment", 0); }, "alignment"},
      {"alignment 4", [](GgufText& f) { f.set_u32("general.alignment", 4); }, "alignment"},
      {"alignment 48", [](GgufText& f) { f.set_u32("general.alignment", 48); }, "alignment"},
      {"alignment 2^17", [](GgufText& f) { f.set_u32("general.alignment", 1U << 17); },
       "alignment"},
      {"alignment as u64", [](GgufText& f) { f.set("general.alignment", 10, u64(32)); },
       "alignment"},
  };
  for (const GgufLie& lie : lies) {
    GgufText text = small_file();
    lie.apply(text);
    const std::string bytes = text.bytes();
    const auto file = parse(bytes);
    ASSERT_FALSE(file) << lie.name;
    EXPECT_EQ(file.error().code, Code::kInvalidInput) << lie.name;
    EXPECT_NE(file.error().what.find(lie.what), std::string::npos)
        << lie.name << ": " << file.error().what;
  }
}

TEST(Gguf, LiesInTensorsAreRefused) {
  const GgufLie lies[] = {
      {"tensor twice", [](GgufText& f) { f.tensors[1].name = "first"; }, "is there twice"},
      {"no dimension", [](GgufText& f) { f.tensors[0].dimensions = {}; }, "0 dimensions"},
      {"five dimensions",
       [](GgufText& f) {
         f.tensors[0].dimensions = {4, 2, 1, 1, 1};
       },
       "5 dimensions"},
      {"extent 0",
       [](GgufText& f) {
         f.tensors[0].dimensions = {4, 0};
       },
       "dimension 1 of 0"},
      {"2^60 elements", [](GgufText& f) { f.tensors[0].dimensions = {1ULL << 60}; },
       "at most 1099511627776"},
      {"product overflows",
       [](GgufText& f) {
         f.tensors[0].dimensions = {1ULL << 32, 1ULL << 32};
       },
       "at most"},
      {"larger than the file", [](GgufText& f) { f.tensors[1].dimensions = {1ULL << 39}; },
       "data has"},
      {"longer, over the next",
       [](GgufText& f) {
         f.tensors[0].dimensions = {4, 3};
       },
       "tensor second: offset 32, expected 64"},
      {"shorter, a hole", [](GgufText& f) { f.tensors[0].data.resize(64); }, "expected 32"},
      {"half a block", [](GgufText& f) { f.tensors[0].type = 8; }, "needs a multiple of 32"},
      {"data behind the last", [](GgufText& f) { f.tensors[1].data.resize(64); }, "tensors end at"},
      {"tensor without a name", [](GgufText& f) { f.tensors[0].name = ""; }, "empty name"},
  };
  for (const GgufLie& lie : lies) {
    GgufText text = small_file();
    lie.apply(text);
    const std::string bytes = text.bytes();
    const auto file = parse(bytes);
    ASSERT_FALSE(file) << lie.name;
    EXPECT_EQ(file.error().code, Code::kInvalidInput) << lie.name;
    EXPECT_NE(file.error().what.find(lie.what), std::string::npos)
        << lie.name << ": " << file.error().what;
  }
}

TEST(Gguf, OffsetsThatAreNotTheExpectedOnesAreRefused) {
  const std::string honest = small_file().bytes();
  const std::string offset = u32(0) + u64(32);  // type and offset of the second tensor
  const std::size_t at = honest.rfind(offset);
  ASSERT_NE(at, std::string::npos);
  for (const std::uint64_t lie : {0ULL, 31ULL, 33ULL, 64ULL, 1ULL << 40, ~0ULL}) {
    std::string bytes = honest;
    bytes.replace(at, offset.size(), u32(0) + u64(lie));
    const auto file = parse(bytes);
    ASSERT_FALSE(file) << lie;
    EXPECT_NE(file.error().what.find("expected 32"), std::string::npos) << file.error().what;
  }
}

TEST(Gguf, CountsThatTheFileCannotHoldAreRefused) {
  const std::string honest = small_file().bytes();
  for (const std::size_t at : {std::size_t{8}, std::size_t{16}}) {
    for (const std::uint64_t lie : {4097ULL, 65537ULL, 1ULL << 32, ~0ULL}) {
      std::string bytes = honest;
      bytes.replace(at, 8, u64(lie));
      const auto file = parse(bytes);
      ASSERT_FALSE(file) << at << " " << lie;
      EXPECT_NE(file.error().what.find(std::to_string(lie)), std::string::npos);
    }
  }
}

TEST(Gguf, OtherFormatsVersionsAndTypesAreNamed) {
  std::string bytes = small_file().bytes();
  bytes[0] = 'X';
  EXPECT_EQ(parse(bytes).error().what, "does not begin with GGUF");
  for (const std::uint32_t version : {0U, 1U, 4U, 3U << 24}) {
    GgufText text = small_file();
    text.version = version;
    const std::string other = text.bytes();
    const auto file = parse(other);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::kUnsupported);
    EXPECT_NE(file.error().what.find(std::to_string(version)), std::string::npos);
  }
  for (const auto& [number, name] : {std::pair{14U, "Q6_K"}, {4U, "type 4"}, {99U, "type 99"}}) {
    GgufText text = small_file();
    text.tensors[0].type = number;
    const std::string other = text.bytes();
    const auto file = parse(other);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::kUnsupported);
    EXPECT_EQ(file.error().what,
              std::string("tensor first: element type ") + name + " is not supported");
  }
}

TEST(Gguf, OpenNamesTheFile) {
  const testing::TempFolder folder;
  const auto missing = GgufFile::open(folder / "none.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  testing::put(folder / "bad.gguf", "GGUX");
  const auto bad = GgufFile::open(folder / "bad.gguf");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().what.find("bad.gguf"), std::string::npos);
  testing::put(folder / "good.gguf", small_file().bytes());
  EXPECT_TRUE(GgufFile::open(folder / "good.gguf"));
}

}  // namespace
}  // namespace aftune::model
