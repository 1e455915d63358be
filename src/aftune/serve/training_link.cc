// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/training_link.h"

#include <fmt/format.h>

#include "aftune/tlog/tiles.h"
#include "aftune/tlog/tlog_proof.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"
#include "aftune/trace/store.h"
#include "aftune/trace/timeline.h"

namespace aftune::serve {

Result<TrainingLink> link_to_training(const trace::Contract& contract,
                                      const trace::RunFolder& run) {
  AFTUNE_TRY(const tlog::LogReading log, tlog::read_log(run.log(), contract.log_key()));
  const trace::Timeline timeline(contract);
  if (log.entries.size() != timeline.entry_count()) {
    return Error{Code::kInvalidInput,
                 fmt::format("the run has {} entries, a closed one of its contract {}",
                             log.entries.size(), timeline.entry_count())};
  }
  const std::uint64_t position = timeline.position_of_close();
  AFTUNE_TRY(const Digest list,
             trace::decode_entry(log.entries[position], position, timeline.at(position)));
  AFTUNE_TRY(const trace::Store store,
             trace::Store::open(run.store(), trace::Store::Open::kExisting));
  AFTUNE_TRY(const ByteBuffer close, store.get(list, trace::kMaxListBytes));
  tlog::TlogProof proof;
  proof.index = position;
  AFTUNE_TRY(proof.path, tlog::inclusion_proof(log.leaf_hashes, position));
  proof.checkpoint_note = log.checkpoint_note;
  TrainingLink out{{contract.digest(), std::string(as_text(close)), tlog::encode_tlog_proof(proof)},
                   {}};
  if (contract.base_public) return out;
  AFTUNE_TRY(const std::string text, read_text_file(run.root_salt(), 4096));
  const std::string_view hex = std::string_view(text).substr(0, text.find('\n'));
  AFTUNE_TRY(out.root_salt, parse_digest(hex).in(run.root_salt().string()));
  return out;
}

}  // namespace aftune::serve
