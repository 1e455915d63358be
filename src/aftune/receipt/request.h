// SPDX-License-Identifier: Apache-2.0
// What a client asks of a served model, and what follows from it: docs/formats/receipt.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aftune/receipt/chat_template.h"
#include "aftune/receipt/output_text.h"
#include "aftune/receipt/sampling.h"
#include "aftune/receipt/statement.h"

namespace aftune::receipt {

using Tokens = std::vector<std::int32_t>;

/// A text, messages, or tokens.
using Input = std::variant<std::string, std::vector<ChatMessage>, Tokens>;

/// UTF-8, known roles. Errors: kInvalidInput.
Status check_input(const Input& input);

/// Requires: what check_input lets through.
codec::Json to_json(const Input& input);
/// Errors: kInvalidInput.
Result<Input> read_input(const codec::Json& json, const std::string& path);
/// SHA-256(domain, salt, canonical text).
Digest input_digest(const Digest& salt, const Input& input);

inline constexpr std::uint64_t kMaxOutput = std::uint64_t{1} << 20;

/// The document; the input stands in it as its digest.
struct Request {
  Digest input;
  std::uint64_t max_tokens = 0;
  SamplingRule sampling;
  std::vector<std::string> stop;
  std::optional<std::uint64_t> seed;
  std::optional<Digest> nonce;
  std::optional<Digest> audit_sha256;

  [[nodiscard]] codec::Json json() const;
  [[nodiscard]] Digest digest() const;
  /// Errors: kInvalidInput, naming the member.
  static Result<Request> parse(const codec::Json& json, const std::string& path);

  friend bool operator==(const Request&, const Request&) = default;
};

/// The salt of a request with a nonce.
Digest prompt_salt(const Digest& nonce);
/// SHA-256(domain, secret): what a request holds of the client's audit secret.
Digest audit_secret_commitment(Bytes secret);

enum class SeedKind { kServer, kClient, kUnbound };
std::string_view seed_kind_name(SeedKind kind);  // "server", "client", "unbound"
struct Seed {
  SeedKind kind = SeedKind::kUnbound;
  std::uint64_t value = 0;
  friend bool operator==(const Seed&, const Seed&) = default;
};
/// What the request implies.
SeedKind seed_kind(const Request& request);
/// The seed of a request with a nonce and none of its own.
std::uint64_t server_seed(Bytes server_secret, const Request& request);

/// 16 hex digits, and back. Errors: kInvalidInput.
std::string spell_seed(std::uint64_t seed);
Result<std::uint64_t> parse_seed(std::string_view text);

/// The prompt of an input.
/// Errors: kInvalidInput for none, one as long as the model's positions, or a token outside the
///         vocabulary; kUnsupported for messages without a known template.
Result<Tokens> prompt_of(const Input& input, const text::Tokenizer& tokenizer,
                         const Statement& statement);

/// When the output of such a request ends.
StopRule stop_rule(const Request& request, const Statement& statement, std::size_t prompt_tokens);

}  // namespace aftune::receipt
