// SPDX-License-Identifier: Apache-2.0
// The bytes behind committed digests, each checked on the way in: lists, edges, states, data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aftune/trace/adapter_start.h"
#include "aftune/trace/list.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/store.h"
#include "aftune/trace/timeline.h"

namespace aftune::trace {

/// "activation at edge 2, step 7, micro-batch 0".
std::string describe_edge(const train::EdgeId& id);

/// Reads a run folder for one contract. Nothing of it is trusted: every byte is compared with a
/// digest that the contract or the log commits to.
///
/// Errors of the getters: kNotFound for what is missing, kCorrupt for bytes that do not match,
/// kInvalidInput for a list that the contract does not imply, kUnavailable for I/O.
/// Threads: one at a time.
class Openings {
 public:
  /// `entries` are the log's, and must outlive the object as must `contract`. `pool`, if
  /// given, hashes what is opened; it is borrowed and must be free then.
  static Result<Openings> open(const RunFolder& run, const Contract& contract,
                               const std::vector<std::string>& entries, ThreadPool* pool = nullptr);

  Result<StateList> state_list(std::uint32_t block, std::uint64_t step_block) const;
  Result<StepList> step_list(std::uint64_t step) const;
  Result<CloseList> close_list() const;
  Result<AbortList> abort_list(const Digest& list) const;

  /// The state at the start of a stored step block, or of step block 0 from the base.
  /// Requires: step_block == 0 or stored.
  Result<train::BlockState> state(std::uint32_t block, std::uint64_t step_block) const;

  /// Base and first adapters of a LoRA run, compared with the contract at the first call.
  /// Requires: contract.adapter. Errors: those of AdapterStart.
  Result<const AdapterStart*> adapter_start() const;

  /// One edge tensor; `list` is that step's, `index` in edge_places().
  Result<Tensor> edge(const EdgePlace& place, const StepList& list, std::size_t index) const;

  /// Whether there is an object of this digest; its bytes are not looked at.
  [[nodiscard]] bool has(const Digest& digest) const { return store_.has(digest); }

  /// The objects that must stay with this one: Store::bases_of().
  [[nodiscard]] std::vector<Digest> bases_of(const Digest& digest) const {
    return store_.bases_of(digest);
  }

  /// Any stored tensor by digest. Errors: kNotFound also for what a run need not store.
  Result<Tensor> tensor(const Digest& digest, const TensorSpec& spec) const;

 private:
  Openings(const RunFolder& run, const Contract& contract, const std::vector<std::string>& entries,
           Store store, ThreadPool* pool);
  Result<std::string> list_text(std::uint64_t position) const;
  Result<TensorMap> first_parameters(std::uint32_t block) const;
  Result<train::BlockState> base_state(std::uint32_t block, const StateList& list) const;
  Result<train::BlockState> stored_state(std::uint32_t block, const StateList& list,
                                         std::uint64_t step_block) const;
  Status read_object(const Digest& digest, const std::string& label, Tensor& into) const;

  RunFolder run_;
  const Contract& contract_;
  const std::vector<std::string>& entries_;
  Timeline timeline_;
  Store store_;
  ThreadPool* pool_;
  mutable std::shared_ptr<const AdapterStart> adapter_start_;  // once it was asked for
};

}  // namespace aftune::trace
