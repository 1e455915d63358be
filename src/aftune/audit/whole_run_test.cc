// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/whole_run.h"

#include <gtest/gtest.h>

#include "aftune/tensor/safetensors.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::must;
using trace::testing::RunCopy;

/// The whole-run checks over a copy, in the auditor's order.
struct Checked {
  explicit Checked(const RunCopy& copy) {
    Judge judge(verdict);
    check_entries(copy.job.contract(), copy.entries, judge, facts);
    auto inputs =
        must(trace::SideInputs::open(copy.job.contract(), copy.run.data(), copy.run.base()));
    const auto openings = copy.openings();
    check_step_lists(copy.job.contract(), openings, inputs, copy.entries.size(), judge);
    check_state_lists(copy.job.contract(), openings, inputs, std::nullopt, copy.entries.size(),
                      judge, facts);
    if (facts.closed) {
      check_close(copy.job.contract(), openings, inputs, std::nullopt, judge, facts);
    }
    if (facts.close) check_delivery({copy.run.delivered(), copy.run.delivered()}, facts, judge);
  }
  [[nodiscard]] std::string first() const {
    if (verdict.findings.empty()) return "";
    const Finding& finding = verdict.findings[0];
    return std::string(check_name(finding.check)) + " " + finding.place + ": " + finding.message;
  }
  Verdict verdict;
  RunFacts facts;
};

/// Changes the step list at `step` and names it in the entry.
void change_step(RunCopy& copy, std::uint64_t step,
                 const std::function<void(trace::StepList&)>& change) {
  trace::StepList list = must(copy.openings().step_list(step));
  change(list);
  copy.set_list(copy.timeline().position_of_step(step),
                trace::encode_list(copy.job.contract(), step, list));
}

TEST(WholeRun, AnHonestRunHolds) {
  const RunCopy copy;
  const Checked checked(copy);
  EXPECT_EQ(checked.first(), "");
  EXPECT_TRUE(checked.facts.closed);
  EXPECT_TRUE(checked.facts.close);
  EXPECT_EQ(checked.facts.last_parameters.size(),
            model::parameter_specs(copy.job.contract().architecture).size());
  EXPECT_TRUE(checked.verdict.unchecked.empty());
}

TEST(WholeRun, AnHonestOpenRunHoldsAsFarAsItGoes) {
  const std::size_t count = RunCopy().entries.size();
  for (std::size_t size = 1; size < count; ++size) {
    RunCopy copy;
    copy.entries.resize(size);
    const Checked checked(copy);
    EXPECT_EQ(checked.first(), "") << size;
    EXPECT_FALSE(checked.facts.closed);
  }
}

TEST(WholeRun, EachStepsNumbersMustFollow) {
  struct Lie {
    const char* cause;
    std::function<void(trace::StepList&)> tell;
  };
  const Lie lies[] = {
      {"rule step 2: learning rate", [](auto& l) { l.learning_rate *= 2; }},
      {"rule step 2: gradient norm", [](auto& l) { l.norm += 1; }},
      {"rule step 2: gradient norm", [](auto& l) { l.squares.begin()->second += 1; }},
      {"rule step 2: clip factor", [](auto& l) { l.clip = 1; }},
      {"data step 2: rows", [](auto& l) { std::swap(l.rows[0], l.rows[1]); }},
      {"data step 2: ", [](auto& l) { ++l.counted; }},
  };
  for (const Lie& lie : lies) {
    RunCopy copy;
    change_step(copy, 2, lie.tell);
    const Checked checked(copy);
    EXPECT_EQ(checked.first().rfind(lie.cause, 0), 0U) << lie.cause << " / " << checked.first();
  }
}

TEST(WholeRun, EachListMustHold) {
  const trace::Timeline timeline(trace::testing::finished_job().contract());
  const std::pair<const char*, std::uint64_t> places[] = {
      {"list step 2: ", timeline.position_of_step(2)},
      {"list layer block 1, step block 2: ", timeline.position_of_state(1, 2)},
      {"list close: ", timeline.position_of_close()}};
  for (const auto& [cause, position] : places) {
    RunCopy other;
    other.set_list(position, "{}");
    EXPECT_EQ(Checked(other).first().rfind(cause, 0), 0U) << Checked(other).first();
    const RunCopy altered;
    trace::testing::flip_bit(altered.list_of(position), 20);
    EXPECT_EQ(Checked(altered).first().rfind(cause, 0), 0U) << Checked(altered).first();
  }
}

TEST(WholeRun, EntriesStandAtTheirPlaces) {
  RunCopy swapped;
  std::swap(swapped.entries[4], swapped.entries[5]);
  EXPECT_EQ(Checked(swapped).first().rfind("entry log entry 4", 0), 0U);
  RunCopy longer;
  longer.entries.push_back(longer.entries.back());
  EXPECT_NE(Checked(longer).first().find("the log has 16 entries, the contract implies 15"),
            std::string::npos);
  RunCopy other;
  other.entries[0] =
      trace::encode_entry(0, other.timeline().at(0), trace::testing::digest_of("other"));
  EXPECT_NE(Checked(other).first().find("started for another contract"), std::string::npos);
}

TEST(WholeRun, AnAbortIsTakenAtTheEndOnly) {
  RunCopy copy;
  copy.entries[5] = trace::encode_abort(5, {2, "fault", trace::testing::digest_of("x")});
  EXPECT_EQ(Checked(copy).first().rfind("entry log entry 5", 0), 0U) << "entries follow it";
  copy.entries.resize(6);
  Verdict verdict;
  RunFacts facts;
  Judge judge(verdict);
  check_entries(copy.job.contract(), copy.entries, judge, facts);
  EXPECT_TRUE(judge.clean());
  ASSERT_TRUE(facts.abort);
  EXPECT_EQ(facts.abort_position, 5U);
  EXPECT_FALSE(facts.closed);
}

TEST(WholeRun, AnAbortOfAnotherPlaceIsHeldAgainstTheProvider) {
  RunCopy copy;
  copy.entries.resize(6);
  copy.entries[5] = trace::encode_abort(4, {2, "fault", trace::testing::digest_of("x")});
  EXPECT_EQ(Checked(copy).first().rfind("entry log entry 5", 0), 0U);
}

TEST(WholeRun, SharesThatGiveNoNormAreRefused) {
  RunCopy copy;
  change_step(copy, 2, [](trace::StepList& list) {
    for (auto& [name, share] : list.squares) share = 0x1p+1023;
  });
  const Checked checked(copy);
  EXPECT_EQ(checked.first().rfind("rule step 2: ", 0), 0U) << checked.first();
}

TEST(WholeRun, FirstStatesAreTheBaseAndZeros) {
  const trace::Contract& contract = trace::testing::finished_job().contract();
  const auto tensors = trace::state_tensors(contract, 1);
  for (std::size_t k : {std::size_t{0}, tensors.size() - 1}) {
    RunCopy copy;
    trace::StateList list = must(copy.openings().state_list(1, 0));
    list.digests[k] = trace::testing::digest_of("another tensor");
    copy.set_list(copy.timeline().position_of_state(1, 0),
                  trace::encode_list(contract, 1, 0, list));
    EXPECT_EQ(Checked(copy).first().rfind("base ", 0), 0U) << k;
  }
}

TEST(WholeRun, TheCloseBindsTheLastStatesAndTheContractsFiles) {
  const std::pair<const char*, std::function<void(trace::CloseList&)>> lies[] = {
      {"model-root close", [](auto& l) { l.model_root = trace::testing::digest_of("x"); }},
      {"delivery close", [](auto& l) { l.files.pop_back(); }},
      {"delivery close",
       [](auto& l) {
         l.files.push_back({"virus.py", 1, {}});
       }},
      {"delivery close", [](auto& l) { l.files[1].sha256 = trace::testing::digest_of("x"); }},
      {"delivery close", [](auto& l) { ++l.files[2].size; }},
      {"delivery close", [](auto& l) { l.files[0].path = "a"; }}};
  for (const auto& [cause, tell] : lies) {
    RunCopy copy;
    trace::CloseList list = must(copy.openings().close_list());
    tell(list);
    copy.set_list(copy.timeline().position_of_close(), trace::encode_list(list));
    const Checked checked(copy);
    EXPECT_EQ(checked.first().rfind(cause, 0), 0U) << checked.first();
  }
}

Result<TensorMap> tensors_of(const Path& file) {
  AFTUNE_TRY(const SafetensorsFile opened, SafetensorsFile::open(file));
  TensorMap out;
  for (const auto& [name, tensor] : opened.tensors()) out.emplace(name, Tensor::copy_of(tensor));
  return out;
}

TEST(WholeRun, TheDeliveredFolderIsTheBoundOne) {
  RunCopy altered;
  const Path weights = altered.run.delivered() / "model.safetensors";
  trace::testing::flip_bit(weights, must(aftune::file_size(weights)) - 1);
  const Checked checked(altered);
  EXPECT_NE(checked.first().find("is not the last state's"), std::string::npos);
  // Under the right name another tensor, another dtype, one too many.
  const TensorMap honest = must(tensors_of(RunCopy().run.delivered() / "model.safetensors"));
  const std::string& name = honest.begin()->first;
  const std::pair<const char*, std::function<void(TensorMap&)>> lies[] = {
      {"is missing or has another dtype or shape than F32",
       [&](TensorMap& t) {
         const Shape shape = t.at(name).shape();
         t.insert_or_assign(name, Tensor(Dtype::kF16, {shape[0], 2 * shape[1]}));
       }},
      {"is missing or has another dtype or shape than F32", [&](TensorMap& t) { t.erase(name); }},
      {"tensors, the model has ",
       [](TensorMap& t) { t.emplace("extra", Tensor(Dtype::kF32, {1})); }}};
  for (const auto& [cause, tell] : lies) {
    const RunCopy lie;
    TensorMap tensors = must(tensors_of(lie.run.delivered() / "model.safetensors"));
    tell(tensors);
    std::vector<NamedTensor> named;
    for (const auto& [key, tensor] : tensors) named.push_back({key, tensor.view()});
    must(write_safetensors(lie.run.delivered() / "model.safetensors", named));
    EXPECT_NE(Checked(lie).first().find(cause), std::string::npos) << Checked(lie).first();
  }
  const RunCopy extra;
  trace::testing::put(extra.run.delivered() / "virus.py", "x");
  EXPECT_NE(Checked(extra).first().find("virus.py was not agreed on"), std::string::npos);
  const RunCopy missing;
  std::filesystem::remove(missing.run.delivered() / "tokenizer.json");
  EXPECT_EQ(Checked(missing).first().rfind("missing ", 0), 0U);
  const RunCopy companion;
  trace::testing::flip_bit(companion.run.delivered() / "tokenizer.json", 20);
  EXPECT_NE(Checked(companion).first().find("tokenizer.json has SHA-256"), std::string::npos);
}

}  // namespace
}  // namespace aftune::audit
