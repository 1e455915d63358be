// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/entry.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::digest_of;

const std::vector<Place> kPlaces = {{EntryKind::kContract, 0, 0, 0}, {EntryKind::kState, 1, 2, 0},
                                    {EntryKind::kState, 0, 2, 0},    {EntryKind::kState, 1, 0, 0},
                                    {EntryKind::kStep, 0, 0, 7},     {EntryKind::kStep, 0, 0, 8},
                                    {EntryKind::kClose, 0, 0, 0}};

TEST(Entry, IsSpeltAsThePageSays) {
  const std::string hex = digest_of("x").hex();
  const Digest digest = digest_of("x");
  EXPECT_EQ(encode_entry(0, kPlaces[0], digest),
            R"({"aftune":1,"contract":")" + hex + R"(","kind":"contract","position":0})");
  EXPECT_EQ(encode_entry(9, kPlaces[1], digest),
            R"({"aftune":1,"block":1,"kind":"state","list":")" + hex +
                R"(","position":9,"step_block":2})");
  EXPECT_EQ(encode_entry(10, kPlaces[4], digest),
            R"({"aftune":1,"kind":"step","list":")" + hex + R"(","position":10,"step":7})");
  EXPECT_EQ(encode_abort(3, {7, "fault", digest}),
            R"({"aftune":1,"cause":"fault","kind":"abort","list":")" + hex +
                R"(","position":3,"step":7})");
}

TEST(Entry, StandsAtOnePlaceOnly) {
  for (std::size_t i = 0; i < kPlaces.size(); ++i) {
    const std::string text = encode_entry(5, kPlaces[i], digest_of("x"));
    const auto digest = decode_entry(text, 5, kPlaces[i]);
    ASSERT_TRUE(digest) << digest.error().what;
    EXPECT_EQ(*digest, digest_of("x"));
    EXPECT_FALSE(decode_entry(text, 6, kPlaces[i])) << "another position";
    for (std::size_t k = 0; k < kPlaces.size(); ++k) {
      EXPECT_EQ(decode_entry(text, 5, kPlaces[k]).has_value(), i == k);
    }
  }
}

TEST(Entry, RefusesAnythingButItsOneSpelling) {
  const Place step{EntryKind::kStep, 0, 0, 7};
  const std::string good = encode_entry(5, step, digest_of("x"));
  std::string extra = good;
  extra.insert(extra.size() - 1, R"(,"time":1)");
  std::string upper = good;
  upper[upper.find("list") + 7] = 'G';
  for (const std::string& bad : {std::string(), std::string("[]"), " " + good, good + "\n", extra,
                                 upper, good.substr(1), std::string(70000, '{')}) {
    const auto decoded = decode_entry(bad, 5, step);
    ASSERT_FALSE(decoded) << bad;
    EXPECT_EQ(decoded.error().code, Code::kInvalidInput);
    EXPECT_NE(decoded.error().what.find("entry 5 (step 7)"), std::string::npos);
  }
}

TEST(Entry, AbortReadsBack) {
  for (const char* cause : {"fault", "non-finite"}) {
    const std::string text = encode_abort(5, {3, cause, digest_of("x")});
    EXPECT_TRUE(is_abort(text));
    const auto abort = decode_abort(text, 5);
    ASSERT_TRUE(abort) << abort.error().what;
    EXPECT_EQ(abort->step, 3U);
    EXPECT_EQ(abort->cause, cause);
    EXPECT_EQ(abort->list, digest_of("x"));
    EXPECT_FALSE(decode_abort(text, 4));
  }
}

TEST(Entry, AbortRefusesOtherCausesAndMembers) {
  const std::string good = encode_abort(5, {3, "fault", digest_of("x")});
  EXPECT_FALSE(decode_abort(encode_abort(5, {3, "boredom", digest_of("x")}), 5));
  EXPECT_FALSE(decode_abort(encode_abort(5, {(1U << 24) + 1, "fault", digest_of("x")}), 5));
  std::string extra = good;
  extra.insert(extra.size() - 1, R"(,"why":"x")");
  EXPECT_FALSE(decode_abort(extra, 5));
  EXPECT_FALSE(decode_abort(encode_entry(5, {EntryKind::kClose, 0, 0, 0}, digest_of("x")), 5));
}

TEST(Entry, OnlyAJsonObjectOfThatKindLooksLikeAnAbort) {
  EXPECT_FALSE(is_abort(""));
  EXPECT_FALSE(is_abort("abort"));
  EXPECT_FALSE(is_abort(R"({"kind":"step"})"));
  EXPECT_FALSE(is_abort(R"({"kind":1})"));
  EXPECT_FALSE(is_abort(R"({"note":{"kind":"abort"}})"));
  EXPECT_TRUE(is_abort(R"({"kind":"abort"})"));
}

TEST(Entry, DescribesPlacesForPeople) {
  EXPECT_EQ(describe(kPlaces[1]), "state of layer block 1 at step block 2");
  EXPECT_EQ(describe(kPlaces[4]), "step 7");
  EXPECT_EQ(describe({EntryKind::kAbort, 0, 0, 0}), "abort");
}

}  // namespace
}  // namespace aftune::trace
