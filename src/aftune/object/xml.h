// SPDX-License-Identifier: Apache-2.0
// As much of XML as an S3 server's answers have: docs/formats/object-storage.md, "Requests".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"

namespace aftune::object {

/// An element; attributes are read over.
struct XmlElement {
  std::string name;  // without a name space's prefix
  std::string text;  // all character data directly inside
  std::vector<XmlElement> children;

  /// The first child of this name, or null.
  [[nodiscard]] const XmlElement* child(std::string_view child_name) const;
  /// The text of that child, or nothing.
  [[nodiscard]] std::string text_of(std::string_view child_name) const;
};

inline constexpr std::size_t kMaxXmlDepth = 16;

/// The root element. Errors: kInvalidInput for bytes that are not the page's XML.
Result<XmlElement> parse_xml(std::string_view text);

/// The five characters that XML needs escaped.
std::string xml_escaped(std::string_view text);

}  // namespace aftune::object
