// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/http.h"

namespace aftune::object {

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

}  // namespace aftune::object
