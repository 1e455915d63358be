// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "aftune/base/thread_pool.h"
#include "aftune/numerics/engine.h"

namespace CLI {
class App;
}

namespace aftune::cli {

/// --threads and --isa, or AFTUNE_THREADS and AFTUNE_ISA. Neither changes a bit of a result.
struct MachineArgs {
  unsigned threads = 0;  // 0: all that the machine offers
  std::string isa;       // empty: the fastest
};
void add_machine_options(CLI::App& command, MachineArgs& args);

/// The pool and the kernels of one command.
struct Machine {
  std::unique_ptr<ThreadPool> pool;
  numerics::Engine engine;
};
/// Errors: kInvalidInput for an unknown name, kUnsupported for one that this machine lacks.
Result<Machine> make_machine(const MachineArgs& args);

}  // namespace aftune::cli
