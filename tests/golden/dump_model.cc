// SPDX-License-Identifier: Apache-2.0
// Trains a model folder for a few steps and writes what smollm2_parity.py and random_parity.py
// compare.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "aftune/base/log_line.h"
#include "golden/parity_run.h"

namespace aftune::golden {
namespace {

Tensor to_tensor(Dtype dtype, const auto& values) {
  Tensor out(dtype, {values.size()});
  const auto bytes = std::as_bytes(std::span(values));
  std::ranges::transform(bytes, out.mutable_bytes().begin(),
                         [](std::byte b) { return static_cast<std::uint8_t>(b); });
  return out;
}

Status write_outcome(const Path& path, const Outcome& outcome) {
  const Tensor losses = to_tensor(Dtype::kF32, outcome.losses);
  const Tensor norms = to_tensor(Dtype::kF64, outcome.norms);
  std::vector<NamedTensor> all = {
      {"logits", outcome.logits.view()}, {"losses", losses.view()}, {"norms", norms.view()}};
  for (const auto& [name, tensor] : outcome.gradients) {
    all.push_back({"gradient/" + name, tensor.view()});
  }
  for (const auto& [name, tensor] : outcome.parameters) {
    all.push_back({"parameter/" + name, tensor.view()});
  }
  return write_safetensors(path, std::move(all));
}

Status dump(const Path& folder, const Path& job_file, const Path& batch_file, const Path& out) {
  AFTUNE_TRY(const std::string text, read_text_file(job_file, 1 << 20));
  AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}));
  AFTUNE_TRY(const Job job, read_job(json));
  AFTUNE_TRY(const SafetensorsFile file, SafetensorsFile::open(batch_file));
  AFTUNE_TRY(Model model, load_model(folder));
  ThreadPool pool(std::max(1U, std::thread::hardware_concurrency()));
  AFTUNE_TRY(const auto engine, numerics::Engine::create(std::nullopt, pool));
  if (model.llama.config.vision) {
    AFTUNE_TRY(const auto steps, read_image_steps(file, model.llama.config, 1 << 16));
    AFTUNE_TRY(const Outcome outcome, run(engine, std::move(model), job, steps, steps[0][0]));
    return write_outcome(out, outcome);
  }
  AFTUNE_TRY(const Batches batches, read_batches(file));
  AFTUNE_TRY(const Outcome outcome, run(engine, std::move(model), job, batches));
  return write_outcome(out, outcome);
}

}  // namespace
}  // namespace aftune::golden

int main(int argc, char** argv) {
  if (argc != 5) {
    aftune::log_line(
        "usage: aftune_dump_model FOLDER JOB.json BATCHES.safetensors OUT.safetensors");
    return 2;
  }
  const auto done = aftune::golden::dump(argv[1], argv[2], argv[3], argv[4]);
  if (done) return 0;
  aftune::log_line("aftune_dump_model: " + done.error().what);
  return 1;
}
