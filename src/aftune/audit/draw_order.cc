// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/draw_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"

namespace aftune::audit {
namespace {

constexpr unsigned kMaxWeight = 16;

using Numbers = std::vector<std::uint64_t>;

/// Everything that a permutation hangs on.
struct Draw {
  Digest key;
  std::uint32_t layer_blocks;
  std::uint64_t block_count;

  [[nodiscard]] Digest mark(std::uint64_t number) const {
    return crypto::hmac_sha256(key.view(), store_be<std::uint64_t>(number));
  }
  [[nodiscard]] Digest mark(std::uint64_t first, std::uint64_t second) const {
    ByteBuffer message;
    append(message, store_be<std::uint64_t>(first));
    append(message, store_be<std::uint64_t>(second));
    return crypto::hmac_sha256(key.view(), message);
  }
};

/// The numbers 0 .. count-1, ascending by what `mark_of` gives.
template <typename MarkOf>
Numbers sorted_by(std::uint64_t count, MarkOf mark_of) {
  std::vector<std::pair<Digest, std::uint64_t>> marked;
  marked.reserve(count);
  for (std::uint64_t b = 0; b < count; ++b) marked.emplace_back(mark_of(b), b);
  std::sort(marked.begin(), marked.end());
  Numbers out;
  out.reserve(count);
  for (const auto& [digest, number] : marked) out.push_back(number);
  return out;
}

Numbers uniform(const Draw& draw) {
  return sorted_by(draw.block_count, [&](std::uint64_t b) { return draw.mark(b); });
}

Numbers stratified(const Draw& draw) {
  std::vector<Numbers> strata(draw.layer_blocks);
  for (const std::uint64_t b : uniform(draw)) strata[b % draw.layer_blocks].push_back(b);
  Numbers out;
  out.reserve(draw.block_count);
  for (std::uint64_t round = 0; out.size() < draw.block_count; ++round) {
    for (const std::uint64_t i :
         sorted_by(draw.layer_blocks, [&](std::uint64_t s) { return draw.mark(round, s); })) {
      out.push_back(strata[i][round]);
    }
  }
  return out;
}

Numbers input_blocks(const Draw& draw) {
  Numbers out = uniform(draw);
  std::stable_partition(out.begin(), out.end(),
                        [&](std::uint64_t b) { return b % draw.layer_blocks == 0; });
  return out;
}

Numbers weighted(const Draw& draw, const std::vector<unsigned>& weights) {
  return sorted_by(draw.block_count, [&](std::uint64_t b) {
    Digest least = draw.mark(b, 0);
    for (unsigned q = 1; q < weights[b / draw.layer_blocks]; ++q) {
      least = std::min(least, draw.mark(b, q));
    }
    return least;
  });
}

/// Half of every prefix is the uniform permutation's, whatever the weights are.
Numbers state_changes(const Draw& draw, const std::vector<unsigned>& weights) {
  const Numbers sources[] = {uniform(draw), weighted(draw, weights)};
  std::size_t next[] = {0, 0};
  std::vector<bool> placed(draw.block_count, false);
  Numbers out;
  out.reserve(draw.block_count);
  while (out.size() < draw.block_count) {
    const std::size_t from = out.size() % 2;
    while (placed[sources[from][next[from]]]) ++next[from];
    out.push_back(sources[from][next[from]]);
    placed[out.back()] = true;
  }
  return out;
}

Numbers numbers(const Draw& draw, const DrawRule& rule) {
  switch (rule.strategy) {
    case trace::Strategy::kUniform:
      return uniform(draw);
    case trace::Strategy::kStratified:
      return stratified(draw);
    case trace::Strategy::kInputBlocks:
      return input_blocks(draw);
    case trace::Strategy::kStateChanges:
      AFTUNE_CHECK(rule.weights.size() * draw.layer_blocks == draw.block_count,
                   "a weight for each step block");
      return state_changes(draw, rule.weights);
  }
  AFTUNE_CHECK(false, "unknown strategy");
}

}  // namespace

std::vector<BlockIndex> draw_order(Bytes secret, std::string_view checkpoint_text,
                                   std::uint32_t layer_blocks, std::uint64_t step_blocks,
                                   const DrawRule& rule) {
  ByteBuffer message;
  append(message, as_bytes(crypto::kDomainDraw));
  append(message, as_bytes(checkpoint_text));
  const Draw draw{crypto::hmac_sha256(secret, message), layer_blocks, layer_blocks * step_blocks};
  std::vector<BlockIndex> out;
  out.reserve(draw.block_count);
  for (const std::uint64_t b : numbers(draw, rule)) {
    out.push_back({static_cast<std::uint32_t>(b % layer_blocks), b / layer_blocks});
  }
  return out;
}

std::vector<unsigned> draw_weights(const std::vector<StepMove>& steps,
                                   std::uint64_t steps_per_block) {
  std::vector<double> moves((steps.size() + steps_per_block - 1) / steps_per_block, 0.0);
  for (std::size_t t = 0; t < steps.size(); ++t) {
    const double move = steps[t].learning_rate * steps[t].clip * steps[t].norm;
    if (std::isfinite(move) && move > 0) moves[t / steps_per_block] += move;
  }
  const double most = moves.empty() ? 0 : *std::max_element(moves.begin(), moves.end());
  std::vector<unsigned> out(moves.size(), 1);
  if (!std::isfinite(most) || most <= 0) return out;
  for (std::size_t j = 0; j < moves.size(); ++j) {
    const double share = std::floor((kMaxWeight - 1) * moves[j] / most);
    out[j] = 1 + static_cast<unsigned>(std::min<double>(share, kMaxWeight - 1));
  }
  return out;
}

}  // namespace aftune::audit
