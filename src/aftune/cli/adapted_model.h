// SPDX-License-Identifier: Apache-2.0
// A model folder to compute with, and the adapter beside it where one is named.
#pragma once

#include <string>

#include "aftune/model/model_folder.h"
#include "aftune/model/segment_function.h"

namespace aftune::cli {

/// Move-only: what the view borrows.
struct AdaptedModel {
  model::ModelFolder folder;  // wide matrices of `base` are in its file
  model::Llama llama;
  TensorMap base;     // all parameters; with an adapter those that it leaves as they are
  TensorMap adapter;  // empty without one

  [[nodiscard]] model::ParameterView view() const {
    return llama.lora ? model::ParameterView(adapter, &base) : model::ParameterView(base);
  }
};

/// `adapter` is a folder, or empty. A narrow folder is widened. Errors: those of open_model_folder
/// and open_adapter_folder.
Result<AdaptedModel> open_adapted_model(const Path& folder, const std::string& adapter);

}  // namespace aftune::cli
