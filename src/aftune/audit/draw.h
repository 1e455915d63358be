// SPDX-License-Identifier: Apache-2.0
// A client's secret, and the final checkpoint that it drew for: docs/formats/audit.md, "Draw".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aftune/audit/draw_order.h"
#include "aftune/base/bytes.h"
#include "aftune/base/file.h"
#include "aftune/tlog/checkpoint.h"
#include "aftune/trace/contract.h"

namespace aftune::audit {

/// The 32 bytes of a secret file (64 hex digits and a newline).
/// Errors: kNotFound; kInvalidInput for another form or if they are not the contract's secret.
Result<ByteBuffer> read_secret(const Path& file, const trace::Contract& contract);

/// The final checkpoint for which a secret has drawn before: the note stored beside it.
struct PinnedCheckpoint {
  tlog::Checkpoint checkpoint;
  std::string note;
};

/// What `secret_file`.checkpoint holds; empty if there is none.
/// Errors: kInvalidInput for a note that the log's key did not sign, or one over another size than
///         a closed log of this contract has; kUnavailable.
Result<std::optional<PinnedCheckpoint>> read_pin(const Path& secret_file,
                                                 const trace::Contract& contract);

/// Stores the final checkpoint's note beside the secret before the secret is used, durably.
/// Errors: kInvalidInput if one stands there; kUnavailable.
Status write_pin(const Path& secret_file, std::string_view note);

}  // namespace aftune::audit
