// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft_lora.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/crypto/blake3.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/trace/adapter_start.h"

namespace aftune::cli {
namespace {

// What PEFT takes for a key that is absent.
constexpr std::uint64_t kRank = 8;
constexpr double kAlpha = 8;

Result<std::vector<std::string>> targets(JobReader& lora, const model::LlamaConfig& config,
                                         std::vector<std::string>& notes) {
  const auto noted = [&notes](std::vector<std::string> names) {
    notes.push_back(fmt::format("lora.target_modules: {}", fmt::join(names, ", ")));
    return names;
  };
  if (!lora.has("target_modules")) return noted(model::kUsualTargets);
  if (const auto word = lora.text("target_modules")) {
    if (*word == "all-linear") return noted(model::linear_modules(config));
    return Error{Code::kInvalidInput, fmt::format("{} is \"{}\", needs all-linear or a list",
                                                  lora.where("target_modules"), *word)};
  }
  AFTUNE_TRY(auto names, lora.texts("target_modules"));
  std::sort(names.begin(), names.end());
  return names;
}

/// A specification names its members nearly as PEFT does.
Error at_key(const JobReader& lora, const Error& error) {
  const std::size_t end = error.what.find_first_of(" :");
  const std::string member = error.what.substr(0, end);
  const bool plain = member == "target_modules" || member == "modules_to_save";
  const std::string key = plain ? member : member == "rank" ? "r" : "lora_" + member;
  return {error.code, lora.where(key) + error.what.substr(member.size())};
}

/// The adapter root of the folder's tensors, which must be those that the job asks for.
Result<Digest> root_of_folder(const Path& path, const std::optional<Digest>& salt,
                              const trace::Contract& contract) {
  AFTUNE_TRY(const model::AdapterFolder adapter,
             model::open_adapter_folder(path, contract.architecture));
  model::LoraSpec same = adapter.lora;
  same.dropout = contract.adapter->lora.dropout;
  if (!(same == contract.adapter->lora)) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} has another rank, scaling or other modules than lora has",
                             (path / model::kAdapterConfig).string())};
  }
  std::map<std::string, Digest, std::less<>> digests;
  for (const auto& [name, tensor] : adapter.tensors) digests[name] = crypto::blake3(tensor.bytes());
  return trace::adapter_root(digests, contract, salt);
}

}  // namespace

Status draft_lora(JobReader& job, const Path& folder, const std::optional<Digest>& salt,
                  trace::Contract& contract, std::vector<std::string>& notes) {
  if (!job.has("lora")) return ok();
  AFTUNE_TRY(JobReader lora, job.map("lora"));
  trace::AdapterSpec spec;
  AFTUNE_TRY(const std::uint64_t rank, lora.count_or("r", kRank, 1, 4096));
  spec.lora.rank = static_cast<std::uint32_t>(rank);
  AFTUNE_TRY(spec.lora.alpha, lora.real_or("lora_alpha", kAlpha));
  AFTUNE_TRY(spec.lora.dropout, lora.real_or("lora_dropout", 0));
  AFTUNE_TRY(spec.lora.rslora, lora.boolean_or("use_rslora", false));
  if (!lora.has("r")) notes.push_back(fmt::format("lora.r: {}", kRank));
  if (!lora.has("lora_alpha")) notes.push_back(fmt::format("lora.lora_alpha: {}", kAlpha));
  AFTUNE_TRY(spec.lora.target_modules, targets(lora, contract.architecture, notes));
  if (lora.has("modules_to_save")) {
    AFTUNE_TRY(spec.lora.modules_to_save, lora.texts("modules_to_save"));
    std::sort(spec.lora.modules_to_save.begin(), spec.lora.modules_to_save.end());
  }
  if (Status held = model::check_lora(spec.lora, contract.architecture); !held) {
    return at_key(lora, held.error());
  }
  contract.adapter = spec;
  if (lora.has("initial")) {
    AFTUNE_TRY(const std::string name, lora.text("initial"));
    const Path path = Path(name).is_absolute() ? Path(name) : folder / name;
    AFTUNE_TRY(contract.adapter->initial,
               root_of_folder(path, salt, contract).in(lora.where("initial")));
  } else {
    notes.emplace_back("lora.initial: made from the run's seed");
  }
  return lora.finish();
}

}  // namespace aftune::cli
