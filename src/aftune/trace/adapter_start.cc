// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/adapter_start.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/crypto/blake3.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/trace/model_root.h"

namespace aftune::trace {
namespace {

Digest digest_of(Bytes bytes, ThreadPool* pool) {
  return pool == nullptr ? crypto::blake3(bytes) : crypto::blake3(bytes, *pool);
}

/// The tensors of the folder that the contract binds; none where the seed makes them.
Result<TensorMap> open_initial(const Contract& contract, const Path& folder,
                               const std::optional<Digest>& salt) {
  if (!contract.adapter->initial) return TensorMap();
  AFTUNE_TRY(model::AdapterFolder adapter,
             model::open_adapter_folder(folder, contract.architecture));
  std::map<std::string, Digest, std::less<>> digests;
  for (const auto& [name, tensor] : adapter.tensors) digests[name] = crypto::blake3(tensor.bytes());
  const auto specs = contract.trained();
  const bool same_shape =
      adapter.tensors.size() == specs.size() &&
      std::all_of(specs.begin(), specs.end(), [&](const TensorSpec& spec) {
        const auto found = adapter.tensors.find(spec.name);
        return found != adapter.tensors.end() && found->second.shape() == spec.shape;
      });
  if (!same_shape) {
    return Error{Code::kCorrupt,
                 fmt::format("adapter {} has other tensors than the contract's", folder.string())};
  }
  const Digest root = adapter_root(digests, contract, salt);
  if (root == *contract.adapter->initial) return std::move(adapter.tensors);
  return Error{Code::kCorrupt,
               fmt::format("adapter {} has root {}, the contract has {}", folder.string(),
                           root.hex(), contract.adapter->initial->hex())};
}

}  // namespace

Result<std::optional<Digest>> read_root_salt(const Contract& contract, const RunFolder& run) {
  if (contract.base_public) return std::optional<Digest>();
  AFTUNE_TRY(const std::string text, read_text_file(run.root_salt(), 128));
  const bool one_line = text.ends_with('\n') && text.find('\n') + 1 == text.size();
  AFTUNE_TRY(const Digest salt,
             parse_digest(one_line ? std::string_view(text).substr(0, text.size() - 1)
                                   : std::string_view("more or less than one line")));
  return std::optional<Digest>(salt);
}

Digest adapter_root(const std::map<std::string, Digest, std::less<>>& digests,
                    const Contract& contract, const std::optional<Digest>& salt) {
  std::map<std::string, RootedTensor, std::less<>> tensors;
  for (const TensorSpec& spec : contract.trained()) {
    const auto found = digests.find(spec.name);
    AFTUNE_CHECK(found != digests.end(), spec.name);
    tensors[spec.name] = {spec.dtype, spec.shape, found->second};
  }
  return model_root(tensors, salt);
}

AdapterStart::AdapterStart(const Contract& contract, model::ModelFolder base, TensorMap initial,
                           ThreadPool* pool)
    : contract_(&contract), base_(std::move(base)), initial_(std::move(initial)), pool_(pool) {}

Result<AdapterStart> AdapterStart::open(const Contract& contract, const Path& base,
                                        const Path& adapter, const std::optional<Digest>& salt,
                                        ThreadPool* pool) {
  AFTUNE_CHECK(contract.adapter.has_value(), "a contract without adapters");
  AFTUNE_TRY(model::ModelFolder folder, model::open_model_folder(base, model::Width::kAny));
  if (!(folder.config == contract.architecture)) {
    return Error{Code::kCorrupt,
                 fmt::format("{} has another architecture than the contract", base.string())};
  }
  if (folder.dtype != contract.dtypes.frozen) {
    return Error{Code::kCorrupt,
                 fmt::format("{} has parameters in {}, the contract in {}", base.string(),
                             dtype_name(folder.dtype), dtype_name(contract.dtypes.frozen))};
  }
  AFTUNE_TRY(TensorMap initial, open_initial(contract, adapter, salt));
  AdapterStart out(contract, std::move(folder), std::move(initial), pool);
  std::map<std::string, RootedTensor, std::less<>> rooted;
  for (const SafetensorsFile* file : {&out.base_.parameters, &out.base_.tables}) {
    for (const auto& [name, tensor] : file->tensors()) {
      const Digest digest = digest_of(tensor.bytes, pool);
      rooted[name] = {tensor.dtype, tensor.shape, digest};
      out.digests_[name] = digest;
    }
  }
  const Digest root = model_root(rooted, salt);
  if (root == contract.base_root) return out;
  return Error{Code::kCorrupt, fmt::format("model {} has root {}, the contract has {}",
                                           base.string(), root.hex(), contract.base_root.hex())};
}

Result<TensorMap> AdapterStart::load(const std::vector<TensorSpec>& specs) const {
  AFTUNE_TRY(TensorMap out, model::load_as_stored(base_, specs));
  for (const auto& [name, tensor] : out) {
    const Digest found = digest_of(tensor.bytes(), pool_);
    const Digest& rooted = digests_.find(name)->second;
    if (found == rooted) continue;
    return Error{Code::kCorrupt, fmt::format("{} of the base changed while it was read: {}, then "
                                             "{}",
                                             name, rooted.hex(), found.hex())};
  }
  return out;
}

Result<std::shared_ptr<const TensorMap>> AdapterStart::frozen(std::uint32_t block) const {
  if (auto held = held_[block].lock()) return held;
  AFTUNE_TRY(TensorMap tensors, load(contract_->frozen(block)));
  for (auto& [name, tensor] : tensors) {
    if (tensor.shape().size() == 2) continue;
    AFTUNE_TRY(tensor, to_f32(tensor.view()));
  }
  auto shared = std::make_shared<const TensorMap>(std::move(tensors));
  held_[block] = shared;
  return shared;
}

Result<TensorMap> AdapterStart::first(std::uint32_t block) const {
  TensorMap out;
  std::vector<TensorSpec> base;
  for (const TensorSpec& spec : contract_->trained(block)) {
    const auto given = initial_.find(spec.name);
    const std::string from = model::base_name(spec.name);
    if (given != initial_.end()) {
      out.emplace(spec.name, given->second.clone());
    } else if (from.empty()) {
      out.emplace(spec.name, model::first_adapter(spec, contract_->adapter_key()));
    } else {
      base.push_back({std::string(from), spec.dtype, spec.shape});
    }
  }
  AFTUNE_TRY(TensorMap saved, load(base));
  for (auto& [name, tensor] : saved) {
    AFTUNE_TRY(Tensor values, to_f32(tensor.view()));
    out.emplace(model::saved_name(name), std::move(values));
  }
  return out;
}

}  // namespace aftune::trace
