// SPDX-License-Identifier: Apache-2.0
// One chunk of an encoded object: docs/formats/store.md, "Encoded files".
#pragma once

#include <span>

#include "aftune/trace/encoding.h"
#include "aftune/trace/zstd_frame.h"

namespace aftune::trace {

/// Blocks of a chunk. Requires: not kRaw.
std::size_t block_count(Encoding encoding);

/// The lengths that stand before a chunk's blocks, each checked against what its block can have.
/// `head` is 4 bytes a block; `plain_bytes` what the chunk decodes to.
/// Returns: the bytes of all blocks together. Errors: kCorrupt.
Result<std::size_t> blocks_size(Encoding encoding, Bytes head, std::size_t plain_bytes);

/// Threads: one at a time.
class ChunkCodec {
 public:
  /// Appends the chunk of `plain` to `out`: lengths and blocks.
  /// Requires: 1 to kChunkBytes bytes; whole words of the encoding; `base` of the same size for
  /// kDelta.
  void encode(Form form, Bytes plain, Bytes base, ByteBuffer& out);

  /// Fills `plain` from `blocks`, whose lengths `head` gives and blocks_size() has taken.
  /// For kDelta `plain` holds the base's bytes at the start. Errors: kCorrupt; then `plain` holds
  /// anything.
  Status decode(Form form, Bytes head, Bytes blocks, std::span<std::uint8_t> plain);

 private:
  void add_block(Bytes plain, FrameKind kind, ByteBuffer& out, std::size_t head, std::size_t index);
  Status take_block(Bytes head, std::size_t index, Bytes& blocks, std::span<std::uint8_t> plain);
  void encode_planes(Bytes plain, ByteBuffer& out, std::size_t head);
  void encode_halves(Bytes plain, ByteBuffer& out, std::size_t head);
  void encode_delta(Scale scale, Bytes plain, Bytes base, ByteBuffer& out, std::size_t head);
  Status decode_planes(Bytes head, Bytes blocks, std::span<std::uint8_t> plain);
  Status decode_halves(Bytes head, Bytes blocks, std::span<std::uint8_t> plain);
  Status decode_delta(Scale scale, Bytes head, Bytes blocks, std::span<std::uint8_t> plain);

  ZstdFrames frames_;
  ByteBuffer scratch_;
};

}  // namespace aftune::trace
