// SPDX-License-Identifier: Apache-2.0
// Small models of every family against Hugging Face transformers in fp64. make_model_golden.py
// makes the files and says what they hold; README.md says why these bounds.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "aftune/model/import.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/model/tiny_llama_testing.h"
#include "golden/parity_run.h"

namespace aftune::golden {
namespace {

using codec::Json;
using model::testing::TempFolder;
using model::testing::TestEngine;

struct Golden {
  Model model;
  Json page;
  SafetensorsFile file;
  Batches batches;
};

/// Imported as a user would import it.
Result<Golden> load_golden(const std::string& name) {
  const Path source = Path(AFTUNE_SOURCE_DIR) / "tests/golden/models" / name;
  const TempFolder root;
  AFTUNE_TRY(make_folders(root / "hf"));
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(source / file, root / "hf" / file);
  }
  model::testing::put(root / "hf" / "tokenizer.json", "{\"none\": 1}");
  AFTUNE_TRY(model::import_hf(root / "hf", root / "imported"));
  AFTUNE_TRY(Model model, load_model(root / "imported"));
  AFTUNE_TRY(const std::string text, read_text_file(source / "golden.json", 1 << 20));
  AFTUNE_TRY(Json page, codec::parse_json(text, {}));
  AFTUNE_TRY(SafetensorsFile file, SafetensorsFile::open(source / "golden.safetensors"));
  AFTUNE_TRY(Batches batches, read_batches(file));
  return Golden{std::move(model), std::move(page), std::move(file), std::move(batches)};
}

/// bf16's error in a job.
double bf16(const Json& job, const char* what) {
  return *job.find("errors")->find("bf16")->find(what)->real();
}

/// Our errors: four as parts of what bf16 has, the worst tensors of both set against each other,
/// and the largest relative ones of three losses and gradient norms.
struct Errors {
  double logits = 0, gradient = 0, worst_tensor = 0, parameters = 0, loss = 0, norm = 0;
  std::string worst_name;
};
/// A fifth is what is promised of the real model. Small ones do better, at most 0.06, except for
/// parameters after Adam's steps: where a gradient is near zero its sign decides.
const Errors kBounds = {0.1, 0.1, 0.1, 0.2, 5e-5, 5e-4, ""};

Distance distance_to(const Golden& golden, const std::string& prefix, const TensorMap& got,
                     const TensorMap* start, Errors* by_tensor) {
  Distance all;
  for (const auto& [name, tensor] : got) {
    const TensorView* want = golden.file.find(prefix + name);
    AFTUNE_CHECK(want != nullptr && want->shape == tensor.shape(), prefix + name);
    if (start != nullptr) {
      all.add(tensor.f32(), want->f32(), start->find(name)->second.f32());
      continue;
    }
    all.add(tensor.f32(), want->f32());
    Distance one;
    one.add(tensor.f32(), want->f32());
    if (by_tensor != nullptr && one.relative() > by_tensor->worst_tensor) {
      by_tensor->worst_tensor = one.relative();
      by_tensor->worst_name = name;
    }
  }
  return all;
}

double largest_relative(const auto& got, const Json& want) {
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = *(*want.array())[i].real();
    largest = std::max(largest, std::abs(static_cast<double>(got[i]) / expected - 1));
  }
  return largest;
}

/// Logits of tokens, not of padding, whose golden rows are zeros.
double logits_error(const Golden& golden, const Outcome& got) {
  const auto want = golden.file.find("logits")->f32();
  const std::size_t width = golden.model.llama.config.vocab_size;
  Distance all;
  for (std::size_t row = 0; row < want.size() / width; ++row) {
    const auto expected = want.subspan(row * width, width);
    if (std::ranges::all_of(expected, [](float x) { return x == 0; })) continue;
    all.add(got.logits.f32().subspan(row * width, width), expected);
  }
  return all.relative();
}

Errors errors_of(const Golden& golden, const std::string& job_name, const Outcome& got) {
  const Json& job = *golden.page.find("jobs")->find(job_name);
  Errors e;
  e.logits = logits_error(golden, got) / bf16(job, "logits");
  e.gradient = distance_to(golden, "gradient/", got.gradients, nullptr, &e).relative() /
               bf16(job, "gradient");
  e.worst_tensor /= bf16(job, "gradient_worst_tensor");
  e.parameters = distance_to(golden, "parameter." + job_name + "/", got.parameters,
                             &golden.model.parameters, nullptr)
                     .relative() /
                 bf16(job, "parameters");
  e.loss = largest_relative(got.losses, *job.find("losses"));
  e.norm = largest_relative(got.norms, *job.find("norms"));
  return e;
}

bool within_bounds(const Errors& e) {
  return e.logits <= kBounds.logits && e.gradient <= kBounds.gradient &&
         e.worst_tensor <= kBounds.worst_tensor && e.parameters <= kBounds.parameters &&
         e.loss <= kBounds.loss && e.norm <= kBounds.norm;
}

std::string spelled(const Errors& e) {
  return ::testing::PrintToString(std::map<std::string, double>{{"logits", e.logits},
                                                                {"gradient", e.gradient},
                                                                {"worst tensor", e.worst_tensor},
                                                                {"parameters", e.parameters},
                                                                {"loss", e.loss},
                                                                {"norm", e.norm}}) +
         ", worst " + e.worst_name;
}

struct Case {
  const char* model;
  const char* job;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.model << '_' << c.job;
}

class ModelGolden : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    auto loaded = load_golden(GetParam().model);
    ASSERT_TRUE(loaded) << loaded.error().what;
    golden_ = std::make_unique<Golden>(*std::move(loaded));
    auto job = read_job(*golden_->page.find("jobs")->find(GetParam().job));
    ASSERT_TRUE(job) << job.error().what;
    job_ = *std::move(job);
  }

  [[nodiscard]] Errors errors(const Model& model, const Job& job, const Batches& batches) const {
    auto got = run(engine_, copy_of(model), job, batches);
    AFTUNE_CHECK(got.has_value(), got ? "" : got.error().what);
    return errors_of(*golden_, GetParam().job, *got);
  }

  TestEngine engine_{2};
  std::unique_ptr<Golden> golden_;
  Job job_;
};

TEST_P(ModelGolden, HasEveryTensorOfTheModelAndNoOther) {
  std::set<std::string> expected = {"tokens", "targets", "lengths", "logits"};
  for (const auto& spec : model::parameter_specs(golden_->model.llama.config)) {
    expected.insert("gradient/" + spec.name);
    for (const auto& [job, page] : *golden_->page.find("jobs")->object()) {
      expected.insert("parameter." + job + "/" + spec.name);
    }
  }
  std::set<std::string> found;
  for (const auto& [name, view] : golden_->file.tensors()) found.insert(name);
  EXPECT_EQ(found, expected);
}

TEST_P(ModelGolden, IsFarCloserToFp64ThanBf16) {
  const Errors e = errors(golden_->model, job_, golden_->batches);
  RecordProperty("errors", spelled(e));
  EXPECT_LE(e.logits, kBounds.logits);
  EXPECT_LE(e.gradient, kBounds.gradient);
  EXPECT_LE(e.worst_tensor, kBounds.worst_tensor) << e.worst_name;
  EXPECT_LE(e.parameters, kBounds.parameters);
  EXPECT_LE(e.loss, kBounds.loss);
  EXPECT_LE(e.norm, kBounds.norm);
}

TEST_P(ModelGolden, StaysSoInMicroBatchesOfOneRow) {
  job_.micro_batch = 1;
  const Errors e = errors(golden_->model, job_, golden_->batches);
  EXPECT_TRUE(within_bounds(e)) << spelled(e);
}

TEST_P(ModelGolden, NoticesAnyOtherModelJobOrBatch) {
  struct Change {
    const char* name;
    std::function<void(Model&, Job&, Batches&)> apply;
  };
  const Change changes[] = {
      {"rotary base a fifth larger",
       [](Model& m, Job&, Batches&) {
         m.llama.config.rope_theta *= 1.2;
         m.llama.inv_freq = model::make_inv_freq(m.llama.config);
       }},
      {"epsilon of the norms",
       [](Model& m, Job&, Batches&) { m.llama.config.rms_norm_eps += 0.01F; }},
      {"one weight negated",
       [](Model& m, Job&, Batches&) {
         float& w = m.parameters.find("model.layers.0.self_attn.k_proj.weight")->second.f32()[7];
         w = -w;
       }},
      {"one norm weight doubled",
       [](Model& m, Job&, Batches&) {
         m.parameters.find("model.norm.weight")->second.f32()[3] *= 2;
       }},
      {"one token", [](Model&, Job&, Batches& b) { b.tokens[0][1] ^= 1; }},
      {"one target that does not count",
       [](Model&, Job&, Batches& b) {
         *std::ranges::find_if(b.targets[1], [](auto y) { return y >= 0; }) =
             numerics::kIgnoredLabel;
       }},
      {"another target",
       [](Model&, Job&, Batches& b) {
         *std::ranges::find_if(b.targets[2], [](auto y) { return y > 1; }) ^= 1;
       }},
      {"batches in another order",
       [](Model&, Job&, Batches& b) {
         std::swap(b.tokens[1], b.tokens[2]);
         std::swap(b.targets[1], b.targets[2]);
       }},
      {"rate a tenth higher", [](Model&, Job& j, Batches&) { j.spec.schedule.peak *= 1.1; }},
      {"no weight decay", [](Model&, Job& j, Batches&) { j.spec.optimizer.weight_decay = 0; }},
      {"no clipping", [](Model&, Job& j, Batches&) { j.spec.clip.max_norm = 0; }},
      {"no first moment",
       [](Model&, Job& j, Batches&) { j.spec.optimizer.beta1 = j.spec.optimizer.momentum = 0; }},
  };
  std::vector<Change> all(std::begin(changes), std::end(changes));
  const model::LlamaConfig& config = golden_->model.llama.config;
  if (config.rope_scaling) {
    all.push_back({"frequencies not scaled", [](Model& m, Job&, Batches&) {
                     m.llama.config.rope_scaling.reset();
                     m.llama.inv_freq = model::make_inv_freq(m.llama.config);
                   }});
  }
  if (config.has_projection_biases()) {
    all.push_back({"one bias negated", [](Model& m, Job&, Batches&) {
                     float& b =
                         m.parameters.find("model.layers.1.self_attn.v_proj.bias")->second.f32()[2];
                     b = -b;
                   }});
  }
  if (config.has_head_norms()) {
    all.push_back({"one weight of a head's norm doubled", [](Model& m, Job&, Batches&) {
                     m.parameters.find("model.layers.1.self_attn.k_norm.weight")->second.f32()[3] *=
                         2;
                   }});
  }
  for (const Change& change : all) {
    Model model = copy_of(golden_->model);
    Job job = job_;
    Batches batches = golden_->batches;
    change.apply(model, job, batches);
    const Errors e = errors(model, job, batches);
    EXPECT_FALSE(within_bounds(e)) << change.name << ": " << spelled(e);
  }
}

INSTANTIATE_TEST_SUITE_P(Transformers, ModelGolden,
                         ::testing::Values(Case{"grouped_untied", "adamw"},
                                           Case{"grouped_tied", "adamw"},
                                           Case{"own_heads", "adamw"}, Case{"own_heads", "sgd"},
                                           Case{"llama3", "adamw"}, Case{"mistral", "adamw"},
                                           Case{"qwen2", "adamw"}, Case{"qwen3", "adamw"}),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace aftune::golden
