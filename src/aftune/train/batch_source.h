// SPDX-License-Identifier: Apache-2.0
// Micro-batches of text, from contract, data set and tokenizer alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aftune/text/dataset.h"
#include "aftune/text/sample_order.h"
#include "aftune/train/batch_spec.h"
#include "aftune/train/step_batches.h"

namespace aftune::train {

/// Threads: one at a time. Borrows its arguments.
class BatchSource final : public StepBatches {
 public:
  /// With packing `first_rows` is what text::pack() gives, else it is empty.
  /// Requires: with order.drop_last as many samples as a batch.
  BatchSource(const BatchSpec& spec, const text::TextRule& text, const text::OrderRule& order,
              const Digest& seed, const text::Dataset& data, const text::Tokenizer& tokenizer,
              std::vector<std::uint64_t> first_rows = {});

  // Rows of the data set, or numbers of packed samples.
  [[nodiscard]] std::vector<std::uint64_t> rows(std::uint64_t step) override;
  Result<std::vector<model::MicroBatch>> micro_batches(std::uint64_t step) override;
  Status check_steps(std::uint64_t steps) override;
  [[nodiscard]] std::uint64_t sample_count() const override;
  [[nodiscard]] std::uint64_t at_a_time() const override { return spec_.micro_batch; }
  [[nodiscard]] Result<model::MicroBatch> batch_of(
      std::span<const std::uint64_t> samples) const override;

 private:
  [[nodiscard]] Result<text::Sample> sample(std::uint64_t index) const;
  [[nodiscard]] Error nothing_counted(std::uint64_t step) const;

  BatchSpec spec_;
  text::TextRule text_;
  const text::Dataset& data_;
  const text::Tokenizer& tokenizer_;
  std::vector<std::uint64_t> first_rows_;
  text::SampleOrder order_;
};

}  // namespace aftune::train
