// SPDX-License-Identifier: Apache-2.0
// A model that continues texts: weights packed once, keys and values kept. The bits of its logits
// are those of forward_logits(), however the tokens come. Order of operations:
// docs/formats/llama.md.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/model/segment_function.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/key_value_cache.h"
#include "aftune/numerics/packed_weight.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// What one text has gone through: a cache of keys and values for each layer. Copies of it do not
/// exist; a text that forks is fed again.
struct TextState {
  std::vector<numerics::KeyValueCache> layers;

  /// Tokens that it has seen.
  [[nodiscard]] std::size_t size() const { return layers.empty() ? 0 : layers.front().size(); }
  [[nodiscard]] std::size_t bytes() const;
};

/// The next tokens of one text.
struct TextPiece {
  TextState* text;
  std::span<const std::int32_t> tokens;
};

/// Which rows of logits a call makes.
enum class LogitRows {
  kLast,  // after the last token of each piece
  kAll,   // after every token, piece after piece
};

/// Threads: as its engine's: one thread at a time.
class Decoder {
 public:
  /// A parameter by name. Asked for every name of parameter_specs(config), once or twice; what it
  /// gives is looked at until the next call only.
  using ParameterSource = std::function<TensorView(const std::string& name)>;
  /// Gets what leaves a layer: [tokens of all pieces, hidden], and how many layers it went through.
  using LayerObserver = std::function<void(std::uint32_t layers, const Tensor& x)>;

  /// Errors: kNonFinite, naming a parameter that no product can take.
  static Result<Decoder> create(const numerics::Engine& engine, const Llama& model,
                                const ParameterSource& parameter);

  [[nodiscard]] const LlamaConfig& config() const { return config_; }
  /// A text without tokens.
  [[nodiscard]] TextState new_text() const;
  /// Bytes of weights that each call reads: two a parameter and exponents. The head's among them,
  /// norms not.
  [[nodiscard]] std::size_t packed_bytes() const { return packed_.bytes(); }

  /// Feeds every piece to its text and returns logits [rows, vocab]. The bits of a text depend
  /// neither on how it is cut into pieces nor on the others.
  /// Requires: pieces have a token at least, and different texts, made by new_text().
  /// Errors: kInvalidInput for a token outside the vocabulary or a text longer than the model's
  ///         positions; kNonFinite as forward_logits, after which the texts are of no use.
  /// `observer`, if given, is told of the activations after each layer.
  Result<Tensor> advance(const numerics::Engine& engine, std::span<const TextPiece> pieces,
                         LogitRows rows, const LayerObserver& observer = {}) const;

 private:
  struct Layer {
    numerics::PackedWeightView query, key, value, output, gate, up, down;
    Tensor input_norm, middle_norm;
    Tensor query_bias, key_bias, value_bias;  // empty where the family has none
    Tensor query_norm, key_norm;              // likewise
  };
  struct Call;

  Decoder(const Llama& model, std::size_t capacity);
  Status pack(const numerics::Engine& engine, const ParameterSource& parameter);
  void keep_vectors(const ParameterSource& parameter, std::uint32_t index, Layer& layer) const;
  void finish_projections(const Call& call, const Layer& layer, Tensor& query, Tensor& key,
                          Tensor& value) const;
  Status attend(const Call& call, std::uint32_t index, Tensor& x) const;
  Status feed_forward(const Call& call, std::uint32_t index, Tensor& x) const;
  Result<Tensor> head(const Call& call, const Tensor& x) const;

  LlamaConfig config_;
  Tensor inv_freq_;
  numerics::PackedWeights packed_;
  std::vector<Layer> layers_;
  numerics::PackedWeightView head_;
  Tensor embedding_, final_norm_;
};

}  // namespace aftune::model
