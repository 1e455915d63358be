// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/amx_support.h"

#include <cpuid.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "aftune/numerics/internal/scratch.h"

namespace aftune::numerics {
namespace {

// Linux, asm/prctl.h and asm/fpu/types.h, which older headers lack.
constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
constexpr std::uint64_t kTileState = 3U << 17;

constexpr std::size_t kTrialDepth = 200;  // not a multiple of what a tile takes

std::uint64_t saved_state() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kOsxsave = 1U << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsxsave) == 0) return 0;
  std::uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

TileFacts facts_of_this_machine() {
  TileFacts facts;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return facts;
  facts.has_tiles = (d >> 24 & 1) != 0;
  facts.has_int8 = (d >> 25 & 1) != 0;
  facts.saved_state = saved_state();
  // Asked for only where it can be had: the answer elsewhere says nothing.
  if (why_no_tiles(facts).empty() && syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0) {
    facts.permission_error = errno;
  }
  return facts;
}

// Bytes h and l of A, h alone of B, so that the sums are the exact products.
float trial_a(std::size_t row) { return 4097.0F + static_cast<float>(row % 7); }
float trial_b(std::size_t row) { return static_cast<float>(row % 5) - 2.0F; }

/// Memory for one product of a whole panel of A with one of B.
struct Trial {
  explicit Trial(const ProductKernels& kernels) {
    const std::size_t rows = std::max(kernels.a_rows, kernels.b_rows);
    a.resize(rows * kTrialDepth);
    b.resize(rows * kTrialDepth);
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = trial_a(i / kTrialDepth);
      b[i] = trial_b(i / kTrialDepth);
    }
    panel_a = memory_a.at_least(kernels.a_panel_bytes);
    panel_b = memory_b.at_least(kernels.b_panel_bytes);
    sums = memory_sums.floats(kernels.a_rows * kernels.b_rows);
    std::fill_n(sums, kernels.a_rows * kernels.b_rows, 0.0F);
  }

  /// In the child: nothing here takes memory or a lock, which another thread may have held.
  bool passes(const ProductKernels& kernels) {
    if (!kernels.pack_a(a.data(), kTrialDepth, kernels.a_rows, kTrialDepth, Exponents::kChosen,
                        panel_a) ||
        !kernels.pack_b(b.data(), kTrialDepth, kernels.b_rows, kTrialDepth, Exponents::kChosen,
                        panel_b)) {
      return false;
    }
    if (kernels.begin != nullptr) kernels.begin();
    kernels.tile(panel_a, panel_b, kTrialDepth, sums);
    if (kernels.end != nullptr) kernels.end();
    for (std::size_t i = 0; i < kernels.a_rows; ++i) {
      for (std::size_t j = 0; j < kernels.b_rows; ++j) {
        const float expected = static_cast<float>(kTrialDepth) * trial_a(i) * trial_b(j);
        if (sums[i * kernels.b_rows + j] != expected) return false;
      }
    }
    return true;
  }

  std::vector<float> a, b;
  Scratch memory_a, memory_b, memory_sums;
  std::byte* panel_a;
  std::byte* panel_b;
  float* sums;
};

/// The child's part. No handler of this program, no core file, no endless loop.
[[noreturn]] void run_child(const ProductKernels& kernels, Trial& trial, unsigned limit_s) {
  for (const int number : {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT, SIGALRM}) {
    signal(number, SIG_DFL);
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  alarm(limit_s);
  _exit(trial.passes(kernels) ? 0 : 1);
}

}  // namespace

std::string why_no_tiles(const TileFacts& facts) {
  if (!facts.has_tiles) return "the processor has no AMX";
  if (!facts.has_int8) return "the processor's AMX has no int8";
  if ((facts.saved_state & kTileState) != kTileState) return "the system does not switch AMX on";
  if (facts.permission_error != 0) {
    return std::string("the system does not permit AMX: ") + std::strerror(facts.permission_error);
  }
  return "";
}

std::string why_no_tiles() { return why_no_tiles(facts_of_this_machine()); }

std::string try_in_child(const ProductKernels& kernels, unsigned limit_s) {
  Trial trial(kernels);
  const pid_t child = fork();
  if (child < 0) return std::string("no process for a trial of it: ") + std::strerror(errno);
  if (child == 0) run_child(kernels, trial, limit_s);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return std::string("its trial was lost: ") + std::strerror(errno);
  }
  if (WIFSIGNALED(status)) {
    return "its trial in a child process ended by signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : "its trial in a child process gave other sums";
}

}  // namespace aftune::numerics
