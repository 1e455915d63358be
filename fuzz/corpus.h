// SPDX-License-Identifier: Apache-2.0
// Where make_corpus puts the seeds of one target.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "aftune/crypto/sha256.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

template <typename T>
T must(Result<T> result) {
  AFTUNE_CHECK(result.has_value(), result ? "" : result.error().what);
  return *std::move(result);
}

class Corpus {
 public:
  Corpus(Path root, const char* target) : folder_(std::move(root) / target) {
    std::filesystem::create_directories(folder_);
  }
  void add(const std::string& name, std::string_view seed) const {
    must(write_file(folder_ / name, as_bytes(seed)));
  }
  void add(const std::string& name, char choice, std::string_view seed) const {
    add(name, std::string(1, choice) + std::string(seed));
  }

 private:
  Path folder_;
};

inline Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

/// Seeds of papers: receipts, requests to witnesses, challenges, answers, timings, verdicts.
void make_papers(const Path& root);

}  // namespace aftune::fuzz
