// SPDX-License-Identifier: Apache-2.0
// A choice of list, then its text, under the contract of examples/tiny.
#include "aftune/trace/list.h"
#include "fuzz/fuzz.h"
#include "fuzz/tiny_contract.h"

namespace aftune::fuzz {
namespace {

bool same(const std::string& encoded, std::string_view text) {
  AFTUNE_CHECK(encoded == text, "a second spelling was taken");
  return true;
}

}  // namespace

bool decode_one(Bytes input) {
  const trace::Contract& contract = tiny_contract();
  const std::uint8_t choice = take_byte(input);
  const std::string_view text = as_text(input);
  const std::uint32_t index = choice / 4;
  switch (choice % 4) {
    case 0: {
      const std::uint32_t block = index % contract.partition().block_count;
      const auto list = trace::decode_state_list(contract, block, 1, text);
      return list && same(trace::encode_list(contract, block, 1, *list), text);
    }
    case 1: {
      const std::uint64_t step = index % contract.steps;
      const auto list = trace::decode_step_list(contract, step, text);
      return list && same(trace::encode_list(contract, step, *list), text);
    }
    case 2: {
      const auto list = trace::decode_close_list(text);
      return list && same(trace::encode_list(*list), text);
    }
    default: {
      const auto list = trace::decode_abort_list(text);
      return list && same(trace::encode_list(*list), text);
    }
  }
}

}  // namespace aftune::fuzz
