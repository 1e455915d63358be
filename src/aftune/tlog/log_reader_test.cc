// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/tiles.h"

namespace aftune::tlog {
namespace {

const std::string kOrigin = "example.com/log";
const Path kVectors = AFTUNE_SOURCE_DIR "/../shared/vectors/tlog";
constexpr std::string_view kReadKey =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

VerifierKey verifier() { return {kOrigin, test_key(1).public_key()}; }

void flip_last_bit(const Path& path) {
  ByteBuffer bytes = *read_file(path, 1 << 24);
  bytes.back() ^= 1;
  ASSERT_TRUE(write_file(path, bytes));
}

std::string note_of(std::uint64_t size, const crypto::PrivateKey& key) {
  return encode_note(sign_checkpoint({kOrigin, size, leaf_hash({})}, key));
}

void write(const Path& path, std::string_view text) {
  ASSERT_TRUE(make_folders(path.parent_path()));
  ASSERT_TRUE(write_file(path, as_bytes(text)));
}

void make_log(const Path& folder) {
  const auto key = test_key(1);
  auto log = LogWriter::open(folder, kOrigin, key);
  for (const int size : {2, 300, 301}) {
    while (log->entries().size() < static_cast<std::size_t>(size)) {
      ASSERT_TRUE(log->append(std::to_string(log->entries().size())));
    }
    ASSERT_TRUE(log->sign());
  }
}

TEST(ReadLog, EveryChangedOrMissingFileIsFoundAndNamed) {
  struct Lie {
    std::string name;
    std::string file;  // that the error names
    Code code;
    std::function<void(const Path&)> apply;
  };
  const auto remove = [](const Path& path) { std::filesystem::remove(path); };
  const auto copy_1 = [](const Path& path) {
    std::filesystem::copy_file(path.parent_path() / "2", path);
  };
  const Lie lies[] = {
      {"bundle changed", "", Code::kCorrupt,
       [](const Path& log) { flip_last_bit(log / "tile/entries/000"); }},
      {"bundle longer", "tile/entries/000", Code::kCorrupt,
       [](const Path& log) {
         ByteBuffer bytes = *read_file(log / "tile/entries/000", 1 << 24);
         bytes.push_back(0);
         ASSERT_TRUE(write_file(log / "tile/entries/000", bytes));
       }},
      {"bundle missing", "tile/entries/001.p/45", Code::kNotFound,
       [&](const Path& log) { remove(log / "tile/entries/001.p/45"); }},
      {"tile changed", "tile/0/000", Code::kCorrupt,
       [](const Path& log) { flip_last_bit(log / "tile/0/000"); }},
      {"upper tile changed", "tile/1/000.p/1", Code::kCorrupt,
       [](const Path& log) { flip_last_bit(log / "tile/1/000.p/1"); }},
      {"tile missing", "tile/0/001.p/45", Code::kNotFound,
       [&](const Path& log) { remove(log / "tile/0/001.p/45"); }},
      {"partial tile of the history changed", "tile/0/001.p/44", Code::kCorrupt,
       [](const Path& log) { flip_last_bit(log / "tile/0/001.p/44"); }},
      {"partial bundle of the history missing", "tile/entries/001.p/44", Code::kNotFound,
       [&](const Path& log) { remove(log / "tile/entries/001.p/44"); }},
      {"partial tile that may be absent, wrong", "tile/0/000.p/2", Code::kCorrupt,
       [](const Path& log) { write(log / "tile/0/000.p/2", "x"); }},
      {"checkpoint by another key", "checkpoint", Code::kInvalidInput,
       [](const Path& log) { write(log / "checkpoint", note_of(301, test_key(2))); }},
      {"checkpoint malformed", "checkpoint", Code::kInvalidInput,
       [](const Path& log) { write(log / "checkpoint", "x"); }},
      {"two roots of one size", "checkpoint", Code::kCorrupt,
       [](const Path& log) { write(log / "checkpoint", note_of(301, test_key(1))); }},
      {"signed history of another tree", "checkpoint of size 9", Code::kCorrupt,
       [](const Path& log) { write(log / "checkpoints/9", note_of(9, test_key(1))); }},
      {"signed size beyond the entries", "tile/entries/001.p/145", Code::kNotFound,
       [](const Path& log) { write(log / "checkpoints/401", note_of(401, test_key(1))); }},
      {"signed size beyond everything", "tile/entries/001", Code::kNotFound,
       [](const Path& log) {
         const std::uint64_t size = ~std::uint64_t{0};
         write(log / "checkpoints" / std::to_string(size), note_of(size, test_key(1)));
       }},
      {"history by another key", "checkpoints/9", Code::kInvalidInput,
       [](const Path& log) { write(log / "checkpoints/9", note_of(9, test_key(2))); }},
      {"history under another size", "checkpoints/3", Code::kCorrupt,
       [&](const Path& log) { copy_1(log / "checkpoints/3"); }},
      {"history under no size", "checkpoints/02", Code::kInvalidInput,
       [&](const Path& log) { copy_1(log / "checkpoints/02"); }},
  };
  const TestFolder honest;
  make_log(honest.path());
  ASSERT_TRUE(read_log(honest.path(), verifier()));
  for (const Lie& lie : lies) {
    const TestFolder folder;
    std::filesystem::copy(honest.path(), folder.path(), std::filesystem::copy_options::recursive);
    lie.apply(folder.path());
    const auto got = read_log(folder.path(), verifier());
    ASSERT_FALSE(got) << lie.name;
    EXPECT_EQ(got.error().code, lie.code) << lie.name << ": " << got.error().what;
    EXPECT_NE(got.error().what.find(lie.file), std::string::npos)
        << lie.name << ": " << got.error().what;
  }
}

TEST(ReadLog, NothingIsNotFound) {
  const TestFolder folder;
  for (const Path& path : {folder.path(), folder.path() / "absent"}) {
    const auto got = read_log(path, verifier());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kNotFound);
  }
}

TEST(ReadLog, LeftOversOfAKilledWriterAreIgnored) {
  const TestFolder folder;
  make_log(folder.path());
  write(folder.path() / "checkpoints/400.tmp-0123456789abcdef", "half");
  write(folder.path() / "tile/0/001.p/46", "unsigned");
  EXPECT_TRUE(read_log(folder.path(), verifier()));
}

TEST(ReadLog, CosignaturesOnTheCheckpointAreKept) {
  const TestFolder folder;
  make_log(folder.path());
  auto note = *decode_note(*read_text_file(folder.path() / "checkpoint", 1 << 20));
  note.sign(test_key(3), "witness.example");
  write(folder.path() / "checkpoint", encode_note(note));
  const auto got = read_log(folder.path(), verifier());
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->checkpoint_note, encode_note(note));
}

TEST(ReadLog, VerifiesALogOfAnotherImplementation) {
  if (!std::filesystem::exists(kVectors)) GTEST_SKIP() << "no vectors beside the source tree";
  const auto key = *parse_verifier_key(kReadKey);
  const auto reading = read_log(kVectors, key);
  ASSERT_TRUE(reading) << reading.error().what;
  ASSERT_EQ(reading->entries.size(), 15U);
  EXPECT_EQ(reading->entries[2], "three");
  for (std::size_t size = 0; size <= 15; ++size) {
    const Path path = kVectors / ("checkpoint." + std::to_string(size));
    const auto checkpoint = open_checkpoint(*read_text_file(path, 1 << 20), key);
    ASSERT_TRUE(checkpoint) << checkpoint.error().what;
    EXPECT_EQ(checkpoint->size, size);
    EXPECT_EQ(checkpoint->root, merkle_root(std::span(reading->leaf_hashes).first(size))) << size;
  }
}

TEST(LogWriter, LaysOutTheLogOfAnotherImplementationInTheSameBytes) {
  if (!std::filesystem::exists(kVectors)) GTEST_SKIP() << "no vectors beside the source tree";
  const auto reading = read_log(kVectors, *parse_verifier_key(kReadKey));
  ASSERT_TRUE(reading) << reading.error().what;
  const TestFolder folder;
  const auto key = test_key(1);
  auto log = LogWriter::open(folder.path(), kOrigin, key);
  for (const std::string& entry : reading->entries) {
    ASSERT_TRUE(log->append(entry));
    ASSERT_TRUE(log->sign());
  }
  EXPECT_EQ(files_of(folder.path() / "tile"), files_of(kVectors / "tile"));
}

}  // namespace
}  // namespace aftune::tlog
