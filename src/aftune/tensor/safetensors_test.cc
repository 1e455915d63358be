// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "aftune/base/endian.h"

namespace aftune {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "aftune-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const Path& path() const { return path_; }

 private:
  Path path_;
};

std::string file_of(std::string_view header, std::size_t data_size) {
  std::string out(as_text(store_le(std::uint64_t{header.size()})));
  return out.append(header).append(data_size, '\1');
}

Result<SafetensorsFile> parse_text(const std::string& text) {
  return SafetensorsFile::parse(as_bytes(text));
}

constexpr std::string_view kSmall =
    R"({"__metadata__":{"format":"pt","n":"1"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"U8","shape":[],"data_offsets":[8,9]},)"
    R"("e":{"dtype":"I64","shape":[0,3],"data_offsets":[8,8]}}   )";

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string text = file_of(kSmall, 9);
  const auto file = parse_text(text);
  ASSERT_TRUE(file) << file.error().what;
  ASSERT_EQ(file->tensors().size(), 3U);
  ASSERT_NE(file->find("a"), nullptr);
  EXPECT_EQ(file->find("a")->shape, Shape{2});
  EXPECT_EQ(file->find("a")->dtype, Dtype::kF32);
  EXPECT_EQ(file->find("a")->bytes.size(), 8U);
  EXPECT_EQ(file->find("b")->bytes.size(), 1U);
  EXPECT_EQ(file->find("e")->bytes.size(), 0U);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->metadata().at("n"), "1");
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
  EXPECT_TRUE(parse_text(file_of("{}", 0)));
  EXPECT_FALSE(parse_text(file_of("{}", 1)));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string text = file_of(kSmall, 9);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto file = parse_text(text.substr(0, size));
    ASSERT_FALSE(file) << size;
    EXPECT_EQ(file.error().code, Code::kInvalidInput) << size;
  }
  EXPECT_FALSE(parse_text(text + "x"));
}

TEST(Safetensors, EveryFlippedHeaderBitIsBoundedWork) {
  const std::string text = file_of(kSmall, 9);
  for (std::size_t bit = 0; bit < (8 + kSmall.size()) * 8; ++bit) {
    std::string lie = text;
    lie[bit / 8] = static_cast<char>(lie[bit / 8] ^ (1 << (bit % 8)));
    const auto file = parse_text(lie);
    if (!file) continue;
    for (const auto& [name, tensor] : file->tensors()) {
      EXPECT_EQ(tensor.bytes.size(), *element_count(tensor.shape) * element_size(tensor.dtype));
    }
  }
}

std::string tensor(std::string_view name, std::string_view dtype, std::string_view shape,
                   std::string_view offsets) {
  std::string out = "\"";
  out.append(name).append("\":{\"dtype\":\"").append(dtype).append("\",\"shape\":");
  return out.append(shape).append(",\"data_offsets\":").append(offsets).append("}");
}

std::string object_of(std::initializer_list<std::string_view> members) {
  std::string out = "{";
  for (const std::string_view member : members) {
    if (out.size() > 1) out += ',';
    out += member;
  }
  out += '}';
  return out;
}

struct Lie {
  std::string name;
  std::string members;  // of the header's object
  Code code = Code::kInvalidInput;
};

TEST(Safetensors, LiesInTheHeaderAreRefused) {
  const std::string good = tensor("a", "U8", "[8]", "[0,8]");
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  const Lie lies[] = {
      {"2^60 elements", tensor("a", "U8", "[1152921504606846976]", "[0,8]")},
      {"product overflows to 8", tensor("a", "U8", "[4294967304,4294967296]", "[0,8]")},
      {"extents hidden by zero", tensor("a", "U8", "[70368744177664,8,0]", "[0,0]")},
      {"over the elements limit", tensor("a", "U8", "[8796093022209]", "[0,8]")},
      {"negative extent", tensor("a", "U8", "[-8]", "[0,8]")},
      {"extent with a fraction", tensor("a", "U8", "[8.0]", "[0,8]")},
      {"extent with an exponent", tensor("a", "U8", "[8e0]", "[0,8]")},
      {"extent as text", tensor("a", "U8", "[\"8\"]", "[0,8]")},
      {"shape is no array", tensor("a", "U8", "8", "[0,8]")},
      {"nine extents", tensor("a", "U8", "[8,1,1,1,1,1,1,1,1]", "[0,8]")},
      {"negative offset", tensor("a", "U8", "[8]", "[-1,7]")},
      {"offset of 2^64", tensor("a", "U8", "[8]", "[0,18446744073709551616]")},
      {"end before begin", tensor("a", "U8", "[8]", "[8,0]")},
      {"end outside", tensor("a", "U8", "[9]", "[0,9]")},
      {"one offset", tensor("a", "U8", "[8]", "[0]")},
      {"three offsets", tensor("a", "U8", "[8]", "[0,8,8]")},
      {"size too small for the dtype", tensor("a", "F32", "[8]", "[0,8]")},
      {"size too large for the dtype", tensor("a", "U8", "[7]", "[0,8]")},
      {"hole in front", tensor("a", "U8", "[7]", "[1,8]")},
      {"hole in the middle",
       tensor("a", "U8", "[3]", "[0,3]") + "," + tensor("b", "U8", "[4]", "[4,8]")},
      {"data left over", tensor("a", "U8", "[7]", "[0,7]")},
      {"overlap", tensor("a", "U8", "[5]", "[0,5]") + "," + tensor("b", "U8", "[4]", "[4,8]")},
      {"twice the same bytes", good + "," + tensor("b", "U8", "[8]", "[0,8]")},
      {"empty tensor inside another", good + "," + tensor("b", "U8", "[0]", "[4,4]")},
      {"name twice", good + "," + good},
      {"member twice", R"("a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]})"},
      {"member missing", R"("a":{"dtype":"U8","data_offsets":[0,8]})"},
      {"member unknown", R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1})"},
      {"tensor is no object", R"("a":[0,8])"},
      {"name empty", tensor("", "U8", "[8]", "[0,8]")},
      {"name of 513 bytes", tensor(std::string(513, 'n'), "U8", "[8]", "[0,8]")},
      {"name with a line feed", tensor("a\\nb", "U8", "[8]", "[0,8]")},
      {"name beyond ASCII", tensor("\xC3\xA4", "U8", "[8]", "[0,8]")},
      {"metadata is no object", good + R"(,"__metadata__":"x")"},
      {"metadata is a number", good + R"(,"__metadata__":{"x":1})"},
      {"metadata twice", good + R"(,"__metadata__":{},"__metadata__":{})"},
      {"deep JSON", good + R"(,"b":)" + deep},
      {"unknown dtype", tensor("a", "F8_E4M3", "[8]", "[0,8]"), Code::kUnsupported},
  };
  ASSERT_TRUE(parse_text(file_of(object_of({good}), 8)));
  for (const Lie& lie : lies) {
    const auto file = parse_text(file_of(object_of({lie.members}), 8));
    ASSERT_FALSE(file) << lie.name;
    EXPECT_EQ(file.error().code, lie.code) << lie.name << ": " << file.error().what;
  }
}

TEST(Safetensors, LengthsThatLieAreRefusedBeforeAnythingIsRead) {
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'001}, std::uint64_t{1} << 32,
        std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    const std::string text = std::string(as_text(store_le(length))) + "{}";
    EXPECT_FALSE(parse_text(text)) << length;
  }
}

TEST(Safetensors, OnlySpacesMaySurroundTheObject) {
  EXPECT_TRUE(parse_text(file_of("{}      ", 0)));
  for (const char* header : {" {}", "{}\n", "{}\t ", "[]", "", "   ", "{} {}", "{}x}"}) {
    EXPECT_FALSE(parse_text(file_of(header, 0))) << header;
  }
}

TEST(Safetensors, NamesAreKeysAndNeverPaths) {
  const std::string name(512, 'n');
  const std::string text = file_of(
      object_of({tensor("../../x", "U8", "[1]", "[0,1]"), tensor(name, "U8", "[1]", "[1,2]")}), 2);
  const auto file = parse_text(text);
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_NE(file->find("../../x"), nullptr);
  EXPECT_NE(file->find(name), nullptr);
}

TEST(Safetensors, ErrorsNameTensorAndNumbers) {
  const auto file = parse_text(file_of(object_of({tensor("w", "F32", "[3]", "[0,8]")}), 8));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().what, "tensor w: 8 bytes, F32 [3] needs 12");
}

TEST(Safetensors, UnalignedElementsAreHandedOutAligned) {
  const std::string text = file_of(
      object_of({tensor("a", "U8", "[1]", "[0,1]"), tensor("b", "F32", "[1]", "[1,5]")}), 5);
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string moved(shift, 'x');
    moved += text;
    const auto file = SafetensorsFile::parse(as_bytes(moved).subspan(shift));
    ASSERT_TRUE(file);
    std::uint32_t bits = 0;
    std::memcpy(&bits, file->find("b")->f32().data(), 4);
    EXPECT_EQ(bits, 0x01010101U);
  }
}

TEST(SafetensorsHeader, HasPinnedBytesWhateverTheOrderOfTheTensors) {
  const NamedTensor a{"a", {Dtype::kU8, {3}, {}}};
  const NamedTensor b{"b", {Dtype::kF32, {2}, {}}};
  const std::string text =
      R"({"__metadata__":{"format":"pt"},"a":{"data_offsets":[0,3],"dtype":"U8","shape":[3]},)"
      R"("b":{"data_offsets":[3,11],"dtype":"F32","shape":[2]}})";
  const std::string want = std::string("\x90\0\0\0\0\0\0\0", 8) + text + std::string(6, ' ');
  ASSERT_EQ(text.size(), 138U);
  EXPECT_EQ(safetensors_header({a, b}), want);
  EXPECT_EQ(safetensors_header({b, a}), want);
  EXPECT_EQ(safetensors_header({}).substr(8), R"({"__metadata__":{"format":"pt"}})");
  EXPECT_EQ(safetensors_header({a}).size() % 8, 0U);
}

TEST(SafetensorsHeaderDeathTest, TwoTensorsOfOneNameAreABug) {
  const NamedTensor a{"a", {Dtype::kU8, {3}, {}}};
  EXPECT_DEATH((void)safetensors_header({a, a}), "one name");
  EXPECT_DEATH((void)safetensors_header({{"", a.tensor}}), "rules");
}

TEST(WriteSafetensors, ComesBackAsItWas) {
  const Folder folder;
  Tensor weights = Tensor::zeros({3, 5});
  for (std::size_t i = 0; i < 15; ++i) weights.data()[i] = 0.5F * static_cast<float>(i);
  Tensor flags(Dtype::kBool, {3});
  flags.mutable_bytes()[1] = 1;
  const Path path = folder.path() / "x.safetensors";
  ASSERT_TRUE(write_safetensors(path, {{"w", weights.view()}, {"flags", flags.view()}}));
  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file) << file.error().what;
  ASSERT_EQ(file->tensors().size(), 2U);
  const TensorView* w = file->find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, weights.shape());
  EXPECT_EQ(0, std::memcmp(w->bytes.data(), weights.bytes().data(), 60));
  EXPECT_EQ(file->find("flags")->bytes[1], 1);

  std::vector<NamedTensor> again;
  for (const auto& [name, view] : file->tensors()) again.push_back({name, view});
  const Path second = folder.path() / "y.safetensors";
  ASSERT_TRUE(write_safetensors(second, again));
  EXPECT_EQ(*read_file(path, 1 << 20), *read_file(second, 1 << 20));
}

TEST(WriteSafetensors, LeavesNothingBehindWhereItCannotWrite) {
  const Folder folder;
  const auto wrote = write_safetensors(folder.path() / "absent" / "x", {});
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().code, Code::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(OpenSafetensors, NamesTheFileInErrors) {
  const Folder folder;
  const auto absent = SafetensorsFile::open(folder.path() / "absent");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kNotFound);
  ASSERT_TRUE(write_file(folder.path() / "short", as_bytes("1234567")));
  const auto cut = SafetensorsFile::open(folder.path() / "short");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kInvalidInput);
  EXPECT_NE(cut.error().what.find("short: file has 7 bytes"), std::string::npos);
}

}  // namespace
}  // namespace aftune
