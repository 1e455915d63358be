// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/draw.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/hex.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;  // as any note may have

Path pin_of(const Path& secret_file) {
  Path file = secret_file;
  file += ".checkpoint";
  return file;
}

}  // namespace

Result<ByteBuffer> read_secret(const Path& file, const trace::Contract& contract) {
  AFTUNE_TRY(const std::string text, read_text_file(file, 4096));
  std::string_view hex = text;
  if (hex.ends_with('\n')) hex.remove_suffix(1);
  AFTUNE_TRY(ByteBuffer secret, from_hex(hex).in(file.string()));
  if (secret.size() != 32) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has {} bytes, a secret has 32", file.string(), secret.size())};
  }
  if (trace::secret_commitment(contract.run_id, secret) != contract.audit.secret_sha256) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is not the secret that this contract commits to", file.string())};
  }
  return secret;
}

Result<std::optional<PinnedCheckpoint>> read_pin(const Path& secret_file,
                                                 const trace::Contract& contract) {
  const Path file = pin_of(secret_file);
  Result<std::string> note = read_text_file(file, kMaxNoteBytes);
  if (!note && note.error().code == Code::kNotFound) return std::optional<PinnedCheckpoint>();
  if (!note) return std::move(note).error();
  AFTUNE_TRY(tlog::Checkpoint checkpoint,
             tlog::open_checkpoint(*note, contract.log_key()).in(file.string()));
  const std::uint64_t closed_size = trace::Timeline(contract).entry_count();
  if (checkpoint.size != closed_size) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is a checkpoint of {} entries, a closed log of this contract has "
                             "{}: nothing can have been drawn for it",
                             file.string(), checkpoint.size, closed_size)};
  }
  return std::optional(PinnedCheckpoint{std::move(checkpoint), *std::move(note)});
}

Status write_pin(const Path& secret_file, std::string_view note) {
  return write_new_file(pin_of(secret_file), as_bytes(note));
}

}  // namespace aftune::audit
