// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/mend.h"

#include <fmt/format.h>

#include "aftune/base/log_line.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/inventory.h"

namespace aftune::trace {
namespace {

Status remove_file(const Path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (!error) return ok();
  return Error{Code::kUnavailable, fmt::format("remove {}: {}", path.string(), error.message())};
}

Status remove_broken(const RunFolder& run, ThreadPool* pool) {
  AFTUNE_TRY(const Store store, Store::open(run.store(), Store::Open::kExisting, pool));
  AFTUNE_TRY(const auto objects, store.objects());
  for (const Store::Object& object : objects) {
    const auto bytes = store.get(object.digest, kMaxObjectBytes);
    if (bytes) continue;
    if (bytes.error().code == Code::kUnavailable) return bytes.error();
    log_line(fmt::format("aftune: {}: removed, to be made again", bytes.error().what));
    AFTUNE_TRY(remove_file(store.path_of(object.digest)));
  }
  return ok();
}

}  // namespace

Result<std::uint64_t> mend_evidence(const Contract& contract,
                                    const std::vector<std::string>& entries, const RunFolder& run,
                                    ThreadPool* pool) {
  AFTUNE_TRY(remove_broken(run, pool));
  AFTUNE_TRY(const std::uint64_t whole, whole_entries(contract, entries, run));
  if (whole < entries.size()) {
    log_line(fmt::format("aftune: evidence of entry {} of {} is missing: it is made again", whole,
                         entries.size()));
  }
  return whole;
}

Status check_evidence(const Contract& contract, const RunFolder& run) {
  AFTUNE_TRY(const tlog::LogReading log, tlog::read_log(run.log(), contract.log_key()));
  AFTUNE_TRY(const std::uint64_t whole, whole_entries(contract, log.entries, run));
  if (whole == log.entries.size()) return ok();
  return Error{Code::kUnavailable,
               fmt::format("evidence of entry {} of {} is missing in {}: the run is not closed, "
                           "--resume makes it again",
                           whole, log.entries.size(), run.store().string())};
}

}  // namespace aftune::trace
