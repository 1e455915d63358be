// SPDX-License-Identifier: Apache-2.0
// Honest runs of many shapes: none may be rejected, and the grid changes no bit of the model.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aftune/tlog/tiles.h"
#include "aftune/trace/trainer.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

struct Variant {
  const char* name;
  Terms terms;
};

Terms shape(Terms terms, std::uint32_t layers, std::uint64_t steps_per_block,
            std::uint64_t interval, std::uint64_t micro_batch = 4) {
  terms.layers_per_block = layers;
  terms.steps_per_block = steps_per_block;
  terms.state_interval = interval;
  terms.micro_batch = micro_batch;
  return terms;
}

Terms clip(Terms terms, double max_norm) {
  terms.training.clip.max_norm = max_norm;
  return terms;
}

/// Nesterov's momentum, no decay of norms, a rate that falls along a line.
Terms trainer_sgd() {
  Terms terms = shape(sgd(0.9), 2, 2, 1);
  terms.training.optimizer.nesterov = true;
  terms.training.optimizer.decayed = train::Decayed::kWeights;
  terms.training.optimizer.weight_decay = 0.1;
  terms.training.schedule = {train::ScheduleKind::kLinear, 1e-2, 1, 5};
  return terms;
}

std::vector<Variant> variants() {
  Terms secret = untied();
  secret.base_public = secret.weights_disclosed = false;
  Terms longer = tied();
  longer.steps = 7;
  Terms all_labels = untied();
  all_labels.change = [](trace::Contract& c) { c.text.labels = "all"; };
  Terms unshuffled = untied();
  unshuffled.change = [](trace::Contract& c) { c.order = {"none", false}; };
  return {
      {"tied, AdamW", tied()},
      {"tied, one layer a block", shape(tied(), 1, 2, 1)},
      {"tied, all layers in one block", shape(tied(), 4, 2, 1)},
      {"untied, all layers in one block", shape(untied(), 4, 2, 2)},
      {"a ragged last layer block", shape(tied(), 3, 2, 1)},
      {"more layers a block than there are", shape(untied(), 9, 1, 1)},
      {"one step a block", shape(untied(), 2, 1, 3)},
      {"all steps in one block", shape(tied(), 2, 9, 1)},
      {"states of every second block", shape(tied(), 1, 1, 2)},
      {"states of every third block", shape(longer, 2, 1, 3)},
      {"no state but the first", shape(tied(), 2, 1, 100)},
      {"two micro-batches, the last smaller", shape(tied(), 1, 2, 1, 3)},
      {"four micro-batches", shape(untied(), 2, 2, 2, 1)},
      {"SGD", shape(sgd(0), 2, 2, 1)},
      {"momentum", shape(sgd(0.9), 2, 2, 2)},
      {"Nesterov, decay of weights alone, linear", trainer_sgd()},
      {"no clipping", clip(untied(), 0)},
      {"clipping that never binds", clip(tied(), 1e6)},
      {"a private base and hidden weights", secret},
      {"labels on all tokens", all_labels},
      {"rows in file order", unshuffled},
      {"several rows a sample", shape(packed(), 2, 2, 1, 3)},
      {"conversations", conversations()},
  };
}

TEST(HonestRuns, AreAcceptedByAllBlocksAndByTheDraw) {
  for (const Variant& variant : variants()) {
    const World& w = world(variant.terms);
    const auto run = w.honest_run();
    EXPECT_TRUE(accepted(w.audit_all(run))) << variant.name;
    EXPECT_TRUE(accepted(w.audit_drawn(run, w.fresh_secret()))) << variant.name;
  }
}

TEST(HonestRuns, TheSameDrawTwiceIsAccepted) {
  const World& w = world(tied());
  const Path secret = w.fresh_secret();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(accepted(w.audit_drawn(w.honest_run(), secret)));
}

TEST(HonestRuns, TheGridChangesNoBitOfTheModel) {
  for (const bool is_tied : {true, false}) {
    ByteBuffer first;
    for (const std::uint32_t layers : {1U, 2U, 3U, 4U}) {
      for (const std::uint64_t steps : {1U, 2U, 5U}) {
        const World& w = world(shape(is_tied ? tied() : untied(), layers, steps, 2));
        const auto weights =
            must(read_file(w.honest_run().delivered() / "model.safetensors", 1U << 30));
        if (first.empty()) first = weights;
        EXPECT_EQ(weights, first) << layers << " layers, " << steps << " steps a block";
      }
    }
  }
}

Digest log_root(const World& w, const trace::RunFolder& run) {
  return must(tlog::read_log(run.log(), w.contract().log_key())).checkpoint.root;
}

/// Trains in a process that dies after `steps` steps of its own.
void train_and_die(const World& w, const trace::RunFolder& run, const Path& base, int steps) {
  const pid_t child = ::fork();
  if (child == 0) {
    ThreadPool pool(1);
    const auto machine = must(numerics::Engine::create(std::nullopt, pool));
    int left = steps;
    const auto die = [&](const trace::StepProgress&) {
      if (--left == 0) ::_exit(0);
    };
    static_cast<void>(trace::train_run({w.envelope(), run, w.provider_key(), base, w.data(),
                                        trace::Existing::kResume, trace::Recording::kOn, die},
                                       machine));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(HonestRuns, ARunThatWasKilledAndResumedIsTheUninterruptedOne) {
  for (const std::uint64_t interval : {1U, 2U}) {
    const World& w = world(shape(tied(), 2, 1, interval));
    for (int steps = 1; steps <= 5; ++steps) {
      const trace::RunFolder run{fresh_path("killed")};
      train_and_die(w, run, w.base(), steps);
      const auto report = must(trace::train_run({w.envelope(),
                                                 run,
                                                 w.provider_key(),
                                                 w.base(),
                                                 w.data(),
                                                 trace::Existing::kResume,
                                                 trace::Recording::kOn,
                                                 {}},
                                                engine()));
      EXPECT_EQ(report.end, trace::RunEnd::kClosed);
      EXPECT_EQ(log_root(w, run), log_root(w, w.honest_run()));
      EXPECT_TRUE(accepted(w.audit_all(run))) << "killed after step " << steps;
    }
  }
}

TEST(HonestRuns, AFileThatJoinedTheModelFolderLaterIsNotDelivered) {
  // The provider's own copy has got a file that the contract does not know.
  const World& w = world(untied());
  const Path model = fresh_path("model");
  std::filesystem::copy(w.base(), model);
  replace(model / "special_tokens_map.json", "{}");
  const trace::RunFolder run{fresh_path("run")};
  must(trace::train_run({w.envelope(), run, w.provider_key(), model, w.data(), {}, {}, {}},
                        engine()));
  EXPECT_TRUE(accepted(w.audit_all(run)));
}

TEST(HonestRuns, RecordedOnOneMachineAndAuditedOnAnother) {
  const World& w = world(shape(tied(), 2, 2, 1, 3));
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 3U}) {
      ThreadPool pool(threads);
      const auto machine = must(numerics::Engine::create(isa, pool));
      const trace::RunFolder run{fresh_path("run")};
      must(trace::train_run({w.envelope(), run, w.provider_key(), w.base(), w.data(), {}, {}, {}},
                            machine));
      EXPECT_EQ(log_root(w, run), log_root(w, w.honest_run())) << numerics::isa_name(isa);
      const auto verdict = must(audit::audit_run(w.all_blocks(w.honest_run()), machine));
      EXPECT_TRUE(accepted(verdict)) << numerics::isa_name(isa) << ", " << threads << " threads";
    }
  }
}

/// A run whose arithmetic leaves the finite numbers, honestly.
Terms diverging() {
  Terms terms = shape(sgd(0), 2, 2, 1);
  terms.training = {{train::OptimizerKind::kSgd, 0, 0, 0, 0, 0},
                    {train::ScheduleKind::kConstant, 1e37, 0, 0},
                    {0}};
  return terms;
}

TEST(HonestRuns, ARunThatDivergesIsProvenAborted) {
  const World& w = world(diverging());
  const trace::RunFolder run{fresh_path("run")};
  const auto report = must(trace::train_run(
      {w.envelope(), run, w.provider_key(), w.base(), w.data(), {}, {}, {}}, engine()));
  ASSERT_EQ(report.end, trace::RunEnd::kAborted);
  EXPECT_TRUE(inconclusive(w.audit_all(run), "aborted, proven"));
  EXPECT_TRUE(inconclusive(w.audit_drawn(run, w.fresh_secret()), "aborted, proven"));
}

TEST(HonestRuns, AnAbortWithAnotherReasonThanTheReplaysIsNot) {
  const World& w = world(diverging());
  Lies lies;
  lies.abort = {1, "non-finite", "step 1: gradient norm: non-finite value, or so"};
  EXPECT_TRUE(
      rejected(w.audit_all(tell(w, lies)), {"abort", "abort at step 1", "the replay says"}));
}

}  // namespace
}  // namespace aftune::liar
