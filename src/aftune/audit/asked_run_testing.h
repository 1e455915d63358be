// SPDX-License-Identifier: Apache-2.0
// A closed run whose contract names witnesses, a challenge for it, and the provider's answer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "aftune/audit/auditor.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit::testing {

using trace::testing::must;
using trace::testing::test_engine;
using trace::testing::test_key;
using trace::testing::TinyJob;

inline constexpr std::int64_t kReceived = 1'800'000'000;
inline constexpr std::int64_t kDeadline = 72 * 3600;

inline tlog::WitnessKey witness(unsigned char seed) {
  return {"witness-" + std::to_string(seed), test_key(seed).public_key()};
}

/// A finished run whose contract asks for two of three witnesses: 7, 8, and the client's key, 1.
inline const TinyJob& watched_job() {
  static const TinyJob job([](trace::Contract& c) {
    c.audit.witnesses = {{witness(1), witness(7), witness(8)}, 2, 3600};
  });
  static const bool closed = must(job.train()).end == trace::RunEnd::kClosed;
  AFTUNE_CHECK(closed, "the tiny run did not close");
  return job;
}

/// A copy of the run, a challenge for it and the provider's answer.
struct Asked {
  const trace::testing::TempFolder folder;
  const TinyJob& job;
  const trace::Contract& contract = job.contract();
  const trace::RunFolder run{folder / "run"};
  tlog::LogReading log = job.log(job.run());
  Challenge challenge;
  std::vector<SignedTiming> timings;

  explicit Asked(const TinyJob& of = watched_job()) : job(of) {
    std::filesystem::copy(job.run().root, run.root, std::filesystem::copy_options::recursive);
    challenge = {contract.digest(), ByteBuffer(32, 7), log.checkpoint_note, {}};
    challenge.blocks = order();
    challenge.blocks.resize(contract.audit.blocks);
  }
  [[nodiscard]] std::vector<BlockIndex> order() const {
    return draw_order(ByteBuffer(32, 7), tlog::checkpoint_text(log.checkpoint), 2, 3);
  }
  [[nodiscard]] Result<SignedChallenge> opened() const {
    return open_challenge(sign_challenge(challenge, test_key(1), "client"), contract);
  }
  [[nodiscard]] Manifest manifest() const {
    return must(make_manifest(run, contract, log.entries, must(opened())));
  }
  void cosign_all(const Path& to) const {
    must(make_folders(to));
    for (std::size_t i = 0; i < log.history.size(); ++i) {
      auto note = must(tlog::decode_note(log.history_notes[i]));
      for (const unsigned char seed : std::initializer_list<unsigned char>{7, 8}) {
        tlog::cosign(note, test_key(seed), witness(seed).name, 1'790'000'000 + i);
      }
      must(write_file(to / std::to_string(i), as_bytes(tlog::encode_note(note))));
    }
  }
  /// A witness's statement, read as an auditor reads it.
  void state(unsigned char seed, std::int64_t waited, std::optional<std::int64_t> answered = {}) {
    const auto asked = must(opened());
    Timing timing{contract.digest(), asked.digest, kReceived, {}, 0, kReceived + waited};
    if (answered) {
      timing.manifest = asked.digest;
      timing.manifest_received = kReceived + *answered;
    }
    timings.push_back(must(open_timing(sign_timing(timing, test_key(seed), witness(seed).name),
                                       contract, asked.digest)));
  }
  [[nodiscard]] Verdict audited(const std::optional<Manifest>& answer) const {
    return must(audit(answer));
  }
  [[nodiscard]] Result<Verdict> audit(const std::optional<Manifest>& answer) const {
    const Path notes = folder / "notes";
    cosign_all(notes);
    AuditRequest request{contract, run, {}, false, {}, 0, {}, {}, 0, {}};
    request.now = kReceived + kDeadline;
    request.challenge = must(opened());
    request.witnesses = {notes};
    request.timings = timings;
    if (answer) {
      request.manifest = must(open_manifest(sign_manifest(*answer, job.provider, "provider"),
                                            contract, request.challenge->digest));
    }
    return audit_run(request, test_engine());
  }
};

inline bool mentions(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

inline void expect_reject(const Verdict& verdict, Check check, const std::string& names) {
  ASSERT_EQ(verdict.outcome, Outcome::kReject) << verdict_text(verdict);
  EXPECT_EQ(verdict.findings[0].check, check) << verdict_text(verdict);
  EXPECT_NE(verdict.findings[0].message.find(names), std::string::npos) << verdict_text(verdict);
}

inline void expect_open(const Verdict& verdict, const std::string& names) {
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << verdict_text(verdict);
  EXPECT_TRUE(mentions(verdict.unchecked, names)) << verdict_text(verdict);
}

}  // namespace aftune::audit::testing
