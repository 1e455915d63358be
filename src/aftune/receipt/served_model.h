// SPDX-License-Identifier: Apache-2.0
// A model folder as a server states it: what both sides and the auditor read from it alike.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/model/model_folder.h"
#include "aftune/receipt/chat_template.h"
#include "aftune/text/tokenizer.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/model_root.h"

namespace aftune::receipt {

struct ServedModel {
  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  std::vector<trace::BoundFile> companions;  // ascending by path
  ChatTemplate chat = ChatTemplate::kNone;
  std::vector<std::int32_t> eos;  // ascending
};

/// Errors: those of open_model_folder and Tokenizer::load; kInvalidInput for a malformed companion.
Result<ServedModel> open_served_model(const Path& folder);

/// What a model root binds, by name.
using RootedTensors = std::map<std::string, trace::RootedTensor, std::less<>>;
/// Weights and tables. Cost: a pass over all of them.
RootedTensors rooted_tensors(const ServedModel& model, ThreadPool& pool);

/// Their model root, at the same cost.
Digest root_of(const ServedModel& model, const std::optional<Digest>& salt, ThreadPool& pool);

}  // namespace aftune::receipt
