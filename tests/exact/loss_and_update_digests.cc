// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/loss.h"
#include "aftune/numerics/narrow_update.h"
#include "aftune/numerics/update.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::Engine;

void adamw_digests(const Engine& engine) {
  const std::size_t n = 2 * 65536 + 77;
  Values p = painted(n, 51), m(n), v(n);
  DigestLine line("adamw");
  for (const std::uint64_t step : {1U, 2U, 3U, 1000U}) {
    const Values gradient = painted(n, 52 + static_cast<std::uint32_t>(step), -60, 2);
    const auto scalars = numerics::adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0.01, step, 0.7F);
    const auto status = numerics::adamw(engine, scalars, gradient, p, m, v);
    AFTUNE_CHECK(status.has_value(), "a finite update was refused");
    for (const Values* result : {&p, &m, &v}) line.take(*result);
  }
}

/// The bits of bf16 numbers, as fp32.
Values widened(const std::vector<std::uint16_t>& halves) {
  Values out;
  for (const std::uint16_t half : halves) {
    out.push_back(std::bit_cast<float>(std::uint32_t{half} << 16));
  }
  return out;
}

void narrow_digests(const Engine& engine) {
  const std::size_t n = 65536 + 77;
  Values p = painted(n, 81), q = p;
  std::vector<std::uint16_t> m(n), v(n), buffer(n);
  DigestLine adamw("adamw_bf16"), sgd("sgd_bf16");
  for (const std::uint32_t step : {1U, 2U, 3U, 1000U}) {
    const Values gradient = painted(n, 82 + step, -60, 2);
    const auto scalars = numerics::adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0.01, step, 0.7F);
    const numerics::MomentRounding rounding{{83, 84}, 85, step};
    AFTUNE_CHECK(numerics::adamw_bf16(engine, scalars, rounding, gradient, p, m, v).has_value(),
                 "a finite update was refused");
    AFTUNE_CHECK(numerics::sgd_bf16(engine, {0.7F, 0.01F, 1e-4F, 0.9F, true}, gradient, q, buffer)
                     .has_value(),
                 "a finite update was refused");
    for (const Values& result : {p, widened(m), widened(v)}) adamw.take(result);
    for (const Values& result : {q, widened(buffer)}) sgd.take(result);
  }
}

void sgd_digests(const Engine& engine) {
  const std::size_t n = 65536 + 77;
  const std::pair<const char*, numerics::SgdScalars> kinds[] = {
      {"sgd.plain", {0.7F, 0.01F, 1e-4F, 0}},
      {"sgd.momentum", {0.7F, 0.01F, 1e-4F, 0.9F}},
      {"sgd.nesterov", {0.7F, 0.01F, 1e-4F, 0.9F, true}}};
  for (const auto& [name, scalars] : kinds) {
    Values p = painted(n, 61), buffer(scalars.momentum == 0 ? 0 : n);
    DigestLine line(name);
    for (const std::uint32_t step : {1U, 2U, 3U}) {
      const Values gradient = painted(n, 62 + step, -60, 2);
      const auto status = numerics::sgd(engine, scalars, gradient, p, buffer);
      AFTUNE_CHECK(status.has_value(), "a finite update was refused");
      line.take(p);
      line.take(buffer);
    }
  }
}

}  // namespace

void loss_digests(const Engine& engine) {
  std::uint32_t seed = 40;
  for (const std::size_t width : {1U, 64U, 1001U, 49152U}) {
    const std::size_t rows = width > 2000 ? 3 : 9;
    std::vector<std::int32_t> labels(rows);
    for (std::size_t t = 0; t < rows; ++t) {
      labels[t] =
          t % 4 == 1 ? numerics::kIgnoredLabel : static_cast<std::int32_t>(t * 7919 % width);
    }
    DigestLine line("cross_entropy." + std::to_string(width));
    for (const bool gradient : {false, true}) {
      Values logits = painted(rows * width, ++seed, -10, 4);
      const auto loss =
          numerics::cross_entropy(engine, {logits.data(), rows, width}, labels, 13, gradient);
      AFTUNE_CHECK(loss.has_value(), "finite logits were refused");
      line.take(*loss);
      line.take(logits);
    }
  }
}

void update_digests(const Engine& engine) {
  DigestLine squares("sum_of_squares");
  for (const std::size_t n : {1U, 63U, 65U, 65535U, 65536U, 65537U, 200003U}) {
    squares.take(numerics::sum_of_squares(engine, painted(n, 50, -30, 30)));
  }
  adamw_digests(engine);
  sgd_digests(engine);
  narrow_digests(engine);
}

}  // namespace aftune::exact
