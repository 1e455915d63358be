// SPDX-License-Identifier: Apache-2.0
// A small random model on disk for tests.
#pragma once

#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/temp_folder_testing.h"

namespace aftune::model::testing {

inline LlamaConfig tiny_folder_config(bool tied) {
  return {.vocab_size = 7,
          .hidden_size = 8,
          .intermediate_size = 12,
          .layer_count = 2,
          .head_count = 2,
          .kv_head_count = 1,
          .head_dim = 4,
          .max_positions = 64,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = tied};
}

/// root/NAME holds a random model; its tokenizer.json is no tokenizer.
inline Path tiny_folder(const TempFolder& root, const char* name, bool tied,
                        std::uint64_t seed = 1) {
  put(root / "tokenizer-source", "{\"tokenizer\": 1}");
  const Status made =
      make_random_model(tiny_folder_config(tied), seed, root / "tokenizer-source", root / name);
  AFTUNE_CHECK(made.has_value(), made ? "" : made.error().what);
  return root / name;
}

}  // namespace aftune::model::testing
