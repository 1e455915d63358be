// SPDX-License-Identifier: Apache-2.0
// A tiny signed job on disk for tests: two layer blocks, five steps in three step blocks, a model
// of seven tokens. Equal arguments give equal bytes.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/base/must_testing.h"
#include "aftune/base/thread_pool.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"
#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/narrow_folder_testing.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/list.h"
#include "aftune/trace/model_root.h"
#include "aftune/trace/trainer.h"

namespace aftune::trace::testing {

/// A folder of its own, removed with everything in it; in memory where the system has such a place.
class TempFolder {
 public:
  TempFolder() {
    const Path memory = "/dev/shm";
    const Path parent =
        ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "aftune-test-XXXXXX").string();
    AFTUNE_CHECK(::mkdtemp(name.data()) != nullptr, "no temporary folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const Path& path() const { return path_; }
  [[nodiscard]] Path operator/(std::string_view name) const { return path_ / name; }

 private:
  Path path_;
};

using aftune::must;

inline void put(const Path& path, std::string_view text) { must(write_file(path, as_bytes(text))); }
inline std::string get(const Path& path) { return must(read_text_file(path, 1U << 30)); }

/// Turns one bit of the file; other hard links of it keep theirs.
inline void flip_bit(const Path& path, std::size_t byte) {
  std::string text = get(path);
  text.at(byte) = static_cast<char>(text.at(byte) ^ 1);
  put(path, text);
}

/// Of the runs of a test program: tests/encoded runs those that have runs once more, encoded.
inline StoreEncoding test_encoding() {
  const char* wanted = std::getenv("AFTUNE_TEST_ENCODING");
  return wanted != nullptr && std::string_view(wanted) == "auto" ? StoreEncoding::kAuto
                                                                 : StoreEncoding::kRaw;
}

inline crypto::PrivateKey test_key(unsigned char seed) {
  return must(crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, seed))));
}

inline Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

/// One computing machine for a whole test program. Threads: one at a time.
inline const numerics::Engine& test_engine() {
  static ThreadPool pool(1);
  static const numerics::Engine engine = must(numerics::Engine::create(std::nullopt, pool));
  return engine;
}

inline constexpr std::string_view kTinyTokenizer = R"({
  "version": "1.0", "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                    "use_regex": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
              "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
            "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5}, "merges": []}
})";

inline constexpr std::string_view kTinyRows =
    "{\"prompt\":\"a\",\"completion\":\"bcd\"}\n"
    "{\"prompt\":\"ab\",\"completion\":\"c\"}\n"
    "{\"prompt\":\"b\",\"completion\":\"cd\"}\n"
    "{\"prompt\":\"ba\",\"completion\":\"cda\"}\n"
    "{\"prompt\":\"c\",\"completion\":\"defa\"}\n"
    "{\"prompt\":\"fe\",\"completion\":\"d\"}\n"
    "{\"prompt\":\"d\",\"completion\":\"ee\"}\n";

inline model::LlamaConfig tiny_architecture() {
  return {.vocab_size = 7,
          .hidden_size = 8,
          .intermediate_size = 12,
          .layer_count = 3,
          .head_count = 2,
          .kv_head_count = 1,
          .head_dim = 4,
          .max_positions = 16,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = true};
}

/// A valid contract that binds no files of any disk: for what needs no training.
inline Contract tiny_contract() {
  Contract c;
  c.run_id = digest_of("run");
  c.architecture = tiny_architecture();
  c.base_root = digest_of("base");
  c.base_public = true;
  c.companions = {{"aftune.safetensors", 1, digest_of("1")},
                  {"config.json", 2, digest_of("2")},
                  {"tokenizer.json", 3, digest_of("3")}};
  c.data_root = digest_of("data");
  c.rows = 7;
  c.data_salt = ByteBuffer(16, 9);
  c.text.format = "prompt_completion";
  c.text.eos_id = 5;
  c.text.pad_id = 4;
  c.text.sequence = 6;
  c.text.labels = "completion";
  c.order = {"sha256", true};
  c.batch = {3, 2};
  c.steps = 5;
  c.training = {{train::OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01},
                {train::ScheduleKind::kWarmupCosine, 1e-2, 1, 8},
                {0.5}};
  c.nonces.client = digest_of("client nonce");
  c.nonces.provider = digest_of("provider nonce");
  c.nonces.client_commitment = nonce_commitment(c.nonces.client);
  c.nonces.provider_commitment = nonce_commitment(c.nonces.provider);
  c.grid = {2, 2, 1, 1};
  c.audit = {2, 72, secret_commitment(c.run_id, ByteBuffer(32, 7)), true};
  c.closes_by = "2999-12-31T00:00:00Z";
  c.client = {"client", test_key(1).public_key()};
  c.provider = {"provider", test_key(2).public_key()};
  c.verifier = {"verifier", test_key(3).public_key()};
  return c;
}

inline SignedContract sign(const Contract& contract) {
  codec::Dsse dsse{std::string(kContractPayloadType), contract.payload(), {}};
  dsse.sign(test_key(1), "client");
  dsse.sign(test_key(2), "provider");
  return must(open_signed_contract(codec::encode_dsse(dsse)));
}

/// A contract whose model and data set lie on the disk.
class TinyJob {
 public:
  using Change = std::function<void(Contract&)>;

  /// `base`: the type of the base's parameters; then their values are those that all types have.
  explicit TinyJob(const Change& change = {}, std::string_view rows = kTinyRows,
                   std::string_view tokenizer = kTinyTokenizer, std::optional<Dtype> base = {})
      : provider(test_key(2)), engine_(test_engine()) {
    put(folder / "tokenizer.json", tokenizer);
    put(data(), rows);
    Contract c = tiny_contract();
    c.rows = static_cast<std::uint64_t>(std::count(rows.begin(), rows.end(), '\n'));
    c.dtypes.frozen = base.value_or(Dtype::kF32);
    if (change) change(c);
    must(model::make_random_model(c.architecture, 1, folder / "tokenizer.json", model()));
    if (base) model::testing::set_dtype(model(), *base);
    bind(c);
    job_.emplace(sign(c));
  }

  const TempFolder folder;
  const crypto::PrivateKey provider;

  [[nodiscard]] Path model() const { return folder / "model"; }
  [[nodiscard]] Path data() const { return folder / "data.jsonl"; }
  [[nodiscard]] RunFolder run() const { return {folder / "run"}; }
  [[nodiscard]] const SignedContract& signed_contract() const { return *job_; }
  [[nodiscard]] const Contract& contract() const { return job_->contract; }

  [[nodiscard]] TrainJob job(const RunFolder& run, Existing existing = Existing::kRefuse) const {
    return {*job_, run, provider, model(), data(), existing, Recording::kOn, {}, test_encoding()};
  }
  Result<TrainReport> train(Existing existing = Existing::kRefuse) const {
    return train_run(job(run(), existing), engine_);
  }
  [[nodiscard]] SideInputs inputs() const {
    return must(SideInputs::open(contract(), data(), model()));
  }
  [[nodiscard]] tlog::LogReading log(const RunFolder& run) const {
    return must(tlog::read_log(run.log(), contract().log_key()));
  }
  /// Writes the log of `run` anew, as the provider can.
  void forge_log(const RunFolder& run, const std::vector<std::string>& entries) const {
    std::filesystem::remove_all(run.log());
    auto log = must(tlog::LogWriter::open(run.log(), contract().origin(), provider));
    for (const std::string& entry : entries) must(log.append(entry));
    must(log.sign());
  }
  /// Adds an object to the store of `run`.
  static Digest put_object(const RunFolder& run, std::string_view text) {
    Store store = must(Store::open(run.store(), Store::Open::kExisting));
    const Digest digest = crypto::blake3(as_bytes(text));
    must(store.put(digest, as_bytes(text)));
    must(store.sync());
    return digest;
  }

 private:
  void bind(Contract& c) const {
    c.companions.clear();
    for (const std::string& name : model::companions_of(model())) {
      c.companions.push_back({name, must(aftune::file_size(model() / name)),
                              must(crypto::sha256_file(model() / name))});
    }
    const auto files = must(model::open_model_folder(model(), model::Width::kAny));
    std::map<std::string, RootedTensor, std::less<>> tensors;
    for (const SafetensorsFile* file : {&files.parameters, &files.tables}) {
      for (const auto& [name, tensor] : file->tensors()) {
        tensors[name] = {tensor.dtype, tensor.shape, crypto::blake3(tensor.bytes)};
      }
    }
    std::optional<Digest> salt;
    if (!c.base_public) salt = SaltSource(provider, c.run_id).root_salt();
    c.base_root = model_root(tensors, salt);
    c.data_root = must(text::Dataset::load(data())).root(c.data_salt);
  }

  const numerics::Engine& engine_;
  std::optional<SignedContract> job_;
};

/// The files below `folder` and their bytes.
inline std::map<std::string, std::string> files_of(const Path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      out[std::filesystem::relative(entry.path(), folder).string()] = get(entry.path());
    }
  }
  return out;
}

}  // namespace aftune::trace::testing
