// SPDX-License-Identifier: Apache-2.0
// The statement of a verdict that a second verifier is asked to find again.
#include "aftune/audit/reproduction.h"
#include "aftune/codec/dsse.h"
#include "fuzz/fuzz.h"
#include "fuzz/papers.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  const trace::Contract& contract = tiny_papers().contract;
  const codec::Dsse envelope{std::string(audit::kVerdictType), std::string(as_text(input)), {}};
  const auto reported = audit::read_reject(codec::encode_dsse(envelope), contract);
  if (!reported) return false;
  AFTUNE_CHECK(!reported->findings.empty(), "a REJECT without a finding");
  audit::Verdict same;
  same.findings = reported->findings;
  AFTUNE_CHECK(audit::not_found_again(*reported, same).empty(), "the same findings are others");
  audit::AuditRequest request{contract, {}, {}, false, {}, 0, {}, {}, 0, {}};
  (void)audit::ask_again(*reported, {}, request);
  AFTUNE_CHECK(request.blocks.size() == reported->blocks.size(), "other blocks");
  return true;
}

}  // namespace aftune::fuzz
