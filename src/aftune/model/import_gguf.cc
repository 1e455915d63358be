// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf_model.h"
#include "aftune/model/gguf_tokenizer.h"
#include "aftune/model/import.h"
#include "aftune/model/new_model.h"

namespace aftune::model {
namespace {

Result<NewModel> convert(const GgufFile& file) {
  NewModel model;
  AFTUNE_TRY(model.config, gguf_config(file));
  AFTUNE_TRY(GgufTokenizer tokenizer, gguf_tokenizer(file));
  model.files["tokenizer.json"] = codec::pretty_json(tokenizer.tokenizer);
  model.files["tokenizer_config.json"] = codec::pretty_json(tokenizer.tokenizer_config);
  model.files["generation_config.json"] = codec::pretty_json(tokenizer.special_ids);
  model.extra_config = std::move(tokenizer.special_ids);
  AFTUNE_TRY(model.parameters, gguf_parameters(file, model.config));
  return model;
}

}  // namespace

Status import_gguf(const Path& file, const Path& folder) {
  AFTUNE_TRY(const GgufFile gguf, GgufFile::open(file));
  AFTUNE_TRY(const NewModel model, convert(gguf).in(file.string()));
  return write_new_model(model, folder);
}

}  // namespace aftune::model
