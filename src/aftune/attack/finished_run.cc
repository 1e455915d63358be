// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/finished_run.h"

#include <fmt/format.h>

#include "aftune/base/check.h"
#include "aftune/crypto/blake3.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"

namespace aftune::attack {

using codec::Json;

Result<FinishedRun> FinishedRun::open(const trace::Contract& contract, trace::RunFolder run) {
  AFTUNE_TRY(trace::Store store, trace::Store::open(run.store(), trace::Store::Open::kExisting));
  AFTUNE_TRY(auto log, tlog::read_log(run.log(), contract.log_key()));
  FinishedRun out(contract, std::move(run), std::move(store));
  out.entries = std::move(log.entries);
  return out;
}

Result<Digest> FinishedRun::list_digest(std::uint64_t position) const {
  AFTUNE_CHECK(position < entries.size(), "no such entry");
  return trace::decode_entry(entries[position], position, timeline_.at(position));
}

Result<std::string> FinishedRun::list_text(std::uint64_t position) const {
  AFTUNE_TRY(const Digest digest, list_digest(position));
  AFTUNE_TRY(const ByteBuffer bytes, store_.get(digest, trace::kMaxListBytes));
  return std::string(as_text(bytes));
}

Status FinishedRun::set_list_text(std::uint64_t position, const std::string& text) {
  AFTUNE_TRY(const Digest digest, put(as_bytes(text)));
  entries[position] = trace::encode_entry(position, timeline_.at(position), digest);
  return ok();
}

Status FinishedRun::edit_list(std::uint64_t position,
                              const std::function<void(Json::Object&)>& edit) {
  AFTUNE_TRY(const std::string text, list_text(position));
  AFTUNE_TRY(Json list, codec::parse_json(text, {trace::kMaxListBytes}));
  AFTUNE_CHECK(list.object() != nullptr, "a list is an object");
  edit(*list.object());
  return set_list_text(position, codec::canonical_json(list));
}

Result<std::vector<Digest>> FinishedRun::digests(std::uint64_t position, const char* member) const {
  AFTUNE_TRY(const std::string text, list_text(position));
  AFTUNE_TRY(const Json list, codec::parse_json(text, {trace::kMaxListBytes}));
  const Json* items = list.find(member);
  AFTUNE_CHECK(items != nullptr && items->array() != nullptr, member);
  std::vector<Digest> out;
  for (const Json& item : *items->array()) {
    AFTUNE_TRY(const Digest digest, parse_digest(*item.find("digest")->string()));
    out.push_back(digest);
  }
  return out;
}

Result<Digest> FinishedRun::put(Bytes bytes) {
  const Digest digest = crypto::blake3(bytes);
  AFTUNE_TRY(store_.put(digest, bytes));
  AFTUNE_TRY(store_.sync());
  return digest;
}

Status FinishedRun::sign(const trace::SignedContract& as, const crypto::PrivateKey& key) {
  std::error_code error;
  std::filesystem::remove_all(run_.log(), error);
  AFTUNE_TRY(tlog::LogWriter log,
             tlog::LogWriter::open(run_.log(), as.contract.origin(), key).in("sign anew"));
  for (const std::string& entry : entries) AFTUNE_TRY(log.append(entry));
  AFTUNE_TRY(log.sign());
  return write_file(run_.contract(), as_bytes(as.envelope));
}

Status copy_run(const Path& from, const Path& to) {
  std::error_code error;
  std::filesystem::create_directory(to, error);
  for (auto it = std::filesystem::recursive_directory_iterator(from, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    const Path target = to / it->path().lexically_relative(from);
    if (it->is_directory(error)) {
      std::filesystem::create_directory(target, error);
    } else if (it->is_regular_file(error)) {
      std::filesystem::create_hard_link(it->path(), target, error);
      if (error) std::filesystem::copy_file(it->path(), target, error);  // another file system
    }
    if (error) break;
  }
  if (!error) return ok();
  return Error{Code::kUnavailable,
               fmt::format("copy {} to {}: {}", from.string(), to.string(), error.message())};
}

Status flip_bit(const Path& file, std::uint64_t byte, unsigned bit) {
  AFTUNE_TRY(ByteBuffer bytes, read_file(file, std::uint64_t{1} << 40));
  if (byte >= bytes.size()) {
    return Error{Code::kInvalidInput,
                 fmt::format("byte {} of {}, which has {}", byte, file.string(), bytes.size())};
  }
  bytes[byte] ^= static_cast<std::uint8_t>(1U << bit);
  return write_file(file, bytes);
}

}  // namespace aftune::attack
