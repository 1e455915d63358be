// SPDX-License-Identifier: Apache-2.0
// One line of output, "name digest": BLAKE3-256 over the bits of everything that an operation gave.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "aftune/crypto/blake3.h"

namespace aftune::exact {

/// Prints its line to standard output when it is destroyed.
class DigestLine {
 public:
  explicit DigestLine(std::string name) : name_(std::move(name)) {}
  ~DigestLine();
  DigestLine(const DigestLine&) = delete;
  DigestLine& operator=(const DigestLine&) = delete;

  /// Little-endian bits. Every NaN counts as one: the definition leaves their bits open.
  void take(std::span<const float> values);
  void take(float value) { take(std::span(&value, 1)); }
  void take(double value);
  void take(std::uint32_t word);

 private:
  std::string name_;
  crypto::Blake3 hasher_;
};

}  // namespace aftune::exact
