// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/lying_provider.h"

#include <memory>

#include "aftune/tensor/narrow.h"
#include "aftune/trace/delivery.h"
#include "aftune/trace/recorder.h"
#include "aftune/trace/run_setup.h"

namespace aftune::attack {
namespace {

/// One run under way: the composition of train::run_step, with a hook at every hand-over.
class Provider {
 public:
  static Result<std::unique_ptr<Provider>> open(const Job& job, const Lies& lies,
                                                const trace::RunFolder& run,
                                                std::uint64_t step_block,
                                                const numerics::Engine& engine) {
    const trace::Contract& contract = job.contract.contract;
    AFTUNE_TRY(trace::SideInputs inputs, trace::SideInputs::open(contract, job.data, job.base));
    AFTUNE_TRY(auto recorder, trace::Recorder::open(contract, run, job.key));
    States states;
    if (step_block == 0) {
      AFTUNE_TRY(states, trace::load_base(contract, job.base, inputs, job.root_salt));
    } else {
      AFTUNE_TRY(const auto openings,
                 trace::Openings::open(run, contract, recorder->found_entries(), &engine.pool()));
      for (std::uint32_t b = 0; b < contract.partition().block_count; ++b) {
        AFTUNE_TRY(train::BlockState state, openings.state(b, step_block));
        states.push_back(std::move(state));
      }
    }
    return std::unique_ptr<Provider>(new Provider(job, lies, run, step_block, engine,
                                                  std::move(inputs), std::move(states),
                                                  std::move(recorder)));
  }

  Status work() {
    if (job_.root_salt) {
      AFTUNE_TRY(write_file(run_.root_salt(), as_bytes(job_.root_salt->hex() + "\n")));
    }
    if (first_ == 0) {
      AFTUNE_TRY(recorder_->record_contract());
      AFTUNE_TRY(record_states(0));
    }
    for (std::uint64_t j = first_; j < timeline_.step_blocks(); ++j) {
      for (std::uint64_t t = timeline_.first_step(j); t < timeline_.last_step(j); ++t) {
        if (lies_.abort && lies_.abort->step == t) {
          return recorder_->record_abort(t, lies_.abort->cause, lies_.abort->reason);
        }
        AFTUNE_TRY(step(t));
      }
      AFTUNE_TRY(record_states(j + 1));
    }
    return close();
  }

 private:
  Provider(const Job& job, const Lies& lies, const trace::RunFolder& run, std::uint64_t first,
           const numerics::Engine& engine, trace::SideInputs inputs, States states,
           std::unique_ptr<trace::Recorder> recorder)
      : job_(job),
        contract_(job.contract.contract),
        lies_(lies),
        run_(run),
        first_(first),
        timeline_(contract_),
        partition_(contract_.partition()),
        inputs_(std::move(inputs)),
        llama_{inputs_.model().config, inputs_.model().inv_freq.clone(), inputs_.model().lora,
               inputs_.model().dropout_key},
        states_(std::move(states)),
        recorder_(std::move(recorder)) {
    if (lies_.boundary) partition_.boundary = *lies_.boundary;
    if (lies_.model) lies_.model(llama_);
    if (lies_.start) lies_.start(states_);
    workers_.reserve(states_.size());
    for (std::uint32_t b = 0; b < states_.size(); ++b) {
      workers_.emplace_back(engine, llama_, partition_, b, states_[b]);
    }
  }

  Status record_states(std::uint64_t step_block) {
    AFTUNE_TRY(recorder_->record_states(step_block, states_));
    return recorder_->drain();
  }

  Status step(std::uint64_t t) {
    AFTUNE_TRY(auto batches, inputs_.batches().micro_batches(t));
    std::uint64_t counted = batches.front().counted;
    if (lies_.batches) lies_.batches(t, batches);
    if (lies_.before_step) lies_.before_step(t, states_);
    train::StepOutcome outcome;
    for (train::BlockStep& worker : workers_) worker.begin();
    for (std::uint32_t m = 0; m < batches.size(); ++m) {
      AFTUNE_TRY(const float loss, forward(t, m, batches[m]));
      outcome.losses.push_back(loss);
      AFTUNE_TRY(backward(t, m, batches[m]));
    }
    AFTUNE_TRY(update(t, outcome));
    if (lies_.after_step) lies_.after_step(t, states_);
    std::vector<std::uint64_t> rows = inputs_.batches().rows(t);
    if (lies_.claim) lies_.claim(t, outcome, rows, counted);
    return recorder_->record_step(t, std::move(rows), counted, outcome);
  }

  train::BlockStep& worker_of(std::uint32_t segment) {
    return workers_[partition_.segments[segment].block];
  }

  /// Lies about an edge are told of fp32 values; what comes of them is rounded as the edge was.
  static Status tell_of_edge(const std::function<void(const train::EdgeId&, Tensor&)>& lie,
                             const train::EdgeId& id, Tensor& tensor) {
    if (!lie) return ok();
    if (tensor.dtype() == Dtype::kF32) {
      lie(id, tensor);
      return ok();
    }
    AFTUNE_TRY(Tensor values, to_f32(tensor.view()));
    lie(id, values);
    tensor = round_to_bf16(values);
    return ok();
  }

  /// Commits an edge and returns what is handed on.
  Result<train::EdgeTensor> hand_over(const train::EdgeId& id, Tensor tensor) {
    AFTUNE_TRY(tell_of_edge(lies_.edge, id, tensor));
    Tensor shown = tensor.clone();
    AFTUNE_TRY(tell_of_edge(lies_.shown_edge, id, shown));
    if (shown.dtype() != contract_.dtypes.boundary) {
      const bool wide = contract_.dtypes.boundary == Dtype::kF32;
      AFTUNE_TRY(shown, wide ? to_f32(shown.view()) : Result<Tensor>(round_to_bf16(shown)));
    }
    AFTUNE_TRY(recorder_->on_edge(id, std::make_shared<const Tensor>(std::move(shown))));
    return train::EdgeTensor(std::make_shared<const Tensor>(std::move(tensor)));
  }

  Result<float> forward(std::uint64_t t, std::uint32_t m, const model::MicroBatch& batch) {
    const auto last = static_cast<std::uint32_t>(partition_.segments.size()) - 1;
    train::EdgeTensor edge;
    for (std::uint32_t s = 0; s < last; ++s) {
      const train::EdgeTensor input = edge;
      AFTUNE_TRY(auto output, worker_of(s).forward(s, batch, input));
      Tensor passed = lies_.skipped.contains(s) ? input->clone() : std::move(output.activation);
      AFTUNE_TRY(edge, hand_over({t, m, s + 1, train::EdgeKind::kActivation}, std::move(passed)));
    }
    AFTUNE_TRY(const auto output, worker_of(last).forward(last, batch, edge));
    return output.loss;
  }

  Status backward(std::uint64_t t, std::uint32_t m, const model::MicroBatch& batch) {
    train::EdgeTensor gradient;
    for (auto s = static_cast<std::uint32_t>(partition_.segments.size()); s-- > 0;) {
      AFTUNE_TRY(Tensor passed, worker_of(s).backward(s, batch, gradient.get()));
      if (s == 0) break;
      if (lies_.skipped.contains(s)) passed = gradient->clone();
      AFTUNE_TRY(gradient, hand_over({t, m, s, train::EdgeKind::kGradient}, std::move(passed)));
    }
    return ok();
  }

  Status update(std::uint64_t t, train::StepOutcome& outcome) {
    for (const train::BlockStep& worker : workers_) {
      AFTUNE_TRY(train::GradientSquares squares, worker.squares());
      outcome.squares.merge(squares);
    }
    if (lies_.squares) lies_.squares(t, outcome.squares);
    train::TrainSpec spec = contract_.train_spec();
    if (lies_.update) lies_.update(t, spec);
    AFTUNE_TRY(const auto clip, train::clip_factor(spec.clip, outcome.squares));
    outcome.norm = clip.norm;
    outcome.clip = clip.factor;
    outcome.learning_rate = train::learning_rate(contract_.training.schedule, t);
    if (lies_.clip) lies_.clip(t, outcome);
    for (train::BlockStep& worker : workers_) {
      AFTUNE_TRY(worker.update(spec, t, outcome.clip));
    }
    return ok();
  }

  Status close() {
    const TensorSpec table = model::table_spec(llama_.config);
    AFTUNE_TRY(const Digest root,
               recorder_->model_root(table, inputs_.table_digest(), job_.root_salt));
    TensorMap parameters;
    for (train::BlockState& state : states_) parameters.merge(state.parameters);
    if (lies_.delivered) lies_.delivered(parameters);
    AFTUNE_TRY(auto files, trace::deliver(contract_, job_.base, parameters, run_.delivered()));
    return recorder_->record_close(root, std::move(files));
  }

  const Job& job_;
  const trace::Contract& contract_;
  const Lies& lies_;
  const trace::RunFolder& run_;
  std::uint64_t first_;  // step block
  trace::Timeline timeline_;
  model::Partition partition_;
  trace::SideInputs inputs_;
  model::Llama llama_;
  States states_;  // outlive workers and recorder, who read them
  std::vector<train::BlockStep> workers_;
  std::unique_ptr<trace::Recorder> recorder_;
};

}  // namespace

Status tell(const Job& job, const Lies& lies, const trace::RunFolder& run, std::uint64_t step_block,
            const numerics::Engine& engine) {
  AFTUNE_TRY(const auto provider, Provider::open(job, lies, run, step_block, engine));
  return provider->work();
}

void add_noise(Tensor& tensor) {
  std::size_t i = 0;
  for (float& value : tensor.f32()) value += (i++ % 2 == 0 ? 1.0F : -1.0F) * 0x1p-14F;
}

}  // namespace aftune::attack
