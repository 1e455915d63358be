// SPDX-License-Identifier: Apache-2.0
// Lies about runs that train adapters beside frozen weights (T22, T28 and their kin), and their
// honest twins.
#include <gtest/gtest.h>

#include <memory>

#include "aftune/attack/gallery_run.h"
#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/tensor/narrow.h"
#include "aftune/trace/trainer.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using codec::Json;

const std::string kLayers = "base_model.model.model.layers.";

Terms adapted(Terms terms, trace::AdapterSpec spec) {
  terms.change = [spec](trace::Contract& c) { c.adapter = spec; };
  return terms;
}

trace::AdapterSpec on(std::vector<std::string> targets, double dropout = 0,
                      std::vector<std::string> saved = {}) {
  return {{2, 4, dropout, false, std::move(targets), std::move(saved)}, std::nullopt};
}

/// Of a decoder.
std::vector<std::string> all_linear() { return model::linear_modules({}); }

const World& grid() { return world(adapted(fine(), on({"q_proj", "v_proj"}))); }

Lies once(std::uint64_t step, std::function<void(States&)> change) {
  Lies lies;
  lies.before_step = [step, change](std::uint64_t now, States& states) {
    if (now == step) change(states);
  };
  return lies;
}

Tensor& trained(States& states, std::uint32_t block, const std::string& name) {
  return states[block].parameters.at(kLayers + name);
}

TEST(AdapterRuns, HonestOnesAreAccepted) {
  Terms ragged = tied();
  ragged.layers_per_block = 3;
  ragged.micro_batch = 3;
  ragged.edge_interval = 2;
  Terms sparse = fine();
  sparse.state_interval = 2;
  sparse.steps_per_block = 1;
  sparse.edge_interval = 4;
  Terms secret = untied();
  secret.base_public = secret.weights_disclosed = false;
  trace::AdapterSpec rslora = on({"o_proj"}, 0.5);
  rslora.lora.rslora = true;
  const std::vector<std::string> all = all_linear();
  const std::pair<const char*, Terms> variants[] = {
      {"q and v, one layer a block", adapted(fine(), on({"q_proj", "v_proj"}))},
      {"all linear layers, tied, ragged", adapted(ragged, on(all, 0.125))},
      {"states and edges rebuilt, dropout", adapted(sparse, on(all, 0.25, {"norm"}))},
      {"saved modules",
       adapted(untied(),
               on({"k_proj"}, 0, {"embed_tokens", "input_layernorm", "lm_head", "o_proj"}))},
      {"head and queries", adapted(fine(), on({"lm_head", "q_proj"}, 0.25))},
      {"private base", adapted(secret, on({"up_proj"}))},
      {"plain SGD", adapted(sgd(0), on({"gate_proj"}))},
      {"momentum, rslora, dropout", adapted(sgd(0.9), rslora)},
  };
  for (const auto& [name, terms] : variants) {
    const World& w = world(terms);
    const auto run = w.honest_run();
    EXPECT_TRUE(accepted(w.audit_all(run))) << name;
    EXPECT_TRUE(accepted(w.audit_drawn(run, w.fresh_secret()))) << name;
  }
}

Terms on_base(Dtype dtype, Terms terms) {
  terms.base_dtype = dtype;
  return terms;
}

TEST(NarrowBases, HonestRunsAreAccepted) {
  Terms rounded = adapted(fine(tied()), on(all_linear(), 0.125));
  rounded.change = [change = rounded.change](trace::Contract& c) {
    change(c);
    c.dtypes.boundary = Dtype::kBF16;
  };
  const std::pair<const char*, Terms> variants[] = {
      {"BF16", on_base(Dtype::kBF16, adapted(fine(), on({"q_proj", "v_proj"})))},
      {"F16, saved modules",
       on_base(Dtype::kF16, adapted(untied(), on({"k_proj"}, 0.25, {"lm_head", "o_proj"})))},
      {"F16, adapted head", on_base(Dtype::kF16, adapted(untied(), on({"k_proj", "lm_head"})))},
      {"BF16 with edges in BF16", on_base(Dtype::kBF16, rounded)},
  };
  for (const auto& [name, terms] : variants) {
    const World& w = world(terms);
    EXPECT_TRUE(accepted(w.audit_all(w.honest_run()))) << name;
    EXPECT_TRUE(accepted(w.audit_drawn(w.honest_run(), w.fresh_secret()))) << name;
  }
}

TEST(NarrowBases, OtherBitsOrAnotherTypeInAnOpeningAreRejected) {
  const World& w = world(on_base(Dtype::kBF16, adapted(fine(), on({"q_proj", "v_proj"}))));
  const auto flipped = w.copy_of_honest_run();
  const Path weights = flipped.base() / "model.safetensors";
  flip_bit(weights, must(aftune::file_size(weights)) - 1);
  EXPECT_TRUE(rejected(w.audit_all(flipped), {"base", "base", "the contract has"}));
  // The same values, widened: the training would come out the same, but they are not the file.
  const auto widened = w.copy_of_honest_run();
  std::filesystem::remove(widened.base() / "model.safetensors");
  const World& twin = world(on_base(Dtype::kF32, adapted(fine(), on({"q_proj", "v_proj"}))));
  std::filesystem::copy_file(twin.base() / "model.safetensors",
                             widened.base() / "model.safetensors");
  EXPECT_TRUE(rejected(w.audit_all(widened), {"base", "base", "parameters in F32"}));
}

TEST(NarrowBases, AProviderWhoRoundsABaseThatIsNotNarrowIsRejected) {
  Lies lies;
  lies.start = [](States& states) {
    for (auto& state : states) {
      auto rounded = std::make_shared<TensorMap>();
      for (const auto& [name, tensor] : *state.frozen) {
        rounded->emplace(name, tensor.shape().size() == 2 ? round_to_bf16(tensor) : tensor.clone());
      }
      state.frozen = rounded;
    }
  };
  EXPECT_TRUE(rejected(caught(grid(), lies),
                       {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
}

TEST(AdapterRuns, RecordedOnOneMachineAreAcceptedOnAnother) {
  const World& w = world(adapted(fine(tied()), on(all_linear(), 0.25)));
  const trace::RunFolder run{fresh_path("lora")};
  const auto isas = numerics::available_isas();
  {
    ThreadPool pool(3);
    const auto machine = must(numerics::Engine::create(isas.front(), pool));
    must(trace::train_run({w.envelope(), run, w.provider_key(), w.base(), w.data(), {}, {}, {}},
                          machine));
  }
  for (const numerics::Isa isa : isas) {
    ThreadPool pool(2);
    const auto machine = must(numerics::Engine::create(isa, pool));
    EXPECT_TRUE(accepted(must(audit::audit_run(w.all_blocks(run), machine))));
  }
}

TEST(AdapterLies, T22FrozenWeightsChangedInTraining) {
  const auto verdict = caught(grid(), once(2, [](States& states) {
                                auto other = std::make_shared<TensorMap>();
                                for (const auto& [name, tensor] : *states[1].frozen) {
                                  other->emplace(name, tensor.clone());
                                }
                                Tensor& weight = other->at("model.layers.1.mlp.up_proj.weight");
                                add_noise(weight);
                                states[1].frozen = other;
                              }));
  EXPECT_TRUE(rejected(verdict, {"activation", "layer block 1, step block 1", "edge 2, step 2"}));
}

TEST(AdapterLies, T22FrozenWeightsChangedInAnOpening) {
  const auto run = grid().copy_of_honest_run();
  const Path weights = run.base() / "model.safetensors";
  flip_bit(weights, must(aftune::file_size(weights)) - 1);
  EXPECT_TRUE(
      rejected_without_replay(grid().audit_blocks(run, {}), {"base", "base", "the contract has"}));
  EXPECT_TRUE(rejected(grid().audit_all(run), {"base", "base", "the contract has"}));
}

TEST(AdapterLies, T22AFrozenWeightAmongTheDelivered) {
  const auto run = grid().copy_of_honest_run();
  auto adapter = must(model::open_adapter_folder(run.delivered(), grid().contract().architecture));
  Tensor extra = Tensor::zeros({16, 16});
  adapter.tensors.emplace("base_model.model.model.layers.0.self_attn.o_proj.weight",
                          std::move(extra));
  std::filesystem::remove_all(run.delivered());
  must(model::write_adapter_folder(run.delivered(), adapter.lora, grid().contract().architecture,
                                   adapter.tensors));
  EXPECT_TRUE(rejected_without_replay(
      grid().audit_blocks(run, {}),
      {"delivery", "delivered folder", "adapter_model.safetensors has 17 tensors"}));
}

TEST(AdapterLies, T28FirstAdapterFromAnotherSeed) {
  Lies lies;
  lies.start = [](States& states) {
    const std::string name = kLayers + "2.self_attn.q_proj.lora_A.weight";
    Tensor& a = states[2].parameters.at(name);
    a = model::first_adapter({name, Dtype::kF32, a.shape()}, {1, 2});
  };
  EXPECT_TRUE(rejected_without_replay(
      grid().audit_blocks(tell(grid(), lies), {}),
      {"base", "layer block 2, first state", "q_proj.lora_A.weight does not start as agreed"}));
}

TEST(AdapterLies, T28FirstBNotZero) {
  Lies lies;
  lies.start = [](States& states) {
    trained(states, 0, "0.self_attn.v_proj.lora_B.weight").f32()[3] = 0x1p-30F;
  };
  EXPECT_TRUE(rejected_without_replay(
      grid().audit_blocks(tell(grid(), lies), {}),
      {"base", "layer block 0, first state", "v_proj.lora_B.weight does not start as agreed"}));
}

TEST(AdapterLies, T28FirstMomentOfAnAdapterNotZero) {
  Lies lies;
  lies.start = [](States& states) {
    states[1].second.at(kLayers + "1.self_attn.q_proj.lora_A.weight").f32()[0] = 1e10F;
  };
  EXPECT_TRUE(rejected_without_replay(
      grid().audit_blocks(tell(grid(), lies), {}),
      {"base", "layer block 1, first state", "q_proj.lora_A.weight does not start at zero"}));
}

TEST(AdapterLies, T28SavedModuleThatIsNotTheBases) {
  const World& w = world(adapted(fine(), on({"q_proj"}, 0, {"norm"})));
  Lies lies;
  lies.start = [](States& states) {
    states[3].parameters.at("base_model.model.model.norm.weight").f32()[0] += 0x1p-10F;
  };
  EXPECT_TRUE(rejected_without_replay(
      w.audit_blocks(tell(w, lies), {}),
      {"base", "layer block 3, first state", "norm.weight does not start as agreed"}));
}

TEST(AdapterLies, ScalingOtherThanAgreed) {
  for (const bool by_alpha : {true, false}) {
    Lies lies;
    lies.model = [by_alpha](model::Llama& llama) {
      if (by_alpha) {
        llama.lora->alpha *= 1.5;
      } else {
        llama.lora->rslora = true;
      }
    };
    // B is zero before the first update: what is seen first is its gradient.
    EXPECT_TRUE(rejected(caught(grid(), lies),
                         {"norm", "layer block 0, step block 0", "lora_B.weight, step 0"}));
  }
}

TEST(AdapterLies, DropoutOtherThanAgreed) {
  const World& w = world(adapted(fine(), on({"q_proj", "v_proj"}, 0.25)));
  for (const int part : {0, 1, 2}) {
    Lies lies;
    if (part == 0) lies.model = [](model::Llama& llama) { llama.lora->dropout = 0; };
    if (part == 1) lies.model = [](model::Llama& llama) { llama.dropout_key[1] ^= 1; };
    if (part == 2) {
      lies.batches = [](std::uint64_t, std::vector<model::MicroBatch>& batches) {
        for (auto& batch : batches) batch.step += 1;
      };
    }
    EXPECT_TRUE(
        rejected(caught(w, lies), {"norm", "layer block 0, step block 0", "lora_B.weight, step 0"}))
        << part;
  }
}

TEST(AdapterLies, AdaptersOfTwoLayersExchanged) {
  const auto verdict =
      caught(grid(), once(3, [](States& states) {
               for (const char* part : {"lora_A.weight", "lora_B.weight"}) {
                 const std::string name = std::string("self_attn.q_proj.") + part;
                 std::swap(trained(states, 1, "1." + name), trained(states, 2, "2." + name));
               }
             }));
  EXPECT_TRUE(rejected(verdict, {"activation", "layer block 1, step block 1", "edge 2, step 3"}));
}

TEST(AdapterLies, AdaptersOfTwoLayersExchangedInTheDeliveredFolder) {
  Lies lies;
  lies.delivered = [](TensorMap& parameters) {
    std::swap(parameters.at(kLayers + "0.self_attn.v_proj.lora_B.weight"),
              parameters.at(kLayers + "3.self_attn.v_proj.lora_B.weight"));
  };
  EXPECT_TRUE(rejected_without_replay(
      grid().audit_blocks(tell(grid(), lies), {}),
      {"delivery", "delivered folder", "v_proj.lora_B.weight is not the last state's"}));
}

TEST(AdapterLies, DeliveredConfigurationOtherThanAgreed) {
  const auto run = grid().copy_of_honest_run();
  model::LoraSpec other = grid().contract().adapter->lora;
  other.alpha = 400;
  replace(run.delivered() / "adapter_config.json",
          model::adapter_config(other, grid().contract().architecture));
  EXPECT_TRUE(rejected_without_replay(grid().audit_blocks(run, {}),
                                      {"delivery", "delivered folder", "adapter_config.json"}));
  // And bound by the close.
  FinishedRun bound(grid(), run);
  bound.edit_list(bound.timeline().position_of_close(),
                  [&](Json::Object& list) { (*(*list["files"].array())[0].object())["size"] = 1; });
  bound.sign();
  EXPECT_TRUE(rejected_without_replay(grid().audit_blocks(run, {}),
                                      {"delivery", "close", "adapter_config.json"}));
}

TEST(AdapterLies, OfTheHeadAreFound) {
  const World& w = world(adapted(fine(), on({"lm_head", "q_proj"})));
  const std::string b = "base_model.model.lm_head.lora_B.weight";
  Lies held;
  held.after_step = [&](std::uint64_t step, States& states) {
    if (step == 1) states[3].parameters.at(b).clear();
  };
  EXPECT_TRUE(rejected(caught(w, held), {"state", "layer block 3, step block 0", b}));
  // Trained with another head than the base's: the loss tells.
  const auto verdict = caught(w, once(2, [](States& states) {
                                auto other = std::make_shared<TensorMap>();
                                for (const auto& [name, tensor] : *states[3].frozen) {
                                  other->emplace(name, tensor.clone());
                                }
                                add_noise(other->at("lm_head.weight"));
                                states[3].frozen = other;
                              }));
  EXPECT_TRUE(rejected(verdict, {"loss", "layer block 3, step block 1", "step 2"}));
  Lies delivered;
  delivered.delivered = [&](TensorMap& parameters) { parameters.at(b).clear(); };
  EXPECT_TRUE(rejected_without_replay(
      w.audit_blocks(tell(w, delivered), {}),
      {"delivery", "delivered folder", "lm_head.lora_B.weight is not the last state's"}));
}

TEST(AdapterLies, OptimizerStateOfAnAdapterAltered) {
  for (const bool is_first : {true, false}) {
    Lies lies;
    lies.after_step = [is_first](std::uint64_t step, States& states) {
      if (step != 1) return;
      TensorMap& moments = is_first ? states[2].first : states[2].second;
      moments.at(kLayers + "2.self_attn.v_proj.lora_B.weight").clear();
    };
    EXPECT_TRUE(rejected(caught(grid(), lies), {"state", "layer block 2, step block 0",
                                                "v_proj.lora_B.weight of state of layer block 2"}));
  }
}

TEST(AdapterLies, AnAdapterEditedBetweenStepBlocks) {
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) trained(states, 1, "1.self_attn.q_proj.lora_B.weight").f32()[0] += 0x1p-12F;
  };
  EXPECT_TRUE(rejected(caught(grid(), lies),
                       {"state", "layer block 1, step block 0", "q_proj.lora_B.weight"}));
}

TEST(AdapterLies, OfTheGalleryAreCaught) {
  const Path work = fresh_path("gallery");
  std::filesystem::create_directory(work);
  const std::vector<std::string> only = {
      "frozen weights changed",           "adapters scaled otherwise than agreed",
      "adapters of two layers exchanged", "an adapter replaced inside a step block",
      "first adapter not the agreed one", "another model swapped in"};
  const attack::GalleryRequest request{grid().contract(),
                                       grid().honest_run(),
                                       {},
                                       work,
                                       attack::Begin::kFirstStep,
                                       only,
                                       1'800'000'000,
                                       {}};
  const auto report = must(attack::run_gallery(request, engine()));
  EXPECT_EQ(report.lies.size(), only.size());
  for (const attack::LieOutcome& lie : report.lies) {
    EXPECT_EQ(lie.why_not, "") << lie.lie;
    EXPECT_TRUE(lie.caught()) << lie.lie << ": " << lie.cause;
  }
}

TEST(AdapterLies, FullTrainingShownForAdapters) {
  // The provider claims a share of the norm for a tensor that is frozen.
  FinishedRun run(grid(), grid().copy_of_honest_run());
  run.edit_list(run.timeline().position_of_step(0), [](Json::Object& list) {
    (*list["squares"].object())["model.layers.0.mlp.up_proj.weight"] = "0x1p+0";
  });
  run.sign();
  EXPECT_TRUE(rejected_without_replay(grid().audit_blocks(run.folder(), {}),
                                      {"list", "step 0", "model.layers.0.mlp.up_proj.weight"}));
}

}  // namespace
}  // namespace aftune::liar
