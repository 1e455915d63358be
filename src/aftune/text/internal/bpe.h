// SPDX-License-Identifier: Apache-2.0
// The BPE model of a tokenizer.json. Rules: docs/formats/tokenizer.md, "BPE".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/text_normalizer.h"

namespace aftune::text {

/// Immutable once made. Threads: safe from many.
class Bpe {
 public:
  using Vocab = std::map<std::string, std::int32_t, std::less<>>;

  /// Reads the component `model`. Errors: kInvalidInput, kUnsupported.
  static Result<Bpe> parse(codec::JsonReader model, Alphabet alphabet = Alphabet::kBytes);

  /// Appends the tokens of one piece. Requires: less than 2^30 bytes; valid UTF-8 for kCharacters.
  /// Cost: O(n log n) in the piece's bytes.
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const;

  [[nodiscard]] const Vocab& vocab() const { return vocab_; }
  /// The id of a token spelt exactly so, or -1.
  [[nodiscard]] std::int32_t id_of(std::string_view token) const;

 private:
  struct Merge {
    std::int32_t left, right, merged;
    std::uint32_t rank;
  };
  struct Symbol;
  class Merging;

  Bpe() = default;
  Status read_vocab(codec::JsonReader& model);
  Status read_bytes(const std::string& path);
  Status read_merges(codec::JsonReader& model);
  Status add_merge(std::string_view left, std::string_view right);
  Status index_merges();
  [[nodiscard]] const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  [[nodiscard]] std::vector<std::int32_t> ids_of_bytes(std::string_view piece) const;
  [[nodiscard]] std::vector<std::int32_t> ids_of_characters(std::string_view piece) const;

  Vocab vocab_;
  Alphabet alphabet_ = Alphabet::kBytes;
  std::array<std::int32_t, 256> byte_ids_{};  // -1: no token
  std::vector<Merge> merges_;                 // ascending by (left, right)
  std::int32_t unk_id_ = -1;
  bool fuse_unk_ = false;
  bool ignore_merges_ = false;
};

}  // namespace aftune::text
