// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/result.h"
#include "aftune/codec/json_reader.h"

namespace aftune::text {

/// The member `type` of a tokenizer.json component. Errors: kInvalidInput.
inline Result<std::string> component_type(codec::JsonReader& component) {
  return component.string("type");
}

inline Error unsupported_type(const codec::JsonReader& component, std::string_view type) {
  return {Code::kUnsupported,
          component.path() + ": type " + std::string(type) + " is not supported"};
}

/// Errors: kUnsupported, naming both places, unless the component's type is `type`.
inline Status expect_type(codec::JsonReader& component, std::string_view type) {
  AFTUNE_TRY(const std::string found, component_type(component));
  if (found != type) return unsupported_type(component, found);
  return ok();
}

}  // namespace aftune::text
