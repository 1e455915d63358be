// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "aftune/audit/manifest.h"
#include "aftune/audit/timing.h"
#include "aftune/audit/verdict.h"
#include "aftune/receipt/receipt.h"
#include "aftune/tlog/cosignature.h"
#include "aftune/tlog/merkle.h"
#include "aftune/tlog/witness.h"
#include "aftune/trace/timeline.h"
#include "fuzz/corpus.h"
#include "fuzz/papers.h"

namespace aftune::fuzz {
namespace {

receipt::Receipt small_receipt() {
  receipt::Receipt out;
  out.statement.architecture = tiny_papers().contract.architecture;
  out.statement.model_root = digest_of("root");
  out.statement.companions = {{"tokenizer.json", 7, digest_of("tokenizer")}};
  out.statement.grid = {2, 1};
  out.statement.secret_sha256 = digest_of("secret");
  receipt::Body& body = out.body;
  body.position = 1;
  body.statement = out.statement.digest();
  body.id = "a";
  body.request.nonce = digest_of("nonce");
  body.request.max_tokens = 3;
  body.seed = {receipt::SeedKind::kServer, 77};
  body.prompt_tokens = 2;
  body.output_tokens = 3;
  body.edges = {digest_of("1"), digest_of("2")};
  body.logits = digest_of("logits");
  out.salt = digest_of("salt");
  return out;
}

void make_receipts(const Path& root) {
  const Corpus out(root, "receipt");
  const receipt::Receipt receipt = small_receipt();
  out.add("taken-receipt", 'r', receipt.text());
  out.add("taken-statement", 's', receipt.statement.text());
  receipt::Answer answer;
  answer.salt = digest_of("salt");
  answer.input = std::string("ab");
  answer.prompt = {1, 2};
  answer.output = {3, 4, 5};
  answer.text_of_output = "cde";
  out.add("taken-answer-to-text", 'a', answer.text());
  using Messages = std::variant_alternative_t<1, receipt::Input>;
  answer.input = Messages{{"system", "be short"}, {"user", "what is 2+2?"}};
  out.add("taken-answer-to-messages", 'a', answer.text());
  out.add("taken-no-template", 't', R"({"eos_token":"<|im_end|>"})");
  out.add("taken-strange-template", 't', R"({"chat_template":"{{ messages }}"})");
  out.add("refused-no-object", 't', "[]");
  const std::string text = receipt.text();
  out.add("refused-short-receipt", 'r', text.substr(0, text.size() - 1));
}

tlog::SignedNote cosigned(const tlog::Checkpoint& checkpoint) {
  tlog::SignedNote note = tlog::sign_checkpoint(checkpoint, test_key(1));
  tlog::cosign(note, test_key(3), "witness.example/w1", 1'600'000'000);
  return note;
}

void make_witness(const Path& root) {
  const Corpus out(root, "witness");
  const std::vector<Digest> leaves = {digest_of("0"), digest_of("1"), digest_of("2")};
  const tlog::Checkpoint checkpoint{"aftune/run/seed", 3, tlog::merkle_root(leaves)};
  const std::string note = tlog::encode_note(tlog::sign_checkpoint(checkpoint, test_key(1)));
  out.add("taken-key", 'k',
          tlog::WitnessKey{"witness.example/w1", test_key(3).public_key()}.spell());
  out.add("taken-first", 'a', tlog::encode_add_checkpoint({0, {}, note}));
  out.add("taken-grown", 'a',
          tlog::encode_add_checkpoint({2, must(tlog::consistency_proof(leaves, 2)), note}));
  out.add("taken-no-note", 'a', "old 0\n\n");
  out.add("taken-cosigned", 'c', tlog::encode_note(cosigned(checkpoint)));
  out.add("taken-plain", 'c', note);
  out.add("refused-no-proof-end", 'a', "old 2\nAAAA");
}

audit::Challenge small_challenge(const Papers& papers) {
  const trace::Contract& contract = papers.contract;
  const tlog::Checkpoint closed{contract.origin(), trace::Timeline(contract).entry_count(),
                                digest_of("root")};
  return {contract.digest(),
          papers.secret,
          tlog::encode_note(tlog::sign_checkpoint(closed, papers.provider)),
          {{0, 0}, {1, 2}, {3, 1}}};
}

void make_exchange(const Path& root, const Papers& papers) {
  const Corpus out(root, "exchange");
  const Digest contract = papers.contract.digest();
  audit::Challenge challenge = small_challenge(papers);
  out.add("taken-challenge", 'c', challenge.payload());
  challenge.blocks.pop_back();
  out.add("refused-few-blocks", 'c', challenge.payload());
  const audit::Manifest manifest{contract,
                                 papers.challenge,
                                 {digest_of("0"), digest_of("1")},
                                 {{"base/config.json", 581, digest_of("config")},
                                  {"base/model.safetensors", 821520, digest_of("model")}}};
  audit::Manifest ordered = manifest;
  std::sort(ordered.objects.begin(), ordered.objects.end());
  out.add("taken-manifest", 'm', ordered.payload());
  std::reverse(ordered.objects.begin(), ordered.objects.end());
  out.add("refused-unordered-manifest", 'm', ordered.payload());
  audit::Timing timing{contract, papers.challenge, 1'700'000'000, {}, 0, 1'700'003'600};
  out.add("taken-waiting", 't', timing.payload());
  timing.manifest = digest_of("manifest");
  timing.manifest_received = 1'700'000'060;
  out.add("taken-answered", 't', timing.payload());
  timing.manifest_received = 1'700'003'601;
  out.add("refused-later-than-stated", 't', timing.payload());
}

void make_verdict(const Path& root, const Papers& papers) {
  const Corpus out(root, "verdict");
  const trace::Contract& contract = papers.contract;
  audit::Verdict verdict;
  verdict.outcome = audit::Outcome::kReject;
  verdict.origin = contract.origin();
  verdict.contract_digest = contract.digest();
  verdict.findings = {{audit::Check::kActivation, "layer block 2, step block 1",
                       "activation at edge 3, step 4", digest_of("committed").hex(),
                       digest_of("recomputed").hex()}};
  verdict.blocks = {{2, 1, false, false, 0.5}, {1, 1, true, true, 0.25}};
  const std::vector<std::string> entries = {"first", "second", "third"};
  std::vector<Digest> leaves;
  for (const std::string& entry : entries) leaves.push_back(tlog::leaf_hash(as_bytes(entry)));
  const tlog::Checkpoint checkpoint{contract.origin(), 3, tlog::merkle_root(leaves)};
  verdict.checkpoint_note = tlog::encode_note(tlog::sign_checkpoint(checkpoint, papers.provider));
  verdict.evidence = {{1, entries[1], must(tlog::inclusion_proof(leaves, 1))}};
  out.add("taken-reject", codec::canonical_json(audit::verdict_statement(verdict)));
  verdict.evidence[0].entry = "another";
  out.add("refused-proof", codec::canonical_json(audit::verdict_statement(verdict)));
  verdict.evidence.clear();
  verdict.challenge =
      audit::sign_challenge(small_challenge(papers), papers.client, contract.client.name);
  out.add("taken-over-a-challenge", codec::canonical_json(audit::verdict_statement(verdict)));
  verdict.outcome = audit::Outcome::kAccept;
  out.add("refused-accept", codec::canonical_json(audit::verdict_statement(verdict)));
}

void make_weight_index(const Path& root) {
  const Corpus out(root, "weight_index");
  out.add("taken-both", R"({"metadata":{"total_size":3},"weight_map":{"a":"one.safetensors",)"
                        R"("b":"one.safetensors","c":"two.safetensors"}})");
  out.add("taken-one", R"({"weight_map":{"c":"two.safetensors"}})");
  out.add("refused-swapped", R"({"weight_map":{"a":"two.safetensors"}})");
  out.add("refused-elsewhere", R"({"weight_map":{"a":"../one.safetensors"}})");
}

}  // namespace

void make_papers(const Path& root) {
  make_receipts(root);
  make_witness(root);
  make_exchange(root, tiny_papers());
  make_verdict(root, tiny_papers());
  make_weight_index(root);
}

}  // namespace aftune::fuzz
