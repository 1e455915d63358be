// SPDX-License-Identifier: Apache-2.0
// Names in a store's folder: FOLDER newline FILE. Each file is an object or a stranger.
#include <cstring>
#include <filesystem>

#include "aftune/trace/store.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace

bool decode_one(Bytes input) {
  const std::string_view text = as_text(input);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return false;
  const std::string_view folder = text.substr(0, line);
  const std::string_view name = text.substr(line + 1);
  if (!is_file_name(folder) || !is_file_name(name)) return false;
  static const Path root = scratch() / "store";
  const Path home = root / folder;
  std::error_code error;
  if (!std::filesystem::create_directories(home, error)) return false;
  put_scratch((Path("store") / folder / name).string(), as_bytes("x"));
  const auto store = trace::Store::open(root, trace::Store::Open::kExisting);
  AFTUNE_CHECK(store.has_value(), "the folder is there");
  const auto objects = store->objects();
  const auto strangers = store->strangers();
  AFTUNE_CHECK(objects && strangers, "the folder cannot be listed");
  AFTUNE_CHECK(objects->size() + strangers->size() == 1, "neither object nor stranger, or both");
  if (!objects->empty()) {
    const Digest digest = objects->front().digest;
    AFTUNE_CHECK(store->path_of(digest) == home / name && store->has(digest), "a second name");
    AFTUNE_CHECK(!store->get(digest, 16), "one byte has the digest of a name that was made up");
  }
  std::filesystem::remove_all(home, error);
  return true;
}

}  // namespace aftune::fuzz
