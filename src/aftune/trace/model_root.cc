// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/model_root.h"

#include <vector>

#include "aftune/codec/json.h"
#include "aftune/crypto/merkle_root.h"

namespace aftune::trace {

Digest model_root(const std::map<std::string, RootedTensor, std::less<>>& tensors,
                  const std::optional<Digest>& salt) {
  using codec::Json;
  std::vector<Digest> leaves;
  for (const auto& [name, tensor] : tensors) {
    Json::Array shape;
    for (std::uint64_t extent : tensor.shape) shape.emplace_back(extent);
    const std::string leaf =
        codec::canonical_json(Json::Object{{"digest", Json(tensor.digest.hex())},
                                           {"dtype", Json(dtype_name(tensor.dtype))},
                                           {"name", Json(name)},
                                           {"salt", Json(salt ? salt->hex() : std::string())},
                                           {"shape", Json(std::move(shape))}});
    leaves.push_back(crypto::rfc6962_leaf_hash(as_bytes(leaf)));
  }
  return crypto::rfc6962_root(leaves);
}

}  // namespace aftune::trace
