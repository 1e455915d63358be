// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/challenge.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/hex.h"
#include "aftune/codec/dsse.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/sha256.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr const char* kType = "application/vnd.aftune.challenge+json";
constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 20;

Error invalid(std::string what) { return {Code::kInvalidInput, "challenge: " + std::move(what)}; }

Result<std::vector<BlockIndex>> read_blocks(JsonReader& reader, const trace::Contract& contract) {
  AFTUNE_TRY(const Json::Array* items, reader.array("blocks"));
  if (items->size() < contract.audit.blocks || items->size() > contract.block_count()) {
    return invalid(fmt::format("{} blocks, the contract draws {} of {}", items->size(),
                               contract.audit.blocks, contract.block_count()));
  }
  const std::int64_t rows = contract.partition().block_count;
  const auto columns = static_cast<std::int64_t>(contract.step_block_count());
  std::vector<BlockIndex> out;
  for (const Json& item : *items) {
    const Json::Array* pair = item.array();
    const bool is_pair = pair != nullptr && pair->size() == 2 && (*pair)[0].integer() != nullptr &&
                         (*pair)[1].integer() != nullptr;
    if (!is_pair) return invalid("a block is no pair of integers");
    const std::int64_t i = *(*pair)[0].integer(), j = *(*pair)[1].integer();
    if (i < 0 || i >= rows || j < 0 || j >= columns) {
      return invalid(
          fmt::format("block {},{} is outside the grid of {} layer blocks and {} step "
                      "blocks",
                      i, j, rows, columns));
    }
    out.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint64_t>(j)});
  }
  return out;
}

Result<Challenge> read_payload(const std::string& payload, const trace::Contract& contract) {
  AFTUNE_TRY(
      const Json json,
      codec::parse_canonical_json(payload, {.bytes = kMaxBytes, .depth = 4}).in("challenge"));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "challenge"));
  AFTUNE_TRY([[maybe_unused]] const auto version, reader.integer("version", 1, 1));
  Challenge out;
  AFTUNE_TRY(out.contract, reader.digest("contract"));
  if (out.contract != contract.digest()) {
    return invalid(fmt::format("it is of contract {}, this one is {}", out.contract.hex(),
                               contract.digest().hex()));
  }
  AFTUNE_TRY(const std::string secret, reader.string("secret"));
  AFTUNE_TRY(out.secret, from_hex(secret).in("challenge.secret"));
  if (out.secret.size() != 32 ||
      trace::secret_commitment(contract.run_id, out.secret) != contract.audit.secret_sha256) {
    return invalid("its secret is not the one that the contract commits to");
  }
  AFTUNE_TRY(out.checkpoint_note, reader.string("checkpoint"));
  AFTUNE_TRY(out.blocks, read_blocks(reader, contract));
  AFTUNE_TRY(reader.finish());
  return out;
}

}  // namespace

std::string Challenge::payload() const {
  Json::Array drawn;
  for (const BlockIndex& block : blocks) {
    drawn.emplace_back(Json::Array{Json(block.layer_block), Json(block.step_block)});
  }
  return codec::canonical_json(Json::Object{{"version", 1},
                                            {"contract", contract.hex()},
                                            {"secret", to_hex(secret)},
                                            {"checkpoint", checkpoint_note},
                                            {"blocks", std::move(drawn)}});
}

std::string sign_challenge(const Challenge& challenge, const crypto::PrivateKey& client,
                           const std::string& name) {
  codec::Dsse envelope{kType, challenge.payload(), {}};
  envelope.sign(client, name);
  return codec::encode_dsse(envelope);
}

Result<SignedChallenge> open_challenge(std::string_view envelope, const trace::Contract& contract) {
  AFTUNE_TRY(const codec::Dsse dsse,
             codec::decode_dsse(envelope, kType, 2 * kMaxBytes).in("challenge"));
  if (!dsse.signed_by(contract.client.key)) {
    return invalid(fmt::format("no valid signature of the client ({})", contract.client.name));
  }
  SignedChallenge out;
  AFTUNE_TRY(out.challenge, read_payload(dsse.payload, contract));
  AFTUNE_TRY(
      out.checkpoint,
      tlog::open_checkpoint(out.challenge.checkpoint_note, contract.log_key()).in("challenge"));
  const std::uint64_t closed_size = trace::Timeline(contract).entry_count();
  if (out.checkpoint.size != closed_size) {
    return invalid(fmt::format("its checkpoint has {} entries, a closed log of this contract {}",
                               out.checkpoint.size, closed_size));
  }
  out.digest = crypto::sha256(as_bytes(dsse.payload));
  out.envelope = envelope;
  return out;
}

Status follows_from_draw(const Challenge& challenge, const std::vector<BlockIndex>& order) {
  for (std::size_t i = 0; i < challenge.blocks.size(); ++i) {
    const BlockIndex& asked = challenge.blocks[i];
    if (i < order.size() && asked == order[i]) continue;
    const std::string drawn =
        i < order.size() ? fmt::format("block {},{}", order[i].layer_block, order[i].step_block)
                         : "no block";
    return invalid(
        fmt::format("block {},{} at place {} does not follow from the draw, which has {}",
                    asked.layer_block, asked.step_block, i, drawn));
  }
  return ok();
}

}  // namespace aftune::audit
