// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/stock.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

namespace aftune::trace {
namespace {

/// The edges' digests of each step that was asked about; empty for a list that cannot be read.
class StepDigests {
 public:
  StepDigests(const Contract& contract, const Openings& openings)
      : contract_(contract), openings_(openings) {}

  [[nodiscard]] bool all_there(std::uint64_t step, train::EdgeKind kind, std::uint32_t edge) {
    const std::vector<Digest>& digests = of(step);
    if (digests.empty()) return true;
    const auto places = edge_places(contract_, step);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].id.kind != kind || places[i].id.edge != edge) continue;
      if (!openings_.has(digests[i])) return false;
    }
    return true;
  }

 private:
  const std::vector<Digest>& of(std::uint64_t step) {
    const auto known = digests_.find(step);
    if (known != digests_.end()) return known->second;
    Result<StepList> list = openings_.step_list(step);
    return digests_.emplace(step, list ? std::move(list->edges) : std::vector<Digest>())
        .first->second;
  }

  const Contract& contract_;
  const Openings& openings_;
  std::map<std::uint64_t, std::vector<Digest>> digests_;
};

bool state_there(const Openings& openings, std::uint32_t block, std::uint64_t step_block) {
  const auto list = openings.state_list(block, step_block);
  return !list || std::ranges::all_of(list->digests,
                                      [&](const Digest& digest) { return openings.has(digest); });
}

}  // namespace

Stock stock_of(const Contract& contract, const Openings& openings) {
  const Timeline timeline(contract);
  const auto steps = std::make_shared<StepDigests>(contract, openings);  // of one function's copies
  return {[&openings](std::uint32_t block, std::uint64_t step_block) {
            return state_there(openings, block, step_block);
          },
          [timeline, steps](train::EdgeKind kind, std::uint32_t edge, std::uint64_t step_block) {
            for (std::uint64_t step = timeline.first_step(step_block);
                 step < timeline.last_step(step_block); ++step) {
              if (!steps->all_there(step, kind, edge)) return false;
            }
            return true;
          }};
}

}  // namespace aftune::trace
