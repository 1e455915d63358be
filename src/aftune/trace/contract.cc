// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/contract.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/hex.h"
#include "aftune/base/log_line.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"
#include "aftune/model/model_folder.h"

namespace aftune::trace {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 24;
constexpr std::string_view kStrategies[] = {"uniform", "stratified", "input-blocks",
                                            "state-changes"};
constexpr std::uint64_t kMaxBatch = std::uint64_t{1} << 16;

Json hex_json(const Digest& digest) { return digest.hex(); }

const char* export_format(const Contract& contract) {
  return contract.adapter ? "peft" : "huggingface";
}

Json file_json(const BoundFile& file) {
  return Json::Object{{"path", file.path}, {"sha256", hex_json(file.sha256)}, {"size", file.size}};
}

Result<std::uint64_t> count(JsonReader& reader, std::string_view name, std::uint64_t min,
                            std::uint64_t max) {
  AFTUNE_TRY(const std::int64_t value,
             reader.integer(name, static_cast<std::int64_t>(min), static_cast<std::int64_t>(max)));
  return static_cast<std::uint64_t>(value);
}

/// Members that this version knows one value of: anything else is unsupported, by name.
Status only(JsonReader& reader, std::string_view name, std::string_view value) {
  AFTUNE_TRY(const std::string got, reader.string(name));
  if (got == value) return ok();
  return Error{Code::kUnsupported, fmt::format("{}.{} is \"{}\", this version has \"{}\" only",
                                               reader.path(), name, got, value)};
}

Status read_companions(JsonReader& model, Contract& out) {
  AFTUNE_TRY(const Json::Array* files, model.array("companions"));
  for (std::size_t i = 0; i < files->size(); ++i) {
    AFTUNE_TRY(JsonReader file,
               JsonReader::open((*files)[i], fmt::format("{}.companions[{}]", model.path(), i)));
    BoundFile bound;
    AFTUNE_TRY(bound.path, file.string("path"));
    AFTUNE_TRY(bound.sha256, file.digest("sha256"));
    AFTUNE_TRY(bound.size, count(file, "size", 0, std::uint64_t{1} << 32));
    AFTUNE_TRY(file.finish());
    if (!out.companions.empty() && !(out.companions.back().path < bound.path)) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: \"{}\" after \"{}\" is not ascending", file.path(), bound.path,
                               out.companions.back().path)};
    }
    const auto& known = model::companion_files();
    if (std::find(known.begin(), known.end(), bound.path) == known.end()) {
      return Error{Code::kUnsupported,
                   fmt::format("{}: \"{}\" is no file that travels with a model", file.path(),
                               printable(bound.path))};
    }
    out.companions.push_back(std::move(bound));
  }
  const char* read_by_samples =
      out.architecture.vision ? "preprocessor_config.json" : "tokenizer.json";
  for (const char* name : {"aftune.safetensors", "config.json", read_by_samples}) {
    if (out.companion(name) == nullptr) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}.companions: {} is missing", model.path(), name)};
    }
  }
  return ok();
}

Status read_model(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader model, top.object("model"));
  AFTUNE_TRY(JsonReader architecture, model.object("architecture"));
  AFTUNE_TRY(out.architecture, model::architecture_from_contract(architecture));
  AFTUNE_TRY(out.base_root, model.digest("root"));
  AFTUNE_TRY(out.base_public, model.boolean("base_public"));
  AFTUNE_TRY(read_companions(model, out));
  return model.finish();
}

/// The rule from a row to a sample: of text, or of images, for which there is one.
Status read_samples(JsonReader& top, Contract& out) {
  if (!out.architecture.vision) {
    AFTUNE_TRY(JsonReader text, top.object("text"));
    AFTUNE_TRY(out.text, text::text_rule_from_contract(text));
    return ok();
  }
  AFTUNE_TRY(JsonReader images, top.object("images"));
  AFTUNE_TRY(only(images, "format", "pixels"));
  return images.finish();
}

Status read_data(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader data, top.object("data"));
  AFTUNE_TRY(out.data_root, data.digest("root"));
  AFTUNE_TRY(out.rows, count(data, "rows", 1, std::uint64_t{1} << 40));
  AFTUNE_TRY(const std::string salt, data.string("salt"));
  AFTUNE_TRY(out.data_salt, from_hex(salt).in(data.path() + ".salt"));
  if (out.data_salt.size() != 16) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.salt has {} bytes, needs 16", data.path(), out.data_salt.size())};
  }
  AFTUNE_TRY(data.finish());
  AFTUNE_TRY(read_samples(top, out));
  AFTUNE_TRY(JsonReader order, top.object("order"));
  AFTUNE_TRY(out.order.shuffle, order.string("shuffle"));
  AFTUNE_TRY(out.order.drop_last, order.boolean("drop_last"));
  if (out.order.shuffle != "sha256" && out.order.shuffle != "none") {
    return Error{Code::kUnsupported, fmt::format("{}.shuffle is \"{}\", known: sha256, none",
                                                 order.path(), out.order.shuffle)};
  }
  return order.finish();
}

/// Tokens that the rule puts in must be tokens of the model.
Status check_token_ids(const Contract& contract) {
  if (contract.architecture.vision) return ok();
  const std::pair<const char*, std::int32_t> ids[] = {{"bos_id", contract.text.bos_id},
                                                      {"eos_id", contract.text.eos_id},
                                                      {"pad_id", contract.text.pad_id}};
  for (const auto& [name, id] : ids) {
    if (id < static_cast<std::int64_t>(contract.architecture.vocab_size)) continue;
    return Error{Code::kInvalidInput, fmt::format("contract.text.{} is {}, the model has {} tokens",
                                                  name, id, contract.architecture.vocab_size)};
  }
  if (contract.text.sequence <= contract.architecture.longest_sequence()) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("contract.text.sequence is {}, the model has {} positions",
                           contract.text.sequence, contract.architecture.longest_sequence())};
}

Status read_training(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader batch, top.object("batch"));
  AFTUNE_TRY(out.batch.batch, count(batch, "samples", 1, kMaxBatch));
  AFTUNE_TRY(out.batch.micro_batch, count(batch, "micro_batch", 1, out.batch.batch));
  AFTUNE_TRY([[maybe_unused]] const auto shards, count(batch, "shards", 1, 1));
  AFTUNE_TRY(batch.finish());
  AFTUNE_TRY(out.steps, count(top, "steps", 1, kMaxSteps));
  AFTUNE_TRY(JsonReader optimizer, top.object("optimizer"));
  AFTUNE_TRY(out.training.optimizer, train::optimizer_from_contract(optimizer));
  AFTUNE_TRY(JsonReader schedule, top.object("schedule"));
  AFTUNE_TRY(out.training.schedule, train::schedule_from_contract(schedule));
  AFTUNE_TRY(JsonReader clip, top.object("clip"));
  AFTUNE_TRY(out.training.clip, train::clip_from_contract(clip));
  AFTUNE_TRY(only(top, "dropout", "0x0p+0"));
  if (out.order.drop_last && out.batch.batch > out.rows) {
    return Error{Code::kInvalidInput,
                 fmt::format("contract.batch.samples is {}, the data set has {} rows and "
                             "order.drop_last would drop them all",
                             out.batch.batch, out.rows)};
  }
  return ok();
}

Status read_nonces(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader seed, top.object("seed"));
  AFTUNE_TRY(out.nonces.client, seed.digest("client_nonce"));
  AFTUNE_TRY(out.nonces.provider, seed.digest("provider_nonce"));
  AFTUNE_TRY(out.nonces.client_commitment, seed.digest("client_commitment"));
  AFTUNE_TRY(out.nonces.provider_commitment, seed.digest("provider_commitment"));
  AFTUNE_TRY(seed.finish());
  if (nonce_commitment(out.nonces.client) != out.nonces.client_commitment) {
    return Error{Code::kInvalidInput,
                 seed.path() + ": the client's nonce is not the committed one"};
  }
  if (nonce_commitment(out.nonces.provider) != out.nonces.provider_commitment) {
    return Error{Code::kInvalidInput,
                 seed.path() + ": the provider's nonce is not the committed one"};
  }
  return ok();
}

Status read_grid(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader grid, top.object("grid"));
  AFTUNE_TRY(const auto layers, count(grid, "layers_per_block", 1, 1 << 16));
  out.grid.layers_per_block = static_cast<std::uint32_t>(layers);
  AFTUNE_TRY(out.grid.steps_per_block, count(grid, "steps_per_block", 1, kMaxSteps));
  AFTUNE_TRY(out.grid.state_interval, count(grid, "state_interval", 1, kMaxSteps));
  AFTUNE_TRY(const auto edges, count(grid, "edge_interval", 1, 1 << 16));
  out.grid.edge_interval = static_cast<std::uint32_t>(edges);
  return grid.finish();
}

Status read_adapter(JsonReader& top, Contract& out) {
  if (!top.has("adapter")) return ok();
  AFTUNE_TRY(JsonReader adapter, top.object("adapter"));
  AFTUNE_TRY(out.adapter, adapter_from_contract(adapter, out.architecture));
  return check_dropout_counter(*out.adapter, out.architecture,
                               out.batch.micro_batch * out.text.sequence);
}

Status read_dtypes(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader dtypes, top.object("dtypes"));
  AFTUNE_TRY(out.dtypes, dtypes_from_contract(dtypes, out.adapter.has_value()));
  return ok();
}

Status read_fixed(JsonReader& top, const Contract& contract) {
  AFTUNE_TRY(JsonReader arithmetic, top.object("arithmetic"));
  AFTUNE_TRY(only(arithmetic, "profile", "exact"));
  AFTUNE_TRY([[maybe_unused]] const auto version, arithmetic.integer("version", 1, 1));
  AFTUNE_TRY(arithmetic.finish());
  AFTUNE_TRY(JsonReader exported, top.object("export"));
  AFTUNE_TRY(only(exported, "dtype", "F32"));
  AFTUNE_TRY(only(exported, "format", export_format(contract)));
  return exported.finish();
}

Status read_audit(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader audit, top.object("audit"));
  AFTUNE_TRY(const std::string strategy, audit.string("strategy"));
  AFTUNE_TRY(out.audit.strategy, parse_strategy(strategy).in(audit.path() + ".strategy"));
  AFTUNE_TRY(out.audit.blocks, count(audit, "blocks", 1, out.block_count()));
  AFTUNE_TRY(out.audit.deadline_hours, count(audit, "deadline_hours", 1, 24 * 3650));
  AFTUNE_TRY(out.audit.secret_sha256, audit.digest("secret_sha256"));
  AFTUNE_TRY(out.audit.weights_disclosed, audit.boolean("weights_disclosed"));
  AFTUNE_TRY(out.audit.witnesses, witness_policy_from_contract(audit));
  return audit.finish();
}

Status read_keys(JsonReader& top, Contract& out) {
  AFTUNE_TRY(JsonReader keys, top.object("keys"));
  const std::pair<const char*, tlog::VerifierKey*> all[] = {
      {"client", &out.client}, {"provider", &out.provider}, {"verifier", &out.verifier}};
  for (const auto& [name, key] : all) {
    AFTUNE_TRY(const std::string text, keys.string(name));
    AFTUNE_TRY(*key, tlog::parse_verifier_key(text).in(keys.path() + "." + name));
  }
  AFTUNE_TRY(keys.finish());
  AFTUNE_TRY(check_witnesses(out.audit.witnesses, out.provider.key));
  if (out.client.key == out.provider.key) {
    return Error{Code::kInvalidInput, "contract.keys: client and provider have the same key"};
  }
  if (!out.audit.weights_disclosed && out.verifier.key == out.client.key) {
    return Error{Code::kInvalidInput,
                 "contract.keys: the client is the verifier, but audit.weights_disclosed is false"};
  }
  return ok();
}

}  // namespace

Result<Contract> Contract::parse(std::string_view payload) {
  if (payload.size() > kMaxContractBytes) {
    return Error{Code::kInvalidInput, fmt::format("contract has {} bytes, the limit is {}",
                                                  payload.size(), kMaxContractBytes)};
  }
  AFTUNE_TRY(const Json json,
             codec::parse_canonical_json(payload, {.bytes = kMaxContractBytes, .depth = 8})
                 .in("contract"));
  AFTUNE_TRY(JsonReader top, JsonReader::open(json, "contract"));
  AFTUNE_TRY([[maybe_unused]] const auto version, top.integer("version", 1, 1));
  Contract out;
  AFTUNE_TRY(out.run_id, top.digest("run_id"));
  AFTUNE_TRY(read_model(top, out));
  AFTUNE_TRY(read_data(top, out));
  AFTUNE_TRY(read_training(top, out));
  AFTUNE_TRY(read_nonces(top, out));
  AFTUNE_TRY(read_grid(top, out));
  AFTUNE_TRY(read_adapter(top, out));
  AFTUNE_TRY(read_dtypes(top, out));
  AFTUNE_TRY(read_fixed(top, out));
  AFTUNE_TRY(read_audit(top, out));
  AFTUNE_TRY(out.closes_by, top.string("closes_by"));
  AFTUNE_TRY([[maybe_unused]] const auto closes, parse_utc(out.closes_by).in("contract.closes_by"));
  AFTUNE_TRY(read_keys(top, out));
  AFTUNE_TRY(top.finish());
  AFTUNE_TRY(check_token_ids(out));
  // The digest is taken over payload(): whatever it does not give back was not understood.
  if (out.payload() != payload) {
    return Error{Code::kInvalidInput, "contract: a member has a second spelling"};
  }
  return out;
}

std::string Contract::payload() const {
  Json::Array files;
  for (const BoundFile& file : companions) files.push_back(file_json(file));
  Json::Object top{
      {"version", 1},
      {"run_id", hex_json(run_id)},
      {"model", Json::Object{{"architecture", model::to_contract(architecture)},
                             {"root", hex_json(base_root)},
                             {"base_public", base_public},
                             {"companions", std::move(files)}}},
      {"data",
       Json::Object{{"root", hex_json(data_root)}, {"rows", rows}, {"salt", to_hex(data_salt)}}},
      {"order", Json::Object{{"shuffle", order.shuffle}, {"drop_last", order.drop_last}}},
      {"batch",
       Json::Object{{"samples", batch.batch}, {"micro_batch", batch.micro_batch}, {"shards", 1}}},
      {"steps", steps},
      {"optimizer", train::to_contract(training.optimizer)},
      {"schedule", train::to_contract(training.schedule)},
      {"clip", train::to_contract(training.clip)},
      {"dropout", "0x0p+0"},
      {"seed", Json::Object{{"client_nonce", hex_json(nonces.client)},
                            {"provider_nonce", hex_json(nonces.provider)},
                            {"client_commitment", hex_json(nonces.client_commitment)},
                            {"provider_commitment", hex_json(nonces.provider_commitment)}}},
      {"grid", Json::Object{{"layers_per_block", grid.layers_per_block},
                            {"steps_per_block", grid.steps_per_block},
                            {"state_interval", grid.state_interval},
                            {"edge_interval", grid.edge_interval}}},
      {"arithmetic", Json::Object{{"profile", "exact"}, {"version", 1}}},
      {"dtypes", to_contract(dtypes)},
      {"export", Json::Object{{"format", export_format(*this)}, {"dtype", "F32"}}},
      {"audit", Json::Object{{"strategy", strategy_name(audit.strategy)},
                             {"blocks", audit.blocks},
                             {"deadline_hours", audit.deadline_hours},
                             {"secret_sha256", hex_json(audit.secret_sha256)},
                             {"weights_disclosed", audit.weights_disclosed},
                             {"witnesses", to_contract(audit.witnesses)}}},
      {"closes_by", closes_by},
      {"keys", Json::Object{{"client", client.spell()},
                            {"provider", provider.spell()},
                            {"verifier", verifier.spell()}}},
  };
  if (architecture.vision) {
    top["images"] = Json::Object{{"format", "pixels"}};
  } else {
    top["text"] = text::to_contract(text);
  }
  if (adapter) top["adapter"] = to_contract(*adapter);
  return codec::canonical_json(std::move(top));
}

Digest Contract::digest() const { return crypto::sha256(as_bytes(payload())); }

std::string Contract::origin() const { return "aftune/run/" + digest().hex(); }

tlog::VerifierKey Contract::log_key() const { return {origin(), provider.key}; }

Digest Contract::seed() const {
  return crypto::sha256(
      {as_bytes(crypto::kDomainSeed), run_id.view(), nonces.client.view(), nonces.provider.view()});
}

model::Partition Contract::partition() const {
  model::Partition out = model::make_partition(architecture, grid.layers_per_block);
  out.boundary = dtypes.boundary;
  return out;
}

const BoundFile* Contract::companion(std::string_view path) const {
  for (const BoundFile& file : companions) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::uint64_t Contract::step_block_count() const {
  return (steps + grid.steps_per_block - 1) / grid.steps_per_block;
}

std::uint64_t Contract::block_count() const { return step_block_count() * partition().block_count; }

std::uint64_t Contract::micro_batch_count() const {
  return (batch.batch + batch.micro_batch - 1) / batch.micro_batch;
}

std::string_view strategy_name(Strategy strategy) {
  return kStrategies[static_cast<std::size_t>(strategy)];
}

Result<Strategy> parse_strategy(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kStrategies); ++i) {
    if (kStrategies[i] == name) return static_cast<Strategy>(i);
  }
  return Error{Code::kUnsupported, fmt::format("\"{}\" is no strategy, known: {}", printable(name),
                                               fmt::join(kStrategies, ", "))};
}

Digest nonce_commitment(const Digest& nonce) {
  return crypto::sha256({as_bytes(crypto::kDomainNonce), nonce.view()});
}

Digest secret_commitment(const Digest& run_id, Bytes secret) {
  return crypto::sha256({as_bytes(crypto::kDomainSecret), run_id.view(), secret});
}

Result<SignedContract> open_signed_contract(std::string_view envelope) {
  AFTUNE_TRY(
      const codec::Dsse dsse,
      codec::decode_dsse(envelope, kContractPayloadType, 2 * kMaxContractBytes).in("contract"));
  AFTUNE_TRY(Contract contract, Contract::parse(dsse.payload));
  for (const auto& [who, key] :
       {std::pair{"client", &contract.client}, std::pair{"provider", &contract.provider}}) {
    if (!dsse.signed_by(key->key)) {
      return Error{Code::kInvalidInput,
                   fmt::format("contract has no valid signature of the {} ({})", who, key->name)};
    }
  }
  return SignedContract{std::move(contract), std::string(envelope)};
}

}  // namespace aftune::trace
