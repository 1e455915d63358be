// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/image_batches.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/image/image_row.h"

namespace aftune::train {
namespace {

Status check_image(const model::LlamaConfig& config, const image::ImageRow& row) {
  const model::VisionConfig& v = *config.vision;
  const image::Image& image = row.image;
  if (image.channels != v.channels || image.height != v.image_size || image.width != v.image_size) {
    return Error{
        Code::kInvalidInput,
        fmt::format("an image of {} x {} x {}, the model takes {} x {} x {}", image.channels,
                    image.height, image.width, v.channels, v.image_size, v.image_size)};
  }
  if (row.label < config.vocab_size) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("class {}, the model has {} classes", row.label, config.vocab_size)};
}

}  // namespace

ImageBatches::ImageBatches(const BatchSpec& spec, const text::OrderRule& order, const Digest& seed,
                           const model::LlamaConfig& config, const text::Dataset& data)
    : spec_(spec), config_(config), data_(data), order_(order, seed, data.row_count(), spec.batch) {
  AFTUNE_CHECK(spec.micro_batch >= 1 && spec.micro_batch <= spec.batch, "micro-batch size");
  AFTUNE_CHECK(config.vision.has_value(), "images for a model that reads text");
}

std::vector<std::uint64_t> ImageBatches::rows(std::uint64_t step) { return order_.rows_of(step); }

Result<std::vector<model::MicroBatch>> ImageBatches::micro_batches(std::uint64_t step) {
  std::vector<model::MicroBatch> batches;
  const std::vector<std::uint64_t> step_rows = rows(step);
  for (const std::uint64_t row : step_rows) {
    if (batches.empty() || batches.back().rows == spec_.micro_batch) {
      model::MicroBatch& batch = batches.emplace_back();
      batch.sequence = config_.max_positions;
      batch.counted = step_rows.size();
      batch.step = static_cast<std::uint32_t>(step);
      batch.index = static_cast<std::uint32_t>(batches.size() - 1);
    }
    AFTUNE_TRY(append_image(config_, data_, row, batches.back()));
  }
  return batches;
}

Result<model::MicroBatch> ImageBatches::batch_of(std::span<const std::uint64_t> samples) const {
  model::MicroBatch batch;
  batch.sequence = config_.max_positions;
  batch.counted = samples.size();
  for (const std::uint64_t row : samples) {
    AFTUNE_TRY(append_image(config_, data_, row, batch));
  }
  return batch;
}

Status ImageBatches::check_steps(std::uint64_t steps) {
  std::vector<bool> seen(data_.row_count());
  std::uint64_t unseen = data_.row_count();
  for (std::uint64_t step = 0; step < steps && unseen > 0; ++step) {
    for (const std::uint64_t row : rows(step)) {
      if (seen[row]) continue;
      seen[row] = true;
      --unseen;
      model::MicroBatch unused;
      AFTUNE_TRY(append_image(config_, data_, row, unused));
    }
  }
  return ok();
}

Status append_image(const model::LlamaConfig& config, const text::Dataset& data, std::uint64_t row,
                    model::MicroBatch& batch) {
  const std::string place = fmt::format("row {}", row);
  AFTUNE_TRY(const image::ImageRow read, image::parse_row(data.row(row)).in(place));
  AFTUNE_TRY(check_image(config, read).in(place));
  batch.pixels.insert(batch.pixels.end(), read.image.pixels.begin(), read.image.pixels.end());
  batch.targets.push_back(static_cast<std::int32_t>(read.label));
  ++batch.rows;
  return ok();
}

}  // namespace aftune::train
