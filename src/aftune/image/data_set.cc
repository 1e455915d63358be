// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "aftune/image/idx.h"
#include "aftune/image/picture.h"
#include "aftune/image/resize.h"

namespace aftune::image {
namespace {

constexpr std::uint64_t kMaxRowBytes = std::uint64_t{1} << 20;  // of a data set's row

Status append_row(StagedFile& file, Image image, std::uint32_t label, const Shaping& shaping) {
  AFTUNE_TRY(Image made, shaped(std::move(image), shaping));
  const std::string row = spell_row({std::move(made), label}) + "\n";
  if (row.size() > kMaxRowBytes + 1) {
    return invalid_input(
        fmt::format("a row of {} bytes, at most {} are allowed: give a smaller size",
                    row.size() - 1, kMaxRowBytes));
  }
  return file.append(as_bytes(row));
}

Status check_pair(const Idx& images, const Idx& labels) {
  if (images.extents.size() < 3) {
    return invalid_input(
        fmt::format("images have {} axes, needed are 3 or 4", images.extents.size()));
  }
  if (labels.extents.size() != 1) {
    return invalid_input(fmt::format("classes have {} axes, needed is 1", labels.extents.size()));
  }
  if (images.extents[0] != labels.extents[0]) {
    return invalid_input(
        fmt::format("{} images and {} classes", images.extents[0], labels.extents[0]));
  }
  if (images.extents[0] == 0) return invalid_input("0 images, at least 1 is needed");
  const std::size_t last = images.extents.size() - 1;
  for (std::size_t i = last - 1; i <= last; ++i) {
    if (images.extents[i] >= 1 && images.extents[i] <= kMaxSide) continue;
    return invalid_input(
        fmt::format("a side of {} pixels, 1 to {} are allowed", images.extents[i], kMaxSide));
  }
  if (last == 2 || (images.extents[1] >= 1 && images.extents[1] <= kMaxChannels)) return ok();
  return invalid_input(
      fmt::format("{} channels, 1 to {} are allowed", images.extents[1], kMaxChannels));
}

/// Names in a folder, ascending by bytes. Hidden ones are left out.
Result<std::vector<std::string>> names_in(const Path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  auto it = std::filesystem::directory_iterator(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with('.')) names.push_back(std::move(name));
  }
  if (error) {
    return Error{Code::kNotFound, fmt::format("{}: {}", folder.string(), error.message())};
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

Result<Image> shaped(Image image, const Shaping& shaping) {
  if (shaping.center) image = center_square(image);
  const bool made = image.channels == 1 || (image.channels == 3 && shaping.channels == 1);
  if (shaping.channels != 0 && shaping.channels != image.channels && !made) {
    return Error{Code::kUnsupported, fmt::format("{} channels of an image that has {}",
                                                 shaping.channels, image.channels)};
  }
  if (shaping.channels != 0) image = with_channels(image, shaping.channels);
  if (shaping.side != 0) image = resize(image, shaping.side, shaping.side);
  return image;
}

Result<std::uint64_t> write_idx_rows(const Path& images, const Path& labels, const Shaping& shaping,
                                     std::uint64_t limit, const Path& out) {
  AFTUNE_TRY(const Idx pictures, read_idx(images));
  AFTUNE_TRY(const Idx classes, read_idx(labels));
  AFTUNE_TRY(check_pair(pictures, classes).in(images.string()));
  const auto& extents = pictures.extents;
  Image image{
      extents.size() == 3 ? 1 : extents[1], extents[extents.size() - 2], extents.back(), {}};
  const std::size_t size = std::size_t{image.channels} * image.height * image.width;
  const std::uint64_t count = limit == 0 ? extents[0] : std::min<std::uint64_t>(limit, extents[0]);
  AFTUNE_TRY(StagedFile file, StagedFile::create(out));
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes pixels = Bytes(pictures.bytes).subspan(i * size, size);
    image.pixels.assign(pixels.begin(), pixels.end());
    AFTUNE_TRY(append_row(file, image, classes.bytes[i], shaping).in(fmt::format("image {}", i)));
  }
  AFTUNE_TRY(std::move(file).commit_new());
  return count;
}

Result<FolderRows> write_folder_rows(const Path& folder, const Shaping& shaping, const Path& out) {
  FolderRows made;
  AFTUNE_TRY(made.classes, names_in(folder));
  if (made.classes.empty()) return invalid_input(folder.string() + " has no folder of a class");
  AFTUNE_TRY(StagedFile file, StagedFile::create(out));
  for (std::uint32_t label = 0; label < made.classes.size(); ++label) {
    const Path of_class = folder / made.classes[label];
    AFTUNE_TRY(const std::vector<std::string> names, names_in(of_class));
    if (names.empty()) return invalid_input(of_class.string() + " has no image");
    for (const std::string& name : names) {
      AFTUNE_TRY(Image image, read_picture(of_class / name));
      AFTUNE_TRY(append_row(file, std::move(image), label, shaping).in((of_class / name).string()));
      ++made.rows;
    }
  }
  AFTUNE_TRY(std::move(file).commit_new());
  return made;
}

}  // namespace aftune::image
