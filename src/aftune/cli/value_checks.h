// SPDX-License-Identifier: Apache-2.0
// What values of flags must be, whatever the flag. Each check answers an error, or nothing.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace aftune::cli {

/// A whole number from 0 that 64 bits hold.
std::string check_whole_number(const std::string& text);

/// A number that is neither infinite nor "not a number".
std::string check_finite(const std::string& text);

/// An empty value is a slip, such as a variable that was never set: no flag or argument of `app`
/// and its commands takes one, but --prompt, whose command says what is wrong with it.
void refuse_empty_values(CLI::App& app);

}  // namespace aftune::cli
