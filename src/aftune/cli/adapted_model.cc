// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/adapted_model.h"

#include <utility>

#include "aftune/model/adapter_folder.h"

namespace aftune::cli {

Result<AdaptedModel> open_adapted_model(const Path& folder, const std::string& adapter) {
  AFTUNE_TRY(model::ModelFolder opened, model::open_model_folder(folder, model::Width::kAny));
  const model::LlamaConfig& config = opened.config;
  model::Llama llama{config, Tensor::copy_of(*opened.tables.find(model::table_spec(config).name))};
  TensorMap trained;
  std::vector<TensorSpec> specs = model::parameter_specs(config);
  if (!adapter.empty()) {
    AFTUNE_TRY(model::AdapterFolder read, model::open_adapter_folder(adapter, config));
    specs =
        model::frozen_specs(config, read.lora);  // its saved modules stand in place of the base's
    llama.lora = read.lora;
    trained = std::move(read.tensors);
  }
  AFTUNE_TRY(TensorMap base, model::borrow_parameters(opened, specs));
  return AdaptedModel{std::move(opened), std::move(llama), std::move(base), std::move(trained)};
}

}  // namespace aftune::cli
