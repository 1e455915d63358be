// SPDX-License-Identifier: Apache-2.0
// T27: the delivered model is not what the run made.
#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "aftune/crypto/sha256.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using codec::Json;

const World& grid() { return world(fine()); }

/// Another text for a file of the delivered folder; `bound` also changes the close's list.
audit::Verdict delivered_with(const std::string& name, const std::string& text, bool bound) {
  FinishedRun run(grid(), grid().copy_of_honest_run());
  replace(run.folder().delivered() / name, text);
  if (bound) {
    run.edit_list(run.timeline().position_of_close(), [&](Json::Object& list) {
      for (Json& file : *list["files"].array()) {
        if (*file.find("path")->string() != name) continue;
        (*file.object())["sha256"] = crypto::sha256(as_bytes(text)).hex();
        (*file.object())["size"] = text.size();
      }
    });
    run.sign();
  }
  return grid().audit_blocks(run.folder(), {});
}

std::string changed(const std::string& name, std::string_view from, std::string_view to) {
  std::string text = must(read_text_file(grid().base() / name, 1U << 24));
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << name << " has no " << from;
  return text.replace(at, from.size(), to);
}

TEST(DeliveryLies, WeightsOtherThanTheLastState) {
  Lies lies;
  lies.delivered = [](TensorMap& parameters) {
    parameters.at("model.layers.1.mlp.up_proj.weight").f32()[0] += 0x1p-20F;
  };
  const World& w = grid();
  EXPECT_TRUE(
      rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                              {"delivery", "delivered folder",
                               "model.layers.1.mlp.up_proj.weight is not the last state's"}));
}

TEST(DeliveryLies, CompanionsOtherThanAgreed) {
  const std::pair<const char*, std::string> cases[] = {
      {"tokenizer.json", changed("tokenizer.json", "<|im_start|>", "<|im_stare|>")},
      {"tokenizer_config.json", R"({"chat_template":"evil"})"},
      {"generation_config.json", R"({"do_sample":true})"},
      {"config.json", changed("config.json", "10000", "10001")},
      {"config.json", changed("config.json", "1e-05", "1e-06")},
  };
  for (const auto& [name, text] : cases) {
    const std::string file(name);
    EXPECT_TRUE(rejected_without_replay(delivered_with(file, text, false),
                                        {"delivery", "delivered folder", file}));
    EXPECT_TRUE(
        rejected_without_replay(delivered_with(file, text, true), {"delivery", "close", file}));
  }
}

TEST(DeliveryLies, AFileThatNobodyAgreedOn) {
  const auto run = grid().copy_of_honest_run();
  replace(run.delivered() / "modeling_llama.py", "import os");
  EXPECT_TRUE(rejected(grid().audit_all(run),
                       {"delivery", "delivered folder", "modeling_llama.py was not agreed on"}));
}

TEST(DeliveryLies, AFolderThatNobodyAgreedOn) {
  const auto run = grid().copy_of_honest_run();
  std::filesystem::create_directory(run.delivered() / "adapter");
  EXPECT_TRUE(rejected(grid().audit_all(run),
                       {"delivery", "delivered folder", "adapter was not agreed on"}));
}

audit::Verdict closed_with(const std::function<void(Json::Object&)>& edit) {
  FinishedRun run(grid(), grid().copy_of_honest_run());
  run.edit_list(run.timeline().position_of_close(), edit);
  run.sign();
  return grid().audit_blocks(run.folder(), {});
}

TEST(DeliveryLies, ACloseThatBindsAnotherRootOrOtherFiles) {
  EXPECT_TRUE(rejected_without_replay(
      closed_with([](auto& list) { list["model_root"] = std::string(64, '0'); }),
      {"model-root", "close", "the last states give"}));
  EXPECT_TRUE(
      rejected_without_replay(closed_with([](auto& list) { list["files"].array()->pop_back(); }),
                              {"delivery", "close", "bound as \"nothing\""}));
  EXPECT_TRUE(rejected_without_replay(
      closed_with([](auto& list) {
        list["files"].array()->emplace_back(
            Json::Object{{"path", "zz.py"}, {"sha256", std::string(64, '0')}, {"size", 1}});
      }),
      {"delivery", "close", "bound as \"zz.py\""}));
}

TEST(DeliveryLies, ACloseThatBindsTheDigestOfOtherWeights) {
  EXPECT_TRUE(rejected_without_replay(closed_with([](auto& list) {
                                        for (Json& file : *list["files"].array()) {
                                          if (*file.find("path")->string() != "model.safetensors")
                                            continue;
                                          (*file.object())["sha256"] = std::string(64, '0');
                                        }
                                      }),
                                      {"delivery", "delivered folder", "model.safetensors has"}));
}

TEST(DeliveryLies, ACloseCannotNameFilesElsewhere) {
  for (const char* path : {"/dev/zero", "../data.jsonl", "/etc/hostname"}) {
    const auto verdict =
        closed_with([&](auto& list) { (*(*list["files"].array())[0].object())["path"] = path; });
    EXPECT_TRUE(rejected_without_replay(verdict, {"delivery", "close", path}));
    for (const auto& finding : verdict.findings) {
      EXPECT_EQ(finding.message.find("SHA-256"), std::string::npos) << finding.message;
    }
  }
}

TEST(DeliveryLies, WithoutTheFolderTheVerdictSaysSo) {
  const auto run = grid().copy_of_honest_run();
  flip_bit(run.delivered() / "model.safetensors", 5000);
  audit::AuditRequest request = grid().all_blocks(run);
  request.delivered.reset();
  const auto verdict = must(audit::audit_run(request, engine()));
  EXPECT_TRUE(accepted(verdict));
  EXPECT_NE(audit::verdict_text(verdict).find("delivered  NOT CHECKED"), std::string::npos);
}

}  // namespace
}  // namespace aftune::liar
