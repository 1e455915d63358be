// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/recorder.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/check.h"
#include "aftune/crypto/blake3.h"
#include "aftune/trace/model_root.h"
#include "aftune/trace/state_view.h"

namespace aftune::trace {
namespace {

/// Edges that wait to be hashed and written: bounds the memory of a disk that is too slow.
constexpr std::uint64_t kQueueBytes = std::uint64_t{512} << 20;

}  // namespace

Recorder::Recorder(const Contract& contract, const RunFolder& run, const crypto::PrivateKey& key,
                   Store store, tlog::LogWriter log, StoreEncoding encoding, Mirror* mirror)
    : contract_(contract),
      run_(run),
      timeline_(contract),
      salts_(key, contract.run_id),
      store_(std::move(store)),
      log_(std::move(log)),
      encoding_(encoding),
      mirror_(mirror),
      found_(log_.entries()),
      last_states_(timeline_.layer_blocks()),
      stored_states_(timeline_.layer_blocks()),
      state_tickets_(timeline_.layer_blocks(), 0),
      worker_(kQueueBytes) {}

Recorder::~Recorder() = default;

Result<std::unique_ptr<Recorder>> Recorder::open(const Contract& contract, const RunFolder& run,
                                                 const crypto::PrivateKey& key,
                                                 StoreEncoding encoding, Mirror* mirror) {
  AFTUNE_TRY(Store store, Store::open(run.store(), Store::Open::kCreate));
  AFTUNE_TRY(tlog::LogWriter log, tlog::LogWriter::open(run.log(), contract.origin(), key));
  // Killed after the last entry became durable and before it was signed: only this is left to do.
  const std::vector<std::string>& entries = log.entries();
  const bool ended = !entries.empty() && (entries.size() == Timeline(contract).entry_count() ||
                                          is_abort(entries.back()));
  if (ended && log.signed_size() < entries.size()) {
    AFTUNE_TRY(log.sign());
  }
  return std::unique_ptr<Recorder>(
      new Recorder(contract, run, key, std::move(store), std::move(log), encoding, mirror));
}

Status Recorder::commit(std::uint64_t position, const std::string& entry) {
  const std::uint64_t size = log_.entries().size();
  if (position < size) {
    if (log_.entries()[position] == entry) return ok();
    return Error{Code::kCorrupt,
                 fmt::format("entry {} ({}) was logged as {} and is now {}", position,
                             describe(timeline_.at(position)), log_.entries()[position], entry)};
  }
  AFTUNE_CHECK(position == size, "entries are recorded out of order");
  AFTUNE_TRY(sync_objects());
  return log_.append(entry);
}

Status Recorder::sync_objects() {
  AFTUNE_TRY(store_.sync());
  for (const Path& file : store_.take_settled()) {
    if (mirror_ != nullptr) AFTUNE_TRY(mirror_->add(file));
  }
  return ok();
}

Status Recorder::sign() {
  AFTUNE_TRY(log_.sign());
  return mirror_ != nullptr ? mirror_->add_log() : ok();
}

Status Recorder::commit_list(std::uint64_t position, const std::string& list) {
  const Digest digest = crypto::blake3(as_bytes(list));
  AFTUNE_TRY(store_.put(digest, as_bytes(list), hint_for_list()));
  return commit(position, encode_entry(position, timeline_.at(position), digest));
}

PutHint Recorder::hint_for_list() const {
  return {encoding_ == StoreEncoding::kAuto ? Content::kText : Content::kBytes, {}};
}

PutHint Recorder::hint_for(Dtype dtype) const {
  if (encoding_ != StoreEncoding::kAuto) return {};
  return {element_size(dtype) == 2 ? Content::kHalves : Content::kWords, {}};
}

PutHint Recorder::hint_for_state(std::uint32_t block, std::size_t index,
                                 const StateTensor& tensor) const {
  PutHint hint = hint_for(tensor.spec.dtype);
  // A first moment has little in common with an earlier one: docs/performance.md.
  if (tensor.role != Role::kFirst && index < stored_states_[block].size()) {
    hint.base = stored_states_[block][index];
  }
  return hint;
}

Status Recorder::sign_if_at(std::uint64_t size) {
  // A resumed log may be longer: the checkpoint over this size exists or is no longer needed.
  if (log_.entries().size() != size || log_.signed_size() >= size) return ok();
  return sign();
}

Status Recorder::post(std::uint64_t bytes, std::function<Status()> job) {
  Result<std::uint64_t> posted = worker_.post(bytes, std::move(job));
  if (!posted) return std::move(posted).error();
  return ok();
}

Status Recorder::drain() {
  AFTUNE_TRY(post(0, [this] { return store_.sync(); }));
  return worker_.drain();
}

Status Recorder::record_contract() {
  return post(0,
              [this] { return commit(0, encode_entry(0, timeline_.at(0), contract_.digest())); });
}

Status Recorder::take_state(std::uint32_t block, std::uint64_t step_block,
                            const train::BlockState& state) {
  StateList list{salts_.list_salt(timeline_.position_of_state(block, step_block)), {}};
  const auto tensors = state_tensors(contract_, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Bytes bytes = state_view(state, tensors[i]).bytes;
    const Digest digest = crypto::blake3(bytes);
    if (timeline_.stored(step_block)) {
      AFTUNE_TRY(store_.put(digest, bytes, hint_for_state(block, i, tensors[i])));
    }
    list.digests.push_back(digest);
  }
  if (timeline_.stored(step_block)) stored_states_[block] = list.digests;
  last_states_[block] = std::move(list);
  return ok();
}

Status Recorder::commit_states(std::uint64_t step_block) {
  for (std::uint32_t block = 0; block < timeline_.layer_blocks(); ++block) {
    AFTUNE_TRY(commit_list(timeline_.position_of_state(block, step_block),
                           encode_list(contract_, block, step_block, last_states_[block])));
  }
  return sign_if_at(timeline_.position_of_state(timeline_.layer_blocks() - 1, step_block) + 1);
}

Status Recorder::record_states(std::uint64_t step_block,
                               const std::vector<train::BlockState>& states) {
  // First take all blocks, which lets training go on, then wait for the disk.
  for (std::uint32_t block = 0; block < states.size(); ++block) {
    const train::BlockState* state = &states[block];
    AFTUNE_TRY(state_tickets_[block], worker_.post(0, [this, block, step_block, state] {
      return take_state(block, step_block, *state);
    }));
  }
  return post(0, [this, step_block] { return commit_states(step_block); });
}

Status Recorder::on_edge(const train::EdgeId& id, train::EdgeTensor tensor) {
  const std::uint64_t bytes = tensor->bytes().size();
  const bool stored = timeline_.edge_stored(id.edge);
  return post(bytes, [this, stored, tensor = std::move(tensor)] {
    const Digest digest = crypto::blake3(tensor->bytes());
    edges_.push_back(digest);
    return stored ? store_.put(digest, tensor->bytes(), hint_for(tensor->dtype())) : ok();
  });
}

Status Recorder::before_update(std::uint32_t block) {
  return worker_.wait_for(state_tickets_[block]);
}

Status Recorder::record_step(std::uint64_t step, std::vector<std::uint64_t> rows,
                             std::uint64_t counted, const train::StepOutcome& outcome) {
  const std::uint64_t position = timeline_.position_of_step(step);
  StepList list{salts_.list_salt(position),
                std::move(rows),
                counted,
                outcome.learning_rate,
                outcome.norm,
                outcome.clip,
                outcome.squares,
                outcome.losses,
                {}};
  return post(0, [this, step, position, list = std::move(list)]() mutable {
    list.edges = std::exchange(edges_, {});
    AFTUNE_CHECK(list.edges.size() == edge_places(contract_, step).size(), "edges of a step");
    return commit_list(position, encode_list(contract_, step, list));
  });
}

Result<Digest> Recorder::model_root(const TensorSpec& table, const Digest& table_digest,
                                    const std::optional<Digest>& salt) const {
  std::map<std::string, RootedTensor, std::less<>> tensors;
  // The base of adapters is bound by the contract.
  if (!contract_.adapter) tensors[table.name] = {table.dtype, table.shape, table_digest};
  for (std::uint32_t block = 0; block < last_states_.size(); ++block) {
    const auto specs = state_tensors(contract_, block);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].role != Role::kParameter) continue;
      tensors[specs[i].spec.name] = {specs[i].spec.dtype, specs[i].spec.shape,
                                     last_states_[block].digests[i]};
    }
  }
  return trace::model_root(tensors, salt);
}

Status Recorder::record_close(const Digest& root, std::vector<BoundFile> files) {
  const std::uint64_t position = timeline_.position_of_close();
  const std::string list =
      encode_list(CloseList{salts_.list_salt(position), root, std::move(files)});
  AFTUNE_TRY(post(0, [this, position, list] { return commit_list(position, list); }));
  AFTUNE_TRY(post(0, [this, position] { return sign_if_at(position + 1); }));
  return worker_.drain();
}

Status Recorder::record_abort(std::uint64_t step, std::string cause, std::string reason) {
  // The background thread has finished or failed: nothing else touches log and store now.
  if (Status drained = worker_.drain(); !drained && drained.error().code != Code::kCorrupt) {
    return drained;
  }
  const std::uint64_t position = log_.entries().size();
  // A step that the log has already did end well once: this machine or that one is at fault.
  if (position != timeline_.position_of_step(step)) cause = "fault";
  const std::string list =
      encode_list(AbortList{salts_.list_salt(position), step, std::move(reason)});
  const Digest digest = crypto::blake3(as_bytes(list));
  AFTUNE_TRY(store_.put(digest, as_bytes(list)));
  AFTUNE_TRY(sync_objects());
  AFTUNE_TRY(log_.append(encode_abort(position, {step, std::move(cause), digest})));
  return sign();
}

}  // namespace aftune::trace
