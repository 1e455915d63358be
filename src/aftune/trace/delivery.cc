// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/delivery.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/crypto/sha256.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/model_folder.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::trace {
namespace {

std::vector<BoundFile> expected_files(const Contract& contract, const TensorMap& parameters) {
  std::vector<BoundFile> files = other_files(contract);
  files.push_back(expected_weights(contract, parameters));
  std::sort(files.begin(), files.end(),
            [](const BoundFile& a, const BoundFile& b) { return a.path < b.path; });
  return files;
}

Status check_folder(const std::vector<BoundFile>& files, const Path& folder) {
  for (const BoundFile& file : files) {
    AFTUNE_TRY(
        check_bound_file(file, folder).in(folder.string() + " exists and is not this run's model"));
  }
  return ok();
}

Status write_delivery(const Contract& contract, const Path& base, const TensorMap& parameters,
                      const Path& folder) {
  if (!contract.adapter) return model::write_model_folder(folder, base, parameters);
  return model::write_adapter_folder(folder, contract.adapter->lora, contract.architecture,
                                     parameters);
}

/// Where a delivery is written before it has its name: nobody else uses this one.
Path staged_folder(const Contract& contract, const Path& folder) {
  Path out = folder;
  return out += fmt::format(".tmp-{}", contract.digest().hex().substr(0, 8));
}

/// What a killed run left.
Status remove_left_over(const Path& staged) {
  std::error_code error;
  std::filesystem::remove_all(staged, error);
  if (!error) return ok();
  return Error{Code::kUnavailable, fmt::format("remove {}: {}", staged.string(), error.message())};
}

}  // namespace

const char* weights_file(const Contract& contract) {
  return contract.adapter ? model::kAdapterWeights : "model.safetensors";
}

std::vector<BoundFile> other_files(const Contract& contract) {
  if (!contract.adapter) return contract.companions;
  const std::string config = model::adapter_config(contract.adapter->lora, contract.architecture);
  return {{model::kAdapterConfig, config.size(), crypto::sha256(as_bytes(config))}};
}

BoundFile expected_weights(const Contract& contract, const TensorMap& parameters) {
  std::vector<NamedTensor> named;
  for (const auto& [name, tensor] : parameters) named.push_back({name, tensor.view()});
  crypto::Sha256 hash;
  const std::string header = safetensors_header(named);
  hash.update(as_bytes(header));
  std::uint64_t size = header.size();
  for (const auto& [name, tensor] : parameters) {
    hash.update(tensor.bytes());
    size += tensor.bytes().size();
  }
  return {weights_file(contract), size, hash.digest()};
}

std::uint64_t expected_weights_size(const Contract& contract) {
  std::vector<NamedTensor> named;
  std::uint64_t size = 0;
  for (const TensorSpec& spec : contract.trained()) {
    named.push_back({spec.name, {spec.dtype, spec.shape, {}}});
    size += *element_count(spec.shape) * element_size(spec.dtype);
  }
  return size + safetensors_header(std::move(named)).size();
}

Result<std::vector<BoundFile>> deliver(const Contract& contract, const Path& base,
                                       const TensorMap& parameters, const Path& folder) {
  for (const BoundFile& file : contract.companions) {
    AFTUNE_TRY(check_bound_file(file, base));
  }
  std::vector<BoundFile> files = expected_files(contract, parameters);
  AFTUNE_TRY(remove_left_over(staged_folder(contract, folder)));
  std::error_code error;
  if (std::filesystem::exists(folder, error)) {
    AFTUNE_TRY(check_folder(files, folder));
    return files;
  }
  const Path staged = staged_folder(contract, folder);
  AFTUNE_TRY(write_delivery(contract, base, parameters, staged));
  std::filesystem::rename(staged, folder, error);
  if (error) {
    return Error{Code::kUnavailable, fmt::format("rename {} to {}: {}", staged.string(),
                                                 folder.string(), error.message())};
  }
  AFTUNE_TRY(sync_folder(folder.has_parent_path() ? folder.parent_path() : Path(".")));
  AFTUNE_TRY(check_folder(files, folder));
  return files;
}

}  // namespace aftune::trace
