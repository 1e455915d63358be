// SPDX-License-Identifier: Apache-2.0
// A tiny model folder that can be served: a byte tokenizer with ChatML's tokens, random weights.
#pragma once

#include <string>

#include "aftune/base/must_testing.h"
#include "aftune/model/new_model.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/model/tiny_llama_testing.h"
#include "aftune/receipt/served_model.h"
#include "aftune/receipt/statement.h"

namespace aftune::receipt::testing {

inline constexpr std::int32_t kImStart = 256, kImEnd = 257;

using aftune::must;

/// Id of a byte: its number. No merges.
inline std::string byte_tokenizer() {
  std::string vocab;
  unsigned other = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const unsigned code = itself ? byte : other++;
    std::string spelt;
    if (code < 0x80) {
      if (code == '"' || code == '\\') spelt += '\\';
      spelt += static_cast<char>(code);
    } else {
      spelt += static_cast<char>(0xC0 | code >> 6);
      spelt += static_cast<char>(0x80 | (code & 0x3F));
    }
    vocab += (byte > 0 ? ",\"" : "\"") + spelt + "\":" + std::to_string(byte);
  }
  const auto added = [](const char* content, std::int32_t id) {
    return R"({"id":)" + std::to_string(id) + R"(,"content":")" + content +
           R"(","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,)"
           R"("special":true})";
  };
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" +
         added("<|im_start|>", kImStart) + "," + added("<|im_end|>", kImEnd) +
         R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,)"
         R"("trim_offsets":true},"post_processor":null,"decoder":{"type":"ByteLevel"},)"
         R"("model":{"type":"BPE","vocab":{)" +
         vocab + R"(},"merges":[]}})";
}

inline std::string chatml_config() {
  return R"({"chat_template":"{% for message in messages %}{{'<|im_start|>' + message['role'] + )"
         R"('\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if )"
         R"(add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"})";
}

struct TinyModel {
  std::uint32_t seed = 1;
  std::uint32_t layers = 5;
  bool tied = true;
  std::string generation_config = R"({"eos_token_id":257})";
  std::function<void(TensorMap&)> change = {};
};

inline model::LlamaConfig tiny_served_config(const TinyModel& tiny) {
  auto config =
      model::testing::tiny_config(tiny.layers, tiny.tied ? model::testing::Embeddings::kTied
                                                         : model::testing::Embeddings::kUntied);
  config.vocab_size = 258;
  config.max_positions = 300;
  return config;
}

/// Writes the folder; gives its path.
inline Path make_tiny_model(const model::testing::TempFolder& root, const char* name,
                            const TinyModel& tiny = {}) {
  model::NewModel made;
  made.config = tiny_served_config(tiny);
  made.parameters = model::testing::random_parameters(made.config, tiny.seed);
  if (tiny.change) tiny.change(made.parameters);
  made.files["tokenizer.json"] = byte_tokenizer();
  made.files["tokenizer_config.json"] = chatml_config();
  made.files["generation_config.json"] = tiny.generation_config;
  must(model::write_new_model(made, root / name));
  return root / name;
}

/// Complete but for the secret. Two layers a block: 3 blocks of 5 layers.
inline Statement tiny_statement(const ServedModel& model, ThreadPool& pool,
                                EdgeGrid grid = {2, 1}) {
  Statement out = statement_of(model, grid);
  out.model_root = root_of(model, std::nullopt, pool);
  return out;
}

}  // namespace aftune::receipt::testing
