// SPDX-License-Identifier: Apache-2.0
// Content-addressed objects in a folder: docs/formats/store.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/crypto/digest.h"
#include "aftune/trace/encoding.h"
#include "aftune/trace/run_folder.h"

namespace aftune {
class ThreadPool;
}

namespace aftune::trace {

/// What put() may try so that a file gets smaller; it changes no object.
enum class Content : std::uint8_t {
  kBytes,   // anything: written as it is
  kText,    // repeats itself
  kWords,   // 32-bit floats
  kHalves,  // 16-bit floats
};
struct PutHint {
  Content content = Content::kBytes;
  std::optional<Digest> base;  // of words: an object much like this one, in the store and settled
};

/// Threads: one writer at a time; readers at any time.
class Store {
 public:
  /// Opens a store's folder, creating it if `create`. Errors: kNotFound, kUnavailable.
  enum class Open { kExisting, kCreate };
  /// `pool`, if given, hashes and decodes what get() reads and encodes what put() takes; it is
  /// borrowed and must be free then.
  static Result<Store> open(const Path& folder, Open mode, ThreadPool* pool = nullptr);
  /// The store of a run. With a source, for reading: get() fetches what is not in the folder, and
  /// what has other bytes once more.
  static Result<Store> open(const RunFolder& run, Open mode, ThreadPool* pool = nullptr);

  Store(Store&&) noexcept = default;
  Store& operator=(Store&&) = delete;
  ~Store();  // removes what was put and not synced: a full disk gets its room back

  /// Takes `data`, whose BLAKE3 digest is `digest` (the caller has computed it); does not wait for
  /// the disk. The object is in place, whole and durable, after sync(). One that is there already,
  /// by its size, costs a look-up. A base that cannot be read is left aside. Errors: kUnavailable.
  Status put(const Digest& digest, Bytes data, const PutHint& hint = {});

  /// Makes everything put so far durable under its name. Errors: kUnavailable.
  Status sync();
  /// The files that sync() has put in place since the last call.
  std::vector<Path> take_settled() { return std::exchange(settled_, {}); }

  /// Whether there is a file for it, and for each base that it needs.
  [[nodiscard]] bool has(const Digest& digest) const;

  /// The objects that must stay with this one: a delta's base, that one's base, and so on. Where a
  /// header cannot be read they end.
  [[nodiscard]] std::vector<Digest> bases_of(const Digest& digest) const;

  /// The object, its digest checked. Errors: kNotFound, for a base too; kCorrupt, naming the
  /// object, if the file is none of its encoding or decodes to bytes of another digest;
  /// kInvalidInput over `limit_bytes`; kUnavailable.
  [[nodiscard]] Result<ByteBuffer> get(const Digest& digest, std::uint64_t limit_bytes) const;
  /// The same into `out`, which must have just its size; where it fails, what `out` holds is
  /// unspecified. Errors: as get(); kCorrupt for an object of another size.
  Status get_into(const Digest& digest, std::span<std::uint8_t> out) const;

  /// The address of `data`: BLAKE3, on the pool if there is one.
  [[nodiscard]] Digest digest_of(Bytes data) const;

  /// Every object file, ascending by digest. Errors: kUnavailable.
  struct Object {
    Digest digest;
    std::uint64_t size = 0;  // bytes of the file
    Encoding encoding = Encoding::kRaw;
    std::uint64_t plain_size = 0;  // as the header says; 0 if it cannot be read
  };
  [[nodiscard]] Result<std::vector<Object>> objects() const;

  /// Files in the folder that are no object by name, ascending: left-overs of interrupted writes.
  [[nodiscard]] Result<std::vector<Path>> strangers() const;

  /// The object's file, or where it would lie raw.
  [[nodiscard]] Path path_of(const Digest& digest) const;

 private:
  struct Link;  // a file of a chain of deltas
  Store(Path folder, ThreadPool* pool) : folder_(std::move(folder)), pool_(pool) {}
  [[nodiscard]] Path path_of(const Digest& digest, Encoding encoding) const;
  [[nodiscard]] std::optional<Encoding> encoding_of(const Digest& digest) const;
  [[nodiscard]] Result<ObjectHeader> header_of(const Digest& digest, Encoding encoding) const;
  /// A file of the folder: whether it is here or at the source, its size, and so that it is here.
  [[nodiscard]] bool is_there(const Path& file) const;
  [[nodiscard]] Result<std::uint64_t> size_of(const Path& file) const;
  [[nodiscard]] Status bring(const Path& file, std::uint64_t limit_bytes) const;
  Result<ByteBuffer> head_at_source(const Path& file) const;
  [[nodiscard]] bool drop_copies(const Digest& digest) const;
  Result<ByteBuffer> read_plain(const Path& file, std::uint64_t limit_bytes) const;
  Result<ByteBuffer> get_once(const Digest& digest, std::uint64_t limit_bytes) const;
  [[nodiscard]] bool whole_there(const Digest& digest, std::uint64_t size) const;
  Result<std::vector<Link>> open_chain(const Digest& digest, std::uint64_t limit_bytes) const;
  [[nodiscard]] bool read_raw(const Digest& digest, std::span<std::uint8_t> out) const;
  Result<ByteBuffer> decode(const Digest& digest, std::uint64_t limit_bytes) const;
  Status write(const Digest& digest, Bytes data, const PutHint& hint);
  /// The base's bytes, and its place in `header`; nothing if it is of no use.
  ByteBuffer base_for(std::uint64_t size, const PutHint& hint, ObjectHeader& header) const;
  Status remove_superseded();
  Status walk(const std::function<void(const Path&, const Digest*, Encoding)>& visit) const;

  Path folder_;
  ThreadPool* pool_;                           // null: all on the calling thread
  std::map<Digest, UnsettledFile> unsettled_;  // put since the last sync
  std::set<Path> unsynced_;                    // folders with new names
  std::set<Path> superseded_;                  // broken files beside what is unsettled
  std::vector<Path> settled_;                  // not taken yet
  RunSource* source_ = nullptr;                // borrowed; null: all is in the folder
};

}  // namespace aftune::trace
