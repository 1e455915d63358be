// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "aftune/audit/whole_run.h"
#include "aftune/crypto/blake3.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::audit {
namespace {

constexpr const char* kPlace = "delivered folder";

/// `own`: the folder is the client's copy, where its own system may leave hidden files.
void check_no_other_file(const Path& folder, const std::vector<trace::BoundFile>& files, bool own,
                         Judge& judge) {
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool bound = std::any_of(files.begin(), files.end(),
                                   [&](const trace::BoundFile& file) { return file.path == name; });
    if (!bound && own && name.starts_with('.')) {
      judge.leave_open(
          fmt::format("{}: {} is not part of the model: remove it if it is yours", kPlace, name));
    } else if (!bound) {
      judge.reject(Check::kDelivery, kPlace, fmt::format("{} was not agreed on", name));
    }
  }
  if (error) judge.leave_open(fmt::format("list {}: {}", folder.string(), error.message()));
}

/// The weights against the last states: names the tensor where the file's digest only says "no".
void check_weights(const Path& file, const RunFacts& facts, Judge& judge) {
  const auto weights = SafetensorsFile::open(file);
  if (!weights) {
    // An absent file is told of with the others.
    if (weights.error().code != Code::kNotFound) {
      judge.weigh(Check::kDelivery, kPlace, weights.error());
    }
    return;
  }
  for (const auto& [name, last] : facts.last_parameters) {
    const TensorView* tensor = weights->find(name);
    if (tensor == nullptr || tensor->dtype != last.dtype || tensor->shape != last.shape) {
      judge.reject(Check::kDelivery, kPlace,
                   fmt::format("{} is missing or has another dtype or shape than {} {}", name,
                               dtype_name(last.dtype), to_string(last.shape)));
      continue;
    }
    const Digest found = crypto::blake3(tensor->bytes);
    if (found == last.digest) continue;
    judge.reject(Check::kDelivery, kPlace,
                 fmt::format("{} is not the last state's: digest {}, committed {}", name,
                             found.hex(), last.digest.hex()),
                 last.digest.hex(), found.hex());
  }
  if (facts.last_complete && weights->tensors().size() != facts.last_parameters.size()) {
    judge.reject(Check::kDelivery, kPlace,
                 fmt::format("{} has {} tensors, the model has {}", file.filename().string(),
                             weights->tensors().size(), facts.last_parameters.size()));
  }
}

}  // namespace

void check_delivery(const DeliveredFolder& delivered, const RunFacts& facts, Judge& judge) {
  const std::vector<trace::BoundFile>& files = facts.close->files;
  const Path& folder = delivered.folder;
  std::error_code error;
  const bool handed_over = std::filesystem::equivalent(folder, delivered.handed_over, error);
  check_no_other_file(folder, files, !handed_over, judge);
  check_weights(folder / delivered.weights, facts, judge);
  for (const trace::BoundFile& file : files) {
    const Status held = trace::check_bound_file(file, folder);
    if (held) continue;
    if (held.error().code == Code::kNotFound && !handed_over) {
      judge.leave_open(fmt::format("{}: {} is not there: is the copy complete?", kPlace,
                                   (folder / file.path).string()));
    } else {
      judge.weigh(Check::kDelivery, kPlace, held.error());
    }
  }
}

}  // namespace aftune::audit
