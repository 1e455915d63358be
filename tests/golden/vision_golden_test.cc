// SPDX-License-Identifier: Apache-2.0
// Small image classifiers against Hugging Face transformers in fp64. make_vision_golden.py makes
// the files and says what they hold; README.md says why these bounds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>

#include "aftune/model/import.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/model/tiny_vision_testing.h"
#include "golden/parity_run.h"

namespace aftune::golden::vision {
namespace {

using codec::Json;
using model::testing::TempFolder;
using model::testing::TestEngine;
using Steps = std::vector<std::vector<model::MicroBatch>>;

struct Golden {
  Model model;
  Json page;
  SafetensorsFile file;
};

/// Imported as a user would import it.
Result<Golden> load_golden(const std::string& name) {
  const Path source = Path(AFTUNE_SOURCE_DIR) / "tests/golden/vision" / name;
  const TempFolder root;
  AFTUNE_TRY(model::import_hf(source, root / "imported"));
  AFTUNE_TRY(Model model, load_model(root / "imported"));
  AFTUNE_TRY(const std::string text, read_text_file(source / "golden.json", 1 << 20));
  AFTUNE_TRY(Json page, codec::parse_json(text, {}));
  AFTUNE_TRY(SafetensorsFile file, SafetensorsFile::open(source / "golden.safetensors"));
  return Golden{std::move(model), std::move(page), std::move(file)};
}

/// Micro-batches of at most `most` images.
Steps steps_of(const Golden& golden, std::size_t most) {
  auto steps = read_image_steps(golden.file, golden.model.llama.config, most);
  AFTUNE_CHECK(steps.has_value(), steps ? "" : steps.error().what);
  return *std::move(steps);
}

const Json& job_page(const Golden& golden) { return *golden.page.find("jobs")->find("adamw"); }

/// bf16's error.
double bf16(const Golden& golden, const char* what) {
  return *job_page(golden).find("errors")->find("bf16")->find(what)->real();
}

/// As parts of bf16's; of losses and gradient norms the largest relative ones.
struct Errors {
  double logits = 0, gradient = 0, worst_tensor = 0, parameters = 0, loss = 0, norm = 0;
  double unseen = 0;      // the largest gradient that should be none
  double loss_bound = 0;  // of `loss`, for this model
};
const Errors kBounds = {0.1, 0.1, 0.1, 0.2, 5e-5, 5e-4, 1e-5};
/// A loss may be off by so much of what bf16's is, too: of a few images and classes it can be
/// worse conditioned than the logits. README.md has the figures.
constexpr double kLossOfBf16 = 0.05;

double largest_relative(const auto& got, const Json& want) {
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = *(*want.array())[i].real();
    largest = std::max(largest, std::abs(static_cast<double>(got[i]) / expected - 1));
  }
  return largest;
}

Errors errors_of(const Golden& golden, const Outcome& got) {
  Errors e;
  Distance logits, gradient, parameters;
  logits.add(got.logits.f32(), golden.file.find("logits")->f32());
  for (const auto& [name, tensor] : got.gradients) {
    const auto want = golden.file.find("gradient/" + name)->f32();
    if (name.ends_with("key.bias")) {
      for (const float value : tensor.f32())
        e.unseen = std::max(e.unseen, double{std::fabs(value)});
      continue;
    }
    gradient.add(tensor.f32(), want);
    Distance one;
    one.add(tensor.f32(), want);
    e.worst_tensor = std::max(e.worst_tensor, one.relative());
    const auto after = got.parameters.find(name)->second.f32();
    parameters.add(after, golden.file.find("parameter.adamw/" + name)->f32(),
                   golden.model.parameters.find(name)->second.f32());
  }
  e.logits = logits.relative() / bf16(golden, "logits");
  e.gradient = gradient.relative() / bf16(golden, "gradient");
  e.worst_tensor /= bf16(golden, "gradient_worst_tensor");
  e.parameters = parameters.relative() / bf16(golden, "parameters");
  e.loss = largest_relative(got.losses, *job_page(golden).find("losses"));
  e.loss_bound = std::max(kBounds.loss, kLossOfBf16 * bf16(golden, "loss"));
  e.norm = largest_relative(got.norms, *job_page(golden).find("norms"));
  return e;
}

bool within_bounds(const Errors& e) {
  return e.logits <= kBounds.logits && e.gradient <= kBounds.gradient &&
         e.worst_tensor <= kBounds.worst_tensor && e.parameters <= kBounds.parameters &&
         e.loss <= e.loss_bound && e.norm <= kBounds.norm && e.unseen <= kBounds.unseen;
}

std::string spelled(const Errors& e) {
  return ::testing::PrintToString(std::vector<double>{e.logits, e.gradient, e.worst_tensor,
                                                      e.parameters, e.loss, e.norm, e.unseen});
}

class VisionGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto loaded = load_golden(GetParam());
    ASSERT_TRUE(loaded) << loaded.error().what;
    golden_ = std::make_unique<Golden>(*std::move(loaded));
    auto job = read_job(job_page(*golden_));
    ASSERT_TRUE(job) << job.error().what;
    job_ = *std::move(job);
  }

  [[nodiscard]] Errors errors(const Model& model, const Job& job, const Steps& steps) const {
    const model::MicroBatch first = steps_of(*golden_, 100)[0][0];
    auto got = run(engine_, copy_of(model), job, steps, first);
    AFTUNE_CHECK(got.has_value(), got ? "" : got.error().what);
    return errors_of(*golden_, *got);
  }

  TestEngine engine_{2};
  std::unique_ptr<Golden> golden_;
  Job job_;
};

TEST_P(VisionGolden, HasEveryTensorOfTheModelAndNoOther) {
  std::set<std::string> expected = {"pixels", "classes", "logits"}, found;
  for (const auto& spec : model::parameter_specs(golden_->model.llama.config)) {
    expected.insert("gradient/" + spec.name);
    expected.insert("parameter.adamw/" + spec.name);
  }
  for (const auto& [name, view] : golden_->file.tensors()) found.insert(name);
  EXPECT_EQ(found, expected);
}

TEST_P(VisionGolden, IsFarCloserToFp64ThanBf16InBatchesOfAnySize) {
  for (const std::size_t most : {100U, 1U, 2U}) {
    const Errors e = errors(golden_->model, job_, steps_of(*golden_, most));
    RecordProperty("errors of " + std::to_string(most), spelled(e));
    EXPECT_TRUE(within_bounds(e)) << most << " images at once: " << spelled(e);
  }
}

TEST_P(VisionGolden, NoticesAnyOtherModelJobOrBatch) {
  struct Change {
    const char* name;
    std::function<void(Model&, Job&, Steps&)> apply;
  };
  const Change changes[] = {
      {"epsilon of the norms",
       [](Model& m, Job&, Steps&) { m.llama.config.rms_norm_eps += 0.01F; }},
      {"another mean", [](Model& m, Job&, Steps&) { m.llama.inv_freq.f32()[1] += 0.01F; }},
      {"means and deviations exchanged",
       [](Model& m, Job&, Steps&) {
         std::swap(m.llama.inv_freq.f32()[2], m.llama.inv_freq.f32()[5]);
       }},
      {"one of the weights negated",
       [](Model& m, Job&, Steps&) {
         for (auto& [name, tensor] : m.parameters) {
           if (name.ends_with("attention.output.dense.weight")) tensor.f32()[7] *= -1;
         }
       }},
      {"positions of two patches exchanged",
       [](Model& m, Job&, Steps&) {
         const std::size_t width = m.llama.config.hidden_size;
         for (auto& [name, tensor] : m.parameters) {
           if (!name.ends_with("position_embeddings")) continue;
           const auto at = tensor.f32();
           std::swap_ranges(&at[width], &at[2 * width], &at[2 * width]);
         }
       }},
      {"another pixel", [](Model&, Job&, Steps& s) { s[0][0].pixels[50] ^= 0x40; }},
      {"another class",
       [](Model&, Job&, Steps& s) { s[2][0].targets[1] = s[2][0].targets[1] == 0 ? 1 : 0; }},
      {"batches in another order", [](Model&, Job&, Steps& s) { std::swap(s[1], s[2]); }},
      {"no weight decay", [](Model&, Job& j, Steps&) { j.spec.optimizer.weight_decay = 0; }},
  };
  for (const Change& change : changes) {
    Model model = copy_of(golden_->model);
    Job job = job_;
    Steps steps = steps_of(*golden_, 100);
    change.apply(model, job, steps);
    const Errors e = errors(model, job, steps);
    EXPECT_FALSE(within_bounds(e)) << change.name << ": " << spelled(e);
  }
}

INSTANTIATE_TEST_SUITE_P(Transformers, VisionGolden,
                         ::testing::Values("vit", "dinov2", "dinov2_swiglu"),
                         [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace aftune::golden::vision
