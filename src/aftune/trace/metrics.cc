// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <system_error>

#include "aftune/codec/json.h"

namespace aftune::trace {
namespace {

constexpr std::uint64_t kMaxMetricsBytes = std::uint64_t{1} << 32;

Error system_error(const char* verb, const Path& file, int number) {
  return {Code::kUnavailable,
          fmt::format("{} {}: {}", verb, file.string(), std::generic_category().message(number))};
}

/// Whether this is a whole line of a step before `first_step`.
bool stays(std::string_view line, std::uint64_t first_step) {
  const auto json = codec::parse_json(line, {});
  const codec::Json* step = json ? json->find("step") : nullptr;
  return step != nullptr && step->integer() != nullptr && *step->integer() >= 0 &&
         static_cast<std::uint64_t>(*step->integer()) < first_step;
}

std::string lines_that_stay(std::string_view text, std::uint64_t first_step) {
  std::string out;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (stays(text.substr(0, end), first_step)) out += text.substr(0, end + 1);
    text.remove_prefix(end + 1);
  }
  return out;
}

/// A finite decimal number as text.
bool read_number(const codec::Json& line, std::string_view name, double& out) {
  const codec::Json* member = line.find(name);
  if (member == nullptr || member->string() == nullptr) return false;
  const std::string& text = *member->string();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(out);
}

bool read_index(const codec::Json& line, std::string_view name, std::uint64_t& out) {
  const codec::Json* member = line.find(name);
  if (member == nullptr || member->integer() == nullptr || *member->integer() < 0) return false;
  out = static_cast<std::uint64_t>(*member->integer());
  return true;
}

/// The name of the first member that is missing or malformed, or null.
const char* read_line(const codec::Json& json, MetricLine& out) {
  const std::pair<const char*, double*> numbers[] = {{"gradient_norm", &out.norm},
                                                     {"learning_rate", &out.learning_rate},
                                                     {"loss", &out.loss},
                                                     {"seconds", &out.seconds}};
  for (const auto& [name, into] : numbers) {
    if (!read_number(json, name, *into)) return name;
  }
  if (!read_index(json, "step", out.step)) return "step";
  if (!read_index(json, "tokens", out.tokens)) return "tokens";
  if (json.find("eval_loss") == nullptr) return nullptr;
  double loss = 0;
  if (!read_number(json, "eval_loss", loss)) return "eval_loss";
  out.eval_loss = loss;
  return nullptr;
}

}  // namespace

Result<std::vector<MetricLine>> read_metrics(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, kMaxMetricsBytes));
  std::vector<MetricLine> out;
  std::string_view rest = text;
  for (std::size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    const auto json = codec::parse_json(rest.substr(0, end), {});
    MetricLine line;
    if (const char* wrong = json ? read_line(*json, line) : "JSON") {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: line {} has no {}", file.string(), out.size() + 1, wrong)};
    }
    out.push_back(line);
    rest.remove_prefix(end + 1);
  }
  return out;
}

Result<Metrics> Metrics::open(const Path& file, std::uint64_t first_step) {
  const Result<std::string> found = read_text_file(file, kMaxMetricsBytes);
  if (!found && found.error().code != Code::kNotFound) return found.error();
  if (found) {
    const std::string kept = lines_that_stay(*found, first_step);
    if (kept != *found) AFTUNE_TRY(write_file(file, as_bytes(kept)));
  }
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd) return system_error("open", file, errno);
  return Metrics(file, std::move(fd));
}

Status Metrics::add(const StepProgress& progress) {
  using codec::Json;
  Json::Object members{{"step", Json(progress.step)},
                       {"loss", Json(fmt::format("{:.6f}", progress.loss))},
                       {"learning_rate", Json(fmt::format("{:.6e}", progress.learning_rate))},
                       {"gradient_norm", Json(fmt::format("{:.6f}", progress.norm))},
                       {"seconds", Json(fmt::format("{:.3f}", progress.seconds))},
                       {"tokens", Json(progress.tokens)}};
  if (progress.eval_loss) members["eval_loss"] = fmt::format("{:.6f}", *progress.eval_loss);
  const std::string line = codec::canonical_json(std::move(members)) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(fd_.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return system_error("write", file_, errno);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return ok();
}

}  // namespace aftune::trace
