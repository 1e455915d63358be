// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "aftune/codec/base64.h"
#include "aftune/object/s3_server_testing.h"

namespace aftune::object {
namespace {

using testing::complaint;
using testing::cut;
using testing::reply;
using testing::S3Server;
using testing::Seen;
using File = RemoteFolder::File;
using Keep = RemoteFolder::Keep;

/// A folder on the server under "runs/one", and one on the disk.
class S3FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "*", 1);
    std::string name = (std::filesystem::temp_directory_path() / "aftune-s3-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    local_ = name;
    auto made = make_http({1, 1, ""});
    if (!made && made.error().code == Code::kUnsupported) GTEST_SKIP() << made.error().what;
    const auto variables = testing::environment_of(server_);
    Account account = *read_account([&](const char* variable) -> const char* {
      const auto found = variables.find(variable);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
    const Waiting waiting = {[this] { return time_; }, [this](double s) { time_ += s; },
                             [] { return 0.9; }};
    folder_ = std::make_unique<S3Folder>(*parse_s3_url("s3://bucket/runs/one"),
                                         S3Client(
                                             std::move(account), "bucket", *std::move(made),
                                             waiting, [] { return std::int64_t{1369353600}; }, 5));
  }
  void TearDown() override { std::filesystem::remove_all(local_); }

  std::string fetched(const std::string& name, std::uint64_t limit = 1U << 20) const {
    const Status done = folder_->fetch(name, limit, local_ / "fetched");
    if (!done) return "error: " + done.error().what;
    return *read_text_file(local_ / "fetched", 1U << 30);
  }
  /// The first `count` requests that `wanted` picks are answered by `answer`.
  void fail(
      std::size_t count, const std::string& answer,
      const std::function<bool(const Seen&)>& wanted = [](const Seen&) { return true; }) {
    server_.set_fault([count, answer, wanted](const Seen& seen) mutable {
      if (count == 0 || !wanted(seen)) return std::optional<std::string>();
      --count;
      return std::optional(answer);
    });
  }

  S3Server server_;
  Path local_;
  double time_ = 0;
  std::unique_ptr<S3Folder> folder_;
};

TEST_F(S3FolderTest, GivesBackWhatWasPut) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100000, 'y')}) {
    ASSERT_TRUE(folder_->put("store/ab/abc.raw", as_bytes(text), Keep::kAsAgreed));
    EXPECT_EQ(server_.objects().at("runs/one/store/ab/abc.raw"), text);
    EXPECT_EQ(fetched("store/ab/abc.raw"), text);
  }
}

TEST_F(S3FolderTest, PutsNameTheHashOfTheirBytes) {
  ASSERT_TRUE(folder_->put("a", as_bytes("bytes"), Keep::kReplaceable));
  const Seen put = server_.seen().at(0);
  EXPECT_EQ(put.headers.at("x-amz-content-sha256"), crypto::sha256(as_bytes("bytes")).hex());
  EXPECT_EQ(put.headers.at("x-amz-checksum-sha256"),
            codec::to_base64(crypto::sha256(as_bytes("bytes")).bytes));
  EXPECT_FALSE(put.headers.contains("x-amz-object-lock-mode"));
}

TEST_F(S3FolderTest, ListsAllPagesOfItsPrefix) {
  std::vector<File> expected;
  for (const std::string name : {"a", "b/c", "d", "e", "f", "g", "log/x001/000"}) {
    server_.put("runs/one/" + name, std::string(expected.size(), 'x'));
    expected.push_back({name, expected.size()});
  }
  server_.put("runs/one2/a", "");
  server_.put("runs/o", "");
  const auto files = folder_->list();
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_EQ(*files, expected);
  EXPECT_EQ(server_.seen().size(), 3U);
}

TEST_F(S3FolderTest, ListingsThatCannotBeAreUnavailable) {
  for (const std::string body :
       {"", "<Other/>", "<ListBucketResult>", "not xml",
        "<ListBucketResult><Contents><Key>runs/one/a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>runs/one/a</Key><Size>-1</Size></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><Contents><Key>other/a</Key><Size>1</Size></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    fail(1000, reply(200, body));
    const auto files = folder_->list();
    ASSERT_FALSE(files) << body;
    EXPECT_EQ(files.error().code, Code::kUnavailable);
  }
}

TEST_F(S3FolderTest, AListingThatTurnsInACircleEnds) {
  fail(1000, reply(200,
                   "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                   "</NextContinuationToken></ListBucketResult>"));
  EXPECT_FALSE(folder_->list());
  EXPECT_EQ(server_.seen().size(), 2U);
}

TEST_F(S3FolderTest, ReadsTheFirstBytesAlone) {
  server_.put("runs/one/a", "0123456789");
  EXPECT_EQ(as_text(*folder_->read_head("a", 4)), "0123");
  EXPECT_EQ(server_.seen().back().headers.at("range"), "bytes=0-3");
  EXPECT_EQ(as_text(*folder_->read_head("a", 400)), "0123456789");
  fail(1, reply(200, "0123456789"));  // a server that knows no ranges
  EXPECT_EQ(as_text(*folder_->read_head("a", 4)), "0123");
  EXPECT_EQ(folder_->read_head("absent", 4).error().code, Code::kNotFound);
}

TEST_F(S3FolderTest, WhatIsNotThereIsNotFound) {
  const Status done = folder_->fetch("absent", 10, local_ / "fetched");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(local_));
}

TEST_F(S3FolderTest, FetchesNoMoreThanItsLimit) {
  server_.put("runs/one/a", "0123456789");
  EXPECT_EQ(fetched("a", 10), "0123456789");
  const Status done = folder_->fetch("a", 9, local_ / "other");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidInput);
  EXPECT_FALSE(std::filesystem::exists(local_ / "other"));
}

TEST_F(S3FolderTest, FaultsThatPassLoseNothing) {
  const std::string text(300000, 'x');
  const Bytes from = as_bytes(text);
  const std::string whole = reply(200, text);
  for (const std::string& fault :
       {std::string(), complaint(500, "InternalError"), complaint(503, "SlowDown"),
        complaint(429, "TooManyRequests"), cut(whole, 1), cut(whole, 299999), cut(whole, 300010)}) {
    fail(2, fault, [](const Seen& seen) { return seen.method == "GET"; });
    ASSERT_TRUE(folder_->put("a", from, Keep::kAsAgreed)) << fault.substr(0, 60);
    EXPECT_TRUE(fetched("a") == text) << fault.substr(0, 60);
    fail(2, fault.size() > 1000 ? "" : fault,
         [](const Seen& seen) { return seen.method == "PUT"; });
    ASSERT_TRUE(folder_->put("b", from, Keep::kAsAgreed)) << fault.substr(0, 60);
    EXPECT_TRUE(server_.objects().at("runs/one/b") == text) << fault.substr(0, 60);
  }
}

TEST_F(S3FolderTest, FaultsThatStayAreUnavailableAndLeaveNoFile) {
  server_.put("runs/one/a", "x");
  for (const std::string& fault :
       {std::string(), complaint(503, "SlowDown"), cut(reply(200, "0123456789"), 3)}) {
    fail(100000, fault);
    const Status done = folder_->fetch("a", 100, local_ / "fetched");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kUnavailable);
    EXPECT_TRUE(std::filesystem::is_empty(local_));
  }
}

TEST_F(S3FolderTest, ALargeFileGoesInParts) {
  std::string text(S3Folder::kPartBytes + 5, 'p');
  text.back() = 'q';
  const Bytes from = as_bytes(text);
  fail(1, complaint(500, "InternalError"), [](const Seen& seen) {
    return seen.query.contains("partNumber") && seen.query.at("partNumber") == "2";
  });
  ASSERT_TRUE(folder_->put("a", from, Keep::kAsAgreed));
  EXPECT_TRUE(server_.objects().at("runs/one/a") == text);
  EXPECT_EQ(server_.seen().size(), 5U);  // begun, two parts, one of them twice, ended
  // The whole is there, its answer was lost: the second try finds no such upload.
  server_.forget_seen();
  fail(1, complaint(404, "NoSuchUpload"),
       [](const Seen& seen) { return seen.method == "POST" && seen.query.contains("uploadId"); });
  EXPECT_TRUE(folder_->put("a", from, Keep::kAsAgreed));
}

TEST_F(S3FolderTest, ARefusedPartEndsTheUpload) {
  const ByteBuffer from(S3Folder::kPartBytes + 1, 'p');
  const auto second = [](const Seen& seen) {
    return seen.query.contains("partNumber") && seen.query.at("partNumber") == "2";
  };
  fail(1, complaint(403, "AccessDenied"), second);
  Status done = folder_->put("a", from, Keep::kAsAgreed);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidInput);
  EXPECT_EQ(server_.seen().back().method, "DELETE");
  EXPECT_FALSE(server_.objects().contains("runs/one/a"));
  fail(1, reply(200, ""), second);  // no ETag
  done = folder_->put("a", from, Keep::kAsAgreed);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().what.find("no ETag"), std::string::npos);
}

TEST_F(S3FolderTest, LocksWhatIsKeptAndNothingElse) {
  server_.has_lock = true;
  ASSERT_TRUE(folder_->lock_from_now_on({LockRule::Mode::kCompliance, "2027-01-31T00:00:00Z"}));
  ASSERT_TRUE(folder_->put("a", as_bytes("x"), Keep::kAsAgreed));
  const Seen kept = server_.seen().back();
  EXPECT_EQ(kept.headers.at("x-amz-object-lock-mode"), "COMPLIANCE");
  EXPECT_EQ(kept.headers.at("x-amz-object-lock-retain-until-date"), "2027-01-31T00:00:00Z");
  EXPECT_NE(kept.headers.at("authorization").find("x-amz-object-lock-mode;"), std::string::npos);
  ASSERT_TRUE(folder_->put("b", as_bytes("x"), Keep::kReplaceable));
  EXPECT_FALSE(server_.seen().back().headers.contains("x-amz-object-lock-mode"));
}

TEST_F(S3FolderTest, ABucketWithoutLockIsRefused) {
  const LockRule rule{LockRule::Mode::kGovernance, "2027-01-31T00:00:00Z"};
  Status done = folder_->lock_from_now_on(rule);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidInput);
  fail(1, reply(200, "<ObjectLockConfiguration/>"));
  done = folder_->lock_from_now_on(rule);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidInput);
  fail(1000, complaint(503, "SlowDown"));
  EXPECT_EQ(folder_->lock_from_now_on(rule).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace aftune::object
