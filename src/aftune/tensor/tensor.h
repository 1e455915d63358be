// SPDX-License-Identifier: Apache-2.0
// Dense row-major arrays with a type and a shape: the owner and the borrowed view.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune {

/// Element types. The names are those of safetensors.
enum class Dtype : std::uint8_t { kF32, kF16, kBF16, kF64, kI32, kI64, kU8, kBool };

[[nodiscard]] std::size_t element_size(Dtype dtype);     // bytes
[[nodiscard]] std::string_view dtype_name(Dtype dtype);  // "F32", "BF16", ...
[[nodiscard]] std::optional<Dtype> dtype_of(std::string_view name);

using Shape = std::vector<std::uint64_t>;

/// The number of elements; empty if at 8 bytes an element they would pass 2^46 bytes. An extent
/// of zero does not hide others: their product has the same limit.
[[nodiscard]] std::optional<std::uint64_t> element_count(const Shape& shape);
/// "[4, 128, 576]".
[[nodiscard]] std::string to_string(const Shape& shape);

/// A borrowed dense tensor. Its bytes must outlive it.
struct TensorView {
  Dtype dtype = Dtype::kF32;
  Shape shape;
  Bytes bytes;

  /// Requires: dtype kF32.
  [[nodiscard]] std::span<const float> f32() const;
};

/// Owns 64-byte aligned elements, or borrows some to be read. Moves, does not copy silently: see
/// clone().
class Tensor {
 public:
  Tensor() = default;
  /// All bytes zero. Requires: element_count(shape) has a value.
  Tensor(Dtype dtype, Shape shape);
  static Tensor zeros(Shape shape) { return Tensor(Dtype::kF32, std::move(shape)); }
  /// For outputs that are written as a whole before anything is read: the bytes are unspecified.
  /// Requires: as above.
  static Tensor unwritten(Dtype dtype, Shape shape);
  /// A copy of `view`.
  static Tensor copy_of(const TensorView& view);
  /// The very bytes of `view`, which must outlive it; aligned as they are. To be read only: what
  /// would let them be written stops the process.
  static Tensor borrowed(const TensorView& view);

  /// What was moved from is empty.
  Tensor(Tensor&& other) noexcept
      : dtype_(other.dtype_),
        shape_(std::exchange(other.shape_, {})),
        count_(std::exchange(other.count_, 0)),
        data_(std::move(other.data_)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    dtype_ = other.dtype_;
    shape_ = std::exchange(other.shape_, {});
    count_ = std::exchange(other.count_, 0);
    data_ = std::move(other.data_);
    return *this;
  }

  [[nodiscard]] Tensor clone() const;
  [[nodiscard]] Dtype dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] std::span<std::uint8_t> mutable_bytes();
  [[nodiscard]] TensorView view() const { return {dtype_, shape_, bytes()}; }

  /// Requires: dtype kF32.
  [[nodiscard]] std::span<const float> f32() const;
  [[nodiscard]] std::span<float> f32();
  /// First element of f32(), for the calls of numerics.
  [[nodiscard]] const float* data() const { return f32().data(); }
  [[nodiscard]] float* data() { return f32().data(); }

  /// Sets all bytes to zero.
  void clear();

 private:
  struct Free {
    Free() : borrowed(false) {}
    explicit Free(bool is_borrowed) : borrowed(is_borrowed) {}
    bool borrowed;
    void operator()(std::uint8_t* p) const;
  };
  [[nodiscard]] std::uint8_t* writable() const;
  Dtype dtype_ = Dtype::kF32;
  Shape shape_;
  std::uint64_t count_ = 0;
  std::unique_ptr<std::uint8_t[], Free> data_;
};

/// The elements of `view` (kF32, kF16 or kBF16) as fp32, each exactly.
/// Errors: kUnsupported for other types.
Result<Tensor> to_f32(const TensorView& view);

}  // namespace aftune
