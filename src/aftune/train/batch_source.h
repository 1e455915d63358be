// SPDX-License-Identifier: Apache-2.0
// Micro-batches of a step from contract, data set and tokenizer alone: the side inputs that an
// auditor computes for itself and never reads from a trace.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aftune/model/segment_function.h"
#include "aftune/text/dataset.h"
#include "aftune/text/sample_order.h"

namespace aftune::train {

struct BatchSpec {
  std::uint64_t batch = 0;        // samples an optimizer step
  std::uint64_t micro_batch = 0;  // samples a micro-batch; the last may be smaller
  friend bool operator==(const BatchSpec&, const BatchSpec&) = default;
};

/// Threads: one at a time. Borrows its arguments.
class BatchSource {
 public:
  /// With packing `first_rows` is what text::pack() gives, else it is empty.
  /// Requires: with order.drop_last as many samples as a batch.
  BatchSource(const BatchSpec& spec, const text::TextRule& text, const text::OrderRule& order,
              const Digest& seed, const text::Dataset& data, const text::Tokenizer& tokenizer,
              std::vector<std::uint64_t> first_rows = {});

  /// How many samples an epoch has.
  [[nodiscard]] std::uint64_t sample_count() const;
  /// These samples in one micro-batch, which counts their own tokens.
  /// Errors: kInvalidInput for a malformed row, naming it.
  [[nodiscard]] Result<model::MicroBatch> batch_of(std::span<const std::uint64_t> samples) const;

  /// The samples of a step, in order: rows of the data set, or numbers of packed samples.
  [[nodiscard]] std::vector<std::uint64_t> rows(std::uint64_t step);
  /// Its micro-batches; `counted` is that of the whole step in each.
  /// Errors: kInvalidInput for a malformed row, naming it, or a step without a counted token.
  Result<std::vector<model::MicroBatch>> micro_batches(std::uint64_t step);
  /// Whether micro_batches() gives a value for each of the first `steps` steps: a run should not
  /// find out half-way. Errors: those of micro_batches(). Cost: each row is tokenized once.
  Status check_steps(std::uint64_t steps);

  [[nodiscard]] const BatchSpec& spec() const { return spec_; }

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
