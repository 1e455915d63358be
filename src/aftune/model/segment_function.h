// SPDX-License-Identifier: Apache-2.0
// Forward and backward of one segment: pure functions of parameters, edge and micro-batch.
// The trainer and the auditor call nothing else. Order of operations: docs/formats/llama.md,
// docs/formats/vit.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "aftune/model/llama_config.h"
#include "aftune/model/lora.h"
#include "aftune/model/parameter_view.h"
#include "aftune/model/partition.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// What a segment takes besides parameters and edges. Rows of `sequence` tokens, padded on the
/// right; token (r, s) at index r * sequence + s.
struct MicroBatch {
  std::size_t rows = 0;
  std::size_t sequence = 0;
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> targets;  // the label of each position, or numerics::kIgnoredLabel
  std::uint64_t counted = 0;          // labels of the whole step that count; at least 1
  std::uint32_t step = 0, index = 0;  // which micro-batch of which step: dropout hangs on it
  /// Where each document ends, as an index of tokens, ascending, the last at rows * sequence; each
  /// row's end is one. Tokens see their document alone, whose positions start at 0. Empty: each
  /// row is a document.
  std::vector<std::size_t> document_ends = {};
  /// Of an image classifier, [rows, channels, image_size, image_size]. There are no tokens then,
  /// `sequence` is that of an image, and `targets` has one class for each row.
  std::vector<std::uint8_t> pixels = {};
};

/// The model without its parameters: architecture and rotary table, and how adapters are applied.
struct Llama {
  LlamaConfig config;
  Tensor inv_freq;  // the frozen table, as table_spec(config) has it
  std::optional<LoraSpec> lora = std::nullopt;
  PhiloxKey dropout_key = {};
};

/// What a backward needs of its forward. Move-only.
class SegmentTape {
 public:
  SegmentTape();
  ~SegmentTape();
  SegmentTape(SegmentTape&&) noexcept;
  SegmentTape& operator=(SegmentTape&&) noexcept;
  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

struct SegmentOutput {
  Tensor activation;  // fp32 [rows * sequence, hidden]; empty if the segment has the head
  float loss = 0;     // this micro-batch's share of the step's mean loss; 0 without the head
};

/// Shapes:  input fp32 [rows * sequence, hidden]; not looked at (may be null) if the segment
///          embeds. parameters: at least those of the segment's block.
/// Returns: the edge that leaves the segment, or the loss. With `tape` null nothing is kept.
/// Errors:  kNonFinite, naming operation and layer; kInvalidInput for a token id outside the
///          vocabulary or a target outside it.
Result<SegmentOutput> segment_forward(const numerics::Engine& engine, const Llama& model,
                                      const Segment& segment, const ParameterView& parameters,
                                      const MicroBatch& batch, std::shared_ptr<const Tensor> input,
                                      SegmentTape* tape);

/// Adds the gradients of what is trained to `gradients` (same names and shapes as it), or with
/// kWrite replaces what stands there; a tied embedding always adds to what its head has put there.
/// Returns the gradient of the input edge, empty if the segment embeds. `d_output` is the gradient
/// of the leaving edge; not looked at (may be null) if the segment has the head.
/// Errors: kNonFinite.
Result<Tensor> segment_backward(const numerics::Engine& engine, const Llama& model,
                                const Segment& segment, const ParameterView& parameters,
                                const MicroBatch& batch, SegmentTape tape, const Tensor* d_output,
                                TensorMap& gradients,
                                numerics::Store store = numerics::Store::kAdd);

/// Logits [rows * sequence, vocab], of images [rows, classes], of all segments one after the other,
/// for generation and for comparison with other implementations. Adapters count, their dropout does
/// not. Errors: as segment_forward.
Result<Tensor> forward_logits(const numerics::Engine& engine, const Llama& model,
                              const ParameterView& parameters, const MicroBatch& batch);

}  // namespace aftune::model
