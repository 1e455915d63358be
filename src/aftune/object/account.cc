// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace aftune::object {
namespace {

constexpr std::uint64_t kMaxCredentials = std::uint64_t{1} << 20;
constexpr std::size_t kMaxValue = 8192;

std::string value_of(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? "" : value;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Printable ASCII without spaces: it goes into a header.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= kMaxValue &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

crypto::SecretBytes secret_of(std::string& text) {
  const Bytes bytes = as_bytes(text);
  crypto::SecretBytes out(ByteBuffer(bytes.begin(), bytes.end()));
  crypto::wipe(text);
  return out;
}

using Values = std::map<std::string, std::string, std::less<>>;

/// The names and values of one profile; empty if there is no such.
Values profile_of(std::string_view text, std::string_view profile) {
  Values out;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && trimmed(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    out[std::string(trimmed(line.substr(0, equals)))] = trimmed(line.substr(equals + 1));
  }
  return out;
}

Result<Values> values_of_file(const Environment& environment) {
  std::string file = value_of(environment, "AWS_SHARED_CREDENTIALS_FILE");
  if (file.empty()) file = value_of(environment, "HOME") + "/.aws/credentials";
  std::string profile = value_of(environment, "AWS_PROFILE");
  if (profile.empty()) profile = "default";
  Result<std::string> text = read_text_file(file, kMaxCredentials);
  if (!text && text.error().code == Code::kNotFound) {
    return Error{
        Code::kInvalidInput,
        fmt::format("no credentials: AWS_ACCESS_KEY_ID is not set, and there is no {}", file)};
  }
  if (!text) return std::move(text).error();
  Values out = profile_of(*text, profile);
  crypto::wipe(*text);
  if (!out.contains("aws_access_key_id")) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has no aws_access_key_id in profile {}", file, profile)};
  }
  return out;
}

Values values_of_environment(const Environment& environment) {
  return {{"aws_access_key_id", value_of(environment, "AWS_ACCESS_KEY_ID")},
          {"aws_secret_access_key", value_of(environment, "AWS_SECRET_ACCESS_KEY")},
          {"aws_session_token", value_of(environment, "AWS_SESSION_TOKEN")}};
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return "";
}

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto refused = [&] {
    return Error{Code::kInvalidInput,
                 fmt::format("endpoint \"{}\" is not http:// or https:// and a host", text)};
  };
  Endpoint out;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    out.tls = false;
  } else {
    return refused();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::string_view own_port = out.tls ? ":443" : ":80";
  if (rest.ends_with(own_port)) rest.remove_suffix(own_port.size());
  const bool plain = std::all_of(rest.begin(), rest.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]").find(c) != std::string_view::npos;
  });
  if (rest.empty() || !plain) return refused();
  out.authority = rest;
  return out;
}

Result<Account> read_account(const Environment& environment) {
  Values values = values_of_environment(environment);
  if (values["aws_access_key_id"].empty()) {
    AFTUNE_TRY(values, values_of_file(environment));
  }
  for (const char* name : {"aws_access_key_id", "aws_secret_access_key"}) {
    if (is_plain(values[name])) continue;
    return Error{Code::kInvalidInput, fmt::format("credentials: {} is missing or malformed", name)};
  }
  if (!values["aws_session_token"].empty() && !is_plain(values["aws_session_token"])) {
    return Error{Code::kInvalidInput, "credentials: aws_session_token is malformed"};
  }
  Account out;
  out.access_key = values["aws_access_key_id"];
  out.secret_key = secret_of(values["aws_secret_access_key"]);
  out.session_token = secret_of(values["aws_session_token"]);
  out.region =
      first_of({value_of(environment, "AWS_REGION"), value_of(environment, "AWS_DEFAULT_REGION"),
                values["region"], "us-east-1"});
  if (!is_region(out.region)) {
    return Error{Code::kInvalidInput, fmt::format("region \"{}\" is malformed", out.region)};
  }
  const std::string endpoint =
      first_of({value_of(environment, "AWS_ENDPOINT_URL_S3"),
                value_of(environment, "AWS_ENDPOINT_URL"), values["endpoint_url"]});
  if (!endpoint.empty()) {
    AFTUNE_TRY(out.endpoint, parse_endpoint(endpoint));
  }
  out.ca_bundle = value_of(environment, "AWS_CA_BUNDLE");
  return out;
}

}  // namespace aftune::object
