// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/engine.h"

#include <algorithm>

#include "aftune/numerics/internal/kernel_set.h"

namespace aftune::numerics {
namespace {

bool runs_here(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return runs_here(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  }
  return false;
#else
  return isa == Isa::kScalar;
#endif
}

/// Requires: runs_here(isa).
const KernelSet& kernels_of([[maybe_unused]] Isa isa) {
  static const KernelSet scalar{kScalarProductKernels, kScalarElementwiseKernels,
                                kScalarPackedKernels};
#if defined(__x86_64__)
  static const KernelSet avx2{kAvx2ProductKernels, kAvx2ElementwiseKernels, kAvx2PackedKernels};
  static const KernelSet avx512{kAvx512ProductKernels, kAvx512ElementwiseKernels,
                                kAvx512PackedKernels};
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512) return avx512;
#endif
  return scalar;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "";
}

std::optional<Isa> isa_of(std::string_view name) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (isa_name(isa) == name) return isa;
  }
  return std::nullopt;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (runs_here(isa)) found.push_back(isa);
  }
  return found;
}

Result<Engine> Engine::create(std::optional<Isa> isa, ThreadPool& pool) {
  const std::vector<Isa> available = available_isas();
  const Isa chosen = isa.value_or(available.back());
  const std::string name(isa_name(chosen));
  if (std::find(available.begin(), available.end(), chosen) == available.end()) {
    std::string what = "instruction set " + name + " is not available, this machine has";
    for (const Isa other : available) what.append(" ").append(isa_name(other));
    return Error{Code::kUnsupported, what};
  }
  const KernelSet& kernels = kernels_of(chosen);
  if (chosen != Isa::kScalar) {
    AFTUNE_TRY(self_test(kernels.product).in("self-test of " + name));
    AFTUNE_TRY(self_test(kernels.elementwise).in("self-test of " + name));
    AFTUNE_TRY(self_test(kernels.packed).in("self-test of " + name));
  }
  return Engine(chosen, kernels, pool);
}

}  // namespace aftune::numerics
