// SPDX-License-Identifier: Apache-2.0
// decode_bench MODEL_FOLDER: one token at a time on two threads, beside what two threads read.
// Prints one JSON object: packed bytes a second while decoding and bytes a second of a 1 GiB
// buffer, medians of alternating rounds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/model/decoder.h"
#include "aftune/model/model_folder.h"
#include "aftune/numerics/engine.h"
#include "bench/read_buffer.h"

namespace aftune::bench {
namespace {

constexpr unsigned kThreads = 2;
constexpr int kRounds = 9;
constexpr std::size_t kPrompt = 32;
constexpr std::size_t kTokens = 16;  // of a round
constexpr std::size_t kBuffer = std::size_t{1} << 30;

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Greedy tokens of one text.
class Decoding {
 public:
  Decoding(const numerics::Engine& engine, const model::Decoder& decoder)
      : engine_(engine), decoder_(decoder), text_(decoder.new_text()) {}

  Status advance(std::span<const std::int32_t> tokens) {
    const model::TextPiece piece{&text_, tokens};
    AFTUNE_TRY(const Tensor logits,
               decoder_.advance(engine_, std::span(&piece, 1), model::LogitRows::kLast));
    const auto row = logits.f32();
    next_ = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
    return ok();
  }
  Status advance_by(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) AFTUNE_TRY(advance(std::vector{next_}));
    return ok();
  }

 private:
  const numerics::Engine& engine_;
  const model::Decoder& decoder_;
  model::TextState text_;
  std::int32_t next_ = 0;
};

Status measure(const char* path) {
  AFTUNE_TRY(const model::ModelFolder folder, model::open_model_folder(path));
  ThreadPool pool(kThreads);
  AFTUNE_TRY(const numerics::Engine engine, numerics::Engine::create(std::nullopt, pool));
  const model::Llama llama{folder.config,
                           Tensor::copy_of(*folder.tables.find(model::kInvFreqName))};
  AFTUNE_TRY(const model::Decoder decoder,
             model::Decoder::create(engine, llama, [&](const std::string& name) {
               return *folder.parameters.find(name);
             }));
  ReadBuffer buffer(kBuffer);
  Decoding decoding(engine, decoder);
  AFTUNE_TRY(decoding.advance(std::vector<std::int32_t>(kPrompt, 1)));
  std::vector<double> decode, read;
  for (int round = 0; round < kRounds; ++round) {
    Status done = ok();
    const double decode_seconds = seconds_of([&] { done = decoding.advance_by(kTokens); });
    AFTUNE_TRY(std::move(done));
    decode.push_back(static_cast<double>(decoder.packed_bytes() * kTokens) / decode_seconds);
    read.push_back(static_cast<double>(kBuffer) / seconds_of([&] { buffer.read(pool); }));
  }
  fmt::print(
      "{{\"decode_bytes_per_second\": {:.4e}, \"read_bytes_per_second\": {:.4e}, "
      "\"tokens_per_second\": {:.1f}, \"best_decode_bytes_per_second\": {:.4e}, "
      "\"best_read_bytes_per_second\": {:.4e}, \"instruction_set\": \"{}\"}}\n",
      median(decode), median(read), median(decode) / static_cast<double>(decoder.packed_bytes()),
      *std::ranges::max_element(decode), *std::ranges::max_element(read),
      numerics::isa_name(engine.isa()));
  return ok();
}

}  // namespace
}  // namespace aftune::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: decode_bench MODEL_FOLDER\n");
    return 2;
  }
  const auto done = aftune::bench::measure(argv[1]);
  if (done) return 0;
  fmt::print(stderr, "decode_bench: {}\n", done.error().what);
  return 3;
}
