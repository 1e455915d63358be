// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/openai_body.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "aftune/base/log_line.h"

namespace aftune::receipt {
namespace {

using codec::Json;

constexpr unsigned kMaxDepth = 32;
constexpr std::uint64_t kCompletionTokens = 16, kChatTokens = 256;  // where the body says none

Error refused(std::string_view name, std::string_view reason) {
  return {Code::kInvalidInput, fmt::format("{}: {}", printable(name), reason)};
}

std::optional<double> number(const Json& value) {
  if (const std::int64_t* integer = value.integer()) return static_cast<double>(*integer);
  if (const double* real = value.real()) return *real;
  return std::nullopt;
}

bool is_number(const Json& value, double wanted) { return number(value) == wanted; }

/// Members that must not say anything, with what says nothing.
struct Neutral {
  std::string_view name;
  bool (*holds)(const Json&);
  std::string_view wanted;
};

bool is_one(const Json& value) { return is_number(value, 1); }
bool is_zero(const Json& value) { return is_number(value, 0); }
bool is_false(const Json& value) { return value == Json(false); }
bool is_empty_object(const Json& value) { return value == Json(Json::Object()); }
bool is_empty_string(const Json& value) { return value == Json(""); }
bool is_string(const Json& value) { return value.string() != nullptr; }
bool is_text_format(const Json& value) {
  return value == Json(Json::Object{{"type", Json("text")}});
}

constexpr Neutral kNeutral[] = {
    {"n", is_one, "only 1 is supported"},
    {"best_of", is_one, "only 1 is supported"},
    {"echo", is_false, "only false is supported"},
    {"logprobs", is_false, "only false is supported"},
    {"presence_penalty", is_zero, "only 0 is supported, there is repetition_penalty"},
    {"frequency_penalty", is_zero, "only 0 is supported, there is repetition_penalty"},
    {"logit_bias", is_empty_object, "only {} is supported"},
    {"suffix", is_empty_string, "only \"\" is supported"},
    {"response_format", is_text_format, "only {\"type\":\"text\"} is supported"},
    {"user", is_string, "not a string"},
};

/// The members of one body; remembers which were asked for.
class Members {
 public:
  explicit Members(const Json::Object& object) : object_(object) {}

  /// Null if the member is absent or null.
  const Json* find(std::string_view name) {
    known_.emplace(name);
    const auto found = object_.find(name);
    if (found == object_.end() || found->second.is_null()) return nullptr;
    return &found->second;
  }
  Status read(std::string_view name, std::string& into) {
    const Json* value = find(name);
    if (value == nullptr) return ok();
    if (value->string() == nullptr) return refused(name, "not a string");
    into = *value->string();
    return ok();
  }
  Status read(std::string_view name, bool& into) {
    const Json* value = find(name);
    if (value == nullptr) return ok();
    if (value->boolean() == nullptr) return refused(name, "not true or false");
    into = *value->boolean();
    return ok();
  }
  Status read(std::string_view name, double& into) {
    const Json* value = find(name);
    if (value == nullptr) return ok();
    const std::optional<double> got = number(*value);
    if (!got) return refused(name, "not a number");
    into = *got;
    return ok();
  }
  Result<std::optional<std::uint64_t>> integer(std::string_view name, std::uint64_t min,
                                               std::uint64_t max) {
    const Json* value = find(name);
    if (value == nullptr) return std::optional<std::uint64_t>();
    const std::int64_t* got = value->integer();
    if (got == nullptr) return refused(name, "not an integer");
    if (*got < 0 || static_cast<std::uint64_t>(*got) < min ||
        static_cast<std::uint64_t>(*got) > max) {
      return refused(name, fmt::format("{} is not within {} and {}", *got, min, max));
    }
    return std::optional(static_cast<std::uint64_t>(*got));
  }
  Status read(std::string_view name, std::optional<Digest>& into) {
    const Json* value = find(name);
    if (value == nullptr) return ok();
    if (value->string() == nullptr) return refused(name, "not a string of 64 hex digits");
    AFTUNE_TRY(into, parse_digest(*value->string()).in(std::string(name)));
    return ok();
  }
  /// Errors: kInvalidInput for a member that nobody asked for.
  [[nodiscard]] Status finish() const {
    for (const auto& [name, value] : object_) {
      if (!known_.contains(name)) return refused(name, "not supported");
    }
    return ok();
  }

 private:
  const Json::Object& object_;
  std::set<std::string, std::less<>> known_;
};

Result<Tokens> read_ids(const Json::Array& items) {
  Tokens out;
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::int64_t* id = items[i].integer();
    if (id == nullptr || *id < 0 || *id > INT32_MAX) {
      return refused("prompt", fmt::format("item {} is no token id", i));
    }
    out.push_back(static_cast<std::int32_t>(*id));
  }
  return out;
}

Result<Input> read_prompt(const Json* value) {
  if (value == nullptr) return refused("prompt", "missing");
  if (const std::string* text = value->string()) return Input(*text);
  const Json::Array* items = value->array();
  if (items == nullptr) return refused("prompt", "neither a string nor an array");
  if (items->empty()) return refused("prompt", "empty");
  const Json& first = items->front();
  if (first.string() != nullptr || first.array() != nullptr) {
    if (items->size() > 1) {
      return refused("prompt", fmt::format("{} prompts, at most 1 a request", items->size()));
    }
    if (first.string() != nullptr) return Input(*first.string());
    items = first.array();
  }
  AFTUNE_TRY(Tokens ids, read_ids(*items));
  return Input(std::move(ids));
}

/// A string, or the joined texts of an array of parts.
Result<std::string> read_content(const Json* value, const std::string& path) {
  if (value == nullptr) return refused(path, "missing");
  if (value->string() != nullptr) return *value->string();
  if (value->array() == nullptr) return refused(path, "neither a string nor an array of texts");
  std::string out;
  for (const Json& part : *value->array()) {
    const Json* type = part.find("type");
    const Json* text = part.find("text");
    if (type == nullptr || *type != Json("text") || text == nullptr || text->string() == nullptr ||
        part.object()->size() != 2) {
      return refused(path, "holds a part that is no {\"type\":\"text\",\"text\"}");
    }
    out += *text->string();
  }
  return out;
}

Result<Input> read_messages(const Json* value) {
  if (value == nullptr) return refused("messages", "missing");
  if (value->array() == nullptr) return refused("messages", "not an array");
  const Json::Array& items = *value->array();
  std::vector<ChatMessage> out;
  for (std::size_t i = 0; i < items.size() && i <= kMaxMessages; ++i) {
    const std::string path = fmt::format("messages[{}]", i);
    if (items[i].object() == nullptr) return refused(path, "not an object");
    Members members(*items[i].object());
    ChatMessage message;
    AFTUNE_TRY(members.read("role", message.role).in(path));
    AFTUNE_TRY(message.content, read_content(members.find("content"), path + ".content"));
    AFTUNE_TRY(members.finish().in(path));
    out.push_back(std::move(message));
  }
  AFTUNE_TRY(check_messages(out).in("messages"));
  return Input(std::move(out));
}

Status read_stop(Members& members, std::vector<std::string>& into) {
  const Json* value = members.find("stop");
  if (value == nullptr) return ok();
  if (value->string() != nullptr) {
    into = {*value->string()};
  } else if (value->array() == nullptr) {
    return refused("stop", "neither a string nor an array");
  } else {
    for (const Json& one : *value->array()) {
      if (one.string() == nullptr) return refused("stop", "holds something that is no string");
      into.push_back(*one.string());
    }
  }
  return check_stop_strings(into).in("stop");
}

Status read_sampling(Members& members, SamplingRule& into) {
  into.temperature = 1;
  AFTUNE_TRY(members.read("temperature", into.temperature));
  AFTUNE_TRY(members.read("top_p", into.top_p));
  AFTUNE_TRY(members.read("repetition_penalty", into.repetition_penalty));
  AFTUNE_TRY(const auto top_k, members.integer("top_k", 0, UINT32_MAX));
  into.top_k = static_cast<std::uint32_t>(top_k.value_or(0));
  return check_sampling(into);
}

Status read_limit(OpenAiShape shape, Members& members, Request& into) {
  AFTUNE_TRY(const auto limit, members.integer("max_tokens", 1, kMaxOutput));
  std::optional<std::uint64_t> newer;
  if (shape == OpenAiShape::kChat) {
    AFTUNE_TRY(newer, members.integer("max_completion_tokens", 1, kMaxOutput));
  }
  if (limit && newer) return refused("max_tokens", "stands beside max_completion_tokens");
  const std::uint64_t without = shape == OpenAiShape::kChat ? kChatTokens : kCompletionTokens;
  into.max_tokens = limit ? *limit : newer.value_or(without);
  return ok();
}

Status read_stream_options(Members& members, bool& include_usage) {
  const Json* value = members.find("stream_options");
  if (value == nullptr) return ok();
  if (value->object() == nullptr) return refused("stream_options", "not an object");
  Members options(*value->object());
  AFTUNE_TRY(options.read("include_usage", include_usage).in("stream_options"));
  return options.finish().in("stream_options");
}

Result<OpenAiBody> read_body(OpenAiShape shape, const Json::Object& object) {
  Members members(object);
  OpenAiBody out;
  AFTUNE_TRY(members.read("model", out.model));
  if (shape == OpenAiShape::kChat) {
    AFTUNE_TRY(out.input, read_messages(members.find("messages")));
  } else {
    AFTUNE_TRY(out.input, read_prompt(members.find("prompt")));
  }
  AFTUNE_TRY(check_input(out.input));
  AFTUNE_TRY(read_limit(shape, members, out.request));
  AFTUNE_TRY(read_sampling(members, out.request.sampling));
  AFTUNE_TRY(read_stop(members, out.request.stop));
  AFTUNE_TRY(out.request.seed, members.integer("seed", 0, codec::kMaxJsonInteger));
  AFTUNE_TRY(members.read("aftune_nonce", out.request.nonce));
  AFTUNE_TRY(members.read("aftune_audit_sha256", out.request.audit_sha256));
  AFTUNE_TRY(members.read("stream", out.stream));
  AFTUNE_TRY(read_stream_options(members, out.include_usage));
  for (const Neutral& one : kNeutral) {
    const Json* value = members.find(one.name);
    if (value != nullptr && !one.holds(*value)) return refused(one.name, one.wanted);
  }
  AFTUNE_TRY(members.finish());
  return out;
}

Result<Json> parse_object(std::string_view text) {
  Result<Json> json = codec::parse_json(text, {.bytes = kMaxBodyBytes, .depth = kMaxDepth})
                          .in("the body is no JSON");
  if (json && json->object() == nullptr) {
    return Error{Code::kInvalidInput, "the body is no JSON object"};
  }
  return json;
}

}  // namespace

Result<OpenAiBody> read_openai_body(OpenAiShape shape, std::string_view text) {
  AFTUNE_TRY(const Json json, parse_object(text));
  return read_body(shape, *json.object());
}

Result<OpenAiBody> read_openai_body(std::string_view text) {
  AFTUNE_TRY(const Json json, parse_object(text));
  const bool chat = json.find("messages") != nullptr;
  return read_body(chat ? OpenAiShape::kChat : OpenAiShape::kCompletion, *json.object());
}

}  // namespace aftune::receipt
