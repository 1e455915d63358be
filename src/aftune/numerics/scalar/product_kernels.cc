// SPDX-License-Identifier: Apache-2.0
// The reference: x16 as docs/formats/exact-arithmetic.md writes it, without cleverness.
#include "aftune/numerics/internal/product_kernels.h"

#include <cmath>
#include <cstring>

namespace aftune::numerics {
namespace {

constexpr std::size_t kRowsA = 4;
constexpr std::size_t kRowsB = 8;

// A row keeps (h, l) and B's row (q, h): T = sum(h q' + l h').
template <std::size_t kRows>
struct alignas(64) Panel {
  std::int16_t first[kRows][kBlock];
  std::int16_t second[kRows][kBlock];
  std::int32_t exponent[kRows];
};
using PanelA = Panel<kRowsA>;
using PanelB = Panel<kRowsB>;

std::uint32_t size_of(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits & 0x7fffffff;
}

float power_of_two(int exponent) { return std::ldexp(1.0F, exponent); }

/// False if the row has no exponent.
bool choose_exponent(const float* row, std::size_t depth, std::int32_t* exponent) {
  std::uint32_t largest = 0;
  for (std::size_t k = 0; k < depth; ++k) {
    const std::uint32_t size = size_of(row[k]);
    if (size > largest) largest = size;
  }
  if (largest >= kSizeBound) return false;
  const std::int32_t needed = static_cast<std::int32_t>((largest + 0x10100) >> 23) - 141;
  *exponent = needed < -66 ? -66 : needed;
  return true;
}

struct Bytes {
  std::int32_t q, h, l;
};

Bytes split(float scaled) {
  const auto q = static_cast<std::int32_t>(std::nearbyint(scaled));
  const std::int32_t h = (q + 128) >> 8;
  return {q, h, q - 256 * h};
}

template <std::size_t kRows>
bool pack(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
          Exponents exponents, bool is_a, std::byte* out) {
  auto& panel = *reinterpret_cast<Panel<kRows>*>(out);
  std::memset(out, 0, sizeof panel);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = in + r * stride;
    std::int32_t& exponent = panel.exponent[r];
    if (exponents == Exponents::kChosen && !choose_exponent(row, depth, &exponent)) return false;
    const float inverse = power_of_two(-exponent);
    for (std::size_t k = 0; k < depth; ++k) {
      const Bytes bytes = split(row[k] * inverse);
      panel.first[r][k] = static_cast<std::int16_t>(is_a ? bytes.h : bytes.q);
      panel.second[r][k] = static_cast<std::int16_t>(is_a ? bytes.l : bytes.h);
    }
  }
  return true;
}

bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* panel) {
  return pack<kRowsA>(in, stride, rows, depth, exponents, true, panel);
}

bool pack_b(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* panel) {
  return pack<kRowsB>(in, stride, rows, depth, exponents, false, panel);
}

bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                    Exponents exponents, std::byte* panel) {
  float lines[kRowsB][kBlock];
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t k = 0; k < depth; ++k) lines[r][k] = in[k * stride + r];
  }
  return pack_b(lines[0], kBlock, rows, depth, exponents, panel);
}

void transpose(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
               float* out) {
  for (std::size_t k = 0; k < depth; ++k) {
    for (std::size_t r = 0; r < rows; ++r) out[r * kBlock + k] = in[k * stride + r];
  }
}

void tile(const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
  const auto& panel_a = *reinterpret_cast<const PanelA*>(a);
  const auto& panel_b = *reinterpret_cast<const PanelB*>(b);
  for (std::size_t i = 0; i < kRowsA; ++i) {
    for (std::size_t j = 0; j < kRowsB; ++j) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        sum +=
            panel_a.first[i][k] * panel_b.first[j][k] + panel_a.second[i][k] * panel_b.second[j][k];
      }
      const float scale = power_of_two(panel_a.exponent[i] + panel_b.exponent[j] + 8);
      float& c = out[i * kRowsB + j];
      c = std::fma(static_cast<float>(sum), scale, c);
    }
  }
}

bool store(const float* values, std::size_t rows, std::size_t columns, bool add, float* out,
           std::size_t stride) {
  bool finite = true;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      float& c = out[i * stride + j];
      c = add ? c + values[i * kRowsB + j] : values[i * kRowsB + j];
      finite = finite && size_of(c) < 0x7f800000;
    }
  }
  return finite;
}

}  // namespace

extern const ProductKernels kScalarProductKernels;
const ProductKernels kScalarProductKernels = {"scalar",       kRowsA,    kRowsB, sizeof(PanelA),
                                              sizeof(PanelB), transpose, pack_a, pack_b,
                                              pack_b_columns, tile,      store};

}  // namespace aftune::numerics
