// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "aftune/codec/dsse.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/sha256.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/rebuild_plan.h"
#include "aftune/trace/side_inputs.h"
#include "aftune/trace/stock.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr const char* kType = "application/vnd.aftune.manifest+json";
constexpr std::uint64_t kMaxBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 22;

Error invalid(std::string what) { return {Code::kInvalidInput, "manifest: " + std::move(what)}; }

Result<std::vector<Digest>> read_objects(JsonReader& reader) {
  AFTUNE_TRY(const Json::Array* items, reader.array("objects"));
  std::vector<Digest> out;
  for (const Json& item : *items) {
    if (item.string() == nullptr) return invalid("an object is no string");
    AFTUNE_TRY(const Digest digest, parse_digest(*item.string()).in("manifest.objects"));
    if (!out.empty() && !(out.back() < digest)) {
      return invalid(fmt::format("object {} is not ascending", digest.hex()));
    }
    out.push_back(digest);
  }
  return out;
}

Result<std::vector<trace::BoundFile>> read_files(JsonReader& reader) {
  AFTUNE_TRY(const Json::Array* items, reader.array("files"));
  std::vector<trace::BoundFile> out;
  for (const Json& item : *items) {
    AFTUNE_TRY(JsonReader file, JsonReader::open(item, "manifest.files"));
    trace::BoundFile bound;
    AFTUNE_TRY(bound.path, file.string("path"));
    AFTUNE_TRY(bound.sha256, file.digest("sha256"));
    AFTUNE_TRY(const std::int64_t size, file.integer("size", 0, codec::kMaxJsonInteger));
    bound.size = static_cast<std::uint64_t>(size);
    AFTUNE_TRY(file.finish());
    if (!out.empty() && !(out.back().path < bound.path)) {
      return invalid(fmt::format("file \"{}\" is not ascending", bound.path));
    }
    out.push_back(std::move(bound));
  }
  return out;
}

Result<Manifest> read_payload(const std::string& payload) {
  AFTUNE_TRY(const Json json, codec::parse_canonical_json(
                                  payload, {.bytes = kMaxBytes, .depth = 4, .values = kMaxValues})
                                  .in("manifest"));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "manifest"));
  AFTUNE_TRY([[maybe_unused]] const auto version, reader.integer("version", 1, 1));
  Manifest out;
  AFTUNE_TRY(out.contract, reader.digest("contract"));
  AFTUNE_TRY(out.challenge, reader.digest("challenge"));
  AFTUNE_TRY(out.objects, read_objects(reader));
  AFTUNE_TRY(out.files, read_files(reader));
  AFTUNE_TRY(reader.finish());
  return out;
}

/// Collects the objects of blocks that lie in the provider's store.
class Collector {
 public:
  Collector(const trace::Contract& contract, const trace::Openings& openings)
      : contract_(contract),
        openings_(openings),
        partition_(contract.partition()),
        timeline_(contract) {}

  Status add_block(const BlockIndex& block) {
    for (const std::uint64_t j : {block.step_block, block.step_block + 1}) {
      AFTUNE_TRY(add_state(block.layer_block, j));
    }
    std::set<std::uint32_t> edges;
    for (const std::uint32_t segment : partition_.segments_of(block.layer_block)) {
      edges.insert({segment, segment + 1});
    }
    for (std::uint64_t step = timeline_.first_step(block.step_block);
         step < timeline_.last_step(block.step_block); ++step) {
      AFTUNE_TRY(add_edges(step, edges));
    }
    return ok();
  }

  std::set<Digest> objects;

 private:
  Status add_state(std::uint32_t block, std::uint64_t step_block) {
    AFTUNE_TRY(const trace::StateList list, openings_.state_list(block, step_block));
    for (const Digest& digest : list.digests) add(digest);
    return ok();
  }
  Status add_edges(std::uint64_t step, const std::set<std::uint32_t>& edges) {
    AFTUNE_TRY(const trace::StepList list, openings_.step_list(step));
    const auto places = trace::edge_places(contract_, step);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (edges.contains(places[i].id.edge)) add(list.edges[i]);
    }
    return ok();
  }
  void add(const Digest& digest) {
    if (!openings_.has(digest)) return;
    objects.insert(digest);
    for (const Digest& base : openings_.bases_of(digest)) objects.insert(base);
  }

  const trace::Contract& contract_;
  const trace::Openings& openings_;
  const model::Partition partition_;
  const trace::Timeline timeline_;
};

/// The blocks that are replayed to judge those of a challenge, from what the provider holds.
std::vector<BlockIndex> replayed_for(const trace::Contract& contract,
                                     const trace::Openings& openings,
                                     const std::vector<BlockIndex>& drawn) {
  std::vector<trace::GridBlock> chosen;
  chosen.reserve(drawn.size());
  for (const BlockIndex& block : drawn) chosen.push_back({block.layer_block, block.step_block});
  const trace::RebuildPlan plan = trace::plan_rebuild(contract, trace::stock_of(contract, openings),
                                                      chosen, trace::Asked::kReplay);
  std::vector<BlockIndex> out;
  for (const trace::PlannedReplay& replay : plan.replays) {
    for (const std::uint32_t block : replay.blocks) out.push_back({block, replay.step_block});
  }
  return out;
}

}  // namespace

std::string Manifest::payload() const {
  Json::Array listed, paths;
  for (const Digest& object : objects) listed.emplace_back(object.hex());
  for (const trace::BoundFile& file : files) {
    paths.emplace_back(
        Json::Object{{"path", file.path}, {"sha256", file.sha256.hex()}, {"size", file.size}});
  }
  return codec::canonical_json(Json::Object{{"version", 1},
                                            {"contract", contract.hex()},
                                            {"challenge", challenge.hex()},
                                            {"objects", std::move(listed)},
                                            {"files", std::move(paths)}});
}

bool Manifest::lists(const Digest& object) const {
  return std::binary_search(objects.begin(), objects.end(), object);
}

std::string sign_manifest(const Manifest& manifest, const crypto::PrivateKey& provider,
                          const std::string& name) {
  codec::Dsse envelope{kType, manifest.payload(), {}};
  envelope.sign(provider, name);
  return codec::encode_dsse(envelope);
}

Result<SignedManifest> open_manifest(std::string_view envelope, const trace::Contract& contract,
                                     const Digest& challenge) {
  AFTUNE_TRY(const codec::Dsse dsse,
             codec::decode_dsse(envelope, kType, 2 * kMaxBytes).in("manifest"));
  if (!dsse.signed_by(contract.provider.key)) {
    return invalid(fmt::format("no valid signature of the provider ({})", contract.provider.name));
  }
  SignedManifest out;
  AFTUNE_TRY(out.manifest, read_payload(dsse.payload));
  for (const auto& [what, found, wanted] :
       {std::tuple{"contract", out.manifest.contract, contract.digest()},
        std::tuple{"challenge", out.manifest.challenge, challenge}}) {
    if (found == wanted) continue;
    return invalid(fmt::format("it is of {} {}, this one is {}", what, found.hex(), wanted.hex()));
  }
  out.digest = crypto::sha256(as_bytes(dsse.payload));
  return out;
}

Result<std::vector<Digest>> list_digests(const trace::Contract& contract,
                                         const std::vector<std::string>& entries) {
  const trace::Timeline timeline(contract);
  std::vector<Digest> out;
  for (std::uint64_t i = 1; i < std::min<std::uint64_t>(entries.size(), timeline.entry_count());
       ++i) {
    AFTUNE_TRY(const Digest digest, trace::decode_entry(entries[i], i, timeline.at(i)));
    out.push_back(digest);
  }
  return out;
}

std::vector<std::string> needed_files(const trace::Contract& contract) {
  std::vector<std::string> out{"base/model.safetensors"};
  for (const trace::BoundFile& file : contract.companions) out.push_back("base/" + file.path);
  if (!contract.base_public) out.emplace_back("root-salt");
  if (contract.adapter && contract.adapter->initial) {
    out.emplace_back("adapter/adapter_config.json");
    out.emplace_back("adapter/adapter_model.safetensors");
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::set<Digest>> tensors_held(const trace::Contract& contract,
                                      const trace::Openings& openings,
                                      const std::vector<BlockIndex>& drawn) {
  Collector collector(contract, openings);
  for (const BlockIndex& block : replayed_for(contract, openings, drawn)) {
    AFTUNE_TRY(collector.add_block(block));
  }
  return std::move(collector.objects);
}

Result<Manifest> make_manifest(const trace::RunFolder& run, const trace::Contract& contract,
                               const std::vector<std::string>& entries,
                               const SignedChallenge& challenge) {
  AFTUNE_TRY(const trace::Openings openings, trace::Openings::open(run, contract, entries));
  AFTUNE_TRY(std::set<Digest> objects,
             tensors_held(contract, openings, challenge.challenge.blocks));
  AFTUNE_TRY(const auto lists, list_digests(contract, entries));
  AFTUNE_TRY(const trace::Store store,
             trace::Store::open(run.store(), trace::Store::Open::kExisting));
  for (const Digest& list : lists) {
    AFTUNE_TRY([[maybe_unused]] const ByteBuffer whole,
               store.get(list, trace::kMaxListBytes).in("list"));
    objects.insert(list);
  }
  for (const trace::BoundFile& file : contract.companions) {
    AFTUNE_TRY(trace::check_bound_file(file, run.base()));
  }
  Manifest out{contract.digest(), challenge.digest, {objects.begin(), objects.end()}, {}};
  for (const std::string& path : needed_files(contract)) {
    trace::BoundFile file{path, 0, {}};
    AFTUNE_TRY(file.size, aftune::file_size(run.root / path));
    AFTUNE_TRY(file.sha256, crypto::sha256_file(run.root / path));
    out.files.push_back(std::move(file));
  }
  return out;
}

}  // namespace aftune::audit
