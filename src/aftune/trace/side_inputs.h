// SPDX-License-Identifier: Apache-2.0
// What a step takes besides states and edges, from contract, data set and base folder alone: each
// file is compared with the digest that the contract has of it.
#pragma once

#include <memory>
#include <optional>

#include "aftune/model/segment_function.h"
#include "aftune/text/dataset.h"
#include "aftune/text/tokenizer.h"
#include "aftune/trace/contract.h"
#include "aftune/train/step_batches.h"

namespace aftune::trace {

/// Data set, tokenizer, model tables and the batches that follow from them.
/// Threads: one at a time.
class SideInputs {
 public:
  /// Opens `data` (JSONL) and tokenizer and table of the folder `base`.
  /// Errors: kNotFound, kUnavailable; kCorrupt for a file that is not the contract's, naming it
  ///         and both digests; kInvalidInput for a malformed one.
  static Result<SideInputs> open(const Contract& contract, const Path& data, const Path& base);

  [[nodiscard]] const model::Llama& model() const { return parts_->model; }
  /// Null for a model that reads images.
  [[nodiscard]] const text::Tokenizer* tokenizer() const {
    return parts_->tokenizer ? &*parts_->tokenizer : nullptr;
  }
  [[nodiscard]] train::StepBatches& batches() { return *parts_->batches; }
  /// BLAKE3 of the frozen table, a leaf of every model root.
  [[nodiscard]] const Digest& table_digest() const { return parts_->table_digest; }

 private:
  struct Parts {
    text::Dataset data;
    std::optional<text::Tokenizer> tokenizer;  // none for images
    model::Llama model;
    Digest table_digest;
    std::unique_ptr<train::StepBatches> batches;  // borrows data and tokenizer
  };
  static Result<SideInputs> open_images(const Contract& contract, text::Dataset rows,
                                        const Path& base);
  explicit SideInputs(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
  std::unique_ptr<Parts> parts_;
};

/// Errors: kNotFound; kCorrupt if size or SHA-256 of the file differ, naming both.
Status check_bound_file(const BoundFile& bound, const Path& folder);

}  // namespace aftune::trace
