// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "aftune/base/check.h"

namespace aftune::codec {
namespace {

Error refused(std::string_view reason, std::size_t at) {
  return {Code::kInvalidInput, fmt::format("json text: {} at byte {}", reason, at)};
}

// Tells how far the parser has read: its callbacks for values do not.
class TrackedIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  TrackedIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  TrackedIterator operator++(int) {
    const TrackedIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const TrackedIterator& a, const TrackedIterator& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const TrackedIterator& a, const TrackedIterator& b) { return !(a == b); }

 private:
  const char* at_;
  const char** furthest_;
};

// Builds a Json from the parser's events. Each event answers whether to go on.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view text, const JsonLimits& limits)
      : begin_(text.data()), furthest_(text.data()), size_(text.size()), limits_(limits) {}

  TrackedIterator at_begin() { return {begin_, &furthest_}; }
  TrackedIterator at_end() { return {begin_ + size_, &furthest_}; }

  Result<Json> take(bool parsed) && {
    if (parsed && open_.empty()) return std::move(root_);
    return refused(reason_.empty() ? "no value" : reason_, reason_at_);
  }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override {
    // The parser takes only "-0" for a signed zero.
    if (value == 0) return add(-0.0);
    return value < -kMaxJsonInteger ? add(static_cast<double>(value)) : add(std::int64_t{value});
  }
  bool number_unsigned(number_unsigned_t value) override {
    return value > static_cast<std::uint64_t>(kMaxJsonInteger) ? add(static_cast<double>(value))
                                                               : add(std::uint64_t{value});
  }
  bool number_float(number_float_t value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return stop("binary value"); }
  bool start_object(std::size_t) override { return start(Json::Object()); }
  bool end_object() override { return end(); }
  bool start_array(std::size_t) override { return start(Json::Array()); }
  bool end_array() override { return end(); }
  bool key(std::string& name) override {
    if (open_.back()->object()->contains(name)) return stop("a second member of the same name");
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t read, const std::string&,
                   const nlohmann::json::exception& why) override {
    // The library's text names no byte of the input between " - " and the first semicolon.
    const std::string_view what = why.what();
    const std::size_t from = what.find(" - ");
    reason_ = from == std::string_view::npos
                  ? "a number out of range"
                  : what.substr(from + 3, what.find(';', from) - from - 3);
    reason_at_ = std::min(read == 0 ? 0 : read - 1, size_);
    return false;
  }

 private:
  bool stop(std::string_view reason) {
    reason_ = reason;
    reason_at_ = static_cast<std::size_t>(furthest_ - begin_);
    return false;
  }

  // Puts the value where it belongs; `placed_` is where it stays.
  bool add(Json value) {
    if (++value_count_ > limits_.values) {
      return stop(fmt::format("more than {} values", limits_.values));
    }
    if (open_.empty()) {
      root_ = std::move(value);
      placed_ = &root_;
    } else if (Json::Array* array = open_.back()->array()) {
      placed_ = &array->emplace_back(std::move(value));
    } else {
      placed_ = &open_.back()->object()->emplace(std::move(name_), std::move(value)).first->second;
    }
    return true;
  }

  bool start(Json container) {
    if (open_.size() >= limits_.depth) {
      return stop(fmt::format("more than {} levels", limits_.depth));
    }
    if (!add(std::move(container))) return false;
    open_.push_back(placed_);
    return true;
  }

  bool end() {
    open_.pop_back();
    return true;
  }

  const char* begin_;
  const char* furthest_;
  std::size_t size_;
  JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;  // no parent grows while a child of it is open: pointers stay valid
  Json* placed_ = nullptr;
  std::string name_;
  std::uint64_t value_count_ = 0;
  std::string reason_;
  std::size_t reason_at_ = 0;
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// What no canonical document holds, or null.
const char* first_non_canonical(const Json& value) {
  if (value.real() != nullptr) return "a number that is no integer within +-2^53";
  if (const auto* array = value.array()) {
    for (const Json& element : *array) {
      if (const char* found = first_non_canonical(element)) return found;
    }
  } else if (const auto* object = value.object()) {
    for (const auto& [name, member] : *object) {
      if (!is_ascii(name)) return "a name that is not ASCII";
      if (const char* found = first_non_canonical(member)) return found;
    }
  }
  return nullptr;
}

}  // namespace

std::int64_t Json::checked(std::int64_t value) {
  AFTUNE_CHECK(value >= -kMaxJsonInteger && value <= kMaxJsonInteger, "integer beyond +-2^53");
  return value;
}

std::int64_t Json::checked(std::uint64_t value) {
  AFTUNE_CHECK(value <= static_cast<std::uint64_t>(kMaxJsonInteger), "integer beyond 2^53");
  return static_cast<std::int64_t>(value);
}

const Json* Json::find(std::string_view name) const {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  const auto found = members->find(name);
  return found == members->end() ? nullptr : &found->second;
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("json text has {} bytes, the limit is {}", text.size(), limits.bytes)};
  }
  // The library skips a byte order mark, and takes a zero byte for the end of the text.
  if (text.starts_with("\xEF\xBB\xBF")) return refused("a byte order mark", 0);
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return refused("a zero byte", zero);
  }
  Builder builder(text, limits);
  const bool parsed = nlohmann::json::sax_parse(builder.at_begin(), builder.at_end(), &builder);
  return std::move(builder).take(parsed);
}

Result<Json> parse_canonical_json(std::string_view text, const JsonLimits& limits) {
  AFTUNE_TRY(Json value, parse_json(text, limits));
  if (const char* found = first_non_canonical(value)) {
    return Error{Code::kInvalidInput, fmt::format("json text is not canonical: {}", found)};
  }
  const std::string spelt = canonical_json(value);
  if (spelt != text) {
    const auto at = std::mismatch(text.begin(), text.end(), spelt.begin(), spelt.end()).first;
    return refused("another than the canonical spelling",
                   static_cast<std::size_t>(at - text.begin()));
  }
  return value;
}

}  // namespace aftune::codec
