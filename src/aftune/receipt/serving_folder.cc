// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/serving_folder.h"

#include <fmt/format.h>

#include "aftune/base/hex.h"

namespace aftune::receipt {

Path ServingFolder::receipt(std::uint64_t position) const {
  return receipts() / fmt::format("{}.json", position);
}

Path ServingFolder::proof(std::uint64_t position) const {
  return receipts() / fmt::format("{}.tlog-proof", position);
}

Result<crypto::SecretBytes> read_server_secret(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, 4096));
  std::string_view hex = text;
  if (hex.ends_with('\n')) hex.remove_suffix(1);
  AFTUNE_TRY(ByteBuffer bytes, from_hex(hex).in(file.string()));
  if (bytes.size() != 32) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has {} bytes, a secret has 32", file.string(), bytes.size())};
  }
  return crypto::SecretBytes(std::move(bytes));
}

}  // namespace aftune::receipt
