// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/tiled_tree.h"

#include <gtest/gtest.h>

#include <set>

namespace aftune::tlog {
namespace {

TEST(TilePath, IsThatOfTheSpecification) {
  EXPECT_EQ(tile_path("0", 0, 256), "tile/0/000");
  EXPECT_EQ(tile_path("0", 999, 256), "tile/0/999");
  EXPECT_EQ(tile_path("1", 1000, 7), "tile/1/x001/000.p/7");
  EXPECT_EQ(tile_path("entries", 1234067, 256), "tile/entries/x001/x234/067");
  EXPECT_EQ(tile_path("0", ~std::uint64_t{0}, 255),
            "tile/0/x018/x446/x744/x073/x709/x551/615.p/255");
}

std::size_t count_of(const std::vector<TileAt>& tiles, unsigned level, bool full) {
  std::size_t count = 0;
  for (const TileAt& tile : tiles) {
    count += tile.kind == TileAt::Kind::kHashes && tile.level == level &&
                     (tile.width == kTileWidth) == full
                 ? 1
                 : 0;
  }
  return count;
}

TEST(Tiles, OfSeventyThousandEntriesAreThoseOfTheSpecification) {
  const auto tiles = new_tiles(0, 70000);
  EXPECT_EQ(count_of(tiles, 0, true), 273U);
  EXPECT_EQ(count_of(tiles, 1, true), 1U);
  EXPECT_EQ(count_of(tiles, 2, true), 0U);
  const std::vector<TileAt> partial = partial_tiles(70000);
  const std::vector<TileAt> want{{TileAt::Kind::kEntries, 0, 273, 112},
                                 {TileAt::Kind::kHashes, 0, 273, 112},
                                 {TileAt::Kind::kHashes, 1, 1, 17},
                                 {TileAt::Kind::kHashes, 2, 0, 1}};
  EXPECT_EQ(partial, want);
}

TEST(Tiles, Of256EntriesAreOneFullAndOnePartialAbove) {
  const std::vector<TileAt> want{{TileAt::Kind::kEntries, 0, 0, 256},
                                 {TileAt::Kind::kHashes, 0, 0, 256},
                                 {TileAt::Kind::kHashes, 1, 0, 1}};
  EXPECT_EQ(new_tiles(0, 256), want);
  EXPECT_EQ(new_tiles(255, 256), want);
  EXPECT_TRUE(new_tiles(256, 256).empty());
  EXPECT_TRUE(new_tiles(0, 0).empty());
  EXPECT_TRUE(has_full_tile({TileAt::Kind::kHashes, 0, 0, 9}, 256));
  EXPECT_FALSE(has_full_tile({TileAt::Kind::kHashes, 0, 0, 9}, 255));
  EXPECT_FALSE(has_full_tile({TileAt::Kind::kHashes, 1, 0, 1}, 65535));
  EXPECT_TRUE(has_full_tile({TileAt::Kind::kHashes, 1, 0, 1}, 65536));
}

TEST(Tiles, NewOnesAddUpToAll) {
  const std::uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 65535, 65536, 65537, 70000};
  for (const std::uint64_t old_size : sizes) {
    for (const std::uint64_t size : sizes) {
      if (old_size > size) continue;
      std::set<std::string> have;
      for (const TileAt& tile : new_tiles(0, old_size)) have.insert(tile.path());
      for (const TileAt& tile : new_tiles(old_size, size)) have.insert(tile.path());
      for (const TileAt& tile : new_tiles(0, size)) {
        EXPECT_TRUE(have.contains(tile.path())) << tile.path() << " " << old_size << " " << size;
      }
    }
  }
}

TEST(Tiles, OfTheLargestLogAreListedWithoutOverflow) {
  EXPECT_EQ(partial_tiles(~std::uint64_t{0}).size(), 9U);
}

TiledTree tree_of(std::uint64_t size) {
  TiledTree tree;
  for (std::uint64_t i = 0; i < size; ++i) tree.append(std::to_string(i));
  return tree;
}

TEST(TiledTree, HashesOfLevelOneAreRootsOfFullTiles) {
  const TiledTree tree = tree_of(600);
  const std::span<const Digest> leaves = tree.leaf_hashes();
  ByteBuffer want;
  append(want, merkle_root(leaves.first(256)).view());
  append(want, merkle_root(leaves.subspan(256, 256)).view());
  EXPECT_EQ(tree.bytes_of({TileAt::Kind::kHashes, 1, 0, 2}), want);
  EXPECT_EQ(tree.root(), merkle_root(leaves));
}

TEST(TiledTree, TruncatedIsTheShorterTree) {
  for (const std::uint64_t size : {0U, 1U, 255U, 256U, 257U, 511U, 512U}) {
    TiledTree tree = tree_of(520);
    tree.truncate(size);
    const TiledTree want = tree_of(size);
    EXPECT_EQ(tree.root(), want.root()) << size;
    EXPECT_EQ(tree.entries(), want.entries()) << size;
    for (std::uint64_t i = size; i < 520; ++i) tree.append(std::to_string(i));
    EXPECT_EQ(tree.root(), tree_of(520).root()) << size;
    const TileAt upper{TileAt::Kind::kHashes, 1, 0, 2};
    EXPECT_EQ(tree.bytes_of(upper), tree_of(520).bytes_of(upper)) << size;
  }
}

TEST(Bundle, IsLengthAndBytesOfEachEntry) {
  TiledTree tree;
  tree.append("");
  tree.append("ab");
  tree.append(std::string(kMaxEntryBytes, 'x'));
  const ByteBuffer bundle = tree.bytes_of({TileAt::Kind::kEntries, 0, 0, 3});
  EXPECT_EQ(as_text(Bytes(bundle).first(9)), std::string_view("\0\0\0\2ab\xFF\xFFx", 9));
  const auto back = decode_bundle(bundle, 3);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, tree.entries());
}

TEST(Bundle, EveryTruncationAndAnyExtraByteIsRefused) {
  const ByteBuffer bundle = tree_of(5).bytes_of({TileAt::Kind::kEntries, 0, 0, 5});
  for (std::size_t size = 0; size < bundle.size(); ++size) {
    const auto got = decode_bundle(Bytes(bundle).first(size), 5);
    ASSERT_FALSE(got) << size;
    EXPECT_EQ(got.error().code, Code::kCorrupt);
  }
  EXPECT_FALSE(decode_bundle(bundle, 4));
  EXPECT_FALSE(decode_bundle(bundle, 6));
  EXPECT_TRUE(decode_bundle(bundle, 5));
}

}  // namespace
}  // namespace aftune::tlog
