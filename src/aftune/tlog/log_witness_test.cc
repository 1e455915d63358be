// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/log_witness.h"

#include <gtest/gtest.h>

#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

const std::string kWitnessedOrigin = "example.com/log";
const std::string kWitnessName = "witness.example";

/// A log in a folder, its writer, and a witness of it.
struct Place {
  TestFolder folder;
  crypto::PrivateKey log_key = test_key(1), key = test_key(7);

  [[nodiscard]] VerifierKey log() const { return {kWitnessedOrigin, log_key.public_key()}; }
  [[nodiscard]] WitnessKey witness_key() const { return {kWitnessName, key.public_key()}; }
  [[nodiscard]] Path state() const { return folder.path() / "state"; }

  /// Writes the log anew with these checkpoints; from `fork` on its entries are others.
  LogReading write(std::initializer_list<std::uint64_t> sizes, std::uint64_t fork = UINT64_MAX) {
    const Path path = folder.path() / "log";
    std::filesystem::remove_all(path);
    auto log = LogWriter::open(path, kWitnessedOrigin, log_key);
    for (const std::uint64_t size : sizes) {
      for (std::uint64_t i = log->entries().size(); i < size; ++i) {
        EXPECT_TRUE(log->append((i >= fork ? "other " : "entry ") + std::to_string(i)));
      }
      EXPECT_TRUE(log->sign());
    }
    return *read_log(path, this->log());
  }
  Result<LogWitness> open() { return LogWitness::open(state(), log(), key, kWitnessName); }
  [[nodiscard]] std::vector<std::uint64_t> times(const std::string& file) const {
    const auto text = read_text_file(state() / "cosigned" / file, 1 << 20);
    if (!text) return {};
    EXPECT_TRUE(open_checkpoint(*text, log()));
    return cosigned_at(*decode_note(*text), witness_key());
  }
};

using Times = std::vector<std::uint64_t>;

TEST(LogWitness, CosignsEachCheckpointAboveTheLastOnce) {
  Place place;
  auto witness = place.open();
  ASSERT_TRUE(witness);
  auto look = witness->look(place.write({2, 5}), 100);
  ASSERT_TRUE(look);
  EXPECT_EQ(look->cosigned, (Times{2, 5}));
  look = witness->look(place.write({2, 5, 6, 9}), 200);
  EXPECT_EQ(look->cosigned, (Times{6, 9}));
  EXPECT_EQ(place.times("2"), Times{100});
  EXPECT_EQ(place.times("5"), Times{100});
  EXPECT_EQ(place.times("6"), Times{200});
  EXPECT_EQ(place.times("9"), Times{200});
  EXPECT_FALSE(std::filesystem::exists(place.state() / "evidence"));
}

TEST(LogWitness, CosignsAgainWhatDoesNotGrow) {
  Place place;
  auto witness = place.open();
  const LogReading log = place.write({2, 5});
  ASSERT_TRUE(witness->look(log, 100));
  ASSERT_TRUE(witness->look(log, 150));
  EXPECT_EQ(witness->look(log, 170)->cosigned, Times{5});
  EXPECT_EQ(place.times("5"), Times{100}) << "the first time stays";
  EXPECT_EQ(place.times("5.last"), Times{170});
  EXPECT_TRUE(place.times("2.last").empty());
}

TEST(LogWitness, RemembersAcrossProcesses) {
  Place place;
  ASSERT_TRUE(place.open()->look(place.write({3, 6}), 100));
  auto again = place.open();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->size(), 6U);
  EXPECT_EQ(again->last_time(), 100U);
  EXPECT_FALSE(again->look(place.write({3, 6, 8}, 5), 200)->refused.empty());
}

TEST(LogWitness, RefusesForkRewriteAndRollbackAndKeepsBothNotes) {
  struct Lie {
    const char* name;
    std::initializer_list<std::uint64_t> sizes;
    std::uint64_t fork;
  };
  const Lie lies[] = {{"fork: ", {3, 6}, 5},           {"fork: ", {6, 9}, 2},
                      {"rewrite: ", {4, 9}, 5},        {"rewrite: ", {9}, 0},
                      {"rollback: ", {3}, UINT64_MAX}, {"rollback: ", {5}, 1}};
  for (const Lie& lie : lies) {
    Place place;
    auto witness = place.open();
    ASSERT_TRUE(witness->look(place.write({3, 6}), 100));
    const LogReading shown = place.write(lie.sizes, lie.fork);
    const auto look = witness->look(shown, 200);
    ASSERT_TRUE(look);
    EXPECT_TRUE(look->refused.starts_with(lie.name)) << look->refused;
    EXPECT_TRUE(look->cosigned.empty());
    EXPECT_EQ(witness->size(), 6U);
    const auto older =
        open_checkpoint(*read_text_file(look->evidence / "older", 1 << 20), place.log());
    const auto newer =
        open_checkpoint(*read_text_file(look->evidence / "newer", 1 << 20), place.log());
    ASSERT_TRUE(older && newer);
    EXPECT_EQ(older->size, 6U);
    // What stands there proves it alone.
    const ByteBuffer bytes = *read_file(look->evidence / "leaves", 1 << 20);
    std::vector<Digest> leaves;
    for (std::size_t i = 0; i < bytes.size(); i += 32) {
      leaves.push_back(*to_digest(Bytes(bytes).subspan(i, 32)));
    }
    EXPECT_EQ(merkle_root(std::span(leaves).first(newer->size)), newer->root);
    if (leaves.size() >= 6) {
      EXPECT_NE(merkle_root(std::span(leaves).first(6)), older->root);
    }
    // It stays refused, and the honest log is still taken.
    EXPECT_FALSE(place.open().has_value()) << "the lock";
    EXPECT_FALSE(witness->look(shown, 300)->refused.empty());
    EXPECT_EQ(witness->look(place.write({3, 6, 7}), 400)->cosigned, Times{7});
  }
}

TEST(LogWitness, KilledBetweenStateAndCosignatureGoesOn) {
  Place place;
  ASSERT_TRUE(place.open()->look(place.write({3}), 100));
  const LogReading log = place.write({3, 6});
  ASSERT_TRUE(write_file(place.state() / "accepted", as_bytes(log.history_notes[1])));
  EXPECT_EQ(place.open()->look(log, 200)->cosigned, Times{6});
  EXPECT_EQ(place.times("6"), Times{200});
  // The log may have grown before the witness was there again: no checkpoint is left out.
  const LogReading grown = place.write({3, 6, 8, 11});
  ASSERT_TRUE(write_file(place.state() / "accepted", as_bytes(grown.history_notes[2])));
  EXPECT_EQ(place.open()->look(grown, 300)->cosigned, (Times{8, 11}));
  EXPECT_EQ(place.times("8"), Times{300});
  EXPECT_EQ(place.open()->look(place.write({3, 6, 8, 11, 12}), 400)->cosigned, Times{12});
  // And what was accepted binds it, though no cosignature left.
  Place other;
  ASSERT_TRUE(other.open());
  ASSERT_TRUE(write_file(other.state() / "accepted", as_bytes(log.history_notes[1])));
  EXPECT_FALSE(other.open()->look(other.write({6}, 1), 200)->refused.empty());
}

TEST(LogWitness, NeverSignsBeforeItsLastTime) {
  Place place;
  ASSERT_TRUE(place.open()->look(place.write({3}), 100));
  const LogReading log = place.write({3, 6});
  const auto early = place.open()->look(log, 99);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  EXPECT_EQ(place.open()->look(log, 100)->cosigned, Times{6});
}

TEST(LogWitness, IsOfOneLogAndOneKey) {
  Place place;
  ASSERT_TRUE(place.open()->look(place.write({3}), 100));
  const auto other_log = LogWitness::open(
      place.state(), {"example.com/other", place.log_key.public_key()}, place.key, kWitnessName);
  ASSERT_FALSE(other_log);
  EXPECT_EQ(other_log.error().code, Code::kInvalidInput);
  const crypto::PrivateKey another = test_key(8);
  EXPECT_FALSE(LogWitness::open(place.state(), place.log(), another, kWitnessName));
  ASSERT_TRUE(write_file(place.state() / "accepted", as_bytes("no note")));
  const auto broken = place.open();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace aftune::tlog
