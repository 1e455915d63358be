// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <system_error>

#include "aftune/model/import.h"
#include "aftune/model/new_model.h"
#include "aftune/model/weight_files.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{1} << 28;
constexpr const char* kPreprocessor = "preprocessor_config.json";
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kMaskToken = ".embeddings.mask_token";  // no classifier reads it

/// Members of the source's config.json that say how text is generated, or what classes are called.
codec::Json::Object kept_members(const codec::Json& config, bool vision) {
  codec::Json::Object out;
  const std::vector<const char*> names =
      vision ? std::vector<const char*>{"id2label", "label2id"}
             : std::vector<const char*>{"bos_token_id", "eos_token_id", "pad_token_id"};
  for (const char* name : names) {
    if (const auto* value = config.find(name)) out[name] = *value;
  }
  return out;
}

bool same_bytes(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::ranges::equal(a.bytes, b.bytes);
}

/// A tied checkpoint may carry the head too; it must then say the same twice.
Status check_tied_head(const WeightFiles& files) {
  const TensorView* head = files.find(kHead);
  const TensorView* embedding = files.find(kEmbedding);
  if (head == nullptr || embedding == nullptr || same_bytes(*head, *embedding)) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("tensor {} differs from {}, config.json ties them", kHead, kEmbedding)};
}

/// Old checkpoints carry rotary frequencies, which nobody reads: the architecture gives them.
bool is_old_table(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

Result<TensorMap> read_parameters(const WeightFiles& files, const LlamaConfig& config) {
  if (config.tied_embeddings) AFTUNE_TRY(check_tied_head(files));
  TensorMap out;
  for (const auto& [name, view] : files.tensors()) {
    if ((config.tied_embeddings && name == kHead) || is_old_table(name)) continue;
    if (config.vision && name.ends_with(kMaskToken)) continue;
    AFTUNE_TRY(Tensor tensor, to_f32(view).in("tensor " + name));
    out.emplace(name, std::move(tensor));
  }
  return out;
}

/// The frozen table of an image classifier, and the file that it is made from.
Status read_normalization(const Path& source, NewModel& model) {
  const Path path = source / kPreprocessor;
  AFTUNE_TRY(const std::string text, read_text_file(path, kMaxConfigBytes));
  AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}).in(path.string()));
  AFTUNE_TRY(model.normalization, normalization_of(json, model.config).in(path.string()));
  model.files[kPreprocessor] = text;
  return ok();
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
  model.extra_config = kept_members(json, model.config.vision.has_value());
  AFTUNE_TRY(const WeightFiles files, WeightFiles::open(source));
  const std::string weights = files.path().string();
  AFTUNE_TRY(model.parameters, read_parameters(files, model.config).in(weights));
  AFTUNE_TRY(check_parameters(model.parameters, parameter_specs(model.config)).in(weights));
  if (model.config.vision) {
    AFTUNE_TRY(read_normalization(source, model));
  } else {
    AFTUNE_TRY(model.files, read_companions(source));
  }
  return write_new_model(model, folder);
}

}  // namespace aftune::model
