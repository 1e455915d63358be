// SPDX-License-Identifier: Apache-2.0
// What an audit checks without replay: every entry, every list, the base, the close.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aftune/audit/judge.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/model_root.h"
#include "aftune/trace/openings.h"

namespace aftune::audit {

/// What the whole-run checks learnt and later checks need.
struct RunFacts {
  bool closed = false;
  std::optional<trace::AbortEntry> abort;
  std::uint64_t abort_position = 0;
  /// Only files that the contract implies: other names are never looked up.
  std::optional<trace::CloseList> close;
  /// Digests of the last states' parameters, by name.
  std::map<std::string, trace::RootedTensor, std::less<>> last_parameters;
  /// The run closed and each list of a last state could be read: what is absent is no other model.
  bool last_complete = false;
};

/// Entries in order and of the right shape, up to a close or an abort.
void check_entries(const trace::Contract& contract, const std::vector<std::string>& entries,
                   Judge& judge, RunFacts& facts);

/// Lists of all steps: rows, counts, learning rate, norm and clip factor.
void check_step_lists(const trace::Contract& contract, const trace::Openings& openings,
                      trace::SideInputs& inputs, std::uint64_t entry_count, Judge& judge);

/// Lists of all states; P(i,0) against the base root, or the agreed first adapters, and zero
/// moments.
void check_state_lists(const trace::Contract& contract, const trace::Openings& openings,
                       const trace::SideInputs& inputs, const std::optional<Digest>& root_salt,
                       std::uint64_t entry_count, Judge& judge, RunFacts& facts);

/// The close's model root and files against the last states and the contract.
void check_close(const trace::Contract& contract, const trace::Openings& openings,
                 const trace::SideInputs& inputs, const std::optional<Digest>& root_salt,
                 Judge& judge, RunFacts& facts);

/// Which folder is looked at, and which one the provider hands over with the run: only there does
/// an absent file tell of the provider. Elsewhere the client may have lost it.
struct DeliveredFolder {
  Path folder, handed_over;
  std::string weights = "model.safetensors";  // the file with the trained tensors
};

/// The delivered folder, file by file and tensor by tensor. Requires: facts.close.
void check_delivery(const DeliveredFolder& delivered, const RunFacts& facts, Judge& judge);

}  // namespace aftune::audit
