// SPDX-License-Identifier: Apache-2.0
// Lies told with a finished run: what its log commits to, or what is handed over for it, is
// changed, moved or removed, and the log is signed anew where that helps the lie.
#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "aftune/tlog/tiles.h"
#include "expect_verdict.h"
#include "finished_run.h"

namespace aftune::liar {
namespace {

using codec::Json;

/// Three edges and twelve blocks; every state between is stored.
const World& grid() { return world(fine()); }

FinishedRun finished() { return {grid(), grid().copy_of_honest_run()}; }

Json::Array& array(Json::Object& list, const char* member) { return *list[member].array(); }

/// The audit of all blocks after a change of one list.
audit::Verdict with_list(std::uint64_t position, const std::function<void(Json::Object&)>& edit) {
  FinishedRun run = finished();
  run.edit_list(position, edit);
  run.sign();
  return grid().audit_all(run.folder());
}

trace::Timeline timeline() { return trace::Timeline(grid().contract()); }

TEST(OpeningLies, AListWrittenAnewWithoutAChangeIsAccepted) {
  for (std::uint64_t p = 1; p < timeline().entry_count(); ++p) {
    FinishedRun run = finished();
    const Digest before = run.list_digest(p);
    run.edit_list(p, [](auto&) {});
    EXPECT_EQ(run.list_digest(p), before);
  }
  FinishedRun run = finished();
  run.sign();
  EXPECT_TRUE(accepted(grid().audit_all(run.folder())));
}

TEST(OpeningLies, T5ATensorsDigestRemoved) {
  const auto position = timeline().position_of_state(2, 1);
  EXPECT_TRUE(rejected(
      with_list(
          position,
          [](auto& list) { array(list, "tensors").erase(array(list, "tensors").begin() + 3); }),
      {"list", "layer block 2, step block 1", "has 26 tensors, the contract implies 27"}));
  EXPECT_TRUE(rejected(with_list(timeline().position_of_step(2),
                                 [](auto& list) { array(list, "edges").pop_back(); }),
                       {"list", "step 2", "has 5 tensors, the contract implies 6"}));
}

TEST(OpeningLies, T5AnEntryRemovedRepeatedOrExchanged) {
  const auto told = [](const std::function<void(std::vector<std::string>&)>& change) {
    FinishedRun run = finished();
    change(run.entries);
    run.sign();
    return grid().audit_blocks(run.folder(), {});
  };
  EXPECT_TRUE(rejected(told([](auto& e) { e.erase(e.begin() + 6); }),
                       {"entry", "log entry 6", "entry 6 (step 1) is"}));
  EXPECT_TRUE(rejected(told([](auto& e) { e.insert(e.begin() + 6, e[6]); }),
                       {"entry", "log entry 7", "state of layer block 0 at step block 1"}));
  EXPECT_TRUE(rejected(told([](auto& e) { std::swap(e[8], e[9]); }),
                       {"entry", "log entry 8", "state of layer block 1 at step block 1"}));
  EXPECT_TRUE(
      rejected(told([](auto& e) { e.push_back(e.back()); }),
               {"entry", "log entry 23", "the log has 24 entries, the contract implies 23"}));
}

TEST(OpeningLies, T16AnotherDtypeOrShapeOfTheSameBytes) {
  const auto state = timeline().position_of_state(1, 1);
  const auto step = timeline().position_of_step(0);
  struct Case {
    std::uint64_t position;
    const char *member, *field, *value;  // the value as JSON
    Cause cause;
  };
  const std::string state_place = "layer block 1, step block 1";
  const Case cases[] = {
      {state, "tensors", "dtype", R"("I32")", {"list", state_place, R"("I32")"}},
      {state, "tensors", "shape", "[4,4]", {"list", state_place, "[4,4]"}},
      {state, "tensors", "name", R"("model.norm.weight")", {"list", state_place, "model.norm"}},
      {state, "tensors", "role", R"("second")", {"list", state_place, "second"}},
      {step, "edges", "dtype", R"("BF16")", {"list", "step 0", "BF16"}},
      {step, "edges", "shape", "[16,80]", {"list", "step 0", "[16,80]"}},
      {step, "edges", "edge", "2", {"list", "step 0", R"("edge":2)"}},
      {step, "edges", "kind", R"("gradient")", {"list", "step 0", R"("kind":"gradient")"}},
      {step, "edges", "micro_batch", "1", {"list", "step 0", R"("micro_batch":1)"}},
  };
  for (const Case& c : cases) {
    const auto verdict = with_list(c.position, [&](Json::Object& list) {
      (*array(list, c.member)[0].object())[c.field] = must(codec::parse_json(c.value, {}));
    });
    EXPECT_TRUE(rejected(verdict, c.cause)) << c.member << "." << c.field;
  }
}

TEST(OpeningLies, T11ALossThatIsNoNumber) {
  for (const char* loss : {"nan", "inf", "0x1p+300", "1.5", "0x1.8p-3 ", ""}) {
    const auto verdict = with_list(timeline().position_of_step(1),
                                   [&](Json::Object& list) { array(list, "losses")[0] = loss; });
    EXPECT_TRUE(rejected(verdict, {"list", "step 1", "losses"})) << loss;
  }
}

TEST(OpeningLies, ListsWithStrangeMembers) {
  const auto position = timeline().position_of_step(1);
  EXPECT_TRUE(rejected(with_list(position, [](auto& list) { list["note"] = "believe me"; }),
                       {"list", "step 1", "note"}));
  EXPECT_TRUE(rejected(with_list(position, [](auto& list) { list.erase("counted"); }),
                       {"list", "step 1", "counted"}));
  EXPECT_TRUE(rejected(with_list(position, [](auto& list) { list["norm"] = "0x1p+2000"; }),
                       {"list", "step 1", "norm"}));
  EXPECT_TRUE(
      rejected(with_list(position, [](Json::Object& list) { list["rows"] = Json::Array{1}; }),
               {"list", "step 1", "1 rows"}));
  EXPECT_TRUE(rejected(with_list(position, [](auto& list) { list["clip"] = "-0x1p+0"; }),
                       {"rule", "step 1", "clip factor -1 is committed"}));
}

TEST(OpeningLies, T15AListOfAnotherBlockStepOrRun) {
  const auto t = timeline();
  Terms second = fine();
  second.run = 9;
  const World& other = world(second);
  const auto told = [&](std::uint64_t position, const std::string& text) {
    FinishedRun run = finished();
    run.set_list_text(position, text);
    run.sign();
    return grid().audit_all(run.folder());
  };
  const FinishedRun run = finished();
  EXPECT_TRUE(rejected(told(t.position_of_state(2, 1), run.list_text(t.position_of_state(1, 1))),
                       {"list", "layer block 2, step block 1", "\"block\":1"}));
  EXPECT_TRUE(rejected(told(t.position_of_state(2, 2), run.list_text(t.position_of_state(2, 1))),
                       {"list", "layer block 2, step block 2", "\"step_block\":1"}));
  EXPECT_TRUE(rejected(told(t.position_of_step(3), run.list_text(t.position_of_step(2))),
                       {"list", "step 3", "\"step\":2"}));
  const FinishedRun stranger(other, other.copy_of_honest_run());
  EXPECT_TRUE(rejected(told(t.position_of_step(3), stranger.list_text(t.position_of_step(3))),
                       {"data", "step 3", "the agreed order gives"}));
}

/// Gives position `to` the digests of position `from` and keeps everything else.
audit::Verdict with_digests_of(std::uint64_t from, std::uint64_t to, const char* member) {
  FinishedRun run = finished();
  const auto digests = run.digests(from, member);
  run.edit_list(to, [&](Json::Object& list) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
      (*array(list, member)[i].object())["digest"] = digests[i].hex();
    }
  });
  run.sign();
  return grid().audit_all(run.folder());
}

TEST(OpeningLies, T15TheStateOfAnotherPlaceCommittedWell) {
  const auto t = timeline();
  EXPECT_TRUE(
      rejected(with_digests_of(t.position_of_state(1, 1), t.position_of_state(2, 1), "tensors"),
               {"state", "layer block 2, step block 0", "of state of layer block 2"}));
  EXPECT_TRUE(
      rejected(with_digests_of(t.position_of_state(2, 1), t.position_of_state(2, 2), "tensors"),
               {"state", "layer block 2, step block 1", "at step block 2"}));
  EXPECT_TRUE(rejected(with_digests_of(t.position_of_step(2), t.position_of_step(3), "edges"),
                       {"activation", "layer block 0, step block 1", "edge 1, step 3"}));
}

TEST(OpeningLies, T15AnObjectOfAnotherPlaceInTheFileOfThis) {
  const auto t = timeline();
  FinishedRun run = finished();
  const auto mine = run.digests(t.position_of_state(2, 1), "tensors");
  const auto other = run.digests(t.position_of_state(1, 1), "tensors");
  must(write_file(run.object(mine[4]), must(read_file(run.object(other[4]), 1U << 20))));
  EXPECT_TRUE(rejected(grid().audit_all(run.folder()),
                       {"opening", "layer block 2, step block 1", "object " + mine[4].hex()}));
}

TEST(OpeningLies, T17OneBitOfEachKindOfFile) {
  const auto t = timeline();
  const FinishedRun run = finished();
  const auto state = run.digests(t.position_of_state(1, 1), "tensors");
  const auto edges = run.digests(t.position_of_step(3), "edges");
  const Path root = run.folder().root;
  const auto in = [&](const Path& path) { return std::filesystem::relative(path, root); };
  const auto list = [&](std::uint64_t position) {
    return in(run.object(run.list_digest(position)));
  };
  const std::string inputs = "data, tokenizer or tables";
  const std::pair<Path, Cause> cases[] = {
      {in(run.object(state[2])), {"opening", "layer block 1, step block 1", state[2].hex()}},
      {in(run.object(state[26])),
       {"opening", "layer block 1, step block 1", "second model.layers.1"}},
      {in(run.object(edges[1])),
       {"opening", "layer block 2, step block 1", "activation at edge 2, step 3"}},
      {in(run.object(edges[5])),
       {"opening", "layer block 0, step block 1", "gradient at edge 1, step 3"}},
      {list(t.position_of_state(3, 2)), {"list", "layer block 3, step block 2", "digest"}},
      {list(t.position_of_step(4)), {"list", "step 4", "digest"}},
      {list(t.position_of_close()), {"list", "close", "digest"}},
      {"base/model.safetensors", {"base", "", "parameter "}},
      {"base/tokenizer.json", {"data", inputs, "tokenizer.json"}},
      {"base/config.json", {"data", inputs, "config.json"}},
      {"base/aftune.safetensors", {"data", inputs, "aftune.safetensors"}},
      {"data.jsonl", {"data", inputs, "data.jsonl"}},
      {"log/checkpoint", {"log", "log", ""}},
      {"log/checkpoints/11", {"log", "log", ""}},
      {"log/tile/0/000.p/23", {"log", "log", "tile/0/000.p/23"}},
      {"log/tile/entries/000.p/23", {"log", "log", "log"}},
      {"model/model.safetensors", {"delivery", "delivered folder", ""}},
      {"model/tokenizer.json", {"delivery", "delivered folder", "tokenizer.json"}},
  };
  for (auto [file, cause] : cases) {
    const auto copy = grid().copy_of_honest_run();
    flip_bit(copy.root / file, std::filesystem::file_size(copy.root / file) - 1);
    const auto verdict = grid().audit_all(copy);
    if (cause.place.empty() && !verdict.findings.empty()) cause.place = verdict.findings[0].place;
    EXPECT_TRUE(rejected(verdict, cause)) << file;
  }
}

TEST(OpeningLies, T17OneBitOfEveryFourthObject) {
  const auto run = grid().copy_of_honest_run();
  const auto store = must(trace::Store::open(run.store(), trace::Store::Open::kExisting));
  const auto objects = must(store.objects());
  ASSERT_GT(objects.size(), 200U);
  for (std::size_t i = 0; i < objects.size(); i += 4) {
    const Path file = store.path_of(objects[i].digest);
    const std::uint64_t byte = 7919 * (i + 1) % objects[i].size;
    flip_bit(file, byte, i % 8);
    // Without delivery: nothing but the object is wrong.
    audit::AuditRequest request = grid().all_blocks(run);
    request.delivered.reset();
    const auto verdict = must(audit::audit_run(request, engine()));
    EXPECT_EQ(verdict.outcome, audit::Outcome::kReject) << file;
    const bool named =
        !verdict.findings.empty() &&
        verdict.findings[0].message.find(objects[i].digest.hex()) != std::string::npos;
    EXPECT_TRUE(named) << file << audit::verdict_text(verdict);
    flip_bit(file, byte, i % 8);
  }
  EXPECT_TRUE(accepted(grid().audit_all(run))) << "all bits are back";
}

TEST(OpeningLies, T17OneBitOfEveryByteOfTheLogAndTheContract) {
  const auto run = grid().copy_of_honest_run();
  const auto key = grid().contract().log_key();
  for (const char* name : {"checkpoint", "checkpoints/5", "tile/entries/000.p/23"}) {
    const Path file = run.log() / name;
    const auto bytes = must(read_file(file, 1U << 20));
    for (std::size_t i = 0; i < bytes.size(); i += name[0] == 't' ? 7 : 1) {
      auto changed = bytes;
      changed[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
      must(write_file(file, changed));
      EXPECT_FALSE(tlog::read_log(run.log(), key)) << name << " byte " << i;
    }
    must(write_file(file, bytes));
  }
  EXPECT_TRUE(tlog::read_log(run.log(), key));
  const std::string& envelope = grid().envelope().envelope;
  for (std::size_t i = 0; i < envelope.size(); i += 3) {
    std::string changed = envelope;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = trace::open_signed_contract(changed);
    EXPECT_TRUE(!opened || opened->contract.digest() == grid().contract().digest())
        << "byte " << i << " (a hint, such as a key's name, may change)";
  }
}

TEST(OpeningLies, T4FilesThatAreMissing) {
  const auto t = timeline();
  const FinishedRun run = finished();
  const auto state = run.digests(t.position_of_state(1, 1), "tensors");
  const auto edges = run.digests(t.position_of_step(3), "edges");
  const Path root = run.folder().root;
  const auto in = [&](const Path& path) { return std::filesystem::relative(path, root); };
  const std::pair<Path, Cause> cases[] = {
      {in(run.object(state[0])), {}},  // these three are made again: rebuild_lies_test.cc
      {in(run.object(edges[2])), {}},
      {in(run.object(edges[3])), {}},
      {in(run.object(run.list_digest(t.position_of_state(0, 3)))),
       {"missing", "layer block 0, step block 3", "list of state of layer block 0"}},
      {in(run.object(run.list_digest(t.position_of_step(0)))),
       {"missing", "step 0", "list of step 0"}},
      {in(run.object(run.list_digest(t.position_of_close()))),
       {"missing", "close", "list of close"}},
      {"store", {"missing", "store", "store"}},
      {"base/model.safetensors", {"missing", "layer block 0, step block 0", "model.safetensors"}},
      {"base/config.json", {"missing", "data, tokenizer or tables", "config.json"}},
      {"log", {"missing", "log", "checkpoint"}},
      {"log/checkpoint", {}},  // its copy among the checkpoints serves
      {"log/tile", {"missing", "log", "tile"}},
      {"model/model.safetensors", {"missing", "delivered folder", "model.safetensors"}},
      {"model/generation_config.json", {"missing", "delivered folder", "generation_config.json"}},
  };
  for (const auto& [file, cause] : cases) {
    const auto copy = grid().copy_of_honest_run();
    std::filesystem::remove_all(copy.root / file);
    const auto verdict = grid().audit_all(copy);
    if (cause.check.empty()) {
      EXPECT_TRUE(accepted(verdict)) << file;
    } else {
      EXPECT_TRUE(rejected(verdict, cause)) << file;
    }
  }
}

TEST(OpeningLies, T4WhatABlockHandsOnAndIsNotThereIsCounted) {
  // Only the block before is audited: its replay makes the missing bytes again, and says so.
  const auto t = timeline();
  FinishedRun run = finished();
  const Digest lost = run.digests(t.position_of_state(1, 2), "tensors")[5];
  EXPECT_EQ(grid().audit_blocks(run.folder(), {{1, 1}}).not_handed_over, 0U);
  std::filesystem::remove(run.object(lost));
  const auto verdict = grid().audit_blocks(run.folder(), {{1, 1}});
  EXPECT_TRUE(inconclusive(verdict, "chosen by hand"));
  EXPECT_EQ(verdict.not_handed_over, 1U);
}

TEST(OpeningLies, T4ARootSaltThatIsMissing) {
  Terms terms = fine();
  terms.base_public = false;
  const World& w = world(terms);
  const auto run = w.copy_of_honest_run();
  std::filesystem::remove(run.root_salt());
  EXPECT_TRUE(rejected(w.audit_all(run), {"missing", "root salt", "root-salt"}));
}

}  // namespace
}  // namespace aftune::liar
