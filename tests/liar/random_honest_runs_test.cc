// SPDX-License-Identifier: Apache-2.0
// Honest runs of random configurations: each is recorded on one machine, audited in all blocks on
// another, and accepted. AFTUNE_HONEST_RUNS says how many (24), AFTUNE_TEST_SEED repeats a failure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "aftune/trace/trainer.h"
#include "expect_verdict.h"
#include "tiny_world.h"

namespace aftune::liar {
namespace {

std::uint32_t from_environment(const char* name, std::uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

/// Equal seeds give equal configurations with every library.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  /// Within [low, high].
  std::uint32_t number(std::uint32_t low, std::uint32_t high) {
    return low + static_cast<std::uint32_t>(random_() % (high - low + 1));
  }
  bool toss() { return number(0, 1) == 1; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[number(0, static_cast<std::uint32_t>(values.size()) - 1)];
  }

 private:
  std::mt19937 random_;
};

struct Machine {
  numerics::Isa isa = numerics::Isa::kScalar;
  unsigned threads = 1;
  [[nodiscard]] std::string text() const {
    return fmt::format("{} with {} threads", numerics::isa_name(isa), threads);
  }
};

Machine random_machine(Dice& dice) {
  const auto isas = numerics::available_isas();
  return {isas[dice.number(0, static_cast<std::uint32_t>(isas.size()) - 1)], dice.number(1, 3)};
}

struct Configuration {
  Terms terms;
  Machine recorded, audited;

  [[nodiscard]] std::string text() const {
    const auto& t = terms;
    return fmt::format(
        "{}{}, {} layers, {} key/value heads, {}, B_L {}, B_S {}, I_C {}, I_A {}, {} steps, batch "
        "{} of "
        "{}, {}, "
        "peak {:g}, clip {:g}, recorded on {}, audited on {}",
        model::traits_of(t.family).name, t.scaled_rope ? " with scaled frequencies" : "", t.layers,
        t.kv_heads, t.tied ? "tied" : "untied", t.layers_per_block, t.steps_per_block,
        t.state_interval, t.edge_interval, t.steps, t.samples, t.micro_batch,
        t.training.optimizer.kind == train::OptimizerKind::kAdamW
            ? "AdamW"
            : fmt::format("SGD {:g}", t.training.optimizer.momentum),
        t.training.schedule.peak, t.training.clip.max_norm, recorded.text(), audited.text());
  }
};

train::TrainSpec random_training(Dice& dice, std::uint64_t steps) {
  train::TrainSpec spec;
  if (dice.toss()) {
    spec.optimizer = {train::OptimizerKind::kAdamW,
                      dice.one_of({0.0, 0.8, 0.9}),
                      dice.one_of({0.9, 0.99, 0.999}),
                      dice.one_of({1e-8, 1e-6}),
                      0,
                      dice.one_of({0.0, 0.01, 0.1})};
    spec.schedule.peak = dice.one_of({1e-4, 1e-3, 1e-2});
  } else {
    spec.optimizer = {train::OptimizerKind::kSgd, 0, 0, 0, dice.one_of({0.0, 0.5, 0.9}),
                      dice.one_of({0.0, 0.01})};
    spec.schedule.peak = dice.one_of({1e-3, 1e-1, 0.5});
  }
  if (dice.toss()) {
    spec.schedule.kind =
        dice.one_of({train::ScheduleKind::kWarmupCosine, train::ScheduleKind::kLinear,
                     train::ScheduleKind::kConstantWithWarmup});
    spec.schedule.warmup_steps = dice.number(0, 2);
    spec.schedule.total_steps = steps + dice.number(0, 3);
    // A schedule is not all warm-up and more.
    spec.schedule.warmup_steps = std::min(spec.schedule.warmup_steps, spec.schedule.total_steps);
  }
  if (dice.toss()) spec.optimizer.decayed = train::Decayed::kWeights;
  spec.optimizer.nesterov = spec.optimizer.momentum > 0 && dice.toss();
  spec.clip.max_norm = dice.one_of({0.0, 0.1, 1.0, 1e6});
  return spec;
}

Configuration random_configuration(Dice& dice, std::uint32_t index) {
  Configuration out;
  Terms& t = out.terms;
  t.layers = dice.number(1, 6);
  t.kv_heads = dice.one_of({1U, 2U, 4U});
  t.tied = dice.toss();
  t.model_seed = dice.number(1, 4);
  t.layers_per_block = dice.number(1, t.layers + 1);
  t.steps = dice.number(1, 9);
  t.steps_per_block = dice.number(1, 4);
  t.state_interval = dice.number(1, 4);
  t.edge_interval = dice.number(1, 4);
  t.samples = dice.number(1, 5);
  t.micro_batch = dice.number(1, static_cast<std::uint32_t>(t.samples));
  t.training = random_training(dice, t.steps);
  t.base_public = dice.toss();
  t.weights_disclosed = dice.toss();
  const bool all_labels = dice.toss(), shuffled = dice.toss(), packing = dice.toss();
  const std::uint32_t sequence = dice.number(12, 24);
  t.change = [=](trace::Contract& c) {
    c.run_id.bytes[1] = static_cast<unsigned char>(index);
    c.run_id.bytes[2] = static_cast<unsigned char>(index >> 8);
    c.text.labels = all_labels ? "all" : "completion";
    c.text.sequence = sequence;
    c.text.packing = packing;
    c.order.shuffle = shuffled ? "sha256" : "none";
  };
  out.recorded = random_machine(dice);
  out.audited = random_machine(dice);
  t.family = model::families()[dice.number(0, 3)].family;
  t.scaled_rope = dice.toss();
  return out;
}

numerics::Engine engine_of(const Machine& machine, ThreadPool& pool) {
  return must(numerics::Engine::create(machine.isa, pool));
}

/// Trains on one machine, audits all blocks on another.
void expect_accepted(const Configuration& configuration) {
  const World w(configuration.terms);
  const trace::RunFolder run{fresh_path("random")};
  {
    ThreadPool pool(configuration.recorded.threads);
    const auto engine = engine_of(configuration.recorded, pool);
    const auto report = must(trace::train_run(
        {w.envelope(), run, w.provider_key(), w.base(), w.data(), {}, {}, {}}, engine));
    ASSERT_EQ(report.end, trace::RunEnd::kClosed) << report.abort_reason;
  }
  ThreadPool pool(configuration.audited.threads);
  const auto verdict =
      must(audit::audit_run(w.all_blocks(run), engine_of(configuration.audited, pool)));
  EXPECT_TRUE(accepted(verdict));
  std::filesystem::remove_all(run.root);
}

TEST(RandomHonestRuns, EveryBlockOfEachIsAccepted) {
  const std::uint32_t count = from_environment("AFTUNE_HONEST_RUNS", 24);
  const std::uint32_t seed = from_environment("AFTUNE_TEST_SEED", 20261123);
  std::printf("AFTUNE_TEST_SEED=%u, %u runs\n", seed, count);
  Dice dice(seed);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Configuration configuration = random_configuration(dice, i);
    SCOPED_TRACE(fmt::format("run {}: {}", i, configuration.text()));
    expect_accepted(configuration);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace aftune::liar
