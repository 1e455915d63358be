// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/tlog_proof.h"

#include <fmt/format.h>

#include "aftune/codec/base64.h"
#include "aftune/tlog/decimal.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr std::size_t kMaxBytes = std::size_t{2} << 20;
constexpr std::size_t kMaxPath = 64;

Error invalid(std::string what) { return {Code::kInvalidInput, "tlog-proof: " + std::move(what)}; }

/// Takes the next line off `text`, without its line feed.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return invalid("text ends inside the proof");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string encode_tlog_proof(const TlogProof& proof) {
  std::string out = fmt::format("{}\n", kHeader);
  if (!proof.extra.empty()) out += fmt::format("{}{}\n", kExtra, codec::to_base64(proof.extra));
  out += fmt::format("{}{}\n", kIndex, proof.index);
  for (const Digest& hash : proof.path) out += codec::to_base64(hash.view()) + "\n";
  return out + "\n" + proof.checkpoint_note;
}

Result<TlogProof> decode_tlog_proof(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return invalid(fmt::format("{} bytes, the limit is {}", text.size(), kMaxBytes));
  }
  TlogProof out;
  AFTUNE_TRY(std::string_view line, take_line(text));
  if (line != kHeader) return invalid(fmt::format("first line is not {}", kHeader));
  AFTUNE_TRY(line, take_line(text));
  if (line.starts_with(kExtra)) {
    AFTUNE_TRY(out.extra, codec::from_base64(line.substr(kExtra.size())).in("tlog-proof: extra"));
    if (out.extra.empty()) return invalid("extra without data");
    AFTUNE_TRY(line, take_line(text));
  }
  if (!line.starts_with(kIndex)) return invalid("no index line");
  AFTUNE_TRY(out.index, parse_decimal(line.substr(kIndex.size())).in("tlog-proof: index"));
  while (true) {
    AFTUNE_TRY(line, take_line(text));
    if (line.empty()) break;
    if (out.path.size() == kMaxPath) return invalid(fmt::format("over {} hashes", kMaxPath));
    AFTUNE_TRY(const ByteBuffer bytes, codec::from_base64(line).in("tlog-proof: hash"));
    AFTUNE_TRY(const Digest hash, to_digest(bytes).in("tlog-proof: hash"));
    out.path.push_back(hash);
  }
  AFTUNE_TRY(decode_note(text).in("tlog-proof: checkpoint"));
  out.checkpoint_note = text;
  return out;
}

Status verify_tlog_proof(const TlogProof& proof, const Digest& leaf, const VerifierKey& key) {
  AFTUNE_TRY(const Checkpoint checkpoint,
             open_checkpoint(proof.checkpoint_note, key).in("tlog-proof"));
  if (!verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)) {
    return invalid(fmt::format("leaf is not at index {} of the log of {} entries", proof.index,
                               checkpoint.size));
  }
  return ok();
}

}  // namespace aftune::tlog
