// SPDX-License-Identifier: Apache-2.0
#include "finished_run.h"

#include "aftune/trace/entry.h"

namespace aftune::liar {

void flip_bit(const Path& file, std::uint64_t byte, unsigned bit) {
  must(attack::flip_bit(file, byte, bit));
}

void replace(const Path& file, std::string_view text) { must(write_file(file, as_bytes(text))); }

trace::RunFolder shown_as(const World& practised, const World& shown) {
  FinishedRun run(practised, practised.copy_of_honest_run());
  run.entries[0] = trace::encode_entry(0, {}, shown.contract().digest());
  run.sign(shown);
  return run.folder();
}

}  // namespace aftune::liar
