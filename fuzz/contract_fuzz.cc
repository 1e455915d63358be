// SPDX-License-Identifier: Apache-2.0
// A contract's payload, or the envelope that signs one.
#include "aftune/trace/contract.h"
#include "aftune/trace/list.h"
#include "aftune/trace/timeline.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

void check_timeline(const trace::Contract& contract) {
  const trace::Timeline timeline(contract);
  const std::uint64_t count = timeline.entry_count();
  AFTUNE_CHECK(count >= 2, "a log has a first and a last entry");
  for (const std::uint64_t position :
       {std::uint64_t{0}, count / 3, count / 2, count - 2, count - 1}) {
    const trace::Place place = timeline.at(position);
    std::uint64_t back = position;
    if (place.kind == trace::EntryKind::kState) {
      back = timeline.position_of_state(place.block, place.step_block);
    }
    if (place.kind == trace::EntryKind::kStep) back = timeline.position_of_step(place.step);
    AFTUNE_CHECK(back == position, "a place stands at another position");
  }
  AFTUNE_CHECK(timeline.at(0).kind == trace::EntryKind::kContract, "first entry");
  AFTUNE_CHECK(timeline.at(count - 1).kind == trace::EntryKind::kClose, "last entry");
}

void check_contract(const trace::Contract& contract, std::string_view payload) {
  AFTUNE_CHECK(contract.payload() == payload, "a second spelling was taken");
  const model::Partition partition = contract.partition();
  AFTUNE_CHECK(partition.block_count > 0 && contract.audit.blocks <= contract.block_count(),
               "more blocks to audit than there are");
  AFTUNE_CHECK(*trace::parse_utc(contract.closes_by) ==
                   *trace::parse_utc(trace::spell_utc(*trace::parse_utc(contract.closes_by))),
               "the closing date");
  check_timeline(contract);
  if (contract.architecture.layer_count <= 16) {
    AFTUNE_CHECK(!trace::state_tensors(contract, partition.block_count - 1).empty(), "no state");
  }
}

}  // namespace

bool decode_one(Bytes input) {
  const std::string_view text = as_text(input);
  if (const auto contract = trace::Contract::parse(text)) {
    check_contract(*contract, text);
    return true;
  }
  const auto opened = trace::open_signed_contract(text);
  if (!opened) return false;
  check_contract(opened->contract, opened->contract.payload());
  AFTUNE_CHECK(opened->envelope == text, "another envelope");
  return true;
}

}  // namespace aftune::fuzz
