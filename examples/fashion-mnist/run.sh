#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: examples/fashion-mnist/run.sh DIR [FILES]
#
# Trains a small vision transformer on Fashion-MNIST from random weights, recorded, audits drawn
# blocks of the run and counts how many test images the delivered model puts into their class.
# FILES is the folder of the four IDX files; without it, that of Debian's dataset-fashion-mnist.
# DIR must be new or empty. STEPS=N trains so many steps and audits two blocks; AFTUNE names
# another program than build/aftune; AFTUNE_THREADS and AFTUNE_ISA choose how it computes, and
# change no bit.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
aftune=$(realpath -m "${AFTUNE:-$here/../../build/aftune}")
dir=${1-}
files=${2:-/usr/share/datasets/fashion-mnist}
if (($# < 1 || $# > 2)) || [[ ! $dir || $dir == -* ]]; then
  echo "usage: examples/fashion-mnist/run.sh DIR [FILES]" >&2
  exit 2
fi
if [[ -e $dir && ! -d $dir ]] || [[ -d $dir && $(ls -A "$dir") ]]; then
  echo "run.sh: $dir is there and is no empty folder: name another" >&2
  exit 2
fi
if [[ ! -f $aftune || ! -x $aftune ]]; then
  echo "run.sh: no program at $aftune: build it by tools/build, or name one in AFTUNE" >&2
  exit 2
fi
if [[ ! -f $files/train-images-idx3-ubyte.gz ]]; then
  echo "run.sh: $files has no train-images-idx3-ubyte.gz: tools/setup --images installs it" >&2
  exit 2
fi
files=$(realpath "$files")

mkdir -p "$dir/keys"
cp "$here/job.yaml" "$here/config.json" "$here/preprocessor_config.json" "$dir/"
cd "$dir"
if [[ ${STEPS-} ]]; then sed -i "s/^steps: .*/steps: $STEPS/; s/blocks: 4,/blocks: 2,/" job.yaml; fi
show() {
  printf '$ aftune %s\n' "$*"
  "$aftune" "$@"
}
for set in train t10k; do
  show images --idx "$files/$set-images-idx3-ubyte.gz" "$files/$set-labels-idx1-ubyte.gz" \
    -o "$set.jsonl"
done
show random-model --config config.json --preprocessor preprocessor_config.json --seed 1 -o base
for side in client provider; do
  show keygen --name "$side" -o keys
done
show contract draft -c job.yaml -o contract.json
for side in client provider; do
  show contract sign contract.json --role "$side" --key "keys/$side.key"
done
started=$SECONDS
show train contract.json --run run --key keys/provider.key --model base --data train.jsonl
echo "trained and recorded in $((SECONDS - started)) s"
show audit contract.json --run run --secret client.secret --delivered run/model
show classify run/model t10k.jsonl
