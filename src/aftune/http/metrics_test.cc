// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/metrics.h"

#include <gtest/gtest.h>

namespace aftune::http {
namespace {

TEST(Metrics, EveryCountHasItsLine) {
  Metrics metrics;
  serve::ServerCounts counts;
  counts.taken = 7;
  counts.refused = 1;
  counts.cancelled = 2;
  counts.failed = 3;
  counts.receipted = 4;
  counts.unreceipted = 5;
  counts.prompt_tokens = 60;
  counts.output_tokens = 70;
  counts.passes = 80;
  counts.open = 9;
  metrics.count_response(200);
  metrics.count_response(200);
  metrics.count_response(503);
  const std::string text = metrics.text(counts);
  for (const char* line :
       {"aftune_requests_total{outcome=\"taken\"} 7\n",
        "aftune_requests_total{outcome=\"refused\"} 1\n",
        "aftune_requests_total{outcome=\"cancelled\"} 2\n",
        "aftune_requests_total{outcome=\"failed\"} 3\n",
        "aftune_requests_total{outcome=\"receipted\"} 4\n",
        "aftune_requests_total{outcome=\"unreceipted\"} 5\n", "aftune_requests_open 9\n",
        "aftune_tokens_total{kind=\"prompt\"} 60\n", "aftune_tokens_total{kind=\"output\"} 70\n",
        "aftune_passes_total 80\n", "aftune_http_responses_total{code=\"200\"} 2\n",
        "aftune_http_responses_total{code=\"503\"} 1\n",
        "# TYPE aftune_answer_seconds histogram\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(Metrics, HistogramsAreCumulative) {
  Metrics metrics;
  metrics.answered_after(Metrics::Seconds(0.25));
  metrics.answered_after(Metrics::Seconds(0.3));
  metrics.answered_after(Metrics::Seconds(1000));
  metrics.first_token_after(Metrics::Seconds(2));
  const std::string text = metrics.text({});
  for (const char* line :
       {"aftune_answer_seconds_bucket{le=\"0.1\"} 0\n",
        "aftune_answer_seconds_bucket{le=\"0.3\"} 2\n",
        "aftune_answer_seconds_bucket{le=\"300\"} 2\n",
        "aftune_answer_seconds_bucket{le=\"+Inf\"} 3\n", "aftune_answer_seconds_sum 1000.55\n",
        "aftune_answer_seconds_count 3\n", "aftune_first_token_seconds_bucket{le=\"1\"} 0\n",
        "aftune_first_token_seconds_bucket{le=\"3\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace aftune::http
