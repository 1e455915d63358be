// SPDX-License-Identifier: Apache-2.0
#include "finished_run.h"

#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"

namespace aftune::liar {

using codec::Json;

FinishedRun::FinishedRun(const World& world, trace::RunFolder run)
    : world_(world),
      run_(std::move(run)),
      timeline_(world.contract()),
      store_(must(trace::Store::open(run_.store(), trace::Store::Open::kExisting))) {
  entries = must(tlog::read_log(run_.log(), world.contract().log_key())).entries;
}

Digest FinishedRun::list_digest(std::uint64_t position) const {
  return must(trace::decode_entry(entries[position], position, timeline_.at(position)));
}

std::string FinishedRun::list_text(std::uint64_t position) const {
  return std::string(as_text(must(store_.get(list_digest(position), trace::kMaxListBytes))));
}

void FinishedRun::set_list_text(std::uint64_t position, const std::string& text) {
  entries[position] = trace::encode_entry(position, timeline_.at(position), put(as_bytes(text)));
}

void FinishedRun::edit_list(std::uint64_t position,
                            const std::function<void(Json::Object&)>& edit) {
  Json list = must(codec::parse_json(list_text(position), {}));
  edit(*list.object());
  set_list_text(position, codec::canonical_json(list));
}

std::vector<Digest> FinishedRun::digests(std::uint64_t position, const char* member) const {
  const Json list = must(codec::parse_json(list_text(position), {}));
  std::vector<Digest> out;
  for (const Json& item : *list.find(member)->array()) {
    out.push_back(must(parse_digest(*item.find("digest")->string())));
  }
  return out;
}

Digest FinishedRun::put(Bytes bytes) {
  const Digest digest = crypto::blake3(bytes);
  must(store_.put(digest, bytes));
  must(store_.sync());
  return digest;
}

void FinishedRun::sign(const World& as) {
  std::filesystem::remove_all(run_.log());
  auto log = must(tlog::LogWriter::open(run_.log(), as.contract().origin(), as.provider_key()));
  for (const std::string& entry : entries) must(log.append(entry));
  must(log.sign());
  must(write_file(run_.contract(), as_bytes(as.envelope().envelope)));
}

void flip_bit(const Path& file, std::uint64_t byte, unsigned bit) {
  ByteBuffer bytes = must(read_file(file, std::uint64_t{1} << 30));
  bytes.at(byte) ^= static_cast<std::uint8_t>(1U << bit);
  must(write_file(file, bytes));
}

void replace(const Path& file, std::string_view text) { must(write_file(file, as_bytes(text))); }

trace::RunFolder shown_as(const World& practised, const World& shown) {
  FinishedRun run(practised, practised.copy_of_honest_run());
  run.entries[0] = trace::encode_entry(0, {}, shown.contract().digest());
  run.sign(shown);
  return run.folder();
}

}  // namespace aftune::liar
