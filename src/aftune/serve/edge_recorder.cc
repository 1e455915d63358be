// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/edge_recorder.h"

#include <utility>

namespace aftune::serve {
namespace {

Bytes bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}

}  // namespace

EdgeRecorder::EdgeRecorder(const receipt::Statement& statement) {
  const std::size_t count = statement.layer_blocks().size();
  for (std::size_t i = 0; i < count; ++i) {
    edges_.emplace_back().stored = statement.edge_stored(static_cast<std::uint32_t>(i + 1));
  }
}

void EdgeRecorder::add(std::size_t edge, std::span<const float> rows) {
  Edge& to = edges_[edge - 1];
  to.hash.update(bytes_of(rows));
  if (to.stored) append(to.bytes, bytes_of(rows));
}

void EdgeRecorder::add_logits(std::span<const float> row) { logits_.update(bytes_of(row)); }

void EdgeRecorder::finish(Generated& into) && {
  for (Edge& edge : edges_) {
    into.edges.push_back(edge.hash.digest());
    if (edge.stored) into.stored.push_back({into.edges.back(), std::move(edge.bytes)});
  }
  into.logits = logits_.digest();
}

}  // namespace aftune::serve
