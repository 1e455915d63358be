// SPDX-License-Identifier: Apache-2.0
// The salted lists that entries commit to: docs/formats/entries.md, "Lists".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/crypto/digest.h"
#include "aftune/trace/contract.h"
#include "aftune/train/step.h"

namespace aftune::trace {

inline constexpr std::uint64_t kMaxListBytes = std::uint64_t{1} << 26;

enum class Role : std::uint8_t { kParameter, kFirst, kSecond };
std::string_view role_name(Role role);  // "parameter", "first", "second"

/// One tensor of a state: what the contract implies about it.
struct StateTensor {
  Role role = Role::kParameter;
  TensorSpec spec;
};

/// The tensors of layer block `block`'s state in list order: parameters, first, second moments,
/// each ascending by name. Follows from the contract alone.
std::vector<StateTensor> state_tensors(const Contract& contract, std::uint32_t block);

/// The recorded edges of one step in list order. Follows from the contract alone.
struct EdgePlace {
  train::EdgeId id;
  Shape shape;  // [rows * sequence, hidden]
  Dtype dtype = Dtype::kF32;
};
std::vector<EdgePlace> edge_places(const Contract& contract, std::uint64_t step);

/// Digests in the order of state_tensors().
struct StateList {
  Digest salt;
  std::vector<Digest> digests;
};

/// What only the computation can tell is free; the rest is implied by contract and data.
struct StepList {
  Digest salt;
  std::vector<std::uint64_t> rows;
  std::uint64_t counted = 0;
  double learning_rate = 0, norm = 0;
  float clip = 1;
  train::GradientSquares squares;
  std::vector<float> losses;
  std::vector<Digest> edges;  // in the order of edge_places()
};

struct CloseList {
  Digest salt;
  Digest model_root;
  std::vector<BoundFile> files;
};

struct AbortList {
  Digest salt;
  std::uint64_t step = 0;
  std::string reason;
};

std::string encode_list(const Contract& contract, std::uint32_t block, std::uint64_t step_block,
                        const StateList& list);
std::string encode_list(const Contract& contract, std::uint64_t step, const StepList& list);
std::string encode_list(const CloseList& list);
std::string encode_list(const AbortList& list);

// Decoders: kInvalidInput unless the text is exactly what encode_list gives for some values of the
// free members; messages name the first member that differs.
Result<StateList> decode_state_list(const Contract& contract, std::uint32_t block,
                                    std::uint64_t step_block, std::string_view text);
Result<StepList> decode_step_list(const Contract& contract, std::uint64_t step,
                                  std::string_view text);
Result<CloseList> decode_close_list(std::string_view text);
Result<AbortList> decode_abort_list(std::string_view text);

/// Salts of a run's lists, from the provider's signing key.
class SaltSource {
 public:
  SaltSource(const crypto::PrivateKey& key, const Digest& run_id);
  [[nodiscard]] Digest list_salt(std::uint64_t position) const;
  /// The salt of model roots of bases that are not public.
  [[nodiscard]] Digest root_salt() const;

 private:
  Digest salt_key_;
  Digest run_id_;
};

}  // namespace aftune::trace
