// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/engine.h"

#include <algorithm>

#include "aftune/numerics/internal/amx_support.h"
#include "aftune/numerics/internal/kernel_set.h"

namespace aftune::numerics {
namespace {

/// Empty if nothing is.
std::string what_is_missing(Isa isa);

#if defined(__x86_64__)

/// What the kernels of amx/ lack here, their own correctness included.
const std::string& why_no_amx_kernels() {
  static const std::string why = [] {
    std::string lack = why_no_tiles();
    if (lack.empty()) lack = what_is_missing(Isa::kAvx512);
    if (lack.empty()) lack = try_in_child(kAmxProductKernels);
    if (!lack.empty()) return lack;
    const Status done = self_test(kAmxProductKernels);
    return done ? std::string() : "its self-test fails: " + done.error().what;
  }();
  return why;
}

std::string what_is_missing(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "";
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                 ? ""
                 : "the processor has no AVX2 with FMA";
    case Isa::kAvx512Bw:
      return what_is_missing(Isa::kAvx2).empty() && __builtin_cpu_supports("avx512f") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vl")
                 ? ""
                 : "the processor has no AVX-512 with BW, DQ and VL";
    case Isa::kAvx512:
      return what_is_missing(Isa::kAvx512Bw).empty() && __builtin_cpu_supports("avx512vnni")
                 ? ""
                 : "the processor has no AVX-512 with VNNI";
    case Isa::kAmx:
      return why_no_amx_kernels();
  }
  return "";
}

#else

std::string what_is_missing(Isa isa) {
  return isa == Isa::kScalar ? "" : "this build is for another processor";
}

#endif

/// Requires: what_is_missing(isa) is empty.
const KernelSet& kernels_of([[maybe_unused]] Isa isa) {
  static const KernelSet scalar{kScalarProductKernels, kScalarElementwiseKernels,
                                kScalarPackedKernels};
#if defined(__x86_64__)
  static const KernelSet avx2{kAvx2ProductKernels, kAvx2ElementwiseKernels, kAvx2PackedKernels};
  static const KernelSet avx512bw{kAvx512BwProductKernels, kAvx512BwElementwiseKernels,
                                  kAvx512BwPackedKernels};
  static const KernelSet avx512{kAvx512ProductKernels, kAvx512BwElementwiseKernels,
                                kAvx512PackedKernels};
  static const KernelSet amx{kAmxProductKernels, kAvx512BwElementwiseKernels, kAvx512PackedKernels};
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512Bw) return avx512bw;
  if (isa == Isa::kAvx512) return avx512;
  if (isa == Isa::kAmx) return amx;
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
    case Isa::kAvx512Bw:
      return "avx512bw";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
  }
  return "";
}

std::optional<Isa> isa_of(std::string_view name) {
  for (const Isa isa : kAllIsas) {
    if (isa_name(isa) == name) return isa;
  }
  return std::nullopt;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (const Isa isa : kAllIsas) {
    if (what_is_missing(isa).empty()) found.push_back(isa);
  }
  return found;
}

std::string why_unavailable(Isa isa) { return what_is_missing(isa); }

Result<Engine> Engine::create(std::optional<Isa> isa, ThreadPool& pool) {
  const std::vector<Isa> available = available_isas();
  const Isa chosen = isa.value_or(available.back());
  const std::string name(isa_name(chosen));
  if (std::find(available.begin(), available.end(), chosen) == available.end()) {
    std::string what = "instruction set " + name + " is not available, this machine has";
    for (const Isa other : available) what.append(" ").append(isa_name(other));
    what.append(": ").append(what_is_missing(chosen));
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
