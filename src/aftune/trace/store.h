// SPDX-License-Identifier: Apache-2.0
// Content-addressed objects in a folder: docs/formats/store.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/crypto/digest.h"

namespace aftune {
class ThreadPool;
}

namespace aftune::trace {

/// Threads: one writer at a time; readers at any time.
class Store {
 public:
  /// Opens a store's folder, creating it if `create`. Errors: kNotFound, kUnavailable.
  enum class Open { kExisting, kCreate };
  /// `pool`, if given, hashes what get() reads; it is borrowed and must be free then.
  static Result<Store> open(const Path& folder, Open mode, ThreadPool* pool = nullptr);

  Store(Store&&) noexcept = default;
  Store& operator=(Store&&) = delete;
  ~Store();  // removes what was put and not synced: a full disk gets its room back

  /// Takes `data`, whose BLAKE3 digest is `digest` (the caller has computed it); does not wait for
  /// the disk. The object is in place, whole and durable, after sync(). One that is there already,
  /// by its size, costs a look-up. Errors: kUnavailable.
  Status put(const Digest& digest, Bytes data);

  /// Makes everything put so far durable under its name. Errors: kUnavailable.
  Status sync();

  [[nodiscard]] bool has(const Digest& digest) const;

  /// The object, its digest checked. Errors: kNotFound; kCorrupt, naming the object, if the bytes
  /// have another digest; kInvalidInput over `limit_bytes`; kUnavailable.
  [[nodiscard]] Result<ByteBuffer> get(const Digest& digest, std::uint64_t limit_bytes) const;

  /// The address of `data`: BLAKE3, on the pool if there is one.
  [[nodiscard]] Digest digest_of(Bytes data) const;

  /// Every object file, ascending by digest. Errors: kUnavailable.
  struct Object {
    Digest digest;
    std::uint64_t size = 0;  // bytes of the file
  };
  [[nodiscard]] Result<std::vector<Object>> objects() const;

  /// Files in the folder that are no object by name, ascending: left-overs of interrupted writes.
  [[nodiscard]] Result<std::vector<Path>> strangers() const;

  [[nodiscard]] Path path_of(const Digest& digest) const;

 private:
  Store(Path folder, ThreadPool* pool) : folder_(std::move(folder)), pool_(pool) {}
  Status walk(const std::function<void(const Path&, const Digest*)>& visit) const;

  Path folder_;
  ThreadPool* pool_;                           // null: get() hashes on the calling thread
  std::map<Digest, UnsettledFile> unsettled_;  // put since the last sync
  std::set<Path> unsynced_;                    // folders with new names
};

}  // namespace aftune::trace
