// SPDX-License-Identifier: Apache-2.0
// Lies about what is trained on: rows, labels, lengths, divisors, positions, losses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aftune/numerics/loss.h"
#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

TEST(DataLies, T11ALossThatTheModelDoesNotGive) {
  Lies lies;
  lies.claim = [](std::uint64_t step, train::StepOutcome& outcome, auto&, auto&) {
    if (step == 4) outcome.losses[0] = std::nextafter(outcome.losses[0], 0.0F);
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"loss", "layer block 3, step block 2", "loss of step 4, micro-batch 0"}));
}

TEST(DataLies, T10OtherRowsAreAdmittedOrHidden) {
  const World& w = world(fine());
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    for (auto& batch : batches) {
      std::rotate(batch.tokens.begin(), batch.tokens.begin() + 20, batch.tokens.end());
      std::rotate(batch.targets.begin(), batch.targets.begin() + 20, batch.targets.end());
    }
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
  lies.claim = [](std::uint64_t, train::StepOutcome&, std::vector<std::uint64_t>& rows, auto&) {
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
  };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"data", "step 0", "the agreed order gives"}));
}

TEST(DataLies, T10OnePoisonedToken) {
  Lies lies;
  lies.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step == 2) batches[0].tokens[3] ^= 1;
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"activation", "layer block 0, step block 1", "edge 1, step 2"}));
}

std::int32_t& first_target(model::MicroBatch& batch) {
  for (auto& target : batch.targets) {
    if (target != numerics::kIgnoredLabel) return target;
  }
  return batch.targets.front();
}

TEST(DataLies, T10OneChangedLabel) {
  Lies lies;
  lies.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step == 2) first_target(batches[0]) ^= 1;
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"loss", "layer block 3, step block 1", "loss of step 2"}));
  EXPECT_TRUE(rejected(caught(world(tied()), lies),
                       {"loss", "layer block 0, step block 1", "loss of step 2"}));
}

TEST(DataLies, T30LabelsMasked) {
  const World& w = world(fine());
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    first_target(batches[0]) = numerics::kIgnoredLabel;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"loss", "layer block 3, step block 0", "loss of step 0"}));
  lies.claim = [](std::uint64_t, train::StepOutcome&, auto&, std::uint64_t& counted) { --counted; };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"data", "step 0", "counted tokens are committed"}));
}

TEST(DataLies, T10PackedRowsThatSeeEachOther) {
  const World& w = world(fine(packed()));
  bool together = false;
  Lies lies;
  lies.batches = [&](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    for (auto& batch : batches) {
      together = together || batch.document_ends.size() > batch.rows;
      batch.document_ends.clear();
    }
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
  EXPECT_TRUE(together) << "no sample held two rows";
}

TEST(DataLies, T10PackedRowsOfAnotherSample) {
  const World& w = world(fine(packed()));
  Lies lies;
  lies.claim = [](std::uint64_t, train::StepOutcome&, std::vector<std::uint64_t>& rows, auto&) {
    rows.front() += 1;
  };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"data", "step 0", "the agreed order gives"}));
}

TEST(DataLies, T30AConversationTrainedOnQuestionsToo) {
  const World& w = world(fine(conversations()));
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    for (auto& batch : batches) {
      for (std::size_t t = 0; t + 1 < batch.sequence; ++t) batch.targets[t] = batch.tokens[t + 1];
    }
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"loss", "layer block 3, step block 0", "loss of step 0"}));
}

TEST(DataLies, T30RowsCutToAFewTokens) {
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    for (auto& batch : batches) {
      for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
        if (i % batch.sequence >= 6) batch.tokens[i] = 0;
      }
    }
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
}

TEST(DataLies, T29AnotherLossDivisor) {
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    for (auto& batch : batches) batch.counted *= 2;
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"loss", "layer block 3, step block 0", "loss of step 0"}));
}

TEST(DataLies, T29OtherPositionsAndConstantsInside) {
  const World& w = world(fine());
  Lies rope;
  rope.model = [](model::Llama& llama) {
    llama.config.rope_theta = 500;
    llama.inv_freq = model::make_inv_freq(llama.config);
  };
  Lies epsilon;
  epsilon.model = [](model::Llama& llama) { llama.config.rms_norm_eps = 1e-6F; };
  for (const Lies& lies : {rope, epsilon}) {
    EXPECT_TRUE(
        rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
    // A block in the middle, which never sees a token, finds it too.
    EXPECT_TRUE(rejected(w.audit_blocks(tell(w, lies), {{2, 1}}),
                         {"activation", "layer block 2, step block 1", "edge 3, step 2"}));
  }
}

TEST(DataLies, T29RowsOfTwoMicroBatchesExchanged) {
  Terms terms = fine();
  terms.micro_batch = 2;
  Lies lies;
  lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
    std::swap(batches[0], batches[1]);
  };
  EXPECT_TRUE(rejected(caught(world(terms), lies),
                       {"activation", "layer block 0, step block 0", "micro-batch 0"}));
}

}  // namespace
}  // namespace aftune::liar
