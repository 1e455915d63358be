// SPDX-License-Identifier: Apache-2.0
// Hugging Face's tokenizer files from a GGUF file's vocabulary: docs/formats/gguf.md, "Tokenizer".
#pragma once

#include <map>
#include <string>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/model/gguf.h"

namespace aftune::model {

struct GgufTokenizer {
  codec::Json tokenizer;            // tokenizer.json
  codec::Json tokenizer_config;     // tokenizer_config.json
  codec::Json::Object special_ids;  // bos_token_id, eos_token_id, pad_token_id where known
};

/// Errors: kInvalidInput for a missing key, repeated tokens, merges of unknown tokens or ids
/// outside
///         the vocabulary; kUnsupported for another kind of tokenizer; each naming the key.
Result<GgufTokenizer> gguf_tokenizer(const GgufFile& file);

}  // namespace aftune::model
