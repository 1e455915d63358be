// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/internal/gunzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace aftune::image {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr int kGzipOnly = 15 + 16;  // the largest window, and a gzip header

/// Ends the stream whatever happens.
class Inflater {
 public:
  Inflater() : ready_(inflateInit2(&stream, kGzipOnly) == Z_OK) {}
  ~Inflater() {
    if (ready_) inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  [[nodiscard]] bool ready() const { return ready_; }

  z_stream stream = {};

 private:
  bool ready_;
};

}  // namespace

Result<ByteBuffer> gunzip(Bytes file, std::uint64_t limit_bytes) {
  if (file.size() > std::numeric_limits<uInt>::max()) {
    return Error{Code::kInvalidInput, fmt::format("{} bytes packed are too many", file.size())};
  }
  Inflater inflater;
  if (!inflater.ready()) return Error{Code::kUnavailable, "no memory to unpack gzip"};
  z_stream& stream = inflater.stream;
  stream.next_in = const_cast<Bytef*>(file.data());  // zlib does not write there
  stream.avail_in = static_cast<uInt>(file.size());
  ByteBuffer out;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const std::size_t before = out.size();
    if (before > limit_bytes) {
      return Error{Code::kInvalidInput, fmt::format("more than {} bytes unpacked", limit_bytes)};
    }
    out.resize(before + kPieceBytes);
    stream.next_out = out.data() + before;
    stream.avail_out = kPieceBytes;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + kPieceBytes - stream.avail_out);
    if (state != Z_OK && state != Z_STREAM_END) {
      return Error{Code::kInvalidInput, "damaged or cut gzip data"};
    }
  }
  if (stream.avail_in != 0) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} bytes behind the gzip data", stream.avail_in)};
  }
  return out;
}

}  // namespace aftune::image
