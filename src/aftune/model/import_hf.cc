// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <system_error>

#include "aftune/model/import.h"
#include "aftune/model/new_model.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{1} << 28;
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

/// Members of the source's config.json that say how text is generated.
codec::Json::Object generation_members(const codec::Json& config) {
  codec::Json::Object out;
  for (const char* name : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (const auto* value = config.find(name)) out[name] = *value;
  }
  return out;
}

bool same_bytes(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::ranges::equal(a.bytes, b.bytes);
}

/// A tied checkpoint may carry the head too; it must then say the same twice.
Status check_tied_head(const SafetensorsFile& file) {
  const TensorView* head = file.find(kHead);
  const TensorView* embedding = file.find(kEmbedding);
  if (head == nullptr || embedding == nullptr || same_bytes(*head, *embedding)) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("tensor {} differs from {}, config.json ties them", kHead, kEmbedding)};
}

Result<TensorMap> read_parameters(const SafetensorsFile& file, const LlamaConfig& config) {
  if (config.tied_embeddings) AFTUNE_TRY(check_tied_head(file));
  TensorMap out;
  for (const auto& [name, view] : file.tensors()) {
    if (config.tied_embeddings && name == kHead) continue;
    AFTUNE_TRY(Tensor tensor, to_f32(view).in("tensor " + name));
    out.emplace(name, std::move(tensor));
  }
  return out;
}

Status check_single_file(const Path& source) {
  std::error_code ignored;
  if (std::filesystem::exists(source / "model.safetensors", ignored) ||
      !std::filesystem::exists(source / "model.safetensors.index.json", ignored)) {
    return ok();
  }
  return Error{Code::kUnsupported,
               fmt::format("{}: weights in several files, supported is one model.safetensors",
                           source.string())};
}

Result<std::map<std::string, std::string>> read_companions(const Path& source) {
  std::map<std::string, std::string> files;
  AFTUNE_TRY(files["tokenizer.json"],
             read_text_file(source / "tokenizer.json", kMaxTokenizerBytes));
  for (const char* name :
       {"generation_config.json", "special_tokens_map.json", "tokenizer_config.json"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(source / name, ignored)) continue;
    AFTUNE_TRY(files[name], read_text_file(source / name, kMaxTokenizerBytes));
  }
  return files;
}

}  // namespace

Status import_hf(const Path& source, const Path& folder) {
  AFTUNE_TRY(const std::string text, read_text_file(source / "config.json", kMaxConfigBytes));
  AFTUNE_TRY(const codec::Json json,
             codec::parse_json(text, {}).in((source / "config.json").string()));
  NewModel model;
  AFTUNE_TRY(model.config, parse_hf_config(json).in(source.string()));
  model.extra_config = generation_members(json);
  AFTUNE_TRY(check_single_file(source));
  const Path weights = source / "model.safetensors";
  AFTUNE_TRY(const SafetensorsFile file, SafetensorsFile::open(weights));
  AFTUNE_TRY(model.parameters, read_parameters(file, model.config).in(weights.string()));
  AFTUNE_TRY(
      check_parameters(model.parameters, parameter_specs(model.config)).in(weights.string()));
  AFTUNE_TRY(model.files, read_companions(source));
  return write_new_model(model, folder);
}

}  // namespace aftune::model
