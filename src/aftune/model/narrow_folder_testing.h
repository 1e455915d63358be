// SPDX-License-Identifier: Apache-2.0
// Model folders whose values BF16, F16 and F32 all have: twins that differ in their type alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/model/new_model.h"
#include "aftune/tensor/narrow.h"
#include "aftune/tensor/safetensors.h"

namespace aftune::model::testing {

/// Rounded to BF16, and zero where F16 has no normal number.
inline Tensor values_of_all_types(const TensorView& view) {
  Tensor out = *to_f32(round_to_bf16(*to_f32(view)).view());
  for (float& value : out.f32()) {
    if (std::abs(value) < 0x1p-14F) value = 0;
  }
  return out;
}

/// Requires: values_of_all_types.
inline Tensor in_dtype(const Tensor& values, Dtype dtype) {
  if (dtype == Dtype::kF32) return values.clone();
  if (dtype == Dtype::kBF16) return round_to_bf16(values);
  Tensor out(Dtype::kF16, values.shape());
  for (std::size_t i = 0; i < values.count(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values.f32()[i]);
    const std::uint32_t magnitude = bits & 0x7fffffff;
    const std::uint32_t half = magnitude == 0 ? 0 : (magnitude >> 13) - (112U << 10);
    const auto element = static_cast<std::uint16_t>(bits >> 31 << 15 | half);
    std::memcpy(out.mutable_bytes().data() + 2 * i, &element, 2);
  }
  return out;
}

/// The folder's parameters, once values_of_all_types, in `dtype`.
inline void set_dtype(const Path& folder, Dtype dtype) {
  const Path path = folder / "model.safetensors";
  TensorMap tensors;
  {
    const auto file = SafetensorsFile::open(path);
    AFTUNE_CHECK(file.has_value(), "test folder opens");
    for (const auto& [name, view] : file->tensors()) {
      tensors.emplace(name, in_dtype(values_of_all_types(view), dtype));
    }
  }
  AFTUNE_CHECK(write_safetensors(path, named_tensors(tensors)).has_value(),
               "test folder is written");
}

}  // namespace aftune::model::testing
