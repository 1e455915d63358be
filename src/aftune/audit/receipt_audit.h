// SPDX-License-Identifier: Apache-2.0
// The audit of one receipt: layer blocks replayed over all positions, every decision made again.
// Checks, draw and outcome: docs/formats/receipt.md, "Audit".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "aftune/audit/receipt_verdict.h"
#include "aftune/numerics/engine.h"
#include "aftune/receipt/served_model.h"
#include "aftune/receipt/serving_folder.h"

namespace aftune::audit {

/// The auditor's copy of the model, hashed once for many receipts.
struct AuditedModel {
  receipt::ServedModel model;
  receipt::RootedTensors tensors;
};
/// Errors: those of open_served_model.
Result<AuditedModel> open_audited_model(const Path& folder, ThreadPool& pool);

/// At most one of all, secret and blocks says what is replayed; without them, the head alone.
struct ReceiptAuditRequest {
  const receipt::Presented& presented;
  receipt::Expected expected;
  const AuditedModel& model;
  std::optional<receipt::ServingFolder> openings = {};  // without it every edge is made again
  bool all = false;
  std::optional<ByteBuffer> secret = {};   // the client's, 32 bytes
  std::uint64_t draw_count = 1;            // with secret
  std::vector<std::uint32_t> blocks = {};  // by hand
  std::optional<TrainingVerdict> training = {};
};

/// All layer blocks in the order of the draw.
std::vector<std::uint32_t> draw_layer_blocks(Bytes secret, const Digest& leaf,
                                             std::uint32_t block_count);

/// Errors: kInvalidInput for a request that makes no sense (a block that is none, a secret that is
///         not the one that the receipt's request commits to). What the server gave never gives an
///         error, but a verdict.
Result<ReceiptVerdict> audit_receipt(const ReceiptAuditRequest& request,
                                     const numerics::Engine& engine);

}  // namespace aftune::audit
