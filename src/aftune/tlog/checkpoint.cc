// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/checkpoint.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "aftune/codec/base64.h"
#include "aftune/tlog/decimal.h"

namespace aftune::tlog {

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size,
                     codec::to_base64(checkpoint.root.view()));
}

Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end == 0) {
      return Error{Code::kInvalidInput, "checkpoint has fewer than 3 lines, or an empty one"};
    }
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) return Error{Code::kInvalidInput, "checkpoint has extension lines"};
  Checkpoint out;
  out.origin = lines[0];
  AFTUNE_TRY(out.size, parse_decimal(lines[1]).in("checkpoint size"));
  AFTUNE_TRY(const ByteBuffer root, codec::from_base64(lines[2]).in("checkpoint root"));
  AFTUNE_TRY(out.root, to_digest(root).in("checkpoint root"));
  return out;
}

SignedNote sign_checkpoint(const Checkpoint& checkpoint, const crypto::PrivateKey& key) {
  SignedNote note{checkpoint_text(checkpoint), {}};
  note.sign(key, checkpoint.origin);
  return note;
}

Result<Checkpoint> open_checkpoint(std::string_view note_text, const VerifierKey& key) {
  AFTUNE_TRY(const SignedNote note, decode_note(note_text));
  // Before the signature: another log's checkpoint is no forgery, and the message says whose it is.
  const std::string_view origin = std::string_view(note.text).substr(0, note.text.find('\n'));
  if (origin != key.name) {
    return Error{Code::kInvalidInput,
                 fmt::format("checkpoint of {}, expected {}", origin, key.name)};
  }
  if (!note.signed_by(key)) {
    return Error{
        Code::kInvalidInput,
        fmt::format("checkpoint has not one valid signature of {} {:08x}", key.name, key.id())};
  }
  return parse_checkpoint_text(note.text);
}

}  // namespace aftune::tlog
