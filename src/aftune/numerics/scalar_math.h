// SPDX-License-Identifier: Apache-2.0
// fp64 functions from + - * / sqrt only: the same bits on every machine, unlike a libm's.
#pragma once

#include <cstdint>

namespace aftune::numerics {

/// Error below 2^-48 in size for |x| < 2^20. Requires: finite x in that range.
double exact_cos(double x);
double exact_sin(double x);

/// x^n by binary powering from the lowest bit: result starts at 1, square and multiply.
double exact_power(double x, std::uint64_t n);

/// exp and log in fp64 for values of contracts and importers (rope tables), error below 2^-48
/// relative. Requires: |x| < 700; x > 0 and normal.
double exact_exp(double x);
double exact_log(double x);

}  // namespace aftune::numerics
