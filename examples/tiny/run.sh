#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: examples/tiny/run.sh DIR
#
# Trains a 4-layer random Llama in a second or two by the contract and the test keys beside this
# script, and leaves in DIR:
#   contract.json   the contract
#   run/            the complete run, as a provider hands it over (docs/formats/run.md)
#   model/          the delivered model: the client's own copy of run/model
#   base/           the random model that the run starts from
#   keys/, client.secret, data.jsonl   the sides' test keys, the challenge secret, the data
# A second start resumes a run that was killed, or says that it is complete.
# AFTUNE names another program than build/aftune.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
aftune=${AFTUNE:-$here/../../build/aftune}
dir=${1:?usage: examples/tiny/run.sh DIR}
if ! command -v "$aftune" >/dev/null; then
  echo "run.sh: no program at $aftune: build it by tools/build, or name one in AFTUNE" >&2
  exit 2
fi

mkdir -p "$dir/keys"
install -m 0644 "$here/contract.json" "$here/data.jsonl" "$dir/"
install -m 0644 "$here"/{client,provider}.pub "$dir/keys/"
install -m 0600 "$here/client.secret" "$dir/"
install -m 0600 "$here"/{client,provider}.key "$dir/keys/"

# A start that was killed may leave "*.unfinished" of its own: begun anew.
if [[ ! -e $dir/base ]]; then
  rm -rf "$dir/base.unfinished"
  "$aftune" random-model --config "$here/config.json" --tokenizer "$here/tokenizer.json" --seed 7 \
    -o "$dir/base.unfinished"
  mv "$dir/base.unfinished" "$dir/base"
fi

resume=()
if [[ -e $dir/run ]]; then
  resume=(--resume)
  echo "run.sh: $dir/run is there: resuming" >&2
fi
"$aftune" train "$dir/contract.json" --run "$dir/run" --key "$dir/keys/provider.key" \
  --model "$dir/base" --data "$dir/data.jsonl" "${resume[@]}"

if [[ ! -e $dir/model ]]; then
  rm -rf "$dir/model.unfinished"
  cp -r "$dir/run/model" "$dir/model.unfinished"
  mv "$dir/model.unfinished" "$dir/model"
fi
echo "run.sh: complete; audit it: $aftune audit $dir/contract.json --run $dir/run" \
  "--secret $dir/client.secret --delivered $dir/model --data $dir/data.jsonl" >&2
