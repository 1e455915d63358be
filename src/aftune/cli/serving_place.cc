// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/serving_place.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "aftune/cli/contract_file.h"
#include "aftune/serve/training_link.h"

namespace aftune::cli {
namespace {

/// The folder of the log, and what it states.
Result<serve::ServingLog> open_log(const ServingArgs& args, const receipt::ServedModel& model,
                                   const crypto::PrivateKey& key, ThreadPool& pool) {
  receipt::Statement statement =
      receipt::statement_of(model, {static_cast<std::uint32_t>(args.layers_per_block),
                                    static_cast<std::uint32_t>(args.edge_interval)});
  std::optional<Digest> salt;
  if (!args.run.empty()) {
    AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
    AFTUNE_TRY(serve::TrainingLink link, serve::link_to_training(contract.contract, {args.run}));
    statement.training = std::move(link.trained);
    salt = link.root_salt;
    statement.model_salted = salt.has_value();
    statement.model_root = receipt::root_of(model, salt, pool);
    AFTUNE_TRY(receipt::check_training(statement, contract.contract));
  } else {
    statement.model_root = receipt::root_of(model, std::nullopt, pool);
  }
  return serve::ServingLog::open(args.serving, std::move(statement), key, salt);
}

}  // namespace

void add_serving_options(CLI::App& command, ServingArgs& args) {
  command.add_option("folder", args.folder, "Model folder")->required();
  command.add_option("--serving", args.serving, "Serving folder; made if it is not there")
      ->required();
  command.add_option("--key", args.key, "The server's private key")->required();
  auto* contract = command.add_option("--contract", args.contract,
                                      "The contract of the run that trained the model");
  auto* run = command.add_option("--run", args.run, "That run: its close is stated");
  run->needs(contract);
  contract->needs(run);
  command.add_option("--layers-per-block", args.layers_per_block, "Layers between two edges")
      ->check(CLI::Range(1, 4096));
  command.add_option("--edge-interval", args.edge_interval, "Every so many edges are stored")
      ->check(CLI::Range(1, 65536));
  add_machine_options(command, args.machine);
}

Result<std::unique_ptr<ServingPlace>> open_serving_place(const ServingArgs& args) {
  AFTUNE_TRY(Machine machine, make_machine(args.machine));
  AFTUNE_TRY(codec::KeyFile key, codec::read_key_file(args.key));
  AFTUNE_TRY(receipt::ServedModel model, receipt::open_served_model(args.folder));
  auto out = std::unique_ptr<ServingPlace>(
      new ServingPlace{std::move(machine), std::move(key), std::move(model), {}, {}});
  const model::ModelFolder& folder = out->model.folder;
  AFTUNE_TRY(serve::ServingLog log, open_log(args, out->model, out->key.key, *out->machine.pool));
  out->log.emplace(std::move(log));
  const model::Llama llama{folder.config,
                           Tensor::copy_of(*folder.tables.find(model::kInvFreqName))};
  AFTUNE_TRY(model::Decoder decoder,
             model::Decoder::create(out->machine.engine, llama, [&](const std::string& name) {
               return *folder.parameters.find(name);
             }));
  out->decoder.emplace(std::move(decoder));
  return out;
}

}  // namespace aftune::cli
