// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/receipt_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/audit/layer_replay.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"

namespace aftune::audit {
namespace {

using receipt::ReceiptCheck;
using receipt::ReceiptFinding;

constexpr const char* kWhole = "whole answer";

class ReceiptAudit {
 public:
  ReceiptAudit(const ReceiptAuditRequest& request, const numerics::Engine& engine)
      : request_(request),
        engine_(engine),
        body_(request.presented.receipt.body),
        statement_(request.presented.receipt.statement),
        answer_(request.presented.answer) {}

  Result<ReceiptVerdict> run() && {
    fill_in();
    AFTUNE_TRY(choose_blocks());
    add(receipt::check_receipt(request_.presented, request_.expected));
    AFTUNE_TRY(check_model());
    if (verdict_.findings.empty()) {
      check_prompt();
      check_output();
      AFTUNE_TRY(check_seed());
    }
    // Of tokens that are not the receipt's, or of another model, a replay says nothing.
    if (verdict_.findings.empty()) AFTUNE_TRY(replay());
    if (!verdict_.findings.empty()) {
      verdict_.outcome = Outcome::kReject;
    } else {
      verdict_.outcome = verdict_.unchecked.empty() ? Outcome::kAccept : Outcome::kInconclusive;
    }
    return std::move(verdict_);
  }

 private:
  void add(std::vector<ReceiptFinding> findings) {
    for (ReceiptFinding& one : findings) verdict_.findings.push_back(std::move(one));
  }
  void find(ReceiptCheck check, std::string message, std::string committed = {},
            std::string recomputed = {}) {
    verdict_.findings.push_back(
        {check, kWhole, std::move(message), std::move(committed), std::move(recomputed)});
  }

  void fill_in() {
    const receipt::Presented& given = request_.presented;
    verdict_.origin = statement_.log_key(request_.expected.server).name;
    verdict_.id = body_.id;
    verdict_.position = body_.position;
    verdict_.prompt_tokens = body_.prompt_tokens;
    verdict_.leaf = given.receipt.leaf();
    verdict_.model_root = statement_.model_root;
    verdict_.checkpoint_note = given.proof.checkpoint_note;
    verdict_.seed = body_.seed.kind;
    verdict_.training = request_.training;
    verdict_.blocks_total = statement_.layer_blocks().size();
  }

  Status choose_blocks() {
    const auto count = static_cast<std::uint32_t>(verdict_.blocks_total);
    if (request_.all) {
      verdict_.drawn_by = DrawnBy::kAll;
      for (std::uint32_t b = 0; b < count; ++b) chosen_.push_back(b);
    } else if (request_.secret) {
      verdict_.drawn_by = DrawnBy::kSecret;
      AFTUNE_TRY(check_secret());
      chosen_ = draw_layer_blocks(*request_.secret, verdict_.leaf, count);
      chosen_.resize(std::min<std::size_t>(chosen_.size(), request_.draw_count));
    } else if (!request_.blocks.empty()) {
      verdict_.drawn_by = DrawnBy::kHand;
      chosen_ = request_.blocks;
      verdict_.unchecked.emplace_back("blocks chosen by hand prove nothing of the others");
    } else {
      verdict_.unchecked.emplace_back("no layer block was replayed");
    }
    std::sort(chosen_.begin(), chosen_.end());
    chosen_.erase(std::unique(chosen_.begin(), chosen_.end()), chosen_.end());
    if (chosen_.empty() || chosen_.back() < count) return ok();
    return Error{Code::kInvalidInput,
                 fmt::format("layer block {}, the statement has {}", chosen_.back(), count)};
  }

  Status check_secret() {
    const std::optional<Digest>& committed = body_.request.audit_sha256;
    if (request_.draw_count < 1) return Error{Code::kInvalidInput, "a draw of no block"};
    if (!committed) {
      verdict_.unchecked.emplace_back(
          "the request commits to no audit secret: whoever knew this one before may have steered");
      return ok();
    }
    if (*committed == receipt::audit_secret_commitment(*request_.secret)) return ok();
    return Error{Code::kInvalidInput, "this is not the secret that the request commits to"};
  }

  Status check_model() {
    const receipt::ServedModel& model = request_.model.model;
    const auto differs = [this](const char* what) {
      find(ReceiptCheck::kModelRoot,
           fmt::format("{} of the model folder differ from the statement's", what));
    };
    if (!(model.folder.config == statement_.architecture)) differs("architecture or sizes");
    if (model.companions != statement_.companions) differs("companion files");
    if (model.chat != statement_.chat || model.eos != statement_.eos) {
      differs("chat template or the ids that end a text");
    }
    std::optional<Digest> salt;
    if (statement_.model_salted) {
      AFTUNE_TRY(salt, root_salt());
      if (!salt) {
        verdict_.unchecked.emplace_back("the model root is salted and the salt is not there");
        return ok();
      }
    }
    const Digest root = trace::model_root(request_.model.tensors, salt);
    if (root != statement_.model_root) {
      find(ReceiptCheck::kModelRoot, "the weights are not those that the statement binds",
           statement_.model_root.hex(), root.hex());
    }
    return ok();
  }

  Result<std::optional<Digest>> root_salt() const {
    if (!request_.openings) return std::optional<Digest>();
    const Result<std::string> text = read_text_file(request_.openings->root_salt(), 4096);
    if (!text && text.error().code == Code::kNotFound) return std::optional<Digest>();
    if (!text) return text.error();
    std::string_view hex = *text;
    if (hex.ends_with('\n')) hex.remove_suffix(1);
    AFTUNE_TRY(const Digest salt, parse_digest(hex).in(request_.openings->root_salt().string()));
    return std::optional(salt);
  }

  void check_prompt() {
    const auto prompt =
        receipt::prompt_of(answer_.input, request_.model.model.tokenizer, statement_);
    if (!prompt) {
      find(ReceiptCheck::kPrompt,
           "the prompt has no tokens that the model could continue: " + prompt.error().what);
    } else if (*prompt != answer_.prompt) {
      const auto differ = std::mismatch(prompt->begin(), prompt->end(), answer_.prompt.begin(),
                                        answer_.prompt.end());
      find(ReceiptCheck::kPrompt,
           fmt::format("the prompt's tokens do not follow from it, from position {} on",
                       differ.first - prompt->begin()));
    }
  }

  void check_output() {
    const std::uint32_t vocab = statement_.architecture.vocab_size;
    for (std::size_t i = 0; i < answer_.output.size(); ++i) {
      if (static_cast<std::uint32_t>(answer_.output[i]) < vocab) continue;
      find(ReceiptCheck::kOutput, fmt::format("output token {} is {}, the vocabulary has {} tokens",
                                              i, answer_.output[i], vocab));
      return;
    }
  }

  Status check_seed() {
    if (body_.seed.kind != receipt::SeedKind::kServer) return ok();
    Result<crypto::SecretBytes> secret = Error{Code::kNotFound, "no openings were given"};
    if (request_.openings) secret = receipt::read_server_secret(request_.openings->secret());
    if (!secret) {
      verdict_.unchecked.push_back("the server's secret behind the seed: " + secret.error().what);
      return ok();
    }
    const Digest committed = receipt::server_secret_commitment(secret->reveal());
    if (committed != statement_.secret_sha256) {
      find(ReceiptCheck::kSeed, "the server's secret is not the one that the statement commits to",
           statement_.secret_sha256.hex(), committed.hex());
      return ok();
    }
    const std::uint64_t seed = receipt::server_seed(secret->reveal(), body_.request);
    if (seed != body_.seed.value) {
      find(ReceiptCheck::kSeed, "the seed does not follow from the server's secret and the request",
           receipt::spell_seed(body_.seed.value), receipt::spell_seed(seed));
    }
    return ok();
  }

  Status replay() {
    LayerReplay replay(request_.presented, request_.model.model, engine_);
    if (request_.openings) AFTUNE_TRY(replay.open_store(request_.openings->store()));
    AFTUNE_TRY(replay.run(chosen_));
    add(std::move(replay.findings));
    verdict_.blocks = std::move(replay.blocks);
    verdict_.decisions = replay.decisions;
    verdict_.head_seconds = replay.head_seconds;
    verdict_.not_handed_over = replay.not_handed_over;
    return ok();
  }

  const ReceiptAuditRequest& request_;
  const numerics::Engine& engine_;
  const receipt::Body& body_;
  const receipt::Statement& statement_;
  const receipt::Answer& answer_;
  std::vector<std::uint32_t> chosen_;
  ReceiptVerdict verdict_;
};

}  // namespace

Result<AuditedModel> open_audited_model(const Path& folder, ThreadPool& pool) {
  AFTUNE_TRY(receipt::ServedModel model, receipt::open_served_model(folder));
  receipt::RootedTensors tensors = receipt::rooted_tensors(model, pool);
  return AuditedModel{std::move(model), std::move(tensors)};
}

std::vector<std::uint32_t> draw_layer_blocks(Bytes secret, const Digest& leaf,
                                             std::uint32_t block_count) {
  ByteBuffer message;
  append(message, as_bytes(crypto::kDomainReceiptDraw));
  append(message, leaf.view());
  const Digest key = crypto::hmac_sha256(secret, message);
  std::vector<std::pair<Digest, std::uint32_t>> marks;
  for (std::uint32_t b = 0; b < block_count; ++b) {
    marks.emplace_back(crypto::hmac_sha256(key.view(), store_be(std::uint64_t{b})), b);
  }
  std::sort(marks.begin(), marks.end());
  std::vector<std::uint32_t> out;
  out.reserve(marks.size());
  for (const auto& [mark, block] : marks) out.push_back(block);
  return out;
}

Result<ReceiptVerdict> audit_receipt(const ReceiptAuditRequest& request,
                                     const numerics::Engine& engine) {
  return ReceiptAudit(request, engine).run();
}

}  // namespace aftune::audit
