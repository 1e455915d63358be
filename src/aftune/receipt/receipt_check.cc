// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/receipt_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace aftune::receipt {
namespace {

constexpr const char* kWhole = "whole answer";

class Checking {
 public:
  Checking(const Presented& presented, const Expected& expected)
      : receipt_(presented.receipt),
        body_(presented.receipt.body),
        proof_(presented.proof),
        answer_(presented.answer),
        expected_(expected) {}

  std::vector<ReceiptFinding> run() && {
    check_log();
    check_statement();
    check_request();
    check_tokens();
    check_seed();
    check_finish();
    return std::move(found_);
  }

 private:
  void find(ReceiptCheck check, std::string message, std::string committed = {},
            std::string recomputed = {}) {
    found_.push_back(
        {check, kWhole, std::move(message), std::move(committed), std::move(recomputed)});
  }
  void compare(ReceiptCheck check, const char* what, const Digest& committed,
               const Digest& recomputed) {
    if (committed == recomputed) return;
    find(check, fmt::format("{} of the answer is not the one that the receipt is for", what),
         committed.hex(), recomputed.hex());
  }
  void compare(ReceiptCheck check, const char* what, std::uint64_t committed, std::uint64_t found) {
    if (committed == found) return;
    find(check,
         fmt::format("the answer has {} tokens of {}, the receipt {}", found, what, committed));
  }

  void check_log() {
    const tlog::VerifierKey key = receipt_.statement.log_key(expected_.server);
    if (proof_.index != body_.position) {
      find(ReceiptCheck::kLog, fmt::format("the proof is of entry {}, the receipt of entry {}",
                                           proof_.index, body_.position));
    }
    const Status held = tlog::verify_tlog_proof(proof_, receipt_.leaf(), key);
    if (!held) find(ReceiptCheck::kLog, held.error().what);
  }

  void check_statement() {
    const Digest stated = receipt_.statement.digest();
    if (stated != body_.statement) {
      find(ReceiptCheck::kStatement, "the receipt is for another statement than the one beside it",
           body_.statement.hex(), stated.hex());
    }
    const std::size_t blocks = receipt_.statement.layer_blocks().size();
    if (body_.edges.size() != blocks) {
      find(ReceiptCheck::kStatement,
           fmt::format("the receipt has {} edges, the statement implies {}", body_.edges.size(),
                       blocks));
    }
    if (expected_.model_root && *expected_.model_root != receipt_.statement.model_root) {
      find(ReceiptCheck::kStatement,
           fmt::format("model root {} is served, not {}", receipt_.statement.model_root.hex(),
                       expected_.model_root->hex()),
           receipt_.statement.model_root.hex(), expected_.model_root->hex());
    }
    if (expected_.contract == nullptr) return;
    const Status trained = check_training(receipt_.statement, *expected_.contract);
    if (!trained) find(ReceiptCheck::kStatement, trained.error().what);
  }

  void check_request() {
    if (expected_.request && *expected_.request != body_.request) {
      find(ReceiptCheck::kRequest,
           fmt::format("the receipt is for the request {}, yours was {}",
                       codec::canonical_json(body_.request.json()),
                       codec::canonical_json(expected_.request->json())),
           body_.request.digest().hex(), expected_.request->digest().hex());
    }
    if (expected_.input && !(*expected_.input == answer_.input)) {
      find(ReceiptCheck::kRequest, "the answer is to another prompt than yours");
    }
  }

  void check_tokens() {
    const std::optional<Digest>& nonce = body_.request.nonce;
    if (nonce && prompt_salt(*nonce) != answer_.salt) {
      find(ReceiptCheck::kPrompt,
           "the salt of the prompt does not follow from the request's nonce");
    }
    compare(ReceiptCheck::kPrompt, "the prompt", body_.request.input,
            input_digest(answer_.salt, answer_.input));
    compare(ReceiptCheck::kPrompt, "the prompt", body_.prompt_tokens, answer_.prompt.size());
    compare(ReceiptCheck::kPrompt, "the list of prompt tokens", body_.prompt,
            prompt_digest(answer_.salt, answer_.prompt));
    compare(ReceiptCheck::kOutput, "output", body_.output_tokens, answer_.output.size());
    compare(ReceiptCheck::kOutput, "the list of output tokens", body_.output,
            output_digest(answer_.salt, answer_.output));
    compare(ReceiptCheck::kText, "the text", body_.text,
            text_digest(answer_.salt, answer_.text_of_output));
  }

  void check_seed() {
    const SeedKind implied = seed_kind(body_.request);
    if (body_.seed.kind != implied) {
      find(ReceiptCheck::kSeed,
           fmt::format("the receipt says seed: {}, the request implies {}",
                       seed_kind_name(body_.seed.kind), seed_kind_name(implied)));
    } else if (implied == SeedKind::kClient && body_.seed.value != *body_.request.seed) {
      find(ReceiptCheck::kSeed,
           fmt::format("the receipt has seed {}, the request {}", spell_seed(body_.seed.value),
                       spell_seed(*body_.request.seed)),
           spell_seed(body_.seed.value), spell_seed(*body_.request.seed));
    }
  }

  void check_finish() {
    const std::uint64_t positions = receipt_.statement.architecture.max_positions;
    if (body_.prompt_tokens >= positions) {
      find(ReceiptCheck::kFinish, fmt::format("a prompt of {} tokens, the model has {} positions",
                                              body_.prompt_tokens, positions));
      return;
    }
    const std::uint64_t limit =
        std::min<std::uint64_t>(body_.request.max_tokens, positions - body_.prompt_tokens);
    if (body_.output_tokens > limit) {
      find(ReceiptCheck::kFinish,
           fmt::format("{} tokens of output, the request and the model allow {}",
                       body_.output_tokens, limit));
    } else if (body_.finish == Finish::kLength && body_.output_tokens < limit) {
      find(ReceiptCheck::kFinish,
           fmt::format("cut after {} tokens as if that were the limit, the limit is {}",
                       body_.output_tokens, limit));
    }
  }

  const Receipt& receipt_;
  const Body& body_;
  const tlog::TlogProof& proof_;
  const Answer& answer_;
  const Expected& expected_;
  std::vector<ReceiptFinding> found_;
};

}  // namespace

std::string_view check_name(ReceiptCheck check) {
  switch (check) {
    case ReceiptCheck::kLog:
      return "log";
    case ReceiptCheck::kStatement:
      return "statement";
    case ReceiptCheck::kModelRoot:
      return "model-root";
    case ReceiptCheck::kRequest:
      return "request";
    case ReceiptCheck::kPrompt:
      return "prompt";
    case ReceiptCheck::kOutput:
      return "output";
    case ReceiptCheck::kText:
      return "text";
    case ReceiptCheck::kSeed:
      return "seed";
    case ReceiptCheck::kFinish:
      return "finish";
    case ReceiptCheck::kOpening:
      return "opening";
    case ReceiptCheck::kActivation:
      return "activation";
    case ReceiptCheck::kLogits:
      return "logits";
    case ReceiptCheck::kToken:
      return "token";
  }
  return "?";
}

std::vector<ReceiptFinding> check_receipt(const Presented& presented, const Expected& expected) {
  return Checking(presented, expected).run();
}

}  // namespace aftune::receipt
