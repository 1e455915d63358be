// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/job_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "aftune/base/log_line.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMaxJobBytes = std::uint64_t{1} << 20;

class IgnoredEvents final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Whether the text goes on behind its first document. YAML::LoadAll finds no end of documents
/// behind a token that none of them takes ("'a', b"), so the second one is enough.
bool has_second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  IgnoredEvents ignored;
  return parser.HandleNextDocument(ignored) && parser.HandleNextDocument(ignored);
}

}  // namespace

struct JobReader::State {
  std::string file;  // for messages
  /// Dotted keys of the flags; shared by the readers of one file.
  std::shared_ptr<const std::set<std::string>> flags;
  std::string path;  // dotted, with a final dot unless empty
  YAML::Node node;   // a map, or null for an empty one
  std::set<std::string> read;

  [[nodiscard]] YAML::Node find(std::string_view key) const {
    if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    const YAML::Node& constant = node;
    return constant[std::string(key)];
  }
};

JobReader::JobReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
JobReader::JobReader(JobReader&&) noexcept = default;
JobReader& JobReader::operator=(JobReader&&) noexcept = default;
JobReader::~JobReader() = default;

Result<std::vector<JobFlag>> job_flags(const std::vector<std::string>& words) {
  std::vector<JobFlag> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() < 3 || !word.starts_with("--")) {
      return Error{
          Code::kInvalidInput,
          fmt::format("\"{}\" is neither an option nor a key of the job file as --KEY VALUE",
                      printable(word))};
    }
    const std::size_t equals = std::min(word.find('='), word.size());
    JobFlag flag{word.substr(2, equals - 2), {}};
    if (equals < word.size()) {
      flag.value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      flag.value = words[++i];
    } else {
      return Error{Code::kInvalidInput, fmt::format("{} needs a value", printable(word))};
    }
    if (flag.value.empty()) {
      return Error{Code::kInvalidInput, fmt::format("--{} needs a value", printable(flag.key))};
    }
    out.push_back(std::move(flag));
  }
  return out;
}

namespace {

/// Puts the value at the dotted key, in maps that are made where there is none.
Status put(YAML::Node at, const JobFlag& flag) {
  const auto refuse = [&](std::string_view why) {
    return Error{Code::kInvalidInput, fmt::format("--{}: {}", printable(flag.key), why)};
  };
  try {
    for (std::string_view rest = flag.key;;) {
      const std::string part(rest.substr(0, rest.find('.')));
      if (part.empty()) return refuse("a part of the key is empty");
      if (part.size() == rest.size()) {
        at[part] = YAML::Load(flag.value);
        return ok();
      }
      rest.remove_prefix(part.size() + 1);
      if (at[part].IsDefined() && !at[part].IsNull() && !at[part].IsMap()) {
        return refuse(fmt::format("{} is no map", part));
      }
      at.reset(at[part]);
    }
  } catch (const YAML::Exception& error) {
    return refuse(error.msg);
  }
}

}  // namespace

Result<JobReader> JobReader::load(const Path& file, const std::vector<JobFlag>& flags) {
  AFTUNE_TRY(const std::string text, read_text_file(file, kMaxJobBytes));
  auto state = std::make_unique<State>();
  state->file = file.string();
  try {  // yaml-cpp reports by exceptions; they end here
    if (has_second_document(text)) {
      return Error{Code::kInvalidInput,
                   fmt::format("{} holds more than one YAML document, needs one", file.string())};
    }
    state->node = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}:{}: {}", file.string(), error.mark.line + 1, error.msg)};
  }
  if (!state->node.IsMap()) {
    return Error{Code::kInvalidInput, fmt::format("{} is not a YAML map", file.string())};
  }
  std::set<std::string> keys;
  for (const JobFlag& flag : flags) {
    AFTUNE_TRY(put(state->node, flag));
    keys.insert(flag.key);
  }
  state->flags = std::make_shared<const std::set<std::string>>(std::move(keys));
  return JobReader(std::move(state));
}

bool JobReader::has(std::string_view key) const {
  const YAML::Node found = state_->find(key);
  return found.IsDefined() && !found.IsNull();
}

std::string JobReader::where(std::string_view key) const {
  const std::string full = state_->path + std::string(key);
  if (state_->flags->contains(full)) return "--" + full;
  YAML::Node at = state_->node;
  int line = at.Mark().line + 1;
  for (std::string_view rest = key; !rest.empty() && at.IsMap();) {
    const std::string part(rest.substr(0, rest.find('.')));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const YAML::Node& constant = at;
    const YAML::Node next = constant[part];
    if (!next.IsDefined()) break;
    line = next.Mark().line + 1;
    at.reset(next);
  }
  return line > 0 ? fmt::format("{}:{}: {}{}", state_->file, line, state_->path, key)
                  : fmt::format("{}: {}{}", state_->file, state_->path, key);
}

Error JobReader::wrong(std::string_view key, std::string_view wanted) const {
  const YAML::Node found = state_->find(key);
  const bool scalar = found.IsDefined() && found.IsScalar();
  return {Code::kInvalidInput, fmt::format("{} {}, needs {}", where(key),
                                           !found.IsDefined() ? "is missing"
                                           : scalar           ? "is \"" + found.Scalar() + "\""
                                                              : "is no single value",
                                           wanted)};
}

Result<std::string> JobReader::scalar(std::string_view key) {
  state_->read.insert(std::string(key));
  const YAML::Node found = state_->find(key);
  if (!found.IsDefined() || !found.IsScalar()) return wrong(key, "a value");
  return found.Scalar();
}

Result<std::string> JobReader::text(std::string_view key) { return scalar(key); }

Result<std::uint64_t> JobReader::count(std::string_view key, std::uint64_t min, std::uint64_t max) {
  AFTUNE_TRY(const std::string text, scalar(key));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return wrong(key, fmt::format("an integer from {} to {}", min, max));
  }
  return value;
}

Result<double> JobReader::real(std::string_view key) {
  AFTUNE_TRY(const std::string text, scalar(key));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return wrong(key, "a finite number");
  }
  return value;
}

Result<bool> JobReader::boolean(std::string_view key) {
  AFTUNE_TRY(const std::string text, scalar(key));
  if (text == "true") return true;
  if (text == "false") return false;
  return wrong(key, "true or false");
}

Result<std::vector<std::string>> JobReader::texts(std::string_view key) {
  state_->read.insert(std::string(key));
  const YAML::Node found = state_->find(key);
  if (!found.IsDefined() || !found.IsSequence() || found.size() == 0) return wrong(key, "a list");
  std::vector<std::string> out;
  for (const YAML::Node& item : found) {
    if (!item.IsScalar()) return wrong(key, "a list of values");
    out.push_back(item.Scalar());
  }
  return out;
}

Result<JobReader> JobReader::map(std::string_view key) {
  state_->read.insert(std::string(key));
  const YAML::Node found = state_->find(key);
  if (!found.IsDefined() || !found.IsMap()) return wrong(key, "a map");
  auto state = std::make_unique<State>();
  state->file = state_->file;
  state->flags = state_->flags;
  state->path = fmt::format("{}{}.", state_->path, key);
  state->node = found;
  return JobReader(std::move(state));
}

Result<JobReader> JobReader::map_or_empty(std::string_view key) {
  if (has(key)) return map(key);
  state_->read.insert(std::string(key));
  auto state = std::make_unique<State>();
  state->file = state_->file;
  state->flags = state_->flags;
  state->path = fmt::format("{}{}.", state_->path, key);
  return JobReader(std::move(state));
}

Result<std::string> JobReader::text_or(std::string_view key, std::string fallback) {
  return has(key) ? text(key) : Result<std::string>(std::move(fallback));
}
Result<std::uint64_t> JobReader::count_or(std::string_view key, std::uint64_t fallback,
                                          std::uint64_t min, std::uint64_t max) {
  return has(key) ? count(key, min, max) : Result<std::uint64_t>(fallback);
}
Result<double> JobReader::real_or(std::string_view key, double fallback) {
  return has(key) ? real(key) : Result<double>(fallback);
}
Result<bool> JobReader::boolean_or(std::string_view key, bool fallback) {
  return has(key) ? boolean(key) : Result<bool>(fallback);
}

Status JobReader::finish() const {
  if (!state_->node.IsMap()) return ok();
  std::set<std::string> seen;
  for (const auto& member : state_->node) {
    const std::string key = member.first.IsScalar() ? member.first.Scalar() : "(no scalar)";
    const bool known = state_->read.contains(key);
    if (known && seen.insert(key).second) continue;
    if (!known && state_->flags->contains(state_->path + key)) {
      return Error{Code::kInvalidInput, fmt::format("--{}{} is unknown", state_->path, key)};
    }
    return Error{Code::kInvalidInput,
                 fmt::format("{}:{}: {}{} {}", state_->file, member.first.Mark().line + 1,
                             state_->path, key, known ? "stands there twice" : "is unknown")};
  }
  return ok();
}

Result<Dtype> rounded_dtype(JobReader& map, const char* key) {
  AFTUNE_TRY(const std::string name, map.text_or(key, "F32"));
  const std::optional<Dtype> dtype = dtype_of(name);
  if (dtype == Dtype::kF32 || dtype == Dtype::kBF16) return *dtype;
  return Error{Code::kInvalidInput,
               fmt::format("{} is \"{}\", known: F32, BF16", map.where(key), name)};
}

}  // namespace aftune::cli
