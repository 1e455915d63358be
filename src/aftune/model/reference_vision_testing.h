// SPDX-License-Identifier: Apache-2.0
// An image classifier in fp64, by the formulas of the papers and in no particular order of
// operations: what the exact one is close to.
#pragma once

#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "aftune/model/reference_llama_testing.h"
#include "aftune/model/vision_names.h"

namespace aftune::model::testing {

/// One image after the other.
class ReferenceVision {
 public:
  ReferenceVision(const LlamaConfig& config, const Tensor& normalization,
                  const std::map<std::string, Reals>& parameters)
      : c_(config), v_(*config.vision), normalization_(normalization), p_(parameters) {}

  [[nodiscard]] Reals logits(const MicroBatch& batch) const {
    Reals all;
    for (std::size_t b = 0; b < batch.rows; ++b) {
      const Reals one = image_logits(&batch.pixels[b * v_.image_values()]);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  [[nodiscard]] double loss(const MicroBatch& batch) const {
    const Reals z = logits(batch);
    double sum = 0;
    for (std::size_t b = 0; b < batch.rows; ++b) {
      double total = 0;
      for (std::size_t i = 0; i < c_.vocab_size; ++i) total += std::exp(z[b * c_.vocab_size + i]);
      const auto label = static_cast<std::size_t>(batch.targets[b]);
      sum += std::log(total) - z[b * c_.vocab_size + label];
    }
    return sum / static_cast<double>(batch.counted);
  }

 private:
  using Rows = std::vector<Reals>;

  [[nodiscard]] const Reals& p(const std::string& name) const { return p_.at(name); }

  /// x W^T and the bias, where there is one.
  [[nodiscard]] Reals linear(const Reals& x, const std::string& weight) const {
    const Reals& w = p(weight);
    Reals y(w.size() / x.size());
    const auto bias = p_.find(weight.substr(0, weight.size() - 6) + "bias");
    for (std::size_t i = 0; i < y.size(); ++i) {
      for (std::size_t k = 0; k < x.size(); ++k) y[i] += w[i * x.size() + k] * x[k];
      if (bias != p_.end()) y[i] += bias->second[i];
    }
    return y;
  }

  [[nodiscard]] Reals norm(const Reals& x, const std::string& name) const {
    const auto width = static_cast<double>(x.size());
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / width;
    double variance = 0;
    for (const double value : x) variance += (value - mean) * (value - mean) / width;
    Reals y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] =
          (x[i] - mean) / std::sqrt(variance + double{c_.rms_norm_eps}) * p(name + ".weight")[i] +
          p(name + ".bias")[i];
    }
    return y;
  }

  [[nodiscard]] Rows embed(const std::uint8_t* pixels) const {
    const VisionNames names(c_);
    const std::size_t side = v_.image_size / v_.patch_size;
    Rows tokens{p(names.class_token())};
    for (std::size_t n = 0; n < side * side; ++n) {
      Reals patch;
      for (std::size_t i = 0; i < v_.patch_values(); ++i) {
        const std::size_t ch = i / (v_.patch_size * v_.patch_size);
        const std::size_t y = n / side * v_.patch_size + i / v_.patch_size % v_.patch_size;
        const std::size_t x = n % side * v_.patch_size + i % v_.patch_size;
        const double byte = pixels[(ch * v_.image_size + y) * v_.image_size + x];
        patch.push_back((byte / 255 - double{normalization_.f32()[ch]}) /
                        double{normalization_.f32()[v_.channels + ch]});
      }
      tokens.push_back(linear(patch, names.projection()));
    }
    for (std::size_t s = 0; s < tokens.size(); ++s) {
      for (std::size_t i = 0; i < c_.hidden_size; ++i) {
        tokens[s][i] += p(names.positions())[s * c_.hidden_size + i];
      }
    }
    return tokens;
  }

  [[nodiscard]] Rows attention(const Rows& q, const Rows& k, const Rows& v) const {
    Rows out(q.size(), Reals(c_.hidden_size));
    for (std::size_t h = 0; h < c_.head_count; ++h) {
      const std::size_t first = h * c_.head_dim;
      for (std::size_t i = 0; i < q.size(); ++i) {
        Reals share(k.size());
        double total = 0;
        for (std::size_t j = 0; j < k.size(); ++j) {
          double score = 0;
          for (std::size_t x = first; x < first + c_.head_dim; ++x) score += q[i][x] * k[j][x];
          share[j] = std::exp(score / std::sqrt(static_cast<double>(c_.head_dim)));
          total += share[j];
        }
        for (std::size_t j = 0; j < k.size(); ++j) {
          for (std::size_t x = first; x < first + c_.head_dim; ++x) {
            out[i][x] += share[j] / total * v[j][x];
          }
        }
      }
    }
    return out;
  }

  [[nodiscard]] Reals activated(const Reals& u) const {
    if (!v_.swiglu) {
      Reals a = u;
      for (double& x : a) x *= 0.5 * std::erfc(-x / std::sqrt(2.0));
      return a;
    }
    Reals a(u.size() / 2);
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = u[i] / (1 + std::exp(-u[i])) * u[i + a.size()];
    return a;
  }

  void add_branch(Reals& x, const Reals& branch, const std::string& scale) const {
    const auto factor = p_.find(scale);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += branch[i] * (factor == p_.end() ? 1 : factor->second[i]);
    }
  }

  [[nodiscard]] Reals image_logits(const std::uint8_t* pixels) const {
    Rows x = embed(pixels);
    for (std::uint32_t layer = 0; layer < c_.layer_count; ++layer) {
      const VisionLayerNames names(c_, layer);
      Rows q, k, v;
      for (const Reals& row : x) {
        const Reals normed = norm(row, names.first_norm());
        q.push_back(linear(normed, names.query()));
        k.push_back(linear(normed, names.key()));
        v.push_back(linear(normed, names.value()));
      }
      const Rows attended = attention(q, k, v);
      for (std::size_t s = 0; s < x.size(); ++s) {
        add_branch(x[s], linear(attended[s], names.attention_output()), names.first_scale());
        const Reals inner = linear(norm(x[s], names.second_norm()), names.inner());
        add_branch(x[s], linear(activated(inner), names.outer()), names.second_scale());
      }
    }
    for (Reals& row : x) row = norm(row, VisionNames(c_).final_norm());
    Reals features = x[0];
    if (c_.family == Family::kDinov2) {
      for (std::size_t i = 0; i < c_.hidden_size; ++i) {
        double sum = 0;
        for (std::size_t s = 1; s < x.size(); ++s) sum += x[s][i];
        features.push_back(sum / static_cast<double>(x.size() - 1));
      }
    }
    return linear(features, kClassifier);
  }

  const LlamaConfig& c_;
  const VisionConfig& v_;
  const Tensor& normalization_;
  const std::map<std::string, Reals>& p_;
};

}  // namespace aftune::model::testing
