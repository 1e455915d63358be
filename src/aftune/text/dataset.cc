// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/dataset.h"

#include <fmt/format.h>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/merkle_root.h"

namespace aftune::text {
namespace {

constexpr std::uint64_t kMaxDataBytes = std::uint64_t{16} << 30;
constexpr std::size_t kSaltBytes = 16;

Status check_row(std::string_view row, std::size_t line) {
  const auto refuse = [line](std::string_view why) {
    return Error{Code::kInvalidInput, fmt::format("line {}: {}", line, why)};
  };
  if (row.empty()) return refuse("empty");
  if (row.back() == '\r') return refuse("ends with a carriage return");
  if (row.size() > kMaxRowBytes) {
    return refuse(fmt::format("{} bytes, at most {} are allowed", row.size(), kMaxRowBytes));
  }
  return ok();
}

}  // namespace

Result<Dataset> Dataset::load(const Path& jsonl) {
  AFTUNE_TRY(std::string text, read_text_file(jsonl, kMaxDataBytes));
  return parse(std::move(text)).in(jsonl.string());
}

Result<Dataset> Dataset::parse(std::string text) {
  if (text.empty()) return Error{Code::kInvalidInput, "data set: 0 rows, at least 1 is needed"};
  Dataset dataset;
  dataset.text_ = std::move(text);
  const std::string_view all = dataset.text_;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find('\n', from), all.size());
    AFTUNE_TRY(check_row(all.substr(from, end - from), dataset.starts_.size() + 1));
    dataset.starts_.emplace_back(from, end - from);
    from = end + 1;
  }
  return dataset;
}

std::string_view Dataset::row(std::uint64_t index) const {
  AFTUNE_CHECK(index < starts_.size(), "row index out of range");
  const auto [offset, length] = starts_[index];
  return std::string_view(text_).substr(offset, length);
}

Digest Dataset::root(Bytes salt) const {
  AFTUNE_CHECK(salt.size() == kSaltBytes, "a data set's salt has 16 bytes");
  std::vector<Digest> leaves;
  leaves.reserve(starts_.size());
  ByteBuffer leaf;
  for (std::uint64_t i = 0; i < row_count(); ++i) {
    leaf.clear();
    append(leaf, store_be(i));
    append(leaf, salt);
    append(leaf, as_bytes(row(i)));
    leaves.push_back(crypto::rfc6962_leaf_hash(leaf));
  }
  return crypto::rfc6962_root(leaves);
}

}  // namespace aftune::text
