// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gallery.h"
#include "aftune/codec/json.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"

namespace aftune::attack {
namespace {

using codec::Json;

Lie relisted(std::string row, std::string name,
             std::function<std::uint64_t(const Ground&)> position,
             std::function<void(Json::Object&)> edit) {
  return {std::move(row), std::move(name), [=](const Ground& g) -> Result<Told> {
            AFTUNE_TRY(g.relist(position(g), edit));
            return Told{};
          }};
}

std::uint64_t first_state(const Ground& g) { return g.timeline().position_of_state(0, 0); }
std::uint64_t last_state(const Ground& g) {
  return g.timeline().position_of_state(g.middle_block(), g.timeline().step_blocks());
}
std::uint64_t last_step(const Ground& g) {
  return g.timeline().position_of_step(g.contract().steps - 1);
}
std::uint64_t close_of(const Ground& g) { return g.timeline().position_of_close(); }

Json::Object& item(Json::Object& list, const char* member, std::size_t index) {
  return *(*list.at(member).array())[index].object();
}

void other_digest(Json::Object& tensor) { tensor["digest"] = std::string(64, '0'); }

std::vector<Lie> list_lies() {
  return {
      relisted("T5", "a tensor's digest left out", last_state,
               [](auto& list) { list.at("tensors").array()->pop_back(); }),
      relisted("T6", "learning rate 0 that the list admits", last_step,
               [](auto& list) { list["learning_rate"] = "0x0p+0"; }),
      relisted("T8", "steps before the first state (warm-up)", first_state,
               [](auto& list) { other_digest(item(list, "tensors", 0)); }),
      relisted("T10", "other rows that the list admits", last_step,
               [](auto& list) {
                 Json& row = list.at("rows").array()->front();
                 row = Json(*row.integer() == 0 ? 1 : 0);
               }),
      relisted("T11", "a loss that is no number", last_step,
               [](auto& list) { list.at("losses").array()->front() = "nan"; }),
      relisted("T16", "the same bytes under another shape", last_state,
               [](auto& list) { item(list, "tensors", 0)["shape"] = Json::Array{Json(1)}; }),
      {"T28", "first optimizer state not zero",
       [](const Ground& g) -> Result<Told> {
         bool moments = false;
         AFTUNE_TRY(g.relist(first_state(g), [&](auto& list) {
           Json::Object& last = *list.at("tensors").array()->back().object();
           moments = *last.at("role").string() != "parameter";
           if (moments) other_digest(last);
         }));
         return moments ? Told{} : Told{"plain SGD has no optimizer state", {}, false, 0};
       }},
      relisted("T27", "a file delivered that nobody agreed on", close_of,
               [](auto& list) {
                 list.at("files").array()->emplace_back(Json::Object{
                     {"path", "zz.py"}, {"sha256", std::string(64, '0')}, {"size", 1}});
               }),
      relisted("T27", "a close that binds another model", close_of,
               [](auto& list) { list["model_root"] = std::string(64, '0'); }),
  };
}

/// Changes the entries and signs them.
Lie reentered(std::string row, std::string name,
              std::function<void(const Ground&, std::vector<std::string>&)> change) {
  return {std::move(row), std::move(name), [=](const Ground& g) -> Result<Told> {
            AFTUNE_TRY(FinishedRun run, FinishedRun::open(g.contract(), g.run));
            change(g, run.entries);
            AFTUNE_TRY(run.sign(g.twin.contract, g.twin.key));
            return Told{};
          }};
}

/// The digests of one state's tensors in the list of the state one step block before.
Result<Told> open_for_another_place(const Ground& g) {
  const std::uint64_t end = g.timeline().step_blocks();
  AFTUNE_TRY(FinishedRun run, FinishedRun::open(g.contract(), g.run));
  const std::uint64_t other = g.timeline().position_of_state(g.middle_block(), end - 1);
  AFTUNE_TRY(const std::vector<Digest> digests, run.digests(other, "tensors"));
  AFTUNE_TRY(run.edit_list(last_state(g), [&](Json::Object& list) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
      item(list, "tensors", i)["digest"] = digests[i].hex();
    }
  }));
  AFTUNE_TRY(run.sign(g.twin.contract, g.twin.key));
  return Told{};
}

Result<Told> close_late(const Ground& g) {
  AFTUNE_TRY(FinishedRun run, FinishedRun::open(g.contract(), g.run));
  run.entries.pop_back();
  AFTUNE_TRY(run.sign(g.twin.contract, g.twin.key));
  return Told{"", {}, true, 0};
}

Result<Told> show_for_another_contract(const Ground& g) {
  AFTUNE_TRY(const trace::SignedContract other, own_contract(g.contract(), g.twin.key));
  AFTUNE_TRY(FinishedRun run, FinishedRun::open(g.contract(), g.run));
  run.entries[0] = trace::encode_entry(0, g.timeline().at(0), other.contract.digest());
  AFTUNE_TRY(run.sign(other, g.twin.key));
  return Told{};
}

Result<Told> extend_checkpoint(const Ground& g) {
  const Path file = g.run.log() / "checkpoint";
  AFTUNE_TRY(const std::string text, read_text_file(file, 1U << 16));
  AFTUNE_TRY(const tlog::SignedNote honest, tlog::decode_note(text));
  tlog::SignedNote longer{honest.text + "draw me\n", {}};
  longer.sign(g.twin.key, g.contract().origin());
  AFTUNE_TRY(write_file(file, as_bytes(tlog::encode_note(longer))));
  return Told{};
}

std::vector<Lie> log_lies() {
  return {
      reentered("T7", "fewer steps than agreed",
                [](const Ground& g, auto& entries) {
                  const auto last = static_cast<std::ptrdiff_t>(last_step(g));
                  entries.erase(entries.begin() + last);
                }),
      reentered("T15", "two states of one step block exchanged",
                [](const Ground& g, auto& entries) {
                  const trace::Timeline t = g.timeline();
                  const std::uint64_t end = t.step_blocks();
                  std::swap(entries[t.position_of_state(0, end)],
                            entries[t.position_of_state(t.layer_blocks() - 1, end - 1)]);
                }),
      {"T15", "a state opened for another step block", open_for_another_place},
      {"T31", "a run that never closes", close_late},
      {"T32", "one run shown for two contracts", show_for_another_contract},
      {"T33", "a line added to the final checkpoint", extend_checkpoint},
  };
}

/// A stored edge of the first step that is told anew, from the middle of its list on.
Result<Path> edge_object(const Ground& g, const FinishedRun& run) {
  const std::uint64_t position = g.timeline().position_of_step(g.first_step());
  AFTUNE_TRY(const auto edges, run.digests(position, "edges"));
  std::error_code error;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Path object = run.object(edges[(i + edges.size() / 2) % edges.size()]);
    if (std::filesystem::is_regular_file(object, error)) return object;
  }
  return Error{Code::kNotFound, "no edge is stored"};
}

Result<Told> flip_edge(const Ground& g) {
  AFTUNE_TRY(const FinishedRun run, FinishedRun::open(g.contract(), g.run));
  const auto object = edge_object(g, run);
  if (!object) return Told{object.error().what, {}, false, 0};
  AFTUNE_TRY(const std::uint64_t size, aftune::file_size(*object));
  AFTUNE_TRY(flip_bit(*object, size / 2));
  return Told{};
}

Result<Told> flip_state(const Ground& g) {
  AFTUNE_TRY(const FinishedRun run, FinishedRun::open(g.contract(), g.run));
  if (g.from == 0) {
    const Path weights = g.run.base() / "model.safetensors";
    AFTUNE_TRY(const std::uint64_t size, aftune::file_size(weights));
    AFTUNE_TRY(flip_bit(weights, size - 1));
    return Told{};
  }
  AFTUNE_TRY(const auto tensors,
             run.digests(g.timeline().position_of_state(g.middle_block(), g.from), "tensors"));
  AFTUNE_TRY(flip_bit(run.object(tensors[0]), 1));
  return Told{"", {}, false, 1};
}

Lie without(std::string row, std::string name,
            std::function<Result<Path>(const Ground&, const FinishedRun&)> file) {
  return {std::move(row), std::move(name), [file](const Ground& g) -> Result<Told> {
            AFTUNE_TRY(const FinishedRun run, FinishedRun::open(g.contract(), g.run));
            AFTUNE_TRY(const Path path, file(g, run));
            std::error_code ignored;
            std::filesystem::remove(path, ignored);
            return Told{"", {}, false, g.from};
          }};
}

Result<Path> list_object(const Ground& g, const FinishedRun& run) {
  AFTUNE_TRY(const Digest digest, run.list_digest(last_step(g)));
  return run.object(digest);
}

std::vector<Lie> opening_lies() {
  return {
      without("T4", "a step's list not handed over", list_object),
      without("T4", "the base not handed over",
              [](const Ground& g, const FinishedRun&) -> Result<Path> {
                return g.run.base() / "model.safetensors";
              }),
      {"T17", "one bit of a state flipped", flip_state},
      {"T17", "one bit of an edge flipped", flip_edge},
      {"T27", "another chat template delivered",
       [](const Ground& g) -> Result<Told> {
         AFTUNE_TRY(write_file(g.run.delivered() / g.input_companion(), as_bytes("{}")));
         return Told{};
       }},
  };
}

}  // namespace

std::vector<Lie> shown_lies() {
  std::vector<Lie> all = list_lies();
  for (auto&& more : {log_lies(), opening_lies()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace aftune::attack
