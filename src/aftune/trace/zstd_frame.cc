// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/zstd_frame.h"

// For ZSTD_c_literalCompressionMode, a wish: where a zstd does not know it, frames are larger.
#define ZSTD_STATIC_LINKING_ONLY
#include <fmt/format.h>
#include <zstd.h>

#include "aftune/base/check.h"

namespace aftune::trace {
namespace {

constexpr int kTextLevel = 3;
/// Bytes that the search for repeats leaps over: it finds runs and little else.
constexpr int kLeap = 64;

struct FreeCompression {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompression {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Compression = std::unique_ptr<ZSTD_CCtx, FreeCompression>;

Compression make_compression(FrameKind kind) {
  Compression out(ZSTD_createCCtx());
  AFTUNE_CHECK(out != nullptr, "zstd has no memory");
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    (void)ZSTD_CCtx_setParameter(out.get(), parameter, value);
  };
  if (kind == FrameKind::kText) {
    set(ZSTD_c_compressionLevel, kTextLevel);
    return out;
  }
  set(ZSTD_c_compressionLevel, 1);
  set(ZSTD_c_strategy, ZSTD_fast);
  set(ZSTD_c_targetLength, kLeap);
  set(ZSTD_c_minMatch, 7);
  set(ZSTD_c_hashLog, 8);
  set(ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
  return out;
}

}  // namespace

struct ZstdFrames::State {
  Compression text, symbols;  // made when first used
  std::unique_ptr<ZSTD_DCtx, FreeDecompression> decompression;
};

ZstdFrames::ZstdFrames() : state_(std::make_unique<State>()) {}
ZstdFrames::~ZstdFrames() = default;
ZstdFrames::ZstdFrames(ZstdFrames&&) noexcept = default;

std::size_t ZstdFrames::compress(Bytes plain, FrameKind kind, ByteBuffer& out) {
  if (plain.empty()) return 0;
  Compression& context = kind == FrameKind::kText ? state_->text : state_->symbols;
  if (context == nullptr) context = make_compression(kind);
  const std::size_t before = out.size();
  out.resize(before + plain.size() - 1);  // a frame that does not fit is not wanted
  const std::size_t size = ZSTD_compress2(context.get(), out.data() + before, plain.size() - 1,
                                          plain.data(), plain.size());
  const std::size_t taken = ZSTD_isError(size) != 0 ? 0 : size;
  out.resize(before + taken);
  return taken;
}

Status ZstdFrames::decompress(Bytes frame, std::span<std::uint8_t> out) {
  if (state_->decompression == nullptr) state_->decompression.reset(ZSTD_createDCtx());
  AFTUNE_CHECK(state_->decompression != nullptr, "zstd has no memory");
  const std::size_t length = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(length) != 0 || length != frame.size()) {
    return Error{Code::kCorrupt, fmt::format("{} bytes are not one zstd frame", frame.size())};
  }
  const std::size_t size = ZSTD_decompressDCtx(state_->decompression.get(), out.data(), out.size(),
                                               frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) {
    return Error{Code::kCorrupt, fmt::format("a zstd frame of {} bytes for {}: {}", frame.size(),
                                             out.size(), ZSTD_getErrorName(size))};
  }
  if (size != out.size()) {
    return Error{Code::kCorrupt,
                 fmt::format("a zstd frame holds {} bytes, its place has {}", size, out.size())};
  }
  return ok();
}

}  // namespace aftune::trace
