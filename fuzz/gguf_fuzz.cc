// SPDX-License-Identifier: Apache-2.0
// The container, then what an import makes of it: configuration, parameters, tokenizer.
#include "aftune/model/gguf.h"
#include "aftune/model/gguf_model.h"
#include "aftune/model/gguf_tokenizer.h"
#include "aftune/text/tokenizer.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

void check_values(const model::GgufFile& file, Bytes input) {
  for (const auto& [key, value] : file.metadata()) {
    AFTUNE_CHECK(value.is_array || value.count == 1, "a single value");
    const int kinds = int{value.integer().has_value()} + int{value.f32().has_value()} +
                      int{value.boolean().has_value()} + int{value.string().has_value()} +
                      int{value.i32_array().has_value()};
    AFTUNE_CHECK(kinds <= 1, "a value of two kinds");
  }
  for (const auto& [name, tensor] : file.tensors()) {
    AFTUNE_CHECK(tensor.bytes.data() >= input.data() &&
                     tensor.bytes.data() + tensor.bytes.size() <= input.data() + input.size(),
                 "a tensor lies outside the file");
  }
}

/// import_gguf writes these texts; what it wrote must read as the same value.
void check_text(const codec::Json& value) {
  const auto again = codec::parse_json(codec::pretty_json(value), {.bytes = 1 << 26});
  AFTUNE_CHECK(again && *again == value, "a written file reads as another value");
}

}  // namespace

bool decode_one(Bytes input) {
  const auto file = model::GgufFile::parse(input);
  if (!file) return false;
  check_values(*file, input);
  if (const auto made = model::gguf_tokenizer(*file)) {
    check_text(made->tokenizer);
    check_text(made->tokenizer_config);
    check_text(made->special_ids);
    const auto tokenizer = text::Tokenizer::parse(codec::pretty_json(made->tokenizer));
    if (tokenizer) AFTUNE_CHECK(tokenizer->vocab_size() > 0, "an empty vocabulary");
  }
  const auto config = model::gguf_config(*file);
  if (!config) return true;
  const auto again = model::parse_hf_config(model::to_hf_config(*config));
  AFTUNE_CHECK(again && *again == *config, "config.json states another architecture");
  if (const auto parameters = model::gguf_parameters(*file, *config)) {
    const auto specs = model::parameter_specs(*config);
    AFTUNE_CHECK(parameters->size() == specs.size(), "another number of parameters");
  }
  return true;
}

}  // namespace aftune::fuzz
