// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "aftune/train/optimizer.h"

namespace aftune::train {
namespace {

using codec::Json;
using codec::JsonReader;

// Reads `text` by `read`; the error's text, or "" if it was taken.
template <typename T>
std::string refusal(const std::string& text, Result<T> (*read)(JsonReader&)) {
  const auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json) << text;
  auto reader = JsonReader::open(*json, "train.x");
  EXPECT_TRUE(reader);
  const auto result = read(*reader);
  return result ? "" : result.error().what;
}

template <typename T>
void expect_round_trip(const T& spec, Result<T> (*read)(JsonReader&), const std::string& bytes) {
  const Json json = to_contract(spec);
  EXPECT_EQ(codec::canonical_json(json), bytes);
  auto reader = JsonReader::open(json, "train.x");
  ASSERT_TRUE(reader);
  const auto back = read(*reader);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, spec);
}

const std::string kAdamW =
    R"({"beta1":"0x1.ccccccccccccdp-1","beta2":"0x1.ff7ced916872bp-1",)"
    R"("epsilon":"0x1.5798ee2308c3ap-27","kind":"adamw","weight_decay":"0x1.47ae147ae147bp-7"})";
const std::string kCosine =
    R"({"kind":"warmup_cosine","peak":"0x1.a36e2eb1c432dp-14","total_steps":24,"warmup_steps":2})";

// `text` with one piece of it replaced.
std::string with(std::string text, const std::string& piece, const std::string& other) {
  const auto at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), other);
}

TEST(TrainContract, EachKindRoundTripsWithItsBytes) {
  expect_round_trip<OptimizerSpec>({OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01},
                                   optimizer_from_contract, kAdamW);
  expect_round_trip<OptimizerSpec>({OptimizerKind::kSgd, 0, 0, 0, 0.5, 0}, optimizer_from_contract,
                                   R"({"kind":"sgd","momentum":"0x1p-1","weight_decay":"0x0p+0"})");
  expect_round_trip<OptimizerSpec>(
      {OptimizerKind::kSgd, 0, 0, 0, 0.5, 0.25, Decayed::kWeights, true}, optimizer_from_contract,
      R"({"decayed":"weights","kind":"sgd","momentum":"0x1p-1","nesterov":true,"weight_decay":"0x1p-2"})");
  expect_round_trip<OptimizerSpec>(
      {OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01, Decayed::kWeights},
      optimizer_from_contract, with(kAdamW, R"("epsilon")", R"("decayed":"weights","epsilon")"));
  expect_round_trip<ScheduleSpec>({ScheduleKind::kLinear, 1e-4, 2, 24}, schedule_from_contract,
                                  with(kCosine, "warmup_cosine", "linear"));
  expect_round_trip<ScheduleSpec>(
      {ScheduleKind::kConstantWithWarmup, 0.25, 9, 0}, schedule_from_contract,
      R"({"kind":"constant_with_warmup","peak":"0x1p-2","warmup_steps":9})");
  expect_round_trip<ScheduleSpec>({ScheduleKind::kWarmupCosine, 1e-4, 2, 24},
                                  schedule_from_contract, kCosine);
  expect_round_trip<ScheduleSpec>({ScheduleKind::kConstant, 0.25, 0, 0}, schedule_from_contract,
                                  R"({"kind":"constant","peak":"0x1p-2"})");
  expect_round_trip<ClipSpec>({1}, clip_from_contract, R"({"max_norm":"0x1p+0"})");
  expect_round_trip<ClipSpec>({0}, clip_from_contract, R"({"max_norm":"0x0p+0"})");
}

TEST(TrainContract, OptimizersWithAnythingElseAreRefused) {
  const std::string lies[] = {
      with(kAdamW, R"("beta1":"0x1.ccccccccccccdp-1",)", ""),
      with(kAdamW, R"("kind":"adamw")", R"("kind":"adamw","momentum":"0x0p+0")"),
      with(kAdamW, R"("kind":"adamw")", R"("kind":"adamw","amsgrad":false)"),
      with(kAdamW, R"("kind":"adamw")", R"("kind":"adam")"),
      with(kAdamW, R"("kind":"adamw",)", ""),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", "0.9"),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("0.9")"),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("0x1p+0")"),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("-0x1p-1")"),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("-0x0p+0")"),
      with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("0x1.cccccccccccdp-1 ")"),
      with(kAdamW, R"("0x1.5798ee2308c3ap-27")", R"("0x0p+0")"),
      with(kAdamW, R"("0x1.47ae147ae147bp-7")", R"("-0x1p-7")"),
      R"({"kind":"sgd","weight_decay":"0x0p+0"})",
      R"({"kind":"sgd","momentum":"0x1p+0","weight_decay":"0x0p+0"})",
      R"({"kind":"sgd","momentum":"0x0p+0","nesterov":true,"weight_decay":"0x0p+0"})",
      R"({"kind":"sgd","momentum":"0x1p-1","nesterov":false,"weight_decay":"0x0p+0"})",
      R"({"kind":"sgd","momentum":"0x1p-1","nesterov":1,"weight_decay":"0x0p+0"})",
      with(kAdamW, R"("kind")", R"("decayed":"all","kind")"),
      with(kAdamW, R"("kind")", R"("decayed":"","kind")"),
      with(kAdamW, R"("kind":"adamw")", R"("kind":"adamw","nesterov":true)"),
      "{}",
  };
  EXPECT_EQ(refusal(kAdamW, optimizer_from_contract), "");
  for (const auto& lie : lies) EXPECT_NE(refusal(lie, optimizer_from_contract), "") << lie;
}

TEST(TrainContract, SchedulesWithAnythingElseAreRefused) {
  const std::string lies[] = {
      with(kCosine, R"("warmup_steps":2)", R"("warmup_steps":25)"),
      with(kCosine, R"("warmup_steps":2)", R"("warmup_steps":-1)"),
      with(kCosine, R"("warmup_steps":2)", R"("warmup_steps":"0x1p+1")"),
      with(kCosine, R"("warmup_steps":2)", R"("warmup_steps":2.0)"),
      with(kCosine, R"("total_steps":24,"warmup_steps":2)", R"("total_steps":0,"warmup_steps":0)"),
      with(kCosine, R"("total_steps":24,)", R"("total_steps":2000000000000,)"),
      with(kCosine, R"("total_steps":24,)", ""),
      with(kCosine, R"("total_steps":24,)", R"("num_cycles":"0x1p-1","total_steps":24,)"),
      with(kCosine, "warmup_cosine", "cosine"),
      with(kCosine, R"("0x1.a36e2eb1c432dp-14")", R"("-0x1p-14")"),
      R"({"kind":"constant","peak":"0x1p-2","total_steps":24})",
      R"({"kind":"constant"})",
      R"({"kind":"constant","peak":"0x1p-2","warmup_steps":0})",
      R"({"kind":"constant_with_warmup","peak":"0x1p-2"})",
      R"({"kind":"constant_with_warmup","peak":"0x1p-2","warmup_steps":-1})",
      R"({"kind":"constant_with_warmup","peak":"0x1p-2","total_steps":9,"warmup_steps":1})",
      R"({"kind":"linear","peak":"0x1p-2","warmup_steps":1})",
      R"({"kind":"linear","peak":"0x1p-2","total_steps":9,"warmup_steps":10})",
  };
  EXPECT_EQ(refusal(kCosine, schedule_from_contract), "");
  for (const auto& lie : lies) EXPECT_NE(refusal(lie, schedule_from_contract), "") << lie;
}

TEST(TrainContract, ClippingWithAnythingElseIsRefused) {
  for (const std::string lie :
       {R"({})", R"({"max_norm":1})", R"({"max_norm":null})", R"({"max_norm":"-0x1p+0"})",
        R"({"max_norm":"inf"})", R"({"max_norm":"0x1p+0","norm_type":2})"}) {
    EXPECT_NE(refusal(lie, clip_from_contract), "") << lie;
  }
}

TEST(TrainContract, ErrorsNameTheMemberAndItsValue) {
  EXPECT_EQ(
      refusal(with(kAdamW, R"("0x1.ccccccccccccdp-1")", R"("0x1p+0")"), optimizer_from_contract),
      "train.x.beta1: 0x1p+0 is not below 1");
  EXPECT_EQ(
      refusal(with(kAdamW, R"("0x1.5798ee2308c3ap-27")", R"("0x0p+0")"), optimizer_from_contract),
      "train.x.epsilon: 0x0p+0 is not above 0");
  EXPECT_EQ(refusal(R"({"max_norm":"-0x1p+0"})", clip_from_contract),
            "train.x.max_norm: -0x1p+0 has a minus sign");
  EXPECT_EQ(refusal(with(kAdamW, R"("adamw")", R"("lion")"), optimizer_from_contract),
            "train.x.kind: \"lion\", known are \"adamw\" and \"sgd\"");
}

}  // namespace
}  // namespace aftune::train
