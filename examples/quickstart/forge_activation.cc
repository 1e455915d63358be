// SPDX-License-Identifier: Apache-2.0
// A lie, for demonstration: copies a finished run, changes one number of one activation by the
// smallest amount there is, and makes everything that commits to it anew: digest, list, entry, log,
// signatures. The copy holds as evidence; only a replay can tell. Needs the provider's key, as any
// lying provider has it. Files that do not change are hard links and are never written.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "aftune/codec/key_file.h"
#include "aftune/crypto/blake3.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/openings.h"

namespace {

using namespace aftune;  // NOLINT: one small program

struct Args {
  std::string run, key, out;
  std::uint64_t step = 0;
  std::uint32_t edge = 0;
};

/// What the lie replaces in the copy.
struct Forgery {
  std::uint64_t position = 0;     // of the entry
  std::string entry;              // the new one
  std::set<Path> left_out;        // objects of the truth
  std::string told;               // for people
  std::uint32_t layer_block = 0;  // whose replay shows it
  std::uint64_t step_block = 0;
};

Result<std::size_t> find_edge(const trace::Contract& contract, const Args& args) {
  const auto places = trace::edge_places(contract, args.step);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const train::EdgeId& id = places[i].id;
    if (id.edge == args.edge && id.kind == train::EdgeKind::kActivation) return i;
  }
  return Error{Code::kInvalidInput, fmt::format("there is no activation at edge {}", args.edge)};
}

/// Puts forged tensor and list into the new store.
Result<Forgery> forge(const trace::Contract& contract, const tlog::LogReading& log,
                      const trace::RunFolder& run, const trace::RunFolder& out, const Args& args) {
  const trace::Timeline timeline(contract);
  AFTUNE_TRY(const auto openings, trace::Openings::open(run, contract, log.entries));
  AFTUNE_TRY(trace::StepList list, openings.step_list(args.step));
  AFTUNE_TRY(const std::size_t at, find_edge(contract, args));
  const trace::EdgePlace place = trace::edge_places(contract, args.step)[at];
  if (place.dtype != Dtype::kF32) {
    return Error{Code::kUnsupported,
                 fmt::format("edges are {}, this forges F32 ones", dtype_name(place.dtype))};
  }
  AFTUNE_TRY(Tensor tensor, openings.edge(place, list, at));
  const std::uint64_t index = tensor.count() / 2;
  float& value = tensor.f32()[index];
  const float truth = value;
  value = std::nextafter(value, std::numeric_limits<float>::infinity());

  AFTUNE_TRY(trace::Store from, trace::Store::open(run.store(), trace::Store::Open::kExisting));
  AFTUNE_TRY(trace::Store to, trace::Store::open(out.store(), trace::Store::Open::kCreate));
  Forgery forgery;
  forgery.position = timeline.position_of_step(args.step);
  AFTUNE_TRY(const Digest old_list,
             trace::decode_entry(log.entries[forgery.position], forgery.position,
                                 timeline.at(forgery.position)));
  forgery.left_out = {from.path_of(list.edges[at]), from.path_of(old_list)};
  list.edges[at] = crypto::blake3(tensor.bytes());
  AFTUNE_TRY(to.put(list.edges[at], tensor.bytes()));
  const std::string text = trace::encode_list(contract, args.step, list);
  const Digest digest = crypto::blake3(as_bytes(text));
  AFTUNE_TRY(to.put(digest, as_bytes(text)));
  AFTUNE_TRY(to.sync());
  forgery.entry = trace::encode_entry(forgery.position, timeline.at(forgery.position), digest);
  forgery.told = fmt::format("{}: number {} of {} was {:.9g}, is now {:.9g}",
                             trace::describe_edge(place.id), index, tensor.count(), truth, value);
  forgery.layer_block = contract.partition().segments[args.edge - 1].block;
  forgery.step_block = args.step / contract.grid.steps_per_block;
  return forgery;
}

/// The same entries but one, signed at the same sizes.
Status sign_anew(const trace::Contract& contract, const tlog::LogReading& log,
                 const crypto::PrivateKey& key, const Forgery& forgery, const Path& folder) {
  AFTUNE_TRY(tlog::LogWriter writer, tlog::LogWriter::open(folder, contract.origin(), key));
  std::set<std::uint64_t> signed_at;
  for (const tlog::Checkpoint& checkpoint : log.history) signed_at.insert(checkpoint.size);
  for (std::uint64_t i = 0; i < log.entries.size(); ++i) {
    AFTUNE_TRY(writer.append(i == forgery.position ? forgery.entry : log.entries[i]));
    if (signed_at.contains(i + 1)) AFTUNE_TRY(writer.sign());
  }
  return ok();
}

/// Hard links of all files of the run but its log, its lock and what the lie replaces.
Status link_rest(const trace::RunFolder& run, const trace::RunFolder& out,
                 const std::set<Path>& left_out) {
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(run.root, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (it->path() == run.log()) it.disable_recursion_pending();
    if (!it->is_regular_file() || it->path() == run.lock() || left_out.contains(it->path())) {
      continue;
    }
    const Path target = out.root / it->path().lexically_relative(run.root);
    AFTUNE_TRY(make_folders(target.parent_path()));
    AFTUNE_TRY(trace::place_file(it->path(), target));
  }
  if (error) return Error{Code::kUnavailable, "walk " + run.root.string() + ": " + error.message()};
  return ok();
}

Result<Forgery> tell_the_lie(const Args& args) {
  const trace::RunFolder run{args.run}, out{args.out};
  std::error_code error;
  if (std::filesystem::exists(out.root, error)) {
    return Error{Code::kInvalidInput, args.out + " exists already"};
  }
  AFTUNE_TRY(const std::string text, read_text_file(run.contract(), 2 * trace::kMaxContractBytes));
  AFTUNE_TRY(const trace::SignedContract contract, trace::open_signed_contract(text));
  AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
  AFTUNE_TRY(const tlog::LogReading log,
             tlog::read_log(run.log(), contract.contract.log_key()).in(run.log().string()));
  if (args.step >= contract.contract.steps || args.edge == 0) {
    return Error{Code::kInvalidInput,
                 fmt::format("no activation of step {} at edge {}", args.step, args.edge)};
  }
  AFTUNE_TRY(make_folders(out.root));
  AFTUNE_TRY(Forgery forgery, forge(contract.contract, log, run, out, args));
  AFTUNE_TRY(sign_anew(contract.contract, log, key.key, forgery, out.log()));
  AFTUNE_TRY(link_rest(run, out, forgery.left_out));
  return forgery;
}

}  // namespace

int main(int argc, char** argv) {
  Args args;
  CLI::App app{
      "Forges one activation of a finished run, in a copy, and signs it: a demonstration of a "
      "lie.\n"
      "Prints LAYER_BLOCK,STEP_BLOCK whose replay shows it."};
  app.footer(
      "Example:\n  aftune_forge --run run --key keys/provider.key --step 9 --edge 3 -o lie\n"
      "  aftune audit contract.json --run lie --block 2,2");
  app.add_option("--run", args.run, "A complete run folder; nothing in it is changed")->required();
  app.add_option("--key", args.key, "The provider's private key")->required();
  app.add_option("--step", args.step, "From 0")->required();
  app.add_option("--edge", args.edge, "From 1")->required();
  app.add_option("-o,--out", args.out, "Folder to make")->required();
  CLI11_PARSE(app, argc, argv);
  const auto forgery = tell_the_lie(args);
  if (!forgery) {
    std::fputs(fmt::format("aftune_forge: {}\n", forgery.error().what).c_str(), stderr);
    return 2;
  }
  std::fputs(fmt::format("forged and signed: {}\n", forgery->told).c_str(), stderr);
  std::fputs(fmt::format("{},{}\n", forgery->layer_block, forgery->step_block).c_str(), stdout);
  return 0;
}
