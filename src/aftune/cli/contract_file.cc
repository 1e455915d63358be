// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/contract_file.h"

namespace aftune::cli {

Result<trace::SignedContract> load_signed_contract(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, 2 * trace::kMaxContractBytes));
  return trace::open_signed_contract(text).in(file.string());
}

}  // namespace aftune::cli
