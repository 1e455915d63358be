// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/exit_code.h"

#include <fmt/format.h>

#include "aftune/base/log_line.h"

namespace aftune::cli {

Exit report(const char* command, const Error& error) {
  log_line(fmt::format("aftune {}: {}", command, printable(error.what)));
  switch (error.code) {
    case Code::kInvalidInput:
    case Code::kNotFound:
    case Code::kUnsupported:
      return Exit::kUsage;
    case Code::kCorrupt:
      return Exit::kRejected;
    case Code::kUnavailable:
    case Code::kNonFinite:
      return Exit::kUnchecked;
  }
  return Exit::kUsage;
}

Exit exit_of(audit::Outcome outcome) {
  switch (outcome) {
    case audit::Outcome::kAccept:
      return Exit::kOk;
    case audit::Outcome::kReject:
      return Exit::kRejected;
    case audit::Outcome::kInconclusive:
      return Exit::kUnchecked;
  }
  return Exit::kUnchecked;
}

}  // namespace aftune::cli
