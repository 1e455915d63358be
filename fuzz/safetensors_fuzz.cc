// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "aftune/tensor/safetensors.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

/// The canonical file of these tensors, as write_safetensors would write it.
ByteBuffer canonical_file(const SafetensorsFile& file) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, view] : file.tensors()) tensors.push_back({name, view});
  ByteBuffer out;
  append(out, as_bytes(safetensors_header(tensors)));
  for (const auto& [name, view] : file.tensors()) append(out, view.bytes);
  return out;
}

bool same_tensors(const SafetensorsFile& a, const SafetensorsFile& b) {
  return std::ranges::equal(a.tensors(), b.tensors(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.dtype == y.second.dtype &&
           x.second.shape == y.second.shape && std::ranges::equal(x.second.bytes, y.second.bytes);
  });
}

}  // namespace

bool decode_one(Bytes input) {
  const auto file = SafetensorsFile::parse(input);
  if (!file) return false;
  for (const auto& [name, view] : file->tensors()) {
    const auto count = element_count(view.shape);
    AFTUNE_CHECK(count && *count * element_size(view.dtype) == view.bytes.size(),
                 "bytes disagree with the shape");
    AFTUNE_CHECK(
        reinterpret_cast<std::uintptr_t>(view.bytes.data()) % element_size(view.dtype) == 0,
        "elements are not aligned");
    if (const auto floats = to_f32(view)) AFTUNE_CHECK(floats->count() == *count, "to_f32");
  }
  const ByteBuffer written = canonical_file(*file);
  const auto again = SafetensorsFile::parse(written);
  AFTUNE_CHECK(again && same_tensors(*file, *again), "the canonical file holds other tensors");
  AFTUNE_CHECK(canonical_file(*again) == written, "the canonical file has a second spelling");
  return true;
}

}  // namespace aftune::fuzz
