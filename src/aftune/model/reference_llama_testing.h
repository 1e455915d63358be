// SPDX-License-Identifier: Apache-2.0
// A plain fp64 forward of every family, written from the formulas and not from our code, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "aftune/model/segment_function.h"
#include "aftune/numerics/loss.h"

namespace aftune::model::testing {

using Reals = std::vector<double>;
using RealMap = std::map<std::string, Reals>;

/// |got - expected| / |expected|, Euclidean norms.
inline double relative_error(std::span<const float> got, const Reals& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

inline RealMap to_reals(const TensorMap& tensors) {
  RealMap reals;
  for (const auto& [name, tensor] : tensors) {
    reals[name] = Reals(tensor.f32().begin(), tensor.f32().end());
  }
  return reals;
}

/// fp64 logits [rows * sequence, vocab] and loss.
class ReferenceLlama {
 public:
  ReferenceLlama(const LlamaConfig& config, const RealMap& weights) : c_(config), w_(weights) {}

  [[nodiscard]] Reals logits(const MicroBatch& batch) const {
    Reals all;
    for (std::size_t row = 0; row < batch.rows; ++row) {
      std::vector<Reals> x;
      const auto& table = w_.at("model.embed_tokens.weight");
      for (std::size_t s = 0; s < batch.sequence; ++s) {
        const auto id = static_cast<std::size_t>(batch.tokens[row * batch.sequence + s]);
        const auto* first = table.data() + id * c_.hidden_size;
        x.emplace_back(first, first + c_.hidden_size);
      }
      for (std::uint32_t layer = 0; layer < c_.layer_count; ++layer) decode(layer, x);
      const auto* head = c_.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
      for (const auto& token : x) {
        const Reals z = times(w_.at(head), norm("model.norm.weight", token));
        all.insert(all.end(), z.begin(), z.end());
      }
    }
    return all;
  }

  [[nodiscard]] double loss(const MicroBatch& batch) const {
    const Reals z = logits(batch);
    double sum = 0;
    for (std::size_t t = 0; t < batch.targets.size(); ++t) {
      if (batch.targets[t] == numerics::kIgnoredLabel) continue;
      const double* row = z.data() + t * c_.vocab_size;
      double exps = 0;
      for (std::size_t v = 0; v < c_.vocab_size; ++v) exps += std::exp(row[v]);
      sum += std::log(exps) - row[batch.targets[t]];
    }
    return sum / static_cast<double>(batch.counted);
  }

 private:
  static Reals times(const Reals& matrix, const Reals& x) {
    Reals y(matrix.size() / x.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      for (std::size_t j = 0; j < x.size(); ++j) y[i] += matrix[i * x.size() + j] * x[j];
    }
    return y;
  }

  [[nodiscard]] Reals norm(const std::string& name, Reals x) const {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double scale =
        1 / std::sqrt(squares / static_cast<double>(x.size()) + double{c_.rms_norm_eps});
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= scale * w_.at(name)[i];
    return x;
  }

  // x W^T and, where there is one, the bias; then the norm of each head where there is one.
  [[nodiscard]] Reals project(const std::string& prefix, char which, const Reals& x) const {
    const std::string name = prefix + "self_attn." + which;
    Reals y = times(w_.at(name + "_proj.weight"), x);
    if (w_.contains(name + "_proj.bias")) add(w_.at(name + "_proj.bias"), y);
    if (!w_.contains(name + "_norm.weight")) return y;
    Reals out;
    for (std::size_t at = 0; at < y.size(); at += c_.head_dim) {
      const auto* first = y.data() + at;
      const Reals head = norm(name + "_norm.weight", Reals(first, first + c_.head_dim));
      out.insert(out.end(), head.begin(), head.end());
    }
    return out;
  }

  // Meta's rule: long waves are slowed by the factor, short ones stay, those between blend.
  [[nodiscard]] double frequency(std::size_t i) const {
    const double plain = std::pow(c_.rope_theta, -2.0 * static_cast<double>(i) / c_.head_dim);
    if (!c_.rope_scaling) return plain;
    const RopeScaling& s = *c_.rope_scaling;
    const double turns = s.original_max_positions * plain / (2 * std::acos(-1.0));
    const double blend = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
    const double kept = std::clamp(blend, 0.0, 1.0);
    return (1 - kept) * plain / s.factor + kept * plain;
  }

  // Rotates head by head; `position` counts from 0 in the row.
  void rotate(Reals& x, std::size_t position) const {
    const std::size_t half = c_.head_dim / 2;
    for (std::size_t head = 0; head < x.size() / c_.head_dim; ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(position) * frequency(i);
        double& a = x[head * c_.head_dim + i];
        double& b = x[head * c_.head_dim + half + i];
        const double rotated = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = rotated;
      }
    }
  }

  // What query `i` of one head gathers from keys 0 .. i.
  [[nodiscard]] Reals gather(std::size_t i, std::size_t head, const std::vector<Reals>& q,
                             const std::vector<Reals>& k, const std::vector<Reals>& v) const {
    const std::size_t d = c_.head_dim;
    const std::size_t shared = head / (c_.head_count / c_.kv_head_count);
    Reals out(d);
    double sum = 0;
    for (std::size_t j = 0; j <= i; ++j) {
      double score = 0;
      for (std::size_t e = 0; e < d; ++e) score += q[i][head * d + e] * k[j][shared * d + e];
      const double p = std::exp(score / std::sqrt(static_cast<double>(d)));
      sum += p;
      for (std::size_t e = 0; e < d; ++e) out[e] += p * v[j][shared * d + e];
    }
    for (double& value : out) value /= sum;
    return out;
  }

  void decode(std::uint32_t layer, std::vector<Reals>& x) const {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const auto weight = [&](const char* part) -> const Reals& {
      return w_.at(prefix + part + ".weight");
    };
    std::vector<Reals> q, k, v;
    for (std::size_t s = 0; s < x.size(); ++s) {
      const Reals n = norm(prefix + "input_layernorm.weight", x[s]);
      rotate(q.emplace_back(project(prefix, 'q', n)), s);
      rotate(k.emplace_back(project(prefix, 'k', n)), s);
      v.push_back(project(prefix, 'v', n));
    }
    for (std::size_t s = 0; s < x.size(); ++s) {
      Reals o;
      for (std::size_t head = 0; head < c_.head_count; ++head) {
        const Reals part = gather(s, head, q, k, v);
        o.insert(o.end(), part.begin(), part.end());
      }
      add(times(weight("self_attn.o_proj"), o), x[s]);
      const Reals n = norm(prefix + "post_attention_layernorm.weight", x[s]);
      Reals gate = times(weight("mlp.gate_proj"), n);
      const Reals up = times(weight("mlp.up_proj"), n);
      for (std::size_t f = 0; f < up.size(); ++f) gate[f] *= up[f] / (1 + std::exp(-gate[f]));
      add(times(weight("mlp.down_proj"), gate), x[s]);
    }
  }

  static void add(const Reals& more, Reals& x) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += more[i];
  }

  const LlamaConfig& c_;
  const RealMap& w_;
};

/// The gradient of the reference loss by central differences, about 1e-9 exact.
inline RealMap reference_gradients(const LlamaConfig& config, RealMap weights,
                                   const MicroBatch& batch) {
  constexpr double kStep = 1e-5;
  RealMap gradients;
  const ReferenceLlama reference(config, weights);
  for (auto& [name, values] : weights) {
    Reals& gradient = gradients[name];
    for (double& value : values) {
      const double kept = value;
      value = kept + kStep;
      const double above = reference.loss(batch);
      value = kept - kStep;
      const double below = reference.loss(batch);
      value = kept;
      gradient.push_back((above - below) / (2 * kStep));
    }
  }
  return gradients;
}

}  // namespace aftune::model::testing
