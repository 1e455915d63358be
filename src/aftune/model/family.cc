// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/family.h"

#include "aftune/base/check.h"

namespace aftune::model {
namespace {

constexpr FamilyTraits kFamilies[] = {
    {Family::kLlama, "llama", "LlamaForCausalLM", false, false},
    {Family::kMistral, "mistral", "MistralForCausalLM", false, false},
    {Family::kQwen2, "qwen2", "Qwen2ForCausalLM", true, false},
    {Family::kQwen3, "qwen3", "Qwen3ForCausalLM", false, true},
    {Family::kVit, "vit", "ViTForImageClassification", true, false, true},
    {Family::kDinov2, "dinov2", "Dinov2ForImageClassification", true, false, true},
};

}  // namespace

std::span<const FamilyTraits> families() { return kFamilies; }

const FamilyTraits& traits_of(Family family) {
  for (const FamilyTraits& traits : kFamilies) {
    if (traits.family == family) return traits;
  }
  AFTUNE_CHECK(false, "a family without traits");
}

const FamilyTraits* find_family(std::string_view name) {
  for (const FamilyTraits& traits : kFamilies) {
    if (traits.name == name) return &traits;
  }
  return nullptr;
}

}  // namespace aftune::model
