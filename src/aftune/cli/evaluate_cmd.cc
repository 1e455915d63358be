// SPDX-License-Identifier: Apache-2.0
// `aftune evaluate`: what a model makes of held-out rows.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>

#include "aftune/cli/adapted_model.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
#include "aftune/trace/held_out.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string model, contract, data, adapter;
  MachineArgs machine;
};

struct Evaluated {
  train::Evaluation result;
  bool images = false;
};

Result<Evaluated> evaluate(const Args& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const AdaptedModel loaded, open_adapted_model(args.model, args.adapter));
  const model::LlamaConfig& config = loaded.llama.config;
  if (!(config == contract.contract.architecture)) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is of another architecture than the contract's", args.model)};
  }
  std::optional<text::Tokenizer> tokenizer;
  if (!config.vision) {
    AFTUNE_TRY(tokenizer, text::Tokenizer::load(Path(args.model) / "tokenizer.json"));
  }
  AFTUNE_TRY(const trace::HeldOut held_out,
             trace::HeldOut::open(contract.contract, args.data, tokenizer ? &*tokenizer : nullptr));
  const model::Partition partition = model::make_partition(config, config.layer_count);
  const std::vector<model::ParameterView> blocks(partition.block_count, loaded.view());
  AFTUNE_TRY(const train::Evaluation result,
             train::evaluate(machine.engine, loaded.llama, partition, blocks, held_out.samples()));
  return Evaluated{result, config.vision.has_value()};
}

Exit run_evaluate(const Args& args) {
  const auto done = evaluate(args);
  if (!done) return report("evaluate", done.error());
  const auto& [loss, counted] = done->result;
  if (done->images) {
    std::cout << fmt::format("loss {:.6f} over {} images\n", loss, counted);
  } else {
    std::cout << fmt::format("loss {:.6f} over {} tokens, perplexity {:.3f}\n", loss, counted,
                             std::exp(loss));
  }
  return Exit::kOk;
}

}  // namespace

Command add_evaluate(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("evaluate", "The loss of a model on held-out rows");
  cmd->footer(
      "Examples:\n  aftune evaluate run/model contract.json --data held-out.jsonl\n"
      "  aftune evaluate smollm2 contract.json --adapter run/model --data held-out.jsonl\n"
      "The contract says how rows become samples. It is the last loss that `aftune train "
      "--eval-data` shows.");
  cmd->add_option("model", args->model, "Model folder")->required();
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--data", args->data, "Held-out data set (JSONL)")->required();
  cmd->add_option("--adapter", args->adapter, "Adapter folder to put beside the model");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_evaluate(*args); }};
}

}  // namespace aftune::cli
