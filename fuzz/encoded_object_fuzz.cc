// SPDX-License-Identifier: Apache-2.0
// A file of the store: one byte that says which encoding its name has, then the file. The base of a
// delta is a fixed pattern.
#include <cstring>

#include "aftune/trace/encoded_object.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{1} << 20;

ByteBuffer start_of(const trace::ObjectHeader& header) {
  ByteBuffer out(header.size);
  if (header.encoding != trace::Encoding::kDelta) return out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 37 >> 3);
  return out;
}

/// The header and what follows it, decoded; nothing if the file is refused.
Result<ByteBuffer> decode(const Path& path, trace::Encoding encoding, trace::ObjectHeader& header) {
  AFTUNE_TRY(FileReader file, FileReader::open(path));
  std::array<std::uint8_t, trace::kObjectHeaderBytes> head{};
  AFTUNE_TRY(file.read(head));
  AFTUNE_TRY(header, trace::decode_header(head, encoding));
  AFTUNE_CHECK(trace::encode_header(header) == head, "a second spelling of a header");
  if (header.size > kLimit) return Error{Code::kInvalidInput, "large"};
  ByteBuffer out = start_of(header);
  AFTUNE_TRY(trace::decode_object(header, file, nullptr, out));
  return out;
}

}  // namespace

bool decode_one(Bytes input) {
  constexpr trace::Encoding kNames[] = {trace::Encoding::kZst, trace::Encoding::kPlanes,
                                        trace::Encoding::kDelta, trace::Encoding::kHalves,
                                        trace::Encoding::kRaw};
  const trace::Encoding encoding = kNames[take_byte(input) % 5];
  trace::ObjectHeader header;
  const auto plain = decode(put_scratch("object", input), encoding, header);
  if (!plain) return false;
  ByteBuffer again;
  const Status done =
      trace::encode_object(header, *plain, start_of(header), nullptr, [&again](Bytes piece) {
        append(again, piece);
        return ok();
      });
  AFTUNE_CHECK(done.has_value(), "what was decoded cannot be encoded");
  const auto back = decode(put_scratch("object", again), encoding, header);
  AFTUNE_CHECK(back && *back == *plain, "another object after encoding and decoding");
  return true;
}

}  // namespace aftune::fuzz
