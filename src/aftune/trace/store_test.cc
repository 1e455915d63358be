// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/store.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::TempFolder;

Digest address(std::string_view text) { return crypto::blake3(as_bytes(text)); }

class StoreTest : public ::testing::Test {
 protected:
  Digest put(std::string_view text) {
    must(store_.put(address(text), as_bytes(text)));
    must(store_.sync());
    return address(text);
  }
  const TempFolder folder_;
  Store store_ = must(Store::open(folder_ / "store", Store::Open::kCreate));
};

TEST_F(StoreTest, GivesBackWhatWasPut) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100000, 'y')}) {
    const Digest digest = put(text);
    EXPECT_TRUE(store_.has(digest));
    EXPECT_EQ(as_text(must(store_.get(digest, 1 << 20))), text);
  }
}

TEST_F(StoreTest, LiesWhereThePageSays) {
  const Digest digest = put("x");
  const std::string hex = digest.hex();
  EXPECT_EQ(store_.path_of(digest), folder_ / "store" / hex.substr(0, 2) / (hex + ".raw"));
  EXPECT_EQ(testing::get(store_.path_of(digest)), "x");
}

TEST_F(StoreTest, EqualObjectsAreStoredOnce) {
  put("x");
  put("x");
  EXPECT_EQ(must(store_.objects()).size(), 1U);
  must(store_.put(address("y"), as_bytes("y")));
  must(store_.put(address("y"), as_bytes("y")));
  must(store_.sync());
  EXPECT_EQ(must(store_.objects()).size(), 2U);
  EXPECT_TRUE(must(store_.strangers()).empty());
}

TEST_F(StoreTest, AnObjectIsInPlaceInAnotherProcessAfterSync) {
  const Digest digest = put("x");
  const Store again = must(Store::open(folder_ / "store", Store::Open::kExisting));
  EXPECT_TRUE(again.get(digest, 10));
}

TEST_F(StoreTest, BytesOfAnotherDigestAreCorrupt) {
  const Digest digest = put("hello");
  testing::flip_bit(store_.path_of(digest), 2);
  const auto read = store_.get(digest, 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kCorrupt);
  EXPECT_NE(read.error().what.find(digest.hex()), std::string::npos);
  testing::put(store_.path_of(digest), "hell");
  EXPECT_EQ(store_.get(digest, 10).error().code, Code::kCorrupt);
  testing::put(store_.path_of(digest), "");
  EXPECT_EQ(store_.get(digest, 10).error().code, Code::kCorrupt);
}

TEST_F(StoreTest, MissingAndLargeObjectsAreToldApart) {
  const auto missing = store_.get(address("x"), 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().what.find(address("x").hex()), std::string::npos);
  const Digest digest = put("hello");
  EXPECT_EQ(store_.get(digest, 4).error().code, Code::kInvalidInput);
  EXPECT_TRUE(store_.get(digest, 5));
}

TEST_F(StoreTest, ReadsIntoPlaceOnlyWhatIsTheObject) {
  const Digest digest = put("hello");
  ByteBuffer out(5);
  ASSERT_TRUE(store_.get_into(digest, out));
  EXPECT_EQ(as_text(out), "hello");
  ByteBuffer longer(6), shorter(4);
  EXPECT_EQ(store_.get_into(digest, longer).error().code, Code::kCorrupt);
  EXPECT_EQ(store_.get_into(digest, shorter).error().code, Code::kInvalidInput);
  EXPECT_EQ(store_.get_into(address("x"), out).error().code, Code::kNotFound);
  testing::flip_bit(store_.path_of(digest), 2);
  const Status altered = store_.get_into(digest, out);
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code, Code::kCorrupt);
  EXPECT_NE(altered.error().what.find(digest.hex()), std::string::npos);
}

TEST_F(StoreTest, AFolderInAnObjectsPlaceIsNoObject) {
  std::filesystem::create_directories(store_.path_of(address("x")));
  EXPECT_FALSE(store_.has(address("x")));
  EXPECT_FALSE(store_.get(address("x"), 10));
}

TEST_F(StoreTest, ListsObjectsByDigestWithTheirSizes) {
  std::map<Digest, std::uint64_t> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string text(static_cast<std::size_t>(i), 'z');
    expected[put(text)] = text.size();
  }
  const auto objects = must(store_.objects());
  ASSERT_EQ(objects.size(), expected.size());
  auto at = expected.begin();
  for (const Store::Object& object : objects) {
    EXPECT_EQ(object.digest, at->first);
    EXPECT_EQ(object.size, at->second);
    ++at;
  }
}

TEST_F(StoreTest, OtherNamesAreStrangers) {
  const Digest digest = put("x");
  const Path home = store_.path_of(digest).parent_path();
  testing::put(home / "README", "x");
  testing::put(home / (digest.hex() + ".raw.tmp-0011"), "x");
  testing::put(home / (digest.hex() + ".zst"), "x");
  std::filesystem::create_directories(folder_ / "store" / "zz");
  testing::put(folder_ / "store" / "zz" / (digest.hex() + ".raw"), "x");
  testing::put(folder_ / "store" / (digest.hex() + ".raw"), "x");
  EXPECT_EQ(must(store_.strangers()).size(), 5U);
  EXPECT_EQ(must(store_.objects()).size(), 1U);
}

TEST_F(StoreTest, OpensOnlyAFolderThatIsThere) {
  const auto absent = Store::open(folder_ / "none", Store::Open::kExisting);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kNotFound);
  testing::put(folder_ / "file", "x");
  EXPECT_FALSE(Store::open(folder_ / "file", Store::Open::kExisting));
  EXPECT_FALSE(Store::open(folder_ / "file", Store::Open::kCreate));
}

TEST_F(StoreTest, AnObjectOfAnotherSizeIsWrittenAgain) {
  const Digest digest = put("hello");
  testing::put(store_.path_of(digest), "");
  EXPECT_EQ(put("hello"), digest);
  EXPECT_EQ(as_text(must(store_.get(digest, 10))), "hello");
}

TEST_F(StoreTest, WhatWasNotSyncedLeavesNothing) {
  {
    Store other = must(Store::open(folder_ / "store", Store::Open::kCreate));
    must(other.put(address("x"), as_bytes("x")));
    Store moved = std::move(other);
    must(moved.put(address("y"), as_bytes("y")));
  }
  EXPECT_TRUE(must(store_.objects()).empty());
  EXPECT_TRUE(must(store_.strangers()).empty());
}

}  // namespace
}  // namespace aftune::trace
