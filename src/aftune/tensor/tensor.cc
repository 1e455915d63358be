// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/tensor.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/tensor/narrow.h"

namespace aftune {
namespace {

constexpr std::uint64_t kMaxTensorBytes = std::uint64_t{1} << 46;
constexpr std::uint64_t kMaxElementSize = 8;
constexpr std::size_t kAlignment = 64;

struct DtypeRow {
  Dtype dtype;
  std::size_t size;
  std::string_view name;
};

constexpr std::array<DtypeRow, 8> kDtypes{{{Dtype::kF32, 4, "F32"},
                                           {Dtype::kF16, 2, "F16"},
                                           {Dtype::kBF16, 2, "BF16"},
                                           {Dtype::kF64, 8, "F64"},
                                           {Dtype::kI32, 4, "I32"},
                                           {Dtype::kI64, 8, "I64"},
                                           {Dtype::kU8, 1, "U8"},
                                           {Dtype::kBool, 1, "BOOL"}}};

const DtypeRow& row_of(Dtype dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row;
  }
  AFTUNE_CHECK(false, "no such dtype");
  std::abort();
}

}  // namespace

std::size_t element_size(Dtype dtype) { return row_of(dtype).size; }

std::string_view dtype_name(Dtype dtype) { return row_of(dtype).name; }

std::optional<Dtype> dtype_of(std::string_view name) {
  for (const DtypeRow& row : kDtypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> element_count(const Shape& shape) {
  constexpr std::uint64_t kMaxCount = kMaxTensorBytes / kMaxElementSize;
  std::uint64_t product = 1;
  bool has_zero = false;
  for (const std::uint64_t extent : shape) {
    if (extent == 0) {
      has_zero = true;
    } else if (extent > kMaxCount / product) {
      return std::nullopt;
    } else {
      product *= extent;
    }
  }
  return has_zero ? 0 : product;
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

std::span<const float> TensorView::f32() const {
  AFTUNE_CHECK(dtype == Dtype::kF32, "f32() of a tensor of another dtype");
  AFTUNE_CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0,
               "f32() of bytes that are not aligned to 4");
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

void Tensor::Free::operator()(std::uint8_t* p) const {
  if (!borrowed) std::free(p);
}

std::uint8_t* Tensor::writable() const {
  AFTUNE_CHECK(!data_.get_deleter().borrowed, "a borrowed tensor is not written");
  return data_.get();
}

Tensor Tensor::unwritten(Dtype dtype, Shape shape) {
  const auto count = element_count(shape);
  AFTUNE_CHECK(count.has_value(), "a tensor over the limit of 2^46 bytes");
  Tensor out;
  out.dtype_ = dtype;
  out.shape_ = std::move(shape);
  out.count_ = *count;
  if (*count == 0) return out;
  const std::size_t size = *count * element_size(dtype);
  const std::size_t whole = (size + kAlignment - 1) / kAlignment * kAlignment;
  out.data_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kAlignment, whole)));
  if (out.data_ == nullptr) throw std::bad_alloc();
  return out;
}

Tensor::Tensor(Dtype dtype, Shape shape) : Tensor(unwritten(dtype, std::move(shape))) { clear(); }

Tensor Tensor::copy_of(const TensorView& view) {
  Tensor out = unwritten(view.dtype, view.shape);
  AFTUNE_CHECK(out.bytes().size() == view.bytes.size(),
               "a view whose bytes disagree with its shape");
  if (!view.bytes.empty()) std::memcpy(out.data_.get(), view.bytes.data(), view.bytes.size());
  return out;
}

Tensor Tensor::borrowed(const TensorView& view) {
  Tensor out;
  out.dtype_ = view.dtype;
  out.shape_ = view.shape;
  out.count_ = element_count(view.shape).value_or(0);
  AFTUNE_CHECK(out.count_ * element_size(view.dtype) == view.bytes.size(),
               "a view whose bytes disagree with its shape");
  // Never written through: writable() refuses it.
  out.data_ = {const_cast<std::uint8_t*>(view.bytes.data()), Free{true}};
  return out;
}

Tensor Tensor::clone() const {
  if (empty() && shape_.empty()) return {};
  return copy_of(view());
}

Bytes Tensor::bytes() const { return {data_.get(), count_ * element_size(dtype_)}; }

std::span<std::uint8_t> Tensor::mutable_bytes() {
  return {writable(), count_ * element_size(dtype_)};
}

std::span<const float> Tensor::f32() const {
  AFTUNE_CHECK(dtype_ == Dtype::kF32, "f32() of a tensor of another dtype");
  return {reinterpret_cast<const float*>(data_.get()), count_};
}

std::span<float> Tensor::f32() {
  AFTUNE_CHECK(dtype_ == Dtype::kF32, "f32() of a tensor of another dtype");
  return {reinterpret_cast<float*>(writable()), count_};
}

void Tensor::clear() {
  if (count_ > 0) std::memset(writable(), 0, count_ * element_size(dtype_));
}

Result<Tensor> to_f32(const TensorView& view) {
  if (view.dtype == Dtype::kF32) return Tensor::copy_of(view);
  if (!is_narrow(view.dtype)) {
    return Error{Code::kUnsupported,
                 "no conversion to F32 from " + std::string(dtype_name(view.dtype))};
  }
  Tensor out = Tensor::unwritten(Dtype::kF32, view.shape);
  AFTUNE_CHECK(view.bytes.size() == out.count() * 2, "a view whose bytes disagree with its shape");
  widen(view.dtype, view.bytes, out.f32());
  return out;
}

}  // namespace aftune
