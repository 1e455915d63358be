// SPDX-License-Identifier: Apache-2.0
// What a contract says of trained and frozen tensors: docs/formats/lora.md.
#include "aftune/base/endian.h"
#include "aftune/crypto/domains.h"
#include "aftune/crypto/sha256.h"
#include "aftune/trace/contract.h"

namespace aftune::trace {
namespace {

model::PhiloxKey key_of(std::string_view domain, const Digest& seed) {
  const Digest digest = crypto::sha256({as_bytes(domain), seed.view()});
  return {load_le<std::uint32_t>(&digest.bytes[0]), load_le<std::uint32_t>(&digest.bytes[4])};
}

}  // namespace

std::optional<model::LoraSpec> Contract::lora() const {
  if (!adapter) return std::nullopt;
  return adapter->lora;
}

std::vector<TensorSpec> Contract::trained() const {
  return model::trained_specs(architecture, lora());
}

std::vector<TensorSpec> Contract::trained(std::uint32_t block) const {
  return model::of_block(trained(), partition(), block);
}

std::vector<TensorSpec> Contract::frozen(std::uint32_t block) const {
  return model::of_block(model::frozen_specs(architecture, lora()), partition(), block);
}

model::PhiloxKey Contract::adapter_key() const { return key_of(crypto::kDomainAdapter, seed()); }

train::TrainSpec Contract::train_spec() const {
  train::TrainSpec out = training;
  out.moment_key = key_of(crypto::kDomainMoments, seed());
  return out;
}

model::PhiloxKey Contract::dropout_key() const { return key_of(crypto::kDomainDropout, seed()); }

}  // namespace aftune::trace
