// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft_lora.h"

#include <gtest/gtest.h>

#include "aftune/crypto/blake3.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/trace/adapter_start.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::must;
using trace::testing::put;
using trace::testing::TempFolder;

class DraftLoraTest : public ::testing::Test {
 protected:
  /// What the job's text gives; the contract and the notes stay for a look.
  Status draft(const std::string& text) {
    put(folder_ / "job.yaml", text);
    auto job = must(JobReader::load(folder_ / "job.yaml"));
    contract_ = trace::testing::tiny_contract();
    notes_.clear();
    return draft_lora(job, folder_.path(), std::nullopt, contract_, notes_);
  }
  std::string error(const std::string& text) {
    const Status drafted = draft(text);
    if (drafted) return "no error";
    std::string what = drafted.error().what;
    const std::string path = folder_.path().string() + "/";
    while (what.find(path) != std::string::npos) what.erase(what.find(path), path.size());
    return what;
  }
  [[nodiscard]] const model::LoraSpec& lora() const { return contract_.adapter->lora; }

  TempFolder folder_;
  trace::Contract contract_;
  std::vector<std::string> notes_;
};

TEST_F(DraftLoraTest, AJobWithoutTheKeyTrainsAll) {
  ASSERT_TRUE(draft("steps: 5\n"));
  EXPECT_FALSE(contract_.adapter);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(DraftLoraTest, PeftsNamesGiveTheContractsMembers) {
  ASSERT_TRUE(
      draft("lora: {r: 4, lora_alpha: 16, lora_dropout: 0.125, use_rslora: true,\n"
            "  target_modules: [v_proj, q_proj], modules_to_save: [norm, input_layernorm]}\n"));
  EXPECT_EQ(lora(), (model::LoraSpec{
                        4, 16, 0.125, true, {"q_proj", "v_proj"}, {"input_layernorm", "norm"}}));
  EXPECT_FALSE(contract_.adapter->initial);
  EXPECT_EQ(notes_, std::vector<std::string>{"lora.initial: made from the run's seed"});
  EXPECT_TRUE(trace::Contract::parse(contract_.payload()));
}

TEST_F(DraftLoraTest, WhatIsAbsentIsPeftsAndIsTold) {
  ASSERT_TRUE(draft("lora: {lora_dropout: 0}\n"));
  EXPECT_EQ(lora(), (model::LoraSpec{8, 8, 0, false, {"q_proj", "v_proj"}, {}}));
  EXPECT_EQ(notes_, (std::vector<std::string>{"lora.r: 8", "lora.lora_alpha: 8",
                                              "lora.target_modules: q_proj, v_proj",
                                              "lora.initial: made from the run's seed"}));
}

TEST_F(DraftLoraTest, AllLinearIsSpelledOut) {
  ASSERT_TRUE(draft("lora: {r: 2, lora_alpha: 2, target_modules: all-linear}\n"));
  EXPECT_EQ(lora().target_modules, model::linear_modules(contract_.architecture));
  EXPECT_EQ(notes_.front(),
            "lora.target_modules: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj");
}

TEST_F(DraftLoraTest, ErrorsNameLineAndKey) {
  const std::pair<const char*, const char*> table[] = {
      {"lora:\n  r: 0\n", "job.yaml:2: lora.r"},
      {"lora:\n  r: 8\n  lora_alpha: -1\n", "job.yaml:3: lora.lora_alpha -1 is not above 0"},
      {"lora:\n  lora_dropout: 1\n", "job.yaml:2: lora.lora_dropout 1 is outside [0, 1)"},
      {"lora:\n  use_rslora: maybe\n", "job.yaml:2: lora.use_rslora"},
      {"lora:\n  target_modules: q_proj\n",
       "job.yaml:2: lora.target_modules is \"q_proj\", needs all-linear or a list"},
      {"lora:\n  target_modules: [q_proj, embed_tokens]\n",
       "lora.target_modules: \"embed_tokens\""},
      {"lora:\n  target_modules: [q_proj, lm_head]\n",
       "job.yaml:2: lora.target_modules: lm_head of a model with tied embeddings"},
      {"lora:\n  target_modules: [q_proj, q_proj]\n", "is not ascending"},
      {"lora:\n  modules_to_save: [lm_head]\n",
       "job.yaml:2: lora.modules_to_save: lm_head of a model with tied embeddings"},
      {"lora:\n  modules_to_save: [q_proj]\n", "lora.modules_to_save: q_proj is a target, too"},
      {"lora:\n  initial: nowhere\n", "job.yaml:2: lora.initial"},
      {"lora:\n  rank: 8\n", "lora.rank"},
  };
  for (const auto& [text, names] : table) {
    EXPECT_NE(error(text).find(names), std::string::npos) << error(text) << "\n  lacks " << names;
  }
}

TEST_F(DraftLoraTest, AFolderIsBoundByItsRoot) {
  ASSERT_TRUE(draft("lora: {r: 2, lora_alpha: 4, target_modules: [k_proj]}\n"));
  TensorMap tensors;
  std::map<std::string, Digest, std::less<>> digests;
  for (const TensorSpec& spec : contract_.trained()) {
    const Tensor made = model::first_adapter(spec, {3, 4});
    digests[spec.name] = crypto::blake3(made.bytes());
    tensors.emplace(spec.name, made.clone());
  }
  must(model::write_adapter_folder(folder_ / "first", lora(), contract_.architecture, tensors));
  const Digest root = trace::adapter_root(digests, contract_, std::nullopt);
  ASSERT_TRUE(draft("lora: {r: 2, lora_alpha: 4, target_modules: [k_proj], initial: first}\n"));
  EXPECT_EQ(contract_.adapter->initial, root);
  EXPECT_NE(error("lora: {r: 4, lora_alpha: 4, target_modules: [k_proj], initial: first}\n")
                .find("has another rank, scaling or other modules than lora has"),
            std::string::npos);
}

}  // namespace
}  // namespace aftune::cli
