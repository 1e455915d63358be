// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/model_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "aftune/audit/model_plan.h"
#include "aftune/base/file.h"

namespace aftune::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kUsualSequence = 2048;
constexpr std::uint32_t kUsualLayers = 4;  // the grid of the paper's tables
constexpr std::uint64_t kUsualSteps = 8;

Result<model::LlamaConfig> read_config(Path path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) path /= "config.json";
  AFTUNE_TRY(const std::string text, read_text_file(path, kMaxConfigBytes));
  AFTUNE_TRY(const Json json, codec::parse_json(text, {}).in(path.string()));
  return model::parse_hf_config(json).in(path.string());
}

Result<train::OptimizerSpec> optimizer_of(const std::string& name) {
  train::OptimizerSpec out;
  if (name.empty() || name == "adamw") return out;
  out.kind = train::OptimizerKind::kSgd;
  if (name == "sgd") return out;
  out.momentum = 0.9;  // that there is one is all that counts here
  if (name == "momentum") return out;
  return invalid_input(fmt::format("--optimizer: \"{}\", known are adamw, sgd, momentum", name));
}

Result<audit::PlanDtypes> dtypes_of(const std::vector<std::string>& items) {
  audit::PlanDtypes out;
  const std::pair<std::string_view, Dtype*> places[] = {{"boundary", &out.boundary},
                                                        {"frozen", &out.frozen},
                                                        {"gradients", &out.gradients},
                                                        {"moments", &out.moments},
                                                        {"parameters", &out.parameters}};
  for (const std::string& item : items) {
    const std::size_t equals = std::min(item.find('='), item.size());
    const auto place = std::ranges::find(places, std::string_view(item).substr(0, equals),
                                         &std::pair<std::string_view, Dtype*>::first);
    const auto dtype = dtype_of(item.substr(std::min(equals + 1, item.size())));
    if (place == std::end(places) || (dtype != Dtype::kF32 && dtype != Dtype::kBF16)) {
      return invalid_input(
          fmt::format("--dtype: \"{}\" is not NAME=TYPE with one of boundary, frozen, "
                      "gradients, moments, parameters and one of F32, BF16",
                      item));
    }
    *place->second = *dtype;
  }
  return out;
}

/// The adapter that the flags describe, if any; PEFT's defaults.
Result<std::optional<model::LoraSpec>> lora_of(const ModelPlanArgs& args,
                                               const model::LlamaConfig& config) {
  if (args.lora_r == 0) return std::optional<model::LoraSpec>();
  model::LoraSpec out;
  out.rank = static_cast<std::uint32_t>(args.lora_r);
  out.alpha = 8;  // changes no size
  out.target_modules = args.target_modules;
  out.modules_to_save = args.modules_to_save;
  if (out.target_modules.empty()) out.target_modules = model::kUsualTargets;
  if (out.target_modules.front() == "all-linear") {
    out.target_modules = model::linear_modules(config);
  }
  std::sort(out.target_modules.begin(), out.target_modules.end());
  std::sort(out.modules_to_save.begin(), out.modules_to_save.end());
  AFTUNE_TRY(model::check_lora(out, config).in("--lora-r"));
  return std::optional(std::move(out));
}

Result<audit::ModelPlanJob> job_of(const ModelPlanArgs& args) {
  audit::ModelPlanJob job;
  AFTUNE_TRY(job.architecture, read_config(args.model));
  AFTUNE_TRY(job.optimizer, optimizer_of(args.optimizer));
  AFTUNE_TRY(job.dtypes, dtypes_of(args.dtypes));
  AFTUNE_TRY(job.lora, lora_of(args, job.architecture));
  if (!job.lora && job.dtypes.frozen != Dtype::kF32) {
    return invalid_input("--dtype: without --lora-r nothing is frozen");
  }
  const std::uint32_t longest = job.architecture.longest_sequence();
  job.sequence = args.sequence > 0         ? args.sequence
                 : job.architecture.vision ? longest
                                           : std::min<std::uint64_t>(kUsualSequence, longest);
  if (job.architecture.vision && job.sequence != longest) {
    return invalid_input(fmt::format("--sequence is {}, an image of this model has {} tokens",
                                     job.sequence, longest));
  }
  if (job.sequence > longest) {
    return invalid_input(
        fmt::format("--sequence is {}, the model has {} positions", job.sequence, longest));
  }
  job.samples = args.samples;
  job.micro_batch = args.micro_batch > 0 ? args.micro_batch : args.samples;
  job.steps = std::max<std::uint64_t>(1, args.steps);
  const auto layers = static_cast<std::uint32_t>(args.layers_per_block);
  job.grid = {layers > 0 ? layers : kUsualLayers,
              args.steps_per_block > 0 ? args.steps_per_block : kUsualSteps, args.interval,
              static_cast<std::uint32_t>(args.edge_interval)};
  return job;
}

std::string spelled(const Shape& shape) {
  std::string out;
  for (const std::uint64_t extent : shape) {
    out += fmt::format("{}{}", out.empty() ? "" : " x ", extent);
  }
  return out;
}

std::string gigabytes(double bytes) { return fmt::format("{:.3f} GB", bytes / 1e9); }

std::string bytes_text(double bytes) { return fmt::format("{:.0f}", bytes); }

std::string parameter_table(const char* title, const std::vector<audit::ParameterKind>& kinds) {
  std::size_t width = 52;
  for (const audit::ParameterKind& kind : kinds) width = std::max(width, kind.name.size());
  const auto line = [&](std::string_view name, std::string_view shape, const auto& tensors,
                        const auto& elements) {
    return fmt::format("{:<{}} {:>16} {:>8} {:>16}\n", name, width, shape, tensors, elements);
  };
  std::string out = line(title, "shape", "tensors", "elements");
  std::uint64_t tensors = 0, elements = 0;
  for (const audit::ParameterKind& kind : kinds) {
    out += line(kind.name, spelled(kind.shape), kind.tensors, kind.elements);
    tensors += kind.tensors;
    elements += kind.elements;
  }
  return out + line("all", "", tensors, elements);
}

std::string memory_table(const audit::ModelPlanJob& job, const audit::MemoryPlan& plan) {
  std::string out =
      fmt::format("memory of a training step, {} of {} samples of {} tokens at a time\n",
                  std::min(job.micro_batch, job.samples), job.samples, job.sequence);
  const std::tuple<const char*, Dtype, double> lines[] = {
      {"frozen", job.dtypes.frozen, plan.frozen},
      {"parameters", job.dtypes.parameters, plan.parameters},
      {"gradients", job.dtypes.gradients, plan.gradients},
      {"moments", job.dtypes.moments, plan.moments},
      {"activations", Dtype::kF32, plan.activations},
      {"logits", Dtype::kF32, plan.logits}};
  for (const auto& [name, dtype, bytes] : lines) {
    if (bytes == 0 && !job.lora) continue;  // nothing is frozen; plain SGD has no moments
    out += fmt::format("  {:<12} {:<5} {:>16}\n", name, dtype_name(dtype), gigabytes(bytes));
  }
  return out + fmt::format("  {:<18} {:>16}\n", "all", gigabytes(plan.total()));
}

std::string storage_table(const ModelPlanArgs& args, const audit::ModelPlanJob& job,
                          const audit::StoragePlan& plan) {
  std::string out = fmt::format(
      "storage of a run, blocks of {} layers and {} steps\n"
      "  {:<18} {:>16}\n"
      "  {:<18} {:>16}\n"
      "  {:<18} {:>16}   every {} step blocks\n"
      "  {:<18} {:>16}   {} of {} edges, {}, both ways\n",
      job.grid.layers_per_block, job.grid.steps_per_block, "base model", gigabytes(plan.model),
      "delivered", gigabytes(plan.delivered), "a state", gigabytes(plan.state),
      job.grid.state_interval, "a step", gigabytes(plan.edges), plan.stored_edges, plan.all_edges,
      dtype_name(job.dtypes.boundary));
  if (args.steps == 0) return out + "  (--steps gives the sum of a run)\n";
  return out + fmt::format("  {:<18} {:>16}   {} steps, {} states\n", "all",
                           gigabytes(plan.total()), plan.steps, plan.states);
}

Json page_json(const ModelPlanArgs& args, const audit::ModelPlanJob& job,
               const std::vector<audit::ParameterKind>& kinds) {
  Json::Array parameters;
  std::uint64_t tensors = 0, elements = 0;
  for (const audit::ParameterKind& kind : kinds) {
    Json::Array shape;
    for (const std::uint64_t extent : kind.shape) shape.emplace_back(extent);
    parameters.emplace_back(Json::Object{{"elements", Json(kind.elements)},
                                         {"name", Json(kind.name)},
                                         {"shape", Json(std::move(shape))},
                                         {"tensors", Json(kind.tensors)}});
    tensors += kind.tensors;
    elements += kind.elements;
  }
  const audit::MemoryPlan memory = plan_memory(job);
  const audit::StoragePlan storage = plan_storage(job);
  Json::Object stored{{"delivered", Json(bytes_text(storage.delivered))},
                      {"model", Json(bytes_text(storage.model))},
                      {"state", Json(bytes_text(storage.state))},
                      {"step", Json(bytes_text(storage.edges))}};
  if (args.steps > 0) {
    stored["all"] = bytes_text(storage.total());
    stored["states"] = storage.states;
  }
  return Json::Object{
      {"elements", Json(elements)},
      {"memory", Json(Json::Object{{"activations", Json(bytes_text(memory.activations))},
                                   {"all", Json(bytes_text(memory.total()))},
                                   {"frozen", Json(bytes_text(memory.frozen))},
                                   {"gradients", Json(bytes_text(memory.gradients))},
                                   {"logits", Json(bytes_text(memory.logits))},
                                   {"moments", Json(bytes_text(memory.moments))},
                                   {"parameters", Json(bytes_text(memory.parameters))}})},
      {"parameters", Json(std::move(parameters))},
      {"sequence", Json(job.sequence)},
      {"storage", Json(std::move(stored))},
      {"tensors", Json(tensors)}};
}

}  // namespace

Result<ModelPlanPage> plan_model(const ModelPlanArgs& args) {
  AFTUNE_TRY(const audit::ModelPlanJob job, job_of(args));
  const auto kinds = audit::parameter_kinds(job.architecture);
  std::string tables = parameter_table("parameters", kinds) + "\n";
  if (job.lora) {
    tables += parameter_table("trained", audit::trained_kinds(job.architecture, *job.lora)) + "\n";
  }
  return ModelPlanPage{tables + memory_table(job, plan_memory(job)) + "\n" +
                           storage_table(args, job, plan_storage(job)),
                       page_json(args, job, kinds)};
}

}  // namespace aftune::cli
