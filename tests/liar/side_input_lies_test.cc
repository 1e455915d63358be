// SPDX-License-Identifier: Apache-2.0
// Steps outside the recorded ones (T8), and inputs that are no tokens (T21).
#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using codec::Json;
using train::EdgeId;
using train::EdgeKind;

/// What a step leaves: every weight a little smaller, and the moments no longer zero.
void decay(States& states) {
  for (train::BlockState& state : states) {
    for (auto& [name, tensor] : state.parameters) {
      for (float& value : tensor.f32()) value *= 1 - 0x1p-12F;
    }
  }
}

TEST(SideInputLies, T8StepsBeforeTheFirstRecordedState) {
  const World& w = world(fine());
  Lies warm_up;
  warm_up.start = decay;
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, warm_up), {}),
                                      {"base", "first state", "the contract's base has"}));
  warm_up.start = [](States& states) {  // the weights put back, the moments kept
    for (float& value : states[2].first.begin()->second.f32()) value = 0x1p-20F;
  };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, warm_up), {}),
                                      {"base", "layer block 2, first state", "first moment"}));
}

TEST(SideInputLies, T8StepsAfterTheLastRecordedState) {
  const World& w = world(fine());
  Lies lies;
  lies.delivered = [](TensorMap& parameters) {
    for (auto& [name, tensor] : parameters) {
      for (float& value : tensor.f32()) value *= 1 - 0x1p-12F;
    }
  };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"delivery", "delivered folder", "is not the last state's"}));
}

TEST(SideInputLies, T8StepsAfterTheLastAreNoLastStateEither) {
  Lies lies;
  const World& w = world(fine());
  lies.after_step = [last = w.contract().steps - 1](std::uint64_t step, States& states) {
    if (step == last) decay(states);
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"state", "layer block 0, step block 2",
                                         "of state of layer block 0 at step block 3"}));
}

TEST(SideInputLies, T21FloatInputsWhereTokensAreDue) {
  // The first block is fed vectors that no token has; what leaves it is committed and handed on.
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (id.kind != EdgeKind::kActivation || id.edge != 1) return;
    for (std::size_t i = 0; i < tensor.f32().size(); ++i) {
      tensor.f32()[i] = 0.25F * static_cast<float>(i % 7) - 0.75F;
    }
  };
  for (const Terms& terms : {fine(), fine(tied())}) {
    EXPECT_TRUE(rejected(caught(world(terms), lies),
                         {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
  }
}

TEST(SideInputLies, T21AnInputEdgeInTheList) {
  // An edge 0, to be read in place of tokens: the contract implies none.
  const World& w = world(fine());
  FinishedRun run(w, w.copy_of_honest_run());
  run.edit_list(run.timeline().position_of_step(1), [](Json::Object& list) {
    Json::Array& edges = *list["edges"].array();
    Json input = edges.front();
    (*input.object())["edge"] = 0;
    edges.insert(edges.begin(), input);
  });
  run.sign();
  EXPECT_TRUE(
      rejected_without_replay(w.audit_blocks(run.folder(), {}), {"list", "step 1", "edge"}));
}

TEST(SideInputLies, T21OtherTokensThanTheDataGive) {
  const World& w = world(fine());
  Lies lies;
  lies.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step != 4) return;
    for (model::MicroBatch& batch : batches) batch.tokens.assign(batch.tokens.size(), 0);
  };
  EXPECT_TRUE(
      rejected(caught(w, lies), {"activation", "layer block 0, step block 2", "edge 1, step 4"}));
}

}  // namespace
}  // namespace aftune::liar
