// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft.h"

#include <gtest/gtest.h>

#include "aftune/base/hex.h"
#include "aftune/codec/key_file.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::get;
using trace::testing::must;
using trace::testing::put;
using trace::testing::TempFolder;

constexpr std::string_view kJob =
    R"(run_id: "1111111111111111111111111111111111111111111111111111111111111111"
keys: {client: keys/client.pub, provider: keys/provider.pub, verifier: keys/client.pub}
model: model
base_public: true
data: data.jsonl
data_salt: "00112233445566778899aabbccddeeff"
text:
  format: prompt_completion
  eos: f
  pad: e
  sequence: 6
  labels: completion
order: {shuffle: sha256, drop_last: true}
batch:
  samples: 3
  micro_batch: 2
steps: 5
optimizer: {kind: adamw, weight_decay: 0.01}
schedule: {kind: warmup_cosine, peak: 1e-2, warmup_steps: 1}
clip: {max_norm: 0.5}
grid: {layers_per_block: 2, steps_per_block: 2, state_interval: 1}
nonces:
  client: "2222222222222222222222222222222222222222222222222222222222222222"
  provider: "3333333333333333333333333333333333333333333333333333333333333333"
audit:
  blocks: 2
  secret: client.secret
  weights_disclosed: true
closes_by: "2999-12-31T00:00:00Z"
)";

constexpr std::int64_t kNow = 1800000000;  // 2027-01-15T08:00:00Z

class DraftTest : public ::testing::Test {
 protected:
  DraftTest() {
    put(folder_ / "tokenizer.json", trace::testing::kTinyTokenizer);
    put(folder_ / "data.jsonl", trace::testing::kTinyRows);
    must(model::make_random_model(trace::testing::tiny_architecture(), 1,
                                  folder_ / "tokenizer.json", folder_ / "model"));
    std::filesystem::create_directory(folder_ / "keys");
    unsigned char seed = 1;
    for (const char* name : {"client", "provider"}) {
      must(codec::write_key_files(folder_ / "keys", name, trace::testing::test_key(seed++)));
    }
  }
  Result<Draft> draft(std::string_view job = kJob) {
    put(folder_ / "job.yaml", job);
    return draft_contract(folder_ / "job.yaml", kNow);
  }
  /// kJob with `from` replaced by `to`.
  static std::string with(std::string_view from, std::string_view to) {
    std::string job(kJob);
    const std::size_t at = job.find(from);
    AFTUNE_CHECK(at != std::string::npos, std::string(from));
    return job.replace(at, from.size(), to);
  }
  /// What the draft says of a wrong job, the folder's path left out.
  std::string error(std::string_view job) {
    const auto made = draft(job);
    if (made) return "no error";
    std::string what = made.error().what;
    const std::string folder = folder_.path().string() + "/";
    for (std::size_t at = what.find(folder); at != std::string::npos; at = what.find(folder)) {
      what.erase(at, folder.size());
    }
    return what;
  }
  bool filled_in(const Draft& made, const std::string& part) {
    for (const std::string& line : made.filled_in) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  const TempFolder folder_;
};

TEST_F(DraftTest, GivesAContractThatParses) {
  const Draft made = must(draft());
  const trace::Contract back = must(trace::Contract::parse(made.contract.payload()));
  EXPECT_EQ(back.digest(), made.contract.digest());
  EXPECT_EQ(back.steps, 5U);
  EXPECT_EQ(back.text.eos_id, 5);
  EXPECT_EQ(back.text.pad_id, 4);
  EXPECT_EQ(back.text.bos_id, -1);
  EXPECT_EQ(back.batch, (train::BatchSpec{3, 2}));
  EXPECT_EQ(back.companions.size(), 3U);
  EXPECT_EQ(back.training.schedule.total_steps, 5U);
  EXPECT_EQ(back.audit.deadline_hours, 72U);
}

TEST_F(DraftTest, NamesWitnessesByTheFilesOfTheirKeys) {
  EXPECT_FALSE(must(draft()).contract.audit.witnesses.asks());
  must(codec::write_key_files(folder_ / "keys", "zebra", trace::testing::test_key(8)));
  const tlog::WitnessKey bear{"bear", trace::testing::test_key(9).public_key()};
  put(folder_ / "keys/bear.pub", bear.spell() + "\n");
  const auto job = [](const std::string& witnesses) {
    return with("weights_disclosed", "witnesses: " + witnesses + "\n  weights_disclosed");
  };
  const Draft made = must(draft(job("{keys: [keys/zebra.pub, keys/bear.pub], quorum: 1}")));
  const trace::WitnessPolicy& policy = made.contract.audit.witnesses;
  ASSERT_EQ(policy.keys.size(), 2U);
  EXPECT_EQ(policy.keys[0], bear) << "ascending, as the contract needs it";
  EXPECT_EQ(policy.keys[1].name, "zebra");
  EXPECT_EQ(policy.quorum, 1U);
  EXPECT_EQ(policy.max_delay_seconds, 3600U);
  EXPECT_TRUE(filled_in(made, "audit.witnesses.max_delay_seconds: 3600"));
  EXPECT_EQ(must(draft(job("none"))).contract.digest(), must(draft()).contract.digest());
  EXPECT_NE(error(job("nobody")).find("audit.witnesses is \"nobody\", needs none or a map"),
            std::string::npos);
  EXPECT_NE(error(job("{keys: [keys/zebra.pub], quorum: 2}")).find("quorum"), std::string::npos);
  EXPECT_NE(error(job("{keys: []}")).find("needs a list"), std::string::npos);
  EXPECT_NE(error(job("{keys: [keys/provider.pub]}")).find("is the provider's key"),
            std::string::npos);
}

TEST_F(DraftTest, NothingIsRandomWhereEverythingIsGiven) {
  const Digest first = must(draft()).contract.digest();
  EXPECT_EQ(must(draft()).contract.digest(), first);
}

TEST_F(DraftTest, EdgesAreFp32UnlessTheJobRoundsThem) {
  EXPECT_EQ(must(draft()).contract.dtypes.boundary, Dtype::kF32);
  std::filesystem::remove(folder_ / "client.secret");
  const Draft made = must(draft(with("state_interval: 1", "state_interval: 1, boundary: BF16")));
  EXPECT_EQ(made.contract.dtypes, (trace::Dtypes{Dtype::kBF16, Dtype::kF32}));
}

TEST_F(DraftTest, MomentsAreFp32UnlessTheJobSaysOtherwise) {
  EXPECT_EQ(must(draft()).contract.dtypes.moments, Dtype::kF32);
  std::filesystem::remove(folder_ / "client.secret");
  const Draft made = must(draft(with("kind: adamw", "kind: adamw, moments: BF16")));
  EXPECT_EQ(made.contract.dtypes, (trace::Dtypes{Dtype::kF32, Dtype::kF32, Dtype::kBF16}));
  EXPECT_NE(error(with("kind: adamw", "kind: adamw, moments: F16"))
                .find("optimizer.moments is \"F16\", known: F32, BF16"),
            std::string::npos);
}

TEST_F(DraftTest, ANarrowModelIsTheBaseOfAdaptersOnly) {
  model::testing::set_dtype(folder_ / "model", Dtype::kBF16);
  const std::string says = error(kJob);
  EXPECT_EQ(says.rfind("job.yaml:3: model: ", 0), 0U) << says;
  EXPECT_NE(says.find("parameters in BF16"), std::string::npos) << says;
  const Draft made = must(draft(with("steps: 5", "steps: 5\nlora: {r: 2}")));
  EXPECT_EQ(made.contract.dtypes.frozen, Dtype::kBF16);
  EXPECT_TRUE(filled_in(made, "dtypes.frozen: BF16"));
}

TEST_F(DraftTest, PathsStartAtTheJobFilesFolder) {
  const Path elsewhere = std::filesystem::current_path();
  const Digest here = must(draft()).contract.digest();
  std::filesystem::current_path(folder_.path());
  const auto relative = draft_contract("job.yaml", kNow);
  std::filesystem::current_path(elsewhere);
  EXPECT_EQ(must(relative).contract.digest(), here);
  const std::string absolute =
      with("data: data.jsonl", "data: " + (folder_ / "data.jsonl").string());
  EXPECT_EQ(must(draft(absolute)).contract.digest(), here);
}

TEST_F(DraftTest, TellsWhatItFilledIn) {
  const std::string job =
      with("run_id: \"1111111111111111111111111111111111111111111111111111111111111111\"\n", "");
  const Draft made = must(draft(job));
  EXPECT_TRUE(filled_in(made, "run_id: random"));
  EXPECT_TRUE(filled_in(made, "model.root: " + made.contract.base_root.hex()));
  EXPECT_TRUE(filled_in(made, "data.root: "));
  EXPECT_TRUE(filled_in(made, "over 7 rows"));
  EXPECT_TRUE(filled_in(made, "model.companions: 3 files"));
  EXPECT_TRUE(filled_in(made, "audit.deadline_hours: 72"));
  EXPECT_TRUE(filled_in(made, "audit.secret: 32 random bytes in"));
  EXPECT_FALSE(filled_in(made, "nonce"));
  EXPECT_NE(must(draft(job)).contract.run_id, made.contract.run_id);
}

TEST_F(DraftTest, ClosesInThirtyDaysIfNothingIsSaid) {
  const Draft made = must(draft(with("closes_by: \"2999-12-31T00:00:00Z\"\n", "")));
  EXPECT_EQ(made.contract.closes_by, "2027-02-14T08:00:00Z");
  EXPECT_TRUE(filled_in(made, "closes_by: 2027-02-14T08:00:00Z"));
}

TEST_F(DraftTest, MakesASecretForItsOwnerOnly) {
  const Draft made = must(draft());
  const std::string text = get(folder_ / "client.secret");
  ASSERT_EQ(text.size(), 65U);
  EXPECT_EQ(made.contract.audit.secret_sha256,
            trace::secret_commitment(made.contract.run_id, must(from_hex(text.substr(0, 64)))));
  EXPECT_EQ(std::filesystem::status(folder_ / "client.secret").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  for (const std::string& line : made.filled_in) {
    EXPECT_EQ(line.find(text.substr(0, 64)), std::string::npos) << "the secret is shown";
  }
}

TEST_F(DraftTest, KeepsASecretThatIsThere) {
  put(folder_ / "client.secret", to_hex(ByteBuffer(32, 7)));
  const Draft made = must(draft());
  EXPECT_EQ(get(folder_ / "client.secret"), to_hex(ByteBuffer(32, 7)));
  EXPECT_EQ(made.contract.audit.secret_sha256,
            trace::secret_commitment(made.contract.run_id, ByteBuffer(32, 7)));
}

TEST_F(DraftTest, RefusesSecretsThatAreNone) {
  put(folder_ / "client.secret", "00\n");
  EXPECT_EQ(error(kJob), "job.yaml:27: audit.secret: client.secret has 1 bytes, a secret has 32");
  put(folder_ / "client.secret", "hello");
  EXPECT_EQ(error(kJob).rfind("job.yaml:27: audit.secret: client.secret: ", 0), 0U);
}

TEST_F(DraftTest, RefusesASecretThatHasDrawnAlready) {
  put(folder_ / "client.secret", to_hex(ByteBuffer(32, 7)));
  put(folder_ / "client.secret.checkpoint", "x");
  EXPECT_EQ(error(kJob).rfind("job.yaml:27: audit.secret: client.secret has drawn", 0), 0U)
      << error(kJob);
}

TEST_F(DraftTest, ADraftThatFailsLeavesNoSecret) {
  EXPECT_NE(error(with("samples: 3", "samples: 8")), "no error");
  EXPECT_NE(error(with("labels: completion", "labels: all\n  colour: red")), "no error");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "client.secret"));
}

TEST_F(DraftTest, AHashOfTheSecretIsEnough) {
  const std::string hex(64, 'a');
  const Draft made = must(draft(with("secret: client.secret", "secret_sha256: \"" + hex + "\"")));
  EXPECT_EQ(made.contract.audit.secret_sha256.hex(), hex);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "client.secret"));
  EXPECT_EQ(error(with("secret: client.secret", "secret_sha256: aa"))
                .rfind("job.yaml:27: audit.secret_sha256", 0),
            0U);
}

TEST_F(DraftTest, ASaltedRootNeedsTheProvidersKey) {
  const Digest open = must(draft()).contract.base_root;
  const Draft made =
      must(draft(with("base_public: true", "base_public: false\nprovider_key: keys/provider.key")));
  EXPECT_NE(made.contract.base_root, open);
  EXPECT_EQ(error(with("base_public: true", "base_public: false")),
            "job.yaml:1: provider_key is missing, needs a value");
  EXPECT_EQ(error(with("base_public: true", "base_public: false\nprovider_key: keys/none"))
                .rfind("job.yaml:5: provider_key: open keys/none", 0),
            0U);
}

TEST_F(DraftTest, PackedSamplesAreWhatEpochsCount) {
  // Lists of 5, 4, 4, 6, 6, 4 and 4 tokens: none fits beside its neighbour in 6, two do in 9.
  const auto made = [&](const std::string& sequence) {
    std::string job = with("labels: completion", "labels: completion\n  packing: true");
    job.replace(job.find("steps: 5\n"), 9, "num_train_epochs: 2\n");
    return must(draft(job.replace(job.find("sequence: 6"), 11, "sequence: " + sequence)));
  };
  const Draft apart = made("6");
  EXPECT_TRUE(apart.contract.text.packing);
  EXPECT_EQ(apart.contract.steps, 4U);
  EXPECT_TRUE(filled_in(apart, "text.packing: 7 rows in 7 samples"));
  const Draft packed = made("9");
  EXPECT_TRUE(filled_in(packed, "text.packing: 7 rows in 5 samples"));
  EXPECT_EQ(packed.contract.steps, 2U);
  EXPECT_EQ(must(trace::Contract::parse(packed.contract.payload())).text, packed.contract.text);
}

TEST_F(DraftTest, ChatTemplatesAreTheModelsOrNamed) {
  put(folder_ / "model" / "tokenizer_config.json",
      R"({"chat_template":"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + )"
      R"(message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ )"
      R"('<|im_start|>assistant\n' }}{% endif %}"})");
  const std::string row = R"({"messages":[{"role":"user","content":"a"}]})";
  put(folder_ / "data.jsonl", row + "\n" + row + "\n" + row + "\n");
  std::string job = with("format: prompt_completion\n  eos: f", "format: messages");
  // The template was found; nobody answers in these rows.
  EXPECT_NE(error(job).find("none of its 3 rows has a counted token"), std::string::npos)
      << error(job);
  put(folder_ / "model" / "tokenizer_config.json", R"({"chat_template":"other"})");
  EXPECT_EQ(error(job).rfind("job.yaml:8: text.chat_template is missing, and model/tokenizer_"
                             "config.json has no template that is known",
                             0),
            0U)
      << error(job);
}

TEST_F(DraftTest, FlagsWinOverKeys) {
  put(folder_ / "job.yaml", kJob);
  const auto with_flags = [&](const std::vector<std::string>& words) {
    return draft_contract(folder_ / "job.yaml", kNow, must(job_flags(words)));
  };
  const auto made = must(with_flags({"--steps", "4", "--grid.steps_per_block=1", "--lora.r", "2",
                                     "--lora.target_modules", "[k_proj]"}));
  EXPECT_EQ(made.contract.steps, 4U);
  EXPECT_EQ(made.contract.grid, (trace::GridSpec{2, 1, 1, 1}));
  EXPECT_EQ(made.contract.adapter->lora.rank, 2U);
  EXPECT_EQ(made.contract.adapter->lora.target_modules, std::vector<std::string>{"k_proj"});
  const std::pair<std::vector<std::string>, const char*> lies[] = {
      {{"--steps", "0"}, "--steps is \"0\", needs an integer"},
      {{"--batch.sampels", "3"}, "--batch.sampels is unknown"},
      {{"--colour", "red"}, "--colour is unknown"},
      {{"--steps.more", "1"}, "--steps.more: steps is no map"},
      {{"--grid..x", "1"}, "--grid..x: a part of the key is empty"},
      {{"--steps", "{"}, "--steps: "},
      {{"--schedule.peak", "-1"}, "--schedule.peak: "},
  };
  for (const auto& [words, says] : lies) {
    const auto got = with_flags(words);
    ASSERT_FALSE(got) << says;
    EXPECT_EQ(got.error().what.rfind(says, 0), 0U) << got.error().what;
  }
}

struct Wrong {
  std::string from, to;
  const char* says;  // the beginning of the error
};

TEST_F(DraftTest, EachErrorNamesFileLineAndKey) {
  const std::vector<Wrong> table = {
      {"run_id: \"1111", "run_id: \"11", "job.yaml:1: run_id: "},
      {"client: keys/client.pub,", "", "job.yaml:2: keys.client is missing"},
      {"keys/client.pub,", "keys/none.pub,",
       "job.yaml:2: keys.client: open keys/none.pub: No such"},
      {"keys/client.pub,", "keys/client.key,", "job.yaml:2: keys.client: keys/client.key: "},
      {"provider: keys/provider.pub", "provider: keys/client.pub", "job.yaml:2: keys: client and"},
      {"model: model", "model: none", "job.yaml:3: model: open none/config.json"},
      {"model: model\n", "", "job.yaml:1: model is missing, needs a value"},
      {"base_public: true", "base_public: maybe", "job.yaml:4: base_public is \"maybe\""},
      {"data: data.jsonl", "data: none.jsonl", "job.yaml:5: data: open none.jsonl"},
      {"data_salt: \"0011", "data_salt: \"00", "job.yaml:6: data_salt has 15 bytes, needs 16"},
      {"data_salt: \"00", "data_salt: \"zz", "job.yaml:6: data_salt: "},
      {"format: prompt_completion", "format: chat", "job.yaml:8: text.format: \"chat\""},
      {"format: prompt_completion", "format: messages",
       "job.yaml:8: text.chat_template: open model/tokenizer_config.json: No such"},
      {"format: prompt_completion", "format: messages\n  chat_template: vicuna",
       "job.yaml:9: text.chat_template: chat template \"vicuna\", known are none, chatml"},
      {"format: prompt_completion", "format: messages\n  chat_template: chatml",
       "job.yaml:8: text.eos_id: must be -1 for format messages"},
      {"labels: completion", "labels: completion\n  packing: maybe",
       "job.yaml:13: text.packing is \"maybe\""},
      {"eos: f", "eos: <end>", "job.yaml:9: text.eos: the tokenizer has no token \"<end>\""},
      {"sequence: 6", "sequence: 17", "job.yaml:11: text.sequence is 17, the model has 16"},
      {"sequence: 6", "sequence: six", "job.yaml:11: text.sequence is \"six\", needs an integer"},
      {"labels: completion", "labels: none", "job.yaml:12: text.labels: \"none\""},
      {"shuffle: sha256", "shuffle: md5", "job.yaml:13: order.shuffle is \"md5\""},
      {"samples: 3", "samples: 8", "job.yaml:15: batch.samples is 8, the data set has 7 rows"},
      {"samples: 3", "samples: 0", "job.yaml:15: batch.samples is \"0\", needs an integer from 1"},
      {"micro_batch: 2", "micro_batch: 4",
       "job.yaml:16: batch.micro_batch is \"4\", needs an integer from 1 to 3"},
      {"steps: 5", "steps: 0", "job.yaml:17: steps is \"0\""},
      {"steps: 5", "steps: 99999999999", "job.yaml:17: steps is \"99999999999\""},
      {"kind: adamw", "kind: lion", "job.yaml:18: optimizer.kind is \"lion\", known: adamw, sgd"},
      {"weight_decay: 0.01", "beta1: 1", "job.yaml:18: optimizer.beta1: "},
      {"weight_decay: 0.01", "weight_decay: .nan",
       "job.yaml:18: optimizer.weight_decay is \".nan\""},
      {"weight_decay: 0.01", "momentum: 0.5", "job.yaml:18: optimizer.momentum is unknown"},
      {"kind: warmup_cosine", "kind: step", "job.yaml:19: schedule.kind is \"step\""},
      {"warmup_steps: 1", "warmup_steps: 6", "job.yaml:19: schedule.warmup_steps: 6 is not within"},
      {"peak: 1e-2", "peak: -1", "job.yaml:19: schedule.peak: "},
      {"max_norm: 0.5", "max_norm: -0.5", "job.yaml:20: clip.max_norm: "},
      {"layers_per_block: 2", "layers_per_block: 0", "job.yaml:21: grid.layers_per_block is \"0\""},
      {"state_interval: 1", "state_interval: 1, edge_interval: 0",
       "job.yaml:21: grid.edge_interval is \"0\""},
      {"state_interval: 1}", "state_interval: 1, boundary: F16}",
       "job.yaml:21: grid.boundary is \"F16\", known: F32, BF16"},
      {"client: \"2222", "client: \"22", "job.yaml:23: nonces.client: "},
      {"blocks: 2", "blocks: 7", "job.yaml:26: audit.blocks: 7 is not within 1 and 6"},
      {"weights_disclosed: true", "weights_disclosed: false",
       "job.yaml:2: keys: the client is the"},
      {"secret: client.secret\n", "\n", "job.yaml:26: audit.secret is missing"},
      {"2999-12-31T00:00:00Z", "next year", "job.yaml:29: closes_by: \"next year\""},
      {"steps: 5", "steps: 5\nsteps: 6", "job.yaml:18: steps stands there twice"},
      {"steps: 5", "steps: 5\nlearning_rate: 1", "job.yaml:18: learning_rate stands beside"},
      {"schedule: {kind: warmup_cosine, peak: 1e-2, warmup_steps: 1}", "learning_rate: -1",
       "job.yaml:19: learning_rate: -0x1p+0 has a minus sign"},
      {"steps: 5", "steps: 5\nlogging_steps: 1", "job.yaml:18: logging_steps is unknown"},
      {"clip: {max_norm: 0.5}", "clip: {max_nrom: 0.5}", "job.yaml:20: clip.max_nrom is unknown"},
  };
  for (const Wrong& wrong : table) {
    const std::string says = error(with(wrong.from, wrong.to));
    EXPECT_EQ(says.rfind(wrong.says, 0), 0U) << "expected " << wrong.says << "\ngot      " << says;
  }
}

TEST_F(DraftTest, RowsThatCannotBeTrainedOnAreNamed) {
  put(folder_ / "data.jsonl", std::string(trace::testing::kTinyRows) + "{\"prompt\":\"a\"}\n");
  EXPECT_EQ(error(kJob), "job.yaml:5: data: data.jsonl: row 7: member \"completion\" is missing");
  put(folder_ / "data.jsonl", "{\"prompt\":\"abcdef\",\"completion\":\"a\"}\n");
  EXPECT_EQ(error(with("samples: 3\n  micro_batch: 2", "samples: 1")),
            "job.yaml:5: data: data.jsonl: step 0: none of its 1 rows has a counted token");
}

TEST_F(DraftTest, ATokenizerLargerThanTheModelIsNamed) {
  std::string tokenizer(trace::testing::kTinyTokenizer);
  tokenizer.replace(tokenizer.find("\"f\": 5"), 6, "\"f\": 5, \"g\": 6, \"h\": 7");
  put(folder_ / "model" / "tokenizer.json", tokenizer);
  EXPECT_EQ(error(kJob), "job.yaml:3: model: model/tokenizer.json has 8 tokens, the model has 7");
}

TEST_F(DraftTest, AHostileModelFolderIsRefused) {
  const Path weights = folder_ / "model" / "model.safetensors";
  const std::string whole = get(weights);
  for (const std::string& bad :
       {std::string(), whole.substr(0, 7), whole.substr(0, whole.size() - 1), whole + "x",
        std::string(8, '\xff') + whole.substr(8), std::string(whole.size(), '\0')}) {
    put(weights, bad);
    EXPECT_EQ(error(kJob).rfind("job.yaml:3: model: ", 0), 0U) << error(kJob);
  }
  put(weights, whole);
  for (const char* name : {"tokenizer.json", "config.json"}) {
    const std::string good = get(folder_ / "model" / name);
    for (const std::string& bad : {std::string(), good.substr(0, good.size() / 2),
                                   std::string(100000, '['), std::string("null")}) {
      put(folder_ / "model" / name, bad);
      EXPECT_EQ(error(kJob).rfind("job.yaml:3: model: ", 0), 0U) << error(kJob);
    }
    put(folder_ / "model" / name, good);
  }
  EXPECT_EQ(error(kJob), "no error");
}

}  // namespace
}  // namespace aftune::cli
