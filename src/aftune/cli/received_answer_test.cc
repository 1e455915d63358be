// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/received_answer.h"

#include <gtest/gtest.h>

namespace aftune::cli {
namespace {

const std::string kReceipt =
    R"("aftune_receipt":{"answer":"A\n","proof":"P","receipt":"{\"r\":1}","request":"Q"})";

void expect_parts(const Result<ReceivedAnswer>& got) {
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->receipt, "{\"r\":1}");
  EXPECT_EQ(got->proof, "P");
  EXPECT_EQ(got->answer, "A\n");
  EXPECT_EQ(got->request, "Q");
}

TEST(ReceivedAnswer, IsReadFromAWholeBody) {
  expect_parts(read_received("{\"id\":\"x\",\"temperature\":0.5," + kReceipt + "}\n"));
}

TEST(ReceivedAnswer, IsReadFromTheEventsOfAStream) {
  expect_parts(read_received("data: {\"choices\":[]}\n\ndata: {" + kReceipt +
                             "}\n\ndata: {\"usage\":{}}\n\ndata: [DONE]\n\n"));
}

TEST(ReceivedAnswer, WithoutAReceiptIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("{\"error\":{\"message\":\"no\"}}"),
        std::string("data: {\"choices\":[]}\n\ndata: [DONE]\n\n"), "data: {" + kReceipt,
        std::string(R"({"aftune_receipt":{"answer":"A","proof":"P","receipt":"R"}})"),
        std::string(R"({"aftune_receipt":{"answer":1,"proof":"P","receipt":"R","request":""}})")}) {
    const auto got = read_received(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, Code::kInvalidInput);
  }
}

}  // namespace
}  // namespace aftune::cli
