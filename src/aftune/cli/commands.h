// SPDX-License-Identifier: Apache-2.0
// The subcommands. Each add_* declares flags; what it returns runs the command after parsing.
#pragma once

#include <functional>

#include "aftune/cli/exit_code.h"

namespace CLI {
class App;
}

namespace aftune::cli {

/// One parsed subcommand, or several that share a name ("contract draft").
struct Command {
  std::function<bool()> chosen;
  std::function<Exit()> run;
};

Command add_import(CLI::App& app);
Command add_random(CLI::App& app);
Command add_keygen(CLI::App& app);
Command add_contract(CLI::App& app);
Command add_train(CLI::App& app);
Command add_audit(CLI::App& app);
Command add_attack(CLI::App& app);
Command add_plan(CLI::App& app);
Command add_prepare(CLI::App& app);
Command add_log(CLI::App& app);
Command add_store(CLI::App& app);
Command add_generate(CLI::App& app);
Command add_images(CLI::App& app);
Command add_classify(CLI::App& app);
Command add_merge(CLI::App& app);
Command add_env(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_evaluate(CLI::App& app);
Command add_witness(CLI::App& app);
Command add_challenge(CLI::App& app);
Command add_answer(CLI::App& app);
Command add_receipt(CLI::App& app);
Command add_serve(CLI::App& app);

}  // namespace aftune::cli
