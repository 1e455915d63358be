// SPDX-License-Identifier: Apache-2.0
// Element types that a contract may choose: docs/formats/contract.md, `dtypes`.
#pragma once

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/tensor/tensor.h"

namespace aftune::trace {

/// All that is not named here is fp32.
struct Dtypes {
  Dtype boundary = Dtype::kF32;  // what edges are rounded to: kF32, kBF16
  Dtype frozen = Dtype::kF32;    // of the base's parameters: beside adapters kBF16 and kF16, too
  Dtype moments = Dtype::kF32;   // of the optimizer: kF32, kBF16

  friend bool operator==(const Dtypes&, const Dtypes&) = default;
};

codec::Json to_contract(const Dtypes& dtypes);
/// Errors: kInvalidInput naming a member that is missing or unknown; kUnsupported for another type,
///         naming those that there are.
Result<Dtypes> dtypes_from_contract(codec::JsonReader& reader, bool has_adapter);

}  // namespace aftune::trace
