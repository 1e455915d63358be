// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "aftune/text/internal/bpe.h"
#include "aftune/text/internal/byte_alphabet.h"
#include "aftune/text/internal/component.h"
#include "aftune/text/internal/fallback_decoder.h"

namespace aftune::text {
namespace {

using codec::Json;
using codec::JsonReader;

Result<bool> optional_flag(JsonReader& reader, std::string_view name) {
  if (!reader.has(name)) return false;
  return reader.boolean(name);
}

/// Features that this build has only in their switched-off form.
Status refuse_variants(JsonReader& model, Alphabet alphabet) {
  const auto unsupported = [&](std::string_view name) {
    return Error{Code::kUnsupported, fmt::format("{}.{}: not supported", model.path(), name)};
  };
  if (model.has("type")) AFTUNE_TRY(expect_type(model, "BPE"));
  AFTUNE_TRY(const bool byte_fallback, optional_flag(model, "byte_fallback"));
  if (byte_fallback != (alphabet == Alphabet::kCharacters)) {
    return Error{Code::kUnsupported,
                 fmt::format("{}.byte_fallback: {} beside this decoder is not supported",
                             model.path(), byte_fallback)};
  }
  if (model.has("dropout")) {
    AFTUNE_TRY(const Json* dropout, model.any("dropout"));
    const bool zero = (dropout->integer() && *dropout->integer() == 0) ||
                      (dropout->real() && *dropout->real() == 0.0);
    if (!dropout->is_null() && !zero) return unsupported("dropout");
  }
  for (const std::string_view name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.has(name)) continue;
    AFTUNE_TRY(const Json* affix, model.any(name));
    const bool empty = affix->string() && affix->string()->empty();
    if (!affix->is_null() && !empty) return unsupported(name);
  }
  return ok();
}

}  // namespace

Result<Bpe> Bpe::parse(JsonReader model, Alphabet alphabet) {
  Bpe bpe;
  bpe.alphabet_ = alphabet;
  AFTUNE_TRY(refuse_variants(model, alphabet));
  AFTUNE_TRY(bpe.fuse_unk_, optional_flag(model, "fuse_unk"));
  AFTUNE_TRY(bpe.ignore_merges_, optional_flag(model, "ignore_merges"));
  AFTUNE_TRY(bpe.read_vocab(model));
  AFTUNE_TRY(bpe.read_merges(model));
  if (model.has("unk_token")) {
    AFTUNE_TRY(const Json* unk, model.any("unk_token"));
    if (!unk->is_null()) {
      if (unk->string()) bpe.unk_id_ = bpe.id_of(*unk->string());
      if (bpe.unk_id_ < 0) {
        return Error{Code::kInvalidInput, model.path() + ".unk_token: no token of vocab"};
      }
    }
  }
  AFTUNE_TRY(model.finish());
  return bpe;
}

Status Bpe::read_vocab(JsonReader& model) {
  AFTUNE_TRY(const Json* vocab, model.any("vocab"));
  if (!vocab->object()) return Error{Code::kInvalidInput, model.path() + ".vocab: no object"};
  for (const auto& [token, id] : *vocab->object()) {
    if (!id.integer() || *id.integer() < 0 ||
        *id.integer() > std::numeric_limits<std::int32_t>::max()) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}.vocab: token \"{}\" has no id from 0 to 2147483647",
                               model.path(), token)};
    }
    vocab_.emplace_hint(vocab_.end(), token, static_cast<std::int32_t>(*id.integer()));
  }
  return read_bytes(model.path());
}

Status Bpe::read_bytes(const std::string& path) {
  for (unsigned b = 0; b < 256; ++b) {
    const auto byte = static_cast<std::uint8_t>(b);
    if (alphabet_ == Alphabet::kBytes) {
      byte_ids_[b] = id_of(character_of_byte(byte));
      continue;
    }
    byte_ids_[b] = id_of(token_of_byte(byte));
    if (byte_ids_[b] < 0) {
      return Error{Code::kUnsupported,
                   fmt::format("{}.vocab: byte_fallback without {} is not supported", path,
                               token_of_byte(byte))};
    }
  }
  return ok();
}

Status Bpe::read_merges(JsonReader& model) {
  AFTUNE_TRY(const Json::Array* merges, model.array("merges"));
  merges_.reserve(merges->size());
  for (const Json& merge : *merges) {
    if (merge.string()) {
      const std::string_view line = *merge.string();
      if (line.starts_with("#version")) continue;
      const std::size_t space = line.find(' ');
      if (space == line.npos || line.find(' ', space + 1) != line.npos) {
        return Error{Code::kInvalidInput,
                     fmt::format("{}.merges: \"{}\" is no two tokens", model.path(), line)};
      }
      AFTUNE_TRY(add_merge(line.substr(0, space), line.substr(space + 1)));
      continue;
    }
    const Json::Array* pair = merge.array();
    if (!pair || pair->size() != 2 || !pair->at(0).string() || !pair->at(1).string()) {
      return Error{Code::kInvalidInput, fmt::format("{}.merges: item {} is no pair of tokens",
                                                    model.path(), merges_.size())};
    }
    AFTUNE_TRY(add_merge(*pair->at(0).string(), *pair->at(1).string()));
  }
  return index_merges();
}

Status Bpe::add_merge(std::string_view left, std::string_view right) {
  const std::string merged = std::string(left) + std::string(right);
  for (const std::string_view token : {left, right, std::string_view(merged)}) {
    if (id_of(token) < 0) {
      return Error{Code::kInvalidInput, fmt::format("merge {} (\"{}\", \"{}\"): \"{}\" is no token",
                                                    merges_.size(), left, right, token)};
    }
  }
  merges_.push_back(
      {id_of(left), id_of(right), id_of(merged), static_cast<std::uint32_t>(merges_.size())});
  return ok();
}

Status Bpe::index_merges() {
  std::sort(merges_.begin(), merges_.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.left, a.right, a.rank) < std::tie(b.left, b.right, b.rank);
  });
  const auto twice = std::adjacent_find(
      merges_.begin(), merges_.end(),
      [](const Merge& a, const Merge& b) { return a.left == b.left && a.right == b.right; });
  if (twice != merges_.end()) {
    return Error{Code::kInvalidInput, fmt::format("merges {} and {} are of the same tokens",
                                                  twice->rank, std::next(twice)->rank)};
  }
  return ok();
}

}  // namespace aftune::text
