# SPDX-License-Identifier: Apache-2.0
# For the scripts beside it, which source it and have a folder $work.

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# Expects an exit code and a text in what the command says, which is left in $work/out.
expect() {
  local code=$1 text=$2 status=0
  shift 2
  "$@" >"$work/out" 2>&1 || status=$?
  [[ $status == "$code" ]] || fail "exit code of $*: is $status, expected $code: $(cat "$work/out")"
  grep -qF -- "$text" "$work/out" || fail "no \"$text\" from $*: $(cat "$work/out")"
}
