// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/amx_trap_testing.h"

#include <ucontext.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/numerics/amx/emulated_tiles.h"

namespace aftune::numerics {
namespace {

std::atomic<std::uint64_t> carried_out{0};

// By their numbers in an instruction.
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

/// A VEX instruction of the map 0F 38, as the manual's chapter 2.3 has it.
class Instruction {
 public:
  explicit Instruction(const greg_t* registers)
      : registers_(registers), at_(reinterpret_cast<const std::uint8_t*>(registers[REG_RIP])) {
    if (at_[0] != 0xc4 || (at_[1] & 0x1f) != 2 || (at_[2] & 0x84) != 0) return;
    prefix = at_[2] & 3;
    opcode = at_[3];
    mod = at_[4] >> 6;
    reg = at_[4] >> 3 & 7;
    rm = at_[4] & 7;
    third = ~(at_[2] >> 3) & 15;
    length = 5;
    if (mod != 3) read_address();
  }

  unsigned prefix = 0, opcode = 0, mod = 0, reg = 0, rm = 0, third = 0;
  std::size_t length = 0;  // 0: another instruction
  std::intptr_t base = 0;  // with the displacement
  std::intptr_t stride = 0;

 private:
  [[nodiscard]] std::intptr_t value(unsigned number) const {
    return static_cast<std::intptr_t>(registers_[kRegisters[number]]);
  }

  void read_address() {
    const unsigned x = (at_[1] & 0x40) == 0 ? 8 : 0;
    const unsigned b = (at_[1] & 0x20) == 0 ? 8 : 0;
    bool from_base = true, from_here = false;
    unsigned base_number = rm | b;
    if (rm == 4) {
      const unsigned sib = at_[length++];
      const unsigned index = (sib >> 3 & 7) | x;
      if (index != 4) stride = value(index) << (sib >> 6);
      base_number = (sib & 7) | b;
      from_base = mod != 0 || (sib & 7) != 5;
    } else if (mod == 0 && rm == 5) {
      from_base = false;
      from_here = true;
    }
    if (from_base) base = value(base_number);
    if (mod == 1) {
      base += static_cast<std::int8_t>(at_[length++]);
    } else if (mod == 2 || !from_base) {
      std::int32_t displacement = 0;
      std::memcpy(&displacement, at_ + length, sizeof displacement);
      length += sizeof displacement;
      base += displacement;
    }
    if (from_here)
      base += reinterpret_cast<std::intptr_t>(at_) + static_cast<std::intptr_t>(length);
  }

  const greg_t* registers_;
  const std::uint8_t* at_;
};

/// False if it is no tile instruction that is known here.
bool carry_out(const Instruction& x) {
  constexpr unsigned kPrefixF3 = 2, kPrefixF2 = 3;
  auto* memory = reinterpret_cast<void*>(x.base);
  if (x.opcode == 0x49 && x.prefix == 0 && x.mod != 3 && x.reg == 0) {
    TileConfig config;
    std::memcpy(&config, memory, sizeof config);
    tile_registers.configure(config);
  } else if (x.opcode == 0x49 && x.prefix == 0 && x.mod == 3 && x.reg == 0 && x.rm == 0) {
    tile_registers.release();
  } else if (x.opcode == 0x49 && x.prefix == kPrefixF2 && x.mod == 3 && x.rm == 0) {
    tile_registers.zero(x.reg);
  } else if (x.opcode == 0x4b && x.prefix == kPrefixF2 && x.mod != 3 && x.rm == 4) {
    tile_registers.load(x.reg, memory, x.stride);
  } else if (x.opcode == 0x4b && x.prefix == kPrefixF3 && x.mod != 3 && x.rm == 4) {
    tile_registers.store(x.reg, memory, x.stride);
  } else if (x.opcode == 0x5e && x.prefix == kPrefixF2 && x.mod == 3) {
    tile_registers.dot(x.reg, x.rm, x.third);
  } else {
    return false;
  }
  return true;
}

void handle(int number, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const Instruction instruction(registers);
  if (instruction.length == 0 || !carry_out(instruction)) {
    signal(number, SIG_DFL);  // it comes again, and ends the program
    return;
  }
  registers[REG_RIP] += static_cast<greg_t>(instruction.length);
  carried_out.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

TrappedTiles::TrappedTiles() {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  AFTUNE_CHECK(sigaction(SIGILL, &action, &before_) == 0, "no handler for tile instructions");
}

TrappedTiles::~TrappedTiles() { (void)sigaction(SIGILL, &before_, nullptr); }

std::uint64_t TrappedTiles::count() { return carried_out; }

}  // namespace aftune::numerics
