// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/inventory.h"

#include <fmt/format.h>

#include "aftune/trace/entry.h"

namespace aftune::trace {
namespace {

constexpr std::uint64_t kMaxObjectBytes = std::uint64_t{1} << 36;

/// A signed entry that breaks the rules is damaged evidence, not unusable input.
template <typename T>
Result<T> as_damage(Result<T> decoded) {
  if (decoded) return decoded;
  return Error{Code::kCorrupt, decoded.error().what};
}

/// Adds what one step's list names.
Status add_step(const Contract& contract, const Openings& openings, std::uint64_t step,
                Inventory& out) {
  const auto list = openings.step_list(step);
  if (!list && list.error().code == Code::kUnavailable) return list.error();
  if (!list) {
    out.unreadable.push_back(list.error().what);
    return ok();
  }
  const auto places = edge_places(contract, step);
  for (std::size_t i = 0; i < places.size(); ++i) {
    out.needed.emplace(list->edges[i], places[i].id.kind == train::EdgeKind::kActivation
                                           ? Component::kActivations
                                           : Component::kGradients);
  }
  return ok();
}

Status add_state(const Contract& contract, const Openings& openings, const Place& place,
                 bool stored, Inventory& out) {
  const auto list = openings.state_list(place.block, place.step_block);
  if (!list && list.error().code == Code::kUnavailable) return list.error();
  if (!list) {
    out.unreadable.push_back(list.error().what);
    return ok();
  }
  if (!stored) return ok();
  const auto tensors = state_tensors(contract, place.block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    out.needed.emplace(list->digests[i], tensors[i].role == Role::kParameter
                                             ? Component::kParameters
                                             : Component::kOptimizer);
  }
  return ok();
}

}  // namespace

std::string_view component_name(Component component) {
  switch (component) {
    case Component::kActivations:
      return "activations";
    case Component::kGradients:
      return "gradients";
    case Component::kParameters:
      return "parameters";
    case Component::kOptimizer:
      return "optimizer";
    case Component::kLists:
      return "lists";
  }
  return "?";
}

Result<Inventory> take_inventory(const Contract& contract, const std::vector<std::string>& entries,
                                 const RunFolder& run) {
  AFTUNE_TRY(const Openings openings, Openings::open(run, contract, entries));
  const Timeline timeline(contract);
  Inventory out;
  for (std::uint64_t position = 1; position < entries.size(); ++position) {
    if (is_abort(entries[position])) {
      AFTUNE_TRY(const AbortEntry abort, as_damage(decode_abort(entries[position], position)));
      out.needed.emplace(abort.list, Component::kLists);
      continue;
    }
    if (position >= timeline.entry_count()) {
      return Error{Code::kCorrupt, fmt::format("the log has {} entries, the contract implies {}",
                                               entries.size(), timeline.entry_count())};
    }
    const Place place = timeline.at(position);
    AFTUNE_TRY(const Digest list, as_damage(decode_entry(entries[position], position, place)));
    out.needed.emplace(list, Component::kLists);
    if (place.kind == EntryKind::kStep) {
      AFTUNE_TRY(add_step(contract, openings, place.step, out));
    }
    if (place.kind == EntryKind::kState) {
      AFTUNE_TRY(add_state(contract, openings, place, timeline.stored(place.step_block), out));
    }
  }
  return out;
}

Result<StoreCheck> check_store(const Inventory& inventory, const RunFolder& run) {
  AFTUNE_TRY(const Store store, Store::open(run.store(), Store::Open::kExisting));
  StoreCheck out;
  out.problems = inventory.unreadable;
  for (const auto& [digest, component] : inventory.needed) {
    if (!store.has(digest)) {
      out.problems.push_back(
          fmt::format("{} {} is missing", component_name(component), digest.hex()));
    }
  }
  AFTUNE_TRY(const auto objects, store.objects());
  for (const Store::Object& object : objects) {
    ++out.objects;
    out.bytes += object.size;
    const auto bytes = store.get(object.digest, kMaxObjectBytes);
    if (!bytes && bytes.error().code == Code::kUnavailable) return bytes.error();
    if (!bytes) out.problems.push_back(bytes.error().what);
    if (!inventory.needed.contains(object.digest)) {
      out.strangers.push_back(fmt::format("object {} is named by no entry", object.digest.hex()));
    }
  }
  AFTUNE_TRY(const auto strangers, store.strangers());
  for (const Path& path : strangers) {
    out.strangers.push_back(fmt::format("{} is no object", path.string()));
  }
  return out;
}

Result<std::array<ComponentStats, kComponentCount>> component_stats(const Inventory& inventory,
                                                                    const RunFolder& run) {
  AFTUNE_TRY(const Store store, Store::open(run.store(), Store::Open::kExisting));
  AFTUNE_TRY(const auto objects, store.objects());
  std::array<ComponentStats, kComponentCount> out{};
  for (const Store::Object& object : objects) {
    const auto found = inventory.needed.find(object.digest);
    if (found == inventory.needed.end()) continue;
    ComponentStats& stats = out[static_cast<std::size_t>(found->second)];
    ++stats.objects;
    stats.bytes += object.size;
  }
  return out;
}

}  // namespace aftune::trace
