// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <system_error>

#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/new_model.h"
#include "aftune/model/resample_positions.h"
#include "aftune/model/vision_names.h"
#include "aftune/model/weight_files.h"
#include "aftune/tensor/narrow.h"

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

/// The element as import_hf was asked for it.
Result<Tensor> take(const std::string& name, const TensorView& view, Elements elements) {
  if (elements == Elements::kKept && is_narrow(view.dtype)) return Tensor::copy_of(view);
  return to_f32(view).in("tensor " + name);
}

/// Sets the model's parameters and their dtype.
Status read_parameters(const WeightFiles& files, Elements elements, NewModel& model) {
  const bool tied = model.config.tied_embeddings;
  if (tied) AFTUNE_TRY(check_tied_head(files));
  for (const auto& [name, view] : files.tensors()) {
    if ((tied && name == kHead) || is_old_table(name)) continue;
    if (model.config.vision && name.ends_with(kMaskToken)) continue;
    AFTUNE_TRY(Tensor tensor, take(name, view, elements));
    if (model.parameters.empty()) model.dtype = tensor.dtype();
    if (tensor.dtype() != model.dtype) {
      return Error{Code::kUnsupported,
                   fmt::format("tensor {} is {} and tensor {} is {}: types are kept where there is "
                               "one",
                               model.parameters.begin()->first, dtype_name(model.dtype), name,
                               dtype_name(tensor.dtype()))};
    }
    model.parameters.emplace(name, std::move(tensor));
  }
  return ok();
}

/// Makes it a model of images of `size`.
Status resize_images(std::uint32_t size, NewModel& model) {
  if (!model.config.vision) {
    return invalid_input(fmt::format("an image size is for image classifiers, and this is a {}",
                                     traits_of(model.config.family).name));
  }
  const std::uint32_t patch = model.config.vision->patch_size;
  const std::uint32_t from = model.config.vision->image_size / patch;
  model.config.vision->image_size = size;
  derive_vision_members(model.config);
  AFTUNE_TRY(check_config(model.config));
  if (size / patch == from) return ok();
  Tensor& positions = model.parameters.at(VisionNames(model.config).positions());
  if (positions.dtype() != Dtype::kF32) {
    return Error{Code::kUnsupported,
                 fmt::format("positions are {} and shall stay so, those of another image size are "
                             "made in F32",
                             dtype_name(positions.dtype()))};
  }
  positions = resample_positions(positions, from, size / patch);
  return ok();
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

Status import_hf(const Path& source, const Path& folder, Elements elements,
                 std::optional<std::uint32_t> image_size) {
  AFTUNE_TRY(const std::string text, read_text_file(source / "config.json", kMaxConfigBytes));
  AFTUNE_TRY(const codec::Json json,
             codec::parse_json(text, {}).in((source / "config.json").string()));
  NewModel model;
  AFTUNE_TRY(model.config, parse_hf_config(json).in(source.string()));
  model.extra_config = kept_members(json, model.config.vision.has_value());
  AFTUNE_TRY(const WeightFiles files, WeightFiles::open(source));
  const std::string weights = files.path().string();
  AFTUNE_TRY(read_parameters(files, elements, model).in(weights));
  AFTUNE_TRY(
      check_parameters(model.parameters, of_dtype(parameter_specs(model.config), model.dtype))
          .in(weights));
  if (image_size) AFTUNE_TRY(resize_images(*image_size, model));
  if (model.config.vision) {
    AFTUNE_TRY(read_normalization(source, model));
  } else {
    AFTUNE_TRY(model.files, read_companions(source));
  }
  return write_new_model(model, folder);
}

}  // namespace aftune::model
