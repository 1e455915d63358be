// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/witness_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace aftune::trace {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::string_view kNone = "none";
constexpr std::size_t kMaxWitnesses = 16;
constexpr std::int64_t kTenYears = std::int64_t{3650} * 24 * 3600;

Result<std::vector<tlog::WitnessKey>> read_keys(JsonReader& reader) {
  AFTUNE_TRY(const Json::Array* items, reader.array("keys"));
  const std::string path = reader.path() + ".keys";
  if (items->empty() || items->size() > kMaxWitnesses) {
    return Error{Code::kInvalidInput, fmt::format("{} has {} keys, must have 1 to {}", path,
                                                  items->size(), kMaxWitnesses)};
  }
  std::vector<tlog::WitnessKey> out;
  for (const Json& item : *items) {
    const std::string* text = item.string();
    if (text == nullptr) return Error{Code::kInvalidInput, path + ": a key is no string"};
    AFTUNE_TRY(tlog::WitnessKey key, tlog::parse_witness_key(*text).in(path));
    if (!out.empty() && !(out.back().spell() < *text)) {
      return Error{Code::kInvalidInput, fmt::format("{}: \"{}\" after \"{}\" is not ascending",
                                                    path, *text, out.back().spell())};
    }
    const auto same = [&key](const tlog::WitnessKey& other) { return other.key == key.key; };
    if (std::any_of(out.begin(), out.end(), same)) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: the key of {} stands there twice", path, key.name)};
    }
    out.push_back(std::move(key));
  }
  return out;
}

}  // namespace

Json to_contract(const WitnessPolicy& policy) {
  if (!policy.asks()) return kNone;
  Json::Array keys;
  for (const tlog::WitnessKey& key : policy.keys) keys.emplace_back(key.spell());
  return Json::Object{{"keys", std::move(keys)},
                      {"quorum", policy.quorum},
                      {"max_delay_seconds", policy.max_delay_seconds}};
}

Result<WitnessPolicy> witness_policy_from_contract(JsonReader& audit) {
  AFTUNE_TRY(const Json* value, audit.any("witnesses"));
  const std::string path = audit.path() + ".witnesses";
  if (const std::string* word = value->string()) {
    if (*word == kNone) return WitnessPolicy();
    return Error{Code::kUnsupported,
                 fmt::format("{} is \"{}\", must be \"{}\" or an object", path, *word, kNone)};
  }
  AFTUNE_TRY(JsonReader reader, JsonReader::open(*value, path));
  WitnessPolicy out;
  AFTUNE_TRY(out.keys, read_keys(reader));
  AFTUNE_TRY(const std::int64_t quorum,
             reader.integer("quorum", 1, static_cast<std::int64_t>(out.keys.size())));
  out.quorum = static_cast<std::uint64_t>(quorum);
  AFTUNE_TRY(const std::int64_t delay, reader.integer("max_delay_seconds", 1, kTenYears));
  out.max_delay_seconds = static_cast<std::uint64_t>(delay);
  AFTUNE_TRY(reader.finish());
  return out;
}

Status check_witnesses(const WitnessPolicy& policy, const crypto::PublicKey& provider) {
  for (const tlog::WitnessKey& witness : policy.keys) {
    if (witness.key != provider) continue;
    return Error{Code::kInvalidInput,
                 fmt::format("contract.audit.witnesses: {} is the provider's key", witness.name)};
  }
  return ok();
}

}  // namespace aftune::trace
