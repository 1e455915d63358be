// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/adapter_spec.h"

#include <fmt/format.h>

#include "aftune/base/log_line.h"

namespace aftune::trace {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr const char* kSeed = "seed";

Json names_json(const std::vector<std::string>& names) {
  Json::Array out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

Result<std::vector<std::string>> names(JsonReader& reader, const char* member) {
  AFTUNE_TRY(const Json::Array* items, reader.array(member));
  std::vector<std::string> out;
  for (const Json& item : *items) {
    if (item.string() == nullptr) {
      return Error{Code::kInvalidInput, fmt::format("{}.{} holds no name", reader.path(), member)};
    }
    out.push_back(*item.string());
  }
  return out;
}

}  // namespace

Json to_contract(const AdapterSpec& spec) {
  return Json::Object{{"alpha", codec::hex_float(spec.lora.alpha)},
                      {"dropout", codec::hex_float(spec.lora.dropout)},
                      {"initial", spec.initial ? spec.initial->hex() : std::string(kSeed)},
                      {"kind", "lora"},
                      {"modules_to_save", names_json(spec.lora.modules_to_save)},
                      {"rank", spec.lora.rank},
                      {"rslora", spec.lora.rslora},
                      {"target_modules", names_json(spec.lora.target_modules)}};
}

Result<AdapterSpec> adapter_from_contract(JsonReader& reader,
                                          const model::LlamaConfig& architecture) {
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  if (kind != "lora") {
    return Error{Code::kUnsupported,
                 fmt::format("{}.kind is \"{}\", known: lora", reader.path(), printable(kind))};
  }
  AdapterSpec out;
  AFTUNE_TRY(const std::int64_t rank, reader.integer("rank", 1, 1 << 24));
  out.lora.rank = static_cast<std::uint32_t>(rank);
  AFTUNE_TRY(out.lora.alpha, reader.hex_real("alpha"));
  AFTUNE_TRY(out.lora.dropout, reader.hex_real("dropout"));
  AFTUNE_TRY(out.lora.rslora, reader.boolean("rslora"));
  AFTUNE_TRY(out.lora.target_modules, names(reader, "target_modules"));
  AFTUNE_TRY(out.lora.modules_to_save, names(reader, "modules_to_save"));
  AFTUNE_TRY(const std::string initial, reader.string("initial"));
  if (initial != kSeed) {
    AFTUNE_TRY(out.initial, parse_digest(initial).in(reader.path() + ".initial"));
  }
  AFTUNE_TRY(reader.finish());
  if (Status held = model::check_lora(out.lora, architecture); !held) {
    return Error{held.error().code, reader.path() + "." + held.error().what};
  }
  return out;
}

Status check_dropout_counter(const AdapterSpec& spec, const model::LlamaConfig& architecture,
                             std::uint64_t tokens) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 34;
  if (spec.lora.dropout == 0) return ok();
  for (const TensorSpec& tensor : model::trained_specs(architecture, spec.lora)) {
    const bool adapter = model::base_name(tensor.name).empty();
    if (!adapter || tokens * tensor.shape.back() < kLimit) continue;
    return Error{Code::kUnsupported,
                 fmt::format("contract.adapter.dropout: {} tokens of width {} have 2^34 elements "
                             "or more",
                             tokens, tensor.shape.back())};
  }
  return ok();
}

}  // namespace aftune::trace
