// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/vision_embedding.h"

#include <algorithm>

#include "aftune/model/vision_layer.h"
#include "aftune/model/vision_names.h"
#include "aftune/numerics/bias.h"

namespace aftune::model {
namespace {

/// What each byte of each channel is, [channels][256].
std::vector<float> values_of_bytes(const Tensor& normalization) {
  const std::size_t channels = normalization.shape()[1];
  std::vector<float> values(channels * 256);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float mean = normalization.f32()[i / 256];
    const float deviation = normalization.f32()[channels + i / 256];
    values[i] = (static_cast<float>(i % 256) / 255.0F - mean) / deviation;
  }
  return values;
}

/// One fp32 addition an element. Plain: no instruction set can change its bits.
void add_to(const float* a, const float* b, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

}  // namespace

Tensor patches_of(const Llama& model, const MicroBatch& batch) {
  const VisionConfig& v = *model.config.vision;
  const std::vector<float> values = values_of_bytes(model.inv_freq);
  const std::size_t size = v.image_size, patch = v.patch_size, side = size / patch;
  Tensor out = Tensor::unwritten(Dtype::kF32, {batch.rows * v.patch_count(), v.patch_values()});
  float* to = out.data();
  for (std::size_t image = 0; image < batch.rows; ++image) {
    const std::uint8_t* pixels = &batch.pixels[image * v.image_values()];
    for (std::size_t n = 0; n < side * side; ++n) {
      for (std::size_t c = 0; c < v.channels; ++c) {
        for (std::size_t y = n / side * patch; y < (n / side + 1) * patch; ++y) {
          const std::uint8_t* row = pixels + (c * size + y) * size + n % side * patch;
          for (std::size_t x = 0; x < patch; ++x) *to++ = values[c * 256 + row[x]];
        }
      }
    }
  }
  return out;
}

Result<Tensor> vision_embed(const SegmentCall& call, const Llama& model, const MicroBatch& batch) {
  const VisionNames names(call.config);
  const std::size_t width = call.config.hidden_size, patches = call.sequence - 1;
  Tensor embedded = Tensor::unwritten(Dtype::kF32, {call.rows * patches, width});
  AFTUNE_TRY(
      call.linear(names.projection(), patches_of(model, batch), embedded, numerics::Store::kWrite));
  const float* class_token = call.parameter(names.class_token()).data();
  const float* positions = call.parameter(names.positions()).data();
  Tensor x = call.token_rows(width);
  for (std::size_t b = 0; b < call.rows; ++b) {
    float* tokens = x.data() + b * call.sequence * width;
    add_to(class_token, positions, width, tokens);
    add_to(embedded.data() + b * patches * width, positions + width, patches * width,
           tokens + width);
  }
  return x;
}

Status vision_embed_grad(const SegmentCall& call, const Llama& model, const MicroBatch& batch,
                         const Tensor& dx, const Gradients& gradients) {
  const VisionNames names(call.config);
  const std::size_t width = call.config.hidden_size, patches = call.sequence - 1;
  Tensor d_embedded = Tensor::unwritten(Dtype::kF32, {call.rows * patches, width});
  for (std::size_t b = 0; b < call.rows; ++b) {
    std::copy_n(dx.data() + (b * call.sequence + 1) * width, patches * width,
                d_embedded.data() + b * patches * width);
  }
  AFTUNE_TRY(call.weight_grad(names.projection(), patches_of(model, batch), d_embedded, gradients));
  const auto sum_over_images = [&](std::size_t token, std::span<float> into) {
    numerics::bias_grad(call.engine,
                        {dx.data() + token * width, call.rows, width, call.sequence * width}, into);
  };
  Tensor unused;
  sum_over_images(0, call.gradient_or(names.class_token(), gradients, unused).f32());
  const std::span<float> positions = call.gradient_or(names.positions(), gradients, unused).f32();
  for (std::size_t s = 0; s < call.sequence; ++s) {
    sum_over_images(s, positions.subspan(s * width, width));
  }
  return ok();
}

}  // namespace aftune::model
