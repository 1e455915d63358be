// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/remote_run.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "aftune/audit/retention.h"
#include "aftune/base/log_line.h"

namespace aftune::cli {
namespace {

Result<std::unique_ptr<object::S3Folder>> open_bucket(const RemoteArgs& args) {
  return object::open_s3_folder(
      args.store, [](const char* name) { return std::getenv(name); }, args.patience_seconds);
}

}  // namespace

void add_remote_options(CLI::App& app, RemoteArgs& args, const std::string& what) {
  auto* store = app.add_option("--store", args.store, what)->type_name("s3://BUCKET/PREFIX");
  app.add_option("--store-patience", args.patience_seconds,
                 "With --store: seconds until a request that fails is given up (default: 300)")
      ->type_name("SECONDS")
      ->needs(store)
      ->check(CLI::NonNegativeNumber);
}

void add_lock_option(CLI::App& app, RemoteArgs& args) {
  app.add_option("--store-lock", args.lock,
                 "With --store: nobody can delete what is copied before the audit's window ends "
                 "(S3 Object Lock; default: none)")
      ->needs(app.get_option("--store"))
      ->check(CLI::IsMember({"none", "governance", "compliance"}));
}

Result<std::unique_ptr<object::S3Folder>> open_remote_copy(const RemoteArgs& args,
                                                           const trace::Contract& contract) {
  if (args.store.empty()) return std::unique_ptr<object::S3Folder>();
  AFTUNE_TRY(auto folder, open_bucket(args));
  if (args.lock == "none") return folder;
  const auto mode = args.lock == "governance" ? object::LockRule::Mode::kGovernance
                                              : object::LockRule::Mode::kCompliance;
  AFTUNE_TRY(folder->lock_from_now_on({mode, trace::spell_utc(audit::window_end(contract))}));
  return folder;
}

Result<RemoteRun> open_remote_run(const RemoteArgs& args, const Path& run,
                                  trace::RunSource::Share share) {
  RemoteRun out{nullptr, nullptr, {run}};
  if (args.store.empty()) return out;
  AFTUNE_TRY(out.folder, open_bucket(args));
  AFTUNE_TRY(out.source, trace::RunSource::open(*out.folder, out.run));
  AFTUNE_TRY(out.source->fetch_share(share));
  out.run.source = out.source.get();
  return out;
}

void RemoteRun::tell() const {
  if (!source) return;
  log_line(fmt::format("fetched {} files, {} bytes from {} into {}", source->fetched_files(),
                       source->fetched_bytes(), folder->description(), run.root.string()));
}

}  // namespace aftune::cli
