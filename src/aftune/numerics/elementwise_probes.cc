// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/elementwise_probes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "aftune/numerics/update_scalars.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

/// xorshift from a fixed seed.
Values painted_values(std::size_t count, std::uint32_t seed, bool wide) {
  Values values(count);
  std::uint32_t state = seed;
  for (float& value : values) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const std::uint32_t exponent = wide ? (state >> 8) % 255 : 120 + (state >> 8) % 8;
    value = std::bit_cast<float>((state & 0x807fffff) | exponent << 23);
    if (wide && state % 29 == 0) value *= 0.0f;
  }
  return values;
}

/// `start`, its first n values, with guards behind.
Values guarded(const Values& start, std::size_t n) {
  Values out(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(n));
  out.resize(n + kProbeGuards, kProbeGuard);
  return out;
}

Values joined(std::initializer_list<Values> parts) {
  Values all;
  for (const Values& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// A probe whose kernel writes one output over the values of `a`.
template <typename Run>
ElementwiseProbe in_place(std::string name, Run run) {
  return {std::move(name),
          [run](const ElementwiseKernels& k, const ProbeInputs& in, std::size_t n) {
            Values out = guarded(in.a, n);
            run(k, in, n, out.data());
            return out;
          }};
}

template <typename Run>
ElementwiseProbe scalar_result(std::string name, Run run) {
  return {std::move(name), [run](const ElementwiseKernels& k, const ProbeInputs& in,
                                 std::size_t n) { return Values{run(k, in, n)}; }};
}

using K = ElementwiseKernels;
using I = ProbeInputs;
using N = std::size_t;

}  // namespace

ProbeInputs probe_inputs(std::size_t count, bool wide) {
  return {painted_values(count, 1, wide), painted_values(count, 2, wide),
          painted_values(count, 3, wide), painted_values(count, 4, wide)};
}

std::size_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) return i;
  }
  return a.size();
}

std::vector<ElementwiseProbe> row_probes() {
  return {
      scalar_result("row_max", [](const K& k, const I& in,
                                  N n) { return n == 0 ? 0.0f : k.row_max(in.a.data(), n); }),
      scalar_result("largest_magnitude",
                    [](const K& k, const I& in, N n) {
                      return std::bit_cast<float>(k.largest_magnitude(in.a.data(), n));
                    }),
      scalar_result("exp_sum", [](const K& k, const I& in,
                                  N n) { return k.exp_sum(in.a.data(), in.b[0], n); }),
      scalar_result("lane_sum",
                    [](const K& k, const I& in, N n) { return k.lane_sum(in.a.data(), n); }),
      scalar_result("dot_lanes", [](const K& k, const I& in,
                                    N n) { return k.dot_lanes(in.a.data(), in.b.data(), n); }),
      scalar_result("rms_scale",
                    [](const K& k, const I& in, N n) {
                      return n == 0 ? 0.0f : k.rms_scale(in.a.data(), 1e-5f, n);
                    }),
      {"layer_moments",
       [](const K& k, const I& in, N n) {
         if (n == 0) return Values{};
         const LayerMoments m = k.layer_moments(in.a.data(), 1e-5f, n);
         return Values{m.mean, m.scale};
       }},
      {"square_sum",
       [](const K& k, const I& in, N n) {
         const auto bits = std::bit_cast<std::uint64_t>(k.square_sum(in.a.data(), n));
         return Values{std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 32)),
                       std::bit_cast<float>(static_cast<std::uint32_t>(bits))};
       }},
  };
}

std::vector<ElementwiseProbe> element_probes() {
  return {
      in_place("exp_row",
               [](const K& k, const I& in, N n, float* out) { k.exp_row(out, in.b[0], n, out); }),
      in_place("divide_scale", [](const K& k, const I& in, N n,
                                  float* out) { k.divide_scale(in.b[0], in.b[1], n, out); }),
      in_place("add",
               [](const K& k, const I& in, N n, float* out) { k.add(out, in.b.data(), n, out); }),
      in_place("swiglu", [](const K& k, const I& in, N n,
                            float* out) { k.swiglu(out, in.b.data(), n, out); }),
      {"swiglu_grad",
       [](const K& k, const I& in, N n) {
         Values d_gate = guarded(in.c, n), d_up = guarded(in.d, n);
         k.swiglu_grad(in.a.data(), in.b.data(), d_gate.data(), n, d_gate.data(), d_up.data());
         return joined({d_gate, d_up});
       }},
      in_place("gelu", [](const K& k, const I&, N n, float* out) { k.gelu(out, n, out); }),
      in_place("gelu_grad", [](const K& k, const I& in, N n,
                               float* out) { k.gelu_grad(in.b.data(), out, n, out); }),
      {"rotate",
       [](const K& k, const I& in, N n) {
         Values both = joined({guarded(in.a, n / 2), guarded(in.d, n)});
         k.rotate(in.b.data(), in.c.data(), -1.0f, n / 2, both.data());
         return both;
       }},
  };
}

std::vector<ElementwiseProbe> norm_probes() {
  return {
      in_place("rms_norm_row", [](const K& k, const I& in, N n,
                                  float* out) { k.rms_norm_row(out, in.b.data(), 0.7f, n, out); }),
      in_place("rms_grad_row",
               [](const K& k, const I& in, N n, float* out) {
                 if (n > 0)
                   k.rms_grad_row(in.b.data(), in.c.data(), in.d.data(), 0.7f, n, true, out);
               }),
      in_place("rms_grad_row over dy",
               [](const K& k, const I& in, N n, float* out) {
                 if (n > 0) k.rms_grad_row(in.b.data(), in.c.data(), out, 0.7f, n, false, out);
               }),
      {"rms_weight_grad",
       [](const K& k, const I& in, N n) {  // n rows of 3 columns, then n columns of 3 rows
         Values tall = guarded(in.d, 3), wide = guarded(in.d, std::min<N>(n, 64));
         k.rms_weight_grad(in.a.data(), 3, in.b.data(), 3, in.c.data(), n / 3, 3, tall.data());
         k.rms_weight_grad(in.a.data(), 1, in.b.data(), 0, in.c.data(), 3, std::min<N>(n, 64),
                           wide.data());
         return joined({tall, wide});
       }},
  };
}

std::vector<ElementwiseProbe> layer_norm_probes() {
  constexpr LayerMoments kMoments{0.3f, 0.7f};
  return {
      in_place("layer_norm_row",
               [=](const K& k, const I& in, N n, float* out) {
                 k.layer_norm_row(out, in.b.data(), in.c.data(), kMoments, n, out);
               }),
      in_place("layer_grad_row",
               [=](const K& k, const I& in, N n, float* out) {
                 if (n > 0)
                   k.layer_grad_row(in.b.data(), in.c.data(), in.d.data(), kMoments, n, true, out);
               }),
      in_place("layer_grad_row over dy",
               [=](const K& k, const I& in, N n, float* out) {
                 if (n > 0)
                   k.layer_grad_row(in.b.data(), in.c.data(), out, kMoments, n, false, out);
               }),
      {"layer_weight_grad",
       [](const K& k, const I& in, N n) {  // n rows of 3 columns, then n columns of 3 rows
         Values tall = guarded(in.d, 3), wide = guarded(in.d, std::min<N>(n, 64));
         std::vector<LayerMoments> moments(std::max<N>(n / 3, 3));
         for (N t = 0; t < moments.size(); ++t) moments[t] = {in.c[t], in.d[t]};
         k.layer_weight_grad(in.a.data(), 3, in.b.data(), 3, moments.data(), n / 3, 3, tall.data());
         k.layer_weight_grad(in.a.data(), 1, in.b.data(), 0, moments.data(), 3, std::min<N>(n, 64),
                             wide.data());
         return joined({tall, wide});
       }},
  };
}

std::vector<ElementwiseProbe> update_probes() {
  return {
      {"adamw",
       [](const K& k, const I& in, N n) {
         const AdamWScalars s{0.5f, 0.9f, 0.1f, 0.999f, 0.001f, 1e-3f, 0.03f, 1e-8f, 0.9999f};
         Values p = guarded(in.b, n), m = guarded(in.c, n), v = guarded(in.d, n);
         for (N i = 0; i < n; ++i) v[i] = std::fabs(v[i]);
         const auto top = k.adamw(s, in.a.data(), n, p.data(), m.data(), v.data());
         return joined({p, m, v, {std::bit_cast<float>(top < kInfiniteMagnitude ? top : ~0u)}});
       }},
      {"sgd",
       [](const K& k, const I& in, N n) {
         Values p = guarded(in.b, n), b = guarded(in.c, n), plain = guarded(in.b, n);
         const auto top = k.sgd({0.5f, 0.1f, 0.01f, 0.9f}, in.a.data(), n, p.data(), b.data());
         k.sgd({0.5f, 0.1f, 0.01f, 0.0f}, in.a.data(), n, plain.data(), nullptr);
         return joined({p, b, plain, {std::bit_cast<float>(top < kInfiniteMagnitude ? top : ~0u)}});
       }},
      {"sgd nesterov",
       [](const K& k, const I& in, N n) {
         Values p = guarded(in.b, n), b = guarded(in.c, n);
         const auto top =
             k.sgd({0.5f, 0.1f, 0.01f, 0.9f, true}, in.a.data(), n, p.data(), b.data());
         return joined({p, b, {std::bit_cast<float>(top < kInfiniteMagnitude ? top : ~0u)}});
       }},
  };
}

std::vector<ElementwiseProbe> all_elementwise_probes() {
  std::vector<ElementwiseProbe> all = row_probes();
  for (const auto& more : {element_probes(), norm_probes(), layer_norm_probes(), update_probes()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace aftune::numerics
