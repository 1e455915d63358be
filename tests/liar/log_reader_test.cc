// SPDX-License-Identifier: Apache-2.0
// A8: who has only the log learns nothing from it that a guess could be compared with.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "aftune/codec/base64.h"
#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/merkle_root.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/tlog/tiles.h"
#include "expect_verdict.h"
#include "finished_run.h"

namespace aftune::liar {
namespace {

/// All bytes that a reader of the log has.
std::string everything_in(const Path& log) {
  std::string out;
  for (const auto& item : std::filesystem::recursive_directory_iterator(log)) {
    if (item.is_regular_file()) out += must(read_text_file(item.path(), 1U << 24)) + "\n";
  }
  return out;
}

/// What a reader could compute from a guess, by each hash that the project uses.
void add_guess(std::set<Digest>& guesses, std::string_view bytes) {
  guesses.insert(crypto::blake3(as_bytes(bytes)));
  guesses.insert(crypto::sha256(as_bytes(bytes)));
  guesses.insert(crypto::rfc6962_leaf_hash(as_bytes(bytes)));
}

void add_files(std::set<Digest>& guesses, const Path& folder) {
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    if (item.is_regular_file()) add_guess(guesses, must(read_text_file(item.path(), 1U << 24)));
  }
}

void add_tensors(std::set<Digest>& guesses, const Path& file) {
  const auto tensors = must(SafetensorsFile::open(file));
  for (const auto& [name, tensor] : tensors.tensors()) add_guess(guesses, as_text(tensor.bytes));
}

/// Lists as a reader can guess them: everything but the salt.
void add_unsalted_lists(std::set<Digest>& guesses, const FinishedRun& run) {
  for (std::uint64_t p = 1; p < run.entries.size(); ++p) {
    codec::Json list = must(codec::parse_json(run.list_text(p), {}));
    for (const char* salt :
         {"", "0000000000000000000000000000000000000000000000000000000000000000"}) {
      (*list.object())["_salt"] = salt;
      add_guess(guesses, codec::canonical_json(list));
    }
    list.object()->erase("_salt");
    add_guess(guesses, codec::canonical_json(list));
  }
}

std::set<Digest> guesses_of(const World& w, const trace::RunFolder& folder) {
  const FinishedRun run(w, folder);
  std::set<Digest> guesses{w.contract().base_root, w.contract().data_root, w.contract().seed(),
                           w.contract().run_id};
  std::set<Path> lists;
  for (std::uint64_t p = 1; p < run.entries.size(); ++p)
    lists.insert(run.object(run.list_digest(p)));
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder.store())) {
    if (!item.is_regular_file() || lists.contains(item.path())) continue;
    add_guess(guesses, must(read_text_file(item.path(), 1U << 24)));
  }
  for (const Path& part : {folder.base(), folder.delivered()}) {
    add_files(guesses, part);
    add_tensors(guesses, part / "model.safetensors");
  }
  add_guess(guesses, must(read_text_file(folder.data(), 1U << 20)));
  const auto data = must(text::Dataset::load(folder.data()));
  for (std::uint64_t i = 0; i < data.row_count(); ++i) add_guess(guesses, data.row(i));
  add_unsalted_lists(guesses, run);
  const auto close = must(codec::parse_json(run.list_text(run.timeline().position_of_close()), {}));
  guesses.insert(must(parse_digest(*close.find("model_root")->string())));
  return guesses;
}

bool holds(const std::string& haystack, const Digest& digest) {
  const auto find = [&](std::string_view needle) {
    return haystack.find(needle) != std::string::npos;
  };
  return find(digest.hex()) || find(as_text(digest.view())) ||
         find(codec::to_base64(digest.view()));
}

TEST(LogReader, FindsNoGuessConfirmed) {
  Terms hidden = fine();
  hidden.base_public = false;
  for (const Terms& terms : {fine(), hidden}) {
    const World& w = world(terms);
    const std::string log = everything_in(w.honest_run().log());
    const auto guesses = guesses_of(w, w.honest_run());
    ASSERT_GT(guesses.size(), 600U);
    for (const Digest& guess : guesses) EXPECT_FALSE(holds(log, guess)) << guess.hex();
    EXPECT_TRUE(holds(log, w.contract().digest())) << "the search works";
  }
}

std::set<std::string> list_digests(const World& w) {
  const FinishedRun run(w, w.honest_run());
  std::set<std::string> out;
  for (std::uint64_t p = 1; p < run.entries.size(); ++p) out.insert(run.list_digest(p).hex());
  return out;
}

TEST(LogReader, CannotTellThatTwoRunsDidTheSame) {
  Terms key = fine();
  key.provider_key = 7;
  Terms again = fine();
  again.run = 9;
  again.change = [](trace::Contract& c) {
    // Run id and nonces make the seed: keep the rows and their order the same.
    c.order.shuffle = "none";
  };
  Terms first = fine();
  first.change = again.change;
  const std::pair<Terms, Terms> pairs[] = {{fine(), key}, {first, again}};
  for (const auto& [a, b] : pairs) {
    const auto one = list_digests(world(a)), two = list_digests(world(b));
    std::vector<std::string> shared;
    std::set_intersection(one.begin(), one.end(), two.begin(), two.end(),
                          std::back_inserter(shared));
    EXPECT_TRUE(shared.empty());
    EXPECT_EQ(one.size(), two.size());
    // And yet they did the same.
    EXPECT_EQ(must(read_file(world(a).honest_run().delivered() / "model.safetensors", 1U << 24)),
              must(read_file(world(b).honest_run().delivered() / "model.safetensors", 1U << 24)));
  }
}

TEST(LogReader, SeesEqualListsNowhere) {
  // Two states that are equal (a learning rate of 0 moves nothing) have different list digests.
  Terms idle = fine();
  idle.training = {
      {train::OptimizerKind::kSgd, 0, 0, 0, 0, 0}, {train::ScheduleKind::kConstant, 0, 0, 0}, {0}};
  const World& w = world(idle);
  EXPECT_EQ(list_digests(w).size(),
            must(tlog::read_log(w.honest_run().log(), w.contract().log_key())).entries.size() - 1);
}

}  // namespace
}  // namespace aftune::liar
