// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/scalar_math.h"

#include <array>
#include <bit>
#include <cstddef>
#include <span>

namespace aftune::numerics {
namespace {

constexpr double kRound = 0x1.8p+52;  // added and subtracted, it leaves the nearest integer

/// A number split as n * unit + rest, n the nearest integer.
struct Reduced {
  double n;
  double rest;
};

double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

Reduced reduce(double x, double per_unit, double unit_high, double unit_low) {
  const double n = fma(x, per_unit, kRound) - kRound;
  return {n, fma(n, -unit_low, fma(n, -unit_high, x))};
}

double horner(std::span<const double> coefficients, double x) {
  double sum = coefficients.back();
  for (std::size_t k = coefficients.size() - 1; k-- > 0;) sum = fma(sum, x, coefficients[k]);
  return sum;
}

constexpr double factorial(std::size_t n) {
  double product = 1;  // exact up to 18!, the largest here is 17!
  for (std::size_t k = 2; k <= n; ++k) product *= static_cast<double>(k);
  return product;
}

/// (-1)^k / (2k + first)! for k = 0..8.
constexpr std::array<double, 9> circle_series(std::size_t first) {
  std::array<double, 9> series{};
  for (std::size_t k = 0; k < series.size(); ++k) {
    series[k] = (k % 2 == 0 ? 1.0 : -1.0) / factorial(2 * k + first);
  }
  return series;
}

constexpr std::array<double, 15> exponential_series() {
  std::array<double, 15> series{};
  for (std::size_t k = 0; k < series.size(); ++k) series[k] = 1.0 / factorial(k);
  return series;
}

/// 1 / (2j + 1) for j = 1..11.
constexpr std::array<double, 11> artanh_series() {
  std::array<double, 11> series{};
  for (std::size_t k = 0; k < series.size(); ++k) series[k] = 1.0 / static_cast<double>(2 * k + 3);
  return series;
}

constexpr auto kCosine = circle_series(0);
constexpr auto kSine = circle_series(1);
constexpr auto kExponential = exponential_series();
constexpr auto kArtanh = artanh_series();
constexpr double kLn2High = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;

/// cos(x - quarter_turns * pi / 2).
double turned_cosine(double x, std::uint64_t quarter_turns) {
  const auto [n, r] = reduce(x, 0x1.45f306dc9c883p-1, 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54);
  const double z = r * r;
  const auto quadrant =
      (static_cast<std::uint64_t>(static_cast<std::int64_t>(n)) - quarter_turns) % 4;
  const double value = quadrant % 2 == 0 ? horner(kCosine, z) : r * horner(kSine, z);
  return quadrant == 1 || quadrant == 2 ? -value : value;
}

}  // namespace

double exact_cos(double x) { return turned_cosine(x, 0); }

double exact_sin(double x) { return turned_cosine(x, 1); }

double exact_power(double x, std::uint64_t n) {
  double result = 1;
  while (n > 0) {
    if (n % 2 == 1) result *= x;
    n /= 2;
    if (n > 0) x *= x;
  }
  return result;
}

double exact_exp(double x) {
  const auto [n, r] = reduce(x, 0x1.71547652b82fep+0, kLn2High, kLn2Low);
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return horner(kExponential, r) * std::bit_cast<double>(exponent << 52);
}

double exact_log(double x) {
  constexpr std::uint64_t kFraction = (std::uint64_t{1} << 52) - 1;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto k = static_cast<std::int64_t>(bits >> 52) - 1022;
  double f = std::bit_cast<double>((bits & kFraction) | std::uint64_t{1022} << 52);
  if (f < 0x1.6a09e667f3bcdp-1) {
    f *= 2;
    --k;
  }
  const double s = (f - 1) / (f + 1);
  const double z = s * s;
  const double log_f = fma(2 * s, z * horner(kArtanh, z), 2 * s);
  const auto powers = static_cast<double>(k);
  return fma(powers, kLn2High, fma(powers, kLn2Low, log_f));
}

}  // namespace aftune::numerics
