// SPDX-License-Identifier: Apache-2.0
// `aftune plan`: what an audit detects and costs. docs/guides/plan.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>

#include "aftune/audit/audit_cost.h"
#include "aftune/audit/threat.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/model_plan.h"
#include "aftune/cli/plan_source.h"
#include "aftune/cli/published_table.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/json.h"

namespace aftune::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxLayers = 1 << 12, kMaxSteps = std::uint64_t{1} << 24;
constexpr double kUsualProbability = 0.9;

struct Args {
  std::string source, strategy, run, table;
  std::uint64_t layers = 0, layers_per_block = 0, steps = 0, steps_per_block = 0;
  std::uint64_t interval = 1, edge_interval = 1, samples = 1, blocks = 0;
  std::vector<std::string> threats;
  double share = 0, probability = 0, seconds = 0;
  bool json = false;
  ModelPlanArgs model;  // what --model alone takes; the grid's flags are above
};

/// One line of the answer.
struct Plan {
  std::string threat;
  std::uint64_t bad = 0, blocks = 0;
  double probability = 0;
  audit::AuditCost cost;
};

struct Answer {
  audit::PlanGrid grid;
  double seconds_per_step = 0;  // 0: not known
  std::vector<Plan> plans;
};

Result<PlanSource> source_of(const Args& args) {
  if (!args.source.empty()) return read_plan_source(args.source);
  const std::pair<const char*, std::uint64_t> sizes[] = {
      {"--layers", args.layers},
      {"--layers-per-block", args.layers_per_block},
      {"--steps", args.steps},
      {"--steps-per-block", args.steps_per_block}};
  for (const auto& [name, size] : sizes) {
    if (size > 0) continue;
    return Error{Code::kInvalidInput,
                 fmt::format("give a contract, a job file, or the grid: {} is missing", name)};
  }
  PlanSource out{
      audit::plan_grid(args.layers, args.layers_per_block, args.steps, args.steps_per_block),
      std::nullopt};
  out.grid.state_interval = args.interval;
  out.grid.edge_interval = static_cast<std::uint32_t>(args.edge_interval);
  out.grid.samples = args.samples;
  return out;
}

/// The blocks that the budget allows or the threat takes.
Result<std::uint64_t> blocks_for(const Args& args, const PlanSource& source,
                                 const audit::BadBlocks& bad) {
  const std::uint64_t all = source.grid.block_count();
  std::uint64_t blocks = args.blocks;
  if (args.share > 0) {
    blocks = static_cast<std::uint64_t>(std::ceil(args.share * static_cast<double>(all) - 1e-9));
  } else if (blocks == 0 && args.probability == 0 && source.policy_blocks) {
    blocks = *source.policy_blocks;
  }
  if (blocks > all) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} blocks to audit, the grid has {} blocks", blocks, all)};
  }
  if (blocks > 0) return blocks;
  return audit::blocks_needed(source.grid.strategy, source.grid.step_block_count(), bad,
                              args.probability > 0 ? args.probability : kUsualProbability);
}

Result<Plan> plan_for(const Args& args, const PlanSource& source, const std::string& text) {
  AFTUNE_TRY(const audit::Threat threat, audit::parse_threat(text));
  AFTUNE_TRY(const audit::BadBlocks bad, audit::bad_blocks(threat, source.grid));
  Plan out{audit::spell_threat(threat), audit::count_of(bad), 0, 0, {}};
  AFTUNE_TRY(out.blocks, blocks_for(args, source, bad));
  out.probability = 1 - audit::missed_probability(source.grid.strategy,
                                                  source.grid.step_block_count(), bad, out.blocks);
  out.cost = audit::expected_cost(source.grid, out.blocks);
  return out;
}

Result<Answer> answer(const Args& args) {
  AFTUNE_TRY(PlanSource source, source_of(args));
  if (!args.strategy.empty()) {
    AFTUNE_TRY(source.grid.strategy, trace::parse_strategy(args.strategy).in("--strategy"));
  }
  Answer out{source.grid, args.seconds, {}};
  if (!args.run.empty()) {
    AFTUNE_TRY(out.seconds_per_step, seconds_per_step(args.run));
  }
  std::vector<std::string> threats = args.threats;
  if (threats.empty()) {
    threats = {"blocks=1",          "steps-skipped=0.5", "samples-poisoned=0.1",
               "layers-replaced=1", "model-swapped",     "everywhere"};
  }
  for (const std::string& threat : threats) {
    AFTUNE_TRY(Plan plan, plan_for(args, source, threat));
    out.plans.push_back(std::move(plan));
  }
  return out;
}

double share_of(const Plan& plan, const audit::PlanGrid& grid) {
  return static_cast<double>(plan.blocks) / static_cast<double>(grid.block_count());
}

Json answer_json(const Answer& answer) {
  Json::Array plans;
  for (const Plan& plan : answer.plans) {
    Json::Object out{{"bad_blocks", Json(plan.bad)},
                     {"blocks", Json(plan.blocks)},
                     {"probability", Json(audit::spell_probability(plan.probability))},
                     {"replays", Json(fmt::format("{:.3f}", plan.cost.replays))},
                     {"share", Json(fmt::format("{:.6f}", share_of(plan, answer.grid)))},
                     {"threat", Json(plan.threat)}};
    if (answer.seconds_per_step > 0) {
      out["seconds"] = fmt::format("{:.3f}", plan.cost.steps * answer.seconds_per_step);
    }
    if (answer.grid.edge_bytes > 0) {
      out["bytes"] = static_cast<std::int64_t>(std::llround(plan.cost.bytes));
    }
    plans.emplace_back(std::move(out));
  }
  return Json::Object{{"grid", Json::Object{{"blocks", Json(answer.grid.block_count())},
                                            {"layer_blocks", Json(answer.grid.layer_block_count())},
                                            {"step_blocks", Json(answer.grid.step_block_count())},
                                            {"steps", Json(answer.grid.steps)}}},
                      {"plans", Json(std::move(plans))},
                      {"strategy", Json(strategy_name(answer.grid.strategy))}};
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// Never more than it is.
std::string chance(double probability) {
  return fmt::format("{:.1f} %", std::floor(1000 * probability + 1e-6) / 10);
}

std::string answer_text(const Answer& answer) {
  const audit::PlanGrid& grid = answer.grid;
  std::string out = fmt::format(
      "grid      {} layer blocks x {} step blocks = {} blocks, {} steps\nstrategy  {}\n\n"
      "{:<24} {:>9} {:>16} {:>8} {:>9} {:>10} {:>10}\n",
      grid.layer_block_count(), grid.step_block_count(), grid.block_count(), grid.steps,
      strategy_name(grid.strategy), "threat", "bad", "audited", "met with", "replays", "seconds",
      "MB opened");
  for (const Plan& plan : answer.plans) {
    const std::string audited = fmt::format("{} ({})", plan.blocks, percent(share_of(plan, grid)));
    const std::string seconds =
        answer.seconds_per_step > 0
            ? fmt::format("{:.1f}", plan.cost.steps * answer.seconds_per_step)
            : std::string("-");
    const std::string bytes =
        grid.edge_bytes > 0 ? fmt::format("{:.1f}", plan.cost.bytes / 1e6) : std::string("-");
    out += fmt::format("{:<24} {:>9} {:>16} {:>8} {:>9.1f} {:>10} {:>10}\n", plan.threat, plan.bad,
                       audited, chance(plan.probability), plan.cost.replays, seconds, bytes);
  }
  return out;
}

Json draw_json(const TableDraw& draw) {
  return Json::Object{{"bad_blocks", Json(draw.bad)},
                      {"blocks", Json(draw.blocks)},
                      {"drawn", Json(draw.drawn)},
                      {"probability", Json(audit::spell_probability(draw.probability()))}};
}

void print_table(const Args& args) {
  Json::Array rows;
  std::string text =
      fmt::format("{:<20} {:<26} {:>4} {:>4} {:<11} {:>24} {:>24}\n", "attack", "strength", "B_L",
                  "B_S", "draw", "published: N k m", "counted right: N k m");
  const auto cell = [](const TableDraw& draw) {
    return fmt::format("{:>4} {:>3} {:>4} {:>7.1f} %", draw.blocks, draw.bad, draw.drawn,
                       100 * draw.probability());
  };
  for (const TableRow& row : published_table()) {
    rows.emplace_back(Json::Object{{"attack", Json(row.attack)},
                                   {"layers_per_block", Json(row.layers_per_block)},
                                   {"published", draw_json(row.published)},
                                   {"right", draw_json(row.right)},
                                   {"steps_per_block", Json(row.steps_per_block)},
                                   {"strategy", Json(row.strategy)},
                                   {"strength", Json(row.strength)}});
    text += fmt::format("{:<20} {:<26} {:>4} {:>4} {:<11} {:>24} {:>24}\n", row.attack,
                        row.strength, row.layers_per_block, row.steps_per_block, row.strategy,
                        cell(row.published), cell(row.right));
  }
  if (args.json) {
    std::cout << codec::canonical_json(Json::Object{{"table", Json(std::move(rows))}}) << '\n';
  } else {
    std::cout << text;
  }
}

Exit run_model_plan(const Args& args) {
  ModelPlanArgs model = args.model;
  model.layers_per_block = args.layers_per_block;
  model.steps_per_block = args.steps_per_block;
  model.steps = args.steps;
  model.interval = args.interval;
  model.edge_interval = args.edge_interval;
  model.samples = args.samples;
  const Result<ModelPlanPage> page = plan_model(model);
  if (!page) return report("plan", page.error());
  std::cout << (args.json ? codec::canonical_json(page->json) + "\n" : page->text);
  return Exit::kOk;
}

Exit run_plan(const Args& args) {
  if (!args.model.model.empty()) return run_model_plan(args);
  if (!args.table.empty()) {
    print_table(args);
    return Exit::kOk;
  }
  const Result<Answer> plan = answer(args);
  if (!plan) return report("plan", plan.error());
  if (args.json) {
    std::cout << codec::canonical_json(answer_json(*plan)) << '\n';
  } else {
    std::cout << answer_text(*plan);
  }
  return Exit::kOk;
}

/// The flags that stand for a grid of which nothing else is known.
void add_grid_options(CLI::App& cmd, Args& args, CLI::Option* source) {
  const auto add = [&](const char* name, std::uint64_t& into, std::uint64_t limit,
                       const char* help) {
    cmd.add_option(name, into, help)
        ->check(check_whole_number)
        ->check(CLI::Range(std::uint64_t{1}, limit))
        ->excludes(source);
  };
  add("--layers", args.layers, kMaxLayers, "Layers, all alike");
  add("--layers-per-block", args.layers_per_block, kMaxLayers, "B_L");
  add("--steps", args.steps, kMaxSteps, "Optimizer steps");
  add("--steps-per-block", args.steps_per_block, kMaxSteps, "B_S");
  add("--interval", args.interval, kMaxSteps, "I_C: states of every I_C-th step block are stored");
  add("--edge-interval", args.edge_interval, kMaxLayers, "I_A: edges that are stored");
  add("--samples", args.samples, 1 << 16, "Samples a step");
}

/// What training a model takes; nothing of an audit goes with it.
void add_model_options(CLI::App& cmd, Args& args) {
  auto* model = cmd.add_option("--model", args.model.model,
                               "A config.json or its folder: print parameters, memory and storage");
  for (const char* other : {"source", "--layers", "--strategy", "--threat", "--blocks", "--share",
                            "--probability", "--seconds-per-step", "--run", "--table"}) {
    model->excludes(cmd.get_option(other));
  }
  const auto add = [&](const char* name, std::uint64_t& into, std::uint64_t limit,
                       const char* help) {
    cmd.add_option(name, into, help)
        ->check(check_whole_number)
        ->check(CLI::Range(std::uint64_t{1}, limit))
        ->needs(model);
  };
  add("--sequence", args.model.sequence, 1 << 24, "With --model: tokens a sample (default 2048)");
  add("--micro-batch", args.model.micro_batch, 1 << 16,
      "With --model: samples at a time (default: all of a step)");
  cmd.add_option("--optimizer", args.model.optimizer,
                 "With --model: adamw (default), sgd or momentum")
      ->needs(model);
  add("--lora-r", args.model.lora_r, 1 << 16,
      "With --model: train adapters of this rank beside a frozen base");
  auto* rank = cmd.get_option("--lora-r");
  cmd.add_option("--target-modules", args.model.target_modules,
                 "With --lora-r: modules with an adapter, or all-linear (default: q_proj,v_proj)")
      ->delimiter(',')
      ->needs(rank);
  cmd.add_option("--modules-to-save", args.model.modules_to_save,
                 "With --lora-r: modules trained as a whole")
      ->delimiter(',')
      ->needs(rank);
  cmd.add_option(
         "--dtype", args.model.dtypes,
         "With --model: NAME=F32 or NAME=BF16, NAME one of boundary, frozen, gradients, moments, "
         "parameters; may be repeated")
      ->allow_extra_args(false)
      ->needs(model);
}

}  // namespace

Command add_plan(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("plan", "What an audit detects, and what it costs");
  cmd->footer(
      "Examples:\n  aftune plan contract.json --threat steps-skipped=0.5 --blocks 7\n"
      "  aftune plan job.yaml --threat edited-state=1 --probability 0.9 --seconds-per-step 2.1\n"
      "  aftune plan --layers 32 --layers-per-block 4 --steps 128 --steps-per-block 8 --share "
      "0.05\n"
      "  aftune plan --table published\n"
      "  aftune plan --model meta-llama/config.json --samples 8 --micro-batch 1 --sequence 2048\n"
      "Threats, chances and costs are defined in docs/guides/plan.md.");
  auto* source = cmd->add_option("source", args->source, "A contract or a job file");
  add_grid_options(*cmd, *args, source);
  cmd->add_option("--strategy", args->strategy,
                  "uniform, stratified, input-blocks or state-changes (default: the contract's)");
  cmd->add_option("--threat", args->threats, "NAME or NAME=VALUE; may be repeated")
      ->allow_extra_args(false);
  auto* blocks = cmd->add_option("--blocks", args->blocks, "Blocks to audit")
                     ->check(check_whole_number)
                     ->check(CLI::PositiveNumber);
  auto* share = cmd->add_option("--share", args->share, "Share of all blocks to audit")
                    ->check(check_finite)
                    ->check(CLI::Range(1e-12, 1.0));
  auto* wanted =
      cmd->add_option("--probability", args->probability, "Detection wanted: how many blocks?")
          ->check(check_finite)
          ->check(CLI::Range(1e-12, 1 - 1e-12));
  blocks->excludes(share)->excludes(wanted);
  share->excludes(wanted);
  auto* seconds = cmd->add_option("--seconds-per-step", args->seconds, "What a training step takes")
                      ->check(check_finite)
                      ->check(CLI::PositiveNumber);
  cmd->add_option("--run", args->run, "A finished run: its median seconds a step")
      ->excludes(seconds);
  cmd->add_option("--table", args->table, "Print the published detection table and its corrections")
      ->check(CLI::IsMember({"published"}));
  cmd->add_flag("--json", args->json, "Print JSON instead of text");
  add_model_options(*cmd, *args);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_plan(*args); }};
}

}  // namespace aftune::cli
