// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/patience.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "aftune/base/random.h"

namespace aftune::object {

Waiting real_waiting() {
  return {
      [] {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return std::chrono::duration<double>(now).count();
      },
      [](double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); },
      [] {
        const ByteBuffer bytes = random_bytes(4);
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        return static_cast<double>(word) / 4294967296.0;
      }};
}

bool Patience::wait_again() {
  ++failures_;
  const double left = start_ + give_up_seconds_ - waiting_.now();
  if (left <= 0) return false;
  const double doubled =
      std::ldexp(kFirstSeconds, static_cast<int>(std::min<std::uint64_t>(failures_, 30)));
  waiting_.wait(std::min({waiting_.random() * std::min(kLongestSeconds, doubled), left}));
  return true;
}

}  // namespace aftune::object
