// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/amx_support.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "aftune/numerics/amx_testing.h"
#include "aftune/numerics/internal/kernel_set.h"

namespace aftune::numerics {
namespace {

constexpr std::uint64_t kAllState = 0x600e7;  // as a system with AMX has it

TEST(AmxSupport, EachThingThatIsMissingIsNamed) {
  EXPECT_EQ(why_no_tiles(TileFacts{true, true, kAllState, 0}), "");
  const struct {
    TileFacts facts;
    const char* expected;
  } lacks[] = {
      {{}, "the processor has no AMX"},
      {{false, true, kAllState, 0}, "the processor has no AMX"},
      {{true, false, kAllState, 0}, "int8"},
      {{true, true, 0, 0}, "does not switch AMX on"},
      {{true, true, 0xe7, 0}, "does not switch AMX on"},     // AVX-512 alone
      {{true, true, 0x200e7, 0}, "does not switch AMX on"},  // configuration, but no data
      {{true, true, 0x400e7, 0}, "does not switch AMX on"},
      {{true, true, kAllState, EINVAL}, "does not permit AMX: Invalid argument"},
  };
  for (const auto& lack : lacks) {
    EXPECT_NE(why_no_tiles(lack.facts).find(lack.expected), std::string::npos)
        << why_no_tiles(lack.facts) << ", expected " << lack.expected;
  }
}

TEST(AmxSupport, TheTrialPassesKernelsWhoseSumsAreRight) {
  EXPECT_EQ(try_in_child(kScalarProductKernels), "");
  if (can_emulate_amx()) {
    EXPECT_EQ(try_in_child(emulated_amx_products()), "");
  }
}

TEST(AmxSupport, TheTrialRefusesWithoutEndingThisProcess) {
  struct Lie {
    const char* name;
    const char* expected;
    void (*apply)(ProductKernels&);
  };
  const Lie lies[] = {
      {"an instruction that is not there", "signal 4",
       [](ProductKernels& k) {
         k.tile = [](const std::byte*, const std::byte*, std::size_t, float*) { asm("ud2"); };
       }},
      {"memory that is not there", "signal",
       [](ProductKernels& k) { k.begin = [] { raise(SIGSEGV); }; }},
      {"one sum that is wrong", "other sums",
       [](ProductKernels& k) {
         k.tile = [](const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
           kScalarProductKernels.tile(a, b, depth, out);
           out[kScalarProductKernels.a_rows * kScalarProductKernels.b_rows - 1] += 1.0F;
         };
       }},
      {"nothing done", "other sums",
       [](ProductKernels& k) {
         k.tile = [](const std::byte*, const std::byte*, std::size_t, float*) {};
       }},
      {"values refused", "other sums",
       [](ProductKernels& k) {
         k.pack_a = [](const float*, std::size_t, std::size_t, std::size_t, Exponents, std::byte*) {
           return false;
         };
       }},
      {"no end", "signal 14",
       [](ProductKernels& k) {
         k.begin = [] {
           for (;;) pause();
         };
       }},
  };
  for (const Lie& lie : lies) {
    ProductKernels broken = kScalarProductKernels;
    lie.apply(broken);
    const std::string why = try_in_child(broken, 1);
    EXPECT_NE(why.find(lie.expected), std::string::npos) << lie.name << ": " << why;
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(AmxSupport, TheTrialOfTileInstructionsEndsInTheChildWhereTheyAreMissing) {
  if (!can_emulate_amx()) GTEST_SKIP() << "the rest of the kernel needs AVX-512";
  const std::string lack = why_no_tiles();
  if (lack.empty()) {
    EXPECT_EQ(try_in_child(kAmxProductKernels), "");
  } else {
    EXPECT_NE(try_in_child(kAmxProductKernels).find("signal 4"), std::string::npos) << lack;
  }
}

}  // namespace
}  // namespace aftune::numerics
