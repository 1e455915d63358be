// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/contract.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using codec::Json;
using testing::digest_of;
using testing::must;
using testing::test_key;
using testing::tiny_contract;

constexpr codec::JsonLimits kLimits{.bytes = kMaxContractBytes, .depth = 8};

Json tiny_json() { return must(codec::parse_json(tiny_contract().payload(), kLimits)); }

/// Steps into an object or array by "a.b.0.c".
Json& at(Json& root, std::string_view path) {
  Json* here = &root;
  while (!path.empty()) {
    const std::string part(path.substr(0, path.find('.')));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    here =
        here->array() != nullptr ? &here->array()->at(std::stoul(part)) : &(*here->object())[part];
  }
  return *here;
}

/// All paths of members below `value`.
void paths_of(const Json& value, const std::string& prefix, std::vector<std::string>& out) {
  if (const auto* object = value.object()) {
    for (const auto& [name, member] : *object) {
      out.push_back(prefix + name);
      paths_of(member, prefix + name + ".", out);
    }
  }
  if (const auto* array = value.array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      paths_of((*array)[i], prefix + std::to_string(i) + ".", out);
    }
  }
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
}

::testing::AssertionResult contract_refused(const Json& json, const std::string& naming) {
  const auto parsed = Contract::parse(codec::canonical_json(json));
  if (parsed) return ::testing::AssertionFailure() << "accepted, though " << naming;
  if (parsed.error().what.find(naming) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << parsed.error().what << "\" lacks " << naming;
}

TEST(Contract, PayloadReadsBackAsTheSameContract) {
  std::vector<Contract> contracts(5, tiny_contract());
  contracts[1].base_public = false;
  contracts[2].training = {{train::OptimizerKind::kSgd, 0, 0, 0, 0.5, 0},
                           {train::ScheduleKind::kConstant, 0.25, 0, 0},
                           {0}};
  contracts[3].text = {"text", "<", "", ">", 0, -1, 6, 16, "all"};
  contracts[3].order = {"none", false};
  contracts[4].audit.weights_disclosed = false;
  for (const Contract& contract : contracts) {
    const std::string payload = contract.payload();
    const Contract back = must(Contract::parse(payload));
    EXPECT_EQ(back.payload(), payload);
    EXPECT_EQ(back.digest(), digest_of(payload));
    EXPECT_EQ(back.companions, contract.companions);
    EXPECT_EQ(back.architecture, contract.architecture);
    EXPECT_EQ(back.text, contract.text);
    EXPECT_EQ(back.training.optimizer, contract.training.optimizer);
    EXPECT_EQ(back.grid, contract.grid);
    EXPECT_EQ(back.audit, contract.audit);
    EXPECT_EQ(back.client, contract.client);
  }
}

TEST(Contract, EveryMemberIsNeededAndNamed) {
  const Json whole = tiny_json();
  std::vector<std::string> paths;
  paths_of(whole, "", paths);
  EXPECT_GT(paths.size(), 80U);
  for (const std::string& path : paths) {
    Json json = whole;
    const std::size_t dot = path.rfind('.');
    Json& parent = dot == std::string::npos ? json : at(json, path.substr(0, dot));
    parent.object()->erase(last_part(path));
    EXPECT_TRUE(contract_refused(json, last_part(path))) << path;
  }
}

TEST(Contract, EveryMemberHasOneTypeAndIsNamed) {
  const Json whole = tiny_json();
  std::vector<std::string> paths;
  paths_of(whole, "", paths);
  for (const std::string& path : paths) {
    Json json = whole;
    at(json, path) = Json();
    EXPECT_TRUE(contract_refused(json, last_part(path))) << path;
  }
}

TEST(Contract, UnknownMembersAreRefusedInEveryObject) {
  const Json whole = tiny_json();
  std::vector<std::string> paths{""};
  paths_of(whole, "", paths);
  for (const std::string& path : paths) {
    Json json = whole;
    Json& place = at(json, path);
    if (place.object() == nullptr) continue;
    (*place.object())["zzz"] = 1;
    EXPECT_TRUE(contract_refused(json, "zzz")) << path;
  }
}

struct BadValue {
  const char* path;
  Json value;
  const char* names;
};

TEST(Contract, ValuesOutOfRangeAreRefusedByName) {
  const std::vector<BadValue> table = {
      {"version", 2, "contract.version"},
      {"run_id", "00", "run_id"},
      {"run_id", std::string(64, 'A'), "run_id"},
      {"steps", 0, "contract.steps: 0"},
      {"steps", (1 << 24) + 1, "16777217"},
      {"batch.samples", 0, "contract.batch.samples"},
      {"batch.samples", 1 << 17, "contract.batch.samples"},
      {"batch.samples", 8, "the data set has 7 rows"},
      {"batch.micro_batch", 0, "contract.batch.micro_batch"},
      {"batch.micro_batch", 4, "contract.batch.micro_batch: 4 is not within 1 and 3"},
      {"batch.shards", 2, "contract.batch.shards"},
      {"data.rows", 0, "contract.data.rows"},
      {"data.salt", "00", "contract.data.salt has 1 bytes, needs 16"},
      {"data.salt", "zz", "contract.data.salt"},
      {"order.shuffle", "md5", "contract.order.shuffle is \"md5\""},
      {"text.sequence", 17, "contract.text.sequence is 17, the model has 16 positions"},
      {"text.sequence", 1, "contract.text.sequence"},
      {"text.pad_id", 7, "contract.text.pad_id is 7, the model has 7 tokens"},
      {"text.eos_id", 7, "contract.text.eos_id is 7"},
      {"text.bos_id", 2147483647, "contract.text.bos_id is 2147483647"},
      {"text.bos_id", -2, "contract.text.bos_id"},
      {"text.format", "chat", "contract.text.format"},
      {"text.format", "messages", "contract.text.chat_template: missing"},
      {"text.format", "tokens", "contract.text.eos_id: must be -1 for format tokens"},
      {"text.labels", "prompt", "contract.text.labels"},
      {"grid.layers_per_block", 0, "contract.grid.layers_per_block"},
      {"grid.steps_per_block", 0, "contract.grid.steps_per_block"},
      {"grid.state_interval", 0, "contract.grid.state_interval"},
      {"grid.edge_interval", 0, "contract.grid.edge_interval"},
      {"grid.edge_interval", 65537, "contract.grid.edge_interval"},
      {"arithmetic.profile", "stock", "contract.arithmetic.profile is \"stock\""},
      {"arithmetic.version", 2, "contract.arithmetic.version"},
      {"dtypes.boundary", "F16", "contract.dtypes.boundary is \"F16\""},
      {"dtypes.frozen", "BF16", "contract.dtypes.frozen is \"BF16\", known here: F32"},
      {"dtypes.moments", "F16", "contract.dtypes.moments"},
      {"export.format", "gguf", "contract.export.format is \"gguf\""},
      {"export.dtype", "BF16", "contract.export.dtype"},
      {"dropout", "0x1p-1", "contract.dropout is \"0x1p-1\""},
      {"audit.strategy", "weighted",
       "contract.audit.strategy: \"weighted\" is no strategy, known: uniform, stratified, "
       "input-blocks, state-changes"},
      {"audit.strategy", "Uniform", "contract.audit.strategy"},
      {"audit.strategy", "", "contract.audit.strategy"},
      {"audit.blocks", 0, "contract.audit.blocks"},
      {"audit.blocks", 7, "contract.audit.blocks: 7 is not within 1 and 6"},
      {"audit.deadline_hours", 0, "contract.audit.deadline_hours"},
      {"audit.witnesses", "log.example", "contract.audit.witnesses"},
      {"closes_by", "tomorrow", "contract.closes_by: \"tomorrow\""},
      {"closes_by", "2027-02-30T00:00:00Z", "contract.closes_by"},
      {"optimizer.kind", "lion", "contract.optimizer.kind"},
      {"optimizer.beta1", "0x1p+0", "contract.optimizer.beta1"},
      {"optimizer.epsilon", "0x0p+0", "contract.optimizer.epsilon"},
      {"schedule.peak", "-0x1p-3", "contract.schedule.peak"},
      {"schedule.warmup_steps", 9, "contract.schedule.warmup_steps"},
      {"clip.max_norm", "0.5", "contract.clip.max_norm"},
      {"model.architecture.family", "mamba", "contract.model.architecture.family"},
      {"model.architecture.kv_head_count", 3, "kv_head_count"},
      {"model.architecture.head_dim", 3, "head_dim"},
      {"model.architecture.vocab_size", 0, "vocab_size"},
      {"model.companions.0.path", "model.safetensors", "model.safetensors"},
      {"model.companions.0.path", "../config.json", "../config.json"},
      {"model.companions.0.path", "", "\"\""},
      {"model.companions.1.path", "aftune.safetensors", "is not ascending"},
      {"model.companions.2.path", "tokenizer_config.json", "tokenizer.json is missing"},
      {"model.companions.0.size", -1, "contract.model.companions[0].size"},
      {"keys.client", "client", "contract.keys.client"},
  };
  for (const BadValue& bad : table) {
    Json json = tiny_json();
    at(json, bad.path) = bad.value;
    EXPECT_TRUE(contract_refused(json, bad.names)) << bad.path;
  }
}

TEST(Contract, TextOfAnotherPartyCannotSteerATerminal) {
  Json json = tiny_json();
  at(json, "model.companions.0.path") = std::string("\x1b[2J");
  EXPECT_TRUE(contract_refused(json, "\\x1b[2J"));
}

TEST(Contract, NoncesMustBeTheCommittedOnes) {
  for (const char* side : {"client", "provider"}) {
    Json json = tiny_json();
    at(json, std::string("seed.") + side + "_nonce") = digest_of("another").hex();
    EXPECT_TRUE(
        contract_refused(json, std::string("the ") + side + "'s nonce is not the committed one"));
  }
}

TEST(Contract, KeysOfTheTwoSidesDiffer) {
  Contract contract = tiny_contract();
  contract.provider.key = contract.client.key;
  EXPECT_FALSE(Contract::parse(contract.payload()));
  contract = tiny_contract();
  contract.verifier = contract.client;
  EXPECT_TRUE(Contract::parse(contract.payload()));
  contract.audit.weights_disclosed = false;
  EXPECT_FALSE(Contract::parse(contract.payload()));
}

TEST(Contract, AnotherSpellingOfThePayloadIsRefused) {
  const std::string payload = tiny_contract().payload();
  EXPECT_FALSE(Contract::parse(payload + "\n"));
  EXPECT_FALSE(Contract::parse(" " + payload));
  EXPECT_FALSE(Contract::parse(payload.substr(0, payload.size() - 1)));
  EXPECT_FALSE(Contract::parse(""));
  const auto huge = Contract::parse(std::string(kMaxContractBytes + 1, ' '));
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().what, "contract has 1048577 bytes, the limit is 1048576");
}

TEST(Contract, SeedNeedsBothNoncesAndTheRun) {
  const Contract first = tiny_contract();
  for (Digest Nonces::*nonce : {&Nonces::client, &Nonces::provider}) {
    Contract other = first;
    other.nonces.*nonce = digest_of("another");
    EXPECT_NE(other.seed(), first.seed());
  }
  Contract other = first;
  other.run_id = digest_of("another");
  EXPECT_NE(other.seed(), first.seed());
  EXPECT_NE(secret_commitment(first.run_id, ByteBuffer(32, 7)),
            secret_commitment(other.run_id, ByteBuffer(32, 7)));
}

TEST(Contract, LogIsNamedByTheDigestAndSignedByTheProvider) {
  const Contract contract = tiny_contract();
  EXPECT_EQ(contract.origin(), "aftune/run/" + contract.digest().hex());
  EXPECT_EQ(contract.log_key().name, contract.origin());
  EXPECT_EQ(contract.log_key().key, contract.provider.key);
}

TEST(Contract, CountsBlocksAndMicroBatchesUpwards) {
  Contract contract = tiny_contract();
  EXPECT_EQ(contract.step_block_count(), 3U);
  EXPECT_EQ(contract.block_count(), 6U);
  EXPECT_EQ(contract.micro_batch_count(), 2U);
  contract.steps = 6;
  contract.batch = {4, 2};
  EXPECT_EQ(contract.step_block_count(), 3U);
  EXPECT_EQ(contract.micro_batch_count(), 2U);
}

TEST(SignedContract, NeedsASignatureOfEachSide) {
  const Contract contract = tiny_contract();
  const codec::Dsse bare{std::string(kContractPayloadType), contract.payload(), {}};
  const auto open = [](const codec::Dsse& dsse) {
    return open_signed_contract(codec::encode_dsse(dsse));
  };
  for (const auto& [seed, name, missing] :
       {std::tuple{1, "client", "provider (provider)"}, {2, "provider", "client (client)"}}) {
    codec::Dsse one = bare;
    one.sign(test_key(static_cast<unsigned char>(seed)), name);
    const auto opened = open(one);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kInvalidInput);
    EXPECT_NE(opened.error().what.find(missing), std::string::npos) << opened.error().what;
    one.sign(test_key(9), missing);  // a stranger under the right name
    EXPECT_FALSE(open(one));
  }
  codec::Dsse both = bare;
  both.sign(test_key(1), "client");
  both.sign(test_key(2), "provider");
  ASSERT_TRUE(open(both));
  both.payload = [&] {
    Contract other = contract;
    other.steps = 4;
    return other.payload();
  }();
  EXPECT_FALSE(open(both)) << "signatures of another payload";
}

TEST(SignedContract, MalformedEnvelopesAreRefused) {
  const std::string good = testing::sign(tiny_contract()).envelope;
  EXPECT_TRUE(open_signed_contract(good));
  for (const std::string& bad : {std::string(), std::string("{}"), good.substr(0, good.size() / 2),
                                 good + "x", std::string("\0\0", 2), std::string(5000, '['),
                                 std::string(2 * kMaxContractBytes + 1, ' ')}) {
    const auto opened = open_signed_contract(bad);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kInvalidInput);
  }
}

TEST(Utc, ReadsOneSpellingOnly) {
  EXPECT_EQ(*parse_utc("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*parse_utc("2027-01-31T12:30:01Z"), 1801398601);
  EXPECT_EQ(spell_utc(1801398601), "2027-01-31T12:30:01Z");
  for (const char* bad : {"", "2027-01-31", "2027-01-31T12:30:01", "2027-1-31T12:30:01Z",
                          "2027-02-29T00:00:00Z", "2027-01-31T24:00:00Z", " 2027-01-31T12:30:01Z",
                          "2027-01-31T12:30:01Zx", "2027-13-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_utc(bad)) << bad;
  }
}

}  // namespace
}  // namespace aftune::trace
