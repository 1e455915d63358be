// SPDX-License-Identifier: Apache-2.0
// Small random models and micro-batches for tests. Equal arguments give equal values everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/base/thread_pool.h"
#include "aftune/model/segment_function.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/loss.h"

namespace aftune::model::testing {

/// An engine with its pool.
class TestEngine {
 public:
  explicit TestEngine(unsigned threads = 1, std::optional<numerics::Isa> isa = std::nullopt)
      : pool_(threads), engine_(create(isa, pool_)) {}
  operator const numerics::Engine&() const { return engine_; }

 private:
  static numerics::Engine create(std::optional<numerics::Isa> isa, ThreadPool& pool) {
    auto engine = numerics::Engine::create(isa, pool);
    AFTUNE_CHECK(engine.has_value(), engine ? "" : engine.error().what);
    return *std::move(engine);
  }
  ThreadPool pool_;
  numerics::Engine engine_;
};

enum class Embeddings { kTied, kUntied };

/// Heads share key/value heads, and heads * head_dim differs from the width.
inline LlamaConfig tiny_config(std::uint32_t layers, Embeddings embeddings) {
  LlamaConfig config;
  config.vocab_size = 19;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.layer_count = layers;
  config.head_count = 4;
  config.kv_head_count = 2;
  config.head_dim = 4;
  config.max_positions = 32;
  config.rms_norm_eps = 1e-5F;
  config.rope_theta = 100;
  config.tied_embeddings = embeddings == Embeddings::kTied;
  return config;
}

/// The same of each family; qwen3 with heads of their own width, mistral within its window, and
/// "llama3" with frequencies of all three kinds of scaling.
struct TinyFamily {
  const char* name;
  LlamaConfig config;
};
inline std::vector<TinyFamily> tiny_families(std::uint32_t layers) {
  LlamaConfig llama3 = tiny_config(layers, Embeddings::kTied);
  llama3.head_dim = 8;
  llama3.rope_scaling = RopeScaling{8, 1, 4, 64};
  LlamaConfig mistral = tiny_config(layers, Embeddings::kUntied);
  mistral.family = Family::kMistral;
  mistral.sliding_window = 24;
  LlamaConfig qwen2 = tiny_config(layers, Embeddings::kTied);
  qwen2.family = Family::kQwen2;
  LlamaConfig qwen3 = tiny_config(layers, Embeddings::kUntied);
  qwen3.family = Family::kQwen3;
  qwen3.head_dim = 6;
  return {{"llama3", llama3}, {"mistral", mistral}, {"qwen2", qwen2}, {"qwen3", qwen3}};
}

/// Uniform in [-1, 1), without the library's distributions, which differ between libraries.
inline float uniform(std::mt19937& random) {
  return static_cast<float>(static_cast<std::int32_t>(random() >> 8) - (1 << 23)) * 0x1p-23F;
}

inline TensorMap random_parameters(const LlamaConfig& config, std::uint32_t seed) {
  std::mt19937 random(seed);
  TensorMap parameters;
  for (const auto& spec : parameter_specs(config)) {
    Tensor tensor = Tensor::zeros(spec.shape);
    const bool is_norm = spec.name.ends_with("norm.weight");
    for (float& value : tensor.f32()) value = (is_norm ? 1.0F : 0.0F) + 0.5F * uniform(random);
    parameters.emplace(spec.name, std::move(tensor));
  }
  return parameters;
}

inline Llama make_llama(const LlamaConfig& config) { return {config, make_inv_freq(config)}; }

/// Random tokens; each target is the next token, the row's last is ignored, and so is every
/// fourth. `counted` is this micro-batch's own count.
inline MicroBatch random_batch(const LlamaConfig& config, std::size_t rows, std::size_t sequence,
                               std::uint32_t seed) {
  std::mt19937 random(seed);
  MicroBatch batch{rows, sequence, {}, {}, 0};
  for (std::size_t i = 0; i < rows * sequence; ++i) {
    batch.tokens.push_back(static_cast<std::int32_t>(random() % config.vocab_size));
  }
  for (std::size_t i = 0; i < rows * sequence; ++i) {
    const bool ignored = i % sequence + 1 == sequence || i % 4 == 2;
    batch.targets.push_back(ignored ? numerics::kIgnoredLabel : batch.tokens[i + 1]);
    if (!ignored) ++batch.counted;
  }
  return batch;
}

inline TensorMap zeros_like(const TensorMap& tensors) {
  TensorMap zeros;
  for (const auto& [name, tensor] : tensors) zeros.emplace(name, Tensor::zeros(tensor.shape()));
  return zeros;
}

inline TensorMap clone(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy.emplace(name, tensor.clone());
  return copy;
}

/// The first name whose bytes differ, or "".
inline std::string first_difference(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return "count of tensors";
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x->first != y->first) return x->first + " or " + y->first;
    const auto p = x->second.bytes();
    const auto q = y->second.bytes();
    if (!std::equal(p.begin(), p.end(), q.begin(), q.end())) return x->first;
  }
  return "";
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
}

/// Loss and parameter gradients of a whole model, and every edge tensor on the way.
struct ModelGradients {
  float loss = 0;
  TensorMap gradients;
  std::vector<Tensor> activations;  // edges 1 .. segments - 1
  std::vector<Tensor> d_edges;      // the same edges, ascending
};

/// Adds into `into.gradients`. Runs the segments of `partition` one after the other.
inline Status add_gradients(const numerics::Engine& engine, const Llama& llama,
                            const Partition& partition, const ParameterView& parameters,
                            const MicroBatch& batch, ModelGradients& into) {
  const std::size_t count = partition.segments.size();
  std::vector<SegmentTape> tapes(count);
  std::vector<std::shared_ptr<const Tensor>> edges(count + 1);
  into.activations.clear();
  for (std::size_t s = 0; s < count; ++s) {
    AFTUNE_TRY(auto output, segment_forward(engine, llama, partition.segments[s], parameters, batch,
                                            edges[s], &tapes[s]));
    into.loss = output.loss;
    if (s + 1 == count) break;
    into.activations.push_back(output.activation.clone());
    edges[s + 1] = std::make_shared<const Tensor>(std::move(output.activation));
  }
  into.d_edges.clear();
  into.d_edges.resize(count - 1);
  for (std::size_t s = count; s-- > 0;) {
    const Tensor* d_output = s + 1 == count ? nullptr : &into.d_edges[s];
    AFTUNE_TRY(Tensor d_input,
               segment_backward(engine, llama, partition.segments[s], parameters, batch,
                                std::move(tapes[s]), d_output, into.gradients));
    if (s > 0) into.d_edges[s - 1] = std::move(d_input);
  }
  return ok();
}

inline Result<ModelGradients> model_gradients(const numerics::Engine& engine, const Llama& llama,
                                              std::uint32_t layers_per_block,
                                              const TensorMap& parameters,
                                              const MicroBatch& batch) {
  ModelGradients result;
  result.gradients = zeros_like(parameters);
  const auto partition = make_partition(llama.config, layers_per_block);
  AFTUNE_TRY(add_gradients(engine, llama, partition, parameters, batch, result));
  return result;
}

}  // namespace aftune::model::testing
