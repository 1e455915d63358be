// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/batch_source.h"

#include <map>
#include <string>

#include "aftune/base/check.h"

namespace aftune::train {
namespace {

void append(const text::Sample& sample, model::MicroBatch& batch) {
  AFTUNE_CHECK(sample.tokens.size() == batch.sequence && sample.targets.size() == batch.sequence,
               "sample of another length than the text rule's");
  batch.tokens.insert(batch.tokens.end(), sample.tokens.begin(), sample.tokens.end());
  batch.targets.insert(batch.targets.end(), sample.targets.begin(), sample.targets.end());
  ++batch.rows;
}

}  // namespace

BatchSource::BatchSource(const BatchSpec& spec, const text::TextRule& text,
                         const text::OrderRule& order, const Digest& seed,
                         const text::Dataset& data, const text::Tokenizer& tokenizer)
    : spec_(spec),
      text_(text),
      data_(data),
      tokenizer_(tokenizer),
      order_(order, seed, data.row_count(), spec.batch) {
  AFTUNE_CHECK(spec.micro_batch >= 1 && spec.micro_batch <= spec.batch, "micro-batch size");
}

std::vector<std::uint64_t> BatchSource::rows(std::uint64_t step) { return order_.rows_of(step); }

Result<std::vector<model::MicroBatch>> BatchSource::micro_batches(std::uint64_t step) {
  std::vector<model::MicroBatch> batches;
  std::uint64_t counted = 0;
  for (const std::uint64_t row : rows(step)) {
    if (batches.empty() || batches.back().rows == spec_.micro_batch) {
      batches.emplace_back().sequence = text_.sequence;
    }
    AFTUNE_TRY(const auto sample, text::make_sample(text_, tokenizer_, data_.row(row), row));
    append(sample, batches.back());
    counted += sample.counted;
  }
  if (counted == 0) return nothing_counted(step);
  std::uint32_t index = 0;
  for (auto& batch : batches) {
    batch.counted = counted;
    batch.step = static_cast<std::uint32_t>(step);
    batch.index = index++;
  }
  return batches;
}

Status BatchSource::check_steps(std::uint64_t steps) {
  std::map<std::uint64_t, std::uint64_t> counted_of;
  for (std::uint64_t step = 0; step < steps; ++step) {
    std::uint64_t counted = 0;
    for (const std::uint64_t row : rows(step)) {
      const auto [at, is_new] = counted_of.emplace(row, 0);
      if (is_new) {
        AFTUNE_TRY(const auto sample, text::make_sample(text_, tokenizer_, data_.row(row), row));
        at->second = sample.counted;
      }
      counted += at->second;
    }
    if (counted == 0) return nothing_counted(step);
  }
  return ok();
}

Error BatchSource::nothing_counted(std::uint64_t step) const {
  return {Code::kInvalidInput, "step " + std::to_string(step) + ": none of its " +
                                   std::to_string(spec_.batch) + " rows has a counted token"};
}

}  // namespace aftune::train
