// SPDX-License-Identifier: Apache-2.0
// What client and provider agreed. Members and rules: docs/formats/contract.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/dsse.h"
#include "aftune/codec/json.h"
#include "aftune/crypto/digest.h"
#include "aftune/model/llama_config.h"
#include "aftune/model/partition.h"
#include "aftune/text/dataset.h"
#include "aftune/text/sample_order.h"
#include "aftune/tlog/note.h"
#include "aftune/trace/adapter_spec.h"
#include "aftune/trace/dtypes.h"
#include "aftune/trace/witness_policy.h"
#include "aftune/train/batch_spec.h"
#include "aftune/train/block_step.h"

namespace aftune::trace {

inline constexpr std::string_view kContractPayloadType = "application/vnd.aftune.contract+json";
inline constexpr std::uint64_t kMaxContractBytes = std::uint64_t{1} << 20;

/// A file bound by path, size and SHA-256.
struct BoundFile {
  std::string path;  // one name, no folder
  std::uint64_t size = 0;
  Digest sha256;
  friend bool operator==(const BoundFile&, const BoundFile&) = default;
};

struct Nonces {
  Digest client, provider;                        // 32 random bytes each
  Digest client_commitment, provider_commitment;  // shown before either nonce
  friend bool operator==(const Nonces&, const Nonces&) = default;
};

struct GridSpec {
  std::uint32_t layers_per_block = 0;  // B_L
  std::uint64_t steps_per_block = 0;   // B_S
  std::uint64_t state_interval = 0;    // I_C
  std::uint32_t edge_interval = 0;     // I_A
  friend bool operator==(const GridSpec&, const GridSpec&) = default;
};

/// Which permutation the draw makes: docs/formats/audit.md, "Draw".
enum class Strategy : std::uint8_t { kUniform, kStratified, kInputBlocks, kStateChanges };
std::string_view strategy_name(Strategy strategy);  // "uniform", ...
/// Errors: kUnsupported, naming what is known.
Result<Strategy> parse_strategy(std::string_view name);

struct AuditPolicy {
  std::uint64_t blocks = 0;
  std::uint64_t deadline_hours = 0;
  Digest secret_sha256;
  bool weights_disclosed = false;
  Strategy strategy = Strategy::kUniform;
  WitnessPolicy witnesses = {};
  friend bool operator==(const AuditPolicy&, const AuditPolicy&) = default;
};

/// A valid contract: what parse() lets through. Plain data, compared member by member.
struct Contract {
  Digest run_id;
  model::LlamaConfig architecture;
  Digest base_root;
  bool base_public = false;
  std::vector<BoundFile> companions;
  Digest data_root;
  std::uint64_t rows = 0;
  ByteBuffer data_salt;  // 16 bytes
  text::TextRule text;   // not looked at for an image classifier
  text::OrderRule order;
  train::BatchSpec batch;
  std::uint64_t steps = 0;
  train::TrainSpec training;
  std::optional<AdapterSpec> adapter;  // empty: all parameters are trained
  Dtypes dtypes;
  Nonces nonces;
  GridSpec grid;
  AuditPolicy audit;
  std::string closes_by;  // UTC, "2027-01-31T00:00:00Z"
  tlog::VerifierKey client, provider, verifier;

  /// Errors: kInvalidInput or kUnsupported, naming the member and both numbers.
  static Result<Contract> parse(std::string_view payload);
  /// The canonical JSON: the payload that is signed.
  [[nodiscard]] std::string payload() const;
  [[nodiscard]] Digest digest() const;
  /// "aftune/run/" and the digest.
  [[nodiscard]] std::string origin() const;
  /// The log's key: the origin as its name, the provider's public key.
  [[nodiscard]] tlog::VerifierKey log_key() const;
  [[nodiscard]] Digest seed() const;
  [[nodiscard]] model::Partition partition() const;
  /// How adapters are computed; empty where all parameters are trained.
  [[nodiscard]] std::optional<model::LoraSpec> lora() const;
  /// What is trained, of all blocks or of one, ascending by name.
  [[nodiscard]] std::vector<TensorSpec> trained() const;
  [[nodiscard]] std::vector<TensorSpec> trained(std::uint32_t block) const;
  /// The base's tensors that are not, of one block.
  [[nodiscard]] std::vector<TensorSpec> frozen(std::uint32_t block) const;
  /// Streams of the counter generator, from the seed.
  [[nodiscard]] model::PhiloxKey adapter_key() const;
  [[nodiscard]] model::PhiloxKey dropout_key() const;
  /// `training` with the key of narrow moments: what a step is run by.
  [[nodiscard]] train::TrainSpec train_spec() const;
  /// Tokens of a sample.
  [[nodiscard]] std::uint64_t sequence() const {
    return architecture.vision ? architecture.max_positions : text.sequence;
  }
  [[nodiscard]] const BoundFile* companion(std::string_view path) const;
  [[nodiscard]] std::uint64_t step_block_count() const;
  /// Layer blocks times step blocks.
  [[nodiscard]] std::uint64_t block_count() const;
  /// Token rows of micro-batch `index` of a step, in samples.
  [[nodiscard]] std::uint64_t micro_batch_count() const;
};

/// SHA-256(domain, nonce): what a side shows before its nonce.
Digest nonce_commitment(const Digest& nonce);
/// SHA-256(domain, run id, secret): what the contract holds of the client's challenge secret.
Digest secret_commitment(const Digest& run_id, Bytes secret);

/// A contract with its envelope, both signatures verified.
struct SignedContract {
  Contract contract;
  std::string envelope;  // as stored
};

/// Errors: kInvalidInput for a malformed envelope or contract, and for a missing or wrong
///         signature, naming whose.
Result<SignedContract> open_signed_contract(std::string_view envelope);

/// "2027-01-31T00:00:00Z" as seconds since 1970, and back. Errors: kInvalidInput.
Result<std::int64_t> parse_utc(std::string_view text);
std::string spell_utc(std::int64_t seconds);

}  // namespace aftune::trace
