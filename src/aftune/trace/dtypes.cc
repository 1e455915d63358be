// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/dtypes.h"

#include <fmt/format.h>

#include <span>
#include <vector>

#include "aftune/base/log_line.h"

namespace aftune::trace {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr Dtype kRounded[] = {Dtype::kF32, Dtype::kBF16};
constexpr Dtype kFrozen[] = {Dtype::kF32, Dtype::kBF16, Dtype::kF16};
// What is trained, and its gradients.
constexpr const char* kAlwaysF32[] = {"gradients", "parameters"};

/// The member's type, one of `known`.
Result<Dtype> read_one(JsonReader& reader, std::string_view name, std::span<const Dtype> known) {
  AFTUNE_TRY(const std::string got, reader.string(name));
  std::vector<std::string_view> names;
  for (const Dtype dtype : known) {
    if (dtype_name(dtype) == got) return dtype;
    names.push_back(dtype_name(dtype));
  }
  return Error{Code::kUnsupported, fmt::format("{}.{} is \"{}\", known here: {}", reader.path(),
                                               name, printable(got), fmt::join(names, ", "))};
}

}  // namespace

Json to_contract(const Dtypes& dtypes) {
  Json::Object out{{"boundary", dtype_name(dtypes.boundary)},
                   {"frozen", dtype_name(dtypes.frozen)},
                   {"moments", dtype_name(dtypes.moments)}};
  for (const char* name : kAlwaysF32) out[name] = dtype_name(Dtype::kF32);
  return out;
}

Result<Dtypes> dtypes_from_contract(JsonReader& reader, bool has_adapter) {
  Dtypes out;
  AFTUNE_TRY(out.boundary, read_one(reader, "boundary", kRounded));
  // Without adapters nothing is frozen, and what is trained starts as the base's bytes.
  AFTUNE_TRY(out.frozen, read_one(reader, "frozen", std::span(kFrozen).first(has_adapter ? 3 : 1)));
  AFTUNE_TRY(out.moments, read_one(reader, "moments", kRounded));
  for (const char* name : kAlwaysF32) {
    AFTUNE_TRY(read_one(reader, name, std::span(kRounded).first(1)));
  }
  AFTUNE_TRY(reader.finish());
  return out;
}

}  // namespace aftune::trace
