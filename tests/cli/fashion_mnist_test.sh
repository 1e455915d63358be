#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: fashion_mnist_test.sh PROGRAM
#
# examples/fashion-mnist/run.sh for two steps on made-up images, adapters beside what it delivers, and
# what the program refuses.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
AFTUNE=$(realpath "${1:?}")
export AFTUNE STEPS=2
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
fail() {
  echo "fashion_mnist_test.sh: $*" >&2
  exit 1
}

# The number as four bytes, the largest first.
word() { printf '%b' "$(printf '\\0%o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"; }

# Bytes of this repository's licence, over and over. Classes 0 to 7 in turn.
idx() {  # idx NAME COUNT
  {
    printf '\0\0\10\3'
    word "$2" && word 28 && word 28
    while cat "$root/LICENSE"; do :; done 2>/dev/null | head -c $(($2 * 784))
  } | gzip -c >"$here/files/$1-images-idx3-ubyte.gz"
  {
    printf '\0\0\10\1'
    word "$2"
    for ((i = 0; i < $2; i++)); do word $((i % 8)) | tail -c 1; done
  } | gzip -c >"$here/files/$1-labels-idx1-ubyte.gz"
}
mkdir "$here/files"
set +o pipefail
idx train 300
idx t10k 20
set -o pipefail

"$root/examples/fashion-mnist/run.sh" "$here/f" "$here/files" >"$here/out" 2>&1 ||
  { cat "$here/out" >&2; fail "run.sh failed"; }
grep -q '^ACCEPT' "$here/out" || { cat "$here/out" >&2; fail "no ACCEPT"; }
grep -qE '^accuracy [0-9.]+ %: [0-9]+ of 20 images$' "$here/out" || fail "no accuracy"
cd "$here/f"
[[ -f run/model/preprocessor_config.json ]] || fail "no preprocessor_config.json was delivered"

sed 's/^model: .*/model: run\/model/; s/client\.secret/lora.secret/' job.yaml >lora.yaml
echo 'lora: {r: 2, lora_alpha: 4, target_modules: all-linear, modules_to_save: [classifier]}' >>lora.yaml
lora() {
  "$AFTUNE" contract draft -c lora.yaml -o lora.json
  for side in client provider; do
    "$AFTUNE" contract sign lora.json --role "$side" --key "keys/$side.key"
  done
  "$AFTUNE" train lora.json --run lora-run --key keys/provider.key --model run/model \
    --data train.jsonl --eval-data t10k.jsonl
  "$AFTUNE" audit lora.json --run lora-run --all --delivered lora-run/model
  "$AFTUNE" merge run/model lora-run/model merged
  "$AFTUNE" evaluate run/model lora.json --adapter lora-run/model --data t10k.jsonl
}
lora >"$here/out" 2>&1 || { cat "$here/out" >&2; fail "adapters failed"; }
grep -q '^ACCEPT' "$here/out" || { cat "$here/out" >&2; fail "adapters: no ACCEPT"; }
loss=$(sed -n 's/^loss \([0-9.]*\) over 20 images$/\1/p' "$here/out")
[[ $loss ]] || { cat "$here/out" >&2; fail "adapters: no loss"; }
last=$(sed -n 's/.*"eval_loss":"\{0,1\}\([0-9.]*\).*/\1/p' lora-run/metrics.jsonl | tail -n 1)
[[ $last == "$loss" ]] || fail "adapters: the run's last loss is $last, the model's $loss"
beside=$("$AFTUNE" classify run/model t10k.jsonl --adapter lora-run/model --each)
[[ $beside == "$("$AFTUNE" classify merged t10k.jsonl --each)" ]] || fail "merged classifies otherwise"
[[ $beside != "$("$AFTUNE" classify run/model t10k.jsonl --each)" ]] ||
  echo "the adapter changed no class" >&2

refused() {  # refused WORDS COMMAND...
  local words=$1 status=0
  shift
  "$AFTUNE" "$@" >"$here/out" 2>&1 || status=$?
  ((status == 2)) || fail "$*: exit code $status, expected 2"
  grep -qF -- "$words" "$here/out" || { cat "$here/out" >&2; fail "$*: not about: $words"; }
}
refused 'classifies images and generates no text' generate run/model --prompt hello
echo '{"text":"hello"}' >text.jsonl
refused 'member "channels" is missing' classify run/model text.jsonl
"$AFTUNE" images --idx "$here"/files/t10k-{images-idx3,labels-idx1}-ubyte.gz --size 14 -o small.jsonl
refused 'goes with --preprocessor alone' random-model --config config.json --tokenizer config.json \
  --seed 1 -o other
refused 't10k.jsonl exists already' images --idx "$here"/files/t10k-{images-idx3,labels-idx1}-ubyte.gz -o t10k.jsonl
refused '300 images and 20 classes' images \
  --idx "$here"/files/train-images-idx3-ubyte.gz "$here"/files/t10k-labels-idx1-ubyte.gz -o other
refused 'row 0: an image of 1 x 14 x 14, the model takes 1 x 28 x 28' classify run/model small.jsonl
