// SPDX-License-Identifier: Apache-2.0
// One zstd frame at a time, of a size that both sides know.
#pragma once

#include <memory>
#include <span>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune::trace {

/// What a frame is made for.
enum class FrameKind : std::uint8_t {
  kText,     // repeats are looked for
  kSymbols,  // nothing but the frequency of bytes counts, and runs; several times as fast
};

/// Keeps what zstd allocates from frame to frame. Threads: one at a time.
class ZstdFrames {
 public:
  ZstdFrames();
  ~ZstdFrames();
  ZstdFrames(ZstdFrames&&) noexcept;
  ZstdFrames& operator=(ZstdFrames&&) = delete;

  /// Appends one frame of `plain` to `out`, or nothing if it is not shorter than `plain`.
  /// Returns: the bytes appended.
  std::size_t compress(Bytes plain, FrameKind kind, ByteBuffer& out);

  /// Fills `out` from the one frame that `frame` is.
  /// Errors: kCorrupt for anything else and for another size; nothing is written past `out`.
  Status decompress(Bytes frame, std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aftune::trace
