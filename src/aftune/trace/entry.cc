// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/entry.h"

#include <fmt/format.h>

#include "aftune/codec/json_reader.h"
#include "aftune/tlog/tiles.h"

namespace aftune::trace {
namespace {

using codec::Json;

constexpr codec::JsonLimits kEntryLimits{.bytes = tlog::kMaxEntryBytes, .depth = 2, .values = 16};

std::string_view kind_name(EntryKind kind) {
  switch (kind) {
    case EntryKind::kContract:
      return "contract";
    case EntryKind::kState:
      return "state";
    case EntryKind::kStep:
      return "step";
    case EntryKind::kClose:
      return "close";
    case EntryKind::kAbort:
      return "abort";
  }
  return "?";
}

Json::Object head(std::uint64_t position, EntryKind kind) {
  return {{"aftune", Json(1)}, {"kind", Json(kind_name(kind))}, {"position", Json(position)}};
}

}  // namespace

std::string encode_entry(std::uint64_t position, const Place& place, const Digest& digest) {
  Json::Object entry = head(position, place.kind);
  entry[place.kind == EntryKind::kContract ? "contract" : "list"] = digest.hex();
  if (place.kind == EntryKind::kState) {
    entry["block"] = place.block;
    entry["step_block"] = place.step_block;
  }
  if (place.kind == EntryKind::kStep) entry["step"] = place.step;
  return codec::canonical_json(std::move(entry));
}

std::string encode_abort(std::uint64_t position, const AbortEntry& abort) {
  Json::Object entry = head(position, EntryKind::kAbort);
  entry["cause"] = abort.cause;
  entry["list"] = abort.list.hex();
  entry["step"] = abort.step;
  return codec::canonical_json(std::move(entry));
}

Result<Digest> decode_entry(std::string_view text, std::uint64_t position, const Place& place) {
  const std::string where = fmt::format("entry {} ({})", position, describe(place));
  AFTUNE_TRY(const Json json, codec::parse_canonical_json(text, kEntryLimits).in(where));
  AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(json, where));
  AFTUNE_TRY(const Digest digest,
             reader.digest(place.kind == EntryKind::kContract ? "contract" : "list"));
  if (text == encode_entry(position, place, digest)) return digest;
  return Error{Code::kInvalidInput,
               fmt::format("{} is \"{}\", the contract implies \"{}\"", where, text.substr(0, 300),
                           encode_entry(position, place, digest))};
}

Result<AbortEntry> decode_abort(std::string_view text, std::uint64_t position) {
  const std::string where = fmt::format("entry {} (abort)", position);
  AFTUNE_TRY(const Json json, codec::parse_canonical_json(text, kEntryLimits).in(where));
  AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(json, where));
  AbortEntry out;
  AFTUNE_TRY(const std::int64_t step, reader.integer("step", 0, std::int64_t{1} << 24));
  out.step = static_cast<std::uint64_t>(step);
  AFTUNE_TRY(out.cause, reader.string("cause"));
  AFTUNE_TRY(out.list, reader.digest("list"));
  if (out.cause != "non-finite" && out.cause != "fault") {
    return Error{Code::kInvalidInput, fmt::format("{}: unknown cause \"{}\"", where, out.cause)};
  }
  if (text != encode_abort(position, out)) {
    return Error{Code::kInvalidInput, where + " has members or a position that an abort has not"};
  }
  return out;
}

bool is_abort(std::string_view text) {
  const auto json = codec::parse_json(text, kEntryLimits);
  if (!json) return false;
  const Json* kind = json->find("kind");
  return kind != nullptr && kind->string() != nullptr && *kind->string() == "abort";
}

std::string describe(const Place& place) {
  switch (place.kind) {
    case EntryKind::kContract:
      return "contract";
    case EntryKind::kState:
      return fmt::format("state of layer block {} at step block {}", place.block, place.step_block);
    case EntryKind::kStep:
      return fmt::format("step {}", place.step);
    case EntryKind::kClose:
      return "close";
    case EntryKind::kAbort:
      return "abort";
  }
  return "?";
}

}  // namespace aftune::trace
