// SPDX-License-Identifier: Apache-2.0
// The real SmolLM2-135M against Hugging Face transformers in fp64, from sketches that
// smollm2_parity.py wrote. Runs where the imported model is at hand; README.md says more.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <optional>

#include "aftune/crypto/sha256.h"
#include "aftune/model/tiny_llama_testing.h"
#include "golden/parity_run.h"
#include "golden/sketch.h"

namespace aftune::golden {
namespace {

using codec::Json;

const Path kSource = AFTUNE_SOURCE_DIR;

/// Parts of bf16's error. The text of these files is one on which bf16 does well and x16, by its
/// definition, gets 0.28 in the gradient; smollm2_parity.py asks for a fifth on news and plays.
constexpr double kLogitsPart = 0.2;
constexpr double kGradientPart = 0.3;
constexpr double kParametersPart = 0.4;

std::optional<Path> model_folder() {
  std::vector<Path> places = {kSource / "quickstart/smollm2", kSource / "build/quickstart/smollm2"};
  if (const char* set = std::getenv("AFTUNE_SMOLLM2")) places = {set};
  for (const Path& place : places) {
    if (std::filesystem::exists(place / "model.safetensors")) return place;
  }
  return std::nullopt;
}

/// What the generator wrote. Matrices have one row of buckets a tensor, names ascending.
struct Sketches {
  const SafetensorsFile& file;
  const Json& page;

  /// An estimate from two sketches.
  [[nodiscard]] double squared_distance(const char* matrix, std::size_t row,
                                        std::span<const float> values) const {
    const TensorView& all = *file.find(matrix);
    const std::size_t buckets = all.shape.back();
    const auto want = all.f32().subspan(row * buckets, buckets);
    const auto got = sketch(values, buckets);
    double sum = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      const double difference = got[i] - static_cast<double>(want[i]);
      sum += difference * difference;
    }
    return sum;
  }
  [[nodiscard]] double size_of(const char* what, const std::string& name) const {
    return *page.find("norms_of")->find(what)->find(name)->real();
  }
};

struct TensorErrors {
  double whole = 0;
  double worst = 0;
  std::string worst_name;
};

TensorErrors errors_of(const Sketches& sketches, const char* what, const TensorMap& got) {
  TensorErrors out;
  double difference = 0, size = 0;
  std::size_t row = 0;
  for (const auto& [name, tensor] : got) {
    const double squared = sketches.squared_distance(what, row++, tensor.f32());
    const double norm = sketches.size_of(what, name);
    difference += squared;
    size += norm * norm;
    if (std::sqrt(squared) / norm > out.worst) {
      out.worst = std::sqrt(squared) / norm;
      out.worst_name = name;
    }
  }
  out.whole = std::sqrt(difference / size);
  return out;
}

/// One training run for all tests of this file: it takes seconds and gigabytes.
class SmolLm2Golden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto folder = model_folder();
    if (!folder) return;
    auto started = start(*folder);
    AFTUNE_CHECK(started.has_value(), started ? "" : started.error().what);
  }
  static void TearDownTestSuite() { run_.reset(); }

  void SetUp() override {
    if (!run_) {
      GTEST_SKIP() << "SmolLM2-135M is not here: set AFTUNE_SMOLLM2 to a folder that aftune import "
                      "wrote, or run tools/quickstart";
    }
    ASSERT_TRUE(run_->same_model) << "the model is not the one of smollm2.json: another release of "
                                     "it, or import has changed";
  }

  struct Run {
    Json page;
    SafetensorsFile file;
    bool same_model = false;
    Outcome outcome;
    TensorMap moves;  // how far each parameter went
  };

  static Status start(const Path& folder) {
    AFTUNE_TRY(const std::string text,
               read_text_file(kSource / "tests/golden/smollm2.json", 1 << 20));
    AFTUNE_TRY(Json page, codec::parse_json(text, {}));
    AFTUNE_TRY(SafetensorsFile file,
               SafetensorsFile::open(kSource / "tests/golden/smollm2.safetensors"));
    run_.emplace(Run{std::move(page), std::move(file), false, {}, {}});
    AFTUNE_TRY(const Digest digest, crypto::sha256_file(folder / "model.safetensors"));
    run_->same_model = digest.hex() == *run_->page.find("model_sha256")->string();
    if (!run_->same_model) return ok();
    AFTUNE_TRY(Job job, read_job(run_->page));
    job.layers_per_block = 5;
    AFTUNE_TRY(const Batches batches, read_batches(run_->file));
    AFTUNE_TRY(Model model, load_model(folder));
    TensorMap before = model::testing::clone(model.parameters);
    const model::testing::TestEngine engine(2);
    AFTUNE_TRY(run_->outcome, run(engine, std::move(model), job, batches));
    for (auto& [name, move] : before) {
      const auto after = run_->outcome.parameters.find(name)->second.f32();
      for (std::size_t i = 0; i < after.size(); ++i) move.f32()[i] = after[i] - move.f32()[i];
    }
    run_->moves = std::move(before);
    return ok();
  }

  [[nodiscard]] static Sketches sketches() { return {run_->file, run_->page}; }
  [[nodiscard]] static double bf16(const char* what) {
    return *run_->page.find("bf16")->find(what)->real();
  }
  static void note(const char* name, double value) {
    RecordProperty(name, ::testing::PrintToString(value));
  }

  inline static std::optional<Run> run_;
};

TEST_F(SmolLm2Golden, LogitsAreWithinAFifthOfBf16) {
  const double squared = sketches().squared_distance("logits", 0, run_->outcome.logits.f32());
  const double error = std::sqrt(squared) / *run_->page.find("norms_of")->find("logits")->real();
  note("logits", error);
  EXPECT_LE(error, kLogitsPart * bf16("logits"));
  EXPECT_GT(error, 0);
}

TEST_F(SmolLm2Golden, GradientsAreCloserThanBf16) {
  const TensorErrors e = errors_of(sketches(), "gradients", run_->outcome.gradients);
  note("gradient", e.whole);
  note("worst", e.worst);
  EXPECT_LE(e.whole, kGradientPart * bf16("gradient"));
  EXPECT_LE(e.worst, bf16("gradient_worst_tensor")) << e.worst_name;
}

TEST_F(SmolLm2Golden, ParametersAfterThreeStepsAreCloserThanBf16) {
  const TensorErrors e = errors_of(sketches(), "moves", run_->moves);
  note("parameters", e.whole);
  EXPECT_LE(e.whole, kParametersPart * bf16("parameters"));
}

TEST_F(SmolLm2Golden, LossesAndNormsAreThoseOfFp64) {
  const auto& losses = *run_->page.find("losses")->array();
  const auto& norms = *run_->page.find("norms")->array();
  ASSERT_EQ(run_->outcome.losses.size(), losses.size());
  for (std::size_t step = 0; step < losses.size(); ++step) {
    // Later losses hang on Adam's first steps, where signs of tiny gradients move parameters.
    const double allowed = bf16(step == 0 ? "loss" : "loss_last");
    const double loss = static_cast<double>(run_->outcome.losses[step]);
    EXPECT_NEAR(loss / *losses[step].real(), 1, allowed) << "step " << step;
    EXPECT_NEAR(run_->outcome.norms[step] / *norms[step].real(), 1, 1e-2) << "step " << step;
  }
}

TEST_F(SmolLm2Golden, NoticesAGradientOfAnotherTensorOrSign) {
  auto& gradients = run_->outcome.gradients;
  auto& q = gradients.find("model.layers.7.self_attn.q_proj.weight")->second;
  auto& o = gradients.find("model.layers.7.self_attn.o_proj.weight")->second;
  const double allowed = bf16("gradient_worst_tensor");
  std::swap(q, o);
  EXPECT_GT(errors_of(sketches(), "gradients", gradients).worst, allowed) << "swapped";
  std::swap(q, o);
  for (float& x : q.f32()) x = -x;
  EXPECT_GT(errors_of(sketches(), "gradients", gradients).worst, allowed) << "negated";
  for (float& x : q.f32()) x = -x;
  EXPECT_LE(errors_of(sketches(), "gradients", gradients).worst, allowed);
}

}  // namespace
}  // namespace aftune::golden
