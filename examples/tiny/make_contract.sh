#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: examples/tiny/make_contract.sh DIR
#
# Lays everything that the tiny contract binds into DIR (absent or empty), drafts the contract
# from job.yaml and signs it for both sides: DIR/contract.json. Nothing in it is random, so it is
# the contract.json that stands beside this script, byte by byte: the end compares them.
# AFTUNE names another program than build/aftune.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
aftune=${AFTUNE:-$here/../../build/aftune}
dir=${1:?usage: examples/tiny/make_contract.sh DIR}

if ! command -v "$aftune" >/dev/null; then
  echo "make_contract.sh: no program at $aftune: build it by tools/build, or name one in AFTUNE" >&2
  exit 2
fi
if [[ -e $dir && ! -d $dir ]] || [[ -d $dir && $(ls -A "$dir") ]]; then
  echo "make_contract.sh: $dir is there and is no empty folder: name another" >&2
  exit 2
fi
mkdir -p "$dir/keys"
cp "$here/job.yaml" "$here/data.jsonl" "$dir/"
cp "$here"/{client,provider}.pub "$dir/keys/"
for private in client.secret keys/client.key keys/provider.key; do
  install -m 0600 "$here/$(basename "$private")" "$dir/$private"
done
"$aftune" random-model --config "$here/config.json" --tokenizer "$here/tokenizer.json" --seed 7 \
  -o "$dir/base"
"$aftune" contract draft -c "$dir/job.yaml" -o "$dir/contract.json"
for role in client provider; do
  "$aftune" contract sign "$dir/contract.json" --role "$role" --key "$dir/keys/$role.key"
done
if ! cmp "$here/contract.json" "$dir/contract.json" >&2; then
  echo "make_contract.sh: $dir/contract.json is not the one that stands beside this script" >&2
  exit 1
fi
