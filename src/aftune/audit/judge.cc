// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/judge.h"

#include <fmt/format.h>

#include "aftune/base/log_line.h"

namespace aftune::audit {
namespace {

Check check_of(trace::MismatchKind kind) {
  switch (kind) {
    case trace::MismatchKind::kActivation:
      return Check::kActivation;
    case trace::MismatchKind::kGradient:
      return Check::kGradient;
    case trace::MismatchKind::kLoss:
      return Check::kLoss;
    case trace::MismatchKind::kSquares:
      return Check::kNorm;
    case trace::MismatchKind::kState:
      return Check::kState;
    case trace::MismatchKind::kNonFinite:
      return Check::kState;
  }
  return Check::kState;
}

std::string_view hint_of(trace::MismatchKind kind) {
  switch (kind) {
    case trace::MismatchKind::kActivation:
      return "the activation handed on is not what the block computes: altered, or made by other "
             "weights, other tokens or skipped layers";
    case trace::MismatchKind::kGradient:
      return "the gradient handed back is not what the block computes";
    case trace::MismatchKind::kLoss:
      return "the loss is not what the model gives on the agreed labels";
    case trace::MismatchKind::kSquares:
      return "the committed share of the gradient norm is not this gradient's";
    case trace::MismatchKind::kState:
      return "the state is not what the agreed steps make: weights or optimizer state were "
             "replaced, or other hyper-parameters were used";
    case trace::MismatchKind::kNonFinite:
      return "the step cannot have ended: its arithmetic leaves the finite numbers";
  }
  return "";
}

}  // namespace

void Judge::reject(Check check, std::string place, const std::string& message,
                   std::string committed, std::string recomputed) {
  verdict_.findings.push_back(
      {check, std::move(place), printable(message), std::move(committed), std::move(recomputed)});
}

void Judge::leave_open(std::string_view text) { verdict_.unchecked.push_back(printable(text)); }

void Judge::reject(const trace::Mismatch& mismatch) {
  std::string message = mismatch.what;
  if (mismatch.values && verdict_.weights_disclosed) {
    message += fmt::format(
        ": {} of its values differ, first at index {}: committed {:.9g}, "
        "recomputed {:.9g}",
        mismatch.values->count, mismatch.values->index, mismatch.values->committed,
        mismatch.values->recomputed);
  } else {
    message += fmt::format(": committed {}, recomputed {}", mismatch.committed.substr(0, 24),
                           mismatch.recomputed.substr(0, 24));
  }
  message += fmt::format(" ({})", hint_of(mismatch.kind));
  reject(check_of(mismatch.kind),
         fmt::format("layer block {}, step block {}", mismatch.block, mismatch.step_block), message,
         mismatch.committed, mismatch.recomputed);
}

void Judge::weigh(Check check, const std::string& place, const Error& error) {
  switch (error.code) {
    case Code::kUnavailable:
      leave_open(fmt::format("{}: {}", place, error.what));
      return;
    case Code::kNotFound:
      if (absence_is_open_) {
        leave_open(fmt::format("{}: {}", place, error.what));
        return;
      }
      reject(Check::kMissing, place, error.what);
      return;
    case Code::kInvalidInput:
    case Code::kCorrupt:
    case Code::kUnsupported:
    case Code::kNonFinite:
      reject(check, place, error.what);
      return;
  }
}

}  // namespace aftune::audit
