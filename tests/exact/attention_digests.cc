// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/attention.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::AttentionShape;
using numerics::Engine;

struct Operands {
  Values q, k, v, o, d_o;
};

Operands operands(const AttentionShape& s, std::uint32_t seed) {
  const std::size_t rows = s.batch * s.sequence;
  const std::size_t width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
  return {painted(rows * width, seed), painted(rows * kv_width, seed + 1),
          painted(rows * kv_width, seed + 2), Values(rows * width),
          painted(rows * width, seed + 3)};
}

void take_gradients(const Engine& engine, const AttentionShape& s, const Operands& in,
                    DigestLine& line) {
  Values dq(in.q.size()), dk(in.k.size()), dv(in.v.size());
  const auto status =
      numerics::attention_grad(engine, s, in.q.data(), in.k.data(), in.v.data(), in.o.data(),
                               in.d_o.data(), dq.data(), dk.data(), dv.data());
  AFTUNE_CHECK(status.has_value(), "finite attention was refused");
  for (const Values* result : {&dq, &dk, &dv}) line.take(*result);
}

/// Rows of the first sequence, one by one against a cache: first, last, around blocks of 256 keys.
void take_decoded(const Engine& engine, const AttentionShape& s, const Operands& in,
                  DigestLine& line) {
  const std::size_t width = s.heads * s.head_dim;
  for (const std::size_t keys : {std::size_t{1}, std::size_t{256}, std::size_t{257}, s.sequence}) {
    if (keys > s.sequence) continue;
    Values o(width);
    const auto status = numerics::attention_decode(
        engine, s, keys, in.q.data() + (keys - 1) * width, in.k.data(), in.v.data(), o.data());
    AFTUNE_CHECK(status.has_value(), "finite attention was refused");
    line.take(o);
  }
}

}  // namespace

void attention_digests(const Engine& engine) {
  // batch, sequence, heads, key/value heads, head width
  constexpr std::size_t kShapes[][5] = {{1, 1, 1, 1, 2},   {2, 7, 4, 2, 8},   {3, 33, 6, 2, 10},
                                        {1, 65, 2, 1, 64}, {1, 5, 2, 2, 300}, {1, 256, 1, 1, 6},
                                        {1, 257, 2, 2, 4}, {2, 300, 3, 1, 12}};
  std::uint32_t seed = 1000;
  for (const auto& [batch, sequence, heads, kv_heads, head_dim] : kShapes) {
    const AttentionShape shape{batch,    sequence, heads,
                               kv_heads, head_dim, 1.0F / std::sqrt(static_cast<float>(head_dim))};
    std::string extents;
    for (const std::size_t extent : {batch, sequence, heads, kv_heads, head_dim}) {
      extents.append(extents.empty() ? "." : "x").append(std::to_string(extent));
    }
    Operands in = operands(shape, seed += 10);
    const auto status =
        numerics::attention(engine, shape, in.q.data(), in.k.data(), in.v.data(), in.o.data());
    AFTUNE_CHECK(status.has_value(), "finite attention was refused");
    DigestLine("attention.forward" + extents).take(in.o);
    DigestLine backward("attention.backward" + extents);
    take_gradients(engine, shape, in, backward);
    DigestLine decode("attention.decode" + extents);
    take_decoded(engine, shape, in, decode);
  }
}

}  // namespace aftune::exact
