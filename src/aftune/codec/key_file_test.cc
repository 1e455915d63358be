// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/key_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <utility>

namespace aftune::codec {
namespace {

namespace fs = std::filesystem;

// The example of docs/formats/keys.md.
constexpr const char* kPrivate =
    "PRIVATE+KEY+example+c1ca759e+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n";
constexpr const char* kPublic = "example+c1ca759e+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n";

crypto::PrivateKey example_key() {
  ByteBuffer seed(32);
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  return *crypto::PrivateKey::from_seed(crypto::SecretBytes(std::move(seed)));
}

class KeyFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "aftune-keys-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }

  // What reading a private key file with this text answers.
  std::string reading(std::string_view text) {
    fs::remove(dir_ / "x.key");
    EXPECT_TRUE(write_new_private_file(dir_ / "x.key", as_bytes(text)));
    const auto read = read_key_file(dir_ / "x.key");
    if (read) return "accepted " + read->name;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
    return read.error().what;
  }

  Path dir_;
};

TEST_F(KeyFiles, AreSpeltAsOnThePage) {
  ASSERT_TRUE(write_key_files(dir_, "example", example_key()));
  EXPECT_EQ(*read_text_file(dir_ / "example.key", 999), kPrivate);
  EXPECT_EQ(*read_text_file(dir_ / "example.pub", 999), kPublic);
  EXPECT_EQ(spell_verifier_key("example", example_key().public_key()) + "\n", kPublic);
}

TEST_F(KeyFiles, ReadBack) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate();
  ASSERT_TRUE(write_key_files(dir_, "a.b-c_1", key));
  const auto read = read_key_file(dir_ / "a.b-c_1.key");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->name, "a.b-c_1");
  EXPECT_TRUE(read->key.seed().equals(key.seed().reveal()));
}

TEST_F(KeyFiles, NeverReplaceWhatIsThere) {
  ASSERT_TRUE(write_key_files(dir_, "example", example_key()));
  const Status again = write_key_files(dir_, "example", crypto::PrivateKey::generate());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidInput);
  fs::remove(dir_ / "example.pub");
  EXPECT_FALSE(write_key_files(dir_, "example", crypto::PrivateKey::generate()));
  EXPECT_FALSE(fs::exists(dir_ / "example.pub")) << "a public key beside another's private key";
  EXPECT_EQ(*read_text_file(dir_ / "example.key", 999), kPrivate);
  ASSERT_TRUE(write_file(dir_ / "other.pub", as_bytes("mine")));
  EXPECT_FALSE(write_key_files(dir_, "other", example_key()));
  EXPECT_FALSE(fs::exists(dir_ / "other.key")) << "a private key beside another's public key";
}

TEST_F(KeyFiles, PrivateOneIsForItsOwnerAlone) {
  ASSERT_TRUE(write_key_files(dir_, "example", example_key()));
  const Path path = dir_ / "example.key";
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  for (const fs::perms open : {fs::perms::group_read, fs::perms::others_read,
                               fs::perms::group_write, fs::perms::others_exec}) {
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | open);
    const auto read = read_key_file(path);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().what.find("needs 0600"), std::string::npos) << read.error().what;
  }
  fs::permissions(path, fs::perms::owner_read);
  EXPECT_TRUE(read_key_file(path));
}

TEST_F(KeyFiles, MissingOneIsNotFound) {
  const auto read = read_key_file(dir_ / "none.key");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kNotFound);
}

TEST_F(KeyFiles, LiesAreRefused) {
  EXPECT_EQ(reading(kPrivate), "accepted example");
  const std::string honest = kPrivate;
  const std::string line = honest.substr(0, honest.size() - 1);
  const std::string hash_on = line.substr(line.find("+c1ca759e"));
  const std::pair<const char*, std::string> lies[] = {
      {"empty", ""},
      {"newline alone", "\n"},
      {"no newline", line},
      {"two newlines", honest + "\n"},
      {"carriage return", line + "\r\n"},
      {"the public key", kPublic},
      {"prefix alone", "PRIVATE+KEY+\n"},
      {"name alone", "PRIVATE+KEY+example\n"},
      {"name and hash alone", "PRIVATE+KEY+example+c1ca759e\n"},
      {"no seed", "PRIVATE+KEY+example+c1ca759e+\n"},
      {"another name", "PRIVATE+KEY+exampla" + hash_on + "\n"},
      {"no name", "PRIVATE+KEY+" + hash_on + "\n"},
      {"name with a path", "PRIVATE+KEY+a/b" + hash_on + "\n"},
      {"another hash", "PRIVATE+KEY+example+c1ca759f+" + line.substr(line.size() - 44) + "\n"},
      {"hash in capitals", "PRIVATE+KEY+example+C1CA759E+" + line.substr(line.size() - 44) + "\n"},
      {"another seed", line.substr(0, line.size() - 1) + "g\n"},
      {"another algorithm",
       "PRIVATE+KEY+example+c1ca759e+BA" + line.substr(line.size() - 42) + "\n"},
      {"seed too short", line.substr(0, line.size() - 4) + "\n"},
      {"seed too long", line + "AAAA\n"},
      {"no base64", line.substr(0, line.size() - 1) + "!\n"},
      {"too many bytes", line + std::string(256, 'A') + "\n"},
  };
  for (const auto& [name, lie] : lies) {
    const std::string answer = reading(lie);
    EXPECT_FALSE(answer.starts_with("accepted")) << name;
    EXPECT_EQ(answer.find("AQABAgM"), std::string::npos) << name << ": the seed is in the message";
  }
}

TEST_F(KeyFiles, NamesStayInsideTheFolder) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "/x", ".hidden", "-x", "_x", "a b", "a+b",
                           "a\n", "\xC3\xA9"}) {
    EXPECT_FALSE(is_key_file_name(name)) << name;
    EXPECT_FALSE(write_key_files(dir_, name, example_key())) << name;
  }
  EXPECT_TRUE(fs::is_empty(dir_));
  EXPECT_TRUE(is_key_file_name(std::string(64, 'a')));
  EXPECT_FALSE(is_key_file_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace aftune::codec
