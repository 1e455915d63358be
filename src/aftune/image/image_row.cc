// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/image_row.h"

#include <fmt/format.h>

#include "aftune/codec/base64.h"
#include "aftune/codec/json.h"

namespace aftune::image {
namespace {

using codec::Json;

constexpr codec::JsonLimits kRowLimits{std::uint64_t{1} << 20, 32, std::uint64_t{1} << 20};

Result<std::uint32_t> read_count(const Json& row, std::string_view name, std::uint32_t min,
                                 std::uint32_t max) {
  const Json* value = row.find(name);
  const auto* integer = value == nullptr ? nullptr : value->integer();
  if (integer == nullptr || *integer < min || *integer > max) {
    return Error{Code::kInvalidInput,
                 fmt::format("member \"{}\" is {}", name,
                             value == nullptr ? std::string("missing")
                                              : fmt::format("no integer from {} to {}", min, max))};
  }
  return static_cast<std::uint32_t>(*integer);
}

Result<ByteBuffer> read_pixels(const Json& row, std::uint64_t count) {
  const Json* value = row.find("pixels");
  if (value == nullptr || value->string() == nullptr) {
    return Error{Code::kInvalidInput,
                 fmt::format("member \"pixels\" is {}", value ? "no string" : "missing")};
  }
  AFTUNE_TRY(ByteBuffer pixels, codec::from_base64(*value->string()).in("member \"pixels\""));
  if (pixels.size() == count) return pixels;
  return Error{Code::kInvalidInput,
               fmt::format("member \"pixels\" has {} bytes, the image {}", pixels.size(), count)};
}

}  // namespace

Result<ImageRow> parse_row(std::string_view row) {
  AFTUNE_TRY(const Json json, codec::parse_json(row, kRowLimits));
  if (!json.object()) return Error{Code::kInvalidInput, "no JSON object"};
  ImageRow out;
  Image& image = out.image;
  AFTUNE_TRY(image.channels, read_count(json, "channels", 1, kMaxChannels));
  AFTUNE_TRY(image.height, read_count(json, "height", 1, kMaxSide));
  AFTUNE_TRY(image.width, read_count(json, "width", 1, kMaxSide));
  AFTUNE_TRY(out.label, read_count(json, "label", 0, kMaxClass));
  AFTUNE_TRY(image.pixels,
             read_pixels(json, std::uint64_t{image.channels} * image.height * image.width));
  return out;
}

std::string spell_row(const ImageRow& row) {
  return fmt::format(R"({{"channels":{},"height":{},"label":{},"pixels":"{}","width":{}}})",
                     row.image.channels, row.image.height, row.label,
                     codec::to_base64(row.image.pixels), row.image.width);
}

}  // namespace aftune::image
