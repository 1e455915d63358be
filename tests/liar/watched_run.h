// SPDX-License-Identifier: Apache-2.0
// A run whose contract names witnesses: its log grows under their eyes, and a client asks.
#pragma once

#include <string>
#include <vector>

#include "aftune/audit/exchange.h"
#include "aftune/audit/timing.h"
#include "aftune/tlog/log_witness.h"
#include "finished_run.h"

namespace aftune::liar {

/// Key of every byte `seed`: 1 is the client's, 8 and 9 are the witnesses'.
crypto::PrivateKey key_of_seed(unsigned char seed);
tlog::WitnessKey witness_key(unsigned char seed);

inline constexpr std::uint64_t kFirstLook = 1'790'000'000;  // seconds since 1970
inline constexpr std::uint64_t kBetweenLooks = 60;
inline constexpr std::uint64_t kMaxDelay = 100;

/// The contract's keys are `seeds`; `quorum` of them must attest.
Terms watched(std::vector<unsigned char> seeds, std::uint64_t quorum);

/// Who watches one log, with its state in a folder.
class Watcher {
 public:
  Watcher(const World& world, unsigned char seed);
  /// A look at the log at `seconds` since 1970.
  tlog::LogWitness::Look look(const trace::RunFolder& run, std::uint64_t seconds);
  [[nodiscard]] const Path& state() const { return state_; }

 private:
  const World& world_;
  Path state_;
  crypto::PrivateKey key_;
  tlog::LogWitness witness_;
};

/// The honest run of the same terms without witnesses, logged under the contract that has them.
class WatchedRun {
 public:
  explicit WatchedRun(const World& world);

  std::vector<std::string> entries;

  [[nodiscard]] const trace::RunFolder& folder() const { return run_; }
  /// The sizes at which a checkpoint is due.
  [[nodiscard]] std::vector<std::uint64_t> sizes() const;
  /// A new log over the first `size` entries, with the checkpoints that are due until then.
  void write_log(std::uint64_t size) const;
  void write_log() const { write_log(entries.size()); }
  /// Grows from nothing under the eyes of `watchers`, `between` seconds from look to look.
  void grow(const std::vector<Watcher*>& watchers, std::uint64_t between = kBetweenLooks,
            std::uint64_t from = kFirstLook) const;
  /// Other bytes behind the entry of a step, as a provider that recomputes makes them.
  void change_step(std::uint64_t step);

  [[nodiscard]] audit::AuditRequest request(const std::vector<Path>& witnesses) const;
  [[nodiscard]] audit::Verdict audit_all(const std::vector<Path>& witnesses) const;

 private:
  const World& world_;
  trace::RunFolder run_;
};

/// The client's challenge, made and read back.
audit::SignedChallenge challenge_of(const World& world, const audit::Challenge& challenge);

}  // namespace aftune::liar
