// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace aftune::http {
namespace {

void head(const char* name, const char* type, const char* help, std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void value(const char* name, std::uint64_t number, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, number);
}

template <typename Label>
void labelled(const char* name, const char* label, const Label& is, std::uint64_t number,
              std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}{{{}=\"{}\"}} {}\n", name, label, is, number);
}

void write_counts(const serve::ServerCounts& counts, std::string& out) {
  const char* requests = "aftune_requests_total";
  head(requests, "counter", "Requests by what became of them.", out);
  const std::pair<const char*, std::uint64_t> outcomes[] = {
      {"taken", counts.taken},         {"refused", counts.refused},
      {"cancelled", counts.cancelled}, {"failed", counts.failed},
      {"receipted", counts.receipted}, {"unreceipted", counts.unreceipted}};
  for (const auto& [outcome, number] : outcomes)
    labelled(requests, "outcome", outcome, number, out);
  head("aftune_requests_open", "gauge", "Requests taken and not ended.", out);
  value("aftune_requests_open", counts.open, out);
  const char* tokens = "aftune_tokens_total";
  head(tokens, "counter", "Tokens of prompts taken and of answers given.", out);
  labelled(tokens, "kind", "prompt", counts.prompt_tokens, out);
  labelled(tokens, "kind", "output", counts.output_tokens, out);
  head("aftune_passes_total", "counter", "Passes of the model.", out);
  value("aftune_passes_total", counts.passes, out);
}

}  // namespace

void Metrics::Histogram::add(double seconds) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds[i]) ++within[i];
  }
  ++count;
  sum += seconds;
}

void Metrics::Histogram::write(const char* name, const char* help, std::string& out) const {
  head(name, "histogram", help, out);
  const std::string bucket = fmt::format("{}_bucket", name);
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    labelled(bucket.c_str(), "le", kBounds[i], within[i], out);
  }
  labelled(bucket.c_str(), "le", "+Inf", count, out);
  fmt::format_to(std::back_inserter(out), "{}_sum {}\n{}_count {}\n", name, sum, name, count);
}

void Metrics::count_response(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

void Metrics::first_token_after(Seconds seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.add(seconds.count());
}

void Metrics::answered_after(Seconds seconds) {
  const std::lock_guard lock(mutex_);
  answer_.add(seconds.count());
}

std::string Metrics::text(const serve::ServerCounts& counts) const {
  std::string out;
  write_counts(counts, out);
  const std::lock_guard lock(mutex_);
  const char* responses = "aftune_http_responses_total";
  head(responses, "counter", "Responses begun, by status.", out);
  for (const auto& [status, number] : responses_) labelled(responses, "code", status, number, out);
  first_token_.write("aftune_first_token_seconds",
                     "From a request's arrival to the first token of its answer.", out);
  answer_.write("aftune_answer_seconds", "From a request's arrival to the end of its answer.", out);
  return out;
}

}  // namespace aftune::http
