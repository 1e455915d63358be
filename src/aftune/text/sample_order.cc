// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/sample_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"

namespace aftune::text {

std::vector<std::uint64_t> epoch_order(const OrderRule& rule, const Digest& seed,
                                       std::uint64_t epoch, std::uint64_t row_count) {
  std::vector<std::uint64_t> rows(row_count);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  if (rule.shuffle == "none") return rows;
  AFTUNE_CHECK(rule.shuffle == "sha256", "unknown shuffle");
  std::vector<std::pair<Digest, std::uint64_t>> keyed;
  keyed.reserve(row_count);
  for (const std::uint64_t row : rows) {
    keyed.emplace_back(crypto::sha256({as_bytes(crypto::kDomainOrder), seed.view(), store_be(epoch),
                                       store_be(row)}),
                       row);
  }
  std::sort(keyed.begin(), keyed.end());
  std::transform(keyed.begin(), keyed.end(), rows.begin(), [](const auto& k) { return k.second; });
  return rows;
}

SampleOrder::SampleOrder(OrderRule rule, Digest seed, std::uint64_t row_count, std::uint64_t batch)
    : rule_(std::move(rule)), seed_(seed), row_count_(row_count), batch_(batch) {
  AFTUNE_CHECK(row_count_ >= 1 && batch_ >= 1, "an order needs rows and a batch");
  AFTUNE_CHECK(!rule_.drop_last || batch_ <= row_count_, "batch larger than the data set");
}

std::vector<std::uint64_t> SampleOrder::rows_of(std::uint64_t step) {
  std::vector<std::uint64_t> rows;
  rows.reserve(batch_);
  if (rule_.drop_last) {
    const std::uint64_t steps = row_count_ / batch_;  // an epoch
    for (std::uint64_t i = 0; i < batch_; ++i) {
      rows.push_back(at(step / steps, step % steps * batch_ + i));
    }
    return rows;
  }
  AFTUNE_CHECK(step < UINT64_MAX / batch_, "step beyond the order");
  for (std::uint64_t i = 0; i < batch_; ++i) {
    const std::uint64_t position = step * batch_ + i;
    rows.push_back(at(position / row_count_, position % row_count_));
  }
  return rows;
}

std::uint64_t SampleOrder::at(std::uint64_t epoch, std::uint64_t position) {
  if (cached_.empty() || cached_epoch_ != epoch) {
    cached_ = epoch_order(rule_, seed_, epoch, row_count_);
    cached_epoch_ = epoch;
  }
  return cached_[position];
}

}  // namespace aftune::text
