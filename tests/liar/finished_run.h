// SPDX-License-Identifier: Apache-2.0
// A finished run in the hands of its provider, who changes it and signs the whole log again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aftune/trace/store.h"
#include "aftune/trace/timeline.h"
#include "tiny_world.h"

namespace aftune::liar {

class FinishedRun {
 public:
  /// `run` was logged under the contract of `world`.
  FinishedRun(const World& world, trace::RunFolder run);

  std::vector<std::string> entries;

  [[nodiscard]] const trace::RunFolder& folder() const { return run_; }
  [[nodiscard]] const trace::Timeline& timeline() const { return timeline_; }

  [[nodiscard]] Digest list_digest(std::uint64_t position) const;
  [[nodiscard]] std::string list_text(std::uint64_t position) const;
  /// Stores another list and names it in the entry; sign() makes it so.
  void set_list_text(std::uint64_t position, const std::string& text);
  /// Changes the JSON of a list and spells it canonically again.
  void edit_list(std::uint64_t position, const std::function<void(codec::Json::Object&)>& edit);

  /// Digests that a list names, in its order: of "tensors" or "edges".
  [[nodiscard]] std::vector<Digest> digests(std::uint64_t position, const char* member) const;

  [[nodiscard]] Path object(const Digest& digest) const { return store_.path_of(digest); }
  Digest put(Bytes bytes);

  /// A new log over `entries`, by the provider's key, under the contract of `as`.
  void sign(const World& as);
  void sign() { sign(world_); }

 private:
  const World& world_;
  trace::RunFolder run_;
  trace::Timeline timeline_;
  trace::Store store_;
};

/// Flips one bit of the file, which becomes a file of its own (other links keep their bytes).
void flip_bit(const Path& file, std::uint64_t byte, unsigned bit = 0);
/// Puts other bytes in the file's place.
void replace(const Path& file, std::string_view text);

/// A run made under `practised`, its log written anew for the contract of `shown`.
trace::RunFolder shown_as(const World& practised, const World& shown);

}  // namespace aftune::liar
