// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/layer_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "aftune/base/stopwatch.h"
#include "aftune/crypto/blake3.h"
#include "aftune/model/head_logits.h"
#include "aftune/model/segment_parameters.h"
#include "aftune/numerics/loss.h"
#include "aftune/receipt/sampling.h"

namespace aftune::audit {
namespace {

using receipt::ReceiptCheck;

constexpr std::size_t kHeadRows = 256;  // logits of so many decisions at a time

std::string block_place(std::uint32_t block) { return fmt::format("layer block {}", block); }

/// The first row in which two tensors of one shape differ, and by how many values.
struct RowDifference {
  std::size_t row = 0, values = 0;
};
std::optional<RowDifference> first_difference(const Tensor& a, const Tensor& b) {
  const std::size_t width = a.shape()[1];
  for (std::size_t row = 0; row < a.shape()[0]; ++row) {
    const float* x = a.data() + row * width;
    const float* y = b.data() + row * width;
    if (std::memcmp(x, y, width * sizeof(float)) == 0) continue;
    std::size_t values = 0;
    for (std::size_t i = 0; i < width; ++i) {
      values += std::memcmp(x + i, y + i, sizeof(float)) != 0 ? 1 : 0;
    }
    return RowDifference{row, values};
  }
  return std::nullopt;
}

}  // namespace

LayerReplay::LayerReplay(const receipt::Presented& presented, const receipt::ServedModel& model,
                         const numerics::Engine& engine)
    : receipt_(presented.receipt),
      answer_(presented.answer),
      model_(model),
      engine_(engine),
      llama_{model.folder.config, Tensor::copy_of(*model.folder.tables.find(model::kInvFreqName))},
      segments_(presented.receipt.statement.layer_blocks()),
      tokens_(answer_.prompt) {
  tokens_.insert(tokens_.end(), answer_.output.begin(), answer_.output.end());
  batch_.rows = 1;
  batch_.sequence = tokens_.size() - 1;
  batch_.tokens.assign(tokens_.begin(), tokens_.end() - 1);
  batch_.targets.assign(batch_.sequence, numerics::kIgnoredLabel);
  batch_.counted = 1;
}

Status LayerReplay::open_store(const Path& folder) {
  Result<trace::Store> store =
      trace::Store::open(folder, trace::Store::Open::kExisting, &engine_.pool());
  if (!store && store.error().code == Code::kNotFound) return ok();
  if (!store) return store.error();
  store_.emplace(*std::move(store));
  return ok();
}

void LayerReplay::find(ReceiptCheck check, std::string place, std::string message,
                       std::string committed, std::string recomputed) {
  findings.push_back(
      {check, std::move(place), std::move(message), std::move(committed), std::move(recomputed)});
}

bool LayerReplay::has(std::uint32_t edge) const {
  return store_ && store_->has(receipt_.body.edges[edge - 1]);
}

/// Which blocks must be replayed: the asked ones, and below each of them, and below the head, those
/// whose leaving edge is not there.
std::vector<bool> LayerReplay::needed(const std::vector<std::uint32_t>& asked) const {
  std::vector<bool> out(segments_.size(), false);
  for (const std::uint32_t block : asked) out[block] = true;
  const auto count = static_cast<std::uint32_t>(segments_.size());
  for (std::uint32_t edge = count; edge >= 1; --edge) {
    const bool taken = edge == count || out[edge];
    if (taken && !has(edge)) out[edge - 1] = true;
  }
  return out;
}

/// An edge of the store; empty if it is not there, or has other bytes (which is a finding).
Result<std::optional<Tensor>> LayerReplay::open_edge(std::uint32_t edge) {
  if (!has(edge)) return std::optional<Tensor>();
  const Digest& digest = receipt_.body.edges[edge - 1];
  Tensor out = Tensor::unwritten(Dtype::kF32, {batch_.sequence, llama_.config.hidden_size});
  const std::uint64_t size = out.bytes().size();
  const Result<ByteBuffer> bytes = store_->get(digest, size);
  if (!bytes && bytes.error().code == Code::kUnavailable) return bytes.error();
  if (!bytes || bytes->size() != size) {
    find(ReceiptCheck::kOpening, fmt::format("edge {}", edge),
         bytes ? fmt::format("the object has {} bytes, the edge {}", bytes->size(), size)
               : bytes.error().what,
         digest.hex());
    return std::optional<Tensor>();
  }
  std::memcpy(out.mutable_bytes().data(), bytes->data(), size);
  return std::optional(std::move(out));
}

/// The edge that enters a block or the head: just made, or from the store. Null if there is none.
Result<LayerReplay::SharedTensor> LayerReplay::entering(std::uint32_t edge) {
  if (made_edge_ == edge && made_ != nullptr) return made_;
  AFTUNE_TRY(std::optional<Tensor> opened, open_edge(edge));
  if (!opened) return SharedTensor();
  return SharedTensor(std::make_shared<const Tensor>(*std::move(opened)));
}

/// Whether a block's output is the committed one.
Result<bool> LayerReplay::compare(std::uint32_t block, const Tensor& activation) {
  const std::uint32_t edge = block + 1;
  const Digest& committed = receipt_.body.edges[block];
  const Digest made = crypto::blake3(activation.bytes(), engine_.pool());
  if (made == committed) return true;
  std::string where = "the committed values are not there to compare with";
  AFTUNE_TRY(const std::optional<Tensor> opened, open_edge(edge));
  if (opened) {
    const auto difference = first_difference(*opened, activation);
    if (difference) {
      where = fmt::format("first at position {}, where {} of {} values differ", difference->row,
                          difference->values, llama_.config.hidden_size);
    }
  }
  find(ReceiptCheck::kActivation, block_place(block),
       fmt::format("the activation at edge {} is not what the model gives: {}", edge, where),
       committed.hex(), made.hex());
  return false;
}

Status LayerReplay::replay_block(std::uint32_t block, bool rebuilt_only) {
  const model::Segment& segment = segments_[block];
  const Stopwatch watch;
  SharedTensor input;
  if (!segment.embeds) {
    AFTUNE_TRY(input, entering(block));
    if (input == nullptr) return ok();  // what would have made it did not hold
  }
  AFTUNE_TRY(
      const TensorMap parameters,
      model::borrow_parameters(model_.folder, model::segment_parameters(llama_.config, segment)));
  Result<model::SegmentOutput> output = model::segment_forward(engine_, llama_, segment, parameters,
                                                               batch_, std::move(input), nullptr);
  made_.reset();
  made_edge_ = 0;
  bool held = false;
  if (!output) {
    find(ReceiptCheck::kActivation, block_place(block), "the replay ends: " + output.error().what);
  } else {
    AFTUNE_TRY(held, compare(block, output->activation));
  }
  if (held) {
    if (!has(block + 1) && receipt_.statement.edge_stored(block + 1)) ++not_handed_over;
    made_ = std::make_shared<const Tensor>(std::move(output->activation));
    made_edge_ = block + 1;
  }
  blocks.push_back({block, held, rebuilt_only, watch.seconds()});
  return ok();
}

Status LayerReplay::run(const std::vector<std::uint32_t>& asked) {
  const std::vector<bool> wanted = needed(asked);
  for (std::uint32_t block = 0; block < segments_.size(); ++block) {
    if (!wanted[block]) continue;
    const bool rebuilt_only = !std::binary_search(asked.begin(), asked.end(), block);
    AFTUNE_TRY(replay_block(block, rebuilt_only));
  }
  AFTUNE_TRY(replay_head());
  check_end();
  return ok();
}

/// The decisions from `first` on, one for each of `rows`.
void LayerReplay::decide(const Tensor& rows, std::size_t first,
                         std::vector<std::int32_t>& chosen) const {
  const std::size_t count = rows.shape()[0], vocab = rows.shape()[1];
  const receipt::Body& body = receipt_.body;
  engine_.pool().parallel_for(count, [&](std::size_t i) {
    const auto before = std::span(tokens_).first(answer_.prompt.size() + first + i);
    chosen[first + i] = receipt::choose_token(rows.f32().subspan(i * vocab, vocab), before,
                                              body.request.sampling, body.seed.value);
  });
}

Status LayerReplay::replay_head() {
  const Stopwatch watch;
  const auto edge = static_cast<std::uint32_t>(segments_.size());
  AFTUNE_TRY(const SharedTensor x, entering(edge));
  if (x == nullptr) return ok();  // there is a finding already
  model::Segment head;
  head.heads = true;
  AFTUNE_TRY(
      const TensorMap parameters,
      model::borrow_parameters(model_.folder, model::segment_parameters(llama_.config, head)));
  const std::size_t count = answer_.output.size(), width = llama_.config.hidden_size;
  const std::size_t before = answer_.prompt.size() - 1;
  std::vector<std::int32_t> chosen(count);
  crypto::Blake3 hash;
  for (std::size_t first = 0; first < count; first += kHeadRows) {
    const std::size_t rows = std::min(kHeadRows, count - first);
    Tensor part = Tensor::unwritten(Dtype::kF32, {rows, width});
    std::copy_n(x->data() + (before + first) * width, rows * width, part.data());
    const Result<Tensor> logits = model::head_logits(engine_, llama_, parameters, part);
    if (!logits) {
      find(ReceiptCheck::kLogits, fmt::format("position {}", before + 1 + first),
           "the replay ends: " + logits.error().what);
      return ok();
    }
    hash.update(logits->bytes());
    decide(*logits, first, chosen);
  }
  decisions = count;
  check_decisions(chosen);
  if (hash.digest() != receipt_.body.logits) {
    find(ReceiptCheck::kLogits, "head", "the logits are not what the model gives",
         receipt_.body.logits.hex(), hash.digest().hex());
  }
  head_seconds = watch.seconds();
  return ok();
}

void LayerReplay::check_decisions(const std::vector<std::int32_t>& chosen) {
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] == answer_.output[i]) continue;
    find(ReceiptCheck::kToken, fmt::format("position {}", answer_.prompt.size() + i),
         fmt::format("the rule gives token {} here, the answer has {} (output token {})", chosen[i],
                     answer_.output[i], i),
         std::to_string(answer_.output[i]), std::to_string(chosen[i]));
  }
}

/// When and why the text ends, and what it is.
void LayerReplay::check_end() {
  const receipt::Body& body = receipt_.body;
  receipt::OutputText text(model_.tokenizer, receipt::stop_rule(body.request, receipt_.statement,
                                                                answer_.prompt.size()));
  std::optional<receipt::Finish> finish;
  for (std::size_t i = 0; i < answer_.output.size() && !finish; ++i) {
    const auto pushed = text.push(answer_.output[i]);
    if (!pushed) {
      find(ReceiptCheck::kText, fmt::format("position {}", answer_.prompt.size() + i),
           pushed.error().what);
      return;
    }
    finish = *pushed;
  }
  const std::size_t count = answer_.output.size();
  if (!finish) {
    find(ReceiptCheck::kFinish, "end",
         fmt::format("cut after {} tokens where no rule ends the text; the receipt says \"{}\"",
                     count, receipt::finish_name(body.finish)));
  } else if (text.count() != count) {
    find(ReceiptCheck::kFinish, "end",
         fmt::format("the text ends (\"{}\") after {} tokens, the answer "
                     "goes on to {}",
                     receipt::finish_name(*finish), text.count(), count));
  } else if (*finish != body.finish) {
    find(ReceiptCheck::kFinish, "end",
         fmt::format("the text ends by \"{}\", the receipt says \"{}\"",
                     receipt::finish_name(*finish), receipt::finish_name(body.finish)));
  } else if (text.text() != answer_.text_of_output) {
    find(ReceiptCheck::kText, "whole answer", "the text does not follow from the tokens");
  }
}

}  // namespace aftune::audit
