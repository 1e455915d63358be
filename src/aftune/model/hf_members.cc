// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/hf_members.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace aftune::model {

using codec::Json;

namespace {

constexpr std::size_t kShortText = 80;

// They describe how the file came about or how text is generated; no logit depends on them.
constexpr std::string_view kIgnored[] = {"_attn_implementation_autoset",
                                         "_name_or_path",
                                         "bos_token_id",
                                         "dtype",
                                         "eos_token_id",
                                         "id2label",
                                         "initializer_range",
                                         "is_llama_config",
                                         "label2id",
                                         "output_attentions",
                                         "output_hidden_states",
                                         "pad_token_id",
                                         "problem_type",
                                         "return_dict",
                                         "torch_dtype",
                                         "transformers.js_config",
                                         "transformers_version",
                                         "unk_token_id",
                                         "use_cache"};

}  // namespace

Error hf_invalid(const std::string& what) { return {Code::kInvalidInput, "config.json: " + what}; }
Error hf_unsupported(const std::string& what) {
  return {Code::kUnsupported, "config.json: " + what};
}

std::string spelled(const Json& value) {
  if (value.object() != nullptr) return "an object";
  if (value.array() != nullptr) {
    std::string all;
    for (const Json& item : *value.array()) {
      all += (all.empty() ? "" : ", ") + spelled(item);
      if (all.size() > kShortText) return "a long list";
    }
    return "[" + all + "]";
  }
  std::string text = codec::pretty_json(value);
  text.pop_back();  // the newline
  return text.size() <= kShortText ? text : "a long text";
}

bool hf_ignored(std::string_view name) {
  return std::ranges::find(kIgnored, name) != std::end(kIgnored);
}

double short_double(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double out = 0;
  std::from_chars(text, written.ptr, out);
  return static_cast<float>(out) == value ? out : static_cast<double>(value);
}

bool absent(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null();
}

std::optional<double> number_of(const Json& value) {
  if (const auto* real = value.real()) return *real;
  if (const auto* integer = value.integer()) return static_cast<double>(*integer);
  return std::nullopt;
}

Result<std::uint32_t> read_extent(const Json& object, std::string_view name,
                                  std::string_view path) {
  const Json* value = object.find(name);
  if (value == nullptr) return hf_invalid(fmt::format("{}{} is missing", path, name));
  const auto* integer = value->integer();
  if (integer == nullptr || *integer < 1 || *integer > std::numeric_limits<std::uint32_t>::max()) {
    return hf_invalid(
        fmt::format("{}{} is {}, no integer from 1 to 2^32-1", path, name, spelled(*value)));
  }
  return static_cast<std::uint32_t>(*integer);
}

Result<double> read_number(const Json& object, std::string_view name, std::string_view path) {
  const Json* value = object.find(name);
  if (value == nullptr) return hf_invalid(fmt::format("{}{} is missing", path, name));
  if (const auto number = number_of(*value)) return *number;
  return hf_invalid(fmt::format("{}{} is {}, no number", path, name, spelled(*value)));
}

}  // namespace aftune::model
