// SPDX-License-Identifier: Apache-2.0
#include "tiny_place.h"

#include "aftune/codec/json.h"

namespace aftune::program {
namespace {

using trace::testing::put;

constexpr std::string_view kJob =
    R"(keys: {client: keys/client.pub, provider: keys/provider.pub, verifier: keys/client.pub}
model: model
base_public: true
data: data.jsonl
text: {format: prompt_completion, eos: f, pad: e, sequence: 6, labels: completion}
batch: {samples: 3, micro_batch: 2}
steps: 5
optimizer: {kind: adamw}
schedule: {kind: constant, peak: 1e-2}
clip: {max_norm: 0.5}
grid: {layers_per_block: 2, steps_per_block: 2, state_interval: 1}
audit: {blocks: 2, secret: client.secret, weights_disclosed: true}
)";

void must(const Outcome& outcome) {
  AFTUNE_CHECK(outcome.exit == 0, outcome.err.empty() ? "a step of the set-up" : outcome.err);
}

/// Names and bytes of everything below a folder; a folder's bytes are "/".
std::map<std::string, std::string> everything(const Path& folder) {
  auto out = trace::testing::files_of(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    out.emplace(std::filesystem::relative(entry.path(), folder).string(), std::string(1, '/'));
  }
  return out;
}

/// The shared place as it was made.
struct Shared {
  const TinyPlace place;
  const std::map<std::string, std::string> first = everything(place.path());
};

const Shared& shared() {
  static const Shared shared;
  return shared;
}

}  // namespace

TinyPlace::TinyPlace() {
  const TinyPlace& here = *this;
  put(here / "tokenizer.json", trace::testing::kTinyTokenizer);
  put(here / "data.jsonl", trace::testing::kTinyRows);
  put(here / "config.json",
      codec::pretty_json(model::to_hf_config(trace::testing::tiny_architecture())));
  must(aftune({"random-model", "--config", here / "config.json", "--tokenizer",
               here / "tokenizer.json", "--seed", "1", "-o", here / "model"}));
  for (const char* name : {"client", "provider", "stranger"}) {
    must(aftune({"keygen", "-o", here / "keys", "--name", name}));
  }
  sign_other("contract", "", "");
  must(aftune(train()));
}

void TinyPlace::sign_other(const std::string& name, const std::string& from,
                           const std::string& to) const {
  std::string job(kJob);
  job.replace(job.find(from), from.size(), to);
  const TinyPlace& here = *this;
  put(here / (name + ".yaml"), job);
  const std::string contract = here / (name + ".json");
  must(aftune({"contract", "draft", "-c", here / (name + ".yaml"), "-o", contract}));
  for (const std::string side : {"client", "provider"}) {
    must(aftune(
        {"contract", "sign", contract, "--role", side, "--key", here / ("keys/" + side + ".key")}));
  }
}

std::vector<std::string> TinyPlace::train(const std::map<std::string, std::string>& changes) const {
  const TinyPlace& here = *this;
  std::map<std::string, std::string> flags{{"--run", here / "run"},
                                           {"--key", here / "keys/provider.key"},
                                           {"--model", here / "model"},
                                           {"--data", here / "data.jsonl"},
                                           {"--quiet", ""}};
  std::string contract = here / "contract.json";
  for (const auto& [flag, value] : changes) {
    (flag == "contract" ? contract : flags[flag]) = value;
  }
  std::vector<std::string> out{"train", contract};
  for (const auto& [flag, value] : flags) {
    out.push_back(flag);
    if (!value.empty()) out.push_back(value);
  }
  return out;
}

std::vector<std::string> TinyPlace::audit(std::vector<std::string> more) const {
  std::vector<std::string> out{"audit", *this / "contract.json", "--run", *this / "run"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

const TinyPlace& tiny_place() { return shared().place; }

void expect_untouched() {
  const auto now = everything(tiny_place().path());
  for (const auto& [name, bytes] : shared().first) {
    const auto at = now.find(name);
    EXPECT_TRUE(at != now.end()) << name << " is gone";
    EXPECT_TRUE(at == now.end() || at->second == bytes) << name << " has other bytes";
  }
  for (const auto& [name, bytes] : now) {
    EXPECT_TRUE(shared().first.contains(name)) << name << " is new";
  }
}

}  // namespace aftune::program
