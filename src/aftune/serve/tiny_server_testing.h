// SPDX-License-Identifier: Apache-2.0
// A served tiny model in tests: folder, decoder, log; answers made one by one or in batches.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aftune/crypto/sha256.h"
#include "aftune/receipt/receipt_check.h"
#include "aftune/receipt/tiny_served_testing.h"
#include "aftune/serve/generator.h"
#include "aftune/serve/server.h"
#include "aftune/serve/serving_log.h"

namespace aftune::serve::testing {

using receipt::testing::must;
using receipt::testing::TinyModel;

inline crypto::PrivateKey server_key(std::uint8_t seed = 5) {
  return must(crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, seed))));
}

inline model::Decoder decoder_of(const receipt::ServedModel& model,
                                 const numerics::Engine& engine) {
  const model::Llama llama{model.folder.config,
                           Tensor::copy_of(*model.folder.tables.find(model::kInvFreqName))};
  return must(model::Decoder::create(
      engine, llama, [&](const std::string& name) { return *model.folder.parameters.find(name); }));
}

/// What computes for one server.
class TinyServer {
 public:
  explicit TinyServer(const TinyModel& tiny = {}, receipt::EdgeGrid grid = {2, 1},
                      unsigned threads = 1, std::optional<numerics::Isa> isa = std::nullopt)
      : pool(threads),
        engine(must(numerics::Engine::create(isa, pool))),
        folder(receipt::testing::make_tiny_model(root, "model", tiny)),
        model(must(receipt::open_served_model(folder))),
        decoder(decoder_of(model, engine)),
        key(server_key()),
        log(open_log(receipt::testing::tiny_statement(model, pool, grid))) {}

  model::testing::TempFolder root;
  ThreadPool pool;
  numerics::Engine engine;
  Path folder;
  receipt::ServedModel model;
  model::Decoder decoder;
  crypto::PrivateKey key;
  ServingLog log;

  [[nodiscard]] ServingLog open_log(const receipt::Statement& statement) const {
    const receipt::ServingFolder at{root / "serving"};
    must(make_folders(at.root));
    if (!std::filesystem::exists(at.secret())) {  // the same in each test: equal seeds
      must(write_new_private_file(at.secret(), as_bytes(std::string(64, '7') + "\n")));
    }
    return must(ServingLog::open(at.root, statement, key, std::nullopt));
  }
  [[nodiscard]] const receipt::Statement& statement() const { return log.statement(); }
  [[nodiscard]] Task task(Ask ask) const {
    return must(task_of(std::move(ask), statement(), model.tokenizer, log.secret()));
  }
  /// All of them together, in the batches that the limits allow.
  [[nodiscard]] std::vector<Generated> generate(std::vector<Task> tasks,
                                                BatchLimits limits = {}) const {
    Generator generator(engine, decoder, model.tokenizer, statement(), limits);
    std::vector<std::optional<Generated>> ended(tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      generator.add(std::move(tasks[i]), {{}, [&ended, i](Result<Generated> one) {
                                            AFTUNE_CHECK(one.has_value(), "no answer");
                                            ended[i] = *std::move(one);
                                          }});
    }
    while (!generator.idle()) generator.step();
    std::vector<Generated> out;
    for (auto& one : ended) out.push_back(*std::move(one));
    return out;
  }
  [[nodiscard]] Generated generate(Task task) const {
    std::vector<Task> one;
    one.push_back(std::move(task));
    return std::move(generate(std::move(one), BatchLimits{}).front());
  }
  Receipted issue(Generated answer) {
    std::vector<Generated> one;
    one.push_back(std::move(answer));
    return std::move(must(log.issue(std::move(one))).front());
  }
};

/// As the client reads what it got.
inline receipt::Presented presented(const Receipted& given) {
  return {must(receipt::Receipt::parse(given.receipt_text)),
          must(tlog::decode_tlog_proof(given.proof_text)),
          must(receipt::Answer::parse(given.answer.text()))};
}

/// A sampled request with nonce and audit secret.
inline Ask sampled_ask(std::string prompt, std::uint64_t max_tokens = 12) {
  Ask ask;
  ask.input = std::move(prompt);
  ask.max_tokens = max_tokens;
  ask.sampling = {0.9, 0, 0.95, 1.1};
  ask.nonce = crypto::sha256(as_bytes("nonce"));
  return ask;
}

/// Whether two answers are the same in every token and digest.
inline bool same_answer(const Generated& a, const Generated& b) {
  return a.output == b.output && a.text == b.text && a.finish == b.finish && a.edges == b.edges &&
         a.logits == b.logits;
}

}  // namespace aftune::serve::testing
