// SPDX-License-Identifier: Apache-2.0
// store_bench RUN_FOLDER: what the encodings of docs/formats/store.md save on a real run, and how
// fast. Takes the states of the last two stored step blocks and the edges of the last step, by
// kind. Prints a table in Markdown. Sizes are of whole objects; rates are bytes of decoded objects
// a second of one thread's processor time and of two threads by the clock, in memory, for what the
// recorder chooses.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/encoded_object.h"
#include "aftune/trace/openings.h"
#include "aftune/trace/state_view.h"
#include "aftune/trace/zstd_frame.h"

namespace aftune::bench {
namespace {

using trace::Encoding;

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of the calling thread alone: what others do beside it counts little.
double processor_seconds_of(const std::function<void()>& body) {
  const auto now = [] {
    timespec time{};
    (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  body();
  return now() - start;
}

/// The recorder's candidates for elements of this type.
std::vector<trace::Form> forms_of(Dtype dtype, bool has_base) {
  if (element_size(dtype) == 2) return {{Encoding::kHalves}};
  if (!has_base) return {{Encoding::kPlanes}};
  return {{Encoding::kPlanes},
          {Encoding::kDelta, trace::Scale::kPlain},
          {Encoding::kDelta, trace::Scale::kByExponent}};
}

/// Bytes of one kind of object, over all that were taken.
struct Sums {
  std::uint64_t objects = 0, plain = 0, zstd = 0, planes = 0, delta = 0, scaled = 0, chosen = 0;
  double zstd_seconds = 0, encode_1 = 0, encode_2 = 0, decode_1 = 0, decode_2 = 0;
};

class Bench {
 public:
  explicit Bench(ThreadPool& pool) : pool_(pool), scratch_(std::filesystem::temp_directory_path()) {
    scratch_ /= fmt::format("aftune-store-bench-{}", ::getpid());
  }
  ~Bench() {
    std::error_code ignored;
    std::filesystem::remove(scratch_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Status add(const std::string& kind, Dtype dtype, Bytes plain, Bytes base) {
    Sums& sums = sums_[kind];
    const std::vector<trace::Form> forms = forms_of(dtype, !base.empty());
    ++sums.objects;
    sums.plain += plain.size();
    add_zstd(plain, sums);
    sums.planes += size_of(forms.front(), plain, base);
    if (!base.empty()) {
      sums.delta += size_of({Encoding::kDelta, trace::Scale::kPlain}, plain, base);
      sums.scaled += size_of({Encoding::kDelta, trace::Scale::kByExponent}, plain, base);
    }
    return add_chosen(forms, plain, base, sums);
  }

  void print() const {
    fmt::print(
        "| kind | objects | MB | zstd -3 | MB/s | planes | delta | delta, scaled | chosen | "
        "encode, MB/s: 1, 2 "
        "threads | decode, MB/s: 1, 2 threads |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const auto& [kind, sums] : sums_) print_row(kind, sums);
  }

 private:
  static double mega(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

  static void print_row(const std::string& kind, const Sums& s) {
    const auto part = [&s](std::uint64_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(s.plain);
    };
    fmt::print(
        "| {} | {} | {:.1f} | {:.3f} | {:.0f} | {:.3f} | {} | {} | {:.3f} | {:.0f}, {:.0f} | "
        "{:.0f}, {:.0f} |\n",
        kind, s.objects, mega(s.plain), part(s.zstd), mega(s.plain) / s.zstd_seconds,
        part(s.planes), s.delta == 0 ? "" : fmt::format("{:.3f}", part(s.delta)),
        s.scaled == 0 ? "" : fmt::format("{:.3f}", part(s.scaled)), part(s.chosen),
        mega(s.plain) / s.encode_1, mega(s.plain) / s.encode_2, mega(s.plain) / s.decode_1,
        mega(s.plain) / s.decode_2);
  }

  /// In pieces of a chunk, as large as the encodings' own.
  void add_zstd(Bytes plain, Sums& sums) {
    sums.zstd_seconds += processor_seconds_of([&] {
      for (std::size_t at = 0; at < plain.size(); at += trace::kChunkBytes) {
        const Bytes piece = plain.subspan(at, std::min(trace::kChunkBytes, plain.size() - at));
        out_.clear();
        const std::size_t size = frames_.compress(piece, trace::FrameKind::kText, out_);
        sums.zstd += size == 0 ? piece.size() : size;
      }
    });
  }

  static trace::ObjectHeader header_of(const trace::Form& form, Bytes plain) {
    trace::ObjectHeader header{form.encoding, 0, plain.size(), {}, form.scale};
    if (form.encoding == Encoding::kDelta) header.depth = 1;
    return header;
  }

  std::uint64_t size_of(const trace::Form& form, Bytes plain, Bytes base) {
    std::uint64_t size = 0;
    (void)trace::encode_object(header_of(form, plain), plain, base, &pool_, [&](Bytes piece) {
      size += piece.size();
      return ok();
    });
    return size;
  }

  trace::Form encode(const std::vector<trace::Form>& forms, Bytes plain, Bytes base,
                     ThreadPool* pool) {
    const trace::Form chosen = trace::choose_form(plain, base, forms);
    out_.clear();
    if (chosen.encoding == Encoding::kRaw) {
      append(out_, plain);
      return chosen;
    }
    (void)trace::encode_object(header_of(chosen, plain), plain, base, pool, [this](Bytes piece) {
      append(out_, piece);
      return ok();
    });
    return chosen;
  }

  Status decode(const trace::Form& chosen, Bytes base, std::span<std::uint8_t> plain,
                ThreadPool* pool) {
    if (chosen.encoding == Encoding::kRaw) return ok();
    AFTUNE_TRY(FileReader file, FileReader::open(scratch_));
    ByteBuffer head(trace::kObjectHeaderBytes);
    AFTUNE_TRY(file.read(head));
    AFTUNE_TRY(const trace::ObjectHeader header, trace::decode_header(head, chosen.encoding));
    if (chosen.encoding == Encoding::kDelta) std::copy(base.begin(), base.end(), plain.begin());
    return trace::decode_object(header, file, pool, plain);
  }

  Status add_chosen(const std::vector<trace::Form>& forms, Bytes plain, Bytes base, Sums& sums) {
    out_.reserve(plain.size() + plain.size() / 4);
    trace::Form chosen;
    sums.encode_1 += processor_seconds_of([&] { chosen = encode(forms, plain, base, nullptr); });
    sums.encode_2 += seconds_of([&] { chosen = encode(forms, plain, base, &pool_); });
    sums.chosen += out_.size();
    AFTUNE_TRY(write_file(scratch_, out_));
    ByteBuffer back(plain.size());
    Status one = ok(), two = ok();
    sums.decode_1 += processor_seconds_of([&] { one = decode(chosen, base, back, nullptr); });
    sums.decode_2 += seconds_of([&] { two = decode(chosen, base, back, &pool_); });
    AFTUNE_TRY(std::move(one));
    AFTUNE_TRY(std::move(two));
    if (chosen.encoding == Encoding::kRaw || std::equal(back.begin(), back.end(), plain.begin()))
      return ok();
    return Error{Code::kCorrupt, "other bytes came back"};
  }

  ThreadPool& pool_;
  Path scratch_;
  trace::ZstdFrames frames_;
  ByteBuffer out_;
  std::map<std::string, Sums> sums_;
};

/// The last two stored step blocks, the earlier first; the second is 0 if there is only one.
std::pair<std::uint64_t, std::uint64_t> last_stored(const trace::Timeline& timeline) {
  const std::uint64_t last = timeline.stored_before(timeline.step_blocks() - 1);
  return {last == 0 ? 0 : timeline.stored_before(last - 1), last};
}

Status add_states(const trace::Contract& contract, const trace::Openings& openings, Bench& bench) {
  const auto [before, last] = last_stored(trace::Timeline(contract));
  if (last == 0) return ok();
  for (std::uint32_t block = 0; block < contract.partition().block_count; ++block) {
    AFTUNE_TRY(const train::BlockState state, openings.state(block, last));
    std::optional<train::BlockState> earlier;
    if (before != 0) {
      AFTUNE_TRY(earlier, openings.state(block, before));
    }
    for (const trace::StateTensor& tensor : trace::state_tensors(contract, block)) {
      const bool alone = !earlier || tensor.role == trace::Role::kFirst;
      const Bytes base = alone ? Bytes() : trace::state_view(*earlier, tensor).bytes;
      AFTUNE_TRY(bench.add(std::string(trace::role_name(tensor.role)), tensor.spec.dtype,
                           trace::state_view(state, tensor).bytes, base));
    }
  }
  return ok();
}

Status add_edges(const trace::Contract& contract, const trace::Openings& openings, Bench& bench) {
  const std::uint64_t step = contract.steps - 1;
  AFTUNE_TRY(const trace::StepList list, openings.step_list(step));
  const auto places = trace::edge_places(contract, step);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!openings.has(list.edges[i])) continue;
    AFTUNE_TRY(const Tensor edge, openings.edge(places[i], list, i));
    const bool activation = places[i].id.kind == train::EdgeKind::kActivation;
    AFTUNE_TRY(bench.add(activation ? "activation" : "gradient", edge.dtype(), edge.bytes(), {}));
  }
  return ok();
}

Status measure(const char* folder) {
  const trace::RunFolder run{folder};
  AFTUNE_TRY(const std::string envelope, read_text_file(run.contract(), 1 << 22));
  AFTUNE_TRY(const trace::SignedContract signed_contract, trace::open_signed_contract(envelope));
  const trace::Contract& contract = signed_contract.contract;
  AFTUNE_TRY(const tlog::LogReading log, tlog::read_log(run.log(), contract.log_key()));
  ThreadPool pool(2);
  AFTUNE_TRY(const trace::Openings openings,
             trace::Openings::open(run, contract, log.entries, &pool));
  Bench bench(pool);
  AFTUNE_TRY(add_states(contract, openings, bench));
  AFTUNE_TRY(add_edges(contract, openings, bench));
  bench.print();
  return ok();
}

}  // namespace
}  // namespace aftune::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: store_bench RUN_FOLDER\n");
    return 2;
  }
  const auto done = aftune::bench::measure(argv[1]);
  if (done) return 0;
  fmt::print(stderr, "store_bench: {}\n", done.error().what);
  return 3;
}
