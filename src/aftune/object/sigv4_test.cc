// SPDX-License-Identifier: Apache-2.0
// Known signatures: the four examples of Amazon's page "Signature Calculations for the
// Authorization Header" of the S3 API reference.
#include "aftune/object/sigv4.h"

#include <gtest/gtest.h>

#include "aftune/crypto/sha256.h"

namespace aftune::object {
namespace {

constexpr std::int64_t kExampleTime = 1369353600;  // 2013-05-24T00:00:00Z

Account example_account() {
  Account account;
  account.access_key = "AKIAIOSFODNN7EXAMPLE";
  const Bytes secret = as_bytes("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
  account.secret_key = crypto::SecretBytes(ByteBuffer(secret.begin(), secret.end()));
  return account;
}

HttpRequest example(const std::string& method, const std::string& path) {
  return {method, {true, "examplebucket.s3.amazonaws.com"}, path, {}, {}};
}

std::string authorization(HttpRequest request, std::string_view body = "",
                          const Account& account = example_account()) {
  sign_request(account, kExampleTime, crypto::sha256(as_bytes(body)), request);
  return request.headers.at("authorization");
}

std::string signature(HttpRequest request, std::string_view body = "") {
  const std::string all = authorization(std::move(request), body);
  return all.substr(all.find("Signature=") + 10);
}

TEST(Signature, OfAFilesFirstBytesIsThePublishedOne) {
  HttpRequest request = example("GET", "/test.txt");
  request.headers["range"] = "bytes=0-9";
  EXPECT_EQ(authorization(request),
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Signature, OfAPutIsThePublishedOne) {
  HttpRequest request = example("PUT", "/test$file.text");
  request.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT";
  request.headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
  EXPECT_EQ(signature(request, "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(Signature, OfAQueryWithoutValueIsThePublishedOne) {
  HttpRequest request = example("GET", "/");
  request.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature(request), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(Signature, OfAListingIsThePublishedOneInAnyOrderOfItsQuery) {
  HttpRequest request = example("GET", "/");
  request.query = {{"max-keys", "2"}, {"prefix", "J"}};
  const std::string published = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
  EXPECT_EQ(signature(request), published);
  std::swap(request.query[0], request.query[1]);
  EXPECT_EQ(signature(request), published);
}

TEST(Signature, ChangesWithWhateverIsSigned) {
  HttpRequest plain = example("GET", "/test.txt");
  plain.headers["range"] = "bytes=0-9";
  const std::string honest = signature(plain);
  HttpRequest changed = plain;
  changed.method = "PUT";
  EXPECT_NE(signature(changed), honest);
  changed = plain;
  changed.path = "/test.tx";
  EXPECT_NE(signature(changed), honest);
  changed = plain;
  changed.query = {{"a", ""}};
  EXPECT_NE(signature(changed), honest);
  changed = plain;
  changed.to.authority = "other.s3.amazonaws.com";
  EXPECT_NE(signature(changed), honest);
  changed = plain;
  changed.headers["range"] = "bytes=0-8";
  EXPECT_NE(signature(changed), honest);
  EXPECT_NE(signature(plain, "x"), honest);
  Account other = example_account();
  other.region = "eu-west-1";
  EXPECT_EQ(authorization(plain, "", other).find(honest), std::string::npos);
}

TEST(Signature, CoversTheSessionToken) {
  Account account = example_account();
  const Bytes token = as_bytes("TOKEN");
  account.session_token = crypto::SecretBytes(ByteBuffer(token.begin(), token.end()));
  HttpRequest request = example("GET", "/");
  sign_request(account, kExampleTime, crypto::sha256(Bytes()), request);
  EXPECT_EQ(request.headers.at("x-amz-security-token"), "TOKEN");
  EXPECT_NE(request.headers.at("authorization").find(";x-amz-security-token,"), std::string::npos);
}

TEST(Signature, IsMadeAnewForEachTry) {
  HttpRequest request = example("GET", "/");
  sign_request(example_account(), kExampleTime, crypto::sha256(Bytes()), request);
  const std::string first = request.headers.at("authorization");
  sign_request(example_account(), kExampleTime, crypto::sha256(Bytes()), request);
  EXPECT_EQ(request.headers.at("authorization"), first);
  sign_request(example_account(), kExampleTime + 1, crypto::sha256(Bytes()), request);
  EXPECT_NE(request.headers.at("authorization"), first);
}

TEST(CanonicalQuery, IsEncodedThenSorted) {
  // "a-" encodes to itself and "a/" to "a%2F": the order of the encoded names, not of the bytes.
  EXPECT_EQ(canonical_query({{"b", "2"}, {"a/", ""}, {"a-", "x y"}, {"b", "1+"}}),
            "a%2F=&a-=x%20y&b=1%2B&b=2");
  EXPECT_EQ(canonical_query({}), "");
}

TEST(AmzDate, IsUtcWithoutPunctuation) {
  EXPECT_EQ(amz_date(0), "19700101T000000Z");
  EXPECT_EQ(amz_date(kExampleTime), "20130524T000000Z");
  EXPECT_EQ(amz_date(1709251199), "20240229T235959Z");
}

}  // namespace
}  // namespace aftune::object
