// SPDX-License-Identifier: Apache-2.0
// Answers requests in batches that they join and leave at any token. What a request gets does not
// depend on the others, on how its prompt is cut, or on when it came.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>

#include "aftune/model/decoder.h"
#include "aftune/numerics/engine.h"
#include "aftune/serve/generated.h"
#include "aftune/text/tokenizer.h"

namespace aftune::serve {

struct BatchLimits {
  std::size_t requests = 8;        // that one pass of the model serves
  std::size_t prompt_tokens = 64;  // of all prompts together in one pass
};

/// One more token of an answer.
struct Progress {
  std::int32_t token = 0;
  std::string_view new_text;  // settled by it: may be empty
  bool last = false;
};

struct Listener {
  std::function<void(const Progress&)> on_token = {};
  /// Once, unless cancelled. Errors: kInvalidInput, kNonFinite, of this request.
  std::function<void(Result<Generated>)> on_end = {};
};

/// Whether digests of edges are made. Without them nothing can be receipted: for measuring.
enum class Recording { kOn, kOff };

/// Threads: one at a time. Borrows its parts, which must outlive it.
class Generator {
 public:
  Generator(const numerics::Engine& engine, const model::Decoder& decoder,
            const text::Tokenizer& tokenizer, const receipt::Statement& statement,
            BatchLimits limits, Recording recording = Recording::kOn);
  ~Generator();

  using Key = std::uint64_t;
  /// Waits for a place in the batch. Requires: a prompt that prompt_of lets through.
  Key add(Task task, Listener listener);
  /// Drops a request; its listener hears nothing more. Not from inside a listener.
  void cancel(Key key);

  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] bool idle() const { return all_.empty(); }
  /// Bytes of cached keys and values.
  [[nodiscard]] std::size_t cache_bytes() const;

  /// One pass of the model over the batch, at most one more token for each request in it.
  /// Requires: not idle. Returns: tokens that went through the model.
  std::size_t step();

 private:
  struct Running;
  struct Part;
  [[nodiscard]] std::vector<Part> next_batch();
  bool run(std::vector<Part>& batch, std::string* failure, Code* code);
  void take(Part& part, std::span<const float> logits);
  void isolate(std::vector<Part>& batch);
  void end(Running& running, Result<Generated> result);
  void sweep();

  const numerics::Engine& engine_;
  const model::Decoder& decoder_;
  const text::Tokenizer& tokenizer_;
  const receipt::Statement& statement_;
  BatchLimits limits_;
  Recording recording_;
  std::vector<std::uint32_t> edge_after_;     // [layers]: the edge there, or 0
  std::deque<std::unique_ptr<Running>> all_;  // in the order in which they came
  Key next_key_ = 1;
};

}  // namespace aftune::serve
