// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "aftune/codec/base64.h"
#include "aftune/crypto/sha256.h"
#include "aftune/object/xml.h"

namespace aftune::object {
namespace {

constexpr std::size_t kMaxNames = std::size_t{1} << 22;
constexpr std::size_t kMaxKey = 1024;

/// An answer that a working server does not give.
Error malformed(std::string_view what) {
  return {Code::kUnavailable, fmt::format("the server's answer {}", what)};
}

Result<XmlElement> answered(const HttpAnswer& answer, std::string_view root_name) {
  Result<XmlElement> root = parse_xml(as_text(answer.body));
  if (!root) return malformed(fmt::format("cannot be read: {}", root.error().what));
  if (root->name != root_name) return malformed(fmt::format("is no {}", root_name));
  return root;
}

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

std::string completion(const std::vector<std::string>& etags) {
  std::string out = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    out += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                       xml_escaped(etags[i]));
  }
  return out + "</CompleteMultipartUpload>";
}

}  // namespace

Status S3Folder::lock_from_now_on(LockRule rule) {
  const std::lock_guard hold(mutex_);
  const auto answer = client_.send({"GET", "", {{"object-lock", ""}}});
  if (!answer && answer.error().code == Code::kUnavailable) return answer.error();
  if (!answer) {
    return Error{Code::kInvalidInput, fmt::format("bucket {} was not made with object lock: {}",
                                                  url_.bucket, answer.error().what)};
  }
  AFTUNE_TRY(const XmlElement root, answered(*answer, "ObjectLockConfiguration"));
  if (root.text_of("ObjectLockEnabled") != "Enabled") {
    return Error{Code::kInvalidInput,
                 fmt::format("bucket {} was not made with object lock", url_.bucket)};
  }
  lock_ = std::move(rule);
  return ok();
}

std::map<std::string, std::string> S3Folder::lock_headers(Keep keep) const {
  if (!lock_ || keep == Keep::kReplaceable) return {};
  const bool governance = lock_->mode == LockRule::Mode::kGovernance;
  return {{"x-amz-object-lock-mode", governance ? "GOVERNANCE" : "COMPLIANCE"},
          {"x-amz-object-lock-retain-until-date", lock_->until}};
}

Result<std::string> S3Folder::list_page(const std::string& token, std::vector<File>& files) {
  S3Request request{"GET", "", {{"list-type", "2"}, {"prefix", url_.key_start()}}};
  if (!token.empty()) request.query.emplace_back("continuation-token", token);
  AFTUNE_TRY(const HttpAnswer answer, client_.send(request));
  AFTUNE_TRY(const XmlElement root, answered(answer, "ListBucketResult"));
  for (const XmlElement& entry : root.children) {
    if (entry.name != "Contents") continue;
    const std::string key = entry.text_of("Key");
    const auto size = number_of(entry.text_of("Size"));
    if (!size || key.size() > kMaxKey || !key.starts_with(url_.key_start())) {
      return malformed("lists a key without size or prefix");
    }
    files.push_back({key.substr(url_.key_start().size()), *size});
  }
  if (files.size() > kMaxNames) return malformed(fmt::format("lists over {} keys", kMaxNames));
  if (root.text_of("IsTruncated") != "true") return std::string();
  std::string next = root.text_of("NextContinuationToken");
  if (next.empty() || next == token) return malformed("has no token of its next page");
  return next;
}

Result<std::vector<RemoteFolder::File>> S3Folder::list() {
  const std::lock_guard hold(mutex_);
  std::vector<File> out;
  std::string token;
  do {
    AFTUNE_TRY(token, list_page(token, out));
  } while (!token.empty());
  std::sort(out.begin(), out.end(), [](const File& a, const File& b) { return a.name < b.name; });
  return out;
}

Status S3Folder::fetch(const std::string& name, std::uint64_t limit_bytes, const Path& target) {
  const std::lock_guard hold(mutex_);
  std::optional<StagedFile> file;
  std::uint64_t taken = 0;
  const auto start = [&]() -> Result<TakePiece> {
    taken = 0;
    file.reset();  // what an earlier try left
    AFTUNE_TRY(StagedFile fresh, StagedFile::create(target));
    file.emplace(std::move(fresh));
    return TakePiece([&](Bytes piece) -> Status {
      taken += piece.size();
      if (taken <= limit_bytes) return file->append(piece);
      return Error{Code::kInvalidInput,
                   fmt::format("{} has more than {} bytes", key_of(name), limit_bytes)};
    });
  };
  AFTUNE_TRY(client_.send({"GET", key_of(name)}, start));
  return std::move(*file).commit();
}

Result<ByteBuffer> S3Folder::read_head(const std::string& name, std::size_t count) {
  const std::lock_guard hold(mutex_);
  ByteBuffer out;
  const auto start = [&]() -> Result<TakePiece> {
    out.clear();
    return TakePiece([&](Bytes piece) -> Status {
      append(out, piece.first(std::min(piece.size(), count - out.size())));
      return ok();
    });
  };
  S3Request request{"GET", key_of(name)};
  request.headers["range"] = fmt::format("bytes=0-{}", count - 1);
  AFTUNE_TRY(client_.send(request, start));
  return out;
}

Status S3Folder::put(const std::string& name, Bytes content, Keep keep) {
  const std::lock_guard hold(mutex_);
  const std::string key = key_of(name);
  return content.size() <= kPartBytes ? put_whole(key, content, keep)
                                      : put_in_parts(key, content, keep);
}

Status S3Folder::put_whole(const std::string& key, Bytes content, Keep keep) {
  S3Request request{"PUT", key, {}, lock_headers(keep), content, crypto::sha256(content)};
  request.headers["x-amz-checksum-sha256"] = codec::to_base64(request.body_sha256->bytes);
  AFTUNE_TRY(client_.send(request));
  return ok();
}

Status S3Folder::put_in_parts(const std::string& key, Bytes content, Keep keep) {
  AFTUNE_TRY(const HttpAnswer begun,
             client_.send({"POST", key, {{"uploads", ""}}, lock_headers(keep)}));
  AFTUNE_TRY(const XmlElement root, answered(begun, "InitiateMultipartUploadResult"));
  const std::string upload = root.text_of("UploadId");
  if (upload.empty()) return malformed("has no id of an upload");
  Status done = end_parts(key, upload, content);
  // Its parts cost room for ever; where the server is not to be reached, a rule of the bucket
  // removes them.
  if (!done && done.error().code != Code::kUnavailable) {
    static_cast<void>(client_.send({"DELETE", key, {{"uploadId", upload}}}));
  }
  return done;
}

Status S3Folder::end_parts(const std::string& key, const std::string& upload, Bytes content) {
  AFTUNE_TRY(const std::string etags, put_parts(key, upload, content));
  const auto ended = client_.send({"POST", key, {{"uploadId", upload}}, {}, as_bytes(etags)});
  if (ended) return ok();
  if (ended.error().code != Code::kNotFound) return ended.error();
  // An answer that got lost: the upload is not there any more because it is done.
  const auto there = client_.send({"HEAD", key});
  if (there && there->header("content-length") == std::to_string(content.size())) return ok();
  return ended.error();
}

Result<std::string> S3Folder::put_parts(const std::string& key, const std::string& upload,
                                        Bytes content) {
  std::vector<std::string> etags;
  while (!content.empty()) {
    const Bytes part = content.first(std::min(content.size(), kPartBytes));
    const std::string number = std::to_string(etags.size() + 1);
    AFTUNE_TRY(
        const HttpAnswer answer,
        client_.send({"PUT", key, {{"partNumber", number}, {"uploadId", upload}}, {}, part}));
    if (answer.header("etag").empty()) return malformed("to a part has no ETag");
    etags.push_back(answer.header("etag"));
    content = content.subspan(part.size());
  }
  return completion(etags);
}

Result<std::unique_ptr<S3Folder>> open_s3_folder(std::string_view url,
                                                 const Environment& environment,
                                                 double give_up_seconds) {
  AFTUNE_TRY(S3Url place, parse_s3_url(url));
  AFTUNE_TRY(Account account, read_account(environment));
  HttpLimits limits;
  limits.ca_bundle = account.ca_bundle;
  AFTUNE_TRY(auto http, make_http(std::move(limits)));
  S3Client client(
      std::move(account), place.bucket, std::move(http), real_waiting(),
      [] { return static_cast<std::int64_t>(std::time(nullptr)); }, give_up_seconds);
  return std::make_unique<S3Folder>(std::move(place), std::move(client));
}

}  // namespace aftune::object
