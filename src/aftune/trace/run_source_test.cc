// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_source.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"
#include "aftune/trace/memory_folder_testing.h"

namespace aftune::trace {
namespace {

using testing::finished_job;
using testing::get;
using testing::MemoryFolder;
using testing::must;
using testing::put;
using testing::TempFolder;

/// The finished run far away, and an empty folder here.
class RunSourceTest : public ::testing::Test {
 protected:
  RunSourceTest() {
    for (const auto& file : must(copied_files(finished_job().run()))) {
      remote_.files[file.name] = get(finished_job().run().root / file.name);
    }
  }
  /// What reads the run; the source lives as long as the fixture.
  const RunFolder& opened() {
    source_ = must(RunSource::open(remote_, here_));
    must(source_->fetch_share(RunSource::Share::kInputs));
    here_.source = source_.get();
    entries_ = finished_job().log(here_).entries;
    return here_;
  }
  Openings openings() { return must(Openings::open(here_, finished_job().contract(), entries_)); }
  std::string an_object() const {
    for (const auto& [name, bytes] : remote_.files) {
      if (name.starts_with("store/")) return name;
    }
    return "";
  }
  static Digest digest_in(const std::string& name) {
    return must(parse_digest(name.substr(9, 64)));
  }

  const TempFolder folder_;
  MemoryFolder remote_;
  RunFolder here_{folder_ / "here"};
  std::unique_ptr<RunSource> source_;
  std::vector<std::string> entries_;
};

TEST_F(RunSourceTest, FetchesRecordsAtOnceAndObjectsWhenTheyAreAskedFor) {
  opened();
  EXPECT_EQ(remote_.count("fetch store/"), 0U);
  EXPECT_EQ(remote_.count("fetch model/"), 0U);
  EXPECT_EQ(get(here_.contract()), get(finished_job().run().contract()));
  const auto state = must(openings().state(0, 1));
  const std::size_t fetched = remote_.count("fetch store/");
  EXPECT_GT(fetched, 0U);
  EXPECT_LT(fetched, source_->objects().size());
  must(openings().state(0, 1));
  EXPECT_EQ(remote_.count("fetch store/"), fetched) << "the second time they are here";
}

TEST_F(RunSourceTest, HasEachObjectWithoutFetchingIt) {
  opened();
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  for (const auto& file : source_->objects()) EXPECT_TRUE(store.has(digest_in(file.name)));
  EXPECT_FALSE(store.has(Digest{}));
  EXPECT_EQ(store.get(Digest{}, 10).error().code, Code::kNotFound);
  EXPECT_EQ(remote_.count("fetch store/"), 0U);
}

TEST_F(RunSourceTest, IsCheckedAsAFolderIs) {
  const auto check = [this] {
    const auto inventory = must(take_inventory(finished_job().contract(), entries_, here_));
    return must(check_store(inventory, here_));
  };
  opened();
  const auto whole = check();
  EXPECT_TRUE(whole.problems.empty());
  EXPECT_TRUE(whole.strangers.empty());
  EXPECT_EQ(whole.objects, source_->objects().size());
}

TEST_F(RunSourceTest, WhatIsGoneThereIsMissing) {
  const std::string name = an_object();
  remote_.files.erase(name);
  opened();
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  EXPECT_FALSE(store.has(digest_in(name)));
  EXPECT_EQ(store.get(digest_in(name), kMaxObjectBytes).error().code, Code::kNotFound);
}

TEST_F(RunSourceTest, WhatVanishesAfterTheListIsMissing) {
  const std::string name = an_object();
  opened();
  remote_.files.erase(name);
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  EXPECT_EQ(store.get(digest_in(name), kMaxObjectBytes).error().code, Code::kNotFound);
}

TEST_F(RunSourceTest, BytesAlteredOnTheWayAreFetchedOnceMore) {
  const std::string name = an_object();
  opened();
  int times = 0;
  remote_.alter = [&](const std::string& asked, std::string& bytes) {
    if (asked == name && times++ == 0) bytes[bytes.size() / 2] ^= 1;
  };
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  EXPECT_TRUE(store.get(digest_in(name), kMaxObjectBytes));
  EXPECT_EQ(remote_.count("fetch " + name), 2U);
}

TEST_F(RunSourceTest, BytesAlteredThereAreCorrupt) {
  const std::string name = an_object();
  remote_.files[name].back() ^= 1;
  opened();
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  for (int i = 0; i < 2; ++i) {
    const auto got = store.get(digest_in(name), kMaxObjectBytes);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kCorrupt) << got.error().what;
  }
  EXPECT_EQ(remote_.count("fetch " + name), 2U);
}

TEST_F(RunSourceTest, ACopyThatRottedHereIsFetchedAnew) {
  const std::string name = an_object();
  opened();
  must(source_->fetch(name));
  testing::flip_bit(here_.root / name, remote_.files[name].size() - 1);
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  EXPECT_TRUE(store.get(digest_in(name), kMaxObjectBytes));
}

TEST_F(RunSourceTest, WhateverTheOtherSideRefusesIsTroubleAndNoEvidence) {
  const std::string name = an_object();
  opened();
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  for (const Code code : {Code::kInvalidInput, Code::kUnavailable, Code::kUnsupported}) {
    remote_.fault = [code](const std::string&) { return Error{code, "refused"}; };
    EXPECT_EQ(store.get(digest_in(name), kMaxObjectBytes).error().code, Code::kUnavailable);
  }
}

TEST_F(RunSourceTest, AFileTooLongForItsObjectIsNotFetched) {
  const std::string name = an_object();
  const std::size_t plain = remote_.files[name].size();
  remote_.files[name].resize(57 + 2 * plain);
  opened();
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  const auto got = store.get(digest_in(name), plain);
  ASSERT_FALSE(got);
  EXPECT_EQ(remote_.count("fetch " + name), 0U) << got.error().what;
}

TEST_F(RunSourceTest, NamesThatARunHasNotAreNeverFetched) {
  for (const char* name : {"../escaped", "store/../../escaped", "lock", ".hidden"}) {
    remote_.files[name] = "x";
  }
  opened();
  must(source_->fetch_share(RunSource::Share::kAll));
  EXPECT_EQ(remote_.count("fetch .."), 0U);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "escaped"));
  EXPECT_FALSE(std::filesystem::exists(here_.lock()));
  EXPECT_EQ(source_->fetch("../escaped").error().code, Code::kNotFound);
}

TEST_F(RunSourceTest, AllOfItIsARunFolderThatIsWhole) {
  opened();
  must(source_->fetch_share(RunSource::Share::kAll));
  here_.source = nullptr;
  testing::expect_whole(finished_job(), here_);
  for (const auto& [name, bytes] : remote_.files) EXPECT_EQ(get(here_.root / name), bytes) << name;
}

TEST_F(RunSourceTest, APlaceWithoutARunIsNotFound) {
  MemoryFolder empty;
  empty.files["unrelated"] = "x";
  EXPECT_EQ(RunSource::open(empty, here_).error().code, Code::kNotFound);
}

TEST_F(RunSourceTest, AFolderOfAnotherRunOrOfATrainerIsRefusedAndStaysAsItIs) {
  opened();
  remote_.files["contract.json"].back() ^= 1;
  const auto before = testing::files_of(here_.root);
  EXPECT_EQ(RunSource::open(remote_, here_).error().code, Code::kInvalidInput);
  remote_.files.erase("contract.json");
  EXPECT_EQ(RunSource::open(remote_, here_).error().code, Code::kInvalidInput);
  EXPECT_EQ(testing::files_of(here_.root), before);
  const RunFolder trained{folder_ / "trained"};
  must(make_folders(trained.root));
  put(trained.lock(), "");
  EXPECT_EQ(RunSource::open(remote_, trained).error().code, Code::kInvalidInput);
}

TEST_F(RunSourceTest, AFileShorterThanTheListSaysIsTroubleAndNoEvidence) {
  const std::string name = an_object();
  opened();
  remote_.alter = [&](const std::string& asked, std::string& bytes) {
    if (asked == name) bytes.pop_back();
  };
  const Store store = must(Store::open(here_, Store::Open::kExisting));
  EXPECT_EQ(store.get(digest_in(name), kMaxObjectBytes).error().code, Code::kUnavailable);
}

TEST_F(RunSourceTest, TheLogIsFetchedAnewEachTime) {
  opened();
  const std::string tile = "log/tile/0/000.p/" + std::to_string(entries_.size());
  ASSERT_TRUE(remote_.files.contains(tile));
  testing::flip_bit(here_.root / tile, 5);
  opened();
  EXPECT_EQ(get(here_.root / tile), remote_.files[tile]);
}

TEST_F(RunSourceTest, TheCheckpointIsReadBeforeTheList) {
  opened();
  EXPECT_EQ(remote_.calls.at(0), "fetch log/checkpoint");
  EXPECT_EQ(remote_.calls.at(1), "list");
  EXPECT_EQ(remote_.count("fetch log/checkpoint"), 1 + remote_.count("fetch log/checkpoints/"));
}

TEST_F(RunSourceTest, EncodedObjectsAreAskedForTheirHeadsAlone) {
  const TempFolder made;
  const RunFolder there{made / "run"};
  Store store = must(Store::open(there.store(), Store::Open::kCreate));
  ByteBuffer first(4096), second;
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = static_cast<std::uint8_t>(i % 4 == 3 ? 0x3F : i * 7919 >> 3);
  }
  second = first;
  for (std::size_t i = 0; i < second.size(); i += 4) second[i] ^= 1;
  const Digest base = crypto::blake3(first), delta = crypto::blake3(second);
  must(store.put(base, first));
  must(store.sync());
  must(store.put(delta, second, {Content::kWords, base}));
  must(store.sync());
  ASSERT_EQ(store.bases_of(delta), std::vector<Digest>{base});
  MemoryFolder remote;
  for (const auto& file : must(copied_files(there))) {
    remote.files[file.name] = get(there.root / file.name);
  }
  const auto source = must(RunSource::open(remote, here_));
  const Store far = must(Store::open({here_.root, source.get()}, Store::Open::kExisting));
  EXPECT_TRUE(far.has(delta));
  EXPECT_EQ(far.bases_of(delta), std::vector<Digest>{base});
  EXPECT_EQ(must(far.objects()).size(), 2U);
  EXPECT_EQ(remote.count("fetch store/"), 0U);
  EXPECT_EQ(remote.count("head "), 1U);
  EXPECT_EQ(must(far.get(delta, 4096)), second);
  EXPECT_EQ(remote.count("fetch store/"), 2U);
}

}  // namespace
}  // namespace aftune::trace
