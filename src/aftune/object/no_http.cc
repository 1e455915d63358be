// SPDX-License-Identifier: Apache-2.0
// Built in place of curl_http.cc with AFTUNE_S3=OFF.
#include "aftune/object/http.h"

namespace aftune::object {

Result<std::unique_ptr<Http>> make_http(HttpLimits /*limits*/) {
  return Error{Code::kUnsupported, "this build has no object storage (AFTUNE_S3=OFF)"};
}

}  // namespace aftune::object
