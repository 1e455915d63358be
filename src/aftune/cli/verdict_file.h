// SPDX-License-Identifier: Apache-2.0
// The verdict of an audit as a signed file: docs/formats/audit.md, docs/formats/receipt.md.
#pragma once

#include <optional>
#include <string>

#include "aftune/codec/json.h"
#include "aftune/codec/key_file.h"

namespace aftune::cli {

/// What the end of an audit needs, looked at before it: a slip must not cost the whole of it.
/// `out` and `key` name files, or are empty. Errors: those of check_out_file and read_key_file.
Result<std::optional<codec::KeyFile>> prepare_verdict(const std::string& out,
                                                      const std::string& key);

/// Writes the statement in an envelope, signed under the key's name if there is a key; nothing if
/// `out` is empty. Errors: those of write_new_file.
Status write_verdict(const std::string& out, const std::optional<codec::KeyFile>& key,
                     const codec::Json& statement);

}  // namespace aftune::cli
