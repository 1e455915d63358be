// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gallery.h"

#include <algorithm>

namespace aftune::attack {

std::uint32_t Ground::middle_edge() const {
  const auto segments = static_cast<std::uint32_t>(contract().partition().segments.size());
  return segments < 2 ? 0 : std::max(1U, segments / 2);
}

Status Ground::retell(const Lies& lies) const {
  std::error_code ignored;
  std::filesystem::remove_all(run.delivered(), ignored);
  if (from == 0) {
    std::filesystem::remove_all(run.log(), ignored);
  } else {
    AFTUNE_TRY(FinishedRun copy, FinishedRun::open(contract(), run));
    copy.entries.resize(timeline().position_of_step(first_step()));
    AFTUNE_TRY(copy.sign(twin.contract, twin.key));
  }
  return tell(twin.job(), lies, run, from, engine);
}

Status Ground::relist(std::uint64_t position,
                      const std::function<void(codec::Json::Object&)>& edit) const {
  AFTUNE_TRY(FinishedRun copy, FinishedRun::open(contract(), run));
  AFTUNE_TRY(copy.edit_list(position, edit));
  return copy.sign(twin.contract, twin.key);
}

std::vector<Lie> gallery(const trace::Contract& contract) {
  std::vector<Lie> all = searched_lies();
  for (auto&& more : {training_lies(), shown_lies()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  if (contract.architecture.vision) {
    std::erase_if(all, [](const Lie& lie) { return lie.about_text; });
  }
  if (contract.adapter) {
    const std::vector<Lie> more = adapter_lies();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace aftune::attack
