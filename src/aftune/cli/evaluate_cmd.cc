// SPDX-License-Identifier: Apache-2.0
// `aftune evaluate`: what a model makes of held-out rows.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>

#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/model_folder.h"
#include "aftune/trace/held_out.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string model, contract, data, adapter;
  MachineArgs machine;
};

/// The parameters that a model computes with, and its adapter's if it has one.
struct Loaded {
  model::Llama llama;
  TensorMap base, adapter;

  [[nodiscard]] model::ParameterView view() const {
    return llama.lora ? model::ParameterView(adapter, &base) : model::ParameterView(base);
  }
};

Result<Loaded> load(const Args& args) {
  AFTUNE_TRY(const model::ModelFolder folder, model::open_model_folder(args.model));
  AFTUNE_TRY(model::check_generates(folder));
  Loaded out{{folder.config, Tensor::copy_of(*folder.tables.find(model::kInvFreqName))}, {}, {}};
  for (const auto& [name, tensor] : folder.parameters.tensors()) {
    out.base.emplace(name, Tensor::copy_of(tensor));
  }
  if (args.adapter.empty()) return out;
  AFTUNE_TRY(model::AdapterFolder adapter, model::open_adapter_folder(args.adapter, folder.config));
  out.llama.lora = adapter.lora;
  out.adapter = std::move(adapter.tensors);
  return out;
}

Result<train::Evaluation> evaluate(const Args& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const Loaded loaded, load(args));
  const model::LlamaConfig& config = loaded.llama.config;
  if (!(config == contract.contract.architecture)) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is of another architecture than the contract's", args.model)};
  }
  AFTUNE_TRY(const text::Tokenizer tokenizer,
             text::Tokenizer::load(Path(args.model) / "tokenizer.json"));
  AFTUNE_TRY(const trace::HeldOut held_out,
             trace::HeldOut::open(contract.contract, args.data, tokenizer));
  const model::Partition partition = model::make_partition(config, config.layer_count);
  return train::evaluate(machine.engine, loaded.llama, partition,
                         std::vector<model::ParameterView>(partition.block_count, loaded.view()),
                         held_out.samples());
}

Exit run_evaluate(const Args& args) {
  const auto done = evaluate(args);
  if (!done) return report("evaluate", done.error());
  std::cout << fmt::format("loss {:.6f} over {} tokens, perplexity {:.3f}\n", done->loss,
                           done->counted, std::exp(done->loss));
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
