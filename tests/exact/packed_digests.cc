// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/cached_attention.h"
#include "aftune/numerics/packed_weight.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::Engine;

/// Two weights, multiplied together by few rows and by more than one pass of them.
void product_digests_of(const Engine& engine, std::size_t outputs, std::size_t inputs) {
  const Values first = painted(outputs * inputs, 81), second = painted(3 * inputs, 82);
  numerics::PackedWeights weights(numerics::PackedWeights::bytes_of(outputs, inputs) +
                                  numerics::PackedWeights::bytes_of(3, inputs));
  const auto a = weights.add(engine, {first.data(), outputs, inputs});
  const auto b = weights.add(engine, {second.data(), 3, inputs});
  AFTUNE_CHECK(a && b, "finite weights were refused");
  DigestLine line("packed.linear." + std::to_string(outputs) + "x" + std::to_string(inputs));
  for (const std::size_t rows : {1U, 5U, 67U}) {
    const Values x = painted(rows * inputs, 83);
    Values y(rows * outputs, 0.5F), z(rows * 3, 0.5F);
    const numerics::PackedProduct products[] = {
        {*a, {y.data(), rows, outputs}, numerics::Store::kWrite},
        {*b, {z.data(), rows, 3}, numerics::Store::kAdd}};
    const auto status = numerics::linear_packed(engine, {x.data(), rows, inputs}, products);
    AFTUNE_CHECK(status.has_value(), "finite products were refused");
    line.take(y);
    line.take(z);
  }
}

/// A prompt, then tokens in pieces, past a segment of 256 positions.
void attention_digest(const Engine& engine) {
  constexpr std::size_t kHeads = 4, kKvHeads = 2, kDim = 10;
  const numerics::AttentionShape shape{1, 1, kHeads, kKvHeads, kDim, 0.3125F};
  numerics::KeyValueCache cache(kKvHeads, kDim);
  DigestLine line("packed.attention");
  for (const std::size_t count : {250U, 1U, 5U, 1U, 3U}) {
    const auto seed = static_cast<std::uint32_t>(90 + cache.size());
    const Values q = painted(count * kHeads * kDim, seed);
    const Values k = painted(count * kKvHeads * kDim, seed + 1);
    const Values v = painted(count * kKvHeads * kDim, seed + 2);
    Values o(q.size());
    const auto grown = cache.append(engine, {k.data(), count, kKvHeads * kDim},
                                    {v.data(), count, kKvHeads * kDim});
    AFTUNE_CHECK(grown.has_value(), "finite keys were refused");
    const numerics::CachedQueries queries[] = {
        {&cache, {q.data(), count, kHeads * kDim}, {o.data(), count, kHeads * kDim}}};
    const auto status = numerics::attention_cached(engine, shape, queries);
    AFTUNE_CHECK(status.has_value(), "finite attention was refused");
    line.take(o);
  }
}

}  // namespace

void packed_digests(const Engine& engine) {
  product_digests_of(engine, 1, 1);
  product_digests_of(engine, 17, 257);
  product_digests_of(engine, 40, 600);
  attention_digest(engine);
}

}  // namespace aftune::exact
