// SPDX-License-Identifier: Apache-2.0
#include "tiny_world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "aftune/attack/finished_run.h"
#include "aftune/base/check.h"
#include "aftune/codec/dsse.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"
#include "aftune/image/image_row.h"
#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/narrow_folder_testing.h"
#include "aftune/trace/list.h"
#include "aftune/trace/model_root.h"
#include "aftune/trace/trainer.h"

namespace aftune::liar {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::uint64_t kRows = 24;

/// A folder in memory where there is one: nothing here must outlive a power cut, and the many
/// small synced files of a run cost minutes on a disk.
Path temporary_folder() {
  const Path memory = "/dev/shm";
  if (::access(memory.c_str(), W_OK | X_OK) == 0) return memory;
  return std::filesystem::temp_directory_path();
}

class Scratch {
 public:
  Scratch() {
    std::string name = (temporary_folder() / "aftune-liar-XXXXXX").string();
    AFTUNE_CHECK(::mkdtemp(name.data()) != nullptr, name);
    path = name;
  }
  ~Scratch() {
    std::error_code ignored;
    if (owner_ == ::getpid()) std::filesystem::remove_all(path, ignored);
  }
  Path path;

 private:
  pid_t owner_ = ::getpid();  // a forked child leaves the folder alone
};

crypto::PrivateKey key_of(unsigned char byte) {
  return must(crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, byte))));
}

ByteBuffer secret_bytes() { return ByteBuffer(32, 0x5e); }

Digest filled(unsigned char byte) {
  Digest out;
  out.bytes.fill(byte);
  return out;
}

/// A random classifier of images of 2 x 8 x 8 into 5 classes.
Path image_model(const Terms& terms, const Path& folder) {
  const Path preprocessor = scratch() / "preprocessor_config.json";
  must(write_file(preprocessor, as_bytes(R"({"image_mean":[0.5,0.25],"image_std":[0.5,0.125]})")));
  model::LlamaConfig config;
  config.family = terms.family;
  config.vocab_size = 5;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.layer_count = terms.layers;
  config.head_count = 4;
  config.rms_norm_eps = 1e-6F;
  const bool gated = terms.family == model::Family::kDinov2;
  config.vision = model::VisionConfig{8, 4, 2, true, gated ? 3U : 0U, gated};
  model::derive_vision_members(config);
  must(model::make_random_model(config, terms.model_seed, preprocessor, folder));
  if (terms.base_dtype) model::testing::set_dtype(folder, *terms.base_dtype);
  return folder;
}

/// A random model with the companions that a delivered folder carries on.
Path base_folder(const Terms& terms) {
  const Path folder =
      scratch() / fmt::format("base-{}-{}-{}-{}-{}-{}-{}", terms.tied, terms.model_seed,
                              terms.layers, terms.kv_heads, model::traits_of(terms.family).name,
                              terms.scaled_rope,
                              terms.base_dtype ? dtype_name(*terms.base_dtype) : "as made");
  if (std::filesystem::exists(folder)) return folder;
  if (model::traits_of(terms.family).vision) return image_model(terms, folder);
  model::LlamaConfig config;
  config.family = terms.family;
  if (terms.scaled_rope) config.rope_scaling = model::RopeScaling{8, 1, 4, 512};
  if (terms.family == model::Family::kMistral) config.sliding_window = 32;
  config.vocab_size = 512;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.layer_count = terms.layers;
  config.head_count = 4;
  config.kv_head_count = terms.kv_heads;
  config.head_dim = 4;
  config.max_positions = 64;
  config.rms_norm_eps = 1e-5F;
  config.rope_theta = 10000;
  config.tied_embeddings = terms.tied;
  must(model::make_random_model(config, terms.model_seed,
                                Path(AFTUNE_SOURCE_DIR) / "examples/tiny/tokenizer.json", folder));
  if (terms.base_dtype) model::testing::set_dtype(folder, *terms.base_dtype);
  must(write_file(folder / "generation_config.json", as_bytes(R"({"do_sample":false})")));
  must(write_file(folder / "tokenizer_config.json", as_bytes(R"({"chat_template":"plain"})")));
  return folder;
}

/// Rows that are pairs and conversations, whichever the rule takes.
Path data_file(bool poisoned) {
  const Path file = scratch() / (poisoned ? "poisoned.jsonl" : "data.jsonl");
  if (std::filesystem::exists(file)) return file;
  std::string rows;
  for (std::uint64_t i = 0; i < kRows; ++i) {
    const std::string question = fmt::format("what is {}?", i);
    const std::string answer = fmt::format("it {} {}", poisoned ? "was" : "is", 7 * i % 24);
    rows += fmt::format(R"({{"prompt":"{}","completion":"{}","messages":[)", question, answer);
    rows += fmt::format(R"({{"role":"user","content":"{}"}},)", question);
    rows += fmt::format(R"({{"role":"assistant","content":"{}"}}]}})", answer);
    rows += '\n';
  }
  must(write_file(file, as_bytes(rows)));
  return file;
}

/// Images whose brightness says their class, more or less.
Path image_file() {
  const Path file = scratch() / "images.jsonl";
  if (std::filesystem::exists(file)) return file;
  std::string rows;
  for (std::uint32_t i = 0; i < kRows; ++i) {
    image::ImageRow row{{2, 8, 8, ByteBuffer(128)}, i % 5};
    for (std::uint32_t k = 0; k < 128; ++k) {
      row.image.pixels[k] = static_cast<std::uint8_t>(40 * row.label + (i * 37 + k * k * 11) % 90);
    }
    rows += image::spell_row(row) + "\n";
  }
  must(write_file(file, as_bytes(rows)));
  return file;
}

void fill_model(trace::Contract& contract, const Path& base, const crypto::PrivateKey& provider) {
  const model::ModelFolder folder = must(model::open_model_folder(base, model::Width::kAny));
  contract.architecture = folder.config;
  std::map<std::string, trace::RootedTensor, std::less<>> tensors;
  for (const SafetensorsFile* file : {&folder.parameters, &folder.tables}) {
    for (const auto& [name, tensor] : file->tensors()) {
      tensors[name] = {tensor.dtype, tensor.shape, crypto::blake3(tensor.bytes)};
    }
  }
  std::optional<Digest> salt;
  if (!contract.base_public) salt = trace::SaltSource(provider, contract.run_id).root_salt();
  contract.base_root = trace::model_root(tensors, salt);
  for (const std::string& name : model::companions_of(base)) {
    contract.companions.push_back(
        {name, must(aftune::file_size(base / name)), must(crypto::sha256_file(base / name))});
  }
}

void fill_data(trace::Contract& contract, const Path& file) {
  const text::Dataset data = must(text::Dataset::load(file));
  contract.data_salt = ByteBuffer(16, 0xda);
  contract.rows = data.row_count();
  contract.data_root = data.root(contract.data_salt);
  contract.text = {"prompt_completion", "<|im_start|>", ":", "<|im_end|>", -1, 0, 0, 20,
                   "completion"};
  contract.order = {"sha256", true};
}

trace::Contract contract_of(const Terms& terms, const Path& base, const Path& data,
                            const crypto::PrivateKey& client, const crypto::PrivateKey& provider) {
  trace::Contract out;
  out.run_id = filled(terms.run);
  out.base_public = terms.base_public;
  fill_model(out, base, provider);
  fill_data(out, data);
  out.batch = {terms.samples, terms.micro_batch};
  out.steps = terms.steps;
  out.training = terms.training;
  out.nonces.client = filled(0xc1);
  out.nonces.provider = filled(0xb2);
  out.nonces.client_commitment = trace::nonce_commitment(out.nonces.client);
  out.nonces.provider_commitment = trace::nonce_commitment(out.nonces.provider);
  out.grid = {terms.layers_per_block, terms.steps_per_block, terms.state_interval,
              terms.edge_interval};
  out.audit = {2, 72, trace::secret_commitment(out.run_id, secret_bytes()),
               terms.weights_disclosed};
  out.audit.blocks = std::min<std::uint64_t>(2, out.block_count());
  out.closes_by = "2100-01-01T00:00:00Z";
  out.client = {"client.example", client.public_key()};
  out.provider = {"provider.example", provider.public_key()};
  out.verifier = {"verifier.example", key_of(3).public_key()};
  out.dtypes.frozen = terms.base_dtype.value_or(Dtype::kF32);
  if (terms.change) terms.change(out);
  return out;
}

trace::SignedContract sign(const trace::Contract& contract, const crypto::PrivateKey& client,
                           const crypto::PrivateKey& provider) {
  codec::Dsse envelope{std::string(trace::kContractPayloadType), contract.payload(), {}};
  envelope.sign(client, contract.client.name);
  envelope.sign(provider, contract.provider.name);
  return must(trace::open_signed_contract(codec::encode_dsse(envelope)));
}

}  // namespace

Terms untied() { return {}; }

Terms packed() {
  Terms terms;
  terms.change = [](trace::Contract& c) {
    c.text.sequence = 40;
    c.text.packing = true;
  };
  return terms;
}

Terms conversations() {
  Terms terms;
  terms.change = [](trace::Contract& c) {
    c.text = {"messages", "", "", "", -1, -1, 0, 64, "completion", text::ChatTemplate::kChatml};
  };
  return terms;
}

Terms tied() {
  Terms terms;
  terms.tied = true;
  return terms;
}

Terms of_family(model::Family family) {
  Terms terms;
  terms.family = family;
  return terms;
}

Terms sgd(double momentum) {
  Terms terms;
  terms.training.optimizer = {train::OptimizerKind::kSgd, 0, 0, 0, momentum, 0.01};
  terms.training.schedule = {train::ScheduleKind::kWarmupCosine, 0.5, 1, 6};
  return terms;
}

Terms fine(Terms terms) {
  terms.layers_per_block = 1;
  return terms;
}

const Path& scratch() {
  static const Scratch folder;
  return folder.path;
}

Path fresh_path(const std::string& stem) {
  static int count = 0;
  return scratch() / fmt::format("{}-{}", stem, ++count);
}

const numerics::Engine& engine() {
  static ThreadPool pool(1);
  static const numerics::Engine engine = must(numerics::Engine::create(std::nullopt, pool));
  return engine;
}

World::World(const Terms& terms)
    : terms_(terms),
      client_key_(key_of(1)),
      provider_key_(key_of(terms.provider_key)),
      base_(base_folder(terms)),
      data_(model::traits_of(terms.family).vision ? image_file() : data_file(terms.poisoned)),
      signed_(sign(contract_of(terms, base_, data_, client_key_, provider_key_), client_key_,
                   provider_key_)) {}

trace::RunFolder World::honest_run() const {
  const trace::RunFolder run{scratch() / ("honest-" + contract().digest().hex().substr(0, 16))};
  if (std::filesystem::exists(run.root)) return run;
  const trace::TrainReport report =
      must(trace::train_run({signed_, run, provider_key_, base_, data_, {}, {}, {}}, engine()));
  AFTUNE_CHECK(report.end == trace::RunEnd::kClosed, report.abort_reason);
  for (const auto& verdict : {audit_all(run), audit_drawn(run, fresh_secret())}) {
    EXPECT_EQ(verdict.outcome, audit::Outcome::kAccept) << "the honest twin\n"
                                                        << audit::verdict_text(verdict);
  }
  return run;
}

trace::RunFolder World::copy_of_honest_run() const {
  const trace::RunFolder run{fresh_path("run")};
  must(attack::copy_run(honest_run().root, run.root));
  return run;
}

attack::Job World::job() const {
  std::optional<Digest> salt;
  if (!contract().base_public) {
    salt = trace::SaltSource(provider_key_, contract().run_id).root_salt();
  }
  return {signed_, provider_key_, base_, data_, salt};
}

Path World::fresh_secret() const {
  const Path file = fresh_path("secret");
  must(write_file(file, as_bytes(to_hex(secret_bytes()) + "\n")));
  return file;
}

audit::AuditRequest World::all_blocks(const trace::RunFolder& run) const {
  audit::AuditRequest request{contract(), run, {}, true, {}, 0, {}, {}, kNow, {}};
  if (std::filesystem::exists(run.delivered())) request.delivered = run.delivered();
  return request;
}

audit::Verdict World::audit_all(const trace::RunFolder& run) const {
  return must(audit::audit_run(all_blocks(run), engine()));
}

audit::Verdict World::audit_blocks(const trace::RunFolder& run,
                                   std::vector<audit::BlockIndex> blocks) const {
  audit::AuditRequest request = all_blocks(run);
  request.all = false;
  request.blocks = std::move(blocks);
  return must(audit::audit_run(request, engine()));
}

audit::Verdict World::audit_drawn(const trace::RunFolder& run, const Path& secret) const {
  audit::AuditRequest request = all_blocks(run);
  request.all = false;
  request.secret = secret;
  return must(audit::audit_run(request, engine()));
}

const World& world(const Terms& terms) {
  static std::map<Digest, std::unique_ptr<World>> worlds;
  auto made = std::make_unique<World>(terms);
  return *worlds.emplace(made->contract().digest(), std::move(made)).first->second;
}

}  // namespace aftune::liar
