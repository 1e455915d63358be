// SPDX-License-Identifier: Apache-2.0
// Every domain string of this project's hashes, in one place, so that no two uses collide.
// Each ends with a zero byte when hashed: the length of what follows cannot shift into it.
#pragma once

#include <string_view>

namespace aftune::crypto {

using namespace std::string_view_literals;

inline constexpr std::string_view kDomainSeed = "aftune seed v1\0"sv;
inline constexpr std::string_view kDomainNonce = "aftune nonce v1\0"sv;
inline constexpr std::string_view kDomainOrder = "aftune sample order v1\0"sv;
inline constexpr std::string_view kDomainSecret = "aftune challenge secret v1\0"sv;
inline constexpr std::string_view kDomainDraw = "aftune draw v1\0"sv;
inline constexpr std::string_view kDomainSaltKey = "aftune salt key v1\0"sv;
inline constexpr std::string_view kDomainListSalt = "aftune list salt v1\0"sv;
inline constexpr std::string_view kDomainRootSalt = "aftune root salt v1\0"sv;
inline constexpr std::string_view kDomainAdapter = "aftune adapter v1\0"sv;
inline constexpr std::string_view kDomainDropout = "aftune dropout v1\0"sv;
inline constexpr std::string_view kDomainMoments = "aftune moments v1\0"sv;
inline constexpr std::string_view kDomainInit = "aftune random init v1\0"sv;
inline constexpr std::string_view kDomainServeSecret = "aftune serve secret v1\0"sv;
inline constexpr std::string_view kDomainServeSeed = "aftune serve seed v1\0"sv;
inline constexpr std::string_view kDomainReceipt = "aftune receipt v1\0"sv;
inline constexpr std::string_view kDomainReceiptSecret = "aftune receipt secret v1\0"sv;
inline constexpr std::string_view kDomainReceiptDraw = "aftune receipt draw v1\0"sv;
inline constexpr std::string_view kDomainPromptSalt = "aftune prompt salt v1\0"sv;
inline constexpr std::string_view kDomainInput = "aftune input v1\0"sv;
inline constexpr std::string_view kDomainPrompt = "aftune prompt v1\0"sv;
inline constexpr std::string_view kDomainOutput = "aftune output v1\0"sv;
inline constexpr std::string_view kDomainText = "aftune text v1\0"sv;

}  // namespace aftune::crypto
