// SPDX-License-Identifier: Apache-2.0
// The digests of one request's edges as its positions come: docs/formats/receipt.md, "Edges".
#pragma once

#include <span>
#include <vector>

#include "aftune/crypto/blake3.h"
#include "aftune/receipt/statement.h"
#include "aftune/serve/generated.h"

namespace aftune::serve {

/// Threads: one at a time.
class EdgeRecorder {
 public:
  explicit EdgeRecorder(const receipt::Statement& statement);

  /// The next positions of edge `edge`, from 1: rows of the hidden size.
  void add(std::size_t edge, std::span<const float> rows);
  /// The logits before the next decision.
  void add_logits(std::span<const float> row);
  /// Digests and stored edges. Requires: called once, after the last row.
  void finish(Generated& into) &&;

 private:
  struct Edge {
    crypto::Blake3 hash;
    bool stored = false;
    ByteBuffer bytes;  // if stored
  };
  std::vector<Edge> edges_;
  crypto::Blake3 logits_;
};

}  // namespace aftune::serve
