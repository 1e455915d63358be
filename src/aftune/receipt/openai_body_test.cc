// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/openai_body.h"

#include <gtest/gtest.h>

#include <string>

namespace aftune::receipt {
namespace {

OpenAiBody completion(const std::string& text) {
  Result<OpenAiBody> got = read_openai_body(OpenAiShape::kCompletion, text);
  EXPECT_TRUE(got) << text << ": " << (got ? "" : got.error().what);
  return got ? *std::move(got) : OpenAiBody();
}

OpenAiBody chat(const std::string& text) {
  Result<OpenAiBody> got = read_openai_body(OpenAiShape::kChat, text);
  EXPECT_TRUE(got) << text << ": " << (got ? "" : got.error().what);
  return got ? *std::move(got) : OpenAiBody();
}

TEST(OpenAiBody, AloneWithItsPromptHasTheStatedDefaults) {
  const OpenAiBody body = completion(R"({"prompt":"Hi"})");
  EXPECT_EQ(body.input, Input("Hi"));
  EXPECT_EQ(body.model, "");
  EXPECT_FALSE(body.stream || body.include_usage);
  Request expected;
  expected.max_tokens = 16;
  expected.sampling = {1, 0, 1, 1};
  EXPECT_EQ(body.request, expected);
  expected.max_tokens = 256;
  EXPECT_EQ(chat(R"({"messages":[{"role":"user","content":"Hi"}]})").request, expected);
}

TEST(OpenAiBody, EveryMemberReachesTheRequest) {
  const std::string nonce(64, 'a'), audit(64, 'b');
  const OpenAiBody body = chat(
      R"({"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"U"}],)"
      R"("max_completion_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3,)"
      R"("repetition_penalty":1.5,"stop":["x","yz"],"seed":9,"stream":true,)"
      R"("stream_options":{"include_usage":true},"aftune_nonce":")" +
      nonce + R"(","aftune_audit_sha256":")" + audit + R"("})");
  EXPECT_EQ(body.model, "m");
  EXPECT_EQ(body.input, Input(std::vector<ChatMessage>{{"system", "S"}, {"user", "U"}}));
  EXPECT_TRUE(body.stream && body.include_usage);
  EXPECT_EQ(body.request.max_tokens, 7U);
  EXPECT_EQ(body.request.sampling, (SamplingRule{0.5, 3, 0.25, 1.5}));
  EXPECT_EQ(body.request.stop, (std::vector<std::string>{"x", "yz"}));
  EXPECT_EQ(body.request.seed, 9U);
  EXPECT_EQ(body.request.nonce->hex(), nonce);
  EXPECT_EQ(body.request.audit_sha256->hex(), audit);
}

TEST(OpenAiBody, PromptsComeInEachOfTheirSpellings) {
  EXPECT_EQ(completion(R"({"prompt":["Hi"]})").input, Input("Hi"));
  EXPECT_EQ(completion(R"({"prompt":[1,2]})").input, Input(Tokens{1, 2}));
  EXPECT_EQ(completion(R"({"prompt":[[1,2]]})").input, Input(Tokens{1, 2}));
  const OpenAiBody parts =
      chat(R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},)"
           R"({"type":"text","text":"b"}]}]})");
  EXPECT_EQ(parts.input, Input(std::vector<ChatMessage>{{"user", "ab"}}));
  EXPECT_EQ(completion(R"({"prompt":"a","stop":"x"})").request.stop, std::vector<std::string>{"x"});
}

TEST(OpenAiBody, NullAndWhatChangesNothingAreAsAbsent) {
  const OpenAiBody plain = completion(R"({"prompt":"a"})");
  const OpenAiBody full = completion(
      R"({"prompt":"a","model":null,"max_tokens":null,"temperature":null,"stop":null,"seed":null,)"
      R"("stream":null,"n":1,"best_of":1,"echo":false,"logprobs":null,"presence_penalty":0,)"
      R"("frequency_penalty":0.0,"logit_bias":{},"suffix":null,"user":"u",)"
      R"("response_format":{"type":"text"}})");
  EXPECT_EQ(full.request, plain.request);
  EXPECT_EQ(full.input, plain.input);
}

TEST(OpenAiBody, EitherShapeIsToldByItsMessages) {
  const auto text = read_openai_body(R"({"prompt":"a"})");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->request.max_tokens, 16U);
  const auto messages = read_openai_body(R"({"messages":[{"role":"user","content":"a"}]})");
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->request.max_tokens, 256U);
}

TEST(OpenAiBody, WhatItDoesNotDoIsRefusedByName) {
  const struct {
    const char *members, *what;
  } cases[] = {
      {R"("n":2)", "n: only 1"},
      {R"("logprobs":5)", "logprobs: only false"},
      {R"("echo":true)", "echo: only false"},
      {R"("tools":[])", "tools: not supported"},
      {R"("temprature":1)", "temprature: not supported"},
      {R"("max_completion_tokens":4)", "max_completion_tokens: not supported"},
      {R"("messages":[])", "messages: not supported"},
      {R"("logit_bias":{"5":-100})", "logit_bias: only {}"},
      {R"("response_format":{"type":"json_object"})", "response_format: only"},
      {R"("max_tokens":0)", "max_tokens: 0 is not within 1 and 1048576"},
      {R"("max_tokens":1.5)", "max_tokens: not an integer"},
      {R"("max_tokens":"8")", "max_tokens: not an integer"},
      {R"("temperature":"hot")", "temperature: not a number"},
      {R"("temperature":-1)", "temperature"},
      {R"("top_p":0)", "top_p"},
      {R"("top_k":-1)", "top_k: -1 is not within"},
      {R"("repetition_penalty":0)", "repetition_penalty"},
      {R"("seed":-1)", "seed: -1 is not within"},
      {R"("seed":18446744073709551615)", "seed: not an integer"},
      {R"("stop":"")", "stop: stop string 0 has 0 bytes"},
      {R"("stop":[1])", "stop: holds something"},
      {R"("stop":{})", "stop: neither"},
      {R"("stream":1)", "stream: not true or false"},
      {R"("stream_options":{"usage":true})", "stream_options: usage: not supported"},
      {R"("aftune_nonce":"ab")", "aftune_nonce"},
      {R"("aftune_audit_sha256":7)", "aftune_audit_sha256: not a string"},
      {R"("model":1)", "model: not a string"},
      {R"("user":1)", "user: not a string"},
  };
  for (const auto& one : cases) {
    const auto got = read_openai_body(OpenAiShape::kCompletion,
                                      R"({"prompt":"a",)" + std::string(one.members) + "}");
    ASSERT_FALSE(got) << one.members;
    EXPECT_EQ(got.error().code, Code::kInvalidInput) << one.members;
    EXPECT_NE(got.error().what.find(one.what), std::string::npos)
        << one.members << ": " << got.error().what;
  }
}

TEST(OpenAiBody, BrokenInputsAreRefused) {
  for (const char* text :
       {"", "{", "[]", "7", R"({"prompt":"a"} x)", R"({"prompt":"a","prompt":"b"})", "{}",
        R"({"prompt":1})", R"({"prompt":[]})", R"({"prompt":["a","b"]})", R"({"prompt":[[1],[2]]})",
        R"({"prompt":[-1]})", R"({"prompt":[1,"a"]})", R"({"prompt":[4294967296]})",
        R"({"prompt":"\ud800"})"}) {
    EXPECT_FALSE(read_openai_body(OpenAiShape::kCompletion, text)) << text;
  }
  for (const char* messages :
       {"[]", "{}", "[1]", R"([{"role":"user"}])", R"([{"content":"a"}])",
        R"([{"role":"tool","content":"a"}])", R"([{"role":"user","content":7}])",
        R"([{"role":"user","content":"a","name":"n"}])",
        R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])"}) {
    EXPECT_FALSE(
        read_openai_body(OpenAiShape::kChat, R"({"messages":)" + std::string(messages) + "}"))
        << messages;
  }
  EXPECT_FALSE(read_openai_body(
      OpenAiShape::kChat,
      R"({"messages":[{"role":"user","content":"a"}],"max_tokens":1,"max_completion_tokens":1})"));
  EXPECT_FALSE(read_openai_body(OpenAiShape::kChat, R"({"prompt":"a"})"));
}

}  // namespace
}  // namespace aftune::receipt
