// SPDX-License-Identifier: Apache-2.0
// Runs that are copied to a bucket, audited from it, and kept from it, with a server of our own on
// the loopback. tools/radosgw and object_storage_test.sh do the same with a real one.
#include <stdlib.h>

#include "aftune/object/s3_server_testing.h"
#include "aftune/trace/run_files.h"
#include "tiny_place.h"

namespace aftune::program {
namespace {

using Arguments = std::vector<std::string>;
using object::testing::complaint;
using object::testing::S3Server;
using object::testing::Seen;

constexpr const char* kUrl = "s3://bucket/runs/1";
constexpr const char* kKey = "runs/1/";

class ObjectStorage : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : object::testing::environment_of(server_)) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    ::setenv("no_proxy", "*", 1);
    server_.keys_a_page = 50;
    const Outcome probe =
        aftune({"store", "fetch", "--store", kUrl, "--run", (folder_ / "probe").string()});
    if (probe.err.find("AFTUNE_S3=OFF") != std::string::npos) GTEST_SKIP() << probe.err;
  }
  void TearDown() override { expect_untouched(); }

  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] Outcome train(const std::map<std::string, std::string>& changes = {}) const {
    std::map<std::string, std::string> flags{
        {"--run", at("run")}, {"--store", kUrl}, {"--store-patience", "1"}};
    for (const auto& [flag, value] : changes) flags[flag] = value;
    return aftune(tiny_place().train(flags));
  }
  /// The bucket as if the finished run had been copied; no training.
  void fill() {
    for (const auto& file : trace::testing::must(trace::copied_files(finished()))) {
      server_.put(kKey + file.name, trace::testing::get(finished().root / file.name));
    }
  }
  [[nodiscard]] static trace::RunFolder finished() { return {tiny_place() / "run"}; }
  /// An audit that has the contract and the bucket, and no file of the run.
  [[nodiscard]] Outcome audit(const Arguments& more) const {
    Arguments all{"audit",
                  tiny_place() / "contract.json",
                  "--store",
                  kUrl,
                  "--run",
                  at("fetched"),
                  "--store-patience",
                  "0"};
    all.insert(all.end(), more.begin(), more.end());
    return aftune(all);
  }
  [[nodiscard]] Outcome store(const std::string& command, const Arguments& more = {}) const {
    Arguments all{"store", command, "--store", kUrl, "--run", at("fetched")};
    all.insert(all.end(), more.begin(), more.end());
    return aftune(all);
  }
  [[nodiscard]] std::size_t fetched_objects() const {
    const auto seen = server_.seen();
    return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), [](const Seen& one) {
      return one.method == "GET" && one.key.starts_with("runs/1/store/");
    }));
  }

  const trace::testing::TempFolder folder_;
  S3Server server_;
};

TEST_F(ObjectStorage, ARunIsCopiedWhileItIsRecorded) {
  server_.has_lock = true;
  const Outcome trained = train({{"--store-lock", "governance"}});
  ASSERT_TRUE(done(trained));
  EXPECT_NE(trained.err.find("copied "), std::string::npos);
  const auto objects = server_.objects();
  const auto files = trace::testing::must(trace::copied_files({at("run")}));
  EXPECT_EQ(objects.size(), files.size());
  for (const auto& file : files) {
    EXPECT_EQ(objects.at(kKey + file.name), trace::testing::get(folder_ / "run" / file.name));
  }
  for (const Seen& seen : server_.seen()) {
    if (seen.method != "PUT") continue;
    EXPECT_EQ(seen.headers.contains("x-amz-object-lock-mode"), seen.key != "runs/1/log/checkpoint")
        << seen.key;
  }
  EXPECT_EQ(trained.err.find("wJalrXUtnFEMI"), std::string::npos);
}

TEST_F(ObjectStorage, IsAuditedWithContractAndBucketAlone) {
  fill();
  const Outcome one = audit({"--block", "0,0"});
  EXPECT_NE(one.out.find("INCONCLUSIVE"), std::string::npos) << one.out << one.err;
  const std::size_t some = fetched_objects();
  EXPECT_GT(some, 0U);
  EXPECT_LT(some, trace::testing::must(trace::copied_files(finished(), "store")).size());
  const Outcome all =
      audit({"--all", "--data", tiny_place() / "data.jsonl", "--delivered", at("fetched/model")});
  EXPECT_TRUE(done(all));
  EXPECT_NE(all.out.find("ACCEPT"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fetched/lock"));
}

TEST_F(ObjectStorage, AnAlteredObjectIsRejectedAndAServerThatFailsIsNot) {
  fill();
  const auto objects = server_.objects();
  const auto edge = std::find_if(objects.begin(), objects.end(), [](const auto& object) {
    return object.first.starts_with("runs/1/store/") && object.second.front() != '{';
  });
  ASSERT_NE(edge, objects.end());
  server_.set_fault([](const Seen& seen) -> std::optional<std::string> {
    if (!seen.key.starts_with("runs/1/store/")) return std::nullopt;
    return complaint(503, "SlowDown");
  });
  Outcome told = audit({"--all"});
  EXPECT_EQ(told.exit, 3) << told.out << told.err;
  EXPECT_NE(told.out.find("INCONCLUSIVE"), std::string::npos);
  server_.set_fault([](const Seen& seen) -> std::optional<std::string> {
    if (!seen.key.starts_with("runs/1/store/")) return std::nullopt;
    return complaint(403, "AccessDenied");
  });
  told = audit({"--all"});
  EXPECT_EQ(told.exit, 3) << told.out << told.err;
  server_.set_fault(nullptr);
  std::string altered = edge->second;
  altered.back() ^= 1;
  server_.put(edge->first, altered);
  told = audit({"--all"});
  EXPECT_EQ(told.exit, 1) << told.out << told.err;
}

TEST_F(ObjectStorage, AServerThatStopsAnsweringStopsTheRunAndAResumeEndsIt) {
  std::size_t left = 40;
  server_.set_fault([left](const Seen&) mutable -> std::optional<std::string> {
    if (left == 0) return std::string();
    --left;
    return std::nullopt;
  });
  EXPECT_TRUE(refused(train(), 3, {"copy ", kUrl, "given up"}));
  server_.set_fault(nullptr);
  EXPECT_TRUE(done(train({{"--resume", ""}})));
  EXPECT_TRUE(done(store("check")));
  EXPECT_EQ(trace::testing::get(folder_ / "fetched/log/checkpoint"),
            trace::testing::get(finished().log() / "checkpoint"));
}

TEST_F(ObjectStorage, TheStoreIsCheckedMeasuredAndFetchedFromThere) {
  fill();
  EXPECT_TRUE(done(store("stats", {"--json"})));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fetched/base")) << "log and lists are enough";
  EXPECT_TRUE(done(store("check")));
  EXPECT_TRUE(done(store("fetch")));
  const auto files = trace::testing::must(trace::copied_files(finished()));
  for (const auto& file : files) {
    EXPECT_EQ(trace::testing::get(folder_ / "fetched" / file.name),
              trace::testing::get(finished().root / file.name));
  }
  const auto lost = std::find_if(files.begin(), files.end(),
                                 [](const auto& file) { return file.name.starts_with("store/"); });
  server_.remove(kKey + lost->name);
  std::filesystem::remove_all(folder_ / "fetched");
  const Outcome told = store("check");
  EXPECT_EQ(told.exit, 1);
  EXPECT_NE(told.err.find(lost->name.substr(9, 64)), std::string::npos) << told.err;
}

TEST_F(ObjectStorage, SlipsAreToldAtOnce) {
  EXPECT_TRUE(refused(train({{"--store", "bucket/runs"}}), 2, {"s3://BUCKET/PREFIX"}));
  EXPECT_TRUE(refused(train({{"--store-lock", "compliance"}}), 2, {"object lock"}));
  EXPECT_TRUE(refused(audit({"--all"}), 2, {"holds no run"}));
  ::setenv("AWS_SECRET_ACCESS_KEY", "", 1);
  EXPECT_TRUE(refused(audit({"--all"}), 2, {"aws_secret_access_key"}));
  ::setenv("AWS_SECRET_ACCESS_KEY", "x", 1);
  ::setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
  EXPECT_TRUE(refused(audit({"--all"}), 3, {"127.0.0.1:1"}));
}

}  // namespace
}  // namespace aftune::program
