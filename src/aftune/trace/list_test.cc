// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/list.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::digest_of;
using testing::must;
using testing::tiny_contract;

std::vector<Digest> digests(std::size_t count) {
  std::vector<Digest> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(digest_of(std::to_string(i)));
  return out;
}

StateList state_list(const Contract& contract, std::uint32_t block) {
  return {digest_of("salt"), digests(state_tensors(contract, block).size())};
}

StepList step_list(const Contract& contract, std::uint64_t step) {
  StepList list{digest_of("salt"), {4, 0, 6}, 7, 0.01, 2.5, 0.2F, {}, {1.5F, 0.5F}, {}};
  for (const TensorSpec& spec : model::parameter_specs(contract.architecture)) {
    list.squares[spec.name] = 0.1;
  }
  list.edges = digests(edge_places(contract, step).size());
  return list;
}

TEST(StateTensors, FollowTheOptimizer) {
  Contract contract = tiny_contract();
  const auto count = [&](Role role) {
    std::size_t n = 0;
    for (const StateTensor& tensor : state_tensors(contract, 0)) n += tensor.role == role;
    return n;
  };
  const std::size_t parameters = count(Role::kParameter);
  EXPECT_GT(parameters, 0U);
  EXPECT_EQ(count(Role::kFirst), parameters);
  EXPECT_EQ(count(Role::kSecond), parameters);
  contract.training.optimizer = {train::OptimizerKind::kSgd, 0, 0, 0, 0.5, 0};
  EXPECT_EQ(count(Role::kFirst), parameters);
  EXPECT_EQ(count(Role::kSecond), 0U);
  contract.training.optimizer.momentum = 0;
  EXPECT_EQ(count(Role::kFirst), 0U);
}

TEST(StateTensors, OfAllBlocksAreTheModelsParametersOnce) {
  const Contract contract = tiny_contract();
  std::set<std::string> names;
  for (std::uint32_t block = 0; block < contract.partition().block_count; ++block) {
    std::string before;
    for (const StateTensor& tensor : state_tensors(contract, block)) {
      if (tensor.role != Role::kParameter) break;
      EXPECT_LT(before, tensor.spec.name);
      before = tensor.spec.name;
      EXPECT_TRUE(names.insert(tensor.spec.name).second);
    }
  }
  EXPECT_EQ(names.size(), model::parameter_specs(contract.architecture).size());
}

TEST(EdgePlaces, AscendForwardsAndDescendBackwardsForEachMicroBatch) {
  const Contract contract = tiny_contract();  // 3 segments, 3 samples in micro-batches of 2
  std::vector<std::string> order;
  for (const EdgePlace& place : edge_places(contract, 4)) {
    EXPECT_EQ(place.id.step, 4U);
    const std::uint64_t rows = place.id.micro_batch == 0 ? 2 : 1;
    EXPECT_EQ(place.shape, (Shape{rows * 6, 8}));
    order.push_back(std::to_string(place.id.micro_batch) +
                    (place.id.kind == train::EdgeKind::kActivation ? "A" : "G") +
                    std::to_string(place.id.edge));
  }
  EXPECT_EQ(order,
            (std::vector<std::string>{"0A1", "0A2", "0G2", "0G1", "1A1", "1A2", "1G2", "1G1"}));
}

TEST(StateListText, ReadsBackAtItsPlaceOnly) {
  const Contract contract = tiny_contract();
  for (std::uint32_t block = 0; block < 2; ++block) {
    const StateList list = state_list(contract, block);
    const std::string text = encode_list(contract, block, 2, list);
    const StateList back = must(decode_state_list(contract, block, 2, text));
    EXPECT_EQ(back.salt, list.salt);
    EXPECT_EQ(back.digests, list.digests);
    EXPECT_FALSE(decode_state_list(contract, block, 1, text));
    EXPECT_FALSE(decode_state_list(contract, 1 - block, 2, text));
  }
}

TEST(StepListText, ReadsBackAtItsPlaceOnly) {
  const Contract contract = tiny_contract();
  const StepList list = step_list(contract, 3);
  const std::string text = encode_list(contract, 3, list);
  const StepList back = must(decode_step_list(contract, 3, text));
  EXPECT_EQ(back.rows, list.rows);
  EXPECT_EQ(back.counted, 7U);
  EXPECT_EQ(back.learning_rate, 0.01);
  EXPECT_EQ(back.clip, 0.2F);
  EXPECT_EQ(back.squares, list.squares);
  EXPECT_EQ(back.losses, list.losses);
  EXPECT_EQ(back.edges, list.edges);
  EXPECT_FALSE(decode_step_list(contract, 2, text));
}

struct TextLie {
  const char* name;
  std::string from, to;
};

/// `decode` must refuse every change of `text`.
template <typename Decode>
void expect_refused(const std::string& text, const std::vector<TextLie>& lies, Decode decode) {
  ASSERT_TRUE(decode(text));
  for (const TextLie& lie : lies) {
    std::string changed = text;
    const std::size_t at = changed.find(lie.from);
    ASSERT_NE(at, std::string::npos) << lie.name;
    changed.replace(at, lie.from.size(), lie.to);
    const auto decoded = decode(changed);
    ASSERT_FALSE(decoded) << lie.name;
    EXPECT_EQ(decoded.error().code, Code::kInvalidInput) << lie.name;
  }
  for (const std::string& changed : {text + " ", text + "{}", " " + text, std::string(),
                                     text.substr(0, text.size() / 2), std::string("null")}) {
    EXPECT_FALSE(decode(changed));
  }
}

TEST(StateListText, NothingCanBeAddedLeftOutOrRenamed) {
  const Contract contract = tiny_contract();
  const std::string text = encode_list(contract, 1, 2, state_list(contract, 1));
  const std::string first = digest_of("0").hex();
  expect_refused(
      text,
      {{"added member", R"("block":1)", R"("block":1,"author":"x")"},
       {"renamed member", R"("step_block")", R"("step_blocks")"},
       {"another dtype", R"("dtype":"F32")", R"("dtype":"F16")"},
       {"another role", R"("role":"parameter")", R"("role":"first")"},
       {"another tensor", R"("name":"model.)", R"("name":"modem.)"},
       {"another shape", R"("shape":[)", R"("shape":[1,)"},
       {"digest in capitals", first, std::string(64, 'A')},
       {"short digest", first, first.substr(1)},
       {"salt without hex", digest_of("salt").hex(), std::string(64, 'z')},
       {"tensor left out",
        text.substr(text.find("{\"digest"), text.find("},{") + 2 - text.find("{\"digest")), ""}},
      [&](const std::string& t) { return decode_state_list(contract, 1, 2, t); });
  std::string one_more = text;
  const std::string tensor =
      text.substr(text.find("{\"digest"), text.find("},{") + 2 - text.find("{\"digest"));
  one_more.insert(one_more.find("{\"digest"), tensor);
  const auto decoded = decode_state_list(contract, 1, 2, one_more);
  ASSERT_FALSE(decoded);
  const std::size_t count = state_tensors(contract, 1).size();
  EXPECT_NE(decoded.error().what.find("has " + std::to_string(count + 1) +
                                      " tensors, the contract implies " + std::to_string(count)),
            std::string::npos)
      << decoded.error().what;
}

TEST(StepListText, NothingCanBeAddedLeftOutOrRenamed) {
  const Contract contract = tiny_contract();
  const std::string text = encode_list(contract, 3, step_list(contract, 3));
  expect_refused(text,
                 {{"added member", R"("kind":"step")", R"("kind":"step","note":"x")"},
                  {"row too many", R"("rows":[4,)", R"("rows":[4,4,)"},
                  {"row too few", R"("rows":[4,)", R"("rows":[)"},
                  {"negative row", R"("rows":[4,)", R"("rows":[-4,)"},
                  {"row as text", R"("rows":[4,)", R"("rows":["4",)"},
                  {"loss too few", R"(["0x1.8p+0","0x1p-1"])", R"(["0x1.8p+0"])"},
                  {"loss as number", R"("0x1.8p+0")", "1.5"},
                  {"loss in decimal", R"("0x1.8p+0")", R"("1.5")"},
                  {"loss beyond fp32", R"("0x1.8p+0")", R"("0x1.8000000001p+0")"},
                  {"loss not a number", R"("0x1.8p+0")", R"("nan")"},
                  {"loss beyond all of fp32", R"("0x1.8p+0")", R"("0x1p+128")"},
                  {"clip beyond all of fp32", R"("0x1.99999ap-3")", R"("-0x1p+1023")"},
                  {"nothing counted", R"("counted":7)", R"("counted":0)"},
                  {"another spelling of norm", R"("0x1.4p+1")", R"("0xap-2")"},
                  {"square of no tensor", R"("squares":{)", R"("squares":{"a":"0x1p+0",)"},
                  {"edge of another micro-batch", R"("micro_batch":0)", R"("micro_batch":1)"},
                  {"another edge", R"("edge":1)", R"("edge":2)"}},
                 [&](const std::string& t) { return decode_step_list(contract, 3, t); });
}

TEST(StepListText, EdgesHaveTheContractsDtype) {
  const Contract wide = tiny_contract();
  Contract narrow = tiny_contract();
  narrow.dtypes.boundary = Dtype::kBF16;
  const StepList list = step_list(wide, 3);
  const std::string text = encode_list(narrow, 3, list);
  EXPECT_NE(text.find(R"("dtype":"BF16")"), std::string::npos);
  EXPECT_EQ(text.find(R"("dtype":"F32")"), std::string::npos);
  EXPECT_EQ(must(decode_step_list(narrow, 3, text)).edges, list.edges);
  EXPECT_FALSE(decode_step_list(wide, 3, text));
  EXPECT_FALSE(decode_step_list(narrow, 3, encode_list(wide, 3, list)));
  for (const EdgePlace& place : edge_places(narrow, 3)) EXPECT_EQ(place.dtype, Dtype::kBF16);
  EXPECT_EQ(encode_list(narrow, 1, 2, state_list(narrow, 1)),
            encode_list(wide, 1, 2, state_list(wide, 1)))
      << "states are fp32";
}

TEST(StepListText, MessageShowsTheDifferenceAndBothTexts) {
  const Contract contract = tiny_contract();
  std::string text = encode_list(contract, 3, step_list(contract, 3));
  text.replace(text.find(R"("dtype":"F32")"), 13, R"("dtype":"F16")");
  const auto decoded = decode_step_list(contract, 3, text);
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().what.find("step 3: list differs at byte"), std::string::npos);
  EXPECT_NE(decoded.error().what.find("F16"), std::string::npos);
  EXPECT_NE(decoded.error().what.find("F32"), std::string::npos);
}

TEST(CloseListText, ReadsBackAndRefusesChanges) {
  const CloseList list{
      digest_of("salt"), digest_of("root"), {{"a", 1, digest_of("a")}, {"b", 2, digest_of("b")}}};
  const std::string text = encode_list(list);
  const CloseList back = must(decode_close_list(text));
  EXPECT_EQ(back.salt, list.salt);
  EXPECT_EQ(back.model_root, list.model_root);
  EXPECT_EQ(back.files, list.files);
  expect_refused(text,
                 {{"another kind", R"("kind":"close")", R"("kind":"abort")"},
                  {"added member", R"("kind":"close")", R"("kind":"close","x":1)"},
                  {"member of a file", R"("path":"a")", R"("mode":1,"path":"a")"},
                  {"negative size", R"("size":1)", R"("size":-1)"},
                  {"root left out", R"(,"model_root":")" + digest_of("root").hex() + "\"", ""}},
                 decode_close_list);
}

TEST(AbortListText, ReadsBackAndRefusesChanges) {
  const AbortList list{digest_of("salt"), 3, "step 3: \"x\" is not finite"};
  const std::string text = encode_list(list);
  const AbortList back = must(decode_abort_list(text));
  EXPECT_EQ(back.step, 3U);
  EXPECT_EQ(back.reason, list.reason);
  expect_refused(text,
                 {{"another kind", R"("kind":"abort")", R"("kind":"close")"},
                  {"negative step", R"("step":3)", R"("step":-3)"},
                  {"added member", R"("kind":"abort")", R"("kind":"abort","x":1)"}},
                 decode_abort_list);
}

TEST(SaltSource, GivesEachPositionKeyAndRunItsOwnSalt) {
  const auto key = testing::test_key(2);
  const auto other_key = testing::test_key(4);
  const Digest run = digest_of("run");
  std::set<Digest> seen;
  for (std::uint64_t position = 0; position < 300; ++position) {
    EXPECT_TRUE(seen.insert(SaltSource(key, run).list_salt(position)).second);
  }
  EXPECT_TRUE(seen.insert(SaltSource(other_key, run).list_salt(0)).second);
  EXPECT_TRUE(seen.insert(SaltSource(key, digest_of("other")).list_salt(0)).second);
  EXPECT_TRUE(seen.insert(SaltSource(key, run).root_salt()).second);
  EXPECT_EQ(SaltSource(key, run).list_salt(7), SaltSource(key, run).list_salt(7));
}

TEST(SaltSource, RootSaltIsOfTheKeyAlone) {
  const auto key = testing::test_key(2);
  EXPECT_EQ(SaltSource(key, digest_of("a")).root_salt(),
            SaltSource(key, digest_of("b")).root_salt());
  EXPECT_NE(SaltSource(key, digest_of("a")).root_salt(),
            SaltSource(testing::test_key(4), digest_of("a")).root_salt());
}

}  // namespace
}  // namespace aftune::trace
