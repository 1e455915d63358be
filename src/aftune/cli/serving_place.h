// SPDX-License-Identifier: Apache-2.0
// What a served model answers with, opened by the flags that name it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "aftune/cli/machine.h"
#include "aftune/codec/key_file.h"
#include "aftune/model/decoder.h"
#include "aftune/receipt/served_model.h"
#include "aftune/serve/serving_log.h"

namespace CLI {
class App;
}

namespace aftune::cli {

struct ServingArgs {
  std::string folder, serving, key;
  std::string contract, run;  // empty: no training is stated
  std::uint64_t layers_per_block = 3, edge_interval = 1;
  MachineArgs machine;
};
void add_serving_options(CLI::App& command, ServingArgs& args);

/// Later members borrow earlier ones: it stays where it is.
struct ServingPlace {
  Machine machine;
  codec::KeyFile key;
  receipt::ServedModel model;
  std::optional<serve::ServingLog> log;   // always there once it is open
  std::optional<model::Decoder> decoder;  // likewise
};
/// Errors: those of its parts; kInvalidInput if the model is not the one that the run closed with.
/// Cost: a pass over all weights.
Result<std::unique_ptr<ServingPlace>> open_serving_place(const ServingArgs& args);

}  // namespace aftune::cli
