// SPDX-License-Identifier: Apache-2.0
// Fixed-width integers in stated byte order, from and to unaligned bytes.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace aftune {

static_assert(std::endian::native == std::endian::little,
              "tensor bytes are little-endian in memory; a big-endian port must convert");

/// Reads a little-endian unsigned integer. Requires: sizeof(T) readable bytes at `from`.
template <std::unsigned_integral T>
T load_le(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// The little-endian bytes of `value`.
template <std::unsigned_integral T>
std::array<std::uint8_t, sizeof(T)> store_le(T value) {
  std::array<std::uint8_t, sizeof(T)> out;
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

/// The big-endian bytes of `value`.
template <std::unsigned_integral T>
std::array<std::uint8_t, sizeof(T)> store_be(T value) {
  std::array<std::uint8_t, sizeof(T)> out;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
  }
  return out;
}

}  // namespace aftune
