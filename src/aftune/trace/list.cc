// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aftune/base/endian.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"
#include "aftune/trace/entry.h"

namespace aftune::trace {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::uint64_t kMaxDelivered = 1024;  // files of a delivered folder

/// A list of `items` objects has no more values than this: another list is not even built.
codec::JsonLimits limits_for(std::uint64_t items) {
  return {.bytes = kMaxListBytes, .depth = 5, .values = 64 + 16 * items};
}

Json shape_json(const Shape& shape) {
  Json::Array out;
  for (std::uint64_t extent : shape) out.emplace_back(extent);
  return out;
}

std::string_view edge_kind_name(train::EdgeKind kind) {
  return kind == train::EdgeKind::kActivation ? "activation" : "gradient";
}

/// The part of two texts around their first difference, for a message.
std::string difference(std::string_view got, std::string_view want) {
  const auto at = static_cast<std::size_t>(
      std::mismatch(got.begin(), got.end(), want.begin(), want.end()).first - got.begin());
  const std::size_t from = at > 40 ? at - 40 : 0;
  return fmt::format("differs at byte {}: \"{}\" where the contract implies \"{}\"", at,
                     got.substr(std::min(from, got.size()), 120),
                     want.substr(std::min(from, want.size()), 120));
}

Status same_text(std::string_view got, const std::string& want, std::string_view what) {
  if (got == want) return ok();
  return Error{Code::kInvalidInput, fmt::format("{} {}", what, difference(got, want))};
}

Result<std::vector<Digest>> digests_of(JsonReader& reader, std::string_view name,
                                       std::size_t expected) {
  AFTUNE_TRY(const Json::Array* items, reader.array(name));
  if (items->size() != expected) {
    return Error{Code::kInvalidInput, fmt::format("{}.{} has {} tensors, the contract implies {}",
                                                  reader.path(), name, items->size(), expected)};
  }
  std::vector<Digest> out;
  out.reserve(expected);
  for (std::size_t i = 0; i < items->size(); ++i) {
    AFTUNE_TRY(JsonReader item,
               JsonReader::open((*items)[i], fmt::format("{}.{}[{}]", reader.path(), name, i)));
    AFTUNE_TRY(const Digest digest, item.digest("digest"));
    out.push_back(digest);
  }
  return out;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kParameter:
      return "parameter";
    case Role::kFirst:
      return "first";
    case Role::kSecond:
      return "second";
  }
  return "?";
}

std::vector<StateTensor> state_tensors(const Contract& contract, std::uint32_t block) {
  const auto specs = contract.trained(block);
  std::vector<StateTensor> out;
  const auto add = [&](Role role) {
    for (const TensorSpec& spec : specs) {
      const Dtype dtype = role == Role::kParameter ? spec.dtype : contract.dtypes.moments;
      out.push_back({role, {spec.name, dtype, spec.shape}});
    }
  };
  const train::OptimizerSpec& optimizer = contract.training.optimizer;
  const bool adamw = optimizer.kind == train::OptimizerKind::kAdamW;
  add(Role::kParameter);
  if (adamw || optimizer.momentum != 0) add(Role::kFirst);
  if (adamw) add(Role::kSecond);
  return out;
}

std::vector<EdgePlace> edge_places(const Contract& contract, std::uint64_t step) {
  const auto segments = static_cast<std::uint32_t>(contract.partition().segments.size());
  const Dtype dtype = contract.dtypes.boundary;
  std::vector<EdgePlace> out;
  for (std::uint64_t m = 0; m < contract.micro_batch_count(); ++m) {
    const std::uint64_t first = m * contract.batch.micro_batch;
    const std::uint64_t rows = std::min(contract.batch.micro_batch, contract.batch.batch - first);
    const Shape shape{rows * contract.sequence(), contract.architecture.hidden_size};
    const auto micro = static_cast<std::uint32_t>(m);
    for (std::uint32_t e = 1; e < segments; ++e) {
      out.push_back({{step, micro, e, train::EdgeKind::kActivation}, shape, dtype});
    }
    for (std::uint32_t e = segments - 1; e >= 1; --e) {
      out.push_back({{step, micro, e, train::EdgeKind::kGradient}, shape, dtype});
    }
  }
  return out;
}

std::string encode_list(const Contract& contract, std::uint32_t block, std::uint64_t step_block,
                        const StateList& list) {
  const auto tensors = state_tensors(contract, block);
  Json::Array items;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    items.emplace_back(Json::Object{{"role", Json(role_name(tensors[i].role))},
                                    {"name", Json(tensors[i].spec.name)},
                                    {"dtype", Json(dtype_name(tensors[i].spec.dtype))},
                                    {"shape", shape_json(tensors[i].spec.shape)},
                                    {"digest", Json(list.digests[i].hex())}});
  }
  return codec::canonical_json(Json::Object{{"_salt", Json(list.salt.hex())},
                                            {"kind", Json("state")},
                                            {"block", Json(block)},
                                            {"step_block", Json(step_block)},
                                            {"tensors", Json(std::move(items))}});
}

std::string encode_list(const Contract& contract, std::uint64_t step, const StepList& list) {
  const auto places = edge_places(contract, step);
  Json::Array edges, rows, losses;
  for (std::size_t i = 0; i < places.size(); ++i) {
    edges.emplace_back(Json::Object{{"kind", Json(edge_kind_name(places[i].id.kind))},
                                    {"micro_batch", Json(places[i].id.micro_batch)},
                                    {"edge", Json(places[i].id.edge)},
                                    {"dtype", Json(dtype_name(places[i].dtype))},
                                    {"shape", shape_json(places[i].shape)},
                                    {"digest", Json(list.edges[i].hex())}});
  }
  for (std::uint64_t row : list.rows) rows.emplace_back(row);
  for (float loss : list.losses) losses.emplace_back(codec::hex_float(loss));
  Json::Object squares;
  for (const auto& [name, value] : list.squares) squares[name] = codec::hex_float(value);
  return codec::canonical_json(
      Json::Object{{"_salt", Json(list.salt.hex())},
                   {"kind", Json("step")},
                   {"step", Json(step)},
                   {"rows", Json(std::move(rows))},
                   {"counted", Json(list.counted)},
                   {"learning_rate", Json(codec::hex_float(list.learning_rate))},
                   {"norm", Json(codec::hex_float(list.norm))},
                   {"clip", Json(codec::hex_float(list.clip))},
                   {"squares", Json(std::move(squares))},
                   {"losses", Json(std::move(losses))},
                   {"edges", Json(std::move(edges))}});
}

std::string encode_list(const CloseList& list) {
  Json::Array files;
  for (const BoundFile& file : list.files) {
    files.emplace_back(Json::Object{
        {"path", Json(file.path)}, {"sha256", Json(file.sha256.hex())}, {"size", Json(file.size)}});
  }
  return codec::canonical_json(Json::Object{{"_salt", Json(list.salt.hex())},
                                            {"kind", Json("close")},
                                            {"model_root", Json(list.model_root.hex())},
                                            {"files", Json(std::move(files))}});
}

std::string encode_list(const AbortList& list) {
  return codec::canonical_json(Json::Object{{"_salt", Json(list.salt.hex())},
                                            {"kind", Json("abort")},
                                            {"step", Json(list.step)},
                                            {"reason", Json(list.reason)}});
}

Result<StateList> decode_state_list(const Contract& contract, std::uint32_t block,
                                    std::uint64_t step_block, std::string_view text) {
  const std::string what = describe({EntryKind::kState, block, step_block, 0}) + ": list";
  const std::size_t tensors = state_tensors(contract, block).size();
  AFTUNE_TRY(const Json json, codec::parse_json(text, limits_for(tensors)).in(what));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, what));
  StateList out;
  AFTUNE_TRY(out.salt, reader.digest("_salt"));
  AFTUNE_TRY(out.digests, digests_of(reader, "tensors", tensors));
  AFTUNE_TRY(same_text(text, encode_list(contract, block, step_block, out), what));
  return out;
}

namespace {

/// A finite double may be beyond every finite float: that has no spelling to compare with.
Result<float> to_f32(double value, const std::string& path) {
  if (std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max())) {
    return static_cast<float>(value);
  }
  return Error{Code::kInvalidInput,
               fmt::format("{}: {} is no fp32 value", path, codec::hex_float(value))};
}

Status read_numbers(JsonReader& reader, StepList& out) {
  AFTUNE_TRY(const std::int64_t counted, reader.integer("counted", 1, std::int64_t{1} << 40));
  out.counted = static_cast<std::uint64_t>(counted);
  AFTUNE_TRY(out.learning_rate, reader.hex_real("learning_rate"));
  AFTUNE_TRY(out.norm, reader.hex_real("norm"));
  AFTUNE_TRY(const double clip, reader.hex_real("clip"));
  AFTUNE_TRY(out.clip, to_f32(clip, reader.path() + ".clip"));
  AFTUNE_TRY(const Json::Array* losses, reader.array("losses"));
  for (const Json& loss : *losses) {
    if (loss.string() == nullptr) {
      return Error{Code::kInvalidInput, reader.path() + ".losses: not a hex float"};
    }
    AFTUNE_TRY(const double value,
               codec::parse_hex_float(*loss.string()).in(reader.path() + ".losses"));
    AFTUNE_TRY(const float narrow, to_f32(value, reader.path() + ".losses"));
    out.losses.push_back(narrow);
  }
  AFTUNE_TRY(const Json::Array* rows, reader.array("rows"));
  for (const Json& row : *rows) {
    if (row.integer() == nullptr || *row.integer() < 0) {
      return Error{Code::kInvalidInput, reader.path() + ".rows: not an index"};
    }
    out.rows.push_back(static_cast<std::uint64_t>(*row.integer()));
  }
  return ok();
}

}  // namespace

Result<StepList> decode_step_list(const Contract& contract, std::uint64_t step,
                                  std::string_view text) {
  const std::string what = describe({EntryKind::kStep, 0, 0, step}) + ": list";
  const auto specs = contract.trained();
  const std::size_t edges = edge_places(contract, step).size();
  const std::uint64_t items =
      edges + specs.size() + contract.batch.batch + contract.micro_batch_count();
  AFTUNE_TRY(const Json json, codec::parse_json(text, limits_for(items)).in(what));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, what));
  StepList out;
  AFTUNE_TRY(out.salt, reader.digest("_salt"));
  AFTUNE_TRY(read_numbers(reader, out));
  if (out.losses.size() != contract.micro_batch_count() ||
      out.rows.size() != contract.batch.batch) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has {} losses and {} rows, the contract implies {} and {}", what,
                             out.losses.size(), out.rows.size(), contract.micro_batch_count(),
                             contract.batch.batch)};
  }
  AFTUNE_TRY(JsonReader squares, reader.object("squares"));
  for (const TensorSpec& spec : specs) {
    AFTUNE_TRY(const double value, squares.hex_real(spec.name));
    out.squares.emplace(spec.name, value);
  }
  AFTUNE_TRY(squares.finish());
  AFTUNE_TRY(out.edges, digests_of(reader, "edges", edges));
  AFTUNE_TRY(same_text(text, encode_list(contract, step, out), what));
  return out;
}

Result<CloseList> decode_close_list(std::string_view text) {
  const std::string what = "close: list";
  AFTUNE_TRY(const Json json, codec::parse_json(text, limits_for(kMaxDelivered)).in(what));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, what));
  CloseList out;
  AFTUNE_TRY(out.salt, reader.digest("_salt"));
  AFTUNE_TRY(out.model_root, reader.digest("model_root"));
  AFTUNE_TRY(const Json::Array* files, reader.array("files"));
  for (const Json& item : *files) {
    AFTUNE_TRY(JsonReader file, JsonReader::open(item, what + ".files"));
    BoundFile bound;
    AFTUNE_TRY(bound.path, file.string("path"));
    AFTUNE_TRY(bound.sha256, file.digest("sha256"));
    AFTUNE_TRY(const std::int64_t size, file.integer("size", 0, std::int64_t{1} << 46));
    bound.size = static_cast<std::uint64_t>(size);
    out.files.push_back(std::move(bound));
  }
  AFTUNE_TRY(same_text(text, encode_list(out), what));
  return out;
}

Result<AbortList> decode_abort_list(std::string_view text) {
  const std::string what = "abort: list";
  AFTUNE_TRY(const Json json, codec::parse_json(text, limits_for(0)).in(what));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, what));
  AbortList out;
  AFTUNE_TRY(out.salt, reader.digest("_salt"));
  AFTUNE_TRY(const std::int64_t step, reader.integer("step", 0, std::int64_t{1} << 24));
  out.step = static_cast<std::uint64_t>(step);
  AFTUNE_TRY(out.reason, reader.string("reason"));
  AFTUNE_TRY(same_text(text, encode_list(out), what));
  return out;
}

SaltSource::SaltSource(const crypto::PrivateKey& key, const Digest& run_id)
    : salt_key_(crypto::hkdf_sha256(key.seed().reveal(), as_bytes(crypto::kDomainSaltKey))),
      run_id_(run_id) {}

Digest SaltSource::list_salt(std::uint64_t position) const {
  ByteBuffer context;
  append(context, as_bytes(crypto::kDomainListSalt));
  append(context, run_id_.view());
  append(context, store_be<std::uint64_t>(position));
  return crypto::hkdf_sha256(salt_key_.view(), context);
}

Digest SaltSource::root_salt() const {
  return crypto::hkdf_sha256(salt_key_.view(), as_bytes(crypto::kDomainRootSalt));
}

}  // namespace aftune::trace
