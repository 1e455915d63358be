// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "aftune/base/check.h"

namespace aftune {

ByteBuffer random_bytes(std::size_t count) {
  ByteBuffer out(count);
  std::size_t have = 0;
  while (have < count) {
    const ssize_t got = ::getrandom(out.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    AFTUNE_CHECK(got > 0, "the operating system gave no random bytes");
    have += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace aftune
