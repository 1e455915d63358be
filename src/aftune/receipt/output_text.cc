// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/output_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/log_line.h"
#include "aftune/codec/utf8.h"

namespace aftune::receipt {
namespace {

constexpr std::string_view kNames[] = {"eos", "stop", "length"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t kMaxStops = 16, kMaxStopBytes = 256;

}  // namespace

std::string_view finish_name(Finish finish) { return kNames[static_cast<std::size_t>(finish)]; }

Result<Finish> parse_finish(std::string_view name) {
  for (const Finish finish : {Finish::kEos, Finish::kStop, Finish::kLength}) {
    if (finish_name(finish) == name) return finish;
  }
  return Error{Code::kInvalidInput,
               fmt::format("finish \"{}\" is none of eos, stop and length", printable(name))};
}

Status check_stop_strings(const std::vector<std::string>& stop) {
  if (stop.size() > kMaxStops) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} stop strings, at most {}", stop.size(), kMaxStops)};
  }
  for (std::size_t i = 0; i < stop.size(); ++i) {
    if (stop[i].empty() || stop[i].size() > kMaxStopBytes) {
      return Error{Code::kInvalidInput, fmt::format("stop string {} has {} bytes, it must have 1 "
                                                    "to {}",
                                                    i, stop[i].size(), kMaxStopBytes)};
    }
    if (!codec::is_utf8(stop[i])) {
      return Error{Code::kInvalidInput, fmt::format("stop string {} is no UTF-8", i)};
    }
  }
  return ok();
}

OutputText::OutputText(const text::Tokenizer& tokenizer, StopRule rule)
    : tokenizer_(&tokenizer), rule_(std::move(rule)) {
  for (const std::string& stop : rule_.stop) longest_stop_ = std::max(longest_stop_, stop.size());
}

std::optional<std::size_t> OutputText::find_stop(std::size_t from) const {
  std::size_t first = std::string::npos;
  for (const std::string& stop : rule_.stop) first = std::min(first, text_.find(stop, from));
  if (first == std::string::npos) return std::nullopt;
  return first;
}

Result<std::optional<Finish>> OutputText::push(std::int32_t token) {
  AFTUNE_CHECK(!ended_, "a token after the end");
  tail_.push_back(token);
  AFTUNE_TRY(const std::string tail, tokenizer_->decode(tail_, true));
  text_.resize(whole_);
  // What lies wholly in the part before was looked at when that came.
  const std::size_t from = whole_ - std::min(whole_, longest_stop_);
  text_ += tail;
  if (!tail.ends_with(kReplacement)) {  // else a character may be incomplete
    whole_ = text_.size();
    tail_.clear();
  }
  ++count_;
  std::optional<Finish> finish;
  if (std::find(rule_.eos.begin(), rule_.eos.end(), token) != rule_.eos.end()) {
    finish = Finish::kEos;
  } else if (const auto stop = find_stop(from)) {
    text_.resize(*stop);
    finish = Finish::kStop;
  } else if (count_ >= rule_.limit) {
    finish = Finish::kLength;
  }
  ended_ = finish.has_value();
  return finish;
}

std::size_t OutputText::settled() const {
  if (ended_) return text_.size();
  // A stop string may have begun.
  const std::string_view whole = std::string_view(text_).substr(0, whole_);
  for (std::size_t held = std::min(longest_stop_, whole.size()); held > 0; --held) {
    const std::string_view end = whole.substr(whole.size() - held);
    const auto begins = [&](const std::string& stop) { return stop.starts_with(end); };
    if (std::any_of(rule_.stop.begin(), rule_.stop.end(), begins)) return whole.size() - held;
  }
  return whole.size();
}

}  // namespace aftune::receipt
