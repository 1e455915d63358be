// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/openings.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/model/model_folder.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/state_view.h"

namespace aftune::trace {
namespace {

std::string tensor_label(std::uint32_t block, std::uint64_t step_block, const StateTensor& tensor) {
  return fmt::format("{} {} of {}", role_name(tensor.role), tensor.spec.name,
                     describe({EntryKind::kState, block, step_block, 0}));
}

Error not_committed(const std::string& what, const Digest& committed, const Digest& found) {
  return {Code::kCorrupt,
          fmt::format("{} has digest {}, committed is {}", what, found.hex(), committed.hex())};
}

}  // namespace

Openings::Openings(const RunFolder& run, const Contract& contract,
                   const std::vector<std::string>& entries, Store store, ThreadPool* pool)
    : run_(run),
      contract_(contract),
      entries_(entries),
      timeline_(contract),
      store_(std::move(store)),
      pool_(pool) {}

Result<Openings> Openings::open(const RunFolder& run, const Contract& contract,
                                const std::vector<std::string>& entries, ThreadPool* pool) {
  AFTUNE_TRY(Store store, Store::open(run, Store::Open::kExisting, pool));
  return Openings(run, contract, entries, std::move(store), pool);
}

Result<std::string> Openings::list_text(std::uint64_t position) const {
  const Place place = timeline_.at(position);
  if (position >= entries_.size()) {
    return Error{Code::kNotFound, fmt::format("entry {} ({}) is missing: the log has {} entries",
                                              position, describe(place), entries_.size())};
  }
  AFTUNE_TRY(const Digest digest, decode_entry(entries_[position], position, place));
  AFTUNE_TRY(const ByteBuffer bytes,
             store_.get(digest, kMaxListBytes).in("list of " + describe(place)));
  return std::string(as_text(bytes));
}

Result<StateList> Openings::state_list(std::uint32_t block, std::uint64_t step_block) const {
  AFTUNE_TRY(const std::string text, list_text(timeline_.position_of_state(block, step_block)));
  return decode_state_list(contract_, block, step_block, text);
}

Result<StepList> Openings::step_list(std::uint64_t step) const {
  AFTUNE_TRY(const std::string text, list_text(timeline_.position_of_step(step)));
  return decode_step_list(contract_, step, text);
}

Result<CloseList> Openings::close_list() const {
  AFTUNE_TRY(const std::string text, list_text(timeline_.position_of_close()));
  return decode_close_list(text);
}

Result<AbortList> Openings::abort_list(const Digest& list) const {
  AFTUNE_TRY(const ByteBuffer bytes, store_.get(list, kMaxListBytes).in("list of abort"));
  return decode_abort_list(as_text(bytes));
}

Result<train::BlockState> Openings::state(std::uint32_t block, std::uint64_t step_block) const {
  AFTUNE_TRY(const StateList list, state_list(block, step_block));
  AFTUNE_TRY(train::BlockState out,
             step_block == 0 ? base_state(block, list) : stored_state(block, list, step_block));
  if (!contract_.adapter) return out;
  AFTUNE_TRY(const AdapterStart* start, adapter_start());
  AFTUNE_TRY(out.frozen, start->frozen(block));
  return out;
}

Result<const AdapterStart*> Openings::adapter_start() const {
  if (adapter_start_ == nullptr) {
    AFTUNE_TRY(const auto salt, read_root_salt(contract_, run_));
    AFTUNE_TRY(AdapterStart start,
               AdapterStart::open(contract_, run_.base(), run_.adapter(), salt, pool_));
    adapter_start_ = std::make_shared<const AdapterStart>(std::move(start));
  }
  return adapter_start_.get();
}

Result<TensorMap> Openings::first_parameters(std::uint32_t block) const {
  if (contract_.adapter) {
    AFTUNE_TRY(const AdapterStart* start, adapter_start());
    return start->first(block);
  }
  AFTUNE_TRY(const model::ModelFolder base, model::open_model_folder(run_.base()));
  return model::load_parameters(base, contract_.trained(block), pool_);
}

Result<train::BlockState> Openings::base_state(std::uint32_t block, const StateList& list) const {
  AFTUNE_TRY(TensorMap parameters, first_parameters(block));
  train::BlockState state = train::initial_state(contract_.training.optimizer,
                                                 std::move(parameters), contract_.dtypes.moments);
  const auto tensors = state_tensors(contract_, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Digest found = store_.digest_of(state_view(state, tensors[i]).bytes);
    if (found != list.digests[i]) {
      return not_committed(tensor_label(block, 0, tensors[i]), list.digests[i], found);
    }
  }
  return state;
}

Result<train::BlockState> Openings::stored_state(std::uint32_t block, const StateList& list,
                                                 std::uint64_t step_block) const {
  train::BlockState state;
  const auto tensors = state_tensors(contract_, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Tensor tensor = Tensor::unwritten(tensors[i].spec.dtype, tensors[i].spec.shape);
    const std::string label = tensor_label(block, step_block, tensors[i]);
    AFTUNE_TRY(read_object(list.digests[i], label, tensor));
    part_of(state, tensors[i].role).emplace(tensors[i].spec.name, std::move(tensor));
  }
  return state;
}

Status Openings::read_object(const Digest& digest, const std::string& label, Tensor& into) const {
  return store_.get_into(digest, into.mutable_bytes()).in(label);
}

Result<Tensor> Openings::edge(const EdgePlace& place, const StepList& list,
                              std::size_t index) const {
  Tensor tensor = Tensor::unwritten(place.dtype, place.shape);
  AFTUNE_TRY(read_object(list.edges[index], describe_edge(place.id), tensor));
  return tensor;
}

Result<Tensor> Openings::tensor(const Digest& digest, const TensorSpec& spec) const {
  Tensor tensor = Tensor::unwritten(spec.dtype, spec.shape);
  AFTUNE_TRY(read_object(digest, spec.name, tensor));
  return tensor;
}

std::string describe_edge(const train::EdgeId& id) {
  return fmt::format("{} at edge {}, step {}, micro-batch {}",
                     id.kind == train::EdgeKind::kActivation ? "activation" : "gradient", id.edge,
                     id.step, id.micro_batch);
}

}  // namespace aftune::trace
