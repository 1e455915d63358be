// SPDX-License-Identifier: Apache-2.0
// `aftune generate`: a few tokens out of a model folder, to see that it works.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/value_checks.h"
#include "aftune/model/decoder.h"
#include "aftune/model/model_folder.h"
#include "aftune/numerics/philox.h"
#include "aftune/numerics/scalar_math.h"
#include "aftune/text/tokenizer.h"

namespace aftune::cli {
namespace {

__extension__ using Wide = unsigned __int128;

struct Args {
  std::string folder, prompt;
  std::uint64_t max_tokens = 48, seed = 0;
  double temperature = 0;
  bool chat = false;
  MachineArgs machine;
};

/// The id with the largest logit; the smaller id on a tie.
std::int32_t pick_greedy(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Draws in proportion to rint(exp((z - max) / T) 2^40), ids in descending order of logits.
std::int32_t pick_sampled(std::span<const float> logits, double temperature, std::uint64_t seed,
                          std::uint64_t position) {
  std::vector<std::int32_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  const auto logit = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return logit(a) > logit(b); });
  std::vector<std::uint64_t> weights;
  Wide total = 0;
  for (const std::int32_t id : order) {
    const double x = (static_cast<double>(logit(id)) - logit(order[0])) / temperature;
    const double w = x < -40 ? 0 : numerics::exact_exp(x) * 0x1p40;
    weights.push_back(static_cast<std::uint64_t>(std::nearbyint(w)));
    total += weights.back();
  }
  const auto words = numerics::philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const std::uint64_t random = (std::uint64_t{words[1]} << 32) | words[0];
  auto mark = static_cast<Wide>(random) * total >> 64;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (mark < weights[i]) return order[i];
    mark -= weights[i];
  }
  return order.back();
}

Result<std::string> generate(const Args& args) {
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const model::ModelFolder folder, model::open_model_folder(args.folder));
  AFTUNE_TRY(model::check_generates(folder));
  AFTUNE_TRY(const text::Tokenizer tokenizer,
             text::Tokenizer::load(Path(args.folder) / "tokenizer.json"));
  const model::Llama llama{folder.config,
                           Tensor::copy_of(*folder.tables.find(model::kInvFreqName))};
  AFTUNE_TRY(const model::Decoder decoder,
             model::Decoder::create(machine.engine, llama, [&](const std::string& name) {
               return *folder.parameters.find(name);
             }));
  const std::string prompt =
      args.chat ? "<|im_start|>user\n" + args.prompt + "<|im_end|>\n<|im_start|>assistant\n"
                : args.prompt;
  AFTUNE_TRY(std::vector<std::int32_t> tokens, tokenizer.encode(prompt));
  if (tokens.empty()) return Error{Code::kInvalidInput, "the prompt has no tokens"};
  const std::size_t prompt_size = tokens.size();
  if (prompt_size >= folder.config.longest_sequence()) {
    return Error{Code::kInvalidInput, fmt::format("the prompt has {} tokens, the model has {} "
                                                  "positions",
                                                  prompt_size, folder.config.longest_sequence())};
  }
  const std::int32_t end_of_turn = tokenizer.id_of("<|im_end|>");
  const std::int32_t end_of_text = tokenizer.id_of("<|endoftext|>");
  model::TextState text = decoder.new_text();
  while (tokens.size() < prompt_size + args.max_tokens &&
         tokens.size() < folder.config.longest_sequence()) {
    const model::TextPiece piece{&text, std::span(tokens).subspan(text.size())};
    AFTUNE_TRY(const Tensor logits,
               decoder.advance(machine.engine, std::span(&piece, 1), model::LogitRows::kLast));
    const auto last = logits.f32();
    const std::int32_t next = args.temperature == 0
                                  ? pick_greedy(last)
                                  : pick_sampled(last, args.temperature, args.seed, tokens.size());
    if (next == end_of_turn || next == end_of_text) break;
    tokens.push_back(next);
  }
  return tokenizer.decode(std::span(tokens).subspan(prompt_size), true);
}

Exit run_generate(const Args& args) {
  const auto text = generate(args);
  if (!text) return report("generate", text.error());
  std::cout << *text << '\n';
  return Exit::kOk;
}

}  // namespace

Command add_generate(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("generate", "Continue a prompt, to see that a model works");
  cmd->footer(
      "Examples:\n  aftune generate smollm2 --chat --prompt 'What is a Merkle tree?'\n"
      "  aftune generate run/model --prompt 'Once' --temperature 0.8 --seed 3");
  cmd->add_option("folder", args->folder, "Model folder")->required();
  cmd->add_option("--prompt", args->prompt, "Text to continue")->required();
  cmd->add_flag("--chat", args->chat, "Put the prompt into the ChatML template");
  cmd->add_option("--max-tokens", args->max_tokens, "At most so many new tokens")
      ->check(CLI::Range(1, 4096));
  cmd->add_option("--temperature", args->temperature, "0 is greedy")
      ->check(check_finite)
      ->check(CLI::Range(0.0, 100.0));
  cmd->add_option("--seed", args->seed, "For sampling")->check(check_whole_number);
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_generate(*args); }};
}

}  // namespace aftune::cli
