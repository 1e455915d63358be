// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or the reason there is none.
//
// Errors are for things that go wrong outside this program: bytes, files, peers, numbers that
// leave the finite range. A broken caller is a bug and aborts (AFTUNE_CHECK). A lie of the other
// side is an answer, not an error: it is a finding of a verdict (aftune/audit/verdict.h).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace aftune {

enum class Code : std::uint8_t {
  kInvalidInput,  // bytes or flags that break a documented rule; retrying cannot help
  kNotFound,      // the named object does not exist
  kCorrupt,       // stored bytes do not match their digest
  kUnavailable,   // disk, device or peer; the same call may work later
  kUnsupported,   // a version, dtype or platform that this build does not know
  kNonFinite,     // the computation left the finite numbers; a run answers with an abort entry
};

/// Why an operation produced no value. `what` is for people: lower case, no full stop, names the
/// thing and both numbers ("leaf index 9, tree has 8 leaves"). Programs branch on `code`.
struct [[nodiscard]] Error {
  Code code;
  std::string what;

  /// The same error seen from one level up: "open store: read manifest: no such file".
  [[nodiscard]] Error in(std::string outer) && {
    return {code, std::move(outer) + ": " + std::move(what)};
  }
};

/// Of bytes or flags that break a documented rule.
inline Error invalid_input(std::string what) { return {Code::kInvalidInput, std::move(what)}; }

/// Shaped like std::expected, so that C++23 can replace it by an alias.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return v_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Requires: has_value().
  T& operator*() & { return std::get<0>(v_); }
  const T& operator*() const& { return std::get<0>(v_); }
  T&& operator*() && { return std::get<0>(std::move(v_)); }
  T* operator->() { return &std::get<0>(v_); }
  const T* operator->() const { return &std::get<0>(v_); }

  /// Requires: !has_value().
  const Error& error() const& { return std::get<1>(v_); }
  Error&& error() && { return std::get<1>(std::move(v_)); }

  /// This result with `outer` put before an error's text.
  [[nodiscard]] Result in(std::string outer) && {
    if (has_value()) return std::move(*this);
    return std::get<1>(std::move(v_)).in(std::move(outer));
  }

 private:
  std::variant<T, Error> v_;
};

struct Unit {};
using Status = Result<Unit>;  // nothing to return but the reason of a failure

inline Status ok() { return Unit{}; }

}  // namespace aftune

/// `AFTUNE_TRY(auto root, read_root(path));` takes the value, or leaves with the error.
/// `AFTUNE_TRY(write(path));` goes on, or leaves with the error.
#define AFTUNE_TRY(...)                                                              \
  AFTUNE_TRY_PICK(__VA_ARGS__, AFTUNE_TRY_VALUE, AFTUNE_TRY_VALUE, AFTUNE_TRY_VALUE, \
                  AFTUNE_TRY_VALUE, AFTUNE_TRY_VALUE, AFTUNE_TRY_STATUS, )           \
  (__VA_ARGS__)
#define AFTUNE_TRY_PICK(a1, a2, a3, a4, a5, a6, name, ...) name
#define AFTUNE_TRY_STATUS(expr)                                          \
  do {                                                                   \
    auto aftune_try_status = (expr);                                     \
    if (!aftune_try_status) return std::move(aftune_try_status).error(); \
  } while (false)
#define AFTUNE_TRY_VALUE(decl, ...) \
  AFTUNE_TRY_IMPL(AFTUNE_CONCAT(aftune_try_, __COUNTER__), decl, __VA_ARGS__)
#define AFTUNE_TRY_IMPL(tmp, decl, ...)    \
  auto tmp = (__VA_ARGS__);                \
  if (!tmp) return std::move(tmp).error(); \
  decl = *std::move(tmp)
#define AFTUNE_CONCAT(a, b) AFTUNE_CONCAT_IMPL(a, b)
#define AFTUNE_CONCAT_IMPL(a, b) a##b
