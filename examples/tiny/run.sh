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
# DIR must be new, empty, or an earlier start's. A second start resumes a run that was killed, or
# says that it is complete; a file that is there is never overwritten.
# AFTUNE names another program than build/aftune.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
aftune=${AFTUNE:-$here/../../build/aftune}
dir=${1-}
if (($# != 1)) || [[ ! $dir || $dir == -* ]]; then
  echo "usage: examples/tiny/run.sh DIR" >&2
  exit 2
fi
if [[ -e $dir && ! -d $dir ]]; then
  echo "run.sh: $dir is not a folder" >&2
  exit 2
fi
if ! command -v "$aftune" >/dev/null; then
  echo "run.sh: no program at $aftune: build it by tools/build, or name one in AFTUNE" >&2
  exit 2
fi

# The contract comes first, under its name in one step: where it is, the folder is this example's.
mkdir -p "$dir"
rm -f "$dir/.aftune-tiny.unfinished"
if [[ $(ls -A "$dir") ]]; then
  if ! cmp -s "$here/contract.json" "$dir/contract.json"; then
    echo "run.sh: $dir is not empty and does not hold this example's contract.json: name another" >&2
    exit 2
  fi
else
  install -m 0644 "$here/contract.json" "$dir/.aftune-tiny.unfinished"
  mv -n "$dir/.aftune-tiny.unfinished" "$dir/contract.json"
fi
# place MODE FILE TO: what is there must be the same.
place() {
  if [[ -e $3 || -L $3 ]]; then
    if cmp -s "$2" "$3"; then return; fi
    echo "run.sh: $3 is there and is not this example's: move it away, or name another folder" >&2
    exit 2
  fi
  install -m "$1" "$2" "$3.unfinished"
  mv -n "$3.unfinished" "$3"
}
mkdir -p "$dir/keys"
place 0644 "$here/data.jsonl" "$dir/data.jsonl"
place 0600 "$here/client.secret" "$dir/client.secret"
for side in client provider; do
  place 0644 "$here/$side.pub" "$dir/keys/$side.pub"
  place 0600 "$here/$side.key" "$dir/keys/$side.key"
done

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
printf 'run.sh: complete; audit it:%s\n' "$(printf ' %q' "$aftune" audit "$dir/contract.json" \
  --run "$dir/run" --secret "$dir/client.secret" --delivered "$dir/model" \
  --data "$dir/data.jsonl")" >&2
