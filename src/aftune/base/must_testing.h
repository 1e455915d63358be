// SPDX-License-Identifier: Apache-2.0
// For steps that a test only prepares with: ends the test program with the error.
#pragma once

#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/result.h"

namespace aftune {

inline void must(const Status& status) {
  AFTUNE_CHECK(status.has_value(), status ? "" : status.error().what);
}

template <typename T>
T must(Result<T> result) {
  AFTUNE_CHECK(result.has_value(), result ? "" : result.error().what);
  return *std::move(result);
}

}  // namespace aftune
