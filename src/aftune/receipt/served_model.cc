// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/served_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"

namespace aftune::receipt {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxCompanion = std::uint64_t{1} << 20;  // of those read here

/// The text of a companion, or nothing where there is none.
Result<std::optional<std::string>> companion_text(const Path& file) {
  Result<std::string> text = read_text_file(file, kMaxCompanion);
  if (!text && text.error().code == Code::kNotFound) return std::optional<std::string>();
  if (!text) return std::move(text).error();
  return std::optional(*std::move(text));
}

Result<std::int32_t> token_of(const Json& value, std::uint32_t vocab_size) {
  const std::int64_t* id = value.integer();
  if (id != nullptr && *id >= 0 && *id < static_cast<std::int64_t>(vocab_size)) {
    return static_cast<std::int32_t>(*id);
  }
  return Error{Code::kInvalidInput,
               fmt::format("eos_token_id: no token of a vocabulary of {}", vocab_size)};
}

/// The member `eos_token_id` of a companion; nothing where file or member are absent.
Result<std::optional<std::vector<std::int32_t>>> eos_of(const Path& file,
                                                        std::uint32_t vocab_size) {
  using Ids = std::vector<std::int32_t>;
  AFTUNE_TRY(const std::optional<std::string> text, companion_text(file));
  if (!text) return std::optional<Ids>();
  AFTUNE_TRY(const Json config, codec::parse_json(*text, {}).in(file.string()));
  const Json* member = config.find("eos_token_id");
  if (member == nullptr) return std::optional<Ids>();
  Ids ids;
  if (const Json::Array* items = member->array()) {
    for (const Json& item : *items) {
      AFTUNE_TRY(const std::int32_t id, token_of(item, vocab_size).in(file.string()));
      ids.push_back(id);
    }
  } else if (!member->is_null()) {
    AFTUNE_TRY(const std::int32_t id, token_of(*member, vocab_size).in(file.string()));
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return std::optional(std::move(ids));
}

}  // namespace

Result<ServedModel> open_served_model(const Path& path) {
  AFTUNE_TRY(model::ModelFolder folder, model::open_model_folder(path));
  AFTUNE_TRY(model::check_generates(folder));
  AFTUNE_TRY(text::Tokenizer tokenizer,
             text::Tokenizer::load(path / "tokenizer.json").in((path / "tokenizer.json").string()));
  if (!tokenizer.decodes_in_pieces()) {
    return Error{Code::kUnsupported,
                 fmt::format("{}: a decoder with ByteFallback is not supported for served answers",
                             (path / "tokenizer.json").string())};
  }
  ServedModel out{std::move(folder), std::move(tokenizer), {}, ChatTemplate::kNone, {}};
  for (const std::string& name : model::companions_of(path)) {
    trace::BoundFile file{name, 0, {}};
    AFTUNE_TRY(file.size, aftune::file_size(path / name));
    AFTUNE_TRY(file.sha256, crypto::sha256_file(path / name));
    out.companions.push_back(std::move(file));
  }
  const Path config = path / "tokenizer_config.json";
  AFTUNE_TRY(const std::optional<std::string> text, companion_text(config));
  if (text) {
    AFTUNE_TRY(out.chat, template_of(*text).in(config.string()));
  }
  const std::uint32_t vocab_size = out.folder.config.vocab_size;
  AFTUNE_TRY(auto eos, eos_of(path / "generation_config.json", vocab_size));
  if (!eos) {
    AFTUNE_TRY(eos, eos_of(path / "config.json", vocab_size));
  }
  if (eos) out.eos = *std::move(eos);
  return out;
}

RootedTensors rooted_tensors(const ServedModel& model, ThreadPool& pool) {
  RootedTensors tensors;
  for (const SafetensorsFile* file : {&model.folder.parameters, &model.folder.tables}) {
    for (const auto& [name, tensor] : file->tensors()) {
      tensors[name] = {tensor.dtype, tensor.shape, crypto::blake3(tensor.bytes, pool)};
    }
  }
  return tensors;
}

Digest root_of(const ServedModel& model, const std::optional<Digest>& salt, ThreadPool& pool) {
  return trace::model_root(rooted_tensors(model, pool), salt);
}

}  // namespace aftune::receipt
