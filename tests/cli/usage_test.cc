// SPDX-License-Identifier: Apache-2.0
// Flags, help, and where answers go.
#include "aftune/codec/json.h"
#include "tiny_place.h"

namespace aftune::program {
namespace {

using trace::testing::TempFolder;
using Arguments = std::vector<std::string>;

const std::vector<Arguments> kCommands = {{"import"},
                                          {"random-model"},
                                          {"keygen"},
                                          {"contract", "draft"},
                                          {"contract", "sign"},
                                          {"contract", "show"},
                                          {"contract", "verify"},
                                          {"train"},
                                          {"audit"},
                                          {"plan"},
                                          {"prepare"},
                                          {"witness"},
                                          {"challenge"},
                                          {"answer"},
                                          {"log", "show"},
                                          {"log", "verify"},
                                          {"log", "proof"},
                                          {"store", "check"},
                                          {"store", "stats"},
                                          {"store", "get"},
                                          {"attack"},
                                          {"generate"},
                                          {"receipt", "verify"},
                                          {"receipt", "make"},
                                          {"inspect"},
                                          {"evaluate"},
                                          {"env"}};

Arguments with(Arguments command, const Arguments& more) {
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

TEST(Usage, EveryCommandHasHelpWithAnExampleOnStandardOutput) {
  for (const Arguments& command : kCommands) {
    const Outcome help = aftune(with(command, {"--help"}));
    EXPECT_TRUE(done(help));
    EXPECT_NE(help.out.find("Example"), std::string::npos) << command[0];
    EXPECT_NE(help.out.find("aftune " + command[0]), std::string::npos) << help.out;
    EXPECT_EQ(help.err, "");
  }
  const Outcome top = aftune({"--help"});
  EXPECT_NE(top.out.find("Exit codes: 0 done or ACCEPT"), std::string::npos);
  EXPECT_EQ(aftune({"--version"}).out.rfind("aftune ", 0), 0U);
}

TEST(Usage, UnknownFlagsAndCommandsAreRefused) {
  for (const Arguments& command : kCommands) {
    const Outcome wrong = aftune(with(command, {"--colour", "red"}));
    EXPECT_EQ(wrong.exit, 2) << command[0];
    EXPECT_EQ(wrong.out, "");
    EXPECT_NE(wrong.err, "");
  }
  EXPECT_TRUE(refused(aftune({"env", "--colour"}), 2, {"--colour"}));
  EXPECT_TRUE(refused(aftune({"bake"}), 2, {"bake"}));
  EXPECT_TRUE(refused(aftune({}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(aftune({"log"}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(aftune({"env", "more"}), 2, {"more"}));
}

TEST(Usage, EnvNamesEachInstructionSetAsThereOrSaysWhyNot) {
  const Outcome env = aftune({"env"});
  ASSERT_TRUE(done(env));
  const std::size_t start = env.out.find("instruction sets  scalar");
  ASSERT_NE(start, std::string::npos) << env.out;
  const std::string there = env.out.substr(start, env.out.find('\n', start) - start) + ",";
  for (const std::string isa : {"avx2", "avx512bw", "avx512", "amx"}) {
    const bool missing = env.out.find("not available     " + isa + ": ") != std::string::npos;
    EXPECT_NE(there.find(" " + isa + ",") != std::string::npos, missing) << isa << env.out;
    const Outcome forced = aftune({"env", "--isa", isa});
    EXPECT_TRUE(missing ? refused(forced, 2, {isa, "scalar", "the processor has no"})
                        : done(forced));
  }
}

TEST(Usage, ValuesOutOfRangeAreRefused) {
  EXPECT_TRUE(refused(aftune({"env", "--threads", "0"}), 2, {"--threads", "0"}));
  EXPECT_TRUE(refused(aftune({"env", "--threads", "many"}), 2, {"--threads", "many"}));
  EXPECT_TRUE(refused(aftune({"env", "--isa", "mmx"}), 2, {"mmx", "scalar"}));
  const TinyPlace& here = tiny_place();
  EXPECT_TRUE(refused(aftune(here.audit({"--count", "3"})), 2, {"--count", "--secret"}));
  EXPECT_TRUE(refused(aftune(here.audit({"--all", "--block", "0,0"})), 2, {"--all", "--block"}));
  EXPECT_TRUE(refused(aftune(here.audit({"--block", "0"})), 2, {"\"0\"", "2,1"}));
  EXPECT_TRUE(refused(aftune(here.audit({"--block", "9,9"})), 2, {"block 9,9", "2 layer blocks"}));
  EXPECT_TRUE(refused(aftune(here.audit({"--key", here / "keys/client.key"})), 2, {"--out"}));
  EXPECT_TRUE(refused(aftune({"log", "proof", "--run", here / "run", "--entry", "15"}), 2, {"15"}));
  EXPECT_TRUE(
      refused(aftune({"log", "proof", "--run", here / "run", "--entry", "-1"}), 2, {"--entry"}));
  const Outcome minus = aftune(here.audit({"--secret", here / "client.secret", "--count", "-1"}));
  EXPECT_TRUE(refused(minus, 2, {"--count", "\"-1\" is no whole number"}));
  EXPECT_LT(minus.err.size(), 200U) << minus.err;
  for (const char* heat : {"nan", "inf", "-1"}) {
    EXPECT_TRUE(
        refused(aftune({"generate", here / "model", "--prompt", "ab", "--temperature", heat}), 2,
                {"--temperature"}));
  }
  EXPECT_TRUE(refused(aftune({"store", "get", "--run", here / "run", "00"}), 2, {"64"}));
  EXPECT_TRUE(refused(aftune({"contract", "sign", here / "contract.json", "--role", "king", "--key",
                              here / "keys/client.key"}),
                      2, {"king"}));
  EXPECT_TRUE(refused(aftune({"generate", here / "model", "--prompt", ""}), 2, {"no tokens"}));
  EXPECT_TRUE(refused(aftune({"generate", here / "model", "--prompt", "abcdefabcdefabcdef"}), 2,
                      {"18 tokens", "16 positions"}));
  EXPECT_TRUE(refused(aftune({"generate", here / "model", "--prompt", "xyz"}), 2, {}));
  expect_untouched();
}

TEST(Usage, EmptyValuesAreRefused) {
  const TinyPlace& here = tiny_place();
  for (const char* flag : {"--delivered", "--data", "-o"}) {
    EXPECT_TRUE(refused(aftune(here.audit({"--all", flag, ""})), 2, {"the value is empty"}))
        << flag;
  }
  EXPECT_TRUE(refused(aftune(here.audit({"--secret", ""})), 2, {"--secret", "the value is empty"}));
  EXPECT_TRUE(refused(aftune({"log", "verify", "--run", here / "run", "--contract", ""}), 2,
                      {"--contract", "the value is empty"}));
  EXPECT_TRUE(refused(aftune({"contract", "show", ""}), 2, {"the value is empty"}));
  expect_untouched();
}

TEST(Usage, AResumeNeedsARunAndARecord) {
  const TinyPlace& here = tiny_place();
  const TempFolder folder;
  const std::string none = (folder.path() / "none").string();
  EXPECT_TRUE(refused(aftune(here.train({{"--run", none}, {"--resume", ""}})), 2,
                      {"no run in " + none + " to resume"}));
  EXPECT_TRUE(refused(aftune(here.train({{"--run", none}, {"--resume", ""}, {"--no-record", ""}})),
                      2, {"--resume", "--no-record"}));
  EXPECT_FALSE(std::filesystem::exists(none));
  expect_untouched();
}

TEST(Usage, ABlockFlagTakesOneBlock) {
  const TinyPlace& here = tiny_place();
  const Outcome held = aftune(
      {"audit", "--block", "0,0", here / "contract.json", "--block", "1,2", "--run", here / "run"});
  EXPECT_EQ(held.exit, 3) << held.err;
  EXPECT_NE(held.out.find("(0,0) (1,2)"), std::string::npos) << held.out;
}

TEST(Usage, APlanNeedsAGridAndOneBudget) {
  const std::string contract = tiny_place() / "contract.json";
  const auto plan = [&](Arguments more) { return aftune(with({"plan", contract}, more)); };
  EXPECT_TRUE(refused(aftune({"plan"}), 2, {"a contract, a job file", "--layers is missing"}));
  EXPECT_TRUE(refused(aftune({"plan", "--layers", "4"}), 2, {"--layers-per-block is missing"}));
  EXPECT_TRUE(refused(plan({"--layers", "4"}), 2, {"--layers"}));
  EXPECT_TRUE(refused(plan({"--blocks", "1", "--share", "0.5"}), 2, {"--blocks", "--share"}));
  EXPECT_TRUE(refused(plan({"--blocks", "7"}), 2, {"7 blocks to audit", "has 6 blocks"}));
  EXPECT_TRUE(refused(plan({"--blocks", "0"}), 2, {"--blocks"}));
  EXPECT_TRUE(refused(plan({"--share", "1.5"}), 2, {"--share"}));
  EXPECT_TRUE(refused(plan({"--probability", "1"}), 2, {"--probability"}));
  EXPECT_TRUE(refused(plan({"--probability", "nan"}), 2, {"--probability"}));
  EXPECT_TRUE(refused(plan({"--threat", "theft"}), 2, {"\"theft\" is no threat", "blocks=COUNT"}));
  EXPECT_TRUE(refused(plan({"--threat", "blocks=7"}), 2, {"7 bad blocks", "6 blocks"}));
  EXPECT_TRUE(refused(plan({"--strategy", "lazy"}), 2, {"\"lazy\" is no strategy"}));
  EXPECT_TRUE(refused(plan({"--table", "other"}), 2, {"--table", "published"}));
  EXPECT_TRUE(refused(plan({"--run", tiny_place() / "none"}), 2, {"none/metrics.jsonl"}));
}

std::string text_of(const codec::Json& json, const char* name) {
  const codec::Json* member = json.find(name);
  return member != nullptr && member->string() != nullptr ? *member->string() : "";
}

TEST(Answers, OfAPlanGoBothWays) {
  const TinyPlace& here = tiny_place();
  const auto plan = [&](const Arguments& more) {
    const Outcome told =
        aftune(with({"plan", here / "contract.json", "--json", "--threat", "blocks=1"}, more));
    EXPECT_TRUE(done(told));
    const auto json = codec::parse_canonical_json(told.out.substr(0, told.out.find('\n')), {});
    EXPECT_TRUE(json) << told.out;
    return json->find("plans")->array()->at(0);
  };
  EXPECT_EQ(text_of(plan({"--blocks", "3"}), "probability"), "0.500000");
  EXPECT_EQ(text_of(plan({"--share", "0.5"}), "probability"), "0.500000");
  EXPECT_EQ(*plan({"--probability", "0.5"}).find("blocks")->integer(), 3);
  EXPECT_EQ(*plan({}).find("blocks")->integer(), 2) << "the contract's policy";
  EXPECT_EQ(text_of(plan({"--blocks", "6", "--seconds-per-step", "2"}), "seconds"), "10.000");
  EXPECT_NE(text_of(plan({"--run", here / "run"}), "replays"), "");
  EXPECT_GT(*plan({}).find("bytes")->integer(), 0);
  EXPECT_EQ(text_of(plan({"--strategy", "input-blocks"}), "probability"), "0.000000");
  const Outcome text = aftune({"plan", here / "contract.json"});
  EXPECT_NE(text.out.find("2 layer blocks x 3 step blocks = 6 blocks"), std::string::npos);
  const Outcome table = aftune({"plan", "--table", "published"});
  EXPECT_NE(table.out.find("87.3 %"), std::string::npos) << table.out;
  expect_untouched();
}

TEST(Answers, StandAloneOnStandardOutput) {
  const TinyPlace& here = tiny_place();
  const auto is_hex = [](const std::string& text) {
    return text.size() == 65 && parse_digest(text.substr(0, 64)).has_value() && text[64] == '\n';
  };
  const Outcome contract = aftune({"contract", "verify", here / "contract.json"});
  EXPECT_TRUE(done(contract));
  EXPECT_TRUE(is_hex(contract.out)) << contract.out;
  const Outcome root = aftune({"log", "verify", "--run", here / "run"});
  EXPECT_TRUE(done(root));
  EXPECT_TRUE(is_hex(root.out)) << root.out;
  const Outcome entries = aftune({"log", "show", "--run", here / "run"});
  EXPECT_EQ(std::count(entries.out.begin(), entries.out.end(), '\n'), 15);
  const Outcome stats = aftune({"store", "stats", "--run", here / "run", "--json"});
  EXPECT_TRUE(codec::parse_json(stats.out.substr(0, stats.out.find('\n')), {})) << stats.out;
  const Outcome check = aftune({"store", "check", "--run", here / "run"});
  EXPECT_TRUE(done(check));
  EXPECT_EQ(check.out, "");
  const Outcome verdict = aftune(here.audit({"--all", "--json"}));
  EXPECT_TRUE(done(verdict));
  EXPECT_TRUE(codec::parse_canonical_json(verdict.out.substr(0, verdict.out.size() - 1), {}));
  EXPECT_NE(verdict.err.find("ACCEPT"), std::string::npos);
  const Outcome text = aftune(here.audit({"--all", "--delivered", here / "run/model"}));
  EXPECT_EQ(text.out.rfind("ACCEPT: ", 0), 0U) << text.out;
  expect_untouched();
}

TEST(Answers, ThatStandardOutputDoesNotTakeAreNotGiven) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const TinyPlace& here = tiny_place();
  Around full;
  full.out_to = "/dev/full";
  for (const Arguments& command : {Arguments{"contract", "show", here / "contract.json"},
                                   Arguments{"log", "show", "--run", here / "run"},
                                   Arguments{"store", "stats", "--run", here / "run"},
                                   here.audit({"--all"}), Arguments{"env"}}) {
    const Outcome lost = aftune(command, full);
    EXPECT_EQ(lost.exit, 3) << command[0];
    EXPECT_NE(lost.err.find("standard output"), std::string::npos) << lost.err;
  }
}

}  // namespace
}  // namespace aftune::program
