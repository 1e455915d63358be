// SPDX-License-Identifier: Apache-2.0
// What lies in a log's folder besides notes. The first byte is the number of entries of a bundle,
// or 0: then the rest is a journal.
#include "aftune/tlog/journal.h"
#include "aftune/tlog/tiled_tree.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

bool take_bundle(Bytes input, unsigned count) {
  auto entries = tlog::decode_bundle(input, count);
  if (!entries) return false;
  AFTUNE_CHECK(entries->size() == count, "another number of entries");
  tlog::TiledTree tree;
  for (std::string& entry : *entries) tree.append(std::move(entry));
  const ByteBuffer again = tree.bytes_of({tlog::TileAt::Kind::kEntries, 0, 0, count});
  AFTUNE_CHECK(again == ByteBuffer(input.begin(), input.end()), "a second spelling was taken");
  return true;
}

/// Opening keeps a prefix of the file: whole records, which are written again as they were.
bool take_journal(Bytes input) {
  const Path path = put_scratch("journal", input);
  auto opened = tlog::Journal::open(path);
  AFTUNE_CHECK(opened.has_value(), "a journal is cut, not refused");
  const auto kept = read_file(path, input.size());
  AFTUNE_CHECK(kept && as_text(input).starts_with(as_text(*kept)), "not a prefix");
  AFTUNE_CHECK(opened->journal.replace(opened->records).has_value(), "replace");
  const auto again = read_file(path, input.size());
  AFTUNE_CHECK(again && *again == *kept, "a second spelling was taken");
  return !opened->records.empty() || input.empty();
}

}  // namespace

bool decode_one(Bytes input) {
  const unsigned count = take_byte(input);
  return count == 0 ? take_journal(input) : take_bundle(input, count);
}

}  // namespace aftune::fuzz
