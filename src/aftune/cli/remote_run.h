// SPDX-License-Identifier: Apache-2.0
// Runs in object storage as the commands take them: docs/formats/object-storage.md.
#pragma once

#include <memory>
#include <string>

#include "aftune/object/s3_folder.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/run_source.h"

namespace CLI {
class App;
}

namespace aftune::cli {

struct RemoteArgs {
  std::string store;          // s3://BUCKET/PREFIX, or nothing
  std::string lock = "none";  // none, governance, compliance
  double patience_seconds = 300;
};

/// --store and --store-patience.
void add_remote_options(CLI::App& app, RemoteArgs& args, const std::string& what);
/// --store-lock.
void add_lock_option(CLI::App& app, RemoteArgs& args);

/// Where a run is copied, as the flags say; null without --store.
/// Errors: kInvalidInput, for a bucket without lock too; kUnsupported; kUnavailable.
Result<std::unique_ptr<object::S3Folder>> open_remote_copy(const RemoteArgs& args,
                                                           const trace::Contract& contract);

/// A run to read: in its folder, or in a bucket with its folder for what is fetched.
struct RemoteRun {
  std::unique_ptr<object::S3Folder> folder;  // null: all is in the run folder
  std::unique_ptr<trace::RunSource> source;
  trace::RunFolder run;

  /// What was fetched, for people; nothing without a bucket.
  void tell() const;
};
/// Fetches that share of it. Errors: those of open_s3_folder and RunSource.
Result<RemoteRun> open_remote_run(const RemoteArgs& args, const Path& run,
                                  trace::RunSource::Share share);

}  // namespace aftune::cli
