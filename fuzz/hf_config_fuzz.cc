// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/llama_config.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  const auto json = codec::parse_json(as_text(input), {.bytes = 1 << 16});
  if (!json) return false;
  const auto config = model::parse_hf_config(*json);
  if (!config) return false;
  AFTUNE_CHECK(model::check_config(*config).has_value(), "a configuration out of range");
  // Once as an export writes it, once as a contract states it.
  const auto text = codec::pretty_json(model::to_hf_config(*config));
  const auto exported = codec::parse_json(text, {});
  AFTUNE_CHECK(exported.has_value(), "config.json is no JSON");
  const auto again = model::parse_hf_config(*exported);
  AFTUNE_CHECK(again && *again == *config, "config.json states another architecture");
  const codec::Json stated = model::to_contract(*config);
  AFTUNE_CHECK(codec::parse_canonical_json(codec::canonical_json(stated), {}).has_value(),
               "the contract's object is not canonical");
  auto reader = codec::JsonReader::open(stated, "architecture");
  AFTUNE_CHECK(reader.has_value(), "the contract's object is none");
  const auto agreed = model::architecture_from_contract(*reader);
  AFTUNE_CHECK(agreed && *agreed == *config, "the contract states another architecture");
  return true;
}

}  // namespace aftune::fuzz
