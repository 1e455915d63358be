// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/held_out.h"

#include <span>
#include <string>

#include "aftune/base/check.h"
#include "aftune/train/batch_source.h"
#include "aftune/train/image_batches.h"

namespace aftune::trace {
namespace {

/// A run should not find out half-way.
Status check_samples(const train::StepBatches& samples) {
  std::uint64_t counted = 0;
  for (std::uint64_t i = 0; i < samples.sample_count(); ++i) {
    AFTUNE_TRY(const model::MicroBatch batch, samples.batch_of(std::span(&i, 1)));
    counted += batch.counted;
  }
  if (counted > 0) return ok();
  return Error{Code::kInvalidInput, "none of the " + std::to_string(samples.sample_count()) +
                                        " samples has a counted token"};
}

}  // namespace

Result<HeldOut> HeldOut::open(const Contract& contract, const Path& path,
                              const text::Tokenizer* tokenizer) {
  AFTUNE_TRY(text::Dataset loaded, text::Dataset::load(path));
  auto data = std::make_unique<text::Dataset>(std::move(loaded));
  const std::uint64_t at_a_time = contract.batch.micro_batch;
  const train::BatchSpec batch{at_a_time, at_a_time};
  const text::OrderRule in_order{"none", false};
  std::unique_ptr<train::StepBatches> samples;
  if (contract.architecture.vision) {
    samples = std::make_unique<train::ImageBatches>(batch, in_order, Digest{},
                                                    contract.architecture, *data);
  } else {
    AFTUNE_CHECK(tokenizer != nullptr, "text without a tokenizer");
    std::vector<std::uint64_t> first_rows;
    if (contract.text.packing) {
      AFTUNE_TRY(first_rows, text::pack(contract.text, *tokenizer, *data).in(path.string()));
    }
    samples = std::make_unique<train::BatchSource>(batch, contract.text, in_order, Digest{}, *data,
                                                   *tokenizer, std::move(first_rows));
  }
  AFTUNE_TRY(check_samples(*samples).in(path.string()));
  return HeldOut(std::move(data), std::move(samples));
}

Result<train::Evaluation> HeldOut::evaluate(const numerics::Engine& engine,
                                            const model::Llama& model,
                                            const model::Partition& partition,
                                            const std::vector<train::BlockState>& states) const {
  std::vector<model::ParameterView> blocks;
  blocks.reserve(states.size());
  for (const train::BlockState& state : states) blocks.push_back(state.view());
  return train::evaluate(engine, model, partition, blocks, *samples_);
}

}  // namespace aftune::trace
