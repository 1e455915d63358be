// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/tlog/log_history.h"
#include "aftune/tlog/tiles.h"

namespace aftune::tlog {
namespace {

Status write_tile(const Path& folder, const TiledTree& tree, const TileAt& tile) {
  const Path path = folder / tile.path();
  AFTUNE_TRY(make_folders(path.parent_path()));
  return write_file(path, tree.bytes_of(tile));
}

/// Partial tiles that full ones replaced; no harm if one stays.
void remove_replaced(const Path& folder, const std::vector<TileAt>& written) {
  for (const TileAt& tile : written) {
    if (tile.width != kTileWidth) continue;
    std::error_code ignored;
    std::filesystem::remove_all(folder / (tile.path() + ".p"), ignored);
  }
}

}  // namespace

LogWriter::LogWriter(Path folder, std::string origin, const crypto::PrivateKey& key,
                     Journal journal)
    : folder_(std::move(folder)),
      origin_(std::move(origin)),
      key_(&key),
      journal_(std::move(journal)) {}

Result<LogWriter> LogWriter::open(const Path& folder, std::string origin,
                                  const crypto::PrivateKey& key) {
  AFTUNE_CHECK(is_key_name(origin), "a log's origin is no key name");
  AFTUNE_TRY(make_folders(folder / kHistoryFolder));
  AFTUNE_TRY(Journal::Opened opened, Journal::open(folder / "pending"));
  LogWriter writer(folder, std::move(origin), key, std::move(opened.journal));
  AFTUNE_TRY(writer.load_signed());
  AFTUNE_TRY(writer.take_pending(opened.records));
  return writer;
}

Status LogWriter::load_signed() {
  const VerifierKey verifier{origin_, key_->public_key()};
  AFTUNE_TRY(const auto history, read_history(folder_, verifier));
  if (history.empty()) return ok();
  auto reading = read_log(folder_, verifier);
  if (!reading) {
    Error error = std::move(reading).error();
    if (error.code == Code::kNotFound) error.code = Code::kCorrupt;  // a checkpoint needs the file
    return error;
  }
  for (std::string& entry : reading->entries) tree_.append(std::move(entry));
  signed_ = std::move(reading->checkpoint);
  // killed between the two writes of sign(): finish it
  const Path path = folder_ / kCheckpointFile;
  const auto current = read_text_file(path, std::uint64_t{1} << 20);
  if (current && *current == reading->checkpoint_note) return ok();
  return write_file(path, as_bytes(reading->checkpoint_note));
}

Status LogWriter::take_pending(const std::vector<Journal::Record>& records) {
  for (const Journal::Record& record : records) {
    if (record.index < signed_size()) continue;
    if (record.index != tree_.size()) {
      return Error{Code::kCorrupt,
                   fmt::format("{}: entry {}, the log has {} before it",
                               (folder_ / "pending").string(), record.index, tree_.size())};
    }
    tree_.append(record.entry);
  }
  return ok();
}

Status LogWriter::append(std::string entry) {
  if (entry.size() > kMaxEntryBytes) {
    return Error{Code::kInvalidInput, fmt::format("log entry of {} bytes, the limit is {}",
                                                  entry.size(), kMaxEntryBytes)};
  }
  AFTUNE_TRY(journal_.append(tree_.size(), entry));
  tree_.append(std::move(entry));
  return ok();
}

Status LogWriter::truncate(std::uint64_t size) {
  AFTUNE_CHECK(signed_size() <= size && size <= tree_.size(), "truncation of signed entries");
  if (size == tree_.size()) return ok();
  std::vector<Journal::Record> kept;
  for (std::uint64_t i = signed_size(); i < size; ++i) kept.push_back({i, tree_.entries()[i]});
  AFTUNE_TRY(journal_.replace(kept));
  tree_.truncate(size);
  return ok();
}

Result<Checkpoint> LogWriter::sign() {
  if (signed_ && signed_->size == tree_.size()) return *signed_;
  const std::vector<TileAt> tiles = new_tiles(signed_size(), tree_.size());
  for (const TileAt& tile : tiles) AFTUNE_TRY(write_tile(folder_, tree_, tile));
  AFTUNE_TRY(const Checkpoint checkpoint, write_checkpoint());
  remove_replaced(folder_, tiles);
  AFTUNE_TRY(journal_.clear());
  return checkpoint;
}

Result<Checkpoint> LogWriter::write_checkpoint() {
  const Checkpoint checkpoint{origin_, tree_.size(), tree_.root()};
  const std::string note = encode_note(sign_checkpoint(checkpoint, *key_));
  Status wrote =
      write_file(folder_ / kHistoryFolder / std::to_string(checkpoint.size), as_bytes(note));
  if (wrote) wrote = write_file(folder_ / kCheckpointFile, as_bytes(note));
  if (!wrote) {
    // it may be on the disk or not: no entry may be taken back or added over it
    journal_.close();
    return std::move(wrote).error();
  }
  signed_ = checkpoint;
  return checkpoint;
}

}  // namespace aftune::tlog
