// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/statement.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/log_line.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tlog/merkle.h"
#include "aftune/tlog/tlog_proof.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"
#include "aftune/trace/timeline.h"

namespace aftune::receipt {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::int64_t kMaxInterval = 65536, kMaxLayers = 4096;
constexpr std::int64_t kMaxEos = 1024;

Json files_json(const std::vector<trace::BoundFile>& files) {
  Json::Array out;
  for (const trace::BoundFile& file : files) {
    out.emplace_back(Json::Object{
        {"path", Json(file.path)}, {"sha256", Json(file.sha256.hex())}, {"size", Json(file.size)}});
  }
  return out;
}

Json training_json(const std::optional<TrainedBy>& training) {
  if (!training) return Json();
  return Json::Object{{"close", Json(training->close)},
                      {"contract", Json(training->contract.hex())},
                      {"proof", Json(training->proof)}};
}

Error not_ascending(const std::string& path) {
  return {Code::kInvalidInput, path + " is not ascending"};
}

Result<std::vector<trace::BoundFile>> read_files(JsonReader& reader) {
  AFTUNE_TRY(const Json::Array* items, reader.array("companions"));
  std::vector<trace::BoundFile> out;
  for (std::size_t i = 0; i < items->size(); ++i) {
    AFTUNE_TRY(JsonReader file,
               JsonReader::open((*items)[i], fmt::format("{}.companions[{}]", reader.path(), i)));
    trace::BoundFile bound;
    AFTUNE_TRY(bound.path, file.string("path"));
    AFTUNE_TRY(bound.sha256, file.digest("sha256"));
    AFTUNE_TRY(const std::int64_t size, file.integer("size", 0, std::int64_t{1} << 32));
    bound.size = static_cast<std::uint64_t>(size);
    AFTUNE_TRY(file.finish());
    if (!out.empty() && !(out.back().path < bound.path)) return not_ascending(file.path());
    const auto& known = model::companion_files();
    if (std::find(known.begin(), known.end(), bound.path) == known.end()) {
      return Error{Code::kUnsupported, fmt::format("{}: \"{}\" is no file that travels with a "
                                                   "model",
                                                   file.path(), printable(bound.path))};
    }
    out.push_back(std::move(bound));
  }
  return out;
}

Result<std::vector<std::int32_t>> read_eos(JsonReader& reader, std::uint32_t vocab_size) {
  AFTUNE_TRY(const Json::Array* items, reader.array("eos"));
  std::vector<std::int32_t> out;
  for (const Json& item : *items) {
    const std::int64_t* id = item.integer();
    if (id == nullptr || *id < 0 || *id >= static_cast<std::int64_t>(vocab_size) ||
        out.size() == kMaxEos) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}.eos: no list of at most {} tokens of a vocabulary of {}",
                               reader.path(), kMaxEos, vocab_size)};
    }
    if (!out.empty() && *id <= out.back()) return not_ascending(reader.path() + ".eos");
    out.push_back(static_cast<std::int32_t>(*id));
  }
  return out;
}

Result<std::optional<TrainedBy>> read_training(JsonReader& reader) {
  AFTUNE_TRY(const Json* member, reader.any("training"));
  if (member->is_null()) return std::optional<TrainedBy>();
  AFTUNE_TRY(JsonReader object, JsonReader::open(*member, reader.path() + ".training"));
  TrainedBy out;
  AFTUNE_TRY(out.contract, object.digest("contract"));
  AFTUNE_TRY(out.close, object.string("close"));
  AFTUNE_TRY(out.proof, object.string("proof"));
  AFTUNE_TRY(object.finish());
  return std::optional(std::move(out));
}

Status read_constants(JsonReader& reader) {
  AFTUNE_TRY(reader.integer("aftune", 1, 1));
  AFTUNE_TRY(reader.integer("position", 0, 0));
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  if (kind != "serve") {
    return Error{Code::kInvalidInput, fmt::format("{}.kind is \"{}\", it must be \"serve\"",
                                                  reader.path(), printable(kind))};
  }
  AFTUNE_TRY(JsonReader arithmetic, reader.object("arithmetic"));
  AFTUNE_TRY(const std::string profile, arithmetic.string("profile"));
  if (profile != "exact") {
    return Error{Code::kUnsupported, fmt::format("{}.profile is \"{}\", this version has \"exact\"",
                                                 arithmetic.path(), printable(profile))};
  }
  AFTUNE_TRY(arithmetic.integer("version", 1, 1));
  return arithmetic.finish();
}

Result<std::uint32_t> read_count(JsonReader& reader, const char* name, std::int64_t max) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, 1, max));
  return static_cast<std::uint32_t>(value);
}

}  // namespace

Json Statement::json() const {
  Json::Array ids;
  for (const std::int32_t id : eos) ids.emplace_back(id);
  return Json::Object{
      {"aftune", Json(1)},
      {"architecture", model::to_contract(architecture)},
      {"arithmetic", Json(Json::Object{{"profile", Json("exact")}, {"version", Json(1)}})},
      {"companions", files_json(companions)},
      {"eos", Json(std::move(ids))},
      {"grid", Json(Json::Object{{"edge_interval", Json(grid.edge_interval)},
                                 {"layers_per_block", Json(grid.layers_per_block)}})},
      {"kind", Json("serve")},
      {"model_root", Json(model_root.hex())},
      {"model_salted", Json(model_salted)},
      {"position", Json(0)},
      {"secret_sha256", Json(secret_sha256.hex())},
      {"template", Json(template_name(chat))},
      {"training", training_json(training)}};
}

std::string Statement::text() const { return codec::canonical_json(json()); }

Digest Statement::digest() const { return crypto::sha256(as_bytes(text())); }

tlog::VerifierKey Statement::log_key(const crypto::PublicKey& server) const {
  return {"aftune/serve/" + digest().hex(), server};
}

std::vector<model::Segment> Statement::layer_blocks() const {
  std::vector<model::Segment> out;
  for (std::uint32_t first = 0; first < architecture.layer_count; first += grid.layers_per_block) {
    model::Segment segment;
    segment.index = static_cast<std::uint32_t>(out.size());
    segment.block = segment.index;
    segment.first_layer = first;
    segment.layer_count = std::min(grid.layers_per_block, architecture.layer_count - first);
    segment.embeds = first == 0;
    out.push_back(segment);
  }
  return out;
}

bool Statement::edge_stored(std::uint32_t edge) const {
  const std::uint32_t blocks =
      (architecture.layer_count + grid.layers_per_block - 1) / grid.layers_per_block;
  return edge % grid.edge_interval == 0 || edge == blocks;
}

Result<Statement> Statement::read(const Json& json) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "statement"));
  Statement out;
  AFTUNE_TRY(read_constants(reader));
  AFTUNE_TRY(JsonReader architecture, reader.object("architecture"));
  AFTUNE_TRY(out.architecture, model::architecture_from_contract(architecture));
  AFTUNE_TRY(out.model_root, reader.digest("model_root"));
  AFTUNE_TRY(out.model_salted, reader.boolean("model_salted"));
  AFTUNE_TRY(out.companions, read_files(reader));
  AFTUNE_TRY(const std::string name, reader.string("template"));
  AFTUNE_TRY(out.chat, parse_template(name));
  AFTUNE_TRY(out.eos, read_eos(reader, out.architecture.vocab_size));
  AFTUNE_TRY(JsonReader grid, reader.object("grid"));
  AFTUNE_TRY(out.grid.layers_per_block, read_count(grid, "layers_per_block", kMaxLayers));
  AFTUNE_TRY(out.grid.edge_interval, read_count(grid, "edge_interval", kMaxInterval));
  AFTUNE_TRY(grid.finish());
  AFTUNE_TRY(out.secret_sha256, reader.digest("secret_sha256"));
  AFTUNE_TRY(out.training, read_training(reader));
  AFTUNE_TRY(reader.finish());
  return out;
}

Result<Statement> Statement::parse(std::string_view text) {
  AFTUNE_TRY(const Json json, codec::parse_canonical_json(
                                  text, {.bytes = kMaxStatementBytes, .depth = 6, .values = 4096}));
  return read(json);
}

Statement statement_of(const ServedModel& model, EdgeGrid grid) {
  Statement out;
  out.architecture = model.folder.config;
  out.companions = model.companions;
  out.chat = model.chat;
  out.eos = model.eos;
  out.grid = grid;
  return out;
}

Digest server_secret_commitment(Bytes secret) {
  return crypto::sha256({as_bytes(crypto::kDomainServeSecret), secret});
}

Status check_training(const Statement& statement, const trace::Contract& contract) {
  const auto wrong = [](std::string what) { return Error{Code::kInvalidInput, std::move(what)}; };
  if (!statement.training) return wrong("the statement names no training run");
  const TrainedBy& training = *statement.training;
  if (training.contract != contract.digest()) {
    return wrong(fmt::format("the statement names the run of contract {}, yours is {}",
                             training.contract.hex(), contract.digest().hex()));
  }
  const trace::Timeline timeline(contract);
  const std::uint64_t position = timeline.position_of_close();
  AFTUNE_TRY(const tlog::TlogProof proof, tlog::decode_tlog_proof(training.proof));
  if (proof.index != position) {
    return wrong(fmt::format("the proof is of entry {}, the run closes with entry {}", proof.index,
                             position));
  }
  const std::string entry = trace::encode_entry(position, timeline.at(position),
                                                crypto::blake3(as_bytes(training.close)));
  AFTUNE_TRY(tlog::verify_tlog_proof(proof, tlog::leaf_hash(as_bytes(entry)), contract.log_key())
                 .in("closing entry"));
  AFTUNE_TRY(const trace::CloseList close, trace::decode_close_list(training.close));
  if (close.model_root != statement.model_root) {
    return wrong(fmt::format("the run closed with model root {}, the statement serves {}",
                             close.model_root.hex(), statement.model_root.hex()));
  }
  if (statement.model_salted == contract.base_public) {
    return wrong(statement.model_salted
                     ? "the statement's root is salted, the contract's base is public"
                     : "the statement's root is not salted, the contract's base is not public");
  }
  return ok();
}

}  // namespace aftune::receipt
