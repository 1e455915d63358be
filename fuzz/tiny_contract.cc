// SPDX-License-Identifier: Apache-2.0
#include "fuzz/tiny_contract.h"

#include "fuzz/fuzz.h"

namespace aftune::fuzz {

const trace::Contract& tiny_contract() {
  static const auto opened = trace::open_signed_contract(tree_file("examples/tiny/contract.json"));
  AFTUNE_CHECK(opened.has_value(), opened ? "" : opened.error().what);
  return opened->contract;
}

}  // namespace aftune::fuzz
