// SPDX-License-Identifier: Apache-2.0
// The built program as another process: what it prints, and how it ends.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "aftune/base/file.h"

namespace aftune::program {

struct Outcome {
  int exit = -1;  // -1 if a signal ended it
  std::string out, err;
};

/// The surroundings of a call.
struct Around {
  std::uint64_t file_bytes = std::numeric_limits<std::uint64_t>::max();  // no file grows beyond
  bool powerless = false;  // no rights beyond those of anybody: for tests that run as root
  Path out_to;             // standard output, if not empty
  std::vector<std::string> environment;  // NAME=value, beside this process's own
};

/// Whether a powerless call can be made here: this user is not root, or may become another.
bool can_be_powerless();

/// Runs the program that CMake names in AFTUNE_PROGRAM.
Outcome aftune(const std::vector<std::string>& arguments, const Around& around = {});

/// It ended with `exit`, answered nothing, and said what is wrong in one line of standard error
/// (two for a mistake in the flags) that names all of `names`.
::testing::AssertionResult refused(const Outcome& outcome, int exit,
                                   const std::vector<std::string>& names);

/// It ended well.
::testing::AssertionResult done(const Outcome& outcome);

}  // namespace aftune::program
