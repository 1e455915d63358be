// SPDX-License-Identifier: Apache-2.0
// `aftune keygen`: a key pair in two files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/codec/key_file.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string out, name;
};

Exit run_keygen(const Args& args) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate();
  if (const Status made = make_folders(args.out); !made) return report("keygen", made.error());
  if (const Status wrote = codec::write_key_files(args.out, args.name, key); !wrote) {
    return report("keygen", wrote.error());
  }
  log_line(
      fmt::format("{0}/{1}.key is private, {0}/{1}.pub is for everybody:", args.out, args.name));
  std::cout << codec::spell_verifier_key(args.name, key.public_key()) << '\n';
  return Exit::kOk;
}

}  // namespace

Command add_keygen(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("keygen", "Make an Ed25519 key pair");
  cmd->footer("Example:\n  aftune keygen -o keys --name client");
  cmd->add_option("-o,--out", args->out, "Folder for NAME.key and NAME.pub")->required();
  cmd->add_option("--name", args->name, "Name of the key's owner")->required();
  return {[cmd] { return cmd->parsed(); }, [args] { return run_keygen(*args); }};
}

}  // namespace aftune::cli
