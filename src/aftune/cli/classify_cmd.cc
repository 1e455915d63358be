// SPDX-License-Identifier: Apache-2.0
// `aftune classify`: how many images of a data set a model puts into their class.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "aftune/cli/adapted_model.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/value_checks.h"
#include "aftune/train/image_batches.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string folder, data, adapter;
  std::uint64_t batch = 64, limit = 0;
  bool each = false;
  MachineArgs machine;
};

struct Count {
  std::uint64_t images = 0, right = 0;
};

/// The classes of largest logits, of equal ones the lowest. Prints each where asked.
void count_batch(const Tensor& logits, const model::MicroBatch& batch, bool each, Count& count) {
  const std::size_t classes = logits.shape()[1];
  for (std::size_t i = 0; i < batch.rows; ++i) {
    const auto row = logits.f32().subspan(i * classes, classes);
    const auto found = std::max_element(row.begin(), row.end()) - row.begin();
    if (each) std::cout << fmt::format("{} {} {}\n", count.images, batch.targets[i], found);
    ++count.images;
    if (found == batch.targets[i]) ++count.right;
  }
}

Result<Count> classify(const Args& args) {
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const AdaptedModel model, open_adapted_model(args.folder, args.adapter));
  const model::LlamaConfig& config = model.llama.config;
  if (!config.vision) {
    return Error{Code::kUnsupported, fmt::format("{} is a {}: it classifies no images", args.folder,
                                                 model::traits_of(config.family).name)};
  }
  AFTUNE_TRY(const text::Dataset data, text::Dataset::load(args.data));
  const std::uint64_t rows =
      args.limit == 0 ? data.row_count() : std::min(args.limit, data.row_count());
  Count count;
  while (count.images < rows) {
    model::MicroBatch batch;
    batch.sequence = config.max_positions;
    for (std::uint64_t row = count.images; row < rows && batch.rows < args.batch; ++row) {
      AFTUNE_TRY(train::append_image(config, data, row, batch).in(args.data));
    }
    AFTUNE_TRY(const Tensor logits,
               model::forward_logits(machine.engine, model.llama, model.view(), batch));
    count_batch(logits, batch, args.each, count);
  }
  return count;
}

Exit run_classify(const Args& args) {
  const auto count = classify(args);
  if (!count) return report("classify", count.error());
  std::cout << fmt::format(
      "accuracy {:.2f} %: {} of {} images\n",
      100.0 * static_cast<double>(count->right) / static_cast<double>(count->images), count->right,
      count->images);
  return Exit::kOk;
}

}  // namespace

Command add_classify(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("classify", "Count how many images a model puts into their class");
  cmd->footer(
      "Examples:\n  aftune classify run/model test.jsonl\n"
      "  aftune classify base test.jsonl --adapter run/model");
  cmd->add_option("folder", args->folder, "Model folder")->required();
  cmd->add_option("data", args->data, "Image data set, as `aftune images` makes it")->required();
  cmd->add_option("--adapter", args->adapter, "Adapter folder to put beside the model");
  cmd->add_option("--batch", args->batch, "Images at a time; changes no bit")
      ->check(CLI::Range(1, 65536));
  cmd->add_option("--limit", args->limit, "Only the first so many")->check(check_whole_number);
  cmd->add_flag("--each", args->each, "Print row, class and found class of each");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_classify(*args); }};
}

}  // namespace aftune::cli
