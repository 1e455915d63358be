// SPDX-License-Identifier: Apache-2.0
// attack::FinishedRun in the tests' worlds: what goes wrong ends the test program.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aftune/attack/finished_run.h"
#include "tiny_world.h"

namespace aftune::liar {

class FinishedRun : private attack::FinishedRun {
  using Base = attack::FinishedRun;

 public:
  /// `run` was logged under the contract of `world`.
  FinishedRun(const World& world, trace::RunFolder run)
      : Base(must(Base::open(world.contract(), std::move(run)))), world_(world) {}

  using Base::entries;
  using Base::folder;
  using Base::object;
  using Base::timeline;

  [[nodiscard]] Digest list_digest(std::uint64_t position) const {
    return must(Base::list_digest(position));
  }
  [[nodiscard]] std::string list_text(std::uint64_t position) const {
    return must(Base::list_text(position));
  }
  void set_list_text(std::uint64_t position, const std::string& text) {
    must(Base::set_list_text(position, text));
  }
  void edit_list(std::uint64_t position, const std::function<void(codec::Json::Object&)>& edit) {
    must(Base::edit_list(position, edit));
  }
  [[nodiscard]] std::vector<Digest> digests(std::uint64_t position, const char* member) const {
    return must(Base::digests(position, member));
  }
  Digest put(Bytes bytes) { return must(Base::put(bytes)); }

  /// A new log over `entries`, by the provider's key, under the contract of `as`.
  void sign(const World& as) { must(Base::sign(as.envelope(), as.provider_key())); }
  void sign() { sign(world_); }

 private:
  const World& world_;
};

/// Flips one bit of the file, which becomes a file of its own (other links keep their bytes).
void flip_bit(const Path& file, std::uint64_t byte, unsigned bit = 0);
/// Puts other bytes in the file's place.
void replace(const Path& file, std::string_view text);

/// A run made under `practised`, its log written anew for the contract of `shown`.
trace::RunFolder shown_as(const World& practised, const World& shown);

}  // namespace aftune::liar
