// SPDX-License-Identifier: Apache-2.0
#include "lying_provider.h"

#include <memory>

#include "aftune/trace/delivery.h"
#include "aftune/trace/recorder.h"
#include "aftune/trace/run_setup.h"

namespace aftune::liar {
namespace {

/// One run under way: the composition of train::run_step, with a hook at every hand-over.
class Provider {
 public:
  Provider(const World& world, const Lies& lies, const trace::RunFolder& run)
      : world_(world),
        contract_(world.contract()),
        lies_(lies),
        run_(run),
        timeline_(contract_),
        partition_(contract_.partition()),
        inputs_(must(trace::SideInputs::open(contract_, world.data(), world.base()))),
        llama_{inputs_.model().config, inputs_.model().inv_freq.clone()},
        salt_(root_salt()),
        states_(must(trace::load_base(contract_, world.base(), inputs_, salt_))),
        recorder_(must(trace::Recorder::open(contract_, run, world.provider_key()))) {
    if (lies_.model) lies_.model(llama_);
    if (lies_.start) lies_.start(states_);
    workers_.reserve(states_.size());
    for (std::uint32_t b = 0; b < states_.size(); ++b) {
      workers_.emplace_back(engine(), llama_, partition_, b, states_[b]);
    }
  }

  void work() {
    if (salt_) must(write_file(run_.root_salt(), as_bytes(salt_->hex() + "\n")));
    must(recorder_->record_contract());
    record_states(0);
    for (std::uint64_t j = 0; j < timeline_.step_blocks(); ++j) {
      for (std::uint64_t t = timeline_.first_step(j); t < timeline_.last_step(j); ++t) {
        if (lies_.abort && lies_.abort->step == t) {
          return must(recorder_->record_abort(t, lies_.abort->cause, lies_.abort->reason));
        }
        step(t);
      }
      record_states(j + 1);
    }
    close();
  }

 private:
  std::optional<Digest> root_salt() const {
    if (contract_.base_public) return std::nullopt;
    return trace::SaltSource(world_.provider_key(), contract_.run_id).root_salt();
  }

  void record_states(std::uint64_t step_block) {
    must(recorder_->record_states(step_block, states_));
    must(recorder_->drain());
  }

  void step(std::uint64_t t) {
    auto batches = must(inputs_.batches().micro_batches(t));
    std::uint64_t counted = batches.front().counted;
    if (lies_.batches) lies_.batches(t, batches);
    if (lies_.before_step) lies_.before_step(t, states_);
    train::StepOutcome outcome;
    for (train::BlockStep& worker : workers_) worker.begin();
    for (std::uint32_t m = 0; m < batches.size(); ++m) {
      outcome.losses.push_back(forward(t, m, batches[m]));
      backward(t, m, batches[m]);
    }
    update(t, outcome);
    if (lies_.after_step) lies_.after_step(t, states_);
    std::vector<std::uint64_t> rows = inputs_.batches().rows(t);
    if (lies_.claim) lies_.claim(t, outcome, rows, counted);
    must(recorder_->record_step(t, std::move(rows), counted, outcome));
  }

  train::BlockStep& worker_of(std::uint32_t segment) {
    return workers_[partition_.segments[segment].block];
  }

  /// Commits an edge and returns what is handed on.
  train::EdgeTensor hand_over(const train::EdgeId& id, Tensor tensor) {
    if (lies_.edge) lies_.edge(id, tensor);
    Tensor shown = tensor.clone();
    if (lies_.shown_edge) lies_.shown_edge(id, shown);
    must(recorder_->on_edge(id, std::make_shared<const Tensor>(std::move(shown))));
    return std::make_shared<const Tensor>(std::move(tensor));
  }

  float forward(std::uint64_t t, std::uint32_t m, const model::MicroBatch& batch) {
    const auto count = static_cast<std::uint32_t>(partition_.segments.size());
    train::EdgeTensor edge;
    for (std::uint32_t s = 0; s < count; ++s) {
      const train::EdgeTensor input = edge;
      auto output = must(worker_of(s).forward(s, batch, input));
      if (s + 1 == count) return output.loss;
      Tensor passed = lies_.skipped.contains(s) ? input->clone() : std::move(output.activation);
      edge = hand_over({t, m, s + 1, train::EdgeKind::kActivation}, std::move(passed));
    }
    return 0;
  }

  void backward(std::uint64_t t, std::uint32_t m, const model::MicroBatch& batch) {
    train::EdgeTensor gradient;
    for (auto s = static_cast<std::uint32_t>(partition_.segments.size()); s-- > 0;) {
      Tensor passed = must(worker_of(s).backward(s, batch, gradient.get()));
      if (s == 0) break;
      if (lies_.skipped.contains(s)) passed = gradient->clone();
      gradient = hand_over({t, m, s, train::EdgeKind::kGradient}, std::move(passed));
    }
  }

  void update(std::uint64_t t, train::StepOutcome& outcome) {
    for (const train::BlockStep& worker : workers_) outcome.squares.merge(must(worker.squares()));
    if (lies_.squares) lies_.squares(t, outcome.squares);
    train::TrainSpec spec = contract_.training;
    if (lies_.update) lies_.update(t, spec);
    const auto clip = must(train::clip_factor(spec.clip, outcome.squares));
    outcome.norm = clip.norm;
    outcome.clip = clip.factor;
    outcome.learning_rate = train::learning_rate(contract_.training.schedule, t);
    if (lies_.clip) lies_.clip(t, outcome);
    for (train::BlockStep& worker : workers_) must(worker.update(spec, t, outcome.clip));
  }

  void close() {
    const TensorSpec table{model::kInvFreqName, Dtype::kF32, llama_.inv_freq.shape()};
    const Digest root = must(recorder_->model_root(table, inputs_.table_digest(), salt_));
    TensorMap parameters;
    for (train::BlockState& state : states_) parameters.merge(state.parameters);
    if (lies_.delivered) lies_.delivered(parameters);
    auto files = must(trace::deliver(contract_, world_.base(), parameters, run_.delivered()));
    must(recorder_->record_close(root, std::move(files)));
  }

  const World& world_;
  const trace::Contract& contract_;
  const Lies& lies_;
  const trace::RunFolder& run_;
  trace::Timeline timeline_;
  model::Partition partition_;
  trace::SideInputs inputs_;
  model::Llama llama_;
  std::optional<Digest> salt_;
  States states_;
  std::vector<train::BlockStep> workers_;
  std::unique_ptr<trace::Recorder> recorder_;
};

}  // namespace

trace::RunFolder tell(const World& world, const Lies& lies) {
  const trace::RunFolder run{fresh_path("lie")};
  must(trace::prepare_run_folder(world.envelope(), run, world.base(), world.data(),
                                 trace::Existing::kRefuse));
  Provider(world, lies, run).work();
  return run;
}

audit::Verdict caught(const World& world, const Lies& lies) {
  world.honest_run();
  return world.audit_all(tell(world, lies));
}

void add_noise(Tensor& tensor) {
  std::size_t i = 0;
  for (float& value : tensor.f32()) value += (i++ % 2 == 0 ? 1.0F : -1.0F) * 0x1p-14F;
}

}  // namespace aftune::liar
