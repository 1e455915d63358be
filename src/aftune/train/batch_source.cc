// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/batch_source.h"

#include <algorithm>
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
  for (const std::uint32_t end : sample.document_ends) {
    batch.document_ends.push_back(batch.rows * batch.sequence + end);
  }
  ++batch.rows;
}

}  // namespace

BatchSource::BatchSource(const BatchSpec& spec, const text::TextRule& text,
                         const text::OrderRule& order, const Digest& seed,
                         const text::Dataset& data, const text::Tokenizer& tokenizer,
                         std::vector<std::uint64_t> first_rows)
    : spec_(spec),
      text_(text),
      data_(data),
      tokenizer_(tokenizer),
      first_rows_(std::move(first_rows)),
      order_(order, seed, sample_count(), spec.batch) {
  AFTUNE_CHECK(spec.micro_batch >= 1 && spec.micro_batch <= spec.batch, "micro-batch size");
}

std::vector<std::uint64_t> BatchSource::rows(std::uint64_t step) { return order_.rows_of(step); }

std::uint64_t BatchSource::sample_count() const {
  return text_.packing ? first_rows_.size() : data_.row_count();
}

Result<model::MicroBatch> BatchSource::batch_of(std::span<const std::uint64_t> samples) const {
  model::MicroBatch batch;
  batch.sequence = text_.sequence;
  for (const std::uint64_t index : samples) {
    AFTUNE_TRY(const auto made, sample(index));
    append(made, batch);
    batch.counted += made.counted;
  }
  return batch;
}

Result<text::Sample> BatchSource::sample(std::uint64_t index) const {
  if (!text_.packing) return text::make_sample(text_, tokenizer_, data_.row(index), index);
  const std::uint64_t end =
      index + 1 < first_rows_.size() ? first_rows_[index + 1] : data_.row_count();
  return text::make_packed_sample(text_, tokenizer_, data_, first_rows_[index], end);
}

Result<std::vector<model::MicroBatch>> BatchSource::micro_batches(std::uint64_t step) {
  std::vector<model::MicroBatch> batches;
  std::uint64_t counted = 0;
  const std::vector<std::uint64_t> all = rows(step);
  for (std::size_t begin = 0; begin < all.size(); begin += spec_.micro_batch) {
    const std::size_t size = std::min<std::size_t>(spec_.micro_batch, all.size() - begin);
    AFTUNE_TRY(auto batch, batch_of(std::span(all).subspan(begin, size)));
    counted += batch.counted;
    batches.push_back(std::move(batch));
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
        AFTUNE_TRY(const auto made, sample(row));
        at->second = made.counted;
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
