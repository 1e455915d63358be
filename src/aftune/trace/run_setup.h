// SPDX-License-Identifier: Apache-2.0
// Before the first step: the run folder is made, or recognised as this contract's, and model and
// data are compared with the contract.
#pragma once

#include <optional>
#include <vector>

#include "aftune/trace/contract.h"
#include "aftune/trace/openings.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::trace {

/// Makes the folder with contract, base and data if there is none, and with the first adapter where
/// the contract binds a folder of it.
/// Errors: kInvalidInput if the folder holds another contract's run, or this one's and `resume`
///         is false, or something else; kCorrupt if its base or data are no longer the ones given;
///         kNotFound, kUnavailable.
enum class Existing { kRefuse, kResume };
Status prepare_run_folder(const SignedContract& contract, const RunFolder& run, const Path& model,
                          const Path& data, Existing existing, const Path& adapter = {});

/// Makes the folder of a run that nobody records.
/// Errors: kInvalidInput if there is something in it; kUnavailable.
Status prepare_unrecorded_folder(const RunFolder& run);

/// The base parameters by layer block with the optimizer's zero moments, compared with the
/// contract's model root. `salt`: set unless the base is public. In a LoRA run: the first adapters,
/// beside the frozen base; `adapter` is the folder of them that the contract may bind.
/// Errors: kCorrupt if a root differs, naming both; those of open_model_folder and AdapterStart.
Result<std::vector<train::BlockState>> load_base(const Contract& contract, const Path& base,
                                                 const SideInputs& inputs,
                                                 const std::optional<Digest>& salt,
                                                 const Path& adapter = {});

/// The states to go on from and the step block that they start: the newest stored one that is
/// whole, or the base.
struct ResumePoint {
  std::uint64_t step_block = 0;
  std::vector<train::BlockState> states;
};
/// Errors: kUnavailable for I/O, never for missing or broken objects: an older state serves then.
Result<ResumePoint> find_resume_point(const Contract& contract, const Openings& openings,
                                      std::uint64_t entry_count);

}  // namespace aftune::trace
