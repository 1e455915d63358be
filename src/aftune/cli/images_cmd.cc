// SPDX-License-Identifier: Apache-2.0
// `aftune images`: an image data set out of IDX files or a folder of pictures.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/out_file.h"
#include "aftune/cli/value_checks.h"
#include "aftune/image/data_set.h"

namespace aftune::cli {
namespace {

struct Args {
  std::vector<std::string> idx;
  std::string folder, out;
  image::Shaping shaping;
  std::uint64_t limit = 0;
};

Exit run_images(const Args& args) {
  if (args.idx.empty() && args.folder.empty()) {
    return report("images", Error{Code::kInvalidInput, "--idx or --folder is needed"});
  }
  if (const Status free = check_out_file(args.out); !free) return report("images", free.error());
  if (!args.idx.empty()) {
    const auto count =
        image::write_idx_rows(args.idx[0], args.idx[1], args.shaping, args.limit, args.out);
    if (!count) return report("images", count.error());
    log_line(fmt::format("{}: {} images", args.out, *count));
    return Exit::kOk;
  }
  const auto made = image::write_folder_rows(args.folder, args.shaping, args.out);
  if (!made) return report("images", made.error());
  log_line(fmt::format("{}: {} images", args.out, made->rows));
  for (std::size_t i = 0; i < made->classes.size(); ++i) {
    log_line(fmt::format("class {}: {}", i, printable(made->classes[i])));
  }
  return Exit::kOk;
}

}  // namespace

Command add_images(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("images", "Make an image data set from IDX files or pictures");
  cmd->footer(
      "Examples:\n"
      "  aftune images --idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz -o train.jsonl\n"
      "  aftune images --folder pets --channels 3 --size 224 -o pets.jsonl");
  auto* idx =
      cmd->add_option("--idx", args->idx, "A file of images and one of classes, plain or gzip")
          ->expected(2);
  auto* folder = cmd->add_option("--folder", args->folder,
                                 "A folder with one of PNG and JPEG files for each class");
  idx->excludes(folder);
  cmd->add_option("--limit", args->limit, "Only the first so many of --idx")
      ->check(check_whole_number)
      ->excludes(folder);
  cmd->add_flag("--center", args->shaping.center, "Cut out the square in the middle first");
  cmd->add_option("--channels", args->shaping.channels, "1: gray, 3: colours")
      ->check(CLI::IsMember({1, 3}));
  cmd->add_option("--size", args->shaping.side, "Resize to a square of so many pixels")
      ->check(CLI::Range(1U, image::kMaxSide));
  cmd->add_option("-o,--out", args->out, "File to make, one row a line")->required();
  return {[cmd] { return cmd->parsed(); }, [args] { return run_images(*args); }};
}

}  // namespace aftune::cli
