// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "aftune/base/check.h"

namespace aftune::crypto {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// Fetched once and never freed: a fetch costs more than the hash of a tree node.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  AFTUNE_CHECK(fetched != nullptr, "OpenSSL has no SHA-256");
  return fetched;
}

Context new_context() {
  Context context(EVP_MD_CTX_new());
  AFTUNE_CHECK(context != nullptr, "OpenSSL is out of memory");
  return context;
}

void start(EVP_MD_CTX* context) {
  AFTUNE_CHECK(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1, "SHA-256 did not start");
}

void feed(EVP_MD_CTX* context, Bytes data) {
  if (data.empty()) return;
  AFTUNE_CHECK(EVP_DigestUpdate(context, data.data(), data.size()) == 1, "SHA-256 took no bytes");
}

Digest finish(EVP_MD_CTX* context) {
  Digest out;
  unsigned size = 0;
  AFTUNE_CHECK(
      EVP_DigestFinal_ex(context, out.bytes.data(), &size) == 1 && size == out.bytes.size(),
      "SHA-256 gave no digest");
  return out;
}

}  // namespace

Digest sha256(Bytes data) { return sha256({data}); }

Digest sha256(std::initializer_list<Bytes> pieces) {
  static thread_local const Context context = new_context();
  start(context.get());
  for (Bytes piece : pieces) feed(context.get(), piece);
  return finish(context.get());
}

struct Sha256::State {
  Context context = new_context();
};

Sha256::Sha256() : state_(std::make_unique<State>()) { start(state_->context.get()); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(Bytes data) { feed(state_->context.get(), data); }

Digest Sha256::digest() const {
  const Context copy = new_context();
  AFTUNE_CHECK(EVP_MD_CTX_copy_ex(copy.get(), state_->context.get()) == 1,
               "SHA-256 state was not copied");
  return finish(copy.get());
}

Digest hmac_sha256(Bytes key, Bytes message) {
  static constexpr std::uint8_t kNoBytes = 0;  // OpenSSL takes no null pointers here
  Digest out;
  unsigned size = 0;
  const bool done =
      HMAC(algorithm(), key.empty() ? &kNoBytes : key.data(), static_cast<int>(key.size()),
           message.empty() ? &kNoBytes : message.data(), message.size(), out.bytes.data(), &size);
  AFTUNE_CHECK(done && size == out.bytes.size(), "HMAC-SHA-256 gave no digest");
  return out;
}

Digest hkdf_sha256(Bytes key, Bytes context) {
  // RFC 5869 with L = 32: extract with a salt of zeros, then one block of expand.
  static constexpr std::array<std::uint8_t, 32> kNoSalt{};
  const Digest extracted = hmac_sha256(kNoSalt, key);
  ByteBuffer block(context.begin(), context.end());
  block.push_back(1);
  return hmac_sha256(extracted.bytes, block);
}

Result<Digest> sha256_file(const Path& path) {
  Sha256 hasher;
  AFTUNE_TRY(read_file_pieces(path, [&hasher](Bytes piece) { hasher.update(piece); }));
  return hasher.digest();
}

}  // namespace aftune::crypto
