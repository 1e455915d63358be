// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/endian.h"
#include "aftune/base/hex.h"
#include "aftune/base/log_line.h"
#include "aftune/codec/json_reader.h"
#include "aftune/codec/utf8.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"

namespace aftune::receipt {
namespace {

using codec::Json;
using codec::JsonReader;

std::string hex_or_empty(const std::optional<Digest>& digest) {
  return digest ? digest->hex() : std::string();
}

Result<std::optional<Digest>> read_optional_digest(JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const std::string text, reader.string(name));
  if (text.empty()) return std::optional<Digest>();
  AFTUNE_TRY(const Digest digest, parse_digest(text).in(fmt::format("{}.{}", reader.path(), name)));
  return std::optional(digest);
}

Result<Tokens> read_tokens(const Json::Array& items, const std::string& path) {
  Tokens out;
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::int64_t* id = items[i].integer();
    if (id == nullptr || *id < 0 || *id > INT32_MAX) {
      return Error{Code::kInvalidInput, fmt::format("{}[{}] is no token", path, i)};
    }
    out.push_back(static_cast<std::int32_t>(*id));
  }
  return out;
}

Result<std::vector<ChatMessage>> read_messages(const Json::Array& items, const std::string& path) {
  std::vector<ChatMessage> out;
  for (std::size_t i = 0; i < items.size() && i <= kMaxMessages; ++i) {
    AFTUNE_TRY(JsonReader item, JsonReader::open(items[i], fmt::format("{}[{}]", path, i)));
    ChatMessage message;
    AFTUNE_TRY(message.role, item.string("role"));
    AFTUNE_TRY(message.content, item.string("content"));
    AFTUNE_TRY(item.finish());
    out.push_back(std::move(message));
  }
  AFTUNE_TRY(check_messages(out));
  return out;
}

}  // namespace

Status check_input(const Input& input) {
  const Error no_text{Code::kInvalidInput, "the prompt is no UTF-8"};
  if (const auto* text = std::get_if<std::string>(&input)) {
    if (!codec::is_utf8(*text)) return no_text;
  } else if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&input)) {
    AFTUNE_TRY(check_messages(*messages));
    for (const ChatMessage& one : *messages) {
      if (!codec::is_utf8(one.content)) return no_text;
    }
  }
  return ok();
}

Json to_json(const Input& input) {
  if (const auto* text = std::get_if<std::string>(&input)) {
    return Json::Object{{"text", Json(*text)}};
  }
  Json::Array items;
  if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&input)) {
    for (const ChatMessage& one : *messages) {
      items.emplace_back(Json::Object{{"content", Json(one.content)}, {"role", Json(one.role)}});
    }
    return Json::Object{{"messages", Json(std::move(items))}};
  }
  for (const std::int32_t id : std::get<Tokens>(input)) items.emplace_back(id);
  return Json::Object{{"tokens", Json(std::move(items))}};
}

Result<Input> read_input(const Json& json, const std::string& path) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, path));
  Input out;
  if (reader.has("text")) {
    AFTUNE_TRY(out, reader.string("text"));
  } else if (reader.has("messages")) {
    AFTUNE_TRY(const Json::Array* items, reader.array("messages"));
    AFTUNE_TRY(out, read_messages(*items, path + ".messages"));
  } else {
    AFTUNE_TRY(const Json::Array* items, reader.array("tokens"));
    AFTUNE_TRY(out, read_tokens(*items, path + ".tokens"));
  }
  AFTUNE_TRY(reader.finish());
  return out;
}

Digest input_digest(const Digest& salt, const Input& input) {
  const std::string text = codec::canonical_json(to_json(input));
  return crypto::sha256({as_bytes(crypto::kDomainInput), salt.view(), as_bytes(text)});
}

Json Request::json() const {
  Json::Array stops;
  for (const std::string& one : stop) stops.emplace_back(one);
  return Json::Object{{"aftune", Json(1)},
                      {"audit_sha256", Json(hex_or_empty(audit_sha256))},
                      {"input", Json(input.hex())},
                      {"kind", Json("request")},
                      {"max_tokens", Json(max_tokens)},
                      {"nonce", Json(hex_or_empty(nonce))},
                      {"sampling", to_json(sampling)},
                      {"seed", Json(seed ? spell_seed(*seed) : std::string())},
                      {"stop", Json(std::move(stops))}};
}

Digest Request::digest() const { return crypto::sha256(as_bytes(codec::canonical_json(json()))); }

Result<Request> Request::parse(const Json& json, const std::string& path) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, path));
  Request out;
  AFTUNE_TRY(reader.integer("aftune", 1, 1));
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  if (kind != "request") {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.kind is \"{}\", it must be \"request\"", path, printable(kind))};
  }
  AFTUNE_TRY(out.input, reader.digest("input"));
  AFTUNE_TRY(const std::int64_t limit, reader.integer("max_tokens", 1, kMaxOutput));
  out.max_tokens = static_cast<std::uint64_t>(limit);
  AFTUNE_TRY(JsonReader sampling, reader.object("sampling"));
  AFTUNE_TRY(out.sampling, read_sampling(std::move(sampling)));
  AFTUNE_TRY(const Json::Array* stops, reader.array("stop"));
  for (const Json& one : *stops) {
    if (one.string() == nullptr) {
      return Error{Code::kInvalidInput, path + ".stop holds something that is no string"};
    }
    out.stop.push_back(*one.string());
  }
  AFTUNE_TRY(check_stop_strings(out.stop).in(path));
  AFTUNE_TRY(const std::string seed, reader.string("seed"));
  if (!seed.empty()) {
    AFTUNE_TRY(out.seed, parse_seed(seed).in(path + ".seed"));
  }
  AFTUNE_TRY(out.nonce, read_optional_digest(reader, "nonce"));
  AFTUNE_TRY(out.audit_sha256, read_optional_digest(reader, "audit_sha256"));
  AFTUNE_TRY(reader.finish());
  return out;
}

Digest prompt_salt(const Digest& nonce) {
  return crypto::sha256({as_bytes(crypto::kDomainPromptSalt), nonce.view()});
}

Digest audit_secret_commitment(Bytes secret) {
  return crypto::sha256({as_bytes(crypto::kDomainReceiptSecret), secret});
}

std::string_view seed_kind_name(SeedKind kind) {
  switch (kind) {
    case SeedKind::kServer:
      return "server";
    case SeedKind::kClient:
      return "client";
    case SeedKind::kUnbound:
      return "unbound";
  }
  return "?";
}

SeedKind seed_kind(const Request& request) {
  if (request.seed) return SeedKind::kClient;
  return request.nonce ? SeedKind::kServer : SeedKind::kUnbound;
}

std::uint64_t server_seed(Bytes server_secret, const Request& request) {
  ByteBuffer message;
  append(message, as_bytes(crypto::kDomainServeSeed));
  append(message, request.digest().view());
  append(message, request.nonce.value_or(Digest()).view());
  return load_le<std::uint64_t>(crypto::hmac_sha256(server_secret, message).bytes.data());
}

std::string spell_seed(std::uint64_t seed) { return to_hex(store_be(seed)); }

Result<std::uint64_t> parse_seed(std::string_view text) {
  AFTUNE_TRY(const ByteBuffer bytes, from_hex(text));
  if (bytes.size() != 8) {
    return Error{Code::kInvalidInput,
                 fmt::format("a seed has 16 hex digits, this has {}", text.size())};
  }
  std::uint64_t out = 0;
  for (const std::uint8_t byte : bytes) out = out << 8 | byte;
  return out;
}

Result<Tokens> prompt_of(const Input& input, const text::Tokenizer& tokenizer,
                         const Statement& statement) {
  Tokens out;
  if (const auto* text = std::get_if<std::string>(&input)) {
    AFTUNE_TRY(out, tokenizer.encode(*text));
  } else if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&input)) {
    AFTUNE_TRY(const std::string chat, render_chat(statement.chat, *messages));
    AFTUNE_TRY(out, tokenizer.encode(chat));
  } else {
    out = std::get<Tokens>(input);
  }
  const model::LlamaConfig& config = statement.architecture;
  if (out.empty()) return Error{Code::kInvalidInput, "the prompt has no tokens"};
  if (out.size() >= config.max_positions) {
    return Error{Code::kInvalidInput, fmt::format("the prompt has {} tokens, the model has {} "
                                                  "positions",
                                                  out.size(), config.max_positions)};
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] >= 0 && static_cast<std::uint32_t>(out[i]) < config.vocab_size) continue;
    return Error{Code::kInvalidInput,
                 fmt::format("token {} at position {}, the vocabulary has {} tokens", out[i], i,
                             config.vocab_size)};
  }
  return out;
}

StopRule stop_rule(const Request& request, const Statement& statement, std::size_t prompt_tokens) {
  const std::uint64_t room = statement.architecture.max_positions - prompt_tokens;
  return {statement.eos, request.stop, std::min(request.max_tokens, room)};
}

}  // namespace aftune::receipt
