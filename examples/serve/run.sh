#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: examples/serve/run.sh DIR
#
# One chain in seconds, on the tiny model: trains it by a contract, serves it, asks it over HTTP,
# verifies the receipt offline, audits the answer, stops the server. DIR must be new or empty.
# AFTUNE names another program than build/aftune.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export AFTUNE=${AFTUNE:-$here/../../build/aftune}
dir=${1-}
if (($# != 1)) || [[ ! $dir || $dir == -* ]]; then
  echo "usage: examples/serve/run.sh DIR" >&2
  exit 2
fi
for program in "$AFTUNE" curl; do
  command -v "$program" >/dev/null || { echo "run.sh: there is no $program" >&2; exit 2; }
done
AFTUNE=$(realpath "$(command -v "$AFTUNE")")
mkdir -p "$dir"
cd "$dir"
if [[ $(ls -A) ]]; then
  echo "run.sh: $dir is not empty" >&2
  exit 2
fi
step() { printf '\n== %s\n' "$*"; }

step "1 of 6: data rows, contract, run, closing entry, model folder; and the client's verdict on them"
"$here/../tiny/run.sh" t 2>/dev/null >/dev/null
"$AFTUNE" audit t/contract.json --run t/run --secret t/client.secret --delivered t/model \
  -o verdict.json --key t/keys/client.key 2>/dev/null | sed -n 1p

step "2 of 6: the model is served"
"$AFTUNE" keygen -o keys --name server >/dev/null 2>&1
: >serve.out
"$AFTUNE" serve t/model --serving serving --key keys/server.key --contract t/contract.json \
  --run t/run --layers-per-block 1 --port 0 --name tiny >serve.out 2>serve.log &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
url=''
while [[ ! $url ]]; do
  kill -0 "$server" 2>/dev/null || { cat serve.log >&2; exit 1; }
  url=$(sed -n 's/^listening on //p' serve.out)
  [[ $url ]] || sleep 0.05
done
cat serve.out

step "3 of 6: a client asks, with a nonce and the hash of an audit secret"
nonce=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
printf '{"model":"tiny","prompt":"Count down from 3.","max_tokens":12,"temperature":0.8,"top_p":0.9,"aftune_nonce":"%s","aftune_audit_sha256":"%s"}' \
  "$nonce" "$("$AFTUNE" receipt secret my.secret)" >asked.json
curl -sS --fail-with-body "$url/v1/completions" -H 'Content-Type: application/json' \
  --data-binary @asked.json >response.json
"$AFTUNE" receipt unpack response.json -o answer
ls answer

step "4 of 6: the client verifies the receipt offline"
check=("$AFTUNE" receipt verify answer/receipt.json --proof answer/receipt.tlog-proof
  --answer answer/answer.json --server keys/server.pub --contract t/contract.json)
"${check[@]}" --asked asked.json

step "5 of 6: its verifier replays what its secret draws, the head, and every decision"
"$AFTUNE" audit t/contract.json --receipt answer/receipt.json --proof answer/receipt.tlog-proof \
  --answer answer/answer.json --server keys/server.pub --model t/model --openings serving \
  --secret my.secret --count 2 --training-verdict verdict.json -o answer-verdict.json \
  --key t/keys/client.key

step "6 of 6: the server is stopped in the middle of a stream, and ends what it has begun"
sed 's/^{/{"stream":true,/; s/"max_tokens":12/"max_tokens":100/' asked.json >streamed.json
curl -sSN "$url/v1/completions" --data-binary @streamed.json >stream.txt &
asking=$!
while [[ ! -s stream.txt ]]; do sleep 0.02; done
kill -TERM "$server"
wait "$asking"
wait "$server"
trap - EXIT
tail -n 1 serve.out
"$AFTUNE" receipt unpack stream.txt -o streamed
"$AFTUNE" receipt verify streamed/receipt.json --proof streamed/receipt.tlog-proof \
  --answer streamed/answer.json --server keys/server.pub --asked streamed.json | sed -n 1p
