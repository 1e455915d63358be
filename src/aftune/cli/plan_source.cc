// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/plan_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "aftune/cli/draft_lora.h"
#include "aftune/cli/draft_recipe.h"
#include "aftune/cli/draft_text.h"
#include "aftune/cli/job_reader.h"
#include "aftune/codec/json.h"
#include "aftune/model/model_folder.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 24;
constexpr std::uint64_t kMaxMetricsBytes = std::uint64_t{1} << 32;

Result<PlanSource> read_contract(const std::string& text) {
  AFTUNE_TRY(const codec::Dsse envelope,
             codec::decode_dsse(text, trace::kContractPayloadType, 2 * trace::kMaxContractBytes));
  AFTUNE_TRY(const trace::Contract contract, trace::Contract::parse(envelope.payload));
  return PlanSource{audit::plan_grid(contract), contract.audit.blocks};
}

Result<trace::GridSpec> read_grid(JobReader& job) {
  AFTUNE_TRY(JobReader map, job.map("grid"));
  trace::GridSpec out;
  AFTUNE_TRY(const auto layers, map.count("layers_per_block", 1, 1 << 16));
  out.layers_per_block = static_cast<std::uint32_t>(layers);
  AFTUNE_TRY(out.steps_per_block, map.count("steps_per_block", 1, kMaxSteps));
  AFTUNE_TRY(out.state_interval, map.count("state_interval", 1, kMaxSteps));
  AFTUNE_TRY(const auto edges, map.count_or("edge_interval", 1, 1, 1 << 16));
  out.edge_interval = static_cast<std::uint32_t>(edges);
  return out;
}

/// Samples of an epoch; the data set is looked at only where the steps follow from it.
Result<std::uint64_t> samples_of(JobReader& job, const Path& folder, const Path& model) {
  if (!counts_epochs(job)) return std::uint64_t{1};
  AFTUNE_TRY(const std::string name, job.text("data"));
  const Path path = Path(name).is_absolute() ? Path(name) : folder / name;
  AFTUNE_TRY(const text::Dataset data, text::Dataset::load(path).in(job.where("data")));
  AFTUNE_TRY(JobReader text, job.map_or_empty("text"));
  AFTUNE_TRY(const bool packs, text.boolean_or("packing", false));
  if (!packs) return data.row_count();
  std::vector<std::string> unused;
  AFTUNE_TRY(const text::TextRule rule, draft_text(job, model, unused));
  return sample_count(rule, model, data).in(job.where("data"));
}

Result<Dtype> read_boundary(JobReader& job) {
  AFTUNE_TRY(JobReader map, job.map("grid"));
  return rounded_dtype(map, "boundary");
}

Result<PlanSource> read_job(const Path& file) {
  AFTUNE_TRY(JobReader job, JobReader::load(file));
  audit::PlanJob plan;
  AFTUNE_TRY(const std::string name, job.text("model"));
  const Path model = Path(name).is_absolute() ? Path(name) : file.parent_path() / name;
  AFTUNE_TRY(const model::ModelFolder folder,
             model::open_model_folder(model, model::Width::kAny).in(job.where("model")));
  plan.architecture = folder.config;
  trace::Contract contract;
  contract.architecture = folder.config;
  std::vector<std::string> unused;
  AFTUNE_TRY(draft_lora(job, file.parent_path(), std::nullopt, contract, unused));
  plan.lora = contract.lora();
  AFTUNE_TRY(plan.grid, read_grid(job));
  AFTUNE_TRY(plan.boundary, read_boundary(job));
  AFTUNE_TRY(const std::uint64_t samples, samples_of(job, file.parent_path(), model));
  AFTUNE_TRY(const Recipe recipe, draft_sizes(job, samples));
  plan.steps = recipe.steps;
  plan.samples = recipe.batch.batch;
  plan.optimizer = recipe.training.optimizer;
  plan.moments = recipe.moments;
  if (folder.config.vision) {
    plan.sequence = folder.config.max_positions;
  } else {
    AFTUNE_TRY(JobReader text, job.map("text"));
    AFTUNE_TRY(plan.sequence, text.count("sequence", 2, 1 << 20));
  }
  AFTUNE_TRY(JobReader audit, job.map("audit"));
  AFTUNE_TRY(const std::string strategy, audit.text_or("strategy", "uniform"));
  AFTUNE_TRY(plan.strategy, trace::parse_strategy(strategy).in(audit.where("strategy")));
  PlanSource out{audit::plan_grid(plan), std::nullopt};
  AFTUNE_TRY(out.policy_blocks, audit.count("blocks", 1, out.grid.block_count()));
  return out;
}

}  // namespace

Result<PlanSource> read_plan_source(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, 2 * trace::kMaxContractBytes));
  if (text.starts_with('{')) return read_contract(text).in(file.string());
  return read_job(file);
}

Result<double> seconds_per_step(const Path& run) {
  const Path file = run / "metrics.jsonl";
  AFTUNE_TRY(const std::string text, read_text_file(file, kMaxMetricsBytes));
  std::vector<double> all;
  std::string_view rest = text;
  for (std::size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    const auto line = codec::parse_json(rest.substr(0, end), {});
    const codec::Json* seconds = line ? line->find("seconds") : nullptr;
    const std::string* digits = seconds != nullptr ? seconds->string() : nullptr;
    double value = -1;
    if (digits != nullptr) std::from_chars(digits->data(), digits->data() + digits->size(), value);
    if (!std::isfinite(value) || value < 0) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: line {} has no seconds", file.string(), all.size() + 1)};
    }
    all.push_back(value);
    rest.remove_prefix(end + 1);
  }
  if (all.empty()) {
    return Error{Code::kInvalidInput, fmt::format("{} has no steps", file.string())};
  }
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

}  // namespace aftune::cli
