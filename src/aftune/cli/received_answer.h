// SPDX-License-Identifier: Apache-2.0
// What came from an endpoint, as a client kept it: docs/formats/serving.md, "Answers".
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/file.h"

namespace aftune::cli {

/// The four documents, each the text of a file.
struct ReceivedAnswer {
  std::string receipt, proof, answer, request;
};

inline constexpr std::uint64_t kMaxReceived = std::uint64_t{256} << 20;

/// `text` is the body of an answer, or the events of a stream.
/// Errors: kInvalidInput for one without a receipt.
Result<ReceivedAnswer> read_received(std::string_view text);

/// Files of their usual names, in a folder that must not have them.
/// Errors: those of make_folders and write_new_file.
Status write_answer_files(const Path& folder, const ReceivedAnswer& received);

}  // namespace aftune::cli
