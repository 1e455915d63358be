// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/generator.h"

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/receipt/sampling.h"
#include "aftune/serve/edge_recorder.h"

namespace aftune::serve {

/// One request in the batch or waiting for it.
struct Generator::Running {
  Running(const receipt::Statement& statement, const text::Tokenizer& tokenizer,
          model::TextState cache, Task t, Listener l, Key k)
      : task(std::move(t)),
        listener(std::move(l)),
        key(k),
        state(std::move(cache)),
        tokens(task.prompt),
        text(tokenizer, receipt::stop_rule(task.request, statement, task.prompt.size())),
        recorder(statement) {}

  Task task;
  Listener listener;
  Key key;
  model::TextState state;
  receipt::Tokens tokens;  // prompt and output; the state has seen the first of them
  receipt::OutputText text;
  EdgeRecorder recorder;
  std::size_t recorded = 0;  // positions
  std::size_t told = 0;      // bytes of text
  bool alone = false;        // shares no pass with others, see isolate()
  bool ended = false;

  [[nodiscard]] std::size_t waiting() const { return tokens.size() - state.size(); }
};

/// What one request gives to a pass.
struct Generator::Part {
  Running* running = nullptr;
  std::size_t first = 0, count = 0;  // of its tokens
};

Generator::Generator(const numerics::Engine& engine, const model::Decoder& decoder,
                     const text::Tokenizer& tokenizer, const receipt::Statement& statement,
                     BatchLimits limits, Recording recording)
    : engine_(engine),
      decoder_(decoder),
      tokenizer_(tokenizer),
      statement_(statement),
      limits_(limits),
      recording_(recording),
      edge_after_(statement.architecture.layer_count + 1, 0) {
  AFTUNE_CHECK(limits.requests >= 1 && limits.prompt_tokens >= 1, "no room in a batch");
  for (const model::Segment& block : statement.layer_blocks()) {
    edge_after_[block.first_layer + block.layer_count] = block.index + 1;
  }
}

Generator::~Generator() = default;

Generator::Key Generator::add(Task task, Listener listener) {
  AFTUNE_CHECK(!task.prompt.empty(), "a request without a prompt");
  all_.push_back(std::make_unique<Running>(statement_, tokenizer_, decoder_.new_text(),
                                           std::move(task), std::move(listener), next_key_));
  return next_key_++;
}

void Generator::cancel(Key key) {
  std::erase_if(all_, [key](const auto& running) { return running->key == key; });
}

std::size_t Generator::cache_bytes() const {
  std::size_t sum = 0;
  for (const auto& running : all_) sum += running->state.bytes();
  return sum;
}

std::vector<Generator::Part> Generator::next_batch() {
  std::vector<Part> batch;
  std::size_t room = limits_.prompt_tokens;
  for (const auto& running : all_) {
    if (batch.size() == limits_.requests) break;
    if (running->alone && !batch.empty()) continue;
    const std::size_t waiting = running->waiting();
    // A token of an answer goes first: who waits for it is being told it.
    const std::size_t count = waiting == 1 ? 1 : std::min(waiting, room);
    if (count == 0) continue;
    if (waiting > 1) room -= count;
    batch.push_back({running.get(), running->state.size(), count});
    if (running->alone) break;
  }
  return batch;
}

namespace {

/// The rows of edges that a pass made, kept until the pass is known to hold.
struct MadeRows {
  std::uint32_t edge;
  Tensor rows;
};

}  // namespace

bool Generator::run(std::vector<Part>& batch, std::string* failure, Code* code) {
  std::vector<model::TextPiece> pieces;
  pieces.reserve(batch.size());
  for (const Part& part : batch) {
    pieces.push_back(
        {&part.running->state, std::span(part.running->tokens).subspan(part.first, part.count)});
  }
  std::vector<MadeRows> made;
  model::Decoder::LayerObserver observer;
  if (recording_ == Recording::kOn) {
    observer = [&](std::uint32_t layers, const Tensor& x) {
      if (edge_after_[layers] != 0) made.push_back({edge_after_[layers], x.clone()});
    };
  }
  const Result<Tensor> logits =
      decoder_.advance(engine_, pieces, model::LogitRows::kLast, observer);
  if (!logits) {
    *failure = logits.error().what;
    *code = logits.error().code;
    return false;
  }
  const std::size_t width = statement_.architecture.hidden_size;
  std::size_t row = 0;
  for (const Part& part : batch) {
    // Positions that were fed once more are known already.
    const std::size_t known = std::min(part.running->recorded - part.first, part.count);
    for (const MadeRows& one : made) {
      part.running->recorder.add(
          one.edge, one.rows.f32().subspan((row + known) * width, (part.count - known) * width));
    }
    part.running->recorded = std::max(part.running->recorded, part.first + part.count);
    row += part.count;
  }
  const std::size_t vocab = statement_.architecture.vocab_size;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    take(batch[i], logits->f32().subspan(i * vocab, vocab));
  }
  return true;
}

/// The decision after a part, if its request has nothing more to feed.
void Generator::take(Part& part, std::span<const float> logits) {
  Running& running = *part.running;
  if (running.waiting() > 0) return;
  if (recording_ == Recording::kOn) running.recorder.add_logits(logits);
  const std::int32_t token = receipt::choose_token(
      logits, running.tokens, running.task.request.sampling, running.task.seed.value);
  running.tokens.push_back(token);
  const auto finish = running.text.push(token);
  if (!finish) {
    end(running, finish.error());
    return;
  }
  const std::size_t settled = running.text.settled();
  if (running.listener.on_token) {
    const std::size_t from = std::min(running.told, settled);
    running.listener.on_token({token,
                               std::string_view(running.text.text()).substr(from, settled - from),
                               finish->has_value()});
  }
  running.told = std::max(running.told, settled);
  if (!finish->has_value()) return;
  Generated out;
  out.output.assign(
      running.tokens.begin() + static_cast<std::ptrdiff_t>(running.task.prompt.size()),
      running.tokens.end());
  out.text = running.text.text();
  out.finish = **finish;
  if (recording_ == Recording::kOn) std::move(running.recorder).finish(out);
  out.task = std::move(running.task);
  end(running, std::move(out));
}

/// After a pass that left the finite numbers: each of its requests is fed anew, by itself, so that
/// only the one whose numbers they were fails. The others go on with the same bits.
void Generator::isolate(std::vector<Part>& batch) {
  for (const Part& part : batch) {
    part.running->state = decoder_.new_text();
    part.running->alone = true;
  }
}

void Generator::end(Running& running, Result<Generated> result) {
  running.ended = true;
  if (running.listener.on_end) running.listener.on_end(std::move(result));
}

void Generator::sweep() {
  std::erase_if(all_, [](const auto& running) { return running->ended; });
}

std::size_t Generator::step() {
  AFTUNE_CHECK(!all_.empty(), "nothing to do");
  std::vector<Part> batch = next_batch();
  std::size_t fed = 0;
  for (const Part& part : batch) fed += part.count;
  std::string failure;
  Code code = Code::kNonFinite;
  if (!run(batch, &failure, &code)) {
    if (batch.size() > 1) {
      isolate(batch);
    } else {
      end(*batch.front().running, Error{code, failure});
    }
  }
  sweep();
  return fed;
}

}  // namespace aftune::serve
