// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/new_model.h"

#include <fmt/core.h>

#include <cmath>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/staged_folder.h"
#include "aftune/tensor/narrow.h"

namespace aftune::model {

std::vector<NamedTensor> named_tensors(const TensorMap& tensors) {
  std::vector<NamedTensor> out;
  out.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) out.push_back({name, tensor.view()});
  return out;
}

Status check_finite(const std::string& name, const Tensor& tensor) {
  Tensor wide;
  if (is_narrow(tensor.dtype())) {
    AFTUNE_TRY(wide, to_f32(tensor.view()));
  }
  const auto values = is_narrow(tensor.dtype()) ? std::as_const(wide).f32() : tensor.f32();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return Error{Code::kInvalidInput,
                   fmt::format("tensor {}: element {} is {}", name, i, values[i])};
    }
  }
  return ok();
}

Status check_parameters(const TensorMap& tensors, const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      return Error{Code::kInvalidInput, fmt::format("tensor {} is missing", spec.name)};
    }
    const Tensor& tensor = found->second;
    if (tensor.dtype() != spec.dtype || tensor.shape() != spec.shape) {
      return Error{
          Code::kInvalidInput,
          fmt::format("tensor {} is {} {}, expected {} {}", spec.name, dtype_name(tensor.dtype()),
                      to_string(tensor.shape()), dtype_name(spec.dtype), to_string(spec.shape))};
    }
    AFTUNE_TRY(check_finite(spec.name, tensor));
  }
  if (tensors.size() != specs.size()) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} tensors, expected {}", tensors.size(), specs.size())};
  }
  return ok();
}

Status write_new_model(const NewModel& model, const Path& folder) {
  AFTUNE_TRY(
      check_parameters(model.parameters, of_dtype(parameter_specs(model.config), model.dtype)));
  AFTUNE_TRY(StagedFolder staged, StagedFolder::create(folder));
  for (const auto& [name, text] : model.files) AFTUNE_TRY(staged.write(name, as_bytes(text)));
  const Tensor table =
      model.config.vision ? model.normalization.clone() : make_inv_freq(model.config);
  const TensorSpec spec = table_spec(model.config);
  AFTUNE_CHECK(table.shape() == spec.shape, spec.name);
  AFTUNE_TRY(staged.write_tensors("aftune.safetensors", {{spec.name, table.view()}}));
  AFTUNE_TRY(staged.write_tensors("model.safetensors", named_tensors(model.parameters)));
  codec::Json::Object config = model.extra_config;
  config.merge(codec::Json::Object(*to_hf_config(model.config).object()));
  // Last: a folder with a config.json is whole.
  AFTUNE_TRY(staged.write("config.json", as_bytes(codec::pretty_json(config))));
  return std::move(staged).commit();
}

}  // namespace aftune::model
