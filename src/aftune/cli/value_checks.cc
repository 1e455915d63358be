// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/value_checks.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace aftune::cli {

std::string check_whole_number(const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end) return {};
  return "\"" + text + "\" is no whole number from 0 to 2^64 - 1";
}

std::string check_finite(const std::string& text) {
  char* stop = nullptr;
  const double value = std::strtod(text.c_str(), &stop);
  if (!text.empty() && *stop == '\0' && std::isfinite(value)) return {};
  return "\"" + text + "\" is no finite number";
}

void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 0 || option->check_name("--prompt")) continue;
    option->check([](const std::string& text) {
      return text.empty() ? std::string("the value is empty") : std::string();
    });
  }
  for (CLI::App* command : app.get_subcommands({})) refuse_empty_values(*command);
}

}  // namespace aftune::cli
