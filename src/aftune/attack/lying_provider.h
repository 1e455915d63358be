// SPDX-License-Identifier: Apache-2.0
// A provider that trains as it likes and then follows the protocol: what it made up is hashed,
// salted, logged, signed and delivered like the truth.
#pragma once

#include "aftune/attack/lies.h"
#include "aftune/crypto/ed25519.h"
#include "aftune/numerics/engine.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/run_folder.h"

namespace aftune::attack {

/// The job as its provider has it. Borrows contract and key.
struct Job {
  const trace::SignedContract& contract;
  const crypto::PrivateKey& key;
  Path base, data;
  std::optional<Digest> root_salt;  // set unless the base is public
};

/// Trains and records `run`, which prepare_run_folder has made, from its first step. With
/// `step_block` above 0 the folder is a run's whose log ends before the first step of that block
/// and whose states there are stored; it goes on from them.
/// Errors: those of the trainer and the recorder.
Status tell(const Job& job, const Lies& lies, const trace::RunFolder& run, std::uint64_t step_block,
            const numerics::Engine& engine);

}  // namespace aftune::attack
