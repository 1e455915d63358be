#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/receipt_test.sh AFTUNE
#
# One chain: contract, run, verdict, closing entry, model folder, answer, receipt, offline check,
# audit; then each of the papers is changed once.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
tiny=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/tiny" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source "${BASH_SOURCE[0]%/*}/expect.sh"

cd "$work"
"$tiny/run.sh" t >/dev/null 2>&1
expect 0 ACCEPT "$AFTUNE" audit t/contract.json --run t/run --secret t/client.secret \
  --delivered t/model -o verdict.json --key t/keys/client.key
"$AFTUNE" keygen -o keys --name server 2>/dev/null >/dev/null

# An answer, by the delivered model, from the run that the contract closed.
make=("$AFTUNE" receipt make t/model --serving serving --key keys/server.key --layers-per-block 1)
expect 0 "" "${make[@]}" --contract t/contract.json --run t/run --prompt 'Count down from 3.' \
  --max-tokens 12 --temperature 0.8 --top-p 0.9 --audit-secret my.secret -o a
check=("$AFTUNE" receipt verify a/receipt.json --proof a/receipt.tlog-proof --answer a/answer.json
  --server keys/server.pub)
expect 0 HOLDS "${check[@]}"
expect 0 "NOT COMPARED: no --model-root" "${check[@]}"
expect 0 "compared with the contract's close" "${check[@]}" --contract t/contract.json \
  --request a/request.json
audit=("$AFTUNE" audit --receipt a/receipt.json --proof a/receipt.tlog-proof --answer a/answer.json
  --server keys/server.pub --model t/model --openings serving)
expect 0 "training   not audited" "${audit[@]}" --all
expect 0 "chosen by: secret" "${audit[@]}" --secret my.secret --count 2
expect 0 "training   ACCEPT by verdict" "${audit[@]}" t/contract.json --all \
  --training-verdict verdict.json -o receipt-verdict.json --key t/keys/client.key
grep -q payload receipt-verdict.json || fail "no verdict file"
expect 3 "no layer block was replayed" "${audit[@]}"
expect 3 "by hand" "${audit[@]}" --layer-block 1
expect 0 ACCEPT env AFTUNE_ISA=scalar AFTUNE_THREADS=1 "${audit[@]}" --all

# The next answer of the same log.
expect 0 "" "${make[@]}" --contract t/contract.json --run t/run --prompt 'Hello' --max-tokens 4 -o b
expect 0 "entry 2" "$AFTUNE" receipt verify b/receipt.json --proof b/receipt.tlog-proof \
  --answer b/answer.json --server keys/server.pub
expect 2 "--run" "${make[@]}" --contract t/contract.json --prompt 'Hello' -o c
expect 2 "states something else" "${make[@]}" --prompt 'Hello' -o c

# Lies and slips.
with() { # OPTION FILE: the check with another file
  local words=("${check[@]}") i
  for i in "${!words[@]}"; do
    [[ ${words[i]} == "$1" ]] && words[i + 1]=$2
  done
  printf '%s\n' "${words[@]}"
}
changed() {
  local words
  mapfile -t words < <(with "$1" "$2")
  expect "$3" "$4" "${words[@]}"
}
sed 's/"output":\[[0-9]*/"output":[1/' a/answer.json >lie.json
changed --answer lie.json 1 "[output]"
changed --answer b/answer.json 1 "[prompt]"
changed --proof b/receipt.tlog-proof 1 "[log]"
changed --server t/keys/client.pub 1 "[log]"
sed 's/"max_tokens":12/"max_tokens":13/' a/request.json >lie.json
expect 1 "[request]" "${check[@]}" --request lie.json
expect 1 "[statement]" "${check[@]}" --model-root "$(printf '0%.0s' {1..64})"
echo '{}' >lie.json
changed --answer lie.json 2 "lie.json"
changed --proof nowhere 2 "nowhere"
expect 2 "--proof is required" "$AFTUNE" receipt verify a/receipt.json
expect 2 "goes with none of --run" "${audit[@]}" --run t/run --all
expect 2 "contract is required" "$AFTUNE" audit --run t/run
expect 2 "--model is required" "$AFTUNE" audit --receipt a/receipt.json
# The key of the verdict is looked at first: a slip must not cost an audit.
expect 2 "nokey.key" "$AFTUNE" audit --receipt nowhere.json -o v.json --key nokey.key
expect 2 "not the secret" "${audit[@]}" --secret t/client.secret
expect 1 "[model-root]" "$AFTUNE" audit --receipt a/receipt.json --proof a/receipt.tlog-proof \
  --answer a/answer.json --server keys/server.pub --model t/base --openings serving --all
echo "ok"
