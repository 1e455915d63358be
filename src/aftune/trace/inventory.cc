// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/inventory.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/trace/entry.h"

namespace aftune::trace {
namespace {

/// A signed entry that breaks the rules is damaged evidence, not unusable input.
template <typename T>
Result<T> as_damage(Result<T> decoded) {
  if (decoded) return decoded;
  return Error{Code::kCorrupt, decoded.error().what};
}

Component component_of(Role role) {
  switch (role) {
    case Role::kParameter:
      return Component::kParameters;
    case Role::kFirst:
      return Component::kFirstMoments;
    case Role::kSecond:
      return Component::kSecondMoments;
  }
  return Component::kParameters;
}

void add_tensor(const Digest& digest, Component component, Dtype dtype, const Shape& shape,
                bool stored, Inventory& out) {
  if (stored) {
    out.needed.emplace(digest, component);
    return;
  }
  std::uint64_t elements = 1;
  for (const std::uint64_t extent : shape) elements *= extent;
  out.unstored.emplace(digest, UnstoredTensor{component, elements * element_size(dtype)});
}

/// Adds what one step's list names.
Status add_step(const Contract& contract, const Openings& openings, const Timeline& timeline,
                std::uint64_t step, Inventory& out) {
  const auto list = openings.step_list(step);
  if (!list && list.error().code == Code::kUnavailable) return list.error();
  if (!list) {
    out.unreadable.push_back(list.error().what);
    return ok();
  }
  const auto places = edge_places(contract, step);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool activation = places[i].id.kind == train::EdgeKind::kActivation;
    add_tensor(list->edges[i], activation ? Component::kActivations : Component::kGradients,
               places[i].dtype, places[i].shape, timeline.edge_stored(places[i].id.edge), out);
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
  const auto tensors = state_tensors(contract, place.block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    add_tensor(list->digests[i], component_of(tensors[i].role), tensors[i].spec.dtype,
               tensors[i].spec.shape, stored, out);
  }
  return ok();
}

/// Adds what the entry at `position` names. Requires: position > 0.
Status add_entry(const Contract& contract, const Openings& openings, const std::string& entry,
                 std::uint64_t position, Inventory& out) {
  if (is_abort(entry)) {
    AFTUNE_TRY(const AbortEntry abort, as_damage(decode_abort(entry, position)));
    out.needed.emplace(abort.list, Component::kLists);
    return ok();
  }
  const Timeline timeline(contract);
  if (position >= timeline.entry_count()) {
    return Error{Code::kCorrupt, fmt::format("the log has an entry {}, the contract implies {}",
                                             position, timeline.entry_count())};
  }
  const Place place = timeline.at(position);
  AFTUNE_TRY(const Digest list, as_damage(decode_entry(entry, position, place)));
  out.needed.emplace(list, Component::kLists);
  if (place.kind == EntryKind::kStep) {
    return add_step(contract, openings, timeline, place.step, out);
  }
  if (place.kind == EntryKind::kState) {
    return add_state(contract, openings, place, timeline.stored(place.step_block), out);
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
    case Component::kFirstMoments:
      return "first moments";
    case Component::kSecondMoments:
      return "second moments";
    case Component::kLists:
      return "lists";
  }
  return "?";
}

Result<Inventory> take_inventory(const Contract& contract, const std::vector<std::string>& entries,
                                 const RunFolder& run) {
  AFTUNE_TRY(const Openings openings, Openings::open(run, contract, entries));
  Inventory out;
  for (std::uint64_t position = 1; position < entries.size(); ++position) {
    AFTUNE_TRY(add_entry(contract, openings, entries[position], position, out));
  }
  // Equal bytes are one object: stored in one place is stored.
  std::erase_if(out.unstored, [&](const auto& item) { return out.needed.contains(item.first); });
  return out;
}

Result<std::uint64_t> whole_entries(const Contract& contract,
                                    const std::vector<std::string>& entries, const RunFolder& run) {
  AFTUNE_TRY(const Openings openings, Openings::open(run, contract, entries));
  for (std::uint64_t position = 1; position < entries.size(); ++position) {
    Inventory named;
    AFTUNE_TRY(add_entry(contract, openings, entries[position], position, named));
    const auto is_there = [&](const auto& item) { return openings.has(item.first); };
    if (!named.unreadable.empty() || !std::ranges::all_of(named.needed, is_there)) return position;
  }
  return entries.size();
}

Result<StoreCheck> check_store(const Inventory& inventory, const RunFolder& run) {
  AFTUNE_TRY(const Store store, Store::open(run, Store::Open::kExisting));
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
    if (!inventory.needed.contains(object.digest) && !inventory.unstored.contains(object.digest)) {
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
  AFTUNE_TRY(const Store store, Store::open(run, Store::Open::kExisting));
  AFTUNE_TRY(const auto objects, store.objects());
  std::array<ComponentStats, kComponentCount> out{};
  auto unstored = inventory.unstored;
  for (const Store::Object& object : objects) {
    const auto needed = inventory.needed.find(object.digest);
    const auto prepared = unstored.extract(object.digest);
    if (needed == inventory.needed.end() && prepared.empty()) continue;
    const Component component = prepared.empty() ? needed->second : prepared.mapped().component;
    ComponentStats& stats = out[static_cast<std::size_t>(component)];
    ++stats.objects;
    stats.bytes += object.plain_size;
    stats.stored_bytes += object.size;
  }
  for (const auto& [digest, tensor] : unstored) {
    ComponentStats& stats = out[static_cast<std::size_t>(tensor.component)];
    ++stats.unstored_objects;
    stats.unstored_bytes += tensor.bytes;
  }
  return out;
}

Result<ComponentStats> log_stats(const RunFolder& run) {
  ComponentStats out;
  std::error_code error;
  auto it = std::filesystem::recursive_directory_iterator(run.log(), error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    AFTUNE_TRY(const std::uint64_t size, aftune::file_size(it->path()));
    ++out.objects;
    out.bytes += size;
    out.stored_bytes += size;
  }
  if (!error) return out;
  return Error{Code::kUnavailable, fmt::format("list {}: {}", run.log().string(), error.message())};
}

}  // namespace aftune::trace
