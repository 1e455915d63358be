// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/whole_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/trace/delivery.h"

namespace aftune::audit {
namespace {

using trace::Contract;

std::string step_place(std::uint64_t step) { return fmt::format("step {}", step); }

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

std::string list_rows(const std::vector<std::uint64_t>& rows) {
  std::string out;
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 8); ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : " ", rows[i]);
  }
  return rows.size() > 8 ? out + " ..." : out;
}

void check_rule(const Contract& contract, std::uint64_t step, const trace::StepList& list,
                Judge& judge) {
  const std::string place = step_place(step);
  const double lr = train::learning_rate(contract.training.schedule, step);
  if (!same(lr, list.learning_rate)) {
    judge.reject(Check::kRule, place,
                 fmt::format("learning rate {:.9g} is committed, the contract's schedule gives "
                             "{:.9g}",
                             list.learning_rate, lr),
                 codec::hex_float(list.learning_rate), codec::hex_float(lr));
  }
  const auto clip = train::clip_factor(contract.training.clip, list.squares);
  if (!clip) {
    judge.reject(Check::kRule, place, clip.error().what);
    return;
  }
  if (!same(clip->norm, list.norm)) {
    judge.reject(Check::kRule, place,
                 fmt::format("gradient norm {:.9g} is committed, its shares give {:.9g}", list.norm,
                             clip->norm),
                 codec::hex_float(list.norm), codec::hex_float(clip->norm));
  }
  if (!same(clip->factor, list.clip)) {
    judge.reject(Check::kRule, place,
                 fmt::format("clip factor {:.9g} is committed, norm and contract give {:.9g}",
                             list.clip, clip->factor),
                 codec::hex_float(list.clip), codec::hex_float(clip->factor));
  }
}

void check_batch(std::uint64_t step, const trace::StepList& list, trace::SideInputs& inputs,
                 Judge& judge) {
  const std::vector<std::uint64_t> rows = inputs.batches().rows(step);
  if (rows != list.rows) {
    judge.reject(Check::kData, step_place(step),
                 fmt::format("rows {} are committed, the agreed order gives {}",
                             list_rows(list.rows), list_rows(rows)));
    return;
  }
  const auto batches = inputs.batches().micro_batches(step);
  if (!batches) {
    judge.weigh(Check::kData, step_place(step), batches.error());
    return;
  }
  if (batches->front().counted != list.counted) {
    judge.reject(Check::kData, step_place(step),
                 fmt::format("{} counted tokens are committed, the agreed rows have {}",
                             list.counted, batches->front().counted));
  }
}

/// P(i,0): parameters are the base's, moments are zeros.
void check_moments_are_zero(const Contract& contract, std::uint32_t block,
                            const trace::StateList& list, Judge& judge) {
  const auto tensors = trace::state_tensors(contract, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role == trace::Role::kParameter) continue;
    const Tensor zeros(tensors[i].spec.dtype, tensors[i].spec.shape);
    const Digest expected = crypto::blake3(zeros.bytes());
    if (expected == list.digests[i]) continue;
    judge.reject(Check::kBase, fmt::format("layer block {}, first state", block),
                 fmt::format("the {} moment of {} does not start at zero",
                             trace::role_name(tensors[i].role), tensors[i].spec.name),
                 list.digests[i].hex(), expected.hex());
  }
}

/// Base and first adapters of a LoRA run, or null and told of.
const trace::AdapterStart* open_start(const Contract& contract, const trace::Openings& openings,
                                      Judge& judge) {
  if (!contract.adapter) return nullptr;
  const auto start = openings.adapter_start();
  if (start) return *start;
  judge.weigh(Check::kBase, "base", start.error());
  return nullptr;
}

/// P(i,0) of a LoRA run: what is trained starts as the contract says.
void check_first_adapters(const Contract& contract, const trace::AdapterStart& start,
                          std::uint32_t block, const trace::StateList& list, Judge& judge) {
  const std::string place = fmt::format("layer block {}, first state", block);
  const auto first = start.first(block);
  if (!first) {
    judge.weigh(Check::kBase, place, first.error());
    return;
  }
  const auto tensors = trace::state_tensors(contract, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role != trace::Role::kParameter) continue;
    const Digest expected = crypto::blake3(first->find(tensors[i].spec.name)->second.bytes());
    if (expected == list.digests[i]) continue;
    judge.reject(Check::kBase, place,
                 fmt::format("{} does not start as agreed", tensors[i].spec.name),
                 list.digests[i].hex(), expected.hex());
  }
}

void add_parameters(const Contract& contract, std::uint32_t block, const trace::StateList& list,
                    std::map<std::string, trace::RootedTensor, std::less<>>& out) {
  const auto tensors = trace::state_tensors(contract, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role != trace::Role::kParameter) continue;
    out[tensors[i].spec.name] = {tensors[i].spec.dtype, tensors[i].spec.shape, list.digests[i]};
  }
}

/// Of a whole model; of adapters alone where the contract binds their base.
Digest root_of(const Contract& contract,
               std::map<std::string, trace::RootedTensor, std::less<>> parameters,
               const trace::SideInputs& inputs, const std::optional<Digest>& salt) {
  if (contract.adapter) return trace::model_root(parameters, salt);
  const TensorSpec table = model::table_spec(contract.architecture);
  parameters[table.name] = {table.dtype, table.shape, inputs.table_digest()};
  return trace::model_root(parameters, salt);
}

/// Without the salt that a root takes every root is another: its absence is told of where it is
/// read.
bool has_salt(const Contract& contract, const std::optional<Digest>& salt) {
  return contract.base_public || salt;
}

}  // namespace

void check_entries(const Contract& contract, const std::vector<std::string>& entries, Judge& judge,
                   RunFacts& facts) {
  const trace::Timeline timeline(contract);
  for (std::uint64_t position = 0; position < entries.size(); ++position) {
    const std::string place = fmt::format("log entry {}", position);
    if (position >= timeline.entry_count()) {
      judge.reject(Check::kEntry, place,
                   fmt::format("the log has {} entries, the contract implies {}", entries.size(),
                               timeline.entry_count()));
      return;
    }
    const bool last = position + 1 == entries.size();
    if (position > 0 && last && trace::is_abort(entries[position])) {
      Result<trace::AbortEntry> abort = trace::decode_abort(entries[position], position);
      if (!abort) {
        judge.weigh(Check::kEntry, place, abort.error());
        return;
      }
      facts.abort = *std::move(abort);
      facts.abort_position = position;
      return;
    }
    const auto digest = trace::decode_entry(entries[position], position, timeline.at(position));
    if (!digest) {
      judge.weigh(Check::kEntry, place, digest.error());
      return;
    }
    if (position == 0 && *digest != contract.digest()) {
      judge.reject(Check::kEntry, place, "the log was started for another contract", digest->hex(),
                   contract.digest().hex());
      return;
    }
  }
  facts.closed = entries.size() == timeline.entry_count();
}

void check_step_lists(const Contract& contract, const trace::Openings& openings,
                      trace::SideInputs& inputs, std::uint64_t entry_count, Judge& judge) {
  const trace::Timeline timeline(contract);
  for (std::uint64_t step = 0; step < contract.steps; ++step) {
    if (timeline.position_of_step(step) >= entry_count) return;
    const auto list = openings.step_list(step);
    if (!list) {
      judge.weigh(Check::kList, step_place(step), list.error());
      continue;
    }
    check_rule(contract, step, *list, judge);
    check_batch(step, *list, inputs, judge);
  }
}

void check_state_lists(const Contract& contract, const trace::Openings& openings,
                       const trace::SideInputs& inputs, const std::optional<Digest>& root_salt,
                       std::uint64_t entry_count, Judge& judge, RunFacts& facts) {
  const trace::Timeline timeline(contract);
  std::map<std::string, trace::RootedTensor, std::less<>> first;
  bool first_complete = !contract.adapter;
  facts.last_complete = facts.closed;
  const trace::AdapterStart* start = open_start(contract, openings, judge);
  for (std::uint64_t j = 0; j <= timeline.step_blocks(); ++j) {
    for (std::uint32_t block = 0; block < timeline.layer_blocks(); ++block) {
      if (timeline.position_of_state(block, j) >= entry_count) {
        first_complete = first_complete && j > 0;
        continue;
      }
      const auto list = openings.state_list(block, j);
      if (!list) {
        first_complete = first_complete && j > 0;
        facts.last_complete = facts.last_complete && j < timeline.step_blocks();
        judge.weigh(Check::kList, fmt::format("layer block {}, step block {}", block, j),
                    list.error());
        continue;
      }
      if (j == 0) {
        check_moments_are_zero(contract, block, *list, judge);
        if (start != nullptr) check_first_adapters(contract, *start, block, *list, judge);
        add_parameters(contract, block, *list, first);
      }
      if (j == timeline.step_blocks()) {
        add_parameters(contract, block, *list, facts.last_parameters);
      }
    }
  }
  if (!first_complete || !has_salt(contract, root_salt)) return;
  const Digest root = root_of(contract, first, inputs, root_salt);
  if (root != contract.base_root) {
    judge.reject(Check::kBase, "first state",
                 fmt::format("the run started from a model of root {}, the contract's base has {}",
                             root.hex(), contract.base_root.hex()),
                 root.hex(), contract.base_root.hex());
  }
}

void check_close(const Contract& contract, const trace::Openings& openings,
                 const trace::SideInputs& inputs, const std::optional<Digest>& root_salt,
                 Judge& judge, RunFacts& facts) {
  Result<trace::CloseList> close = openings.close_list();
  if (!close) {
    judge.weigh(Check::kList, "close", close.error());
    return;
  }
  if (facts.last_complete && has_salt(contract, root_salt)) {
    const Digest root = root_of(contract, facts.last_parameters, inputs, root_salt);
    if (root != close->model_root) {
      judge.reject(Check::kModelRoot, "close",
                   fmt::format("the close binds model root {}, the last states give {}",
                               close->model_root.hex(), root.hex()),
                   close->model_root.hex(), root.hex());
    }
  }
  const std::string weights = trace::weights_file(contract);
  std::vector<trace::BoundFile> expected = trace::other_files(contract);
  expected.push_back({weights, trace::expected_weights_size(contract), {}});
  std::sort(expected.begin(), expected.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  for (std::size_t i = 0; i < std::max(expected.size(), close->files.size()); ++i) {
    const bool both = i < expected.size() && i < close->files.size();
    if (both && expected[i].path == weights) {
      expected[i].sha256 = close->files[i].sha256;  // compared with the delivered folder
    }
    if (both && expected[i] == close->files[i]) continue;
    judge.reject(Check::kDelivery, "close",
                 fmt::format("file {} of the delivered folder is bound as \"{}\", the contract "
                             "implies \"{}\" with its size and digest",
                             i, i < close->files.size() ? close->files[i].path : "nothing",
                             i < expected.size() ? expected[i].path : "nothing"));
  }
  std::erase_if(close->files, [&](const trace::BoundFile& file) {
    return std::none_of(expected.begin(), expected.end(),
                        [&](const trace::BoundFile& known) { return known.path == file.path; });
  });
  facts.close = *std::move(close);
}

}  // namespace aftune::audit
