// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/duration.h"

#include <fmt/format.h>

#include <cmath>

namespace aftune::cli {

std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace aftune::cli
