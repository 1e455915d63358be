// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/receipt.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/endian.h"
#include "aftune/base/log_line.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tlog/merkle.h"

namespace aftune::receipt {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::int64_t kMaxPositions = std::int64_t{1} << 24;
constexpr std::size_t kMaxId = 128;

Digest tokens_digest(std::string_view domain, const Digest& salt, const Tokens& tokens) {
  ByteBuffer ids;
  ids.reserve(4 * tokens.size());
  for (const std::int32_t id : tokens) append(ids, store_le(static_cast<std::uint32_t>(id)));
  return crypto::sha256({as_bytes(domain), salt.view(), ids});
}

Json tokens_json(const Tokens& tokens) {
  Json::Array out;
  out.reserve(tokens.size());
  for (const std::int32_t id : tokens) out.emplace_back(id);
  return out;
}

Result<Tokens> read_tokens(JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const Json::Array* items, reader.array(name));
  Tokens out;
  out.reserve(items->size());
  for (const Json& item : *items) {
    const std::int64_t* id = item.integer();
    if (id == nullptr || *id < 0 || *id > INT32_MAX) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}.{}[{}] is no token", reader.path(), name, out.size())};
    }
    out.push_back(static_cast<std::int32_t>(*id));
  }
  return out;
}

Status read_kind(JsonReader& reader, std::string_view kind) {
  AFTUNE_TRY(const std::string got, reader.string("kind"));
  if (got == kind) return ok();
  return Error{Code::kInvalidInput, fmt::format("{}.kind is \"{}\", it must be \"{}\"",
                                                reader.path(), printable(got), kind)};
}

Result<std::uint64_t> read_count(JsonReader& reader, const char* name, std::int64_t min,
                                 std::int64_t max) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, min, max));
  return static_cast<std::uint64_t>(value);
}

Result<Seed> read_seed(JsonReader reader) {
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  AFTUNE_TRY(const std::string value, reader.string("value"));
  AFTUNE_TRY(reader.finish());
  Seed out;
  AFTUNE_TRY(out.value, parse_seed(value).in(reader.path()));
  for (const SeedKind known : {SeedKind::kServer, SeedKind::kClient, SeedKind::kUnbound}) {
    if (kind != seed_kind_name(known)) continue;
    out.kind = known;
    return out;
  }
  return Error{Code::kInvalidInput,
               fmt::format("{}.kind \"{}\" is none of server, client and unbound", reader.path(),
                           printable(kind))};
}

Result<std::vector<Digest>> read_edges(JsonReader& reader) {
  AFTUNE_TRY(const Json::Array* items, reader.array("edges"));
  std::vector<Digest> out;
  for (const Json& item : *items) {
    const std::string path = fmt::format("{}.edges[{}]", reader.path(), out.size());
    if (item.string() == nullptr) return Error{Code::kInvalidInput, path + " is no digest"};
    AFTUNE_TRY(const Digest digest, parse_digest(*item.string()).in(path));
    out.push_back(digest);
  }
  return out;
}

Result<Body> read_body(JsonReader reader) {
  Body out;
  AFTUNE_TRY(reader.integer("aftune", 1, 1));
  AFTUNE_TRY(read_kind(reader, "receipt"));
  AFTUNE_TRY(out.position, read_count(reader, "position", 1, codec::kMaxJsonInteger));
  AFTUNE_TRY(out.statement, reader.digest("statement"));
  AFTUNE_TRY(out.id, reader.string("id"));
  if (!is_request_id(out.id)) {
    return Error{Code::kInvalidInput, reader.path() +
                                          ".id: not 1 to 128 letters, digits, '-', "
                                          "'_' and '.'"};
  }
  AFTUNE_TRY(const Json* request, reader.any("request"));
  AFTUNE_TRY(out.request, Request::parse(*request, reader.path() + ".request"));
  AFTUNE_TRY(JsonReader seed, reader.object("seed"));
  AFTUNE_TRY(out.seed, read_seed(std::move(seed)));
  AFTUNE_TRY(out.prompt, reader.digest("prompt"));
  AFTUNE_TRY(out.prompt_tokens, read_count(reader, "prompt_tokens", 1, kMaxPositions));
  AFTUNE_TRY(out.output, reader.digest("output"));
  AFTUNE_TRY(out.output_tokens, read_count(reader, "output_tokens", 1, kMaxOutput));
  AFTUNE_TRY(out.text, reader.digest("text"));
  AFTUNE_TRY(const std::string finish, reader.string("finish"));
  AFTUNE_TRY(out.finish, parse_finish(finish).in(reader.path()));
  AFTUNE_TRY(out.edges, read_edges(reader));
  AFTUNE_TRY(out.logits, reader.digest("logits"));
  AFTUNE_TRY(reader.finish());
  return out;
}

}  // namespace

Json Body::json() const {
  Json::Array digests;
  for (const Digest& one : edges) digests.emplace_back(one.hex());
  return Json::Object{{"aftune", Json(1)},
                      {"edges", Json(std::move(digests))},
                      {"finish", Json(finish_name(finish))},
                      {"id", Json(id)},
                      {"kind", Json("receipt")},
                      {"logits", Json(logits.hex())},
                      {"output", Json(output.hex())},
                      {"output_tokens", Json(output_tokens)},
                      {"position", Json(position)},
                      {"prompt", Json(prompt.hex())},
                      {"prompt_tokens", Json(prompt_tokens)},
                      {"request", request.json()},
                      {"seed", Json(Json::Object{{"kind", Json(seed_kind_name(seed.kind))},
                                                 {"value", Json(spell_seed(seed.value))}})},
                      {"statement", Json(statement.hex())},
                      {"text", Json(text.hex())}};
}

std::string Body::text_form() const { return codec::canonical_json(json()); }

std::string Receipt::entry() const {
  const std::string text = body.text_form();
  const Digest bound =
      crypto::sha256({as_bytes(crypto::kDomainReceipt), salt.view(), as_bytes(text)});
  return codec::canonical_json(Json::Object{{"aftune", Json(1)},
                                            {"kind", Json("receipt")},
                                            {"position", Json(body.position)},
                                            {"receipt", Json(bound.hex())}});
}

Digest Receipt::leaf() const { return tlog::leaf_hash(as_bytes(entry())); }

std::string Receipt::text() const {
  return codec::canonical_json(Json::Object{{"body", body.json()},
                                            {"kind", Json("receipt-file")},
                                            {"salt", Json(salt.hex())},
                                            {"statement", statement.json()}});
}

Result<Receipt> Receipt::parse(std::string_view text) {
  AFTUNE_TRY(const Json json, codec::parse_canonical_json(
                                  text, {.bytes = kMaxReceiptBytes, .depth = 8, .values = 65536}));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "receipt"));
  AFTUNE_TRY(read_kind(reader, "receipt-file"));
  Receipt out;
  AFTUNE_TRY(out.salt, reader.digest("salt"));
  AFTUNE_TRY(JsonReader body, reader.object("body"));
  AFTUNE_TRY(out.body, read_body(std::move(body)));
  AFTUNE_TRY(const Json* statement, reader.any("statement"));
  AFTUNE_TRY(out.statement, Statement::read(*statement));
  AFTUNE_TRY(reader.finish());
  return out;
}

std::string Answer::text() const {
  return codec::canonical_json(Json::Object{{"aftune", Json(1)},
                                            {"input", to_json(input)},
                                            {"kind", Json("answer")},
                                            {"output", tokens_json(output)},
                                            {"prompt", tokens_json(prompt)},
                                            {"salt", Json(salt.hex())},
                                            {"text", Json(text_of_output)}});
}

Result<Answer> Answer::parse(std::string_view text) {
  AFTUNE_TRY(const Json json,
             codec::parse_canonical_json(
                 text, {.bytes = kMaxAnswerBytes, .depth = 5, .values = std::uint64_t{1} << 25}));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "answer"));
  AFTUNE_TRY(reader.integer("aftune", 1, 1));
  AFTUNE_TRY(read_kind(reader, "answer"));
  Answer out;
  AFTUNE_TRY(const Json* input, reader.any("input"));
  AFTUNE_TRY(out.input, read_input(*input, "answer.input"));
  AFTUNE_TRY(out.salt, reader.digest("salt"));
  AFTUNE_TRY(out.prompt, read_tokens(reader, "prompt"));
  AFTUNE_TRY(out.output, read_tokens(reader, "output"));
  AFTUNE_TRY(out.text_of_output, reader.string("text"));
  AFTUNE_TRY(reader.finish());
  return out;
}

Digest prompt_digest(const Digest& salt, const Tokens& tokens) {
  return tokens_digest(crypto::kDomainPrompt, salt, tokens);
}

Digest output_digest(const Digest& salt, const Tokens& tokens) {
  return tokens_digest(crypto::kDomainOutput, salt, tokens);
}

Digest text_digest(const Digest& salt, std::string_view text) {
  return crypto::sha256({as_bytes(crypto::kDomainText), salt.view(), as_bytes(text)});
}

bool is_request_id(std::string_view id) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), fits);
}

}  // namespace aftune::receipt
