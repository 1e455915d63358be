// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/bpe.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "aftune/base/check.h"
#include "aftune/text/internal/byte_alphabet.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {

struct Bpe::Symbol {
  std::int32_t id;
  std::uint32_t prev, next;  // kNone at the ends
  bool gone = false;

  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
};

/// The symbols of one piece while they are merged.
class Bpe::Merging {
 public:
  Merging(const Bpe& bpe, std::vector<Symbol>& symbols) : bpe_(bpe), symbols_(symbols) {}

  void run() {
    for (std::uint32_t at = 0; at < symbols_.size(); ++at) offer(at);
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      if (is_current(top)) merge(top);
    }
  }

 private:
  struct Candidate {
    std::uint32_t rank, at;
    std::int32_t merged;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, at) > std::tie(other.rank, other.at);
    }
  };

  [[nodiscard]] const Merge* merge_at(std::uint32_t at) const {
    const Symbol& left = symbols_[at];
    if (left.gone || left.next == Symbol::kNone) return nullptr;
    return bpe_.find_merge(left.id, symbols_[left.next].id);
  }

  void offer(std::uint32_t at) {
    if (const Merge* merge = merge_at(at)) queue_.push({merge->rank, at, merge->merged});
  }

  [[nodiscard]] bool is_current(const Candidate& candidate) const {
    const Merge* merge = merge_at(candidate.at);
    return merge && merge->merged == candidate.merged;
  }

  void merge(const Candidate& candidate) {
    Symbol& left = symbols_[candidate.at];
    Symbol& right = symbols_[left.next];
    left.id = candidate.merged;
    left.next = right.next;
    right.gone = true;
    if (left.next != Symbol::kNone) symbols_[left.next].prev = candidate.at;
    if (left.prev != Symbol::kNone) offer(left.prev);
    offer(candidate.at);
  }

  const Bpe& bpe_;
  std::vector<Symbol>& symbols_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;
};

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  AFTUNE_CHECK(piece.size() < (std::size_t{1} << 30), "piece too long");
  const bool bytes = alphabet_ == Alphabet::kBytes;
  if (ignore_merges_) {
    const std::int32_t id = bytes ? id_of(spell_bytes(piece)) : id_of(piece);
    if (id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  std::vector<Symbol> symbols;
  for (const std::int32_t id : bytes ? ids_of_bytes(piece) : ids_of_characters(piece)) {
    const auto at = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({id, at == 0 ? Symbol::kNone : at - 1, at + 1});
  }
  if (!symbols.empty()) symbols.back().next = Symbol::kNone;
  Merging(*this, symbols).run();
  for (const Symbol& symbol : symbols) {
    if (!symbol.gone) ids.push_back(symbol.id);
  }
}

std::int32_t Bpe::id_of(std::string_view token) const {
  const auto found = vocab_.find(token);
  return found == vocab_.end() ? -1 : found->second;
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto first = std::lower_bound(
      merges_.begin(), merges_.end(), std::pair(left, right),
      [](const Merge& m, const auto& pair) { return std::pair(m.left, m.right) < pair; });
  if (first == merges_.end() || first->left != left || first->right != right) return nullptr;
  return &*first;
}

std::vector<std::int32_t> Bpe::ids_of_bytes(std::string_view piece) const {
  std::vector<std::int32_t> ids;
  ids.reserve(piece.size());
  bool after_unknown = false;
  for (const char c : piece) {
    const std::int32_t id = byte_ids_[static_cast<std::uint8_t>(c)];
    const bool unknown = id < 0;
    const bool left_out = unknown && (unk_id_ < 0 || (fuse_unk_ && after_unknown));
    if (!left_out) ids.push_back(unknown ? unk_id_ : id);
    after_unknown = unknown;
  }
  return ids;
}

/// All bytes have tokens, so that no character is unknown.
std::vector<std::int32_t> Bpe::ids_of_characters(std::string_view piece) const {
  std::vector<std::int32_t> ids;
  ids.reserve(piece.size());
  for (std::size_t at = 0, length = 0; at < piece.size(); at += length) {
    length = utf8_step(piece, at).length;
    const std::string_view character = piece.substr(at, length);
    if (const std::int32_t id = id_of(character); id >= 0) {
      ids.push_back(id);
      continue;
    }
    for (const char c : character) ids.push_back(byte_ids_[static_cast<std::uint8_t>(c)]);
  }
  return ids;
}

}  // namespace aftune::text
