// SPDX-License-Identifier: Apache-2.0
// `aftune merge`: a model folder from a base and an adapter folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/model/adapter_folder.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string base, adapter, out;
};

Status merge(const Args& args) {
  AFTUNE_TRY(const model::ModelFolder base,
             model::open_model_folder(args.base, model::Width::kAny));
  AFTUNE_TRY(const model::AdapterFolder adapter,
             model::open_adapter_folder(args.adapter, base.config));
  AFTUNE_TRY(const TensorMap merged, model::merge_adapter(base, adapter));
  AFTUNE_TRY(model::write_model_folder(args.out, args.base, merged));
  log_line(fmt::format("{}: rank {}, scaling {:.6g}, {} tensors of the adapter", args.out,
                       adapter.lora.rank, model::lora_scaling(adapter.lora),
                       adapter.tensors.size()));
  return ok();
}

Exit run_merge(const Args& args) {
  const Status done = merge(args);
  return done ? Exit::kOk : report("merge", done.error());
}

}  // namespace

Command add_merge(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("merge", "Put a LoRA adapter into its base: one model folder");
  cmd->footer("Example:\n  aftune merge smollm2 run/model merged");
  cmd->add_option("base", args->base, "Model folder that the adapter was trained on")->required();
  cmd->add_option("adapter", args->adapter,
                  "Folder with adapter_config.json and adapter_model.safetensors")
      ->required();
  cmd->add_option("out", args->out, "Folder to make; must not exist or be empty")->required();
  return {[cmd] { return cmd->parsed(); }, [args] { return run_merge(*args); }};
}

}  // namespace aftune::cli
