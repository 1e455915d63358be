// SPDX-License-Identifier: Apache-2.0
// Where the parts of a serving folder lie: docs/formats/receipt.md.
#pragma once

#include <cstdint>

#include "aftune/base/file.h"
#include "aftune/crypto/secret_bytes.h"

namespace aftune::receipt {

/// Paths only; touches nothing.
struct ServingFolder {
  Path root;

  [[nodiscard]] Path lock() const { return root / "lock"; }
  [[nodiscard]] Path secret() const { return root / "secret"; }
  [[nodiscard]] Path statement() const { return root / "statement.json"; }
  [[nodiscard]] Path root_salt() const { return root / "root-salt"; }
  [[nodiscard]] Path log() const { return root / "log"; }
  [[nodiscard]] Path store() const { return root / "store"; }
  [[nodiscard]] Path receipts() const { return root / "receipts"; }
  [[nodiscard]] Path receipt(std::uint64_t position) const;
  [[nodiscard]] Path proof(std::uint64_t position) const;
};

/// A secret of 32 bytes as a file has it: 64 hex digits and a newline.
/// Errors: kNotFound, kInvalidInput.
Result<crypto::SecretBytes> read_server_secret(const Path& file);

}  // namespace aftune::receipt
