// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/parameter_view.h"

#include <string>

#include "aftune/model/lora.h"

namespace aftune::model {

const Tensor* ParameterView::find_trained(std::string_view name) const {
  const auto found = trained_->find(name);
  return found == trained_->end() ? nullptr : &found->second;
}

const Tensor* ParameterView::find(std::string_view name) const {
  if (frozen_ == nullptr) return find_trained(name);
  const auto found = frozen_->find(name);
  if (found != frozen_->end()) return &found->second;
  return find_trained(saved_name(name));
}

}  // namespace aftune::model
