// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/decoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/model/layer_names.h"
#include "aftune/model/segment_call.h"
#include "aftune/numerics/bias.h"
#include "aftune/numerics/cached_attention.h"
#include "aftune/numerics/elementwise.h"

namespace aftune::model {
namespace {

using numerics::PackedProduct;
using numerics::PackedWeightView;
using numerics::Store;

bool is_vector(const TensorSpec& spec) { return spec.shape.size() == 1; }

std::size_t packed_size(const LlamaConfig& config) {
  std::size_t bytes = 0;
  for (const TensorSpec& spec : parameter_specs(config)) {
    if (is_vector(spec) || (spec.name == kEmbedding && !config.tied_embeddings)) continue;
    bytes += numerics::PackedWeights::bytes_of(spec.shape[0], spec.shape[1]);
  }
  return bytes;
}

struct NamedProduct {
  std::string weight;
  PackedProduct product;
};

/// All products of the same rows; several write, and add to nothing. A refusal is looked for once
/// more to name its weight.
Status multiply(const numerics::Engine& engine, const Tensor& x,
                std::span<const NamedProduct> named) {
  std::vector<PackedProduct> products;
  for (const NamedProduct& each : named) products.push_back(each.product);
  Status done = numerics::linear_packed(engine, matrix(x), products);
  if (done || named.size() == 1) return at(named.front().weight + ": product", done);
  for (const NamedProduct& each : named) {
    AFTUNE_TRY(at(each.weight + ": product",
                  numerics::linear_packed(engine, matrix(x), std::span(&each.product, 1))));
  }
  return done;
}

}  // namespace

std::size_t TextState::bytes() const {
  std::size_t sum = 0;
  for (const auto& layer : layers) sum += layer.bytes();
  return sum;
}

/// What the layers of one call share.
struct Decoder::Call {
  const numerics::Engine& engine;
  std::span<const TextPiece> pieces;
  std::size_t rows = 0;  // tokens of all pieces
  std::vector<std::int32_t> tokens;
  Tensor cos, sin;  // a row for each token

  Call(const numerics::Engine& e, std::span<const TextPiece> all, const Tensor& inv_freq)
      : engine(e), pieces(all) {
    for (const TextPiece& piece : pieces) {
      tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    }
    rows = tokens.size();
    const std::size_t half = inv_freq.count();
    cos = Tensor::zeros({rows, half});
    sin = Tensor::zeros({rows, half});
    std::size_t row = 0;
    for (const TextPiece& piece : pieces) {
      const std::size_t count = piece.tokens.size();
      numerics::rotary_table(inv_freq.f32(), piece.text->size(),
                             numerics::Matrix(cos.data() + row * half, count, half),
                             numerics::Matrix(sin.data() + row * half, count, half));
      row += count;
    }
  }

  [[nodiscard]] Tensor token_rows(std::size_t width) const { return Tensor::zeros({rows, width}); }
  void rotate(Tensor& x, std::size_t head_dim) const {
    numerics::rotary(engine, matrix(x), head_dim, matrix(cos), matrix(sin), +1);
  }
};

Decoder::Decoder(const Llama& model, std::size_t capacity)
    : config_(model.config), inv_freq_(model.inv_freq.clone()), packed_(capacity) {}

Result<Decoder> Decoder::create(const numerics::Engine& engine, const Llama& model,
                                const ParameterSource& parameter) {
  Decoder decoder(model, packed_size(model.config));
  AFTUNE_TRY(decoder.pack(engine, parameter));
  return decoder;
}

Status Decoder::pack(const numerics::Engine& engine, const ParameterSource& parameter) {
  const auto pack_one = [&](const std::string& name, PackedWeightView& out) -> Status {
    const TensorView view = parameter(name);
    AFTUNE_CHECK(view.shape.size() == 2, name);
    AFTUNE_TRY(out,
               at(name, packed_.add(engine, numerics::ConstMatrix(view.f32().data(), view.shape[0],
                                                                  view.shape[1]))));
    return ok();
  };
  for (std::uint32_t index = 0; index < config_.layer_count; ++index) {
    const LayerNames names(index);
    Layer& layer = layers_.emplace_back();
    AFTUNE_TRY(pack_one(names.query(), layer.query));
    AFTUNE_TRY(pack_one(names.key(), layer.key));
    AFTUNE_TRY(pack_one(names.value(), layer.value));
    AFTUNE_TRY(pack_one(names.output(), layer.output));
    AFTUNE_TRY(pack_one(names.gate(), layer.gate));
    AFTUNE_TRY(pack_one(names.up(), layer.up));
    AFTUNE_TRY(pack_one(names.down(), layer.down));
    keep_vectors(parameter, index, layer);
  }
  AFTUNE_TRY(pack_one(head_weight(config_), head_));
  embedding_ = Tensor::copy_of(parameter(kEmbedding));
  final_norm_ = Tensor::copy_of(parameter(kFinalNorm));
  return ok();
}

void Decoder::keep_vectors(const ParameterSource& parameter, std::uint32_t index,
                           Layer& layer) const {
  const LayerNames names(index);
  const auto keep = [&](const std::string& name) { return Tensor::copy_of(parameter(name)); };
  layer.input_norm = keep(names.input_norm());
  layer.middle_norm = keep(names.middle_norm());
  if (config_.has_projection_biases()) {
    layer.query_bias = keep(bias_of(names.query()));
    layer.key_bias = keep(bias_of(names.key()));
    layer.value_bias = keep(bias_of(names.value()));
  }
  if (config_.has_head_norms()) {
    layer.query_norm = keep(names.query_norm());
    layer.key_norm = keep(names.key_norm());
  }
}

TextState Decoder::new_text() const {
  TextState text;
  for (std::uint32_t i = 0; i < config_.layer_count; ++i) {
    text.layers.emplace_back(config_.kv_head_count, config_.head_dim);
  }
  return text;
}

// From products to what attention takes: biases, norms of heads, rotation.
void Decoder::finish_projections(const Call& call, const Layer& layer, Tensor& query, Tensor& key,
                                 Tensor& value) const {
  if (config_.has_projection_biases()) {
    numerics::add_bias(call.engine, layer.query_bias.f32(), matrix(query));
    numerics::add_bias(call.engine, layer.key_bias.f32(), matrix(key));
    numerics::add_bias(call.engine, layer.value_bias.f32(), matrix(value));
  }
  if (config_.has_head_norms()) {
    const auto norm = [&](const Tensor& weight, Tensor& x) {
      const numerics::Matrix heads(x.data(), x.count() / config_.head_dim, config_.head_dim);
      numerics::rms_norm(call.engine, heads, weight.f32(), config_.rms_norm_eps, heads);
    };
    norm(layer.query_norm, query);
    norm(layer.key_norm, key);
  }
  call.rotate(query, config_.head_dim);
  call.rotate(key, config_.head_dim);
}

Status Decoder::attend(const Call& call, std::uint32_t index, Tensor& x) const {
  const Layer& layer = layers_[index];
  const LayerNames names(index);
  Tensor normed = call.token_rows(config_.hidden_size);
  numerics::rms_norm(call.engine, matrix(x), layer.input_norm.f32(), config_.rms_norm_eps,
                     matrix(normed));
  Tensor query = call.token_rows(layer.query.rows);
  Tensor key = call.token_rows(layer.key.rows);
  Tensor value = call.token_rows(layer.value.rows);
  const NamedProduct products[] = {{names.query(), {layer.query, matrix(query), Store::kWrite}},
                                   {names.key(), {layer.key, matrix(key), Store::kWrite}},
                                   {names.value(), {layer.value, matrix(value), Store::kWrite}}};
  AFTUNE_TRY(multiply(call.engine, normed, products));
  finish_projections(call, layer, query, key, value);

  Tensor attended = call.token_rows(layer.query.rows);
  std::vector<numerics::CachedQueries> queries;
  std::size_t row = 0;
  for (const TextPiece& piece : call.pieces) {
    const std::size_t count = piece.tokens.size();
    const auto part = [&](Tensor& tensor) {
      const std::size_t width = tensor.shape()[1];
      return numerics::Matrix(tensor.data() + row * width, count, width);
    };
    numerics::KeyValueCache& cache = piece.text->layers[index];
    AFTUNE_TRY(at(names.attention(), cache.append(call.engine, part(key), part(value))));
    queries.push_back({&cache, part(query), part(attended)});
    row += count;
  }
  const numerics::AttentionShape shape{1,
                                       call.rows,
                                       config_.head_count,
                                       config_.kv_head_count,
                                       config_.head_dim,
                                       attention_scale(config_)};
  AFTUNE_TRY(at(names.attention(), numerics::attention_cached(call.engine, shape, queries)));
  const NamedProduct output{names.output(), {layer.output, matrix(x), Store::kAdd}};
  return multiply(call.engine, attended, std::span(&output, 1));
}

Status Decoder::feed_forward(const Call& call, std::uint32_t index, Tensor& x) const {
  const Layer& layer = layers_[index];
  const LayerNames names(index);
  Tensor normed = call.token_rows(config_.hidden_size);
  numerics::rms_norm(call.engine, matrix(x), layer.middle_norm.f32(), config_.rms_norm_eps,
                     matrix(normed));
  Tensor gate = call.token_rows(config_.intermediate_size);
  Tensor up = call.token_rows(config_.intermediate_size);
  const NamedProduct products[] = {{names.gate(), {layer.gate, matrix(gate), Store::kWrite}},
                                   {names.up(), {layer.up, matrix(up), Store::kWrite}}};
  AFTUNE_TRY(multiply(call.engine, normed, products));
  numerics::swiglu(call.engine, gate.f32(), up.f32(), gate.f32());
  const NamedProduct down{names.down(), {layer.down, matrix(x), Store::kAdd}};
  return multiply(call.engine, gate, std::span(&down, 1));
}

Result<Tensor> Decoder::head(const Call& call, const Tensor& x) const {
  Tensor normed = Tensor::zeros(x.shape());
  numerics::rms_norm(call.engine, matrix(x), final_norm_.f32(), config_.rms_norm_eps,
                     matrix(normed));
  Tensor logits = Tensor::zeros({x.shape()[0], config_.vocab_size});
  const NamedProduct product{head_weight(config_), {head_, matrix(logits), Store::kWrite}};
  AFTUNE_TRY(multiply(call.engine, normed, std::span(&product, 1)));
  return logits;
}

namespace {

Status check_pieces(const LlamaConfig& config, std::span<const TextPiece> pieces) {
  AFTUNE_CHECK(!pieces.empty(), "no text");
  for (const TextPiece& piece : pieces) {
    AFTUNE_CHECK(!piece.tokens.empty(), "a piece of text without a token");
    AFTUNE_CHECK(piece.text->layers.size() == config.layer_count, "a text of another model");
    const std::size_t length = piece.text->size() + piece.tokens.size();
    if (length > config.longest_sequence()) {
      return Error{Code::kInvalidInput,
                   "text of " + std::to_string(length) + " tokens, the model has " +
                       std::to_string(config.longest_sequence()) + " positions"};
    }
    for (std::size_t i = 0; i < piece.tokens.size(); ++i) {
      const std::int32_t id = piece.tokens[i];
      if (id >= 0 && static_cast<std::uint32_t>(id) < config.vocab_size) continue;
      return Error{Code::kInvalidInput, "token " + std::to_string(id) + " at position " +
                                            std::to_string(piece.text->size() + i) +
                                            ", the vocabulary has " +
                                            std::to_string(config.vocab_size) + " tokens"};
    }
  }
  return ok();
}

Tensor last_rows(std::span<const TextPiece> pieces, const Tensor& x) {
  const std::size_t width = x.shape()[1];
  Tensor last = Tensor::zeros({pieces.size(), width});
  std::size_t end = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    end += pieces[i].tokens.size();
    std::copy_n(x.data() + (end - 1) * width, width, last.data() + i * width);
  }
  return last;
}

}  // namespace

Result<Tensor> Decoder::advance(const numerics::Engine& engine, std::span<const TextPiece> pieces,
                                LogitRows rows, const LayerObserver& observer) const {
  AFTUNE_TRY(check_pieces(config_, pieces));
  const Call call(engine, pieces, inv_freq_);
  Tensor x = call.token_rows(config_.hidden_size);
  numerics::embedding(engine, matrix(embedding_), call.tokens, matrix(x));
  for (std::uint32_t layer = 0; layer < config_.layer_count; ++layer) {
    AFTUNE_TRY(attend(call, layer, x));
    AFTUNE_TRY(feed_forward(call, layer, x));
    if (observer) observer(layer + 1, x);
  }
  if (rows == LogitRows::kLast) x = last_rows(pieces, x);
  return head(call, x);
}

}  // namespace aftune::model
