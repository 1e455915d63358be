// SPDX-License-Identifier: Apache-2.0
// The aftune program: wires the subcommands and turns what they return into an exit code.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/value_checks.h"

namespace {

using aftune::cli::Exit;

/// Nothing of ours throws; what the library throws for want of memory ends here.
Exit run_guarded(const aftune::cli::Command& command) {
  try {
    return command.run();
  } catch (const std::exception& error) {
    aftune::log_line(std::string("aftune: ") + error.what());
    return Exit::kUnchecked;
  }
}

/// The first word in the place of a command that is none, or empty.
std::string unknown_command(CLI::App& app, int argc, char** argv) {
  CLI::App* at = &app;
  for (int i = 1; i < argc && !at->get_subcommands({}).empty(); ++i) {
    const std::string word = argv[i];
    const auto found =
        at->get_subcommands([&](CLI::App* command) { return command->get_name() == word; });
    if (found.empty()) return word.starts_with('-') ? std::string() : word;
    at = found.front();
  }
  return std::string();
}

/// An answer that standard output did not take was not given.
Exit finish(Exit exit) {
  std::cout.flush();
  if (std::cout) return exit;
  aftune::log_line("aftune: standard output took no more: the answer is not complete");
  return Exit::kUnchecked;
}

}  // namespace

int main(int argc, char** argv) {
  using aftune::cli::Exit;
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of that write
  // A step allocates and frees the same large tensors: keep their pages instead of faulting them in
  // again each time.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  CLI::App app{
      "AFTUNE: auditable fine-tuning. A provider records what it computes, a client audits drawn\n"
      "pieces of it, bit by bit.\n\n"
      "Exit codes: 0 done or ACCEPT, 1 REJECT or damaged evidence, 2 usage or unusable input,\n"
      "3 INCONCLUSIVE, an aborted run, or trouble with disk or machine."};
  app.name("aftune");
  app.require_subcommand(1);
  app.set_version_flag("--version", "aftune 0.1.0");
  const std::vector<aftune::cli::Command> commands = {
      aftune::cli::add_import(app),  aftune::cli::add_random(app),
      aftune::cli::add_keygen(app),  aftune::cli::add_contract(app),
      aftune::cli::add_train(app),   aftune::cli::add_audit(app),
      aftune::cli::add_plan(app),    aftune::cli::add_log(app),
      aftune::cli::add_store(app),   aftune::cli::add_generate(app),
      aftune::cli::add_merge(app),   aftune::cli::add_env(app),
      aftune::cli::add_attack(app),  aftune::cli::add_prepare(app),
      aftune::cli::add_witness(app), aftune::cli::add_challenge(app),
      aftune::cli::add_answer(app),  aftune::cli::add_receipt(app),
      aftune::cli::add_inspect(app), aftune::cli::add_evaluate(app),
      aftune::cli::add_serve(app),   aftune::cli::add_images(app),
      aftune::cli::add_classify(app)};
  aftune::cli::refuse_empty_values(app);
  if (const std::string word = unknown_command(app, argc, argv); !word.empty()) {
    aftune::log_line("aftune: there is no command " + aftune::printable(word) +
                     ", see aftune --help");
    return static_cast<int>(Exit::kUsage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    app.exit(error, asked ? std::cout : std::cerr, std::cerr);
    return static_cast<int>(asked ? Exit::kOk : Exit::kUsage);
  }
  for (const aftune::cli::Command& command : commands) {
    if (command.chosen()) return static_cast<int>(finish(run_guarded(command)));
  }
  return static_cast<int>(Exit::kUsage);
}
