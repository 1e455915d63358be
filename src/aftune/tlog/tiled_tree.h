// SPDX-License-Identifier: Apache-2.0
// Hash tiles and entry bundles of C2SP tlog-tiles (https://c2sp.org/tlog-tiles): which there are,
// where they stand, what they hold. Bytes: docs/formats/log.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/crypto/digest.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {

inline constexpr std::uint64_t kMaxEntryBytes = 65535;
inline constexpr unsigned kTileWidth = 256;

/// "tile/entries/x001/234.p/7" and the like; `width` is 256 for a full tile.
std::string tile_path(std::string_view level, std::uint64_t index, unsigned width);

/// Where a tile or bundle stands.
struct TileAt {
  enum class Kind : std::uint8_t { kHashes, kEntries };
  Kind kind = Kind::kHashes;
  unsigned level = 0;  // of the hashes; 0 for entries
  std::uint64_t index = 0;
  unsigned width = kTileWidth;

  [[nodiscard]] std::string path() const;
  friend bool operator==(const TileAt&, const TileAt&) = default;
};

/// The tiles and bundles that a log of `size` entries needs and one of `old_size` does not have.
/// Requires: old_size <= size.
std::vector<TileAt> new_tiles(std::uint64_t old_size, std::uint64_t size);

/// Those of a log of `size` entries that are not full.
std::vector<TileAt> partial_tiles(std::uint64_t size);

/// Whether a log of `size` entries has the full tile of `tile`'s index.
[[nodiscard]] bool has_full_tile(const TileAt& tile, std::uint64_t size);

/// Errors: kCorrupt unless `bundle` is exactly `count` entries.
Result<std::vector<std::string>> decode_bundle(Bytes bundle, unsigned count);

/// Entries and the hashes that tiles hold. Threads: one at a time. Cost: O(1) hashes an entry.
class TiledTree {
 public:
  /// Requires: at most kMaxEntryBytes.
  void append(std::string entry);
  /// Drops entries. Requires: size <= size(). Cost: one pass over what stays.
  void truncate(std::uint64_t size);

  [[nodiscard]] std::uint64_t size() const { return entries_.size(); }
  [[nodiscard]] Digest root() const { return tree_.root(); }
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<Digest>& leaf_hashes() const { return levels_[0]; }
  /// The content of a tile or bundle. Requires: it lies inside the tree.
  [[nodiscard]] ByteBuffer bytes_of(const TileAt& tile) const;

 private:
  std::vector<std::string> entries_;
  std::vector<std::vector<Digest>> levels_{1};  // [l]: roots of the whole subtrees of 256^l
  GrowingTree tree_;
};

}  // namespace aftune::tlog
