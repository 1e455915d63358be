// SPDX-License-Identifier: Apache-2.0
// The contract's member "adapter": docs/formats/lora.md.
#pragma once

#include <optional>

#include "aftune/codec/json_reader.h"
#include "aftune/crypto/digest.h"
#include "aftune/model/lora.h"

namespace aftune::trace {

/// What is trained beside a frozen base, and from where.
struct AdapterSpec {
  model::LoraSpec lora;
  std::optional<Digest> initial;  // adapter root of a folder; else the run's seed makes the first
  friend bool operator==(const AdapterSpec&, const AdapterSpec&) = default;
};

codec::Json to_contract(const AdapterSpec& spec);
/// Errors: kInvalidInput or kUnsupported, naming the member.
Result<AdapterSpec> adapter_from_contract(codec::JsonReader& reader,
                                          const model::LlamaConfig& architecture);

/// Dropout numbers the elements of a micro-batch of `tokens` tokens by four words a call of the
/// generator. Errors: kUnsupported if there are 2^34 or more.
Status check_dropout_counter(const AdapterSpec& spec, const model::LlamaConfig& architecture,
                             std::uint64_t tokens);

}  // namespace aftune::trace
