// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "aftune/base/hex.h"
#include "aftune/base/random.h"
#include "aftune/cli/draft_lora.h"
#include "aftune/cli/draft_recipe.h"
#include "aftune/cli/draft_text.h"
#include "aftune/cli/job_reader.h"
#include "aftune/cli/trainer_names.h"
#include "aftune/codec/key_file.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"
#include "aftune/model/model_folder.h"
#include "aftune/trace/list.h"
#include "aftune/trace/model_root.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMany = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 24;

/// What the parts of a draft share.
struct Drafting {
  JobReader& job;
  Path folder;  // of the job file: relative paths start here
  std::int64_t now;
  Draft out;
  std::uint64_t samples = 0;  // an epoch

  [[nodiscard]] Path resolve(const std::string& path) const {
    return Path(path).is_absolute() ? Path(path) : folder / path;
  }
  void note(std::string text) { out.filled_in.push_back(std::move(text)); }
};

Result<Digest> random_or_given(Drafting& draft, JobReader& map, std::string_view key,
                               std::string_view label) {
  if (map.has(key)) {
    AFTUNE_TRY(const std::string hex, map.text(key));
    return parse_digest(hex).in(map.where(key));
  }
  draft.note(fmt::format("{}: random", label));
  return to_digest(random_bytes(32));
}

Status draft_keys(Drafting& draft) {
  AFTUNE_TRY(JobReader keys, draft.job.map("keys"));
  const std::pair<const char*, tlog::VerifierKey*> all[] = {
      {"client", &draft.out.contract.client},
      {"provider", &draft.out.contract.provider},
      {"verifier", &draft.out.contract.verifier}};
  for (const auto& [name, key] : all) {
    AFTUNE_TRY(const std::string file, keys.text(name));
    AFTUNE_TRY(std::string text, read_text_file(draft.resolve(file), 4096).in(keys.where(name)));
    if (text.ends_with('\n')) text.pop_back();
    AFTUNE_TRY(*key, tlog::parse_verifier_key(text).in(keys.where(name) + ": " + file));
  }
  return keys.finish();
}

/// The root over base parameters and tables, one tensor in memory at a time.
Result<Digest> root_of_folder(const model::ModelFolder& folder, const std::optional<Digest>& salt) {
  std::map<std::string, trace::RootedTensor, std::less<>> tensors;
  for (const SafetensorsFile* file : {&folder.parameters, &folder.tables}) {
    for (const auto& [name, tensor] : file->tensors()) {
      tensors[name] = {tensor.dtype, tensor.shape, crypto::blake3(tensor.bytes)};
    }
  }
  return trace::model_root(tensors, salt);
}

Status draft_model(Drafting& draft) {
  trace::Contract& contract = draft.out.contract;
  AFTUNE_TRY(const std::string path, draft.job.text("model"));
  const Path folder = draft.resolve(path);
  AFTUNE_TRY(const model::ModelFolder model,
             model::open_model_folder(folder, model::Width::kAny).in(draft.job.where("model")));
  contract.architecture = model.config;
  AFTUNE_TRY(contract.base_public, draft.job.boolean("base_public"));
  std::optional<Digest> salt;
  if (!contract.base_public) {
    AFTUNE_TRY(const std::string key_path, draft.job.text("provider_key"));
    AFTUNE_TRY(const codec::KeyFile key,
               codec::read_key_file(draft.resolve(key_path)).in(draft.job.where("provider_key")));
    salt = trace::SaltSource(key.key, contract.run_id).root_salt();
  }
  AFTUNE_TRY(contract.base_root, root_of_folder(model, salt));
  draft.note(fmt::format("model.root: {}", contract.base_root.hex()));
  for (const std::string& name : model::companions_of(folder)) {
    trace::BoundFile file{name, 0, {}};
    AFTUNE_TRY(file.size, aftune::file_size(folder / name));
    AFTUNE_TRY(file.sha256, crypto::sha256_file(folder / name));
    contract.companions.push_back(std::move(file));
  }
  draft.note(fmt::format("model.companions: {} files by SHA-256", contract.companions.size()));
  AFTUNE_TRY(draft_lora(draft.job, draft.folder, salt, contract, draft.out.filled_in));
  contract.dtypes.frozen = model.dtype;
  if (model.dtype == Dtype::kF32) return ok();
  draft.note(fmt::format("dtypes.frozen: {}, the model's", dtype_name(model.dtype)));
  if (contract.adapter) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{}: {} has parameters in {}, which are no more than the base of a job "
                           "with lora: import it without --keep-dtype",
                           draft.job.where("model"), path, dtype_name(model.dtype))};
}

Status draft_data(Drafting& draft, const Path& model) {
  trace::Contract& contract = draft.out.contract;
  AFTUNE_TRY(const std::string path, draft.job.text("data"));
  AFTUNE_TRY(const text::Dataset data,
             text::Dataset::load(draft.resolve(path)).in(draft.job.where("data")));
  if (draft.job.has("data_salt")) {
    AFTUNE_TRY(const std::string salt, draft.job.text("data_salt"));
    AFTUNE_TRY(contract.data_salt, from_hex(salt).in(draft.job.where("data_salt")));
    if (contract.data_salt.size() != 16) {
      return Error{Code::kInvalidInput,
                   fmt::format("{} has {} bytes, needs 16", draft.job.where("data_salt"),
                               contract.data_salt.size())};
    }
  } else {
    contract.data_salt = random_bytes(16);
    draft.note("data.salt: random");
  }
  contract.rows = data.row_count();
  contract.data_root = data.root(contract.data_salt);
  draft.note(fmt::format("data.root: {} over {} rows", contract.data_root.hex(), contract.rows));
  AFTUNE_TRY(draft.samples, sample_count(contract.text, model, data).in(draft.job.where("data")));
  if (contract.text.packing) {
    draft.note(fmt::format("text.packing: {} rows in {} samples", contract.rows, draft.samples));
  }
  return ok();
}

Status draft_training(Drafting& draft) {
  trace::Contract& contract = draft.out.contract;
  AFTUNE_TRY(Recipe recipe, draft_recipe(draft.job, draft.samples, draft.out.filled_in));
  contract.batch = recipe.batch;
  contract.steps = recipe.steps;
  contract.training = recipe.training;
  contract.dtypes.moments = recipe.moments;
  contract.order = std::move(recipe.order);
  AFTUNE_TRY(JobReader grid, draft.job.map("grid"));
  AFTUNE_TRY(const auto layers, grid.count("layers_per_block", 1, 1 << 16));
  contract.grid.layers_per_block = static_cast<std::uint32_t>(layers);
  AFTUNE_TRY(contract.grid.steps_per_block, grid.count("steps_per_block", 1, kMaxSteps));
  AFTUNE_TRY(contract.grid.state_interval, grid.count("state_interval", 1, kMaxSteps));
  AFTUNE_TRY(const auto edges, grid.count_or("edge_interval", 1, 1, 1 << 16));
  contract.grid.edge_interval = static_cast<std::uint32_t>(edges);
  AFTUNE_TRY(contract.dtypes.boundary, rounded_dtype(grid, "boundary"));
  return grid.finish();
}

Status draft_nonces(Drafting& draft) {
  AFTUNE_TRY(JobReader nonces, draft.job.map_or_empty("nonces"));
  trace::Nonces& out = draft.out.contract.nonces;
  AFTUNE_TRY(out.client, random_or_given(draft, nonces, "client", "seed.client_nonce"));
  AFTUNE_TRY(out.provider, random_or_given(draft, nonces, "provider", "seed.provider_nonce"));
  out.client_commitment = trace::nonce_commitment(out.client);
  out.provider_commitment = trace::nonce_commitment(out.provider);
  return nonces.finish();
}

/// The 32 bytes of a secret file, which is made if absent.
Result<ByteBuffer> secret_of(Drafting& draft, const Path& file) {
  Path used = file;
  used += ".checkpoint";
  std::error_code error;
  if (std::filesystem::exists(used, error)) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has drawn the blocks of another run ({} exists): a secret serves "
                             "one contract",
                             file.string(), used.string())};
  }
  Result<std::string> text = read_text_file(file, 4096);
  if (!text && text.error().code == Code::kNotFound) {
    ByteBuffer secret = random_bytes(32);
    AFTUNE_TRY(write_new_private_file(file, as_bytes(to_hex(secret) + "\n")));
    draft.note(
        fmt::format("audit.secret: 32 random bytes in {}; show it to nobody before the "
                    "close, and use it for this contract only",
                    file.string()));
    return secret;
  }
  if (!text) return std::move(text).error();
  if (text->ends_with('\n')) text->pop_back();
  AFTUNE_TRY(ByteBuffer secret, from_hex(*text).in(file.string()));
  if (secret.size() == 32) return secret;
  return Error{Code::kInvalidInput,
               fmt::format("{} has {} bytes, a secret has 32", file.string(), secret.size())};
}

/// The secret's hash: given, or that of the secret file. Comes last: a draft that fails leaves no
/// secret behind.
Status draft_secret(Drafting& draft) {
  trace::Contract& contract = draft.out.contract;
  AFTUNE_TRY(JobReader audit, draft.job.map("audit"));
  if (audit.has("secret_sha256")) {
    AFTUNE_TRY(const std::string hex, audit.text("secret_sha256"));
    AFTUNE_TRY(contract.audit.secret_sha256, parse_digest(hex).in(audit.where("secret_sha256")));
    return ok();
  }
  AFTUNE_TRY(const std::string name, audit.text("secret"));
  AFTUNE_TRY(const ByteBuffer secret,
             secret_of(draft, draft.resolve(name)).in(audit.where("secret")));
  contract.audit.secret_sha256 = trace::secret_commitment(contract.run_id, secret);
  return ok();
}

/// The public key in a file, spelt for notes or for cosignatures: the same 32 bytes.
Result<tlog::WitnessKey> read_witness_key(const Path& file) {
  AFTUNE_TRY(std::string text, read_text_file(file, 4096));
  if (text.ends_with('\n')) text.pop_back();
  Result<tlog::WitnessKey> key = tlog::parse_witness_key(text).in(file.string());
  if (key) return key;
  AFTUNE_TRY(tlog::VerifierKey plain, tlog::parse_verifier_key(text).in(file.string()));
  return tlog::WitnessKey{std::move(plain.name), plain.key};
}

/// `audit.witnesses`: "none", a map, or absent.
Status draft_witnesses(Drafting& draft, JobReader& audit) {
  trace::WitnessPolicy& policy = draft.out.contract.audit.witnesses;
  if (!audit.has("witnesses")) {
    draft.note("audit.witnesses: none");
    return ok();
  }
  if (const auto word = audit.text("witnesses")) {
    if (*word == "none") return ok();
    return Error{Code::kInvalidInput,
                 fmt::format("{} is \"{}\", needs none or a map", audit.where("witnesses"), *word)};
  }
  AFTUNE_TRY(JobReader witnesses, audit.map("witnesses"));
  AFTUNE_TRY(const auto files, witnesses.texts("keys"));
  for (const std::string& file : files) {
    AFTUNE_TRY(tlog::WitnessKey key,
               read_witness_key(draft.resolve(file)).in(witnesses.where("keys")));
    policy.keys.push_back(std::move(key));
  }
  std::sort(policy.keys.begin(), policy.keys.end(),
            [](const auto& a, const auto& b) { return a.spell() < b.spell(); });
  AFTUNE_TRY(policy.quorum,
             witnesses.count_or("quorum", policy.keys.size(), 1, policy.keys.size()));
  if (!witnesses.has("quorum")) {
    draft.note(fmt::format("audit.witnesses.quorum: {}, all of them", policy.quorum));
  }
  AFTUNE_TRY(policy.max_delay_seconds,
             witnesses.count_or("max_delay_seconds", 3600, 1, std::uint64_t{3650} * 24 * 3600));
  if (!witnesses.has("max_delay_seconds")) draft.note("audit.witnesses.max_delay_seconds: 3600");
  return witnesses.finish();
}

Status draft_audit(Drafting& draft) {
  trace::Contract& contract = draft.out.contract;
  AFTUNE_TRY(JobReader audit, draft.job.map("audit"));
  AFTUNE_TRY(const std::string strategy, audit.text_or("strategy", "uniform"));
  AFTUNE_TRY(contract.audit.strategy, trace::parse_strategy(strategy).in(audit.where("strategy")));
  if (!audit.has("strategy")) draft.note("audit.strategy: uniform");
  AFTUNE_TRY(contract.audit.blocks, audit.count("blocks", 1, kMany));
  AFTUNE_TRY(contract.audit.deadline_hours, audit.count_or("deadline_hours", 72, 1, 24 * 3650));
  if (!audit.has("deadline_hours")) draft.note("audit.deadline_hours: 72");
  AFTUNE_TRY(contract.audit.weights_disclosed, audit.boolean("weights_disclosed"));
  AFTUNE_TRY(draft_witnesses(draft, audit));
  const char* secret = audit.has("secret_sha256") ? "secret_sha256" : "secret";
  AFTUNE_TRY(audit.text(secret));  // draft_secret() uses it
  AFTUNE_TRY(audit.finish());
  if (draft.job.has("closes_by")) {
    AFTUNE_TRY(contract.closes_by, draft.job.text("closes_by"));
  } else {
    constexpr std::int64_t kThirtyDays = 30 * 24 * 3600;
    contract.closes_by = trace::spell_utc(draft.now + kThirtyDays);
    draft.note("closes_by: " + contract.closes_by);
  }
  return ok();
}

/// A contract names its members nearly as the job file names its keys: says where to look.
Error at_key(const JobReader& job, Error error) {
  constexpr std::string_view kPrefix = "contract.";
  if (!error.what.starts_with(kPrefix)) return std::move(error).in(job.where(""));
  const std::string_view rest = std::string_view(error.what).substr(kPrefix.size());
  const std::size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.0123456789");
  const std::string_view member = rest.substr(0, end);
  return {error.code,
          job.where(key_of_member(job, member)) + std::string(rest.substr(member.size()))};
}

/// The rules of a contract stand in one place: what parse() refuses is no contract. Beyond them:
/// every step must find its tokens, and the model all of them.
Status check_draft(const Drafting& draft, const Path& model, const Path& data) {
  const JobReader& job = draft.job;
  const auto parsed = trace::Contract::parse(draft.out.contract.payload());
  if (!parsed) return at_key(job, parsed.error());
  AFTUNE_TRY(trace::SideInputs inputs,
             trace::SideInputs::open(*parsed, data, model).in(job.where("model")));
  return inputs.batches().check_steps(parsed->steps).in(job.where("data") + ": " + data.string());
}

}  // namespace

Result<Draft> draft_contract(const Path& job_file, std::int64_t now,
                             const std::vector<JobFlag>& flags) {
  AFTUNE_TRY(JobReader job, JobReader::load(job_file, flags));
  Drafting draft{job, job_file.has_parent_path() ? job_file.parent_path() : Path("."), now, {}, 0};
  AFTUNE_TRY(draft.out.contract.run_id, random_or_given(draft, job, "run_id", "run_id"));
  AFTUNE_TRY(draft_keys(draft));
  AFTUNE_TRY(draft_model(draft));
  AFTUNE_TRY(const std::string model, job.text("model"));
  if (!draft.out.contract.architecture.vision) {
    AFTUNE_TRY(draft.out.contract.text, draft_text(job, draft.resolve(model), draft.out.filled_in));
  }
  AFTUNE_TRY(draft_data(draft, draft.resolve(model)));
  AFTUNE_TRY(draft_training(draft));
  AFTUNE_TRY(draft_nonces(draft));
  AFTUNE_TRY(draft_audit(draft));
  AFTUNE_TRY(job.finish());
  AFTUNE_TRY(const std::string data, job.text("data"));
  AFTUNE_TRY(check_draft(draft, draft.resolve(model), draft.resolve(data)));
  AFTUNE_TRY(draft_secret(draft));
  return std::move(draft.out);
}

}  // namespace aftune::cli
