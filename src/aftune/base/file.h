// SPDX-License-Identifier: Apache-2.0
// Files: whole reads with a limit, durable writes that appear whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/base/unique_fd.h"

namespace aftune {

using Path = std::filesystem::path;

/// The whole content of a regular file.
/// Errors: kNotFound; kInvalidInput for a file over `limit_bytes` or no regular file;
///         kUnavailable for I/O errors.
Result<ByteBuffer> read_file(const Path& path, std::uint64_t limit_bytes);

/// As read_file, as text.
Result<std::string> read_text_file(const Path& path, std::uint64_t limit_bytes);

/// Hands the content of a regular file to `take`, in order and in pieces of at most 1 MiB.
/// Errors: kNotFound; kInvalidInput for no regular file; kUnavailable for I/O errors.
Status read_file_pieces(const Path& path, const std::function<void(Bytes piece)>& take);

/// The size of a regular file in bytes. Errors: kNotFound, kInvalidInput, kUnavailable.
Result<std::uint64_t> file_size(const Path& path);

/// Makes the folder and its parents; the entries of new folders are durable afterwards.
Status make_folders(const Path& folder);

/// fsync of a folder, so that renames and new names in it are durable. Errors: kUnavailable.
Status sync_folder(const Path& folder);

/// A file that is written under its temporary name, but neither durable nor in place yet.
struct UnsettledFile {
  Path staged, target;
};

/// fsync and rename onto the target; the folder is the caller's to sync. Errors: kUnavailable.
Status settle_file(const UnsettledFile& file);

/// Collects bytes in a temporary file beside `target`; commit() makes them durable and renames.
/// Destroyed before that, it removes the temporary file, so an interrupted writer never leaves
/// half an object under its name.
///
/// Units: bytes. Threads: one at a time.
class StagedFile {
 public:
  /// Errors: kUnavailable if the folder of `target` cannot be written.
  static Result<StagedFile> create(Path target);

  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  /// Appends all of `data`. Errors: kUnavailable (disk full, I/O error); after one, only
  /// destruction makes sense.
  Status append(Bytes data);

  /// Overwrites bytes written before, for formats whose header comes last. Errors: kUnavailable.
  Status overwrite(std::uint64_t offset, Bytes data);

  /// fsync, rename onto `target`, fsync the folder. Errors: kUnavailable.
  /// Consumes the object: `std::move(file).commit()`.
  Status commit() &&;

  /// As commit(), but an existing `target` stays untouched. Errors: kInvalidInput if it exists.
  Status commit_new() &&;

  /// Keeps the temporary file and closes it: settle_file() goes on from there. For writers that
  /// must not wait for the disk yet.
  UnsettledFile leave_unsettled() &&;

 private:
  friend Status write_new_private_file(const Path& target, Bytes data);
  static Result<StagedFile> create_with_mode(Path target, unsigned mode);
  StagedFile(UniqueFd fd, Path staged, Path target);
  Status publish();

  UniqueFd fd_;  // empty once committed or moved from: nothing left to undo
  Path staged_;
  Path target_;
};

/// StagedFile in one call: the file has exactly `data`, durably, or keeps its old content.
Status write_file(const Path& target, Bytes data);

/// As write_file, but an existing `target` is an error and stays untouched.
/// Errors: kInvalidInput if `target` exists; kUnavailable.
Status write_new_file(const Path& target, Bytes data);

/// As write_new_file with mode 0600: for private keys and secrets.
Status write_new_private_file(const Path& target, Bytes data);

/// A read-only memory map of a whole regular file. The view is valid while the object lives.
/// Threads: safe to read from many.
class MappedFile {
 public:
  /// Errors: kNotFound, kInvalidInput (no regular file), kUnavailable.
  static Result<MappedFile> open(const Path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] Bytes bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// An exclusive advisory lock on a file, created if absent; released on destruction.
class FileLock {
 public:
  /// Errors: kUnavailable, naming the file, if another process holds it.
  static Result<FileLock> acquire(const Path& path);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace aftune
