// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/machine.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

namespace aftune::cli {

namespace {

std::string all_isas() {
  std::string names;
  for (const numerics::Isa isa : numerics::kAllIsas) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", numerics::isa_name(isa));
  }
  return names;
}

}  // namespace

void add_machine_options(CLI::App& command, MachineArgs& args) {
  command.add_option("--threads", args.threads, "Compute threads (default: all processors)")
      ->envname("AFTUNE_THREADS")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--isa", args.isa,
                  "Instruction set: scalar, avx2, avx512bw, avx512 or amx (default: fastest)")
      ->envname("AFTUNE_ISA");
}

Result<Machine> make_machine(const MachineArgs& args) {
  std::optional<numerics::Isa> isa;
  if (!args.isa.empty()) {
    isa = numerics::isa_of(args.isa);
    if (!isa) {
      return Error{Code::kInvalidInput,
                   fmt::format("unknown instruction set \"{}\", known: {}", args.isa, all_isas())};
    }
  }
  const unsigned threads =
      args.threads != 0 ? args.threads : std::max(1U, std::thread::hardware_concurrency());
  auto pool = std::make_unique<ThreadPool>(threads);
  AFTUNE_TRY(numerics::Engine engine, numerics::Engine::create(isa, *pool));
  return Machine{std::move(pool), std::move(engine)};
}

}  // namespace aftune::cli
