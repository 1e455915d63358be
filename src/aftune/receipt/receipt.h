// SPDX-License-Identifier: Apache-2.0
// A receipt and the answer that it is for: docs/formats/receipt.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/receipt/request.h"
#include "aftune/receipt/statement.h"

namespace aftune::receipt {

/// What a receipt's entry commits to.
struct Body {
  std::uint64_t position = 0;
  Digest statement;
  std::string id;
  Request request;
  Seed seed;
  Digest prompt, output, text;
  std::uint64_t prompt_tokens = 0, output_tokens = 0;
  Finish finish = Finish::kLength;
  std::vector<Digest> edges;  // edge e at e - 1
  Digest logits;

  [[nodiscard]] codec::Json json() const;
  [[nodiscard]] std::string text_form() const;  // canonical

  friend bool operator==(const Body&, const Body&) = default;
};

/// What the client gets besides the proof and the answer.
struct Receipt {
  Body body;
  Digest salt;
  Statement statement;

  /// The entry of the log.
  [[nodiscard]] std::string entry() const;
  /// Its leaf hash: what blocks are drawn by.
  [[nodiscard]] Digest leaf() const;
  [[nodiscard]] std::string text() const;
  /// Errors: kInvalidInput or kUnsupported, naming the member.
  static Result<Receipt> parse(std::string_view text);
};

struct Answer {
  Input input;
  Digest salt;  // of the prompt
  Tokens prompt, output;
  std::string text_of_output;

  [[nodiscard]] std::string text() const;
  /// Errors: kInvalidInput, naming the member.
  static Result<Answer> parse(std::string_view text);
};

inline constexpr std::uint64_t kMaxReceiptBytes = std::uint64_t{4} << 20;
inline constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{64} << 20;

Digest prompt_digest(const Digest& salt, const Tokens& tokens);
Digest output_digest(const Digest& salt, const Tokens& tokens);
Digest text_digest(const Digest& salt, std::string_view text);

/// 1 to 128 letters, digits, '-', '_' and '.'.
[[nodiscard]] bool is_request_id(std::string_view id);

}  // namespace aftune::receipt
