// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/tiled_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"

namespace aftune::tlog {
namespace {

constexpr unsigned kLevels = 8;  // 256^8 = 2^64 entries

std::uint64_t hashes_at(unsigned level, std::uint64_t size) { return size >> (8 * level); }

/// Appends tile `index` of `level`, and its bundle if they are leaves.
void add_tile(unsigned level, std::uint64_t index, unsigned width, std::vector<TileAt>& tiles) {
  if (level == 0) tiles.push_back({TileAt::Kind::kEntries, 0, index, width});
  tiles.push_back({TileAt::Kind::kHashes, level, index, width});
}

}  // namespace

std::string tile_path(std::string_view level, std::uint64_t index, unsigned width) {
  std::string groups = fmt::format("{:03}", index % 1000);
  for (std::uint64_t rest = index / 1000; rest > 0; rest /= 1000) {
    groups = fmt::format("x{:03}/{}", rest % 1000, groups);
  }
  if (width == kTileWidth) return fmt::format("tile/{}/{}", level, groups);
  return fmt::format("tile/{}/{}.p/{}", level, groups, width);
}

std::string TileAt::path() const {
  return tile_path(kind == Kind::kEntries ? "entries" : std::to_string(level), index, width);
}

std::vector<TileAt> new_tiles(std::uint64_t old_size, std::uint64_t size) {
  AFTUNE_CHECK(old_size <= size, "a log does not shrink");
  std::vector<TileAt> out;
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::uint64_t count = hashes_at(level, size);
    if (hashes_at(level, old_size) == count) continue;
    for (std::uint64_t index = hashes_at(level, old_size) / kTileWidth; index * kTileWidth < count;
         ++index) {
      const std::uint64_t left = count - index * kTileWidth;
      add_tile(level, index, static_cast<unsigned>(std::min<std::uint64_t>(left, kTileWidth)), out);
    }
  }
  return out;
}

std::vector<TileAt> partial_tiles(std::uint64_t size) {
  std::vector<TileAt> out;
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::uint64_t count = hashes_at(level, size);
    const auto width = static_cast<unsigned>(count % kTileWidth);
    if (width != 0) add_tile(level, count / kTileWidth, width, out);
  }
  return out;
}

bool has_full_tile(const TileAt& tile, std::uint64_t size) {
  return hashes_at(tile.level, size) / kTileWidth > tile.index;
}

Result<std::vector<std::string>> decode_bundle(Bytes bundle, unsigned count) {
  std::vector<std::string> out;
  while (out.size() < count) {
    const std::size_t length = bundle.size() < 2 ? 0 : std::size_t{bundle[0]} << 8 | bundle[1];
    if (bundle.size() < 2 + length) {
      return Error{Code::kCorrupt,
                   fmt::format("ends inside entry {}, must have {}", out.size(), count)};
    }
    out.emplace_back(as_text(bundle.subspan(2, length)));
    bundle = bundle.subspan(2 + length);
  }
  if (!bundle.empty()) {
    return Error{Code::kCorrupt, fmt::format("{} bytes after entry {}", bundle.size(), count)};
  }
  return out;
}

void TiledTree::append(std::string entry) {
  AFTUNE_CHECK(entry.size() <= kMaxEntryBytes, "an entry over 65535 bytes in the tree");
  const Digest leaf = leaf_hash(as_bytes(entry));
  entries_.push_back(std::move(entry));
  tree_.append(leaf);
  levels_[0].push_back(leaf);
  for (unsigned level = 0; levels_[level].size() % kTileWidth == 0; ++level) {
    if (level + 1 == levels_.size()) levels_.emplace_back();
    const std::vector<Digest>& hashes = levels_[level];
    levels_[level + 1].push_back(merkle_root(std::span(hashes).last(kTileWidth)));
  }
}

void TiledTree::truncate(std::uint64_t size) {
  AFTUNE_CHECK(size <= entries_.size(), "truncation to more entries than there are");
  entries_.resize(size);
  tree_ = {};
  for (unsigned level = 0; level < levels_.size(); ++level) {
    levels_[level].resize(hashes_at(level, size));
  }
  for (const Digest& leaf : levels_[0]) tree_.append(leaf);
}

ByteBuffer TiledTree::bytes_of(const TileAt& tile) const {
  const std::uint64_t first = tile.index * kTileWidth;
  const std::uint64_t end = first + tile.width;
  ByteBuffer out;
  if (tile.kind == TileAt::Kind::kEntries) {
    AFTUNE_CHECK(end <= entries_.size(), "a bundle outside the tree");
    for (std::uint64_t i = first; i < end; ++i) {
      aftune::append(out, store_be(static_cast<std::uint16_t>(entries_[i].size())));
      aftune::append(out, as_bytes(entries_[i]));
    }
    return out;
  }
  AFTUNE_CHECK(tile.level < levels_.size() && end <= levels_[tile.level].size(),
               "a tile outside the tree");
  for (std::uint64_t i = first; i < end; ++i) {
    aftune::append(out, levels_[tile.level][i].view());
  }
  return out;
}

}  // namespace aftune::tlog
