// SPDX-License-Identifier: Apache-2.0
// A receipt as its form goes: no model stands behind its digests. The log has two entries.
#pragma once

#include "aftune/crypto/sha256.h"
#include "aftune/receipt/receipt_check.h"
#include "aftune/receipt/tiny_served_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::receipt::testing {

inline Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

inline crypto::PrivateKey server_key(std::uint8_t seed = 5) {
  return must(crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, seed))));
}

/// Logs the receipt behind its statement, again.
inline void log_anew(Presented& presented, std::uint8_t key = 5) {
  Receipt& receipt = presented.receipt;
  const std::vector<Digest> leaves = {tlog::leaf_hash(as_bytes(receipt.statement.text())),
                                      receipt.leaf()};
  const crypto::PrivateKey server = server_key(key);
  const tlog::Checkpoint checkpoint{receipt.statement.log_key(server.public_key()).name, 2,
                                    tlog::merkle_root(leaves)};
  presented.proof.index = 1;
  presented.proof.path = must(tlog::inclusion_proof(leaves, 1));
  presented.proof.checkpoint_note = tlog::encode_note(tlog::sign_checkpoint(checkpoint, server));
}

/// A request with a nonce; 2 tokens of prompt, 3 of output, 3 edges.
inline Presented tiny_presented() {
  Presented out;
  Statement& statement = out.receipt.statement;
  statement.architecture = tiny_served_config({});
  statement.model_root = digest_of("root");
  statement.companions = {{"tokenizer.json", 7, digest_of("t")}};
  statement.grid = {2, 1};
  statement.secret_sha256 = digest_of("secret");
  Body& body = out.receipt.body;
  body.request.nonce = digest_of("nonce");
  body.request.max_tokens = 3;
  Answer& answer = out.answer;
  answer.salt = prompt_salt(*body.request.nonce);
  answer.input = std::string("ab");
  answer.prompt = {'a', 'b'};
  answer.output = {'c', 'd', 'e'};
  answer.text_of_output = "cde";
  out.receipt.salt = digest_of("salt");
  body.position = 1;
  body.statement = statement.digest();
  body.id = std::string("a");
  body.request.input = input_digest(answer.salt, answer.input);
  body.seed = {SeedKind::kServer, 77};
  body.prompt = prompt_digest(answer.salt, answer.prompt);
  body.prompt_tokens = 2;
  body.output = output_digest(answer.salt, answer.output);
  body.output_tokens = 3;
  body.text = text_digest(answer.salt, answer.text_of_output);
  body.edges = {digest_of("1"), digest_of("2"), digest_of("3")};
  body.logits = digest_of("logits");
  log_anew(out);
  return out;
}

}  // namespace aftune::receipt::testing
