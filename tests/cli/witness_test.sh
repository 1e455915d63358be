#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/witness_test.sh AFTUNE
#
# The tiny job with a witness, from contract to reproduced verdict: the witness follows the log
# while training runs, the client challenges, the provider answers, the client audits; then each of
# them lies once.
set -euo pipefail
export AFTUNE=${1:?} LC_ALL=C
tiny=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/tiny" && pwd)
work=$(mktemp -d)
watcher=
trap '[[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true; rm -rf "$work"' EXIT

source "${BASH_SOURCE[0]%/*}/expect.sh"

# The contract: the tiny job, with a witness.
cd "$work"
mkdir keys
cp "$tiny/data.jsonl" .
cp "$tiny"/{client,provider}.pub keys/
for private in client.secret keys/client.key keys/provider.key; do
  install -m 0600 "$tiny/$(basename "$private")" "$private"
done
sed 's/weights_disclosed: true}/weights_disclosed: true, witnesses: {keys: [keys\/eye.pub], max_delay_seconds: 600}}/' \
  "$tiny/job.yaml" >job.yaml
"$AFTUNE" keygen -o keys --name eye 2>/dev/null >keys/eye.out
"$AFTUNE" random-model --config "$tiny/config.json" --tokenizer "$tiny/tokenizer.json" --seed 7 \
  -o base 2>/dev/null
expect 0 "filled in  audit.witnesses.quorum: 1" "$AFTUNE" contract draft -c job.yaml -o contract.json
for role in client provider; do
  "$AFTUNE" contract sign contract.json --role $role --key keys/$role.key 2>/dev/null
done

# Training under the eyes of the witness.
look=("$AFTUNE" witness contract.json --run run --key keys/eye.key --state eye)
expect 3 "no checkpoint yet" "${look[@]}" --once
expect 2 "needs --run or --challenge" "$AFTUNE" witness contract.json --key keys/eye.key --state eye
"${look[@]}" --follow --interval 0 --publish shown >eye.out 2>eye.err &
watcher=$!
"$AFTUNE" train contract.json --run run --key keys/provider.key --model base --data data.jsonl \
  --quiet 2>/dev/null
wait "$watcher" || fail "the witness: $(cat eye.err)"
watcher=
[[ $(ls eye/cosigned | grep -vc last) == $(ls run/log/checkpoints | wc -l) ]] || fail "checkpoints"
expect 0 "" "${look[@]}" --once
expect 3 "0 of 1 witnesses attest the log" "$AFTUNE" audit contract.json --run run --all
expect 0 "eye attests" "$AFTUNE" audit contract.json --run run --all --witness shown

# Challenge, answer, audit.
ask=("$AFTUNE" challenge contract.json --run run --secret client.secret --key keys/client.key)
expect 3 "the secret was not shown" "${ask[@]}" -o challenge.json
[[ ! -e challenge.json && ! -e client.secret.checkpoint ]] || fail "shown before it was attested"
expect 2 "is not the key of the contract's client" "$AFTUNE" challenge contract.json --run run \
  --secret client.secret --key keys/provider.key --witness eye -o challenge.json
expect 0 "3 of 16 blocks" "${ask[@]}" --witness eye -o challenge.json
grep -q "^— eye " client.secret.checkpoint || fail "the stored checkpoint is not cosigned"
expect 2 "exists already" "${ask[@]}" --witness eye -o challenge.json
expect 0 "answer the challenge" "$AFTUNE" answer contract.json --run run \
  --challenge challenge.json --key keys/provider.key -o manifest.json
post=("$AFTUNE" witness contract.json --key keys/eye.key --state eye --challenge challenge.json)
expect 2 "this witness has cosigned 0 entries" "$AFTUNE" witness contract.json \
  --key keys/eye.key --state blind --challenge challenge.json
expect 0 "timing.json" "${post[@]}" --publish shown
expect 0 "timing.json" "${post[@]}" --manifest manifest.json --publish shown
cmp challenge.json shown/challenges/*/challenge.json || fail "the challenge is not shown"
audit=("$AFTUNE" audit contract.json --run run --challenge challenge.json --witness eye)
expect 0 "ACCEPT" "${audit[@]}" --manifest manifest.json --delivered run/model
expect 3 "no manifest answers the challenge" "${audit[@]}"
"${ask[@]}" --count 5 --witness eye -o five.json >/dev/null 2>&1
expect 2 "it is of challenge" "$AFTUNE" audit contract.json --run run --witness eye \
  --challenge five.json --manifest manifest.json

# The client loses a list: the manifest says that it was handed over.
cp -a run lost
list=$("$AFTUNE" log show --run run 2>/dev/null | sed -n '6s/.*"list":"\([0-9a-f]*\)".*/\1/p')
rm "lost/store/${list:0:2}/$list".*
expect 3 "INCONCLUSIVE" "$AFTUNE" audit contract.json --run lost --challenge challenge.json \
  --witness eye --manifest manifest.json

# The provider forges a hand-over; a second verifier finds the REJECT again.
forge=$(dirname "$AFTUNE")/aftune_forge
"$forge" --run run --key keys/provider.key --step 7 --edge 3 -o lie >/dev/null 2>&1
expect 1 "split view" "$AFTUNE" audit contract.json --run lie --witness eye
expect 1 "activation at edge 3, step 7" "$AFTUNE" audit contract.json --run lie --block 2,2 \
  -o reject.json --key keys/client.key
expect 2 "is not the key of the contract's verifier" "$AFTUNE" audit contract.json --run lie \
  --block 2,2 -o other.json --key keys/provider.key
expect 0 "REPRODUCED: all" "$AFTUNE" audit contract.json --run lie --reproduce reject.json
expect 1 "NOT REPRODUCED" "$AFTUNE" audit contract.json --run run --reproduce reject.json
expect 1 "ANOTHER LOG" "$AFTUNE" audit contract.json --run run --reproduce reject.json
expect 2 "needs --challenge or --reproduce" "$AFTUNE" audit contract.json --run run --all \
  --manifest manifest.json

# The provider signs for nothing that it lost.
cp -a run kept && rm "kept/store/${list:0:2}/$list".*
expect 2 "object $list" "$AFTUNE" answer contract.json --run kept \
  --challenge challenge.json --key keys/provider.key -o none.json

# The log is rewritten under the eyes of the witness.
expect 1 "REFUSED, fork" "$AFTUNE" witness contract.json --run lie --key keys/eye.key --state eye
[[ -s $(echo eye/evidence/*/older) && -s $(echo eye/evidence/*/newer) ]] || fail "no evidence"
echo "ok"
