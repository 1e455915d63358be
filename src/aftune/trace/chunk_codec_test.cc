// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/chunk_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace aftune::trace {
namespace {

constexpr Form kScaled = {Encoding::kDelta, Scale::kByExponent};
constexpr Form kCoded[] = {{Encoding::kPlanes},
                           {Encoding::kDelta},
                           {Encoding::kDelta, Scale::kByExponent},
                           {Encoding::kHalves},
                           {Encoding::kZst}};

Bytes bytes_of(const std::vector<std::uint32_t>& words) {
  return {reinterpret_cast<const std::uint8_t*>(words.data()), 4 * words.size()};
}

/// Words of no order.
std::vector<std::uint32_t> noise(std::size_t count, std::uint64_t state = 1) {
  std::vector<std::uint32_t> out(count);
  for (std::uint32_t& word : out) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    word = static_cast<std::uint32_t>(state >> 32);
  }
  return out;
}

/// Numbers around 0, as weights are.
std::vector<std::uint32_t> weights(std::size_t count) {
  std::vector<std::uint32_t> out = noise(count);
  for (std::uint32_t& word : out) {
    const double uniform = (word + 0.5) / 4294967296.0;
    word =
        std::bit_cast<std::uint32_t>(static_cast<float>(0.05 * std::log(uniform / (1 - uniform))));
  }
  return out;
}

/// The same after a step of size `step`, in no direction.
std::vector<std::uint32_t> moved(std::vector<std::uint32_t> words, float step) {
  const auto where = noise(words.size(), 9);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const float by = step * (static_cast<float>(where[i]) / 4294967296.0F - 0.5F);
    words[i] = std::bit_cast<std::uint32_t>(std::bit_cast<float>(words[i]) + by);
  }
  return words;
}

class ChunkCodecTest : public ::testing::Test {
 protected:
  ByteBuffer encode(Form form, Bytes plain, Bytes base = {}) {
    ByteBuffer out;
    codec_.encode(form, plain, form.encoding == Encoding::kDelta ? base : Bytes(), out);
    return out;
  }
  /// As an object is read: lengths, blocks, nothing left.
  Result<ByteBuffer> decode(Form form, Bytes chunk, std::size_t size, Bytes base = {}) {
    const std::size_t head = 4 * block_count(form.encoding);
    if (chunk.size() < head) return Error{Code::kCorrupt, "short"};
    AFTUNE_TRY(const std::size_t blocks, blocks_size(form.encoding, chunk.first(head), size));
    if (chunk.size() != head + blocks) return Error{Code::kCorrupt, "another size"};
    ByteBuffer out(size);
    if (form.encoding == Encoding::kDelta) out.assign(base.begin(), base.end());
    AFTUNE_TRY(codec_.decode(form, chunk.first(head), chunk.subspan(head), out));
    return out;
  }
  void expect_back(Form form, Bytes plain, Bytes base, const char* what) {
    const ByteBuffer chunk = encode(form, plain, base);
    const auto back = decode(form, chunk, plain.size(), base);
    ASSERT_TRUE(back) << encoding_name(form.encoding) << " of " << what << ": "
                      << back.error().what;
    EXPECT_EQ(*back, ByteBuffer(plain.begin(), plain.end()))
        << encoding_name(form.encoding) << what;
    EXPECT_LE(chunk.size(), plain.size() + plain.size() / 4 + 16) << what;
  }
  double ratio(Form form, const std::vector<std::uint32_t>& words,
               const std::vector<std::uint32_t>& base = {}) {
    return static_cast<double>(encode(form, bytes_of(words), bytes_of(base)).size()) /
           static_cast<double>(4 * words.size());
  }
  ChunkCodec codec_;
};

TEST_F(ChunkCodecTest, GivesBackEveryCountOfWords) {
  for (const std::size_t count : {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1000, 65535, 65536}) {
    const auto words = weights(count);
    const auto base = moved(words, 1e-3F);
    for (const Form& form : kCoded) {
      expect_back(form, bytes_of(words), bytes_of(base), "weights");
      expect_back(form, bytes_of(noise(count)), bytes_of(noise(count, 5)), "noise");
      expect_back(form, bytes_of(std::vector<std::uint32_t>(count)), bytes_of(words), "zeros");
      expect_back(form, bytes_of(words), bytes_of(words), "nothing new");
    }
  }
}

TEST_F(ChunkCodecTest, GivesBackEveryKindOfWord) {
  const std::vector<std::uint32_t> edges = {0,          1,          0x7fffffff, 0x80000000,
                                            0x80000001, 0xffffffff, 0x7f800000, 0xff800000,
                                            0x7fc00001, 0x00800000, 0x3f800000, 0xbf800000};
  std::vector<std::uint32_t> words, base;
  for (const std::uint32_t a : edges) {
    for (const std::uint32_t b : edges) {
      words.push_back(a);
      base.push_back(b);
    }
  }
  for (unsigned bit = 0; bit < 32; ++bit) {  // every length of a difference, up and down
    for (const std::uint32_t b : edges) {
      words.push_back(b + (1U << bit));
      base.push_back(b);
      words.push_back(b - (1U << bit));
      base.push_back(b);
    }
  }
  for (const Form& form : kCoded) {
    expect_back(form, bytes_of(words), bytes_of(base), "edges");
  }
}

TEST_F(ChunkCodecTest, HalvesOfEveryKindAndCountComeBack) {
  std::vector<std::uint16_t> every(65536);
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::uint16_t>(i * 40503);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(every.data()), 2 * every.size());
  for (const std::size_t count : {1, 2, 3, 7, 8, 15, 16, 17, 63, 1001, 65536}) {
    expect_back({Encoding::kHalves}, bytes.first(2 * count), {}, "every half");
  }
}

TEST_F(ChunkCodecTest, HalvesAreThePlanesOfTheUpperHalvesOfWords) {
  const auto words = weights(5000);
  std::vector<std::uint16_t> upper;
  for (const std::uint32_t word : words) upper.push_back(static_cast<std::uint16_t>(word >> 16));
  const ByteBuffer halves =
      encode({Encoding::kHalves}, {reinterpret_cast<const std::uint8_t*>(upper.data()), 10000});
  const ByteBuffer planes = encode({Encoding::kPlanes}, bytes_of(words));
  // Behind the lengths: exponents and what follows them are the same blocks.
  ASSERT_LT(halves.size(), planes.size());
  EXPECT_TRUE(std::equal(halves.begin() + 8, halves.end(), planes.begin() + 16));
}

TEST_F(ChunkCodecTest, TextOfAnySizeComesBack) {
  for (const std::size_t size : {1, 2, 3, 5, 1023, 262143, 262144}) {
    const ByteBuffer text(size, 'x');
    expect_back({Encoding::kZst}, text, {}, "text");
  }
}

/// docs/formats/store.md by hand.
TEST_F(ChunkCodecTest, BytesAreThoseOfThePage) {
  const std::vector<std::uint32_t> base = {0x3f800000, 0xbfc00000};  // exponents 127
  EXPECT_EQ(encode({Encoding::kPlanes}, bytes_of({0x3f800102, 0xbfc00304})),
            (ByteBuffer{2,    0,    0,    0,    2,    0,    0,    0,   2, 0, 0, 0, 2, 0, 0, 0,  //
                        0x7f, 0x7f, 0x00, 0xc0, 0x01, 0x03, 0x02, 0x04}));
  EXPECT_EQ(encode({Encoding::kHalves}, bytes_of({0xbfc03f81})),  // 3f81 lies first
            (ByteBuffer{2, 0, 0, 0, 2, 0, 0, 0, 0x7f, 0x7f, 0x01, 0xc0}));
  // +2: two bits, 0 below the top; -1: one bit, none below
  EXPECT_EQ(encode({Encoding::kDelta}, bytes_of({0x3f800002, 0xbfbfffff}), bytes_of(base)),
            (ByteBuffer{2, 0, 0, 0, 1, 0, 0, 0, 2 * 2, 2 * 1 + 1, 0}));
  // -5: three bits, 01 below the top; +6: 10; the first from the low end; exponents added
  EXPECT_EQ(encode(kScaled, bytes_of({0x3f7ffffb, 0xbfc00006}), bytes_of(base)),
            (ByteBuffer{2, 0, 0, 0, 1, 0, 0, 0, (7 + 254) % 256, (6 + 254) % 256, 0b1001}));
  EXPECT_EQ(encode(kScaled, bytes_of({0x3f800000, 0xbfc00000}), bytes_of(base)),
            (ByteBuffer{2, 0, 0, 0, 0, 0, 0, 0, 254, 254}));
}

TEST_F(ChunkCodecTest, SavesWhatItShould) {
  const auto words = weights(65536);
  EXPECT_LT(ratio({Encoding::kPlanes}, words), 0.86);
  EXPECT_LT(ratio(kScaled, moved(words, 1e-4F), words), 0.58);
  EXPECT_LT(ratio(kScaled, moved(words, 1e-5F), words), 0.48);
  EXPECT_LT(ratio(kScaled, moved(words, 1e-4F), words) + 0.02,
            ratio({Encoding::kDelta}, moved(words, 1e-4F), words));
  EXPECT_LT(ratio({Encoding::kDelta}, words, words), 0.01);
  EXPECT_LT(ratio({Encoding::kPlanes}, std::vector<std::uint32_t>(65536)), 0.01);
  EXPECT_LT(ratio({Encoding::kPlanes}, noise(65536)), 1.001) << "noise costs its lengths";
  EXPECT_GT(ratio({Encoding::kPlanes}, noise(65536)), 0.999);
}

TEST_F(ChunkCodecTest, LengthsThatNoBlockCanHaveAreCorrupt) {
  const auto words = weights(100);
  const auto base = moved(words, 1e-3F);
  for (const Form& form : kCoded) {
    const ByteBuffer honest = encode(form, bytes_of(words), bytes_of(base));
    for (std::size_t block = 0; block < block_count(form.encoding); ++block) {
      for (const std::uint32_t length : {0U, 401U, 0x7fffffffU, 0xffffffffU}) {
        ByteBuffer lie = honest;
        std::memcpy(lie.data() + 4 * block, &length, 4);
        const auto read = decode(form, lie, 400, bytes_of(base));
        ASSERT_FALSE(read) << encoding_name(form.encoding) << " " << block << " " << length;
        EXPECT_EQ(read.error().code, Code::kCorrupt);
      }
    }
  }
}

/// Each width of a difference beside each: two are packed at a time.
TEST_F(ChunkCodecTest, DifferencesOfAnyTwoWidthsComeBack) {
  std::vector<std::uint32_t> words, base;
  for (unsigned a = 0; a <= 32; ++a) {
    for (unsigned b = 0; b <= 32; ++b) {
      for (const unsigned bits : {a, b}) {
        const std::uint64_t most = (std::uint64_t{1} << bits) - 1;
        base.push_back(0x3f800000);
        words.push_back(static_cast<std::uint32_t>(0x3f800000 + most));
        base.push_back(0xbf800000);
        words.push_back(static_cast<std::uint32_t>(0xbf800000 - most));
      }
    }
  }
  for (std::size_t skipped = 0; skipped < 2; ++skipped) {
    const Bytes plain = bytes_of(words).subspan(4 * skipped);
    for (const Form& form : {Form{Encoding::kDelta}, kScaled}) {
      expect_back(form, plain, bytes_of(base).subspan(4 * skipped), "widths");
    }
  }
}

TEST_F(ChunkCodecTest, ADifferenceOf33BitsOrOfMinusZeroIsCorrupt) {
  const std::vector<std::uint32_t> base(2, 0x3f800000);
  const auto with_symbol = [&](Form form, std::size_t n, unsigned sign) {
    const std::size_t shift = form == kScaled ? 127 : 0;
    const std::size_t bytes = n > 1 ? (n - 1 + 7) / 8 : 0;
    ByteBuffer chunk = {2, 0, 0, 0, static_cast<std::uint8_t>(bytes), 0, 0, 0};
    chunk.push_back(static_cast<std::uint8_t>(2 * (n + shift) + sign));
    chunk.push_back(static_cast<std::uint8_t>(2 * shift));
    chunk.resize(chunk.size() + bytes);
    return decode(form, chunk, 8, bytes_of(base));
  };
  for (const Form& form : {Form{Encoding::kDelta}, kScaled}) {
    EXPECT_TRUE(with_symbol(form, 32, 0));
    EXPECT_TRUE(with_symbol(form, 1, 1));
    EXPECT_TRUE(with_symbol(form, 0, 0));
    for (const auto& [n, sign] : {std::pair{33, 0U}, {33, 1U}, {0, 1U}}) {
      const auto read = with_symbol(form, static_cast<std::size_t>(n), sign);
      ASSERT_FALSE(read) << n;
      EXPECT_EQ(read.error().code, Code::kCorrupt);
    }
  }
}

TEST_F(ChunkCodecTest, DifferencesEndWhereTheirSymbolsSay) {
  const std::vector<std::uint32_t> base = {0x3f800000, 0xbfc00000};
  const ByteBuffer honest = {2, 0, 0, 0, 1, 0, 0, 0, 5, 4, 0b1001};
  EXPECT_TRUE(decode(kScaled, honest, 8, bytes_of(base)));
  ByteBuffer padded = honest;
  padded.back() |= 0x10;
  EXPECT_FALSE(decode(kScaled, padded, 8, bytes_of(base))) << "a bit behind the last";
  ByteBuffer longer = honest;
  longer[4] = 2;
  longer.push_back(0);
  EXPECT_FALSE(decode(kScaled, longer, 8, bytes_of(base)));
  ByteBuffer shorter = honest;
  shorter[4] = 0;
  shorter.pop_back();
  EXPECT_FALSE(decode(kScaled, shorter, 8, bytes_of(base)));
}

}  // namespace
}  // namespace aftune::trace
