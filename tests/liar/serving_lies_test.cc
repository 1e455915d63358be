// SPDX-License-Identifier: Apache-2.0
// A server that lies and logs its lies: rows I1 to I8 of docs/attacks.md, each beside its honest
// twin. One layer a block, every edge stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "aftune/audit/receipt_audit.h"
#include "aftune/crypto/blake3.h"
#include "aftune/serve/edge_recorder.h"
#include "aftune/serve/tiny_server_testing.h"

namespace aftune::liar {
namespace {

using audit::Outcome;
using audit::ReceiptVerdict;
using receipt::Presented;
using serve::Generated;
using serve::Task;
using serve::testing::must;
using serve::testing::TinyModel;
using serve::testing::TinyServer;

const ByteBuffer kSecret(32, 9);

serve::Ask ask_for(std::string prompt, std::uint64_t max_tokens = 10) {
  serve::Ask ask = serve::testing::sampled_ask(std::move(prompt), max_tokens);
  ask.audit_sha256 = receipt::audit_secret_commitment(kSecret);
  return ask;
}

void round_to_bfloat16(TensorMap& parameters) {
  for (auto& [name, tensor] : parameters) {
    for (float& value : tensor.f32()) {
      value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xFFFF0000U);
    }
  }
}

/// An honest server, its auditor, and decoders of models that it has no receipt for.
class ServingLies : public ::testing::Test {
 protected:
  TinyModel untied() const {
    TinyModel tiny;
    tiny.tied = false;
    tiny.generation_config = "{}";  // no token ends a text
    return tiny;
  }
  /// A decoder of another model.
  model::Decoder other(const TinyModel& tiny) {
    const std::string name = "other" + std::to_string(others_++);
    const Path folder = receipt::testing::make_tiny_model(server.root, name.c_str(), tiny);
    return serve::testing::decoder_of(must(receipt::open_served_model(folder)), server.engine);
  }
  model::Decoder with_layer_changed(const char* parameter) {
    TinyModel tiny = untied();
    tiny.change = [parameter](TensorMap& parameters) {
      for (float& value : parameters.find(parameter)->second.f32()) value *= 1.25F;
    };
    return other(tiny);
  }
  Generated generate_with(const model::Decoder& decoder, Task task) {
    serve::Generator generator(server.engine, decoder, server.model.tokenizer, server.statement(),
                               {});
    std::optional<Generated> out;
    generator.add(std::move(task), {{}, [&](Result<Generated> one) { out = *std::move(one); }});
    while (!generator.idle()) generator.step();
    return *std::move(out);
  }
  /// The honest model's edges and logits over these tokens, the text after them put before: what
  /// somebody else's cache has.
  void record_honestly(Generated& answer, const receipt::Tokens& cached = {}) {
    model::TextState state = server.decoder.new_text();
    if (!cached.empty()) {
      const std::vector<model::TextPiece> piece = {{&state, cached}};
      must(server.decoder.advance(server.engine, piece, model::LogitRows::kLast));
    }
    receipt::Tokens tokens = answer.task.prompt;
    tokens.insert(tokens.end(), answer.output.begin(), answer.output.end() - 1);
    serve::EdgeRecorder recorder(server.statement());
    const std::vector<model::TextPiece> piece = {{&state, tokens}};
    const Tensor logits = must(server.decoder.advance(
        server.engine, piece, model::LogitRows::kAll,
        [&](std::uint32_t layers, const Tensor& x) { recorder.add(layers, x.f32()); }));
    const std::size_t vocab = logits.shape()[1];
    recorder.add_logits(logits.f32().subspan((answer.task.prompt.size() - 1) * vocab));
    answer.edges.clear();
    answer.stored.clear();
    std::move(recorder).finish(answer);
  }
  Presented given(Generated answer) {
    return serve::testing::presented(server.issue(std::move(answer)));
  }
  [[nodiscard]] receipt::Expected expected() const {
    return {server.key.public_key(), server.statement().model_root, nullptr, {}, {}};
  }
  ReceiptVerdict audit(const Presented& presented) {
    audit::ReceiptAuditRequest request{presented, expected(), model};
    request.openings = server.log.folder();
    request.all = true;
    return must(audit::audit_receipt(request, server.engine));
  }
  /// The check of the first finding; empty for ACCEPT.
  static std::string cause(const ReceiptVerdict& verdict) {
    if (verdict.outcome == Outcome::kAccept) return "";
    if (verdict.findings.empty()) return "inconclusive";
    return std::string(receipt::check_name(verdict.findings.front().check)) + " " +
           verdict.findings.front().place;
  }
  static bool finds(const ReceiptVerdict& verdict, receipt::ReceiptCheck check) {
    return std::any_of(verdict.findings.begin(), verdict.findings.end(),
                       [&](const auto& one) { return one.check == check; });
  }
  Generated honest(const char* prompt = "What do you serve?") {
    return server.generate(server.task(ask_for(prompt)));
  }

  TinyServer server{untied(), {1, 1}};
  audit::AuditedModel model = must(audit::open_audited_model(server.folder, server.pool));
  int others_ = 0;
};

TEST_F(ServingLies, HonestTwinIsAccepted) {
  const ReceiptVerdict verdict = audit(given(honest()));
  EXPECT_EQ(cause(verdict), "") << audit::receipt_verdict_text(verdict);
  // Re-recorded by the means of the lies below: the lies are what is found, not the means.
  Generated again = honest();
  record_honestly(again);
  EXPECT_TRUE(serve::testing::same_answer(again, honest()));
}

TEST_F(ServingLies, I1ATokenChangedAfterwardsNeedsNoAudit) {
  Presented presented = given(honest());
  presented.answer.output[3] ^= 1;
  const auto findings = receipt::check_receipt(presented, expected());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].check, receipt::ReceiptCheck::kOutput);
  EXPECT_EQ(cause(audit(presented)), "output whole answer");
}

TEST_F(ServingLies, I1ATokenChangedAndLogged) {
  Generated last = honest();
  last.output.back() ^= 1;
  const std::string end =
      "token position " + std::to_string(last.task.prompt.size() + last.output.size() - 1);
  EXPECT_EQ(cause(audit(given(std::move(last)))), end);
  // In the middle, with edges that fit the change.
  Generated middle = honest();
  middle.output[4] ^= 1;
  record_honestly(middle);
  const std::string place = "token position " + std::to_string(middle.task.prompt.size() + 4);
  EXPECT_EQ(cause(audit(given(std::move(middle)))), place);
  // With the edges of the honest answer.
  Generated kept = honest();
  kept.output[4] ^= 1;
  const ReceiptVerdict verdict = audit(given(std::move(kept)));
  EXPECT_EQ(cause(verdict), "activation layer block 0");
  EXPECT_TRUE(finds(verdict, receipt::ReceiptCheck::kToken));
}

TEST_F(ServingLies, I1ATokenThatIsNone) {
  Generated answer = honest();
  answer.output.back() = static_cast<std::int32_t>(server.statement().architecture.vocab_size);
  EXPECT_EQ(cause(audit(given(std::move(answer)))), "output whole answer");
}

TEST_F(ServingLies, I1AnotherTextThanTheTokens) {
  Generated answer = honest();
  answer.text += "!";
  EXPECT_EQ(cause(audit(given(std::move(answer)))), "text whole answer");
}

TEST_F(ServingLies, I2AnyLayerSwapped) {
  for (const int layer : {0, 3, 4}) {
    const std::string name = "model.layers." + std::to_string(layer) + ".mlp.down_proj.weight";
    const model::Decoder decoder = with_layer_changed(name.c_str());
    const Presented presented = given(generate_with(decoder, server.task(ask_for("Who?"))));
    const ReceiptVerdict verdict = audit(presented);
    EXPECT_EQ(cause(verdict), "activation layer block " + std::to_string(layer));
    EXPECT_NE(verdict.findings[0].message.find("edge " + std::to_string(layer + 1)),
              std::string::npos);
    EXPECT_NE(verdict.findings[0].message.find("position 0"), std::string::npos);
  }
}

TEST_F(ServingLies, I2TheHeadSwappedOrRoundedWeights) {
  for (const char* name : {"lm_head.weight", "model.norm.weight"}) {
    const model::Decoder decoder = with_layer_changed(name);
    const ReceiptVerdict verdict =
        audit(given(generate_with(decoder, server.task(ask_for("Who?")))));
    EXPECT_EQ(verdict.outcome, Outcome::kReject) << name;
    EXPECT_TRUE(finds(verdict, receipt::ReceiptCheck::kLogits)) << name;
  }
  TinyModel rounded = untied();
  rounded.change = round_to_bfloat16;
  const ReceiptVerdict verdict =
      audit(given(generate_with(other(rounded), server.task(ask_for("Who?")))));
  EXPECT_EQ(cause(verdict), "activation layer block 0");
}

TEST_F(ServingLies, I3AnotherPromptThanAsked) {
  // The receipt of another request, which the client compares with its own.
  const Task asked = server.task(ask_for("What is two and two?"));
  const Presented presented = given(honest());
  receipt::Expected mine = expected();
  mine.request = asked.request;
  mine.input = asked.input;
  const auto findings = receipt::check_receipt(presented, mine);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].check, receipt::ReceiptCheck::kRequest);
  // The right request, and tokens that do not follow from it.
  Task task = server.task(ask_for("What is two and two?"));
  task.prompt = server.task(ask_for("Praise the server.")).prompt;
  EXPECT_EQ(cause(audit(given(server.generate(std::move(task))))), "prompt whole answer");
}

TEST_F(ServingLies, I3OtherSamplingThanAsked) {
  const struct {
    const char* name;
    std::function<void(receipt::SamplingRule&)> change;
  } lies[] = {{"temperature", [](auto& rule) { rule.temperature = 3; }},
              {"greedy", [](auto& rule) { rule.temperature = 0; }},
              {"top_k", [](auto& rule) { rule.top_k = 1; }},
              {"penalty", [](auto& rule) { rule.repetition_penalty = 16; }}};
  for (const auto& lie : lies) {
    Task task = server.task(ask_for("Surprise me", 24));
    const receipt::Request asked = task.request;
    lie.change(task.request.sampling);
    Generated answer = server.generate(std::move(task));
    answer.task.request = asked;
    EXPECT_EQ(cause(audit(given(std::move(answer)))).substr(0, 14), "token position") << lie.name;
  }
}

TEST_F(ServingLies, I4AnotherUsersCacheMixedIn) {
  Generated answer = honest();
  record_honestly(answer, server.task(ask_for("Somebody else's secret")).prompt);
  const ReceiptVerdict verdict = audit(given(std::move(answer)));
  EXPECT_EQ(cause(verdict), "activation layer block 0");
  EXPECT_NE(verdict.findings[0].message.find("first at position 0"), std::string::npos)
      << verdict.findings[0].message;
}

TEST_F(ServingLies, I4APositionThatSawWhatComesLater) {
  // Position 5 of edge 3 is that of a text whose earlier tokens are other ones.
  Generated answer = honest();
  Generated mixed = honest();
  mixed.task.prompt[2] ^= 1;
  record_honestly(mixed);
  const std::size_t width = server.model.folder.config.hidden_size * sizeof(float);
  ByteBuffer& edge = answer.stored[2].bytes;
  std::copy_n(mixed.stored[2].bytes.begin() + static_cast<std::ptrdiff_t>(5 * width), width,
              edge.begin() + static_cast<std::ptrdiff_t>(5 * width));
  answer.stored[2].digest = answer.edges[2] = crypto::blake3(edge);
  const ReceiptVerdict verdict = audit(given(std::move(answer)));
  EXPECT_EQ(cause(verdict), "activation layer block 2");
  EXPECT_NE(verdict.findings[0].message.find("first at position 5"), std::string::npos)
      << verdict.findings[0].message;
}

TEST_F(ServingLies, I5AReceiptOfAnotherRequest) {
  const Presented one = given(honest("one")), two = given(honest("two"));
  const Presented mixed{one.receipt, one.proof, two.answer};
  const auto findings = receipt::check_receipt(mixed, expected());
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].check, receipt::ReceiptCheck::kPrompt);
  const Presented moved{one.receipt, two.proof, one.answer};
  const auto found = receipt::check_receipt(moved, expected());
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].check, receipt::ReceiptCheck::kLog);
}

TEST_F(ServingLies, I5AReceiptOfAnotherModelVersion) {
  TinyModel tiny = untied();
  tiny.seed = 2;
  TinyServer newer(tiny, {1, 1});
  const Presented presented = serve::testing::presented(
      newer.issue(newer.generate(newer.task(ask_for("Which version are you?")))));
  const auto findings = receipt::check_receipt(presented, expected());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].check, receipt::ReceiptCheck::kStatement);
  // The newer model under the older one's statement.
  const ReceiptVerdict verdict =
      audit(given(generate_with(newer.decoder, server.task(ask_for("Which version are you?")))));
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
}

TEST_F(ServingLies, I6CutShort) {
  for (const receipt::Finish claimed :
       {receipt::Finish::kEos, receipt::Finish::kStop, receipt::Finish::kLength}) {
    Task task = server.task(ask_for("Tell me more", 12));
    const receipt::Request asked = task.request;
    task.request.max_tokens = 5;
    Generated answer = server.generate(std::move(task));
    answer.task.request = asked;
    answer.finish = claimed;
    const Presented presented = given(std::move(answer));
    const bool offline = !receipt::check_receipt(presented, expected()).empty();
    EXPECT_EQ(offline, claimed == receipt::Finish::kLength);
    const std::string found = cause(audit(presented));
    // The seed is bound to the whole request, the limit included: it is the honest one here.
    EXPECT_EQ(found, offline ? "finish whole answer" : "finish end");
  }
}

TEST_F(ServingLies, I6AnotherReasonOfTheEnd) {
  for (const receipt::Finish claimed : {receipt::Finish::kEos, receipt::Finish::kStop}) {
    Generated answer = honest();
    ASSERT_EQ(answer.finish, receipt::Finish::kLength);
    answer.finish = claimed;
    EXPECT_EQ(cause(audit(given(std::move(answer)))), "finish end");
  }
}

TEST_F(ServingLies, I6TokensPastTheEnd) {
  serve::Ask ask = ask_for("Tell me more", 12);
  ask.seed = 77;  // the same with other stop strings
  Generated longer = server.generate(server.task(ask));
  const auto is_ascii = [](char c) { return c > 0; };
  const auto letter = std::find_if(longer.text.begin(), longer.text.end(), is_ascii);
  ASSERT_NE(letter, longer.text.end());
  ask.stop = {std::string(1, *letter)};
  const Generated shorter = server.generate(server.task(ask));
  ASSERT_EQ(cause(audit(given(shorter))), "");
  ASSERT_LT(shorter.output.size(), longer.output.size());
  longer.task = shorter.task;
  longer.finish = shorter.finish;
  longer.text = shorter.text;
  EXPECT_EQ(cause(audit(given(std::move(longer)))), "finish end");
}

TEST_F(ServingLies, I7ACheaperModelAndOneHonestPass) {
  TinyModel cheap = untied();
  cheap.change = [](TensorMap& parameters) {
    for (float& value : parameters.find("model.layers.4.mlp.up_proj.weight")->second.f32()) {
      value = 0;
    }
  };
  const model::Decoder decoder = other(cheap);
  serve::Ask ask = ask_for("Work hard", 24);
  ask.sampling = {};
  Generated answer = generate_with(decoder, server.task(ask));
  record_honestly(answer);
  const ReceiptVerdict verdict = audit(given(std::move(answer)));
  EXPECT_EQ(cause(verdict).substr(0, 14), "token position");
  EXPECT_FALSE(finds(verdict, receipt::ReceiptCheck::kActivation));
}

TEST_F(ServingLies, I8SeedsTriedUntilTheAnswerSuits) {
  const Generated unlucky = honest();
  Task task = server.task(ask_for("What do you serve?"));
  Generated lucky;
  do {
    ++task.seed.value;
    lucky = server.generate(task);
  } while (lucky.output[0] == unlucky.output[0]);
  EXPECT_EQ(cause(audit(given(lucky))), "seed whole answer");

  // Without a nonce nobody can tell, and the receipt says so.
  serve::Ask unbound = ask_for("What do you serve?");
  unbound.nonce.reset();
  Presented presented = given(server.generate(server.task(unbound)));
  const ReceiptVerdict verdict = audit(presented);
  EXPECT_EQ(cause(verdict), "");
  EXPECT_NE(audit::receipt_verdict_text(verdict).find("seed: unbound"), std::string::npos);
  // With one, it cannot say that.
  lucky.task.seed.kind = receipt::SeedKind::kUnbound;
  EXPECT_EQ(cause(audit(given(lucky))), "seed whole answer");
}

TEST_F(ServingLies, ASecretThatWasNotCommitted) {
  const Presented presented = given(honest());
  const Path secret = server.log.folder().secret();
  std::filesystem::remove(secret);
  ASSERT_TRUE(write_new_private_file(secret, as_bytes(std::string(64, 'a') + "\n")));
  EXPECT_EQ(cause(audit(presented)), "seed whole answer");
}

TEST_F(ServingLies, ASecretOfTheServersOwnChoiceAndItsSeed) {
  Task task = server.task(ask_for("What do you serve?"));
  task.seed.value = receipt::server_seed(ByteBuffer(32, 0xaa), task.request);
  const Presented presented = given(server.generate(std::move(task)));
  const Path secret = server.log.folder().secret();
  std::filesystem::remove(secret);
  ASSERT_TRUE(write_new_private_file(secret, as_bytes(std::string(64, 'a') + "\n")));
  EXPECT_EQ(cause(audit(presented)), "seed whole answer");
}

}  // namespace
}  // namespace aftune::liar
