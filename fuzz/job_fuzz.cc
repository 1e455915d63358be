// SPDX-License-Identifier: Apache-2.0
// A job file, read as a draft reads it but without the files that it names.
#include <algorithm>
#include <array>

#include "aftune/cli/job_reader.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

constexpr std::array kMaps = {"text", "order", "batch",  "optimizer", "schedule",
                              "clip", "grid",  "nonces", "audit",     "keys"};
constexpr std::array kScalars = {"run_id",       "model",          "base_public",
                                 "data",         "data_salt",      "format",
                                 "pad",          "sequence",       "labels",
                                 "steps",        "shuffle",        "drop_last",
                                 "samples",      "micro_batch",    "kind",
                                 "beta1",        "peak",           "max_norm",
                                 "blocks",       "deadline_hours", "weights_disclosed",
                                 "secret",       "client",         "provider",
                                 "edge_interval"};

/// Each getter of each key: they must agree on whether there is a scalar.
void read_scalars(cli::JobReader& reader) {
  for (const char* key : kScalars) {
    const bool has = reader.has(key);
    const auto text = reader.text(key);
    const auto count = reader.count(key, 0, ~std::uint64_t{0});
    const auto real = reader.real(key);
    const auto boolean = reader.boolean(key);
    AFTUNE_CHECK(text || (!count && !real && !boolean), "a value that is no text");
    AFTUNE_CHECK(has || !count, "a number that is not there");
    AFTUNE_CHECK(!count || real, "an integer that is no number");
    AFTUNE_CHECK(has || *reader.text_or(key, "fallback") == "fallback", "the fallback");
    if (count && *count > 0) {
      AFTUNE_CHECK(!reader.count(key, 0, *count - 1), "a count beyond the limit");
    }
  }
}

}  // namespace

bool decode_one(Bytes input) {
  auto job = cli::JobReader::load(put_scratch("job.yaml", input));
  if (!job) return false;
  read_scalars(*job);
  for (const char* key : kMaps) {
    auto map = job->map(key);
    if (!map) continue;
    AFTUNE_CHECK(job->has(key) && job->map_or_empty(key).has_value(), "a map that is not there");
    read_scalars(*map);
    static_cast<void>(map->finish());  // either answer is right; its message names a key
  }
  static_cast<void>(job->finish());
  return true;
}

}  // namespace aftune::fuzz
