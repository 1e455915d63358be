// SPDX-License-Identifier: Apache-2.0
// What a benchmark of kernels runs on, and the numbers that it is fed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/numerics/engine.h"

namespace aftune::bench {

/// An engine and the pool that it borrows.
struct KernelMachine {
  std::unique_ptr<ThreadPool> pool;
  numerics::Engine engine;
};

/// Ends the program, saying why, if the self-test refuses `isa`: a wrong kernel has no speed.
KernelMachine kernel_machine(numerics::Isa isa, unsigned thread_count);

/// "SUBJECT/ISA/REST".
std::string benchmark_name(const char* subject, numerics::Isa isa, const std::string& rest);

/// Normally distributed values, the same at each call with the same seed.
std::vector<float> normal_values(std::size_t count, unsigned seed);

}  // namespace aftune::bench
