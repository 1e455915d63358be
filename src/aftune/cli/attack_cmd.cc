// SPDX-License-Identifier: Apache-2.0
// `aftune attack`: tell every lie of the gallery on copies of a run and audit each.
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/attack/gallery_run.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/out_file.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, data, work, out;
  std::vector<std::string> only;
  bool from_start = false, json = false;
  MachineArgs machine;
};

/// A folder of its own for the copies; removed with everything in it.
class CopyFolder {
 public:
  static Result<CopyFolder> create(const Path& parent) {
    std::string name = (parent / "aftune-attack-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) return CopyFolder(name);
    return Error{Code::kUnavailable,
                 fmt::format("make a folder for copies in {}: no such folder, or no right to write "
                             "there: name another with --work",
                             parent.string())};
  }
  CopyFolder(CopyFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  CopyFolder& operator=(CopyFolder&&) = delete;
  ~CopyFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const Path& path() const { return path_; }

 private:
  explicit CopyFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

/// Beside the run, where files can be hard links.
Path work_folder(const Args& args) {
  if (!args.work.empty()) return args.work;
  return (std::filesystem::absolute(args.run) / ".").lexically_normal().parent_path().parent_path();
}

Result<attack::GalleryReport> tell_lies(const Args& args) {
  if (!args.out.empty()) AFTUNE_TRY(check_out_file(args.out));
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  std::error_code error;
  if (!std::filesystem::is_directory(args.run, error)) {
    return Error{Code::kNotFound, fmt::format("run {} is not a folder", args.run)};
  }
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const CopyFolder copies, CopyFolder::create(work_folder(args)));
  attack::GalleryRequest request{
      contract.contract,
      {args.run},
      {},
      copies.path(),
      args.from_start ? attack::Begin::kFirstStep : attack::Begin::kLastStates,
      args.only,
      std::time(nullptr),
      [](const std::string& line) { log_line(line); }};
  if (!args.data.empty()) request.data = args.data;
  return attack::run_gallery(request, machine.engine);
}

Exit run_attack(const Args& args) {
  const auto done = tell_lies(args);
  if (!done) return report("attack", done.error());
  const std::string json = codec::pretty_json(attack::gallery_json(*done));
  std::cout << (args.json ? json : attack::gallery_text(*done)) << std::flush;
  if (!args.out.empty()) {
    if (const Status wrote = write_new_file(args.out, as_bytes(json)); !wrote) {
      return report("attack", wrote.error());
    }
  }
  return done->accepted() == 0 ? Exit::kOk : Exit::kRejected;
}

}  // namespace

Command add_attack(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand(
      "attack", "Tell every known lie on copies of an honest run and audit each copy");
  cmd->footer(
      "The copies are signed under a contract of equal terms with keys made for this purpose:\n"
      "nobody's key is needed, and nothing that is made here could pass for the provider's.\n\n"
      "Examples:\n  aftune attack contract.json --run run\n"
      "  aftune attack contract.json --run run --from-start --json -o attack.json\n"
      "  aftune attack contract.json --run run --only T24");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "The run folder of a finished honest run")->required();
  cmd->add_option("--data", args->data, "The data set, if the run folder leaves it out");
  cmd->add_option("--work", args->work, "Where to make copies (default: beside the run)");
  cmd->add_option("--only", args->only,
                  "Tell only this row (T24), or lies with this in their name; may be given again")
      ->allow_extra_args(false);
  cmd->add_flag("--from-start", args->from_start,
                "Lies of training from the first step on (default: from the newest stored states)");
  cmd->add_flag("--json", args->json, "Print JSON instead of the table");
  cmd->add_option("-o,--out", args->out, "Write the JSON there, too; must not exist");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_attack(*args); }};
}

}  // namespace aftune::cli
