// SPDX-License-Identifier: Apache-2.0
// Which kernels compute, and on which threads. Neither changes a bit of any result: the
// definition of every operation is docs/formats/exact-arithmetic.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/base/thread_pool.h"

namespace aftune::numerics {

/// Slowest first. kAvx512Bw is AVX-512 without VNNI, kAvx512 with it, kAmx with int8 tiles, too.
enum class Isa { kScalar, kAvx2, kAvx512Bw, kAvx512, kAmx };
inline constexpr Isa kAllIsas[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512Bw, Isa::kAvx512,
                                   Isa::kAmx};

/// "scalar", "avx2", "avx512bw", "avx512", "amx".
[[nodiscard]] std::string_view isa_name(Isa isa);
[[nodiscard]] std::optional<Isa> isa_of(std::string_view name);
/// The instruction sets that this machine runs and this build has, slowest first.
[[nodiscard]] std::vector<Isa> available_isas();
/// What keeps an instruction set from being available, as "the processor has no AMX"; empty if it
/// is. Tiles are tried in a child process and have to pass their self-test before they count.
/// Cost: a few milliseconds the first time, where the processor has tiles.
[[nodiscard]] std::string why_unavailable(Isa isa);

struct KernelSet;  // internal/kernel_set.h

/// The kernels of one instruction set and the pool that they run on.
/// Threads: as ThreadPool: one thread at a time calls operations with an engine.
class Engine {
 public:
  /// The fastest available instruction set, or the one asked for, after its self-test.
  /// Errors: kUnsupported if `isa` is not available here, or if the self-test finds a kernel
  ///         whose bits differ from the reference, naming it.
  static Result<Engine> create(std::optional<Isa> isa, ThreadPool& pool);
  /// For tests of kernels that no name chooses: takes them as they are.
  static Engine with_kernels(Isa isa, const KernelSet& kernels, ThreadPool& pool) {
    return Engine(isa, kernels, pool);
  }

  Engine(Engine&&) noexcept = default;
  [[nodiscard]] Isa isa() const { return isa_; }
  [[nodiscard]] ThreadPool& pool() const { return *pool_; }
  [[nodiscard]] const KernelSet& kernels() const { return *kernels_; }

 private:
  Engine(Isa isa, const KernelSet& kernels, ThreadPool& pool)
      : isa_(isa), kernels_(&kernels), pool_(&pool) {}

  Isa isa_;
  const KernelSet* kernels_;  // static storage
  ThreadPool* pool_;          // borrowed: outlives the engine
};

}  // namespace aftune::numerics
