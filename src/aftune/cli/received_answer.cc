// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/received_answer.h"

#include <algorithm>

#include "aftune/codec/json_reader.h"

namespace aftune::cli {
namespace {

using codec::Json;

constexpr std::string_view kMember = "aftune_receipt";

Result<Json> parse(std::string_view text) {
  return codec::parse_json(text, {.bytes = kMaxReceived, .depth = 32});
}

/// The event that has the receipt; the last, if several say so.
Result<Json> find_event(std::string_view text) {
  constexpr std::string_view kData = "data: ";
  std::string_view found;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(kData) && line.find(kMember) != std::string_view::npos) {
      found = line.substr(kData.size());
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  if (found.empty()) return Error{Code::kInvalidInput, "no answer and no stream with a receipt"};
  return parse(found);
}

}  // namespace

Result<ReceivedAnswer> read_received(std::string_view text) {
  const bool whole = text.starts_with('{');
  AFTUNE_TRY(const Json json, whole ? parse(text) : find_event(text));
  const Json* receipt = json.find(kMember);
  if (receipt == nullptr) {
    return Error{Code::kInvalidInput, "the answer has no aftune_receipt: it is unreceipted"};
  }
  AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(*receipt, std::string(kMember)));
  ReceivedAnswer out;
  AFTUNE_TRY(out.receipt, reader.string("receipt"));
  AFTUNE_TRY(out.proof, reader.string("proof"));
  AFTUNE_TRY(out.answer, reader.string("answer"));
  AFTUNE_TRY(out.request, reader.string("request"));
  return out;
}

Status write_answer_files(const Path& folder, const ReceivedAnswer& received) {
  AFTUNE_TRY(make_folders(folder));
  AFTUNE_TRY(write_new_file(folder / "receipt.json", as_bytes(received.receipt)));
  AFTUNE_TRY(write_new_file(folder / "receipt.tlog-proof", as_bytes(received.proof)));
  AFTUNE_TRY(write_new_file(folder / "request.json", as_bytes(received.request)));
  return write_new_file(folder / "answer.json", as_bytes(received.answer));
}

}  // namespace aftune::cli
