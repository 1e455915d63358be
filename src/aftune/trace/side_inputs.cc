// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/side_inputs.h"

#include <fmt/format.h>

#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/train/batch_source.h"
#include "aftune/train/image_batches.h"

namespace aftune::trace {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;

Result<text::Dataset> open_data(const Contract& contract, const Path& path) {
  AFTUNE_TRY(const std::uint64_t size, aftune::file_size(path));
  if (size / (text::kMaxRowBytes + 1) > contract.rows) {  // before a byte of it is read
    return Error{Code::kCorrupt,
                 fmt::format("data set {} has {} bytes, {} rows cannot have as many", path.string(),
                             size, contract.rows)};
  }
  AFTUNE_TRY(text::Dataset data, text::Dataset::load(path));
  if (data.row_count() != contract.rows) {
    return Error{Code::kCorrupt, fmt::format("data set {} has {} rows, the contract has {}",
                                             path.string(), data.row_count(), contract.rows)};
  }
  const Digest root = data.root(contract.data_salt);
  if (root != contract.data_root) {
    return Error{Code::kCorrupt, fmt::format("data set {} has root {}, the contract has {}",
                                             path.string(), root.hex(), contract.data_root.hex())};
  }
  return data;
}

/// The delivered config.json is the base's: it must describe the model that was computed.
Status check_architecture(const Contract& contract, const Path& base) {
  AFTUNE_TRY(check_bound_file(*contract.companion("config.json"), base));
  const Path path = base / "config.json";
  AFTUNE_TRY(const std::string text, read_text_file(path, kMaxConfigBytes));
  AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}).in(path.string()));
  AFTUNE_TRY(const model::LlamaConfig config, model::parse_hf_config(json).in(path.string()));
  if (config == contract.architecture) return ok();
  return Error{Code::kCorrupt,
               fmt::format("{} describes another architecture than the contract: "
                           "{} and {}",
                           path.string(), codec::canonical_json(model::to_contract(config)),
                           codec::canonical_json(model::to_contract(contract.architecture)))};
}

/// A token that the model has no row for would end the run at some later step.
Status check_vocabulary(const Contract& contract, const text::Tokenizer& tokenizer,
                        const Path& base) {
  if (tokenizer.vocab_size() <= static_cast<std::int64_t>(contract.architecture.vocab_size)) {
    return ok();
  }
  return Error{Code::kInvalidInput,
               fmt::format("{} has {} tokens, the model has {}", (base / "tokenizer.json").string(),
                           tokenizer.vocab_size(), contract.architecture.vocab_size)};
}

Result<Tensor> open_table(const Contract& contract, const Path& base) {
  AFTUNE_TRY(check_bound_file(*contract.companion("aftune.safetensors"), base));
  const Path path = base / "aftune.safetensors";
  AFTUNE_TRY(const SafetensorsFile file, SafetensorsFile::open(path));
  const TensorSpec spec = model::table_spec(contract.architecture);
  const TensorView* table = file.find(spec.name);
  if (table == nullptr || table->dtype != spec.dtype || table->shape != spec.shape) {
    return Error{Code::kInvalidInput, fmt::format("{} has no F32 tensor {} of shape {}",
                                                  path.string(), spec.name, to_string(spec.shape))};
  }
  return Tensor::copy_of(*table);
}

/// The first row of each packed sample; empty without packing.
Result<std::vector<std::uint64_t>> packed(const Contract& contract, const text::Dataset& data,
                                          const text::Tokenizer& tokenizer) {
  if (!contract.text.packing) return std::vector<std::uint64_t>();
  AFTUNE_TRY(auto first_rows, text::pack(contract.text, tokenizer, data).in("data set"));
  if (!contract.order.drop_last || contract.batch.batch <= first_rows.size()) return first_rows;
  return Error{Code::kInvalidInput,
               fmt::format("contract.batch.samples is {}, the rows pack into {} samples and "
                           "order.drop_last would drop them all",
                           contract.batch.batch, first_rows.size())};
}

model::Llama model_of(const Contract& contract, Tensor table) {
  return {contract.architecture, std::move(table), contract.lora(), contract.dropout_key()};
}

}  // namespace

Status check_bound_file(const BoundFile& bound, const Path& folder) {
  const Path path = folder / bound.path;
  AFTUNE_TRY(const std::uint64_t size, aftune::file_size(path));
  if (size != bound.size) {  // first: nobody waits for the digest of a terabyte of nothing
    return Error{Code::kCorrupt,
                 fmt::format("{} has {} bytes, bound are {}", path.string(), size, bound.size)};
  }
  AFTUNE_TRY(const Digest digest, crypto::sha256_file(path));
  if (digest != bound.sha256) {
    return Error{Code::kCorrupt, fmt::format("{} has SHA-256 {}, bound is {}", path.string(),
                                             digest.hex(), bound.sha256.hex())};
  }
  return ok();
}

Result<SideInputs> SideInputs::open_images(const Contract& contract, text::Dataset rows,
                                           const Path& base) {
  AFTUNE_TRY(Tensor table, open_table(contract, base));
  const Digest table_digest = crypto::blake3(table.bytes());
  auto parts = std::make_unique<Parts>(Parts{
      std::move(rows), std::nullopt, model_of(contract, std::move(table)), table_digest, nullptr});
  parts->batches = std::make_unique<train::ImageBatches>(
      contract.batch, contract.order, contract.seed(), contract.architecture, parts->data);
  return SideInputs(std::move(parts));
}

Result<SideInputs> SideInputs::open(const Contract& contract, const Path& data, const Path& base) {
  AFTUNE_TRY(text::Dataset rows, open_data(contract, data));
  AFTUNE_TRY(check_architecture(contract, base));
  if (contract.architecture.vision) return open_images(contract, std::move(rows), base);
  AFTUNE_TRY(check_bound_file(*contract.companion("tokenizer.json"), base));
  AFTUNE_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(base / "tokenizer.json"));
  AFTUNE_TRY(check_vocabulary(contract, tokenizer, base));
  AFTUNE_TRY(Tensor table, open_table(contract, base));
  const Digest table_digest = crypto::blake3(table.bytes());
  AFTUNE_TRY(std::vector<std::uint64_t> first_rows, packed(contract, rows, tokenizer));
  auto parts =
      std::make_unique<Parts>(Parts{std::move(rows), std::move(tokenizer),
                                    model_of(contract, std::move(table)), table_digest, nullptr});
  parts->batches = std::make_unique<train::BatchSource>(
      contract.batch, contract.text, contract.order, contract.seed(), parts->data,
      *parts->tokenizer, std::move(first_rows));
  return SideInputs(std::move(parts));
}

}  // namespace aftune::trace
