// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "aftune/base/endian.h"
#include "aftune/base/hex.h"
#include "aftune/base/random.h"
#include "aftune/serve/server.h"

namespace aftune::serve {

Result<Task> task_of(Ask ask, const receipt::Statement& statement, const text::Tokenizer& tokenizer,
                     const crypto::SecretBytes& secret) {
  AFTUNE_TRY(receipt::check_input(ask.input));
  AFTUNE_TRY(receipt::check_sampling(ask.sampling));
  AFTUNE_TRY(receipt::check_stop_strings(ask.stop));
  if (ask.max_tokens < 1 || ask.max_tokens > receipt::kMaxOutput) {
    return Error{Code::kInvalidInput, fmt::format("max_tokens is {}, it must be from 1 to {}",
                                                  ask.max_tokens, receipt::kMaxOutput)};
  }
  if (ask.id.empty()) ask.id = to_hex(random_bytes(16));
  if (!receipt::is_request_id(ask.id)) {
    return Error{Code::kInvalidInput, "the id has no 1 to 128 letters, digits, '-', '_' and '.'"};
  }
  Task out;
  AFTUNE_TRY(out.prompt, receipt::prompt_of(ask.input, tokenizer, statement));
  out.id = std::move(ask.id);
  out.salt = ask.nonce ? receipt::prompt_salt(*ask.nonce) : *to_digest(random_bytes(32));
  receipt::Request& request = out.request;
  request.input = receipt::input_digest(out.salt, ask.input);
  request.max_tokens = ask.max_tokens;
  request.sampling = ask.sampling;
  request.stop = std::move(ask.stop);
  request.seed = ask.seed;
  request.nonce = ask.nonce;
  request.audit_sha256 = ask.audit_sha256;
  out.input = std::move(ask.input);
  out.seed.kind = receipt::seed_kind(request);
  switch (out.seed.kind) {
    case receipt::SeedKind::kClient:
      out.seed.value = *request.seed;
      break;
    case receipt::SeedKind::kServer:
      out.seed.value = receipt::server_seed(secret.reveal(), request);
      break;
    case receipt::SeedKind::kUnbound:
      out.seed.value = load_le<std::uint64_t>(random_bytes(8).data());
      break;
  }
  return out;
}

}  // namespace aftune::serve
