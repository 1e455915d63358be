// SPDX-License-Identifier: Apache-2.0
#include "watched_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"

namespace aftune::liar {
namespace {

/// The same terms without witnesses: whose run is trained.
const World& plain() { return world(fine()); }

}  // namespace

crypto::PrivateKey key_of_seed(unsigned char seed) {
  return must(crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, seed))));
}

tlog::WitnessKey witness_key(unsigned char seed) {
  return {fmt::format("witness-{}.example", seed), key_of_seed(seed).public_key()};
}

Terms watched(std::vector<unsigned char> seeds, std::uint64_t quorum) {
  Terms terms = fine();
  terms.change = [seeds = std::move(seeds), quorum](trace::Contract& contract) {
    contract.audit.witnesses = {{}, quorum, kMaxDelay};
    for (const unsigned char seed : seeds) {
      contract.audit.witnesses.keys.push_back(witness_key(seed));
    }
  };
  return terms;
}

Watcher::Watcher(const World& world, unsigned char seed)
    : world_(world),
      state_(fresh_path("witness")),
      key_(key_of_seed(seed)),
      witness_(must(tlog::LogWitness::open(state_, world.contract().log_key(), key_,
                                           witness_key(seed).name))) {}

tlog::LogWitness::Look Watcher::look(const trace::RunFolder& run, std::uint64_t seconds) {
  return must(witness_.look(must(tlog::read_log(run.log(), world_.contract().log_key())), seconds));
}

WatchedRun::WatchedRun(const World& world)
    : entries(FinishedRun(plain(), plain().honest_run()).entries),
      world_(world),
      run_(plain().copy_of_honest_run()) {
  entries[0] = trace::encode_entry(0, {}, world.contract().digest());
  must(write_file(run_.contract(), as_bytes(world.envelope().envelope)));
  write_log();
}

std::vector<std::uint64_t> WatchedRun::sizes() const {
  const trace::Timeline timeline(world_.contract());
  std::vector<std::uint64_t> out;
  for (std::uint64_t j = 0; j <= timeline.step_blocks(); ++j) {
    out.push_back(timeline.position_of_state(timeline.layer_blocks() - 1, j) + 1);
  }
  out.push_back(entries.size());
  return out;
}

void WatchedRun::write_log(std::uint64_t size) const {
  std::filesystem::remove_all(run_.log());
  auto log =
      must(tlog::LogWriter::open(run_.log(), world_.contract().origin(), world_.provider_key()));
  for (const std::uint64_t due : sizes()) {
    while (log.entries().size() < std::min(due, size)) {
      must(log.append(entries[log.entries().size()]));
    }
    must(log.sign());
    if (due >= size) return;
  }
}

void WatchedRun::grow(const std::vector<Watcher*>& watchers, std::uint64_t between,
                      std::uint64_t from) const {
  std::uint64_t now = from;
  for (const std::uint64_t size : sizes()) {
    write_log(size);
    for (Watcher* watcher : watchers) {
      const auto look = watcher->look(run_, now);
      EXPECT_EQ(look.refused, "");
      EXPECT_EQ(look.cosigned, std::vector<std::uint64_t>{size});
    }
    now += between;
  }
}

void WatchedRun::change_step(std::uint64_t step) {
  const trace::Timeline timeline(world_.contract());
  const std::uint64_t position = timeline.position_of_step(step);
  Digest other = must(trace::decode_entry(entries[position], position, timeline.at(position)));
  other.bytes[0] ^= 1;
  entries[position] = trace::encode_entry(position, timeline.at(position), other);
}

audit::AuditRequest WatchedRun::request(const std::vector<Path>& witnesses) const {
  audit::AuditRequest request = world_.all_blocks(run_);
  request.witnesses = witnesses;
  return request;
}

audit::Verdict WatchedRun::audit_all(const std::vector<Path>& witnesses) const {
  return must(audit::audit_run(request(witnesses), engine()));
}

audit::SignedChallenge challenge_of(const World& world, const audit::Challenge& challenge) {
  return must(audit::open_challenge(
      audit::sign_challenge(challenge, key_of_seed(1), world.contract().client.name),
      world.contract()));
}

}  // namespace aftune::liar
