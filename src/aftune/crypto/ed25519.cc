// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/ed25519.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>

#include "aftune/base/check.h"
#include "aftune/base/random.h"

namespace aftune::crypto {
namespace {

constexpr std::size_t kSeedSize = 32;
constexpr std::size_t kSignatureSize = 64;
constexpr std::uint8_t kSignBit = 0x80;

using Encoding = std::array<std::uint8_t, 32>;

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_MD_CTX, Free>;

Key load_private(const SecretBytes& seed) {
  Key key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.reveal().data(), seed.size()));
  AFTUNE_CHECK(key != nullptr, "OpenSSL refused an Ed25519 seed");
  return key;
}

Context new_context() {
  Context context(EVP_MD_CTX_new());
  AFTUNE_CHECK(context != nullptr, "OpenSSL is out of memory");
  return context;
}

// The y coordinates of the eight points of small order, as 32 little-endian bytes.
constexpr std::array<Encoding, 5> kSmallOrderY = {{
    {0x00},
    {0x01},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
}};

// Little-endian numbers of 32 bytes.
bool less(const Encoding& a, const Encoding& b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

// Whether a public key or an R may be used: y below 2^255 - 19 and no point of small order. The
// remaining second spelling, x = 0 with the sign bit set, is of small order too.
bool is_acceptable_point(Encoding encoding) {
  static constexpr Encoding kPrime = [] {
    Encoding p;
    p.fill(0xff);
    p.front() = 0xed;
    p.back() = 0x7f;
    return p;
  }();
  encoding.back() &= static_cast<std::uint8_t>(~kSignBit);
  if (!less(encoding, kPrime)) return false;
  return std::find(kSmallOrderY.begin(), kSmallOrderY.end(), encoding) == kSmallOrderY.end();
}

// Whether S is below the order of the group, 2^252 + 27742317777372353535851937790883648493.
bool is_canonical_scalar(const Encoding& scalar) {
  static constexpr Encoding kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
  return less(scalar, kOrder);
}

}  // namespace

PrivateKey PrivateKey::generate() { return PrivateKey(SecretBytes(random_bytes(kSeedSize))); }

Result<PrivateKey> PrivateKey::from_seed(SecretBytes seed) {
  if (seed.size() != kSeedSize) {
    return Error{Code::kInvalidInput, "private key seed has " + std::to_string(seed.size()) +
                                          " bytes, needs " + std::to_string(kSeedSize)};
  }
  return PrivateKey(std::move(seed));
}

PublicKey PrivateKey::public_key() const {
  PublicKey out;
  std::size_t size = out.bytes.size();
  const Key key = load_private(seed_);
  AFTUNE_CHECK(EVP_PKEY_get_raw_public_key(key.get(), out.bytes.data(), &size) == 1 &&
                   size == out.bytes.size(),
               "OpenSSL gave no Ed25519 public key");
  return out;
}

Signature PrivateKey::sign(Bytes message) const {
  Signature out{};
  std::size_t size = out.size();
  const Key key = load_private(seed_);
  const Context context = new_context();
  AFTUNE_CHECK(
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
          EVP_DigestSign(context.get(), out.data(), &size, message.data(), message.size()) == 1 &&
          size == out.size(),
      "OpenSSL made no Ed25519 signature");
  return out;
}

bool verify_ed25519(const PublicKey& key, Bytes message, Bytes signature) {
  if (signature.size() != kSignatureSize) return false;
  Encoding r, s;
  std::copy_n(signature.begin(), r.size(), r.begin());
  std::copy_n(signature.begin() + r.size(), s.size(), s.begin());
  if (!is_acceptable_point(key.bytes) || !is_acceptable_point(r) || !is_canonical_scalar(s)) {
    return false;
  }
  const Key loaded(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size()));
  if (loaded == nullptr) return false;
  const Context context = new_context();
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, loaded.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace aftune::crypto
