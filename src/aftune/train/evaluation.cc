// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/evaluation.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "aftune/base/check.h"

namespace aftune::train {
namespace {

Result<float> loss_of(const numerics::Engine& engine, const model::Llama& model,
                      const model::Partition& partition,
                      const std::vector<model::ParameterView>& blocks,
                      const model::MicroBatch& batch) {
  std::shared_ptr<const Tensor> edge;
  for (const model::Segment& segment : partition.segments) {
    AFTUNE_TRY(auto output, model::segment_forward(engine, model, segment, blocks[segment.block],
                                                   batch, std::move(edge), nullptr)
                                .in("segment " + std::to_string(segment.index)));
    if (segment.heads) return output.loss;
    edge = std::make_shared<const Tensor>(std::move(output.activation));
  }
  AFTUNE_CHECK(false, "a partition without a head");
}

}  // namespace

Result<Evaluation> evaluate(const numerics::Engine& engine, const model::Llama& model,
                            const model::Partition& partition,
                            const std::vector<model::ParameterView>& blocks,
                            const StepBatches& samples) {
  AFTUNE_CHECK(blocks.size() == partition.block_count, "blocks of another partition");
  model::Llama quiet{model.config, model.inv_freq.clone(), model.lora, model.dropout_key};
  if (quiet.lora) quiet.lora->dropout = 0;
  Evaluation out;
  for (std::uint64_t begin = 0; begin < samples.sample_count();) {
    const std::uint64_t end = std::min(begin + samples.at_a_time(), samples.sample_count());
    std::vector<std::uint64_t> some(end - begin);
    std::iota(some.begin(), some.end(), begin);
    AFTUNE_TRY(const model::MicroBatch batch, samples.batch_of(some));
    begin = end;
    if (batch.counted == 0) continue;
    AFTUNE_TRY(const float loss, loss_of(engine, quiet, partition, blocks, batch)
                                     .in("samples from " + std::to_string(some.front())));
    out.loss += static_cast<double>(loss) * static_cast<double>(batch.counted);
    out.counted += batch.counted;
  }
  if (out.counted == 0) return Error{Code::kInvalidInput, "no sample has a counted token"};
  out.loss /= static_cast<double>(out.counted);
  return out;
}

}  // namespace aftune::train
