// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_setup.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/log_line.h"
#include "aftune/crypto/blake3.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/model_folder.h"
#include "aftune/trace/adapter_start.h"
#include "aftune/trace/model_root.h"

namespace aftune::trace {
namespace {

constexpr std::uint64_t kMaxEnvelopeBytes = 2 * kMaxContractBytes;

/// A file that a killed start staged and never named counts as nothing.
bool is_empty_or_absent(const Path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return true;
  auto it = std::filesystem::directory_iterator(folder, error);
  while (!error && it != std::filesystem::directory_iterator()) {
    if (it->path().filename().string().find(".tmp-") == std::string::npos) return false;
    it.increment(error);
  }
  return !error;
}

/// Errors: kCorrupt if `to` is there with other bytes: the run would close and be rejected.
Status place_once(const Path& from, const Path& to) {
  std::error_code error;
  if (!std::filesystem::exists(to, error)) return place_file(from, to);
  if (std::filesystem::equivalent(from, to, error)) return ok();
  AFTUNE_TRY(const MappedFile given, MappedFile::open(from));
  AFTUNE_TRY(const MappedFile found, MappedFile::open(to));
  if (std::ranges::equal(given.bytes(), found.bytes())) return ok();
  return Error{Code::kCorrupt,
               fmt::format("{} is not the same as {}: remove it, and --resume places it again",
                           to.string(), from.string())};
}

/// Repeats what an interrupted set-up left undone; whole files stay, altered ones are told.
Status place_inputs(const SignedContract& contract, const RunFolder& run, const Path& model,
                    const Path& data, const Path& adapter) {
  AFTUNE_TRY(make_folders(run.base()));
  AFTUNE_TRY(place_once(model / "model.safetensors", run.base() / "model.safetensors"));
  for (const BoundFile& file : contract.contract.companions) {
    AFTUNE_TRY(check_bound_file(file, model));
    AFTUNE_TRY(place_once(model / file.path, run.base() / file.path));
  }
  if (contract.contract.adapter && contract.contract.adapter->initial) {
    AFTUNE_TRY(make_folders(run.adapter()));
    for (const char* name : {model::kAdapterConfig, model::kAdapterWeights}) {
      AFTUNE_TRY(place_once(adapter / name, run.adapter() / name));
    }
  }
  return place_once(data, run.data());
}

Result<std::vector<train::BlockState>> load_adapters(const Contract& contract, const Path& base,
                                                     const std::optional<Digest>& salt,
                                                     const Path& adapter) {
  AFTUNE_TRY(const AdapterStart start, AdapterStart::open(contract, base, adapter, salt));
  std::vector<train::BlockState> states;
  for (std::uint32_t block = 0; block < contract.partition().block_count; ++block) {
    AFTUNE_TRY(TensorMap parameters, start.first(block));
    states.push_back(train::initial_state(contract.training.optimizer, std::move(parameters),
                                          contract.dtypes.moments));
    AFTUNE_TRY(states.back().frozen, start.frozen(block));
  }
  return states;
}

}  // namespace

Status prepare_run_folder(const SignedContract& contract, const RunFolder& run, const Path& model,
                          const Path& data, Existing existing, const Path& adapter) {
  if (is_empty_or_absent(run.root)) {
    AFTUNE_TRY(make_folders(run.root));
    AFTUNE_TRY(write_new_file(run.contract(), as_bytes(contract.envelope)));
    return place_inputs(contract, run, model, data, adapter);
  }
  Result<std::string> found = read_text_file(run.contract(), kMaxEnvelopeBytes);
  if (!found && found.error().code == Code::kUnavailable) return std::move(found).error();
  if (!found) {
    return Error{Code::kInvalidInput, fmt::format("{} is not empty and holds no run: {}",
                                                  run.root.string(), found.error().what)};
  }
  AFTUNE_TRY(const SignedContract other, open_signed_contract(*found).in(run.contract().string()));
  if (other.contract.digest() != contract.contract.digest()) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} holds the run of contract {}, not of {}", run.root.string(),
                             other.contract.digest().hex(), contract.contract.digest().hex())};
  }
  if (existing == Existing::kRefuse) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} holds this contract's run already: go on with --resume",
                             run.root.string())};
  }
  return place_inputs(contract, run, model, data, adapter);
}

Status prepare_unrecorded_folder(const RunFolder& run) {
  if (is_empty_or_absent(run.root)) return make_folders(run.root);
  return Error{Code::kInvalidInput,
               fmt::format("{} is not empty: a run without recording needs a new folder",
                           run.root.string())};
}

Result<std::vector<train::BlockState>> load_base(const Contract& contract, const Path& base,
                                                 const SideInputs& inputs,
                                                 const std::optional<Digest>& salt,
                                                 const Path& adapter) {
  if (contract.adapter) return load_adapters(contract, base, salt, adapter);
  AFTUNE_TRY(const model::ModelFolder folder, model::open_model_folder(base));
  if (!(folder.config == contract.architecture)) {
    return Error{Code::kCorrupt,
                 fmt::format("{} has another architecture than the contract", base.string())};
  }
  const model::Partition partition = contract.partition();
  std::vector<train::BlockState> states;
  std::map<std::string, RootedTensor, std::less<>> rooted;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    AFTUNE_TRY(TensorMap parameters,
               model::load_parameters(
                   folder, model::block_parameters(contract.architecture, partition, block)));
    for (const auto& [name, tensor] : parameters) {
      rooted[name] = {tensor.dtype(), tensor.shape(), crypto::blake3(tensor.bytes())};
    }
    states.push_back(train::initial_state(contract.training.optimizer, std::move(parameters),
                                          contract.dtypes.moments));
  }
  const TensorSpec table = model::table_spec(contract.architecture);
  rooted[table.name] = {table.dtype, table.shape, inputs.table_digest()};
  const Digest root = model_root(rooted, salt);
  if (root != contract.base_root) {
    return Error{Code::kCorrupt, fmt::format("model {} has root {}, the contract has {}",
                                             base.string(), root.hex(), contract.base_root.hex())};
  }
  return states;
}

Result<ResumePoint> find_resume_point(const Contract& contract, const Openings& openings,
                                      std::uint64_t entry_count) {
  const Timeline timeline(contract);
  const std::uint32_t blocks = timeline.layer_blocks();
  std::uint64_t j = timeline.step_blocks();
  while (true) {
    j = timeline.stored_before(j);
    if (j == 0) return ResumePoint{};
    ResumePoint point{j, {}};
    bool whole = timeline.position_of_state(blocks - 1, j) < entry_count;
    for (std::uint32_t block = 0; block < blocks && whole; ++block) {
      Result<train::BlockState> state = openings.state(block, j);
      if (!state && state.error().code == Code::kUnavailable) return std::move(state).error();
      whole = state.has_value();
      if (whole) {
        point.states.push_back(*std::move(state));
      } else {
        log_line(
            fmt::format("aftune: step block {} cannot be resumed from: {}", j, state.error().what));
      }
    }
    if (whole) return point;
    --j;
  }
}

}  // namespace aftune::trace
