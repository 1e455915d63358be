// SPDX-License-Identifier: Apache-2.0
// The index of weights in several files, beside two files that have the tensors a, b and c.
#include "aftune/model/weight_files.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

/// A safetensors file with these tensors of one byte each.
Path put_shard(const std::string& name, const std::vector<std::string>& tensors) {
  static const std::string bytes = "12";
  std::vector<NamedTensor> named;
  for (const std::string& tensor : tensors) {
    named.push_back({tensor, {Dtype::kU8, {1}, as_bytes(bytes).first(1)}});
  }
  const std::string file = safetensors_header(named) + bytes.substr(0, tensors.size());
  return put_scratch(name, as_bytes(file));
}

}  // namespace

bool decode_one(Bytes input) {
  static const Path first = put_shard("one.safetensors", {"a", "b"});
  static const Path second = put_shard("two.safetensors", {"c"});
  const Path index = put_scratch("model.safetensors.index.json", input);
  const auto files = model::WeightFiles::open(index.parent_path());
  if (!files) return false;
  const bool has_first = files->find("a") != nullptr, has_second = files->find("c") != nullptr;
  AFTUNE_CHECK(has_first == (files->find("b") != nullptr), "half of a file's tensors");
  AFTUNE_CHECK(files->tensors().size() == (has_first ? 2U : 0U) + (has_second ? 1U : 0U) &&
                   !files->tensors().empty(),
               "tensors that no file has");
  return true;
}

}  // namespace aftune::fuzz
