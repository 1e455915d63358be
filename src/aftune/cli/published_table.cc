// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/published_table.h"

#include <cmath>

#include "aftune/audit/detection.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kBatch = 16, kPoisoned = 205;  // 10 % of 2048 samples

/// How the table counts the job.
struct Count {
  std::uint64_t modules, steps;
  bool ragged;         // a last block of fewer modules is a block
  bool share_of_rows;  // a share drawn from the input blocks is one of these

  [[nodiscard]] std::uint64_t layer_blocks(std::uint64_t size) const {
    return (modules + (ragged ? size - 1 : 0)) / size;
  }
};

constexpr Count kPublished{34, 136, false, false}, kRight{35, 128, true, true};

std::uint64_t up(double value) { return static_cast<std::uint64_t>(std::ceil(value - 1e-9)); }

std::uint64_t nearest(double value) {
  return static_cast<std::uint64_t>(std::nearbyint(value));  // halves to even
}

enum class Attack { kUnderTraining, kPoisoning, kSubstitution, kTampering };

struct Line {
  Attack attack;
  double strength;
  std::uint64_t layers, steps;  // in a block
  double share;                 // of blocks drawn
  bool input_only = false;
};

TableDraw draw_of(const Line& line, const Count& count) {
  const std::uint64_t rows = count.layer_blocks(line.layers), columns = count.steps / line.steps;
  TableDraw out{rows * columns, 0, 0};
  out.drawn = nearest(line.share * static_cast<double>(out.blocks));
  switch (line.attack) {
    case Attack::kUnderTraining:
      out.bad = nearest(line.strength * static_cast<double>(out.blocks));
      break;
    case Attack::kPoisoning:
      out.bad = (kPoisoned + kBatch * line.steps - 1) / (kBatch * line.steps);
      break;
    case Attack::kSubstitution:
    case Attack::kTampering:
      out.bad =
          up(static_cast<double>(count.modules) * line.strength / static_cast<double>(line.layers));
      break;
  }
  if (!line.input_only) return out;
  if (count.share_of_rows) out.drawn = nearest(line.share * static_cast<double>(columns));
  out.blocks = columns;
  return out;
}

struct Words {
  const char *attack, *strength;
};

Words words_of(const Line& line) {
  const bool more = line.strength == 0.5 || line.strength == 1 || line.strength == 0.2;
  switch (line.attack) {
    case Attack::kUnderTraining:
      return {"under-training", more ? "50 % of the steps skipped" : "25 % of the steps skipped"};
    case Attack::kPoisoning:
      return {"data poisoning", "10 % of the samples"};
    case Attack::kSubstitution:
      return {"model substitution", more ? "100 % of the layers" : "75 % of the layers"};
    case Attack::kTampering:
      return {"parameter tampering", more ? "20 % of the parameters" : "10 % of the parameters"};
  }
  return {"", ""};
}

}  // namespace

double TableDraw::probability() const { return audit::detection_probability(blocks, bad, drawn); }

std::vector<TableRow> published_table() {
  constexpr Line kLines[] = {
      {Attack::kUnderTraining, 0.50, 4, 8, 0.05}, {Attack::kUnderTraining, 0.25, 4, 8, 0.05},
      {Attack::kPoisoning, 0.10, 4, 8, 0.20},     {Attack::kPoisoning, 0.10, 4, 8, 0.10, true},
      {Attack::kPoisoning, 0.10, 4, 4, 0.20},     {Attack::kPoisoning, 0.10, 4, 4, 0.10, true},
      {Attack::kSubstitution, 1.00, 4, 8, 0.20},  {Attack::kSubstitution, 0.75, 4, 8, 0.20},
      {Attack::kSubstitution, 1.00, 2, 8, 0.20},  {Attack::kSubstitution, 0.75, 2, 8, 0.20},
      {Attack::kTampering, 0.20, 4, 8, 0.30},     {Attack::kTampering, 0.10, 4, 8, 0.50},
      {Attack::kTampering, 0.20, 2, 8, 0.30},     {Attack::kTampering, 0.10, 2, 8, 0.50},
  };
  std::vector<TableRow> out;
  for (const Line& line : kLines) {
    const Words words = words_of(line);
    out.push_back({words.attack, words.strength, line.input_only ? "input only" : "uniform",
                   line.layers, line.steps, draw_of(line, kPublished), draw_of(line, kRight)});
  }
  return out;
}

}  // namespace aftune::cli
