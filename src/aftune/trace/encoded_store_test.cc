// SPDX-License-Identifier: Apache-2.0
// Encoded objects in a store: docs/formats/store.md, and every lie about it.
#include <gtest/gtest.h>

#include <cstring>

#include "aftune/trace/encoded_object.h"
#include "aftune/trace/store.h"
#include "aftune/trace/tiny_job_testing.h"
#include "aftune/trace/zstd_frame.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::TempFolder;

constexpr std::uint64_t kLimit = std::uint64_t{1} << 30;

/// Words like weights; `seed` moves each by a little.
ByteBuffer words_of(std::size_t count, unsigned seed) {
  ByteBuffer out(4 * count);
  std::uint32_t state = 1, wobble = seed * 7919 + 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    wobble = wobble * 22695477 + 1;
    const float base = static_cast<float>(state >> 8) / 16777216.0F - 0.5F;
    const float value = base + 1e-4F * static_cast<float>(seed > 0 ? wobble >> 16 : 0) / 65536.0F;
    std::memcpy(out.data() + 4 * i, &value, 4);
  }
  return out;
}

/// Bytes 2 and 3 of each word: 16-bit floats.
ByteBuffer upper_halves(Bytes words) {
  ByteBuffer out;
  for (std::size_t i = 2; i < words.size(); i += i % 4 == 2 ? 1 : 3) out.push_back(words[i]);
  return out;
}

class EncodedStoreTest : public ::testing::Test {
 protected:
  Store open(ThreadPool* pool = nullptr) const {
    return must(Store::open(folder_ / "store", Store::Open::kCreate, pool));
  }
  Digest put(Bytes data, const PutHint& hint) {
    const Digest digest = crypto::blake3(data);
    must(store_.put(digest, data, hint));
    must(store_.sync());
    return digest;
  }
  Digest put_words(Bytes data, std::optional<Digest> base = {}) {
    return put(data, {Content::kWords, base});
  }
  [[nodiscard]] Encoding encoding_of(const Digest& digest) const {
    for (const Store::Object& object : must(store_.objects())) {
      if (object.digest == digest) return object.encoding;
    }
    ADD_FAILURE() << digest.hex() << " is no object";
    return Encoding::kRaw;
  }
  [[nodiscard]] Code code_of(const Digest& digest, std::uint64_t limit = kLimit) const {
    const auto read = store_.get(digest, limit);
    if (read) return Code::kUnavailable;  // no lie of these tests is trouble
    EXPECT_NE(read.error().what.find(digest.hex()), std::string::npos) << read.error().what;
    return read.error().code;
  }
  void expect_corrupt(const Digest& digest, const std::string& lie) const {
    EXPECT_EQ(code_of(digest), Code::kCorrupt) << lie;
    EXPECT_TRUE(store_.has(digest)) << lie;
  }
  /// A file of the store, made by hand.
  Path forge(const Digest& digest, const ObjectHeader& header, Bytes plain, Bytes base) const {
    ByteBuffer text;
    must(encode_object(header, plain, base, nullptr, [&text](Bytes piece) {
      append(text, piece);
      return ok();
    }));
    const std::string hex = digest.hex();
    const Path path = folder_ / "store" / hex.substr(0, 2) /
                      (hex + "." + std::string(encoding_name(header.encoding)));
    must(make_folders(path.parent_path()));
    must(write_file(path, text));
    return path;
  }

  const TempFolder folder_;
  Store store_ = open();
};

TEST_F(EncodedStoreTest, EveryEncodingGivesBackWhatWasPut) {
  const ByteBuffer first = words_of(200000, 0), second = words_of(200000, 1);
  const std::string text(300000, 't');
  const Digest planes = put_words(first), delta = put_words(second, planes);
  const Digest zst = put(as_bytes(text), {Content::kText, {}});
  const Digest raw = put(as_bytes("short"), {Content::kText, {}});
  const ByteBuffer half_words = upper_halves(first);
  const Digest halves = put(half_words, {Content::kHalves, {}});
  EXPECT_EQ(encoding_of(halves), Encoding::kHalves);
  EXPECT_EQ(encoding_of(planes), Encoding::kPlanes);
  EXPECT_EQ(encoding_of(delta), Encoding::kDelta);
  EXPECT_EQ(encoding_of(zst), Encoding::kZst);
  EXPECT_EQ(encoding_of(raw), Encoding::kRaw);
  ThreadPool pool(2);
  const Store pooled = open(&pool);
  for (const Store* store : {&static_cast<const Store&>(store_), &pooled}) {
    EXPECT_EQ(must(store->get(planes, kLimit)), first);
    EXPECT_EQ(must(store->get(delta, kLimit)), second);
    ByteBuffer in_place(second.size());
    ASSERT_TRUE(store->get_into(delta, in_place));
    EXPECT_EQ(in_place, second);
    EXPECT_EQ(must(store->get(halves, kLimit)), half_words);
    EXPECT_EQ(as_text(must(store->get(zst, kLimit))), text);
    EXPECT_EQ(as_text(must(store->get(raw, kLimit))), "short");
  }
  for (const Store::Object& object : must(store_.objects())) {
    const std::uint64_t plain = must(store_.get(object.digest, kLimit)).size();
    EXPECT_EQ(object.plain_size, plain);
    EXPECT_LE(object.size, plain);
    EXPECT_EQ(object.size, must(aftune::file_size(store_.path_of(object.digest))));
  }
}

TEST_F(EncodedStoreTest, ThreadsChangeNoByte) {
  const ByteBuffer first = words_of(700000, 0), second = words_of(700000, 1);
  const Digest base = put_words(first), delta = put_words(second, base);
  const std::string alone = testing::get(store_.path_of(delta));
  const TempFolder other;
  ThreadPool pool(3);
  Store pooled = must(Store::open(other / "store", Store::Open::kCreate, &pool));
  must(pooled.put(base, first, {Content::kWords, {}}));
  must(pooled.sync());
  must(pooled.put(delta, second, {Content::kWords, base}));
  must(pooled.sync());
  EXPECT_EQ(testing::get(pooled.path_of(delta)), alone);
}

TEST_F(EncodedStoreTest, WhatGetsNoSmallerStaysRaw) {
  ByteBuffer noise;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const std::string number = std::to_string(i);
    append(noise, crypto::blake3(as_bytes(number)).view());
  }
  EXPECT_EQ(encoding_of(put_words(noise)), Encoding::kRaw);
  EXPECT_EQ(encoding_of(put(noise, {Content::kHalves, {}})), Encoding::kRaw);
  EXPECT_EQ(encoding_of(put(noise, {Content::kText, {}})), Encoding::kRaw);
  EXPECT_EQ(encoding_of(put_words(as_bytes("odd"))), Encoding::kRaw);
  EXPECT_EQ(encoding_of(put_words({})), Encoding::kRaw);
  EXPECT_EQ(encoding_of(put(ByteBuffer(5000), {})), Encoding::kRaw) << "nobody asked";
}

TEST_F(EncodedStoreTest, ABaseThatIsOfNoUseIsLeftAside) {
  const ByteBuffer data = words_of(5000, 1);
  const Digest shorter = put_words(words_of(4000, 0));
  EXPECT_EQ(encoding_of(put_words(data, shorter)), Encoding::kPlanes);
  EXPECT_EQ(encoding_of(put_words(words_of(5000, 2), crypto::blake3({}))), Encoding::kPlanes);
  const Digest broken = put_words(words_of(5000, 3));
  testing::flip_bit(store_.path_of(broken), 1000);
  EXPECT_EQ(encoding_of(put_words(words_of(5000, 4), broken)), Encoding::kPlanes);
}

TEST_F(EncodedStoreTest, ChainsStayShort) {
  std::optional<Digest> last;
  std::vector<std::size_t> depths;
  for (unsigned i = 0; i < 12; ++i) {
    const ByteBuffer data = words_of(5000, i);
    last = put_words(data, last);
    depths.push_back(store_.bases_of(*last).size());
    EXPECT_EQ(must(store_.get(*last, kLimit)), data) << i;
  }
  EXPECT_EQ(depths, (std::vector<std::size_t>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1}));
}

TEST_F(EncodedStoreTest, WithoutItsBaseADeltaIsNotThere) {
  const ByteBuffer data = words_of(5000, 2);
  const Digest first = put_words(words_of(5000, 0));
  const Digest second = put_words(words_of(5000, 1), first);
  const Digest third = put_words(data, second);
  EXPECT_EQ(store_.bases_of(third), (std::vector<Digest>{second, first}));
  EXPECT_TRUE(store_.bases_of(first).empty());
  EXPECT_TRUE(store_.has(third));
  std::filesystem::remove(store_.path_of(first));
  EXPECT_FALSE(store_.has(third));
  EXPECT_FALSE(store_.has(second));
  const auto read = store_.get(third, kLimit);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kNotFound);
  EXPECT_NE(read.error().what.find("its base " + first.hex() + " is not there"), std::string::npos);
  EXPECT_EQ(put_words(data), third);
  EXPECT_EQ(encoding_of(third), Encoding::kRaw) << "made again, and free of the base";
  EXPECT_EQ(must(store_.get(third, kLimit)), data);
  EXPECT_TRUE(must(store_.strangers()).empty()) << "the broken file is gone";
}

TEST_F(EncodedStoreTest, TheFirstFileOfAnAddressIsTheObject) {
  const ByteBuffer data = words_of(5000, 0);
  const Digest digest = put_words(data);
  const Path planes = store_.path_of(digest);
  Path raw = planes;
  raw.replace_extension(".raw");
  must(write_file(raw, data));
  EXPECT_EQ(store_.path_of(digest), raw);
  EXPECT_EQ(must(store_.objects()).size(), 1U);
  EXPECT_EQ(must(store_.strangers()), std::vector<Path>{planes});
  testing::flip_bit(raw, 0);
  expect_corrupt(digest, "the first file counts");
}

/// Honest files of the encodings, for lies about each.
class StoreLies : public EncodedStoreTest {
 protected:
  StoreLies()
      : base_data(words_of(70000, 0)),
        data(words_of(70000, 1)),
        base(put_words(base_data)),
        delta(put_words(data, base)),
        zst(put(as_bytes(std::string(400000, 'z') + "end"), {Content::kText, {}})),
        halves(put(upper_halves(base_data), {Content::kHalves, {}})) {}
  const ByteBuffer base_data, data;
  const Digest base, delta, zst, halves;
};

/// What a flipped bit of a header leads to.
Code code_of_flip(Encoding encoding, std::size_t place) {
  if (encoding == Encoding::kDelta && place >= 24 && place < 56) return Code::kNotFound;  // base
  return place == 19 || place == 20 ? Code::kInvalidInput : Code::kCorrupt;  // over 4 MiB
}

TEST_F(StoreLies, ABitFlippedInAnyPart) {
  std::size_t harmless = 0;
  for (const Digest& digest : {base, delta, zst, halves}) {
    const Path file = store_.path_of(digest);
    const Encoding encoding = encoding_of(digest);
    const std::string honest = testing::get(file);
    const ByteBuffer plain = must(store_.get(digest, kLimit));
    std::vector<std::size_t> places = {honest.size() / 2, honest.size() - 1};
    for (std::size_t i = 0; i < 80; ++i) places.push_back(i);  // header, lengths, first frame
    for (std::size_t i = 1; i < 16; ++i) places.push_back(i * (honest.size() / 16));
    for (const std::size_t place : places) {
      if (place >= honest.size()) continue;
      testing::flip_bit(file, place);
      const auto read = store_.get(digest, 1 << 22);
      testing::put(file, honest);
      if (read) {  // a way of zstd to say the same
        EXPECT_EQ(*read, plain);
        EXPECT_EQ(encoding, Encoding::kZst) << place;
        ++harmless;
        continue;
      }
      EXPECT_EQ(read.error().code, code_of_flip(encoding, place))
          << encoding_name(encoding) << " byte " << place << ": " << read.error().what;
    }
    EXPECT_TRUE(store_.get(digest, kLimit)) << "all bits are back";
  }
  EXPECT_LE(harmless, 2U);
}

TEST_F(StoreLies, TruncatedAndLonger) {
  for (const Digest& digest : {base, delta, zst, halves}) {
    const Path file = store_.path_of(digest);
    const std::string honest = testing::get(file);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{55}, std::size_t{56},
                                   std::size_t{60}, honest.size() / 2, honest.size() - 1}) {
      testing::put(file, honest.substr(0, size));
      expect_corrupt(digest, "short: " + std::to_string(size));
    }
    testing::put(file, honest + '\0');
    expect_corrupt(digest, "a byte more");
    testing::put(file, honest + honest);
    expect_corrupt(digest, "twice");
    testing::put(file, honest);
    EXPECT_TRUE(store_.get(digest, kLimit));
  }
}

TEST_F(StoreLies, AnotherBase) {
  const Digest wrong = put_words(words_of(70000, 7));
  std::filesystem::remove(store_.path_of(delta));
  forge(delta, {Encoding::kDelta, 1, data.size(), wrong}, data, base_data);
  expect_corrupt(delta, "the difference is to another object");
  forge(delta, {Encoding::kDelta, 1, data.size(), base}, data, base_data);
  EXPECT_TRUE(store_.get(delta, kLimit)) << "honest";
  const Digest small = put_words(words_of(69999, 0));
  forge(delta, {Encoding::kDelta, 1, data.size(), small}, data, base_data);
  expect_corrupt(delta, "a smaller base");
  const ByteBuffer raw_data = words_of(10, 0);
  const Digest raw = put(raw_data, {});
  forge(delta, {Encoding::kDelta, 1, data.size(), raw}, data, base_data);
  expect_corrupt(delta, "a smaller raw base");
}

TEST_F(StoreLies, ABrokenBaseIsNamed) {
  testing::flip_bit(store_.path_of(base), 60000);
  const auto read = store_.get(delta, kLimit);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kCorrupt);
  EXPECT_NE(read.error().what.find("object " + base.hex()), std::string::npos);
  EXPECT_NE(read.error().what.find(delta.hex()), std::string::npos);
}

TEST_F(StoreLies, ACycleOfBases) {
  std::filesystem::remove(store_.path_of(delta));
  forge(delta, {Encoding::kDelta, 2, data.size(), delta}, data, base_data);
  expect_corrupt(delta, "its own base");
  const Digest other = crypto::blake3(as_bytes("other"));
  forge(delta, {Encoding::kDelta, 2, data.size(), other}, data, base_data);
  forge(other, {Encoding::kDelta, 1, data.size(), delta}, data, base_data);
  expect_corrupt(delta, "two that need each other");
  forge(other, {Encoding::kDelta, 2, data.size(), delta}, data, base_data);
  expect_corrupt(delta, "of equal depth");
}

TEST_F(StoreLies, ABombIsNotSetOff) {
  // 64 GiB, says the header; the reader knows how much it wants.
  const std::string honest = testing::get(store_.path_of(zst));
  std::string bomb = honest;
  bomb[16] = bomb[17] = bomb[18] = bomb[19] = 0;
  bomb[20] = 0x10;
  testing::put(store_.path_of(zst), bomb);
  EXPECT_EQ(code_of(zst, 1 << 20), Code::kInvalidInput);
  // A frame that grows past its chunk.
  ZstdFrames frames;
  ByteBuffer frame;
  ASSERT_GT(frames.compress(ByteBuffer(1 << 26), FrameKind::kText, frame), 0U);
  const auto head = encode_header({Encoding::kZst, 0, 1000000, {}});
  std::string text(head.begin(), head.end());
  for (unsigned i = 0; i < 4; ++i) text += static_cast<char>(frame.size() >> (8 * i));
  testing::put(store_.path_of(zst), text + std::string(as_text(frame)));
  EXPECT_EQ(code_of(zst, 1000000), Code::kCorrupt);
  EXPECT_EQ(code_of(zst, 999999), Code::kInvalidInput);
}

TEST_F(StoreLies, AnObjectUnderAnothersName) {
  const std::string other = testing::get(store_.path_of(base));
  const Digest stranger = put_words(words_of(70000, 5));
  ASSERT_EQ(encoding_of(stranger), Encoding::kPlanes);
  testing::put(store_.path_of(stranger), other);
  expect_corrupt(stranger, "another object's file");
  std::filesystem::remove(store_.path_of(delta));
  const std::string hex = delta.hex();
  testing::put(folder_ / "store" / hex.substr(0, 2) / (hex + ".delta"), other);
  expect_corrupt(delta, "another encoding's name");
}

}  // namespace
}  // namespace aftune::trace
