// SPDX-License-Identifier: Apache-2.0
// Entry 0 of a serving log: what is served. Members: docs/formats/receipt.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/codec/json.h"
#include "aftune/model/partition.h"
#include "aftune/receipt/served_model.h"
#include "aftune/tlog/note.h"

namespace aftune::receipt {

/// Where a model comes from: the closing entry of its run.
struct TrainedBy {
  Digest contract;
  std::string close;  // the text of the close's list
  std::string proof;  // tlog-proof of the closing entry
  friend bool operator==(const TrainedBy&, const TrainedBy&) = default;
};

/// How the layers are cut for receipts, and which edges are stored.
struct EdgeGrid {
  std::uint32_t layers_per_block = 1;
  std::uint32_t edge_interval = 1;
  friend bool operator==(const EdgeGrid&, const EdgeGrid&) = default;
};

struct Statement {
  model::LlamaConfig architecture;
  Digest model_root;
  bool model_salted = false;
  std::vector<trace::BoundFile> companions;
  ChatTemplate chat = ChatTemplate::kNone;
  std::vector<std::int32_t> eos;
  EdgeGrid grid;
  Digest secret_sha256;
  std::optional<TrainedBy> training;

  [[nodiscard]] codec::Json json() const;
  /// The entry's text.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] Digest digest() const;
  /// "aftune/serve/" and the digest, with the server's key: the log's key.
  [[nodiscard]] tlog::VerifierKey log_key(const crypto::PublicKey& server) const;

  /// The layer blocks: segment b has edge b entering and edge b + 1 leaving; none has the head.
  [[nodiscard]] std::vector<model::Segment> layer_blocks() const;
  /// Whether edge `edge`, from 1, is an object of the store.
  [[nodiscard]] bool edge_stored(std::uint32_t edge) const;

  /// Errors: kInvalidInput or kUnsupported, naming the member.
  static Result<Statement> read(const codec::Json& json);
  static Result<Statement> parse(std::string_view text);

  friend bool operator==(const Statement&, const Statement&) = default;
};

inline constexpr std::uint64_t kMaxStatementBytes = 60000;  // fits an entry

/// What is stated of `model`; root, secret and training are the caller's to fill in.
Statement statement_of(const ServedModel& model, EdgeGrid grid);

/// SHA-256(domain, secret): what the statement holds of the server's secret.
Digest server_secret_commitment(Bytes secret);

/// Whether the statement's training is the contract's run, and its model the one that run closed
/// with. Errors: kInvalidInput if it is not, or states none, saying which part does not hold.
Status check_training(const Statement& statement, const trace::Contract& contract);

}  // namespace aftune::receipt
