// SPDX-License-Identifier: Apache-2.0
// What aftune_bench can measure. Each function registers the benchmarks of one file. A name is
// SUBJECT/ISA/SHAPE or SUBJECT/THREADS; tools/bench knows them by these names.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace aftune::bench {

void add_products();       // product, product_dx, product_dw
void add_step_products();  // step_products: all linear layers of one SmolLM2-135M step
void add_openblas();       // openblas
void add_onednn();         // onednn_fp32, onednn_bf16
void add_int8_peak();      // int8_peak
void add_elementwise();    // exp, silu, softmax, rms_norm, cross_entropy, cross_entropy_gradient
void add_update();         // adamw
void add_hashes();         // blake3, sha256

/// y = x w^T with x [T, K] and w [N, K].
struct ProductShape {
  std::size_t rows, outputs, inputs;  // T, N, K

  [[nodiscard]] std::string name() const {  // "1024x1024x1024"
    return std::to_string(rows) + "x" + std::to_string(outputs) + "x" + std::to_string(inputs);
  }
  [[nodiscard]] double operations() const {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(outputs) *
           static_cast<double>(inputs);
  }
};

/// Two squares, and the linear layers of SmolLM2-135M on 4 x 128 tokens: attention's outputs, the
/// MLP's two ways, the head.
inline constexpr std::array<ProductShape, 6> kProductShapes = {{{1024, 1024, 1024},
                                                                {2048, 2048, 2048},
                                                                {512, 576, 576},
                                                                {512, 1536, 576},
                                                                {512, 576, 1536},
                                                                {512, 49152, 576}}};

}  // namespace aftune::bench
