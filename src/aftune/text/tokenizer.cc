// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/added_tokens.h"
#include "aftune/text/internal/bpe.h"
#include "aftune/text/internal/byte_alphabet.h"
#include "aftune/text/internal/component.h"
#include "aftune/text/internal/fallback_decoder.h"
#include "aftune/text/internal/metaspace.h"
#include "aftune/text/internal/pre_tokenizer.h"
#include "aftune/text/internal/text_normalizer.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {

using codec::Json;
using codec::JsonReader;

namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{64} << 20;
constexpr codec::JsonLimits kJsonLimits{kFileBytes, 32, 8'000'000};
constexpr std::size_t kTextBytes = (std::size_t{1} << 30) - 2;

/// The member if it is there and not null.
Result<const Json*> optional_member(JsonReader& reader, std::string_view name) {
  if (!reader.has(name)) return nullptr;
  AFTUNE_TRY(const Json* value, reader.any(name));
  return value->is_null() ? nullptr : value;
}

/// Components that change no id of encode(); only their types are looked at.
Status check_post_processor(const Json& component, const std::string& path) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(component, path));
  AFTUNE_TRY(const std::string type, component_type(reader));
  if (type == "ByteLevel" || type == "TemplateProcessing") return ok();
  if (type != "Sequence") return unsupported_type(reader, type);
  AFTUNE_TRY(const Json::Array* processors, reader.array("processors"));
  for (std::size_t i = 0; i < processors->size(); ++i) {
    AFTUNE_TRY(check_post_processor((*processors)[i], fmt::format("{}[{}]", path, i)));
  }
  return ok();
}

Status check_unapplied(JsonReader& file) {
  AFTUNE_TRY(const Json* version, optional_member(file, "version"));
  if (version && !(version->string() && *version->string() == "1.0")) {
    return Error{Code::kUnsupported, "version: not 1.0"};
  }
  AFTUNE_TRY(optional_member(file, "truncation"));
  AFTUNE_TRY(optional_member(file, "padding"));
  AFTUNE_TRY(const Json* post, optional_member(file, "post_processor"));
  if (post) AFTUNE_TRY(check_post_processor(*post, "post_processor"));
  return ok();
}

/// How pieces are made and put together again: one of two manners, which the decoder tells.
struct Manner {
  std::optional<FallbackDecoder> decoder;  // empty: bytes as characters
  std::optional<PreTokenizer> pre_tokenizer;
  std::optional<Metaspace> metaspace;  // neither: each piece as it is

  [[nodiscard]] Alphabet alphabet() const {
    return decoder ? Alphabet::kCharacters : Alphabet::kBytes;
  }
};

Result<Manner> parse_manner(JsonReader& file) {
  Manner out;
  AFTUNE_TRY(const Json* decoder, file.any("decoder"));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(*decoder, "decoder"));
  AFTUNE_TRY(const std::string type, component_type(reader));
  if (type == "Sequence") {
    AFTUNE_TRY(out.decoder, FallbackDecoder::parse(*decoder));
    AFTUNE_TRY(const Json* splitting, optional_member(file, "pre_tokenizer"));
    if (splitting) {
      AFTUNE_TRY(out.metaspace, Metaspace::parse(*splitting));
    }
    return out;
  }
  if (type != "ByteLevel") return unsupported_type(reader, type);
  AFTUNE_TRY(const Json* splitting, file.any("pre_tokenizer"));
  AFTUNE_TRY(out.pre_tokenizer, PreTokenizer::parse(*splitting));
  return out;
}

}  // namespace

struct Tokenizer::State {
  Bpe bpe;
  Manner manner;
  TextNormalizer normalizer;
  AddedTokenFinder raw_finder, normalized_finder;
  std::map<std::string, std::int32_t, std::less<>> added_ids;
  // By id: the bytes that decode() writes, or what the decoder takes.
  std::vector<std::optional<std::string>> spelt;
  std::vector<bool> special;  // by id

  Status set_spelling(const std::vector<AddedToken>& added);
  Status put(std::string_view token, std::int32_t id);
  [[nodiscard]] std::string spelling_of(std::string_view token) const;
  [[nodiscard]] Status encode_normalized(std::string_view text, bool at_start,
                                         std::vector<std::int32_t>& ids) const;
  [[nodiscard]] Status encode_piece(std::string_view piece, bool at_start,
                                    std::vector<std::int32_t>& ids) const;
};

std::string Tokenizer::State::spelling_of(std::string_view token) const {
  if (manner.decoder) return std::string(token);
  return unspell_bytes(token).value_or(std::string(token));
}

/// Ids are each used once and leave no gap, so there are as many as tokens.
Status Tokenizer::State::set_spelling(const std::vector<AddedToken>& added) {
  std::size_t count = bpe.vocab().size();
  for (const AddedToken& token : added) count += bpe.id_of(token.content) < 0 ? 1 : 0;
  spelt.resize(count);
  special.resize(count);
  for (const auto& [token, id] : bpe.vocab()) AFTUNE_TRY(put(token, id));
  for (const AddedToken& token : added) {
    const std::int32_t in_vocab = bpe.id_of(token.content);
    if (in_vocab < 0) {
      AFTUNE_TRY(put(token.content, token.id));
    } else if (in_vocab != token.id) {
      return Error{Code::kInvalidInput, fmt::format("added token \"{}\" has id {}, in vocab {}",
                                                    token.content, token.id, in_vocab)};
    }
    const auto at = static_cast<std::size_t>(token.id);
    added_ids[token.content] = token.id;
    std::string content = token.content;
    if (token.normalized && normalizer.changes_text()) {
      AFTUNE_TRY(content, normalizer.apply(token.content));
      spelt[at] = spelling_of(content);
    }
    // A token that decode() spells otherwise is none of the special ones there.
    special[at] = token.special && content == token.content;
  }
  return ok();
}

Status Tokenizer::State::put(std::string_view token, std::int32_t id) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= spelt.size()) {
    return Error{Code::kInvalidInput, fmt::format("token \"{}\" has id {}, there are {} tokens",
                                                  token, id, spelt.size())};
  }
  if (spelt[at]) return Error{Code::kInvalidInput, fmt::format("id {} is used twice", id)};
  spelt[at] = spelling_of(token);
  return ok();
}

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json) {
  AFTUNE_TRY(const Json json, codec::parse_json(tokenizer_json, kJsonLimits));
  AFTUNE_TRY(JsonReader file, JsonReader::open(json, "tokenizer"));
  AFTUNE_TRY(check_unapplied(file));
  AFTUNE_TRY(Manner manner, parse_manner(file));
  AFTUNE_TRY(const Json* normalizing, optional_member(file, "normalizer"));
  AFTUNE_TRY(TextNormalizer normalizer, TextNormalizer::parse(normalizing, manner.alphabet()));
  if (manner.metaspace && normalizer.changes_text()) {
    return Error{Code::kUnsupported, "normalizer: beside Metaspace it is not supported"};
  }
  AFTUNE_TRY(JsonReader model, file.object("model"));
  AFTUNE_TRY(Bpe bpe, Bpe::parse(std::move(model), manner.alphabet()));

  std::vector<AddedToken> added;
  AFTUNE_TRY(const Json* added_json, optional_member(file, "added_tokens"));
  if (added_json) {
    AFTUNE_TRY(added, parse_added_tokens(*added_json, "added_tokens"));
  }
  AFTUNE_TRY(file.finish());

  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : added) (token.normalized ? normalized : raw).push_back(token);
  for (AddedToken& token : normalized) {
    if (normalizer.changes_text()) {
      AFTUNE_TRY(token.content, normalizer.apply(token.content));
    }
  }
  AFTUNE_TRY(AddedTokenFinder raw_finder, AddedTokenFinder::create(std::move(raw)));
  AFTUNE_TRY(AddedTokenFinder normalized_finder, AddedTokenFinder::create(std::move(normalized)));
  auto state = std::make_unique<State>(State{std::move(bpe),
                                             std::move(manner),
                                             std::move(normalizer),
                                             std::move(raw_finder),
                                             std::move(normalized_finder),
                                             {},
                                             {},
                                             {}});
  AFTUNE_TRY(state->set_spelling(added));
  return Tokenizer(std::move(state));
}

Result<Tokenizer> Tokenizer::load(const Path& tokenizer_json) {
  AFTUNE_TRY(const std::string text, read_text_file(tokenizer_json, kFileBytes));
  return parse(text).in(tokenizer_json.string());
}

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text) const {
  if (text.size() > kTextBytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("text has {} bytes, at most {} are allowed", text.size(), kTextBytes)};
  }
  if (const std::size_t valid = utf8_valid_prefix(text); valid != text.size()) {
    return Error{Code::kInvalidInput, fmt::format("text: byte {} is no valid UTF-8", valid)};
  }
  std::vector<std::int32_t> ids;
  AFTUNE_TRY(const std::vector<Stretch> stretches, state_->raw_finder.split(text));
  for (const auto& [range, id] : stretches) {
    if (id >= 0) {
      ids.push_back(id);
      continue;
    }
    const std::string_view piece = text.substr(range.begin, range.end - range.begin);
    const bool at_start = range.begin == 0;
    if (!state_->normalizer.changes_text()) {
      AFTUNE_TRY(state_->encode_normalized(piece, at_start, ids));
      continue;
    }
    AFTUNE_TRY(const std::string normalized, state_->normalizer.apply(piece));
    AFTUNE_TRY(state_->encode_normalized(normalized, at_start, ids));
  }
  return ids;
}

Status Tokenizer::State::encode_piece(std::string_view piece, bool at_start,
                                      std::vector<std::int32_t>& ids) const {
  const auto encode_part = [&](std::string_view part) { bpe.encode(part, ids); };
  if (manner.pre_tokenizer) return manner.pre_tokenizer->split(piece, encode_part);
  if (manner.metaspace) {
    manner.metaspace->split(piece, at_start, encode_part);
  } else {
    encode_part(piece);
  }
  return ok();
}

Status Tokenizer::State::encode_normalized(std::string_view text, bool at_start,
                                           std::vector<std::int32_t>& ids) const {
  AFTUNE_TRY(const std::vector<Stretch> stretches, normalized_finder.split(text));
  for (const auto& [range, id] : stretches) {
    if (id >= 0) {
      ids.push_back(id);
      continue;
    }
    AFTUNE_TRY(encode_piece(text.substr(range.begin, range.end - range.begin),
                            at_start && range.begin == 0, ids));
  }
  return ok();
}

Result<std::string> Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string bytes;
  std::optional<FallbackDecoder::Joining> joining;
  if (state_->manner.decoder) joining.emplace(*state_->manner.decoder);
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      return Error{Code::kInvalidInput,
                   fmt::format("id {}, there are {} tokens", id, vocab_size())};
    }
    const auto at = static_cast<std::size_t>(id);
    if (skip_special && state_->special[at]) continue;
    if (joining) {
      joining->add(*state_->spelt[at]);
    } else {
      bytes += *state_->spelt[at];
    }
  }
  return joining ? (*std::move(joining)).finish() : utf8_lossy(bytes);
}

bool Tokenizer::decodes_in_pieces() const { return !state_->manner.decoder; }

std::int32_t Tokenizer::vocab_size() const {
  return static_cast<std::int32_t>(state_->spelt.size());
}

std::int32_t Tokenizer::id_of(std::string_view token) const {
  const auto found = state_->added_ids.find(token);
  return found != state_->added_ids.end() ? found->second : state_->bpe.id_of(token);
}

}  // namespace aftune::text
