// SPDX-License-Identifier: Apache-2.0
// Which rows a step trains on: a stated function of seed, epoch and row count.
// Rules: docs/formats/dataset.md, "order".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/crypto/digest.h"

namespace aftune::text {

struct OrderRule {
  std::string shuffle;    // "sha256" or "none"
  bool drop_last = true;  // an epoch's remainder is dropped; else the batch goes on in the next
  friend bool operator==(const OrderRule&, const OrderRule&) = default;
};

/// Epoch `epoch`'s permutation of [0, row_count): rows sorted by
/// SHA-256(domain || seed || epoch be64 || row be64), ascending; or the identity.
std::vector<std::uint64_t> epoch_order(const OrderRule& rule, const Digest& seed,
                                       std::uint64_t epoch, std::uint64_t row_count);

/// The rows of one step of `batch` samples. Caches the last epoch. Threads: one at a time.
class SampleOrder {
 public:
  /// Requires: row_count >= 1, batch >= 1, and with drop_last batch <= row_count.
  SampleOrder(OrderRule rule, Digest seed, std::uint64_t row_count, std::uint64_t batch);

  [[nodiscard]] std::vector<std::uint64_t> rows_of(std::uint64_t step);

 private:
  std::uint64_t at(std::uint64_t epoch, std::uint64_t position);
  OrderRule rule_;
  Digest seed_;
  std::uint64_t row_count_, batch_;
  std::uint64_t cached_epoch_ = 0;
  std::vector<std::uint64_t> cached_;
};

}  // namespace aftune::text
