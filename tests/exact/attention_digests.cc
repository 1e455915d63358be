// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/attention.h"
#include "aftune/numerics/cached_attention.h"
#include "aftune/numerics/key_value_cache.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::AttentionShape;
using numerics::Engine;
using numerics::Mask;

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

void forward(const Engine& engine, const std::string& name, const AttentionShape& s, Operands& in) {
  const auto status =
      numerics::attention(engine, s, in.q.data(), in.k.data(), in.v.data(), in.o.data());
  AFTUNE_CHECK(status.has_value(), "finite attention was refused");
  DigestLine(name).take(in.o);
}

void backward(const Engine& engine, const std::string& name, const AttentionShape& s,
              const Operands& in) {
  Values dq(in.q.size()), dk(in.k.size()), dv(in.v.size());
  const auto status =
      numerics::attention_grad(engine, s, in.q.data(), in.k.data(), in.v.data(), in.o.data(),
                               in.d_o.data(), dq.data(), dk.data(), dv.data());
  AFTUNE_CHECK(status.has_value(), "finite attention was refused");
  DigestLine line(name);
  for (const Values* result : {&dq, &dk, &dv}) line.take(*result);
}

/// Rows of the first sequence, one by one against a cache: first, last, around blocks of 256 keys.
void decode(const Engine& engine, const std::string& name, const AttentionShape& s,
            const Operands& in) {
  DigestLine line(name);
  const std::size_t width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
  for (const std::size_t keys : {std::size_t{1}, std::size_t{256}, std::size_t{257}, s.sequence}) {
    if (keys > s.sequence) continue;
    numerics::KeyValueCache cache(s.kv_heads, s.head_dim);
    const auto grown =
        cache.append(engine, {in.k.data(), keys, kv_width}, {in.v.data(), keys, kv_width});
    AFTUNE_CHECK(grown.has_value(), "finite keys were refused");
    Values o(width);
    const numerics::CachedQueries last[] = {
        {&cache, {in.q.data() + (keys - 1) * width, 1, width}, {o.data(), 1, width}}};
    const auto status = numerics::attention_cached(engine, s, last);
    AFTUNE_CHECK(status.has_value(), "finite attention was refused");
    line.take(o);
  }
}

AttentionShape shape_of(const std::size_t (&extents)[5], Mask mask) {
  const auto& [batch, sequence, heads, kv_heads, head_dim] = extents;
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  return {batch, sequence, heads, kv_heads, head_dim, scale, mask};
}

/// ".BxSxHxKxD"
std::string name_of(const std::size_t (&extents)[5]) {
  std::string name;
  for (const std::size_t extent : extents) {
    name.append(name.empty() ? "." : "x").append(std::to_string(extent));
  }
  return name;
}

}  // namespace

void attention_digests(const Engine& engine) {
  // batch, sequence, heads, key/value heads, head width
  constexpr std::size_t kShapes[][5] = {{1, 1, 1, 1, 2},   {2, 7, 4, 2, 8},   {3, 33, 6, 2, 10},
                                        {1, 65, 2, 1, 64}, {1, 5, 2, 2, 300}, {1, 256, 1, 1, 6},
                                        {1, 257, 2, 2, 4}, {2, 300, 3, 1, 12}};
  std::uint32_t seed = 1000;
  for (const auto& extents : kShapes) {
    const AttentionShape shape = shape_of(extents, Mask::kCausal);
    Operands in = operands(shape, seed += 10);
    forward(engine, "attention.forward" + name_of(extents), shape, in);
    decode(engine, "attention.decode" + name_of(extents), shape, in);
    backward(engine, "attention.backward" + name_of(extents), shape, in);
  }
}

void full_attention_digests(const Engine& engine) {
  // Those of small image transformers at the end: 196 or 256 patches and a token of their own.
  constexpr std::size_t kShapes[][5] = {{1, 1, 1, 1, 2},    {2, 7, 4, 2, 8},    {2, 129, 2, 1, 10},
                                        {1, 300, 3, 1, 12}, {1, 197, 2, 2, 64}, {1, 257, 2, 2, 64}};
  std::uint32_t seed = 2000;
  for (const auto& extents : kShapes) {
    const AttentionShape shape = shape_of(extents, Mask::kFull);
    Operands in = operands(shape, seed += 10);
    forward(engine, "attention.full.forward" + name_of(extents), shape, in);
    backward(engine, "attention.full.backward" + name_of(extents), shape, in);
  }
}

}  // namespace aftune::exact
