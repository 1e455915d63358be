// SPDX-License-Identifier: Apache-2.0
// `aftune env`: what a bug report should say about the machine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <thread>

#include "aftune/cli/commands.h"
#include "aftune/cli/machine.h"

namespace aftune::cli {
namespace {

Exit run_env(const MachineArgs& args) {
  const auto machine = make_machine(args);
  if (!machine) return report("env", machine.error());
  std::string found, lacking;
  for (const numerics::Isa isa : numerics::kAllIsas) {
    const std::string why = numerics::why_unavailable(isa);
    const auto name = numerics::isa_name(isa);
    if (why.empty()) found += fmt::format("{}{}", found.empty() ? "" : ", ", name);
    if (!why.empty()) lacking += fmt::format("not available     {}: {}\n", name, why);
  }
  std::cout << "aftune            0.1.0\n"
            << "exact arithmetic  1\n"
            << fmt::format("compiler          {}\n", __VERSION__)
            << fmt::format("processors        {}\n", std::thread::hardware_concurrency())
            << fmt::format("threads used      {}\n", machine->pool->thread_count())
            << fmt::format("instruction sets  {}\n", found) << lacking
            << fmt::format("used              {} (self-test passed)\n",
                           numerics::isa_name(machine->engine.isa()));
  return Exit::kOk;
}

}  // namespace

Command add_env(CLI::App& app) {
  auto args = std::make_shared<MachineArgs>();
  auto* cmd = app.add_subcommand("env", "Versions and instruction sets, for bug reports");
  cmd->footer("Example:\n  aftune env");
  add_machine_options(*cmd, *args);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_env(*args); }};
}

}  // namespace aftune::cli
