// SPDX-License-Identifier: Apache-2.0
// The detection table of the published implementation, as it stands and counted right:
// docs/guides/plan.md, "The published table".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace aftune::cli {

/// One draw: `drawn` of `blocks`, `bad` of them bad.
struct TableDraw {
  std::uint64_t blocks = 0, bad = 0, drawn = 0;
  [[nodiscard]] double probability() const;
};

struct TableRow {
  std::string attack, strength, strategy;
  std::uint64_t layers_per_block = 0, steps_per_block = 0;
  TableDraw published, right;
};

std::vector<TableRow> published_table();

}  // namespace aftune::cli
