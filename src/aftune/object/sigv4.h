// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 in the Authorization header: docs/formats/object-storage.md, "Requests".
#pragma once

#include <string>
#include <string_view>

#include "aftune/crypto/digest.h"
#include "aftune/object/http.h"

namespace aftune::object {

/// Names and values encoded, sorted: what is signed and what is sent.
std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& query);

/// "20130524T000000Z".
std::string amz_date(std::int64_t seconds_since_1970);

/// Adds host, x-amz-date, x-amz-content-sha256, x-amz-security-token where there is one, and
/// authorization. Headers that are there already are signed; their values hold no line feed.
/// `body_sha256`: of the body that is sent with it.
void sign_request(const Account& account, std::int64_t now, const Digest& body_sha256,
                  HttpRequest& request);

}  // namespace aftune::object
