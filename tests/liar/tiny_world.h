// SPDX-License-Identifier: Apache-2.0
// A tiny job that two parties agreed on: keys, base model, data set, contract, and its honest run.
// Everything follows from fixed seeds, so equal terms give equal bytes.
#pragma once

#include <functional>
#include <string>

#include "aftune/attack/lying_provider.h"
#include "aftune/audit/auditor.h"
#include "aftune/base/must_testing.h"
#include "aftune/numerics/engine.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/run_folder.h"

namespace aftune::liar {

/// What a test may vary. The rest is the same in all worlds: 24 rows.
struct Terms {
  bool tied = false;
  std::uint32_t layers = 4, kv_heads = 2;
  std::uint32_t layers_per_block = 2;
  std::uint64_t steps = 5, steps_per_block = 2, state_interval = 1;
  std::uint32_t edge_interval = 1;
  std::uint64_t samples = 4, micro_batch = 4;
  train::TrainSpec training{{train::OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01},
                            {train::ScheduleKind::kConstant, 1e-2, 0, 0},
                            {0.5}};
  bool base_public = true, weights_disclosed = true;
  std::uint64_t model_seed = 1;
  model::Family family = model::Family::kLlama;
  bool scaled_rope = false;
  /// The type of the base's parameters; then their values are those that all types have.
  std::optional<Dtype> base_dtype;
  bool poisoned = false;                         // another data set: every completion is changed
  unsigned char run = 1;                         // first byte of the run id
  unsigned char provider_key = 2;                // every byte of the provider's seed
  std::function<void(trace::Contract&)> change;  // of the finished contract, before it is signed
};

Terms untied();
Terms tied();
Terms sgd(double momentum);
Terms of_family(model::Family family);
Terms packed();         // several rows a sample
Terms conversations();  // rows of messages
/// One layer a block: segment i is block i, edges 1 to 3.
Terms fine(Terms terms = untied());

/// The one folder of this process; removed at its end.
const Path& scratch();
/// A new name in it.
Path fresh_path(const std::string& stem);

/// One computing machine. Threads: one at a time.
const numerics::Engine& engine();

/// A job that both sides signed.
class World {
 public:
  explicit World(const Terms& terms);

  [[nodiscard]] const Terms& terms() const { return terms_; }
  [[nodiscard]] const trace::Contract& contract() const { return signed_.contract; }
  [[nodiscard]] const trace::SignedContract& envelope() const { return signed_; }
  [[nodiscard]] const crypto::PrivateKey& provider_key() const { return provider_key_; }
  [[nodiscard]] const Path& base() const { return base_; }
  [[nodiscard]] const Path& data() const { return data_; }
  /// The job as its provider has it.
  [[nodiscard]] attack::Job job() const;

  /// The run of a provider that keeps to the contract: made, audited by all blocks and by the
  /// policy's draw and found accepted once in a process. Never write into it.
  trace::RunFolder honest_run() const;
  /// A copy of it (hard links: replace files, do not write into them).
  [[nodiscard]] trace::RunFolder copy_of_honest_run() const;

  /// A secret file of the client that has drawn nothing yet.
  [[nodiscard]] Path fresh_secret() const;
  /// An audit of every block, and of the delivered folder if the run has one.
  [[nodiscard]] audit::AuditRequest all_blocks(const trace::RunFolder& run) const;
  [[nodiscard]] audit::Verdict audit_all(const trace::RunFolder& run) const;
  [[nodiscard]] audit::Verdict audit_blocks(const trace::RunFolder& run,
                                            std::vector<audit::BlockIndex> blocks) const;
  [[nodiscard]] audit::Verdict audit_drawn(const trace::RunFolder& run, const Path& secret) const;

 private:
  Terms terms_;
  crypto::PrivateKey client_key_, provider_key_;
  Path base_, data_;
  trace::SignedContract signed_;
};

/// The world of these terms; the same object for the same contract.
const World& world(const Terms& terms);

}  // namespace aftune::liar
