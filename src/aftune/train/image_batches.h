// SPDX-License-Identifier: Apache-2.0
// Micro-batches of images. Rules: docs/formats/dataset.md, "Images".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aftune/model/llama_config.h"
#include "aftune/text/dataset.h"
#include "aftune/text/sample_order.h"
#include "aftune/train/batch_spec.h"
#include "aftune/train/step_batches.h"

namespace aftune::train {

/// Threads: one at a time. Borrows the data.
class ImageBatches final : public StepBatches {
 public:
  /// Requires: config.vision is set.
  ImageBatches(const BatchSpec& spec, const text::OrderRule& order, const Digest& seed,
               const model::LlamaConfig& config, const text::Dataset& data);

  [[nodiscard]] std::vector<std::uint64_t> rows(std::uint64_t step) override;
  Result<std::vector<model::MicroBatch>> micro_batches(std::uint64_t step) override;
  Status check_steps(std::uint64_t steps) override;
  [[nodiscard]] std::uint64_t sample_count() const override { return data_.row_count(); }
  [[nodiscard]] std::uint64_t at_a_time() const override { return spec_.micro_batch; }
  [[nodiscard]] Result<model::MicroBatch> batch_of(
      std::span<const std::uint64_t> samples) const override;

 private:
  BatchSpec spec_;
  model::LlamaConfig config_;
  const text::Dataset& data_;
  text::SampleOrder order_;
};

/// Appends one row to a micro-batch of the model's images. Errors: kInvalidInput for a row that is
/// no image, or one of another size or class than the model's, naming it.
Status append_image(const model::LlamaConfig& config, const text::Dataset& data, std::uint64_t row,
                    model::MicroBatch& batch);

}  // namespace aftune::train
