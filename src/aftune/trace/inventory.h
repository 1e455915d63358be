// SPDX-License-Identifier: Apache-2.0
// Which objects a run's log commits to, and whether the store has them whole.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aftune/trace/openings.h"

namespace aftune::trace {

enum class Component : std::uint8_t {
  kActivations,
  kGradients,
  kParameters,
  kFirstMoments,
  kSecondMoments,
  kLists
};
inline constexpr std::size_t kComponentCount = 6;
std::string_view component_name(Component component);

/// Committed, and no object of the store by the contract's grid; a replay makes it again.
struct UnstoredTensor {
  Component component = Component::kActivations;
  std::uint64_t bytes = 0;
};

/// What an object of the store serves as, for a run whose lists could be read.
struct Inventory {
  std::map<Digest, Component> needed;         // every object that the log's entries need
  std::map<Digest, UnstoredTensor> unstored;  // none of them in `needed`
  std::vector<std::string> unreadable;        // lists that are missing or broken, one message each
};

/// Reads every list that the log names. Errors: kUnavailable; kCorrupt for an entry that the
/// contract does not imply at its place.
Result<Inventory> take_inventory(const Contract& contract, const std::vector<std::string>& entries,
                                 const RunFolder& run);

/// How many of the first entries have all that they name: lists whole, other objects by name.
/// Errors: as take_inventory.
Result<std::uint64_t> whole_entries(const Contract& contract,
                                    const std::vector<std::string>& entries, const RunFolder& run);

/// What `store check` found.
struct StoreCheck {
  std::uint64_t objects = 0, bytes = 0;
  std::vector<std::string> problems;   // missing or altered objects: evidence is damaged
  std::vector<std::string> strangers;  // files that are no object, objects that nothing needs
};

/// Hashes every object and compares the store with the inventory. Errors: kNotFound, kUnavailable.
Result<StoreCheck> check_store(const Inventory& inventory, const RunFolder& run);

/// Objects, their bytes and those of their files by component, of the store and of what is
/// committed and not there because the grid does not store it; objects that nothing commits to are
/// left out.
struct ComponentStats {
  std::uint64_t objects = 0, bytes = 0, stored_bytes = 0;
  std::uint64_t unstored_objects = 0, unstored_bytes = 0;

  ComponentStats& operator+=(const ComponentStats& more) {
    objects += more.objects;
    bytes += more.bytes;
    stored_bytes += more.stored_bytes;
    unstored_objects += more.unstored_objects;
    unstored_bytes += more.unstored_bytes;
    return *this;
  }
};
Result<std::array<ComponentStats, kComponentCount>> component_stats(const Inventory& inventory,
                                                                    const RunFolder& run);

/// Files and bytes of the run's log. Errors: kUnavailable.
Result<ComponentStats> log_stats(const RunFolder& run);

}  // namespace aftune::trace
