// SPDX-License-Identifier: Apache-2.0
// A receipt and what belongs to it as files. Errors name the file.
#pragma once

#include <optional>
#include <string>

#include "aftune/base/file.h"
#include "aftune/receipt/receipt_check.h"

namespace CLI {
class App;
}

namespace aftune::cli {

/// Flags that name the documents of one receipt and what the client knows.
struct ReceiptArgs {
  std::string receipt, proof, answer, server;  // needed
  std::string model_root, contract;            // may be empty
  std::string request, asked;                  // likewise; not both
};
/// All but the receipt and the contract, which commands take in their own way.
void add_receipt_options(CLI::App& command, ReceiptArgs& args);

/// What the flags name, read.
struct ReceiptFiles {
  receipt::Presented presented;
  std::optional<trace::Contract> contract;
  receipt::Expected expected;  // borrows the contract: see expect()
};
/// Errors: kInvalidInput for a flag that is missing or a file of another form; kNotFound.
Result<ReceiptFiles> load_receipt_files(const ReceiptArgs& args);
/// With the contract's place settled: after the last move of `files`.
receipt::Expected expect(const ReceiptFiles& files);

/// The 32 bytes of a file of 64 hex digits and a newline. Errors: kNotFound, kInvalidInput.
Result<ByteBuffer> read_hex_secret(const Path& file);

}  // namespace aftune::cli
