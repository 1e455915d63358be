// SPDX-License-Identifier: Apache-2.0
// The frozen base of a LoRA run and its first adapters, compared with the contract:
// docs/formats/lora.md.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "aftune/base/thread_pool.h"
#include "aftune/model/model_folder.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/run_folder.h"

namespace aftune::trace {

/// The salt of the run's model roots; empty for a public base.
/// Errors: kNotFound, kUnavailable; kInvalidInput for a malformed file.
Result<std::optional<Digest>> read_root_salt(const Contract& contract, const RunFolder& run);

/// The adapter root of trained tensors by their digests.
Digest adapter_root(const std::map<std::string, Digest, std::less<>>& digests,
                    const Contract& contract, const std::optional<Digest>& salt);

/// Borrows the contract. Threads: one at a time.
class AdapterStart {
 public:
  /// `adapter`: the folder of the first adapter, not looked at where the seed makes it. `pool`, if
  /// given, hashes the base; it is borrowed and must be free in each call.
  /// Requires: contract.adapter. Cost: one pass over the base.
  /// Errors: kCorrupt if base or adapter has another root than the contract, or the base another
  ///         dtype, naming both; those of open_model_folder and open_adapter_folder.
  static Result<AdapterStart> open(const Contract& contract, const Path& base, const Path& adapter,
                                   const std::optional<Digest>& salt, ThreadPool* pool = nullptr);

  /// The block's frozen tensors, each with the digest that the base's root was made of: matrices as
  /// the base has them, all else in fp32. Shared by all who hold them at one time. Errors: kCorrupt
  /// if the file has changed; those of loading.
  Result<std::shared_ptr<const TensorMap>> frozen(std::uint32_t block) const;

  /// What is trained of the block, as the first step finds it. Errors: as frozen().
  Result<TensorMap> first(std::uint32_t block) const;

 private:
  AdapterStart(const Contract& contract, model::ModelFolder base, TensorMap initial,
               ThreadPool* pool);
  /// As the file has them.
  Result<TensorMap> load(const std::vector<TensorSpec>& specs) const;

  const Contract* contract_;
  model::ModelFolder base_;
  std::map<std::string, Digest, std::less<>> digests_;  // of the base's parameters
  TensorMap initial_;                                   // of a folder; else empty
  ThreadPool* pool_;
  mutable std::map<std::uint32_t, std::weak_ptr<const TensorMap>> held_;
};

}  // namespace aftune::trace
