// SPDX-License-Identifier: Apache-2.0
// Missing, truncated, hostile and wrong files: one clear error, the documented exit code, and
// nothing of what was there is lost or changed.
#include "tiny_place.h"

namespace aftune::program {
namespace {

using trace::testing::get;
using trace::testing::put;
using trace::testing::TempFolder;
using Arguments = std::vector<std::string>;

/// Each test works beside the shared place and leaves it as it is.
class BadInput : public ::testing::Test {
 protected:
  ~BadInput() override { expect_untouched(); }
  [[nodiscard]] std::string own(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  /// A copy of a file or folder of the shared place.
  std::string copy(const std::string& name) const {
    std::filesystem::create_directories(Path(own(name)).parent_path());
    std::filesystem::copy(here_ / name, own(name), std::filesystem::copy_options::recursive);
    return own(name);
  }
  const TempFolder folder_;
  const TinyPlace& here_ = tiny_place();
};

TEST_F(BadInput, MissingFilesAreNamed) {
  const std::string none = own("none");
  const Arguments commands[] = {
      {"import", none, "-o", own("out")},
      {"import", none + ".gguf", "-o", own("out")},
      {"random-model", "--config", none, "--tokenizer", here_ / "tokenizer.json", "--seed", "1",
       "-o", own("out")},
      {"random-model", "--config", here_ / "config.json", "--tokenizer", none, "--seed", "1", "-o",
       own("out")},
      {"contract", "draft", "-c", none, "-o", own("out")},
      {"contract", "draft", "-c", here_ / "contract.yaml", "-o", none + "/out"},
      {"contract", "sign", none, "--role", "client", "--key", here_ / "keys/client.key"},
      {"contract", "sign", here_ / "contract.json", "--role", "client", "--key", none},
      {"contract", "show", none},
      {"contract", "verify", none},
      here_.train({{"contract", none}, {"--run", own("out")}}),
      here_.train({{"--key", none}, {"--run", own("out")}}),
      here_.train({{"--model", none}, {"--run", own("out")}}),
      here_.train({{"--data", none}, {"--run", own("out")}}),
      {"audit", none, "--run", here_ / "run"},
      {"audit", here_ / "contract.json", "--run", none},
      here_.audit({"--secret", none}),
      here_.audit({"--all", "--delivered", none}),
      here_.audit({"--all", "--data", none}),
      here_.audit({"--all", "--key", none, "-o", own("out")}),
      here_.audit({"--all", "-o", none + "/out"}),
      {"prepare", here_ / "contract.json", "--run", none, "--all"},
      {"log", "show", "--run", none},
      {"log", "verify", "--run", here_ / "run", "--contract", none},
      {"log", "proof", "--run", none, "--entry", "0"},
      {"store", "check", "--run", none},
      {"store", "stats", "--run", none},
      {"store", "get", "--run", none, std::string(64, '0')},
      {"generate", none, "--prompt", "a"}};
  for (const Arguments& command : commands) {
    EXPECT_TRUE(refused(aftune(command), 2, {"aftune " + command[0] + ": ", none}));
  }
  EXPECT_TRUE(refused(aftune({"store", "get", "--run", here_ / "run", std::string(64, '0')}), 2,
                      {std::string(64, '0')}));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(BadInput, AFolderForAFileAndAFileForAFolder) {
  const std::string file = here_ / "data.jsonl";
  EXPECT_TRUE(refused(aftune({"contract", "verify", here_ / "model"}), 2, {"regular file"}));
  EXPECT_TRUE(refused(aftune(here_.train({{"--run", file}})), 2, {file}));
  EXPECT_TRUE(refused(aftune(here_.train({{"--model", file}, {"--run", own("out")}})), 2, {file}));
  EXPECT_TRUE(refused(aftune({"audit", here_ / "contract.json", "--run", file}), 2, {file}));
  EXPECT_TRUE(refused(aftune({"keygen", "-o", file, "--name", "x"}), 2, {file}));
  EXPECT_TRUE(refused(aftune({"import", here_ / "model", "-o", file}), 2, {file}));
}

TEST_F(BadInput, ATruncatedOrChangedContractIsNoContract) {
  const std::string whole = get(here_ / "contract.json");
  const std::string bad = own("bad.json");
  std::vector<std::string> texts{"",
                                 "{}",
                                 "[]",
                                 "\x7f"
                                 "ELF",
                                 std::string(100000, '['),
                                 std::string(1 << 16, '\0'),
                                 whole + "x",
                                 "{\"payload\":1}",
                                 std::string(3 << 20, ' ')};
  for (std::size_t cut = 1; cut < whole.size(); cut += whole.size() / 7) {
    texts.push_back(whole.substr(0, cut));
  }
  for (std::size_t at = 30; at < whole.size() - 3; at += whole.size() / 5) {
    std::string other = whole;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    texts.push_back(other);
  }
  for (const std::string& text : texts) {
    put(bad, text);
    EXPECT_TRUE(refused(aftune({"contract", "verify", bad}), 2, {bad})) << text.substr(0, 80);
  }
  EXPECT_TRUE(refused(aftune(here_.train({{"contract", bad}, {"--run", own("out")}})), 2, {bad}));
  EXPECT_TRUE(refused(aftune({"audit", bad, "--run", here_ / "run"}), 2, {bad}));
  EXPECT_TRUE(refused(
      aftune({"contract", "sign", bad, "--role", "client", "--key", here_ / "keys/client.key"}), 2,
      {bad}));
  EXPECT_EQ(get(bad), texts.back());
  EXPECT_FALSE(std::filesystem::exists(own("out")));
}

TEST_F(BadInput, AContractThatASideDidNotSignIsRefused) {
  const std::string job = here_ / "contract.yaml", contract = own("unsigned.json");
  EXPECT_TRUE(done(aftune({"contract", "draft", "-c", job, "-o", contract})));
  EXPECT_TRUE(refused(aftune({"contract", "verify", contract}), 2, {"the client (client)"}));
  EXPECT_TRUE(refused(aftune(here_.train({{"contract", contract}, {"--run", own("out")}})), 2,
                      {"the client (client)"}));
  EXPECT_TRUE(done(aftune(
      {"contract", "sign", contract, "--role", "client", "--key", here_ / "keys/client.key"})));
  EXPECT_TRUE(
      refused(aftune({"audit", contract, "--run", here_ / "run"}), 2, {"the provider (provider)"}));
  EXPECT_TRUE(done(aftune({"contract", "show", contract})));
}

TEST_F(BadInput, WrongKeysAreRefused) {
  const std::string stranger = here_ / "keys/stranger.key", client = here_ / "keys/client.key";
  const std::string contract = copy("contract.json");
  EXPECT_TRUE(refused(aftune({"contract", "sign", contract, "--role", "client", "--key", stranger}),
                      2, {stranger, "client"}));
  EXPECT_TRUE(
      refused(aftune(here_.train({{"--key", client}, {"--run", own("out")}})), 2, {"provider"}));
  EXPECT_TRUE(refused(aftune(here_.audit({"--all", "--key", stranger, "-o", own("verdict")})), 2,
                      {stranger, "verifier"}));
  EXPECT_TRUE(refused(
      aftune(here_.audit({"--all", "--key", here_ / "keys/client.pub", "-o", own("verdict")})), 2,
      {"client.pub"}));
  const std::string open = copy("keys/provider.key");
  std::filesystem::permissions(open, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_TRUE(refused(aftune(here_.train({{"--key", open}, {"--run", own("out")}})), 2, {open}));
  put(own("short.key"), get(client).substr(0, 40));
  std::filesystem::permissions(own("short.key"), std::filesystem::perms::owner_read);
  EXPECT_TRUE(refused(aftune(here_.train({{"--key", own("short.key")}, {"--run", own("out")}})), 2,
                      {"short.key"}));
  EXPECT_FALSE(std::filesystem::exists(own("verdict")));
  EXPECT_FALSE(std::filesystem::exists(own("out")));
}

TEST_F(BadInput, WrongSecretsAreRefused) {
  for (const std::string& text :
       {std::string(64, '0') + "\n", std::string("hello\n"), std::string()}) {
    put(own("secret"), text);
    EXPECT_TRUE(refused(aftune(here_.audit({"--secret", own("secret")})), 2, {own("secret")}));
    EXPECT_FALSE(std::filesystem::exists(own("secret.checkpoint")));
  }
}

TEST_F(BadInput, ModelsAndDataThatAreNotTheContractsAreRefused) {
  const std::string data = own("data.jsonl");
  put(data, get(here_ / "data.jsonl") + "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
  EXPECT_TRUE(refused(aftune(here_.train({{"--data", data}, {"--run", own("out")}})), 1,
                      {data, "8 rows", "7"}));
  EXPECT_TRUE(refused(aftune(here_.audit({"--all", "--data", data})), 2, {data, "root"}));
  const std::string model = copy("model");
  trace::testing::flip_bit(model + "/model.safetensors",
                           std::filesystem::file_size(model + "/model.safetensors") - 1);
  EXPECT_TRUE(refused(aftune(here_.train({{"--model", model}, {"--run", own("out")}})), 1,
                      {model, "root"}));
  EXPECT_FALSE(std::filesystem::exists(own("out")));
}

TEST_F(BadInput, HostileModelFilesLeaveNothingBehind) {
  const std::string model = copy("model");
  const std::string weights = get(model + "/model.safetensors");
  const auto size_word = [](std::uint64_t n) {
    std::string out;
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(n >> (8 * i)));
    return out;
  };
  const std::string long_shape =
      R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})";
  for (const std::string& bad :
       {std::string(), weights.substr(0, 5), weights.substr(0, 100),
        weights.substr(0, weights.size() - 4), weights + "more", size_word(~0ULL) + "{}",
        size_word(1ULL << 62), size_word(2) + "{}", size_word(2) + "[]",
        size_word(100000) + std::string(100000, '['), size_word(long_shape.size()) + long_shape}) {
    put(model + "/model.safetensors", bad);
    EXPECT_TRUE(refused(aftune({"import", model, "-o", own("out")}), 2, {model}));
    EXPECT_TRUE(refused(aftune({"generate", model, "--prompt", "a"}), 2, {model}));
    EXPECT_FALSE(std::filesystem::exists(own("out")));
  }
  put(model + "/model.safetensors", weights);
  for (const char* name : {"config.json", "tokenizer.json"}) {
    const std::string good = get(model + "/" + name);
    for (const std::string& bad :
         {std::string(), good.substr(0, good.size() / 2), std::string(100000, '['),
          std::string(100000, '{'), std::string("null"), std::string("{}"),
          std::string("\xff\xfe{}"), std::string("{\"vocab_size\":1e999}")}) {
      put(model + "/" + name, bad);
      EXPECT_TRUE(refused(aftune({"generate", model, "--prompt", "a"}), 2, {}))
          << bad.substr(0, 40);
    }
    put(model + "/" + name, good);
  }
  EXPECT_TRUE(done(aftune({"generate", model, "--prompt", "a"})));
}

TEST_F(BadInput, HostileGgufLeavesNothingBehind) {
  const std::string huge(8, '\xff'), zero(8, '\0');
  const std::string head = std::string("GGUF") + std::string("\3\0\0\0", 4);
  const std::string one = std::string("\1\0\0\0\0\0\0\0", 8);
  for (const std::string& bad :
       {std::string(), std::string("GGUF"), std::string("GGML") + zero + zero, head, head + zero,
        head + zero + zero, head + huge + huge, head + zero + huge, head + huge + zero,
        head + zero + one + huge + "key",
        head + zero + one + one + "k" + std::string("\11\0\0\0", 4) + std::string("\11\0\0\0", 4) +
            huge,
        head + zero + one + one + "k" + std::string("\14\0\0\0", 4), std::string(1 << 16, '\xff'),
        std::string("GGUF") + std::string("\0\0\0\3", 4) + zero + zero}) {
    put(own("bad.gguf"), bad);
    EXPECT_TRUE(refused(aftune({"import", own("bad.gguf"), "-o", own("out")}), 2, {"bad.gguf"}));
    EXPECT_FALSE(std::filesystem::exists(own("out")));
  }
}

TEST_F(BadInput, ARunFolderOfAnotherContractIsLeftAlone) {
  const std::string run = copy("run"), other = own("other.json");
  EXPECT_TRUE(done(aftune({"contract", "draft", "-c", here_ / "contract.yaml", "-o", other})));
  for (const std::string side : {"client", "provider"}) {
    EXPECT_TRUE(done(aftune(
        {"contract", "sign", other, "--role", side, "--key", here_ / ("keys/" + side + ".key")})));
  }
  const auto before = trace::testing::files_of(run);
  for (const char* flag : {"--quiet", "--resume"}) {
    EXPECT_TRUE(refused(aftune(here_.train({{"contract", other}, {"--run", run}, {flag, ""}})), 2,
                        {run, "holds the run of contract"}));
  }
  EXPECT_TRUE(refused(aftune(here_.train({{"--run", run}})), 2, {run, "--resume"}));
  EXPECT_TRUE(refused(aftune(here_.train({{"--run", run}, {"--no-record", ""}})), 2, {run}));
  EXPECT_TRUE(refused(aftune(here_.train({{"--run", here_ / "keys"}})), 2, {"holds no run"}));
  EXPECT_TRUE(refused(aftune({"log", "verify", "--run", run, "--contract", other}), 1, {"log"}));
  const Outcome verdict = aftune({"audit", other, "--run", run, "--all"});
  EXPECT_EQ(verdict.exit, 1);
  EXPECT_EQ(verdict.out.rfind("REJECT: ", 0), 0U);
  EXPECT_EQ(trace::testing::files_of(run), before);
}

TEST_F(BadInput, ExistingFilesAreNeverOverwritten) {
  const std::string mine = own("mine");
  put(mine, "mine");
  const std::string digest = [&] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(here_ / "run/store")) {
      if (entry.is_regular_file()) return entry.path().stem().string();
    }
    return std::string();
  }();
  for (const Arguments& command :
       {Arguments{"contract", "draft", "-c", here_ / "contract.yaml", "-o", mine},
        here_.audit({"--all", "-o", mine}),
        Arguments{"log", "proof", "--run", here_ / "run", "--entry", "3", "-o", mine},
        Arguments{"store", "get", "--run", here_ / "run", digest, "-o", mine},
        Arguments{"import", here_ / "model", "-o", mine}}) {
    EXPECT_TRUE(refused(aftune(command), 2, {mine}));
    EXPECT_EQ(get(mine), "mine");
  }
  EXPECT_TRUE(refused(aftune({"keygen", "-o", here_ / "keys", "--name", "client"}), 2,
                      {"keys/client.", "exists already"}));
  EXPECT_TRUE(refused(aftune({"import", here_ / "model", "-o", here_ / "model"}), 2, {"model"}));
  EXPECT_TRUE(refused(aftune({"random-model", "--config", here_ / "config.json", "--tokenizer",
                              here_ / "tokenizer.json", "--seed", "1", "-o", here_ / "run"}),
                      2, {here_ / "run"}));
}

TEST_F(BadInput, DamagedEvidenceIsToldByExitCodeOne) {
  const std::string run = copy("run");
  const Arguments verify{"log", "verify", "--run", run}, check{"store", "check", "--run", run};
  // Each place of the log; whether the log is still whole without the file.
  const std::pair<const char*, bool> places[] = {{"log/checkpoint", true},
                                                 {"log/checkpoints/7", true},
                                                 {"log/tile/entries/000.p/15", false},
                                                 {"log/tile/0/000.p/15", false}};
  for (const auto& [name, whole_without] : places) {
    const std::string path = run + "/" + name, good = get(path);
    trace::testing::flip_bit(path, good.size() / 2);
    EXPECT_TRUE(refused(aftune(verify), 1, {"log"})) << name;
    std::filesystem::remove(path);
    EXPECT_EQ(aftune(verify).exit, whole_without ? 0 : 1) << name;
    put(path, good);
  }
  EXPECT_TRUE(done(aftune(verify)));
  std::string object;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run + "/store")) {
    if (entry.is_regular_file()) object = entry.path().string();
  }
  trace::testing::flip_bit(object, 0);
  const Outcome damaged = aftune(check);
  EXPECT_EQ(damaged.exit, 1);
  EXPECT_EQ(damaged.out, "");
  EXPECT_NE(damaged.err.find(Path(object).stem().string()), std::string::npos);
  EXPECT_TRUE(refused(aftune({"store", "get", "--run", run, Path(object).stem().string()}), 1,
                      {Path(object).stem().string()}));
}

}  // namespace
}  // namespace aftune::program
