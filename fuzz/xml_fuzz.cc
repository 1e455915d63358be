// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/xml.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

std::string printed(const object::XmlElement& element) {
  std::string out = "<" + element.name + ">" + object::xml_escaped(element.text);
  for (const object::XmlElement& child : element.children) out += printed(child);
  return out + "</" + element.name + ">";
}

}  // namespace

bool decode_one(Bytes input) {
  const auto root = object::parse_xml(as_text(input));
  if (!root) return false;
  const std::string text = printed(*root);
  const auto again = object::parse_xml(text);
  AFTUNE_CHECK(again, "printed text is refused");
  AFTUNE_CHECK(printed(*again) == text, "printed text reads as another tree");
  return true;
}

}  // namespace aftune::fuzz
