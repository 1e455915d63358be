// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/xml.h"

#include <gtest/gtest.h>

namespace aftune::object {
namespace {

XmlElement parsed(std::string_view text) {
  Result<XmlElement> root = parse_xml(text);
  EXPECT_TRUE(root) << text << ": " << root.error().what;
  return root ? *std::move(root) : XmlElement{};
}

std::string nested(std::size_t depth) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) out += "<a>";
  for (std::size_t i = 0; i < depth; ++i) out += "</a>";
  return out;
}

TEST(Xml, ReadsAListing) {
  const XmlElement root = parsed(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3/\" x='y'>\n"
      " <Name>b</Name><Empty/><Contents><Key>a&amp;b</Key><Size>7</Size></Contents>"
      "<Contents><Key>c</Key></Contents></ListBucketResult>\n");
  EXPECT_EQ(root.name, "ListBucketResult");
  ASSERT_EQ(root.children.size(), 4U);
  EXPECT_EQ(root.text_of("Name"), "b");
  EXPECT_NE(root.child("Empty"), nullptr);
  EXPECT_EQ(root.child("Contents")->text_of("Key"), "a&b");
  EXPECT_EQ(root.child("Absent"), nullptr);
  EXPECT_EQ(root.text_of("Absent"), "");
}

TEST(Xml, LeavesOutTheNameSpacesPrefix) {
  EXPECT_EQ(parsed("<s3:Error xmlns:s3=\"x\"><s3:Code>c</s3:Code></s3:Error>").text_of("Code"),
            "c");
}

TEST(Xml, KnowsTheFiveEntitiesAndNumbers) {
  EXPECT_EQ(parsed("<a>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#xe9;&#x20ac;&#x1F600;</a>").text,
            "&<>\"'AB\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(Xml, EscapedTextComesBack) {
  const std::string text = "a<b>&\"'c";
  EXPECT_EQ(parsed("<a>" + xml_escaped(text) + "</a>").text, text);
}

TEST(Xml, OfAnotherFormIsRefused) {
  for (const std::string_view text : {"",
                                      "a",
                                      "<a>",
                                      "<a></b>",
                                      "</a>",
                                      "<a",
                                      "<a/",
                                      "<a/><b/>",
                                      "<a/>x",
                                      "<a x></a>",
                                      "<a x=y></a>",
                                      "<a x=\"y></a>",
                                      "<a x=\"<\"></a>",
                                      "<a ></a",
                                      "< a></a>",
                                      "<a>&b;</a>",
                                      "<a>&amp</a>",
                                      "<a>&</a>",
                                      "<a>&#0;</a>",
                                      "<a>&#xD800;</a>",
                                      "<a>&#x110000;</a>",
                                      "<a>&#x;</a>",
                                      "<a>&#-1;</a>",
                                      "<a><!-- c --></a>",
                                      "<a><![CDATA[x]]></a>",
                                      "<!DOCTYPE a><a/>",
                                      "<?xml version=\"1.0\"",
                                      "<a><?pi?></a>",
                                      "<a>\xFF</a>",
                                      "<a><b></a>",
                                      "<a>&#xFFFFFFFFF;</a>",
                                      "<a:></a:>"}) {
    const auto root = parse_xml(text);
    ASSERT_FALSE(root) << text;
    EXPECT_EQ(root.error().code, Code::kInvalidInput);
  }
  EXPECT_FALSE(parse_xml(std::string_view("<a>\0</a>", 8)));
}

TEST(Xml, HasAsManyLevelsAndElementsAsThePageSays) {
  EXPECT_TRUE(parse_xml(nested(kMaxXmlDepth)));
  EXPECT_FALSE(parse_xml(nested(kMaxXmlDepth + 1)));
  const auto many = [](std::size_t count) {
    std::string text = "<a>";
    for (std::size_t i = 0; i + 1 < count; ++i) text += "<b/>";
    return text + "</a>";
  };
  EXPECT_TRUE(parse_xml(many(65536)));
  EXPECT_FALSE(parse_xml(many(65537)));
}

TEST(Xml, CutAnywhereIsRefused) {
  const std::string text = "<?xml version=\"1.0\"?><a b=\"c\"><d>e&lt;</d><f/></a>";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_xml(text.substr(0, size))) << size;
  }
  EXPECT_TRUE(parse_xml(text));
}

}  // namespace
}  // namespace aftune::object
