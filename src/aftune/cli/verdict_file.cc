// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/verdict_file.h"

#include "aftune/audit/verdict.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/out_file.h"
#include "aftune/codec/dsse.h"

namespace aftune::cli {

Result<std::optional<codec::KeyFile>> prepare_verdict(const std::string& out,
                                                      const std::string& key) {
  if (!out.empty()) AFTUNE_TRY(check_out_file(out));
  if (key.empty()) return std::optional<codec::KeyFile>();
  AFTUNE_TRY(codec::KeyFile file, codec::read_key_file(key));
  return std::optional(std::move(file));
}

Status write_verdict(const std::string& out, const std::optional<codec::KeyFile>& key,
                     const codec::Json& statement) {
  if (out.empty()) return ok();
  codec::Dsse envelope{std::string(audit::kVerdictType), codec::canonical_json(statement), {}};
  if (key) {
    envelope.sign(key->key, key->name);
  } else {
    log_line("the verdict is not signed: no --key was given");
  }
  return write_new_file(out, as_bytes(codec::encode_dsse(envelope)));
}

}  // namespace aftune::cli
