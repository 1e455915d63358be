// SPDX-License-Identifier: Apache-2.0
// A request on its way through the model, and what it came to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/receipt/receipt.h"
#include "aftune/tensor/tensor.h"

namespace aftune::serve {

/// A request whose prompt and seed are settled.
struct Task {
  std::string id;
  receipt::Request request;
  receipt::Input input;
  Digest salt;  // of the prompt
  receipt::Seed seed;
  receipt::Tokens prompt;
};

/// An edge that the grid stores.
struct StoredEdge {
  Digest digest;
  ByteBuffer bytes;
};

/// A whole answer with what its receipt commits to.
struct Generated {
  Task task;
  receipt::Tokens output;
  std::string text;
  receipt::Finish finish = receipt::Finish::kLength;
  std::vector<Digest> edges;
  Digest logits;
  std::vector<StoredEdge> stored;
};

}  // namespace aftune::serve
