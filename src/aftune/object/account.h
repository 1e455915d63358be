// SPDX-License-Identifier: Apache-2.0
// Who signs requests, and where they go: docs/formats/object-storage.md, "Credentials".
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "aftune/base/file.h"
#include "aftune/crypto/secret_bytes.h"

namespace aftune::object {

/// The scheme, host and port of a server; a port that is the scheme's own is left out.
struct Endpoint {
  bool tls = true;
  std::string authority;  // "host" or "host:port"
};
/// "https://host:port". Errors: kInvalidInput.
Result<Endpoint> parse_endpoint(std::string_view text);

struct Account {
  std::string access_key;  // names the account; sent in the clear
  crypto::SecretBytes secret_key;
  crypto::SecretBytes session_token;  // may be empty
  std::string region = "us-east-1";
  std::optional<Endpoint> endpoint;  // empty: Amazon's own
  std::string ca_bundle;             // a file; empty: the system's
};

/// A variable of the environment; null if it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Errors: kInvalidInput, naming what is missing or malformed and no value of it; kNotFound;
///         kUnavailable.
Result<Account> read_account(const Environment& environment);

}  // namespace aftune::object
