// SPDX-License-Identifier: Apache-2.0
// A run drawn with characters: the loss over the steps, and the grid of blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "aftune/trace/contract.h"

namespace aftune::cli {

/// One column for each step, or for the mean of neighbouring ones; lines end with a line feed.
/// Requires: at least one loss, all finite.
std::string loss_curve(std::span<const double> losses, std::size_t width = 72,
                       std::size_t height = 12);

/// Layer blocks from the last one down, step blocks from left to right. `entries` of the log are
/// there.
std::string grid_picture(const trace::Contract& contract, std::uint64_t entries,
                         std::size_t width = 72);

}  // namespace aftune::cli
