// SPDX-License-Identifier: Apache-2.0
// A store's objects that lie elsewhere: docs/formats/object-storage.md, "Reading".
#include <fmt/format.h>

#include "aftune/trace/run_source.h"
#include "aftune/trace/store.h"

namespace aftune::trace {
namespace {

/// An object's file as a run's source names it.
std::string source_name(const Path& file) {
  return fmt::format("store/{}/{}", file.parent_path().filename().string(),
                     file.filename().string());
}

}  // namespace

bool Store::is_there(const Path& file) const {
  std::error_code error;
  return std::filesystem::is_regular_file(file, error) ||
         (source_ != nullptr && source_->size_of(source_name(file)));
}

Result<std::uint64_t> Store::size_of(const Path& file) const {
  if (source_ != nullptr) {
    if (const auto size = source_->size_of(source_name(file))) return *size;
  }
  return aftune::file_size(file);
}

Status Store::bring(const Path& file, std::uint64_t limit_bytes) const {
  if (source_ == nullptr || !source_->size_of(source_name(file))) return ok();
  AFTUNE_TRY(const std::uint64_t size, size_of(file));
  // No encoding makes a file longer than that; nobody's disk is filled with what cannot be right.
  if (size > kObjectHeaderBytes + 2 * limit_bytes) {
    return Error{
        Code::kInvalidInput,
        fmt::format("its file has {} bytes, for an object of at most {}", size, limit_bytes)};
  }
  return source_->fetch(source_name(file));
}

bool Store::drop_copies(const Digest& digest) const {
  if (source_ == nullptr) return false;
  bool dropped = source_->drop(source_name(path_of(digest)));
  for (const Digest& base : bases_of(digest)) {
    dropped = source_->drop(source_name(path_of(base))) || dropped;
  }
  return dropped;
}

Result<ByteBuffer> Store::head_at_source(const Path& file) const {
  return source_->read_head(source_name(file), kObjectHeaderBytes);
}

}  // namespace aftune::trace
