// SPDX-License-Identifier: Apache-2.0
// usage: aftune_exact_digests [--isa NAME | --isa emulated-amx] [--threads N] | --list
//
// Prints a digest of every operation of docs/formats/exact-arithmetic.md, one a line. The output
// is the same for every instruction set, number of threads and processor: tests/exact/README.md.
// Needs no other library, so that it can be built for a machine that is only emulated.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "exact/digests.h"
#if defined(AFTUNE_EMULATED_AMX)
#include "aftune/numerics/amx_testing.h"
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace aftune::exact {
namespace {

constexpr int kOtherTrouble = 1;
constexpr int kUsage = 2;

constexpr std::string_view kEmulatedAmx = "emulated-amx";  // of tests, on machines without AMX

#if defined(AFTUNE_EMULATED_AMX)
bool has_emulated_amx() { return numerics::can_emulate_amx(); }
numerics::Engine emulated_amx(ThreadPool& pool) { return numerics::emulated_amx_engine(pool); }
#else
bool has_emulated_amx() { return false; }
Result<numerics::Engine> emulated_amx(ThreadPool&) {
  return Error{Code::kUnsupported, "this build has no emulated tiles"};
}
#endif

struct Options {
  std::optional<numerics::Isa> isa;
  bool emulated_amx = false;
  unsigned threads = 1;
};

std::optional<Options> parse(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = words[i], value = words[i + 1];
    if (name == "--isa" && value == kEmulatedAmx && has_emulated_amx()) {
      options.emulated_amx = true;
    } else if (name == "--isa") {
      options.isa = numerics::isa_of(value);
      if (!options.isa) return std::nullopt;
    } else if (name == "--threads") {
      const auto end = value.data() + value.size();
      const auto [rest, error] = std::from_chars(value.data(), end, options.threads);
      if (error != std::errc() || rest != end || options.threads < 1) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return count % 2 == 1 ? std::optional(options) : std::nullopt;
}

/// As a library may leave it: subnormal numbers flushed to zero. The pool must set it right.
void spoil_float_environment() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
  std::uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  asm volatile("msr fpcr, %0" ::"r"(fpcr | std::uint64_t{1} << 24));
#endif
}

void print_all(const numerics::Engine& engine) {
  scalar_digests();
  product_digests(engine);
  attention_digests(engine);
  full_attention_digests(engine);
  packed_digests(engine);
  elementwise_digests(engine);
  sweep_digests(engine);
  loss_digests(engine);
  update_digests(engine);
  training_digests(engine);
}

int run(int count, char** words) {
  if (count == 2 && std::string_view(words[1]) == "--list") {
    for (const numerics::Isa isa : numerics::available_isas()) {
      std::printf("%s\n", std::string(numerics::isa_name(isa)).c_str());
    }
    if (has_emulated_amx()) std::printf("%s\n", std::string(kEmulatedAmx).c_str());
    return 0;
  }
  const auto options = parse(count, words);
  if (!options) {
    std::fputs("usage: aftune_exact_digests [--isa NAME] [--threads N] | --list\n", stderr);
    return kUsage;
  }
  spoil_float_environment();
  ThreadPool pool(options->threads);
  const Result<numerics::Engine> engine =
      options->emulated_amx ? emulated_amx(pool) : numerics::Engine::create(options->isa, pool);
  if (!engine) {
    std::fprintf(stderr, "aftune_exact_digests: %s\n", engine.error().what.c_str());
    return kOtherTrouble;
  }
  print_all(*engine);
  return std::fflush(stdout) == 0 ? 0 : kOtherTrouble;
}

}  // namespace
}  // namespace aftune::exact

int main(int count, char** words) { return aftune::exact::run(count, words); }
