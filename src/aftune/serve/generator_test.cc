// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/generator.h"

#include <gtest/gtest.h>

#include "aftune/crypto/blake3.h"
#include "aftune/model/head_logits.h"
#include "aftune/serve/tiny_server_testing.h"

namespace aftune::serve {
namespace {

using testing::same_answer;
using testing::sampled_ask;
using testing::TinyModel;
using testing::TinyServer;

const TinyServer& tiny() {
  static const TinyServer server;
  return server;
}

/// Requests of different lengths and rules.
std::vector<Task> tasks_for(const TinyServer& server) {
  std::vector<Task> out;
  const char* prompts[] = {"a",       "What is a log?", "0123456789 0123456789 0123456789",
                           "x y z x", "Hello",          "One more prompt, a little longer"};
  std::uint64_t number = 0;
  for (const char* prompt : prompts) {
    Ask ask = sampled_ask(prompt, 3 + 5 * (number % 3));
    ask.seed = ++number;
    if (number % 2 == 0) ask.sampling = {};
    out.push_back(server.task(std::move(ask)));
  }
  return out;
}

std::vector<Generated> one_by_one(const TinyServer& server) {
  std::vector<Generated> out;
  for (Task& task : tasks_for(server)) out.push_back(server.generate(std::move(task)));
  return out;
}

void expect_same(const std::vector<Generated>& got, const std::vector<Generated>& expected,
                 const std::string& when) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_answer(got[i], expected[i])) << when << ", request " << i;
  }
}

TEST(Generator, AnswersDoNotDependOnBatchesAndPieces) {
  const auto expected = one_by_one(tiny());
  for (const std::size_t requests : {1, 2, 8}) {
    for (const std::size_t prompt_tokens : {1, 7, 64}) {
      expect_same(
          tiny().generate(tasks_for(tiny()), {requests, prompt_tokens}), expected,
          std::to_string(requests) + " requests, pieces of " + std::to_string(prompt_tokens));
    }
  }
}

TEST(Generator, AnswersDoNotDependOnThreadsAndKernels) {
  const auto expected = one_by_one(tiny());
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      const TinyServer other({}, {2, 1}, threads, isa);
      expect_same(other.generate(tasks_for(other)), expected,
                  std::string(numerics::isa_name(isa)) + ", " + std::to_string(threads));
    }
  }
}

TEST(Generator, AnswersDoNotDependOnWhoJoinsAndLeaves) {
  const auto expected = one_by_one(tiny());
  std::vector<Task> tasks = tasks_for(tiny());
  Generator generator(tiny().engine, tiny().decoder, tiny().model.tokenizer, tiny().statement(),
                      {4, 5});
  std::vector<std::optional<Generated>> ended(tasks.size());
  std::vector<Generator::Key> keys;
  for (std::size_t i = 0; i < tasks.size(); ++i) {  // one more at every second pass
    keys.push_back(generator.add(std::move(tasks[i]), {{}, [&ended, i](Result<Generated> one) {
                                                         ended[i] = *std::move(one);
                                                       }}));
    generator.step();
    generator.step();
    if (i == 2) generator.cancel(keys[1]);
  }
  while (!generator.idle()) generator.step();
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (i == 1) continue;  // cancelled, if it had not ended
    ASSERT_TRUE(ended[i]) << i;
    EXPECT_TRUE(same_answer(*ended[i], expected[i])) << i;
  }
}

/// Edges and logits by the training's own function over all positions at once.
TEST(Generator, EdgesAreThoseOfOneCausalPass) {
  for (const bool tied : {true, false}) {
    TinyModel model;
    model.tied = tied;
    const TinyServer server(model);
    const Generated answer = server.generate(server.task(sampled_ask("a prompt")));
    receipt::Tokens tokens = answer.task.prompt;
    tokens.insert(tokens.end(), answer.output.begin(), answer.output.end() - 1);
    const std::size_t count = tokens.size();
    const model::MicroBatch batch{1, count, tokens,
                                  std::vector<std::int32_t>(count, numerics::kIgnoredLabel), 1};
    const model::Llama llama{server.model.folder.config,
                             model::make_inv_freq(server.model.folder.config)};
    const TensorMap parameters = testing::must(model::load_parameters(
        server.model.folder, model::parameter_specs(server.model.folder.config)));
    std::shared_ptr<const Tensor> x;
    const auto blocks = server.statement().layer_blocks();
    ASSERT_EQ(answer.edges.size(), blocks.size());
    for (const model::Segment& block : blocks) {
      auto output = testing::must(
          model::segment_forward(server.engine, llama, block, parameters, batch, x, nullptr));
      x = std::make_shared<const Tensor>(std::move(output.activation));
      EXPECT_EQ(answer.edges[block.index], crypto::blake3(x->bytes()));
    }
    const Tensor logits = testing::must(model::head_logits(server.engine, llama, parameters, *x));
    const std::size_t row = server.model.folder.config.vocab_size * sizeof(float);
    EXPECT_EQ(answer.logits,
              crypto::blake3(logits.bytes().subspan((answer.task.prompt.size() - 1) * row)));
  }
}

TEST(Generator, StoresTheEdgesOfTheGrid) {
  const TinyServer server({}, {1, 2});  // 5 blocks: edges 2, 4 and the head's
  const Generated answer = server.generate(server.task(sampled_ask("abc")));
  ASSERT_EQ(answer.edges.size(), 5U);
  ASSERT_EQ(answer.stored.size(), 3U);
  const std::size_t places[] = {1, 3, 4};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(answer.stored[i].digest, answer.edges[places[i]]);
    EXPECT_EQ(answer.stored[i].digest, crypto::blake3(answer.stored[i].bytes));
    EXPECT_EQ(answer.stored[i].bytes.size(), (3 + answer.output.size() - 1) * 12 * sizeof(float));
  }
}

TEST(Generator, TellsTokensAndTextAsTheyCome) {
  Generator generator(tiny().engine, tiny().decoder, tiny().model.tokenizer, tiny().statement(),
                      {});
  receipt::Tokens tokens;
  std::string text;
  std::optional<Generated> ended;
  generator.add(tiny().task(sampled_ask("Hello", 20)),
                {[&](const Progress& one) {
                   tokens.push_back(one.token);
                   text += one.new_text;
                 },
                 [&](Result<Generated> one) { ended = *std::move(one); }});
  std::size_t passes = 0;
  for (; !generator.idle(); ++passes) generator.step();
  ASSERT_TRUE(ended);
  EXPECT_EQ(tokens, ended->output);
  EXPECT_EQ(text, ended->text);
  EXPECT_EQ(passes, ended->output.size());
}

TEST(Generator, EndsByEveryRuleAndKeepsTheLastToken) {
  TinyModel endless;
  endless.generation_config = "{}";
  const TinyServer open(endless);
  Ask ask = sampled_ask("Hello", 20);
  ask.seed = 3;
  const Generated free = open.generate(open.task(ask));
  EXPECT_EQ(free.finish, receipt::Finish::kLength);
  ASSERT_EQ(free.output.size(), 20U);
  // A token that the same request gives, as the end of texts.
  TinyModel model;
  model.generation_config = R"({"eos_token_id":)" + std::to_string(free.output[9]) + "}";
  const TinyServer ends(model);
  const Generated eos = ends.generate(ends.task(ask));
  EXPECT_EQ(eos.finish, receipt::Finish::kEos);
  const auto first = std::find(free.output.begin(), free.output.end(), free.output[9]);
  EXPECT_EQ(eos.output, receipt::Tokens(free.output.begin(), first + 1));
  // The model's positions are an end, too.
  Ask long_ask = sampled_ask(std::string(298, 'a'), 20);
  EXPECT_EQ(open.generate(open.task(long_ask)).output.size(), 2U);
}

TEST(Generator, OneRequestsNonFiniteNumbersLeaveTheOthersAlone) {
  // One coordinate that only the byte '#' has, and a norm that makes it too large for a product.
  TinyModel model;
  model.tied = false;
  model.change = [](TensorMap& parameters) {
    const auto values = [&](const std::string& name) {
      return parameters.find(name)->second.f32();
    };
    const std::size_t width = 12;
    for (std::size_t token = 0; token < 258; ++token) {
      values("model.embed_tokens.weight")[token * width] = token == '#' ? 4.0F : 0.0F;
    }
    for (std::size_t i = 0; i < width; ++i) values("lm_head.weight")['#' * width + i] = 0;
    values("model.layers.0.input_layernorm.weight")[0] = 0x1p72F;
    for (int layer = 0; layer < 5; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer);
      for (float& value : values(prefix + ".self_attn.o_proj.weight").first(16)) value = 0;
      for (float& value : values(prefix + ".mlp.down_proj.weight").first(20)) value = 0;
    }
  };
  const TinyServer server(model);
  const auto ask = [](const char* prompt) {
    Ask out = sampled_ask(prompt, 6);
    out.seed = 4;
    out.sampling = {};
    return out;
  };
  const Generated expected = server.generate(server.task(ask("plain")));
  Generator generator(server.engine, server.decoder, server.model.tokenizer, server.statement(),
                      {4, 3});
  std::optional<Result<Generated>> good, bad;
  generator.add(server.task(ask("plain")),
                {{}, [&](Result<Generated> one) { good.emplace(std::move(one)); }});
  generator.step();
  generator.step();
  generator.step();
  generator.add(server.task(ask("ba#d")),
                {{}, [&](Result<Generated> one) { bad.emplace(std::move(one)); }});
  while (!generator.idle()) generator.step();
  ASSERT_TRUE(bad && good);
  ASSERT_FALSE(*bad);
  EXPECT_EQ(bad->error().code, Code::kNonFinite);
  ASSERT_TRUE(*good);
  EXPECT_TRUE(same_answer(**good, expected));
}

}  // namespace
}  // namespace aftune::serve
