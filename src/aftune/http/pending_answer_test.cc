// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/pending_answer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "aftune/base/unique_fd.h"

namespace aftune::http {
namespace {

using State = PendingAnswer::State;
using Clock = PendingAnswer::Clock;

const Peer kAsker(-1);
Clock::time_point soon() { return Clock::now() + std::chrono::seconds(20); }

serve::Receipted answer(const std::string& text) {
  serve::Receipted out;
  out.answer.text_of_output = text;
  return out;
}

TEST(PendingAnswer, GivesTextInTheOrderInWhichItCame) {
  PendingAnswer pending;
  EXPECT_FALSE(pending.first_token_at());
  pending.tell({1, "a", false});
  pending.tell({2, "", false});
  pending.tell({3, "b", false});
  EXPECT_TRUE(pending.first_token_at());
  std::string text;
  EXPECT_EQ(pending.wait_for_text(soon(), kAsker, text), State::kText);
  EXPECT_EQ(text, "ab");
}

TEST(PendingAnswer, KeepsTheLastTokensTextUntilTheEnd) {
  PendingAnswer pending;
  pending.tell({1, "all of it", true});
  std::string text;
  EXPECT_EQ(pending.wait_for_text(Clock::now(), kAsker, text), State::kLate);
  pending.end(answer("all of it"));
  EXPECT_EQ(pending.wait_for_text(soon(), kAsker, text), State::kEnded);
  EXPECT_EQ(text, "");
  EXPECT_EQ(pending.take_end()->answer.text_of_output, "all of it");
}

TEST(PendingAnswer, GivesTextBeforeTheEnd) {
  PendingAnswer pending;
  pending.tell({1, "a", false});
  pending.end(Error{Code::kNonFinite, "no"});
  std::string text;
  EXPECT_EQ(pending.wait_for_text(soon(), kAsker, text), State::kText);
  EXPECT_EQ(pending.wait_for_text(soon(), kAsker, text), State::kEnded);
  EXPECT_EQ(pending.take_end().error().what, "no");
}

TEST(PendingAnswer, WaitsForAnotherThread) {
  PendingAnswer pending;
  std::thread server([&] {
    pending.tell({1, "a", false});
    pending.end(answer("ab"));
  });
  EXPECT_EQ(pending.wait_for_end(soon(), kAsker), State::kEnded);
  server.join();
}

TEST(PendingAnswer, SaysThatItIsLateOrThatThePeerIsGone) {
  PendingAnswer pending;
  EXPECT_EQ(pending.wait_for_end(Clock::now(), kAsker), State::kLate);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  EXPECT_FALSE(Peer(ours.get()).gone());
  theirs = UniqueFd();
  EXPECT_TRUE(Peer(ours.get()).gone());
  std::string text;
  EXPECT_EQ(pending.wait_for_text(soon(), Peer(ours.get()), text), State::kGone);
}

}  // namespace
}  // namespace aftune::http
