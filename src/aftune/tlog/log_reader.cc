// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/tlog/log_history.h"
#include "aftune/tlog/tiles.h"

namespace aftune::tlog {
namespace {

constexpr std::uint64_t kMaxTileBytes = kTileWidth * sizeof(Digest);
constexpr std::uint64_t kMaxBundleBytes = kTileWidth * (2 + kMaxEntryBytes);

std::uint64_t limit_of(const TileAt& tile) {
  return tile.kind == TileAt::Kind::kEntries ? kMaxBundleBytes : kMaxTileBytes;
}

Result<TiledTree> read_entries(const Path& folder, std::uint64_t size) {
  TiledTree tree;
  while (tree.size() < size) {
    const std::uint64_t left = size - tree.size();
    const TileAt at{TileAt::Kind::kEntries, 0, tree.size() / kTileWidth,
                    static_cast<unsigned>(std::min<std::uint64_t>(left, kTileWidth))};
    const Path path = folder / at.path();
    AFTUNE_TRY(const ByteBuffer bundle, read_file(path, limit_of(at)));
    AFTUNE_TRY(auto entries, decode_bundle(bundle, at.width).in(path.string()));
    for (std::string& entry : entries) tree.append(std::move(entry));
  }
  return tree;
}

/// Whether each checkpoint is of a prefix of the tree: then each is consistent with the next.
Status check_growth(const Path& folder, const std::vector<StoredCheckpoint>& history,
                    const std::vector<Digest>& leaves) {
  GrowingTree tree;
  for (const StoredCheckpoint& stored : history) {
    const Checkpoint& checkpoint = stored.checkpoint;
    while (tree.size() < checkpoint.size) tree.append(leaves[tree.size()]);
    if (tree.root() != checkpoint.root) {
      return Error{
          Code::kCorrupt,
          fmt::format("{}: checkpoint of size {} has root {}, its entries have {}", folder.string(),
                      checkpoint.size, checkpoint.root.hex(), tree.root().hex())};
    }
  }
  return ok();
}

Status check_tile(const Path& folder, const TiledTree& tree, const TileAt& tile) {
  const Path path = folder / tile.path();
  AFTUNE_TRY(const ByteBuffer bytes, read_file(path, limit_of(tile)));
  if (bytes != tree.bytes_of(tile)) {
    return Error{Code::kCorrupt, fmt::format("{} differs from the entries", path.string())};
  }
  return ok();
}

Status check_tiles(const Path& folder, const std::vector<StoredCheckpoint>& history,
                   const TiledTree& tree) {
  for (const TileAt& tile : new_tiles(0, tree.size())) {
    AFTUNE_TRY(check_tile(folder, tree, tile));
  }
  for (const StoredCheckpoint& stored : history) {
    for (const TileAt& tile : partial_tiles(stored.checkpoint.size)) {
      Status checked = check_tile(folder, tree, tile);
      if (checked) continue;
      const bool is_absent = checked.error().code == Code::kNotFound;
      if (!is_absent || !has_full_tile(tile, tree.size())) return checked;
    }
  }
  return ok();
}

}  // namespace

Result<LogReading> read_log(const Path& folder, const VerifierKey& key) {
  AFTUNE_TRY(std::vector<StoredCheckpoint> history, read_history(folder, key));
  if (history.empty()) {
    return Error{Code::kNotFound,
                 fmt::format("{}: no checkpoint", (folder / kCheckpointFile).string())};
  }
  const Checkpoint& latest = history.back().checkpoint;
  AFTUNE_TRY(const TiledTree tree, read_entries(folder, latest.size));
  AFTUNE_TRY(check_growth(folder, history, tree.leaf_hashes()));
  AFTUNE_TRY(check_tiles(folder, history, tree));
  LogReading out;
  out.checkpoint = latest;
  out.checkpoint_note = history.back().note;
  out.entries = tree.entries();
  out.leaf_hashes = tree.leaf_hashes();
  for (StoredCheckpoint& stored : history) {
    out.history.push_back(std::move(stored.checkpoint));
    out.history_notes.push_back(std::move(stored.note));
  }
  return out;
}

}  // namespace aftune::tlog
