// SPDX-License-Identifier: Apache-2.0
// Reads a YAML map member by member; errors name line and key. Keeps yaml-cpp in one place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/tensor/tensor.h"

namespace aftune::cli {

/// A value of the job file that the command line gives: it wins over the file's.
struct JobFlag {
  std::string key;    // dotted: "batch.samples"
  std::string value;  // as it would stand in the file
};

/// The flags among what a command left over: "--KEY VALUE" or "--KEY=VALUE" each.
/// Errors: kInvalidInput, naming the word that is none or has no value.
Result<std::vector<JobFlag>> job_flags(const std::vector<std::string>& words);

/// A map of the job file. Getters mark a key as read; finish() refuses the others.
/// Threads: one at a time.
class JobReader {
 public:
  static Result<JobReader> load(const Path& file, const std::vector<JobFlag>& flags = {});
  JobReader(JobReader&&) noexcept;
  JobReader& operator=(JobReader&&) noexcept;
  ~JobReader();

  [[nodiscard]] bool has(std::string_view key) const;
  // Errors of the getters: kInvalidInput for an absent key or a value of another kind or range.
  Result<std::string> text(std::string_view key);
  Result<std::uint64_t> count(std::string_view key, std::uint64_t min, std::uint64_t max);
  Result<double> real(std::string_view key);
  Result<bool> boolean(std::string_view key);
  /// A list of at least one value.
  Result<std::vector<std::string>> texts(std::string_view key);
  Result<JobReader> map(std::string_view key);

  // The same with a value for an absent key.
  Result<std::string> text_or(std::string_view key, std::string fallback);
  Result<std::uint64_t> count_or(std::string_view key, std::uint64_t fallback, std::uint64_t min,
                                 std::uint64_t max);
  Result<double> real_or(std::string_view key, double fallback);
  Result<bool> boolean_or(std::string_view key, bool fallback);
  /// An empty map if the key is absent.
  Result<JobReader> map_or_empty(std::string_view key);

  /// "FILE:LINE: KEY" for a message; `key` may be dotted ("batch.samples"). The line is that of
  /// the deepest part that the file has. "--KEY" where a flag gave the value.
  [[nodiscard]] std::string where(std::string_view key) const;

  /// Errors: kInvalidInput naming the first key that nobody asked for or that stands there twice,
  ///         and its line.
  [[nodiscard]] Status finish() const;

 private:
  struct State;
  explicit JobReader(std::unique_ptr<State> state);
  Result<std::string> scalar(std::string_view key);
  [[nodiscard]] Error wrong(std::string_view key, std::string_view wanted) const;
  std::unique_ptr<State> state_;
};

/// F32, the default, or BF16. Errors: kInvalidInput for another type.
Result<Dtype> rounded_dtype(JobReader& map, const char* key);

}  // namespace aftune::cli
