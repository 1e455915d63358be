// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/philox.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::receipt {
namespace {

using codec::Json;
__extension__ using Wide = unsigned __int128;

constexpr std::uint32_t kMaxTopK = 1U << 22;

/// One id that may be chosen.
struct Candidate {
  double score = 0;
  std::int32_t id = 0;
  std::uint64_t weight = 0;
};

/// The order of the page: likelier first, then the smaller id.
bool comes_first(const Candidate& a, const Candidate& b) {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
}

std::vector<double> penalised(std::span<const float> logits, std::span<const std::int32_t> before,
                              double penalty) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (penalty == 1) return scores;
  std::vector<std::int32_t> seen(before.begin(), before.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const std::int32_t id : seen) {
    double& score = scores[static_cast<std::size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}

template <typename Scores>
std::int32_t first_of_largest(const Scores& scores) {
  return static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// All ids whose weight may be above zero, ascending, weights set.
std::vector<Candidate> weighed(const std::vector<double>& scores, const SamplingRule& rule) {
  const double most = *std::max_element(scores.begin(), scores.end());
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double x = (scores[i] - most) / rule.temperature;
    if (x < -40) continue;
    out.push_back({scores[i], static_cast<std::int32_t>(i), 0});
  }
  if (rule.top_k > 0 && rule.top_k < out.size()) {
    const auto end = out.begin() + rule.top_k;
    std::nth_element(out.begin(), end, out.end(), comes_first);
    out.erase(end, out.end());
  }
  for (Candidate& one : out) {
    const double x = (one.score - most) / rule.temperature;
    one.weight = static_cast<std::uint64_t>(std::nearbyint(numerics::exact_exp(x) * 0x1p40));
  }
  return out;
}

Wide sum_of(const std::vector<Candidate>& candidates) {
  Wide sum = 0;
  for (const Candidate& one : candidates) sum += one.weight;
  return sum;
}

/// The shortest beginning, in the page's order, that has `share` of the weight.
void keep_nucleus(std::vector<Candidate>& candidates, double share) {
  const auto q = static_cast<std::uint64_t>(std::nearbyint(share * 0x1p32));
  const Wide enough = sum_of(candidates) * q;
  // A heap gives the likeliest ones first without an order of all.
  const auto later = [](const Candidate& a, const Candidate& b) { return comes_first(b, a); };
  std::make_heap(candidates.begin(), candidates.end(), later);
  auto end = candidates.end();
  Wide sum = 0;
  do {
    std::pop_heap(candidates.begin(), end, later);
    --end;
    sum += end->weight;
  } while (end != candidates.begin() && (sum << 32) < enough);
  candidates.erase(candidates.begin(), end);
}

std::uint64_t random_word(std::uint64_t seed, std::uint64_t position) {
  const auto words = numerics::philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return (std::uint64_t{words[1]} << 32) | words[0];
}

/// One of them in proportion to its weight.
std::int32_t draw(std::vector<Candidate>& candidates, std::uint64_t random) {
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  Wide mark = Wide{random} * sum_of(candidates) >> 64;
  for (const Candidate& one : candidates) {
    if (mark < one.weight) return one.id;
    mark -= one.weight;
  }
  AFTUNE_CHECK(false, "a mark below the sum of the weights");
  return 0;
}

Status in_range(const char* name, double value, double min, double max, const char* or_else = "") {
  if (value >= min && value <= max) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{} is {}, it must be {}from {} to {}", name, value, or_else, min, max)};
}

}  // namespace

Status check_sampling(const SamplingRule& rule) {
  if (rule.temperature != 0) {
    AFTUNE_TRY(in_range("temperature", rule.temperature, 0x1p-10, 0x1p10, "0 or "));
  }
  if (rule.top_k > kMaxTopK) {
    return Error{Code::kInvalidInput, fmt::format("top_k is {}, at most {}", rule.top_k, kMaxTopK)};
  }
  if (!(rule.top_p > 0 && rule.top_p <= 1)) {
    return Error{Code::kInvalidInput,
                 fmt::format("top_p is {}, it must be above 0 and at most 1", rule.top_p)};
  }
  return in_range("repetition_penalty", rule.repetition_penalty, 0x1p-4, 0x1p4);
}

Json to_json(const SamplingRule& rule) {
  // A negative zero is the zero of another spelling.
  return Json::Object{
      {"repetition_penalty", Json(codec::hex_float(rule.repetition_penalty))},
      {"temperature", Json(codec::hex_float(rule.temperature == 0 ? 0 : rule.temperature))},
      {"top_k", Json(rule.top_k)},
      {"top_p", Json(codec::hex_float(rule.top_p))}};
}

Result<SamplingRule> read_sampling(codec::JsonReader reader) {
  SamplingRule rule;
  AFTUNE_TRY(rule.temperature, reader.hex_real("temperature"));
  AFTUNE_TRY(const std::int64_t top_k, reader.integer("top_k", 0, kMaxTopK));
  rule.top_k = static_cast<std::uint32_t>(top_k);
  AFTUNE_TRY(rule.top_p, reader.hex_real("top_p"));
  AFTUNE_TRY(rule.repetition_penalty, reader.hex_real("repetition_penalty"));
  AFTUNE_TRY(reader.finish());
  AFTUNE_TRY(check_sampling(rule).in(reader.path()));
  if (rule.temperature == 0 && std::signbit(rule.temperature)) {
    return Error{Code::kInvalidInput, reader.path() + ".temperature: a zero has no sign"};
  }
  return rule;
}

std::int32_t choose_token(std::span<const float> logits, std::span<const std::int32_t> before,
                          const SamplingRule& rule, std::uint64_t seed) {
  AFTUNE_CHECK(!logits.empty(), "no logits");
  if (rule.temperature == 0 && rule.repetition_penalty == 1) return first_of_largest(logits);
  const std::vector<double> scores = penalised(logits, before, rule.repetition_penalty);
  if (rule.temperature == 0) return first_of_largest(scores);
  std::vector<Candidate> candidates = weighed(scores, rule);
  if (rule.top_p < 1) keep_nucleus(candidates, rule.top_p);
  return draw(candidates, random_word(seed, before.size()));
}

}  // namespace aftune::receipt
