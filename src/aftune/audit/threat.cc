// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/threat.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "aftune/base/log_line.h"

namespace aftune::audit {
namespace {

enum class Strength { kNone, kCount, kShare };

struct Known {
  std::string_view name;
  ThreatKind kind;
  Strength strength;
};

constexpr Known kThreats[] = {
    {"blocks", ThreatKind::kBlocks, Strength::kCount},
    {"edited-state", ThreatKind::kEditedState, Strength::kCount},
    {"activation", ThreatKind::kActivation, Strength::kCount},
    {"steps-skipped", ThreatKind::kStepsSkipped, Strength::kShare},
    {"samples-poisoned", ThreatKind::kSamplesPoisoned, Strength::kShare},
    {"layers-replaced", ThreatKind::kLayersReplaced, Strength::kCount},
    {"parameters-edited", ThreatKind::kParametersEdited, Strength::kShare},
    {"model-swapped", ThreatKind::kModelSwapped, Strength::kNone},
    {"everywhere", ThreatKind::kEverywhere, Strength::kNone},
};

const Known& known(ThreatKind kind) {
  return *std::find_if(std::begin(kThreats), std::end(kThreats),
                       [&](const Known& k) { return k.kind == kind; });
}

std::string names() {
  std::string out;
  for (const Known& k : kThreats) {
    out += fmt::format("{}{}{}", out.empty() ? "" : ", ", k.name,
                       k.strength == Strength::kNone    ? ""
                       : k.strength == Strength::kCount ? "=COUNT"
                                                        : "=SHARE");
  }
  return out;
}

template <typename Number>
bool reads(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

/// ceil(share * whole), at least 1: a product that is whole but for its rounding counts as whole.
std::uint64_t share_of(double share, std::uint64_t whole) {
  const double exact = share * static_cast<double>(whole);
  const double up = std::ceil(exact - 1e-9 * std::max(1.0, exact));
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(up), 1, whole);
}

/// `count` bad blocks anywhere: spread evenly over strata, outside the input as far as they go.
Result<BadBlocks> anywhere(std::uint64_t count, const PlanGrid& grid) {
  const std::uint64_t rows = grid.layer_block_count(), columns = grid.step_block_count();
  if (count > rows * columns) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} bad blocks, the grid has {} blocks", count, rows * columns)};
  }
  BadBlocks out(rows, 0);
  if (grid.strategy == trace::Strategy::kInputBlocks) {
    for (std::uint64_t i = rows; i-- > 0;) {
      out[i] = std::min(count, columns);
      count -= out[i];
    }
    return out;
  }
  for (std::uint64_t i = 0; i < rows; ++i) out[i] = count / rows + (i < count % rows);
  return out;
}

/// `each` bad blocks in `count` layer blocks, the first one last.
BadBlocks in_layer_blocks(std::uint64_t count, std::uint64_t each, const PlanGrid& grid) {
  const std::uint64_t rows = grid.layer_block_count();
  BadBlocks out(rows, 0);
  for (std::uint64_t i = 0; i < std::min(count, rows); ++i) out[(i + 1) % rows] = each;
  return out;
}

/// The fewest layer blocks that hold the share of all parameters; without the first if it can be.
BadBlocks with_parameters(double share, const PlanGrid& grid) {
  std::vector<std::uint64_t> sizes;
  for (const LayerBlock& block : grid.layer_blocks) sizes.push_back(block.parameters);
  const std::uint64_t needed = share_of(share, std::accumulate(sizes.begin(), sizes.end(), 0UL));
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto larger = [&](std::size_t a, std::size_t b) { return sizes[a] > sizes[b]; };
  const bool spare_first = grid.strategy == trace::Strategy::kInputBlocks &&
                           std::accumulate(sizes.begin(), sizes.end(), 0UL) - sizes[0] >= needed;
  std::stable_sort(order.begin() + (spare_first ? 1 : 0), order.end(), larger);
  if (spare_first) std::rotate(order.begin(), order.begin() + 1, order.end());
  BadBlocks out(sizes.size(), 0);
  std::uint64_t held = 0;
  for (const std::size_t i : order) {
    if (held >= needed) break;
    out[i] = 1;
    held += sizes[i];
  }
  return out;
}

}  // namespace

Result<Threat> parse_threat(std::string_view text) {
  const std::size_t at = text.find('=');
  const std::string_view name = text.substr(0, at);
  const auto* found = std::find_if(std::begin(kThreats), std::end(kThreats),
                                   [&](const Known& k) { return k.name == name; });
  if (found == std::end(kThreats)) {
    return Error{Code::kInvalidInput,
                 fmt::format("\"{}\" is no threat, known: {}", printable(text), names())};
  }
  Threat out{found->kind, 0, 0};
  const std::string_view value = at == text.npos ? std::string_view() : text.substr(at + 1);
  bool fits = false;
  switch (found->strength) {
    case Strength::kNone:
      fits = at == text.npos;
      break;
    case Strength::kCount:
      fits = reads(value, out.count) && out.count > 0;
      break;
    case Strength::kShare:
      fits = reads(value, out.share) && out.share > 0 && out.share <= 1;
      break;
  }
  if (fits) return out;
  return Error{Code::kInvalidInput,
               fmt::format("threat \"{}\": {} {}", printable(text), name,
                           found->strength == Strength::kNone    ? "takes no value"
                           : found->strength == Strength::kCount ? "needs a count from 1"
                                                                 : "needs a share above 0, at "
                                                                   "most 1")};
}

std::string spell_threat(const Threat& threat) {
  const Known& k = known(threat.kind);
  switch (k.strength) {
    case Strength::kNone:
      return std::string(k.name);
    case Strength::kCount:
      return fmt::format("{}={}", k.name, threat.count);
    case Strength::kShare:
      return fmt::format("{}={}", k.name, threat.share);
  }
  return std::string(k.name);
}

Result<BadBlocks> bad_blocks(const Threat& threat, const PlanGrid& grid) {
  const std::uint64_t rows = grid.layer_block_count(), columns = grid.step_block_count();
  const auto step_blocks_with = [&](std::uint64_t things, std::uint64_t a_step_block) {
    return std::min(columns, (things + a_step_block - 1) / a_step_block);
  };
  switch (threat.kind) {
    case ThreatKind::kBlocks:
    case ThreatKind::kEditedState:
    case ThreatKind::kActivation:
      return anywhere(threat.count, grid);
    case ThreatKind::kStepsSkipped:
      return BadBlocks(rows,
                       step_blocks_with(share_of(threat.share, grid.steps), grid.steps_per_block));
    case ThreatKind::kSamplesPoisoned: {
      BadBlocks out(rows, 0);
      out[0] = step_blocks_with(share_of(threat.share, grid.steps * grid.samples),
                                grid.steps_per_block * grid.samples);
      return out;
    }
    case ThreatKind::kLayersReplaced:
      if (threat.count > grid.layers) {
        return Error{Code::kInvalidInput, fmt::format("{} layers replaced, the model has {} layers",
                                                      threat.count, grid.layers)};
      }
      return in_layer_blocks((threat.count + grid.layers_per_block - 1) / grid.layers_per_block,
                             columns, grid);
    case ThreatKind::kParametersEdited:
      return with_parameters(threat.share, grid);
    case ThreatKind::kModelSwapped:
      return in_layer_blocks(rows, 1, grid);
    case ThreatKind::kEverywhere:
      return in_layer_blocks(rows, columns, grid);
  }
  return Error{Code::kInvalidInput, "unknown threat"};
}

}  // namespace aftune::audit
