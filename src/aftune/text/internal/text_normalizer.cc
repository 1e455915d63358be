// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/text_normalizer.h"

#include <fmt/format.h>

#include "aftune/text/internal/component.h"
#include "aftune/text/internal/nfc.h"

namespace aftune::text {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::size_t kMaxSteps = 16;

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, done)) {
    out += text.substr(done, at - done);
    out += to;
    done = at + from.size();
  }
  return out += text.substr(done);
}

Result<Replacement> read_replacement(JsonReader& component) {
  AFTUNE_TRY(JsonReader pattern, component.object("pattern"));
  if (!pattern.has("String")) {
    return Error{Code::kUnsupported, pattern.path() + ": not a String is not supported"};
  }
  Replacement out;
  AFTUNE_TRY(out.from, pattern.string("String"));
  AFTUNE_TRY(pattern.finish());
  if (out.from.empty()) return Error{Code::kUnsupported, pattern.path() + ": empty"};
  AFTUNE_TRY(out.to, component.string("content"));
  return out;
}

Result<TextNormalizer> TextNormalizer::parse(const Json* component, Alphabet alphabet) {
  TextNormalizer made;
  if (component == nullptr) return made;
  AFTUNE_TRY(JsonReader reader, JsonReader::open(*component, "normalizer"));
  if (alphabet == Alphabet::kBytes) {
    AFTUNE_TRY(made.add_nfc(std::move(reader)));
    return made;
  }
  AFTUNE_TRY(const std::string type, component_type(reader));
  if (type != "Sequence") {
    AFTUNE_TRY(JsonReader again, JsonReader::open(*component, "normalizer"));
    AFTUNE_TRY(made.add_marking(std::move(again)));
    return made;
  }
  AFTUNE_TRY(const Json::Array* steps, reader.array("normalizers"));
  AFTUNE_TRY(reader.finish());
  if (steps->size() > kMaxSteps) {
    return Error{Code::kUnsupported,
                 fmt::format("normalizer: more than {} steps are not supported", kMaxSteps)};
  }
  for (std::size_t i = 0; i < steps->size(); ++i) {
    AFTUNE_TRY(JsonReader step, JsonReader::open((*steps)[i], fmt::format("normalizer[{}]", i)));
    AFTUNE_TRY(made.add_marking(std::move(step)));
  }
  return made;
}

Status TextNormalizer::add_nfc(JsonReader component) {
  AFTUNE_TRY(expect_type(component, "NFC"));
  AFTUNE_TRY(component.finish());
  steps_.push_back({Kind::kNfc, {}, {}});
  return ok();
}

Status TextNormalizer::add_marking(JsonReader component) {
  AFTUNE_TRY(const std::string type, component_type(component));
  Step step{Kind::kPrepend, {}, {}};
  if (type == "Prepend") {
    AFTUNE_TRY(step.text, component.string("prepend"));
  } else if (type == "Replace") {
    AFTUNE_TRY(Replacement replacement, read_replacement(component));
    step = {Kind::kReplace, std::move(replacement.from), std::move(replacement.to)};
  } else {
    return unsupported_type(component, type);
  }
  AFTUNE_TRY(component.finish());
  steps_.push_back(std::move(step));
  return ok();
}

Result<std::string> TextNormalizer::apply(std::string_view text) const {
  std::string out(text);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kNfc: {
        AFTUNE_TRY(out, nfc(out));
        break;
      }
      case Kind::kPrepend:
        if (!out.empty()) out = step.text + out;
        break;
      case Kind::kReplace:
        out = replace_all(out, step.text, step.content);
        break;
    }
  }
  return out;
}

}  // namespace aftune::text
