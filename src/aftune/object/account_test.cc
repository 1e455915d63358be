// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/account.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

namespace aftune::object {
namespace {

using Variables = std::map<std::string, std::string>;

Result<Account> account_of(const Variables& variables) {
  return read_account([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const Variables kBoth = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "SECRET"}};

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

/// A file of credentials, removed at the end.
class CredentialsFile {
 public:
  explicit CredentialsFile(std::string_view text)
      : path_(std::filesystem::temp_directory_path() /
              ("aftune-credentials-" + std::to_string(::getpid()))) {
    EXPECT_TRUE(write_file(path_, as_bytes(text)));
  }
  ~CredentialsFile() { std::filesystem::remove(path_); }
  [[nodiscard]] Variables variables() const {
    return {{"AWS_SHARED_CREDENTIALS_FILE", path_.string()}};
  }

 private:
  Path path_;
};

TEST(Account, IsReadFromTheEnvironment) {
  const auto account = account_of(with(kBoth, {{"AWS_SESSION_TOKEN", "TOKEN"},
                                               {"AWS_REGION", "eu-central-1"},
                                               {"AWS_ENDPOINT_URL", "http://127.0.0.1:7480/"}}));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->access_key, "KEY");
  EXPECT_TRUE(account->secret_key.equals(as_bytes("SECRET")));
  EXPECT_TRUE(account->session_token.equals(as_bytes("TOKEN")));
  EXPECT_EQ(account->region, "eu-central-1");
  ASSERT_TRUE(account->endpoint);
  EXPECT_FALSE(account->endpoint->tls);
  EXPECT_EQ(account->endpoint->authority, "127.0.0.1:7480");
}

TEST(Account, HasARegionAndAmazonsOwnServerWhereNothingIsSaid) {
  const auto account = account_of(kBoth);
  ASSERT_TRUE(account);
  EXPECT_EQ(account->region, "us-east-1");
  EXPECT_FALSE(account->endpoint);
  EXPECT_EQ(account->session_token.size(), 0U);
  EXPECT_EQ(account_of(with(kBoth, {{"AWS_DEFAULT_REGION", "x"}}))->region, "x");
}

TEST(Account, IsReadFromTheProfileOfAFile) {
  const CredentialsFile file(
      "# a comment\n[default]\naws_access_key_id = ONE\naws_secret_access_key = S1\n\n"
      "[other]\r\n; another\naws_access_key_id=TWO\naws_secret_access_key=S=2\nregion = far\n"
      "endpoint_url = https://s3.example:8443\nunknown = x\n");
  const auto one = account_of(file.variables());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->access_key, "ONE");
  EXPECT_EQ(one->region, "us-east-1");
  const auto two = account_of(with(file.variables(), {{"AWS_PROFILE", "other"}}));
  ASSERT_TRUE(two);
  EXPECT_EQ(two->access_key, "TWO");
  EXPECT_TRUE(two->secret_key.equals(as_bytes("S=2")));
  EXPECT_EQ(two->region, "far");
  EXPECT_EQ(two->endpoint->authority, "s3.example:8443");
  EXPECT_TRUE(account_of(with(kBoth, file.variables()))->access_key == "KEY");
}

TEST(Account, ThatIsNotWholeIsRefusedWithoutItsSecrets) {
  const CredentialsFile file("[default]\naws_access_key_id = ONE\n");
  const Variables cases[] = {
      {{"HOME", "/nonexistent"}},
      file.variables(),
      with(file.variables(), {{"AWS_PROFILE", "absent"}}),
      {{"AWS_ACCESS_KEY_ID", "KEY"}},
      with(kBoth, {{"AWS_SECRET_ACCESS_KEY", "SEC RET"}}),
      with(kBoth, {{"AWS_SECRET_ACCESS_KEY", "SECRET\n"}}),
      with(kBoth, {{"AWS_SESSION_TOKEN", "SECRET\r\nx: y"}}),
      with(kBoth, {{"AWS_ACCESS_KEY_ID", "KEY\n"}}),
      with(kBoth, {{"AWS_REGION", "eu/central"}}),
      with(kBoth, {{"AWS_ENDPOINT_URL", "ftp://host"}}),
  };
  for (const Variables& variables : cases) {
    const auto account = account_of(variables);
    ASSERT_FALSE(account);
    EXPECT_EQ(account.error().code, Code::kInvalidInput);
    EXPECT_EQ(account.error().what.find("SEC"), std::string::npos) << account.error().what;
  }
}

TEST(Endpoint, LeavesOutThePortOfItsScheme) {
  EXPECT_EQ(parse_endpoint("https://host:443")->authority, "host");
  EXPECT_EQ(parse_endpoint("http://host:80/")->authority, "host");
  EXPECT_EQ(parse_endpoint("http://host:443")->authority, "host:443");
  EXPECT_EQ(parse_endpoint("http://[::1]:9000")->authority, "[::1]:9000");
}

TEST(Endpoint, WithUserPathOrQueryIsRefused) {
  for (const char* text : {"", "host", "https://", "http://u@host", "http://host/path",
                           "http://host?x", "http://host#x", "http://ho st", "HTTP://host"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

}  // namespace
}  // namespace aftune::object
