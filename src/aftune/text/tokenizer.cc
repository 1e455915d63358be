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
#include "aftune/text/internal/nfc.h"
#include "aftune/text/internal/pre_tokenizer.h"
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

Result<bool> parse_normalizer(const Json* component) {
  if (!component) return false;
  AFTUNE_TRY(JsonReader reader, JsonReader::open(*component, "normalizer"));
  AFTUNE_TRY(expect_type(reader, "NFC"));
  AFTUNE_TRY(reader.finish());
  return true;
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
  AFTUNE_TRY(JsonReader decoder, file.object("decoder"));
  return expect_type(decoder, "ByteLevel");
}

}  // namespace

struct Tokenizer::State {
  Bpe bpe;
  PreTokenizer pre_tokenizer;
  bool normalize;
  AddedTokenFinder raw_finder, normalized_finder;
  std::map<std::string, std::int32_t, std::less<>> added_ids;
  std::vector<std::optional<std::string>> spelt;  // by id: the bytes that decode() writes
  std::vector<bool> special;                      // by id

  Status set_spelling(const std::vector<AddedToken>& added);
  Status put(std::string_view token, std::int32_t id);
  [[nodiscard]] Status encode_normalized(std::string_view text,
                                         std::vector<std::int32_t>& ids) const;
};

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
    special[at] = token.special;
    added_ids[token.content] = token.id;
    if (token.normalized && normalize) {
      AFTUNE_TRY(const std::string content, nfc(token.content));
      spelt[at] = unspell_bytes(content).value_or(content);
    }
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
  spelt[at] = unspell_bytes(token).value_or(std::string(token));
  return ok();
}

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json) {
  AFTUNE_TRY(const Json json, codec::parse_json(tokenizer_json, kJsonLimits));
  AFTUNE_TRY(JsonReader file, JsonReader::open(json, "tokenizer"));
  AFTUNE_TRY(check_unapplied(file));
  AFTUNE_TRY(const Json* normalizer, optional_member(file, "normalizer"));
  AFTUNE_TRY(const bool normalize, parse_normalizer(normalizer));
  AFTUNE_TRY(const Json* splitting, file.any("pre_tokenizer"));
  AFTUNE_TRY(PreTokenizer pre_tokenizer, PreTokenizer::parse(*splitting));
  AFTUNE_TRY(JsonReader model, file.object("model"));
  AFTUNE_TRY(Bpe bpe, Bpe::parse(std::move(model)));

  std::vector<AddedToken> added;
  AFTUNE_TRY(const Json* added_json, optional_member(file, "added_tokens"));
  if (added_json) {
    AFTUNE_TRY(added, parse_added_tokens(*added_json, "added_tokens"));
  }
  AFTUNE_TRY(file.finish());

  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : added) (token.normalized ? normalized : raw).push_back(token);
  for (AddedToken& token : normalized) {
    if (normalize) {
      AFTUNE_TRY(token.content, nfc(token.content));
    }
  }
  AFTUNE_TRY(AddedTokenFinder raw_finder, AddedTokenFinder::create(std::move(raw)));
  AFTUNE_TRY(AddedTokenFinder normalized_finder, AddedTokenFinder::create(std::move(normalized)));
  auto state = std::make_unique<State>(State{std::move(bpe),
                                             std::move(pre_tokenizer),
                                             normalize,
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
    if (!state_->normalize) {
      AFTUNE_TRY(state_->encode_normalized(piece, ids));
      continue;
    }
    AFTUNE_TRY(const std::string normalized, nfc(piece));
    AFTUNE_TRY(state_->encode_normalized(normalized, ids));
  }
  return ids;
}

Status Tokenizer::State::encode_normalized(std::string_view text,
                                           std::vector<std::int32_t>& ids) const {
  AFTUNE_TRY(const std::vector<Stretch> stretches, normalized_finder.split(text));
  for (const auto& [range, id] : stretches) {
    if (id >= 0) {
      ids.push_back(id);
      continue;
    }
    AFTUNE_TRY(pre_tokenizer.split(text.substr(range.begin, range.end - range.begin),
                                   [&](std::string_view piece) { bpe.encode(piece, ids); }));
  }
  return ok();
}

Result<std::string> Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      return Error{Code::kInvalidInput,
                   fmt::format("id {}, there are {} tokens", id, vocab_size())};
    }
    const auto at = static_cast<std::size_t>(id);
    if (!skip_special || !state_->special[at]) bytes += *state_->spelt[at];
  }
  return utf8_lossy(bytes);
}

std::int32_t Tokenizer::vocab_size() const {
  return static_cast<std::int32_t>(state_->spelt.size());
}

std::int32_t Tokenizer::id_of(std::string_view token) const {
  const auto found = state_->added_ids.find(token);
  return found != state_->added_ids.end() ? found->second : state_->bpe.id_of(token);
}

}  // namespace aftune::text
