// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/run_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/trace/timeline.h"

namespace aftune::cli {
namespace {

/// Where column `c` of `columns` begins, of `count` things.
std::uint64_t begin_of(std::uint64_t c, std::uint64_t columns, std::uint64_t count) {
  return c * count / columns;
}

/// Means of neighbouring values, at most `columns` of them.
std::vector<double> means(std::span<const double> values, std::size_t columns) {
  columns = std::min(columns, values.size());
  std::vector<double> out;
  for (std::size_t c = 0; c < columns; ++c) {
    const std::size_t begin = begin_of(c, columns, values.size());
    const std::size_t end = begin_of(c + 1, columns, values.size());
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += values[i];
    out.push_back(sum / static_cast<double>(end - begin));
  }
  return out;
}

/// 'S' where a state is stored, '=' where steps are recorded, '.' where they are to come.
std::string row_of(const trace::Timeline& timeline, std::uint64_t entries, std::size_t columns) {
  std::string out;
  const std::uint64_t count = timeline.step_blocks();
  for (std::size_t c = 0; c < columns; ++c) {
    char mark = '=';
    for (std::uint64_t j = begin_of(c, columns, count); j < begin_of(c + 1, columns, count); ++j) {
      const bool recorded = timeline.position_of_step(timeline.last_step(j) - 1) < entries;
      if (!recorded) mark = '.';
      if (recorded && mark == '=' && timeline.stored(j)) mark = 'S';
    }
    out += mark;
  }
  return out;
}

std::string layers_of(const model::Partition& partition, std::uint32_t block) {
  std::string out;
  for (const std::uint32_t index : partition.segments_of(block)) {
    const model::Segment& s = partition.segments[index];
    const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
    if (s.embeds) add("embedding");
    if (s.layer_count == 1) add(fmt::format("layer {}", s.first_layer));
    if (s.layer_count > 1) {
      add(fmt::format("layers {} to {}", s.first_layer, s.first_layer + s.layer_count - 1));
    }
    if (s.heads) add("head");
  }
  return out;
}

}  // namespace

std::string loss_curve(std::span<const double> losses, std::size_t width, std::size_t height) {
  AFTUNE_CHECK(!losses.empty() && width >= 1 && height >= 2, "no curve of nothing");
  const std::vector<double> values = means(losses, width);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double range = *high - *low, last = static_cast<double>(height - 1);
  std::vector<std::string> rows(height, std::string(values.size(), ' '));
  for (std::size_t c = 0; c < values.size(); ++c) {
    const double from_top = range > 0 ? (*high - values[c]) / range * last : last;
    rows[static_cast<std::size_t>(std::lround(from_top))][c] = '*';
  }
  std::string out;
  for (std::size_t r = 0; r < height; ++r) {
    std::string& row = rows[r];
    row.erase(row.find_last_not_of(' ') + 1);
    const std::string label = r == 0            ? fmt::format("{:.4f}", *high)
                              : r + 1 == height ? fmt::format("{:.4f}", *low)
                                                : std::string();
    out += fmt::format("{:>10} |{}\n", label, row);
  }
  return out + fmt::format("{:>10} +{}\n", "", std::string(values.size(), '-'));
}

std::string grid_picture(const trace::Contract& contract, std::uint64_t entries,
                         std::size_t width) {
  const trace::Timeline timeline(contract);
  const model::Partition partition = contract.partition();
  const std::size_t columns = std::min<std::uint64_t>(width, timeline.step_blocks());
  const std::string row = row_of(timeline, entries, columns);
  std::string out = fmt::format(
      "{} layer blocks x {} step blocks of {} steps (S: from here the states are stored, = "
      "recorded, "
      ". to come)\n",
      partition.block_count, timeline.step_blocks(), contract.grid.steps_per_block);
  for (std::uint32_t block = partition.block_count; block-- > 0;) {
    out += fmt::format("{:>10} |{}|  {}\n", fmt::format("block {}", block), row,
                       layers_of(partition, block));
  }
  std::size_t edges = 0;
  const std::size_t all = partition.segments.size() - 1;
  for (std::uint32_t e = 1; e <= all; ++e) edges += timeline.edge_stored(e) ? 1 : 0;
  return out + fmt::format("{:>10}  {} of {} lines between blocks are stored at every step\n", "",
                           edges, all);
}

}  // namespace aftune::cli
