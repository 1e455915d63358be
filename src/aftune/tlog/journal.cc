// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tlog/tiled_tree.h"

namespace aftune::tlog {
namespace {

constexpr std::size_t kHeadBytes = 12;  // index and length
constexpr std::size_t kSumBytes = 32;
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

Error system_error(const char* verb, const Path& path, int number) {
  return {Code::kUnavailable, fmt::format("{} {}: {}", verb, path.string(), std::strerror(number))};
}

ByteBuffer encode_record(std::uint64_t index, std::string_view entry) {
  AFTUNE_CHECK(entry.size() <= kMaxEntryBytes, "an entry over 65535 bytes in the journal");
  ByteBuffer out;
  out.reserve(kHeadBytes + entry.size() + kSumBytes);
  append(out, store_le(index));
  append(out, store_le(static_cast<std::uint32_t>(entry.size())));
  append(out, as_bytes(entry));
  append(out, crypto::sha256(out).view());
  return out;
}

/// The record at the front of `bytes`; empty if it is torn.
std::optional<Journal::Record> decode_record(Bytes bytes) {
  if (bytes.size() < kHeadBytes + kSumBytes) return std::nullopt;
  const auto length = load_le<std::uint32_t>(bytes.data() + sizeof(std::uint64_t));
  if (length > kMaxEntryBytes || bytes.size() < kHeadBytes + length + kSumBytes) {
    return std::nullopt;
  }
  const Digest sum = crypto::sha256(bytes.first(kHeadBytes + length));
  if (std::memcmp(sum.bytes.data(), bytes.data() + kHeadBytes + length, kSumBytes) != 0) {
    return std::nullopt;
  }
  return Journal::Record{load_le<std::uint64_t>(bytes.data()),
                         std::string(as_text(bytes.subspan(kHeadBytes, length)))};
}

Result<UniqueFd> open_for_append(const Path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd) return system_error("open", path, errno);
  return fd;
}

}  // namespace

Result<Journal::Opened> Journal::open(const Path& path) {
  AFTUNE_TRY(UniqueFd fd, open_for_append(path));
  AFTUNE_TRY(sync_folder(path.has_parent_path() ? path.parent_path() : Path(".")));
  AFTUNE_TRY(const ByteBuffer file, read_file(path, kNoLimit));
  Bytes rest = file;
  std::vector<Record> records;
  while (auto record = decode_record(rest)) {
    rest = rest.subspan(kHeadBytes + record->entry.size() + kSumBytes);
    records.push_back(*std::move(record));
  }
  if (!rest.empty()) {
    const auto whole = static_cast<off_t>(file.size() - rest.size());
    if (::ftruncate(fd.get(), whole) != 0) return system_error("cut", path, errno);
    if (::fsync(fd.get()) != 0) return system_error("fsync", path, errno);
  }
  return Opened{Journal(path, std::move(fd)), std::move(records)};
}

Status Journal::append(std::uint64_t index, std::string_view entry) {
  const ByteBuffer record = encode_record(index, entry);
  if (!fd_) return closed();
  Bytes rest = record;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(fd_.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return broken("write", errno);
    rest = rest.subspan(static_cast<std::size_t>(wrote));
  }
  if (::fdatasync(fd_.get()) != 0) return broken("fdatasync", errno);
  return ok();
}

Status Journal::replace(const std::vector<Record>& records) {
  if (!fd_) return closed();
  ByteBuffer file;
  for (const Record& record : records) {
    aftune::append(file, encode_record(record.index, record.entry));
  }
  AFTUNE_TRY(write_file(path_, file));
  AFTUNE_TRY(fd_, open_for_append(path_));
  return ok();
}

Status Journal::clear() {
  if (!fd_) return closed();
  if (::ftruncate(fd_.get(), 0) != 0) return broken("empty", errno);
  return ok();
}

Status Journal::closed() const {
  return Error{Code::kUnavailable,
               fmt::format("{} was closed after an earlier failure", path_.string())};
}

// What a failed write left in the file is unknown, and a failed sync is not repeated by the
// system: only opening anew says what is there.
Status Journal::broken(const char* verb, int number) {
  fd_ = UniqueFd();
  return system_error(verb, path_, number);
}

}  // namespace aftune::tlog
