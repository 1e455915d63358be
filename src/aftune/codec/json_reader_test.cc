// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/json_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace aftune::codec {
namespace {

Json document() {
  return Json::Object{{"digest", std::string(64, 'a')},
                      {"flag", true},
                      {"list", Json::Array{1, 2}},
                      {"name", "x"},
                      {"rate", "0x1.8p-3"},
                      {"steps", 12},
                      {"train", Json::Object{{"seed", 7}}}};
}

template <typename T>
std::string what(const Result<T>& result) {
  return result ? "accepted" : result.error().what;
}

TEST(JsonReader, GivesEachKindOfMember) {
  const Json value = document();
  auto reader = JsonReader::open(value, "contract");
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->string("name"), "x");
  EXPECT_EQ(*reader->integer("steps", 1, 100), 12);
  EXPECT_TRUE(*reader->boolean("flag"));
  EXPECT_EQ(reader->digest("digest")->hex(), std::string(64, 'a'));
  EXPECT_EQ(*reader->hex_real("rate"), 0.1875);
  EXPECT_EQ((*reader->array("list"))->size(), 2u);
  auto train = reader->object("train");
  ASSERT_TRUE(train);
  EXPECT_EQ(*train->integer("seed", 7, 7), 7);
  EXPECT_EQ(train->path(), "contract.train");
  EXPECT_TRUE(train->finish());
  EXPECT_TRUE(reader->finish());
}

TEST(JsonReader, ErrorsNameThePathOfTheMember) {
  const Json value = document();
  auto reader = JsonReader::open(value, "contract");
  EXPECT_EQ(what(reader->string("none")), "contract.none: missing");
  EXPECT_EQ(what(reader->string("steps")), "contract.steps: not a string");
  EXPECT_EQ(what(reader->integer("name", 0, 9)), "contract.name: not an integer");
  EXPECT_EQ(what(reader->boolean("name")), "contract.name: not true or false");
  EXPECT_EQ(what(reader->array("train")), "contract.train: not an array");
  EXPECT_EQ(what(reader->object("list")), "contract.list: not an object");
  EXPECT_EQ(what(reader->any("none")), "contract.none: missing");
  EXPECT_EQ(what(reader->digest("name")),
            "contract.name: digest has 1 hexadecimal digits, needs 64");
  EXPECT_EQ(what(reader->hex_real("name")),
            "contract.name: \"x\" is no hex float such as 0x1.8p-3");
  auto train = reader->object("train");
  EXPECT_EQ(what(train->string("seed")), "contract.train.seed: not a string");
}

TEST(JsonReader, BoundsOfIntegersAreInclusive) {
  const Json value = document();
  auto reader = JsonReader::open(value, "");
  EXPECT_TRUE(reader->integer("steps", 12, 12));
  EXPECT_EQ(what(reader->integer("steps", 13, 20)), "steps: 12 is not within 13 and 20");
  EXPECT_EQ(what(reader->integer("steps", 0, 11)), "steps: 12 is not within 0 and 11");
}

TEST(JsonReader, RealsAndIntegersAreNotTheSame) {
  const Json value = Json::Object{{"a", 1.0}, {"b", 1}};
  auto reader = JsonReader::open(value, "");
  EXPECT_FALSE(reader->integer("a", 0, 9));
  EXPECT_FALSE(reader->hex_real("a"));
  EXPECT_FALSE(reader->hex_real("b"));
}

TEST(JsonReader, FinishNamesTheFirstMemberThatNobodyRead) {
  const Json value = Json::Object{{"a", 1}, {"b", 2}, {"c", 3}};
  auto reader = JsonReader::open(value, "entry");
  EXPECT_EQ(what(reader->finish()), "entry.a: unknown member");
  ASSERT_TRUE(reader->any("a"));
  EXPECT_TRUE(reader->has("b"));
  EXPECT_FALSE(reader->has("d"));
  EXPECT_EQ(what(reader->finish()), "entry.b: unknown member")
      << "asking whether it exists reads nothing";
  ASSERT_TRUE(reader->any("b"));
  ASSERT_TRUE(reader->any("c"));
  EXPECT_TRUE(reader->finish());
}

TEST(JsonReader, OnlyObjectsOpen) {
  EXPECT_EQ(what(JsonReader::open(Json(1), "entry")), "entry: not an object");
  EXPECT_EQ(what(JsonReader::open(Json(), "")), "json value: not an object");
}

}  // namespace
}  // namespace aftune::codec
