// SPDX-License-Identifier: Apache-2.0
// `aftune import`, `aftune random-model`: make a model folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/value_checks.h"
#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"

namespace aftune::cli {
namespace {

struct ImportArgs {
  std::string source, out;
  bool keep_dtype = false;
  std::optional<std::uint32_t> image_size;
};

struct RandomArgs {
  std::string config, tokenizer, preprocessor, out;
  std::uint64_t seed = 0;
};

Exit finish(const char* command, const Status& done, const Path& folder) {
  if (!done) return report(command, done.error());
  const auto model = model::open_model_folder(folder, model::Width::kAny);
  if (!model) return report(command, model.error());
  std::uint64_t parameters = 0;
  for (const auto& [name, tensor] : model->parameters.tensors()) {
    parameters += *element_count(tensor.shape);
  }
  log_line(fmt::format("{}: {} layers, width {}, {} {}, {} parameters in {}{}", folder.string(),
                       model->config.layer_count, model->config.hidden_size,
                       model->config.vision ? "classes" : "vocabulary", model->config.vocab_size,
                       parameters, dtype_name(model->dtype),
                       model->config.tied_embeddings ? ", tied embeddings" : ""));
  return Exit::kOk;
}

Status import(const ImportArgs& args) {
  std::error_code error;
  if (std::filesystem::is_directory(args.source, error)) {
    return model::import_hf(args.source, args.out,
                            args.keep_dtype ? model::Elements::kKept : model::Elements::kWidened,
                            args.image_size);
  }
  if (!args.keep_dtype && !args.image_size) return model::import_gguf(args.source, args.out);
  return invalid_input(fmt::format("{} is for folders, and {} is none",
                                   args.keep_dtype ? "--keep-dtype" : "--image-size", args.source));
}

Exit run_import(const ImportArgs& args) { return finish("import", import(args), args.out); }

Result<model::LlamaConfig> read_config(const Path& path) {
  AFTUNE_TRY(const std::string text, read_text_file(path, std::uint64_t{1} << 20));
  AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}).in(path.string()));
  return model::parse_hf_config(json).in(path.string());
}

Exit run_random(const RandomArgs& args) {
  const auto config = read_config(args.config);
  if (!config) return report("random-model", config.error());
  const char* wanted = config->vision ? "--preprocessor" : "--tokenizer";
  const std::string& companion = config->vision ? args.preprocessor : args.tokenizer;
  if (companion.empty() || args.tokenizer.empty() == args.preprocessor.empty()) {
    return report(
        "random-model",
        Error{Code::kInvalidInput, fmt::format("a {} goes with {} alone",
                                               model::traits_of(config->family).name, wanted)});
  }
  return finish("random-model", model::make_random_model(*config, args.seed, companion, args.out),
                args.out);
}

}  // namespace

Command add_import(CLI::App& app) {
  auto args = std::make_shared<ImportArgs>();
  auto* cmd =
      app.add_subcommand("import", "Make a model folder from GGUF or a Hugging Face folder");
  cmd->footer(
      "Examples:\n  aftune import SmolLM2-135M-Instruct.Q4_1.gguf -o smollm2\n"
      "  aftune import ./Llama-3.2-1B -o llama\n"
      "  aftune import ./Llama-3.1-8B -o base --keep-dtype   # a base for LoRA\n"
      "  aftune import ./dinov2-base -o base --image-size 224");
  cmd->add_option("source", args->source,
                  "A .gguf file, or a folder with config.json, model.safetensors, tokenizer.json")
      ->required();
  cmd->add_option("-o,--out", args->out, "Folder to make; must not exist or be empty")->required();
  cmd->add_flag("--keep-dtype", args->keep_dtype,
                "Keep BF16 or F16 weights as they are: a base that LoRA runs and merge take");
  cmd->add_option("--image-size", args->image_size,
                  "Of an image classifier: its positions are resampled for images of this size")
      ->check(CLI::Range(1, 4096));
  return {[cmd] { return cmd->parsed(); }, [args] { return run_import(*args); }};
}

Command add_random(CLI::App& app) {
  auto args = std::make_shared<RandomArgs>();
  auto* cmd = app.add_subcommand("random-model",
                                 "Make a randomly initialised model, for tests and examples");
  cmd->footer(
      "Example:\n  aftune random-model --config config.json --tokenizer tokenizer.json --seed 7 "
      "-o tiny");
  cmd->add_option("--config", args->config, "Hugging Face config.json")->required();
  cmd->add_option("--tokenizer", args->tokenizer, "tokenizer.json to go with it");
  cmd->add_option("--preprocessor", args->preprocessor,
                  "preprocessor_config.json to go with an image classifier");
  cmd->add_option("--seed", args->seed, "Equal seeds give equal models")
      ->required()
      ->check(check_whole_number);
  cmd->add_option("-o,--out", args->out, "Folder to make; must not exist or be empty")->required();
  return {[cmd] { return cmd->parsed(); }, [args] { return run_random(*args); }};
}

}  // namespace aftune::cli
