// SPDX-License-Identifier: Apache-2.0
// A bucket's prefix as a folder: docs/formats/object-storage.md.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "aftune/base/remote_folder.h"
#include "aftune/object/s3_client.h"
#include "aftune/object/s3_url.h"

namespace aftune::object {

/// Object Lock of what is put to be kept.
struct LockRule {
  enum class Mode : std::uint8_t { kGovernance, kCompliance };
  Mode mode = Mode::kGovernance;
  std::string until;  // "2027-01-31T00:00:00Z"
};

class S3Folder final : public RemoteFolder {
 public:
  S3Folder(S3Url url, S3Client client) : url_(std::move(url)), client_(std::move(client)) {}

  /// From now on put() locks what is to be kept.
  /// Errors: kInvalidInput if the bucket has no Object Lock.
  Status lock_from_now_on(LockRule rule);

  [[nodiscard]] std::string description() const override { return url_.text(); }
  Result<std::vector<File>> list() override;
  Status fetch(const std::string& name, std::uint64_t limit_bytes, const Path& target) override;
  Result<ByteBuffer> read_head(const std::string& name, std::size_t count) override;
  Status put(const std::string& name, Bytes content, Keep keep) override;

  static constexpr std::size_t kPartBytes = std::size_t{16} << 20;

 private:
  [[nodiscard]] std::string key_of(const std::string& name) const {
    return url_.key_start() + name;
  }
  [[nodiscard]] std::map<std::string, std::string> lock_headers(Keep keep) const;
  Status put_whole(const std::string& key, Bytes content, Keep keep);
  Status put_in_parts(const std::string& key, Bytes content, Keep keep);
  Status end_parts(const std::string& key, const std::string& upload, Bytes content);
  /// The body that ends the upload.
  Result<std::string> put_parts(const std::string& key, const std::string& upload, Bytes content);
  /// Adds a page to `files`; the token of the next page, or nothing.
  Result<std::string> list_page(const std::string& token, std::vector<File>& files);

  S3Url url_;
  std::optional<LockRule> lock_;
  std::mutex mutex_;  // the client takes one request at a time
  S3Client client_;
};

/// What `aftune` makes of a URL, the environment and its flags.
/// Errors: those of parse_s3_url and read_account; kUnsupported without libcurl.
Result<std::unique_ptr<S3Folder>> open_s3_folder(std::string_view url,
                                                 const Environment& environment,
                                                 double give_up_seconds);

}  // namespace aftune::object
