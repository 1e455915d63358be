#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: tests/cli/llama2_test.sh AFTUNE
#
# A folder as Llama 2 has it (heads of their own keys, untied head, SentencePiece's BPE with bytes
# for what is in no token): import, contract, training, audit, text, and two lies about its texts.
set -euo pipefail
aftune=${1:?} LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$here/expect.sh"

mkdir "$work/llama2"
cat >"$work/llama2/config.json" <<'JSON'
{"_name_or_path": "llama-2", "architectures": ["LlamaForCausalLM"], "bos_token_id": 1,
 "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
 "intermediate_size": 80, "max_position_embeddings": 4096, "model_type": "llama",
 "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 4, "pretraining_tp": 1,
 "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false,
 "torch_dtype": "float16", "transformers_version": "4.31.0.dev0", "use_cache": true,
 "vocab_size": 700}
JSON
cp "$here/../golden/tokenizer/llama2.tokenizer.json" "$work/llama2/tokenizer.json"
echo '{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}' >"$work/llama2/special_tokens_map.json"
echo '{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "temperature": 0.6}' >"$work/llama2/generation_config.json"
echo 'what transformers made tokenizer.json from' >"$work/llama2/tokenizer.model"
"$aftune" random-model --config "$work/llama2/config.json" --tokenizer "$work/llama2/tokenizer.json" \
  --seed 3 -o "$work/made" 2>/dev/null
cp "$work/made/model.safetensors" "$work/llama2/"
"$aftune" import "$work/llama2" -o "$work/base" 2>/dev/null
cmp "$work/made/model.safetensors" "$work/base/model.safetensors" || fail "another model"

cd "$work"
for i in {1..12}; do
  echo "{\"prompt\": \"Zähle bis $i 数えて 🦙\", \"completion\": \"Eins, zwei, 三 — $i! ✓\"}"
done >data.jsonl
for side in client provider; do "$aftune" keygen -o keys --name "$side" >/dev/null 2>&1; done
cat >job.yaml <<'YAML'
keys: {client: keys/client.pub, provider: keys/provider.pub, verifier: keys/client.pub}
model: base
base_public: true
data: data.jsonl
text: {format: prompt_completion, before_prompt: "[INST] ", before_completion: " [/INST] ",
       bos: "<s>", eos: "</s>", pad: "<unk>", sequence: 80, labels: completion}
batch: {samples: 4}
steps: 6
optimizer: {kind: adamw}
schedule: {kind: constant, peak: 1e-2}
grid: {layers_per_block: 1, steps_per_block: 2, state_interval: 1}
audit: {blocks: 2, secret: client.secret, weights_disclosed: true}
YAML
"$aftune" contract draft -c job.yaml -o contract.json 2>/dev/null
for side in client provider; do
  "$aftune" contract sign contract.json --role "$side" --key "keys/$side.key" 2>/dev/null
done
expect 0 "step 6/6" "$aftune" train contract.json --run run --key keys/provider.key --model base --data data.jsonl
loss() { sed -n "$1s/.*\"loss\":\"\\([0-9.]*\\)\".*/\\1/p" run/metrics.jsonl; }
awk -v a="$(loss 1)" -v b="$(loss 6)" 'BEGIN {exit !(b < a - 0.5)}' || fail "the loss does not fall: $(loss 1), $(loss 6)"

audit=("$aftune" audit contract.json --run run --data data.jsonl --delivered run/model)
expect 0 "ACCEPT" "${audit[@]}" --all
expect 0 "ACCEPT" "${audit[@]}" --secret client.secret
for file in tokenizer.json special_tokens_map.json generation_config.json; do
  cmp "base/$file" "run/model/$file" || fail "the delivered $file is not the base's"
done
expect 0 "" "$aftune" generate run/model --prompt "Zähle 🦙" --max-tokens 8

# A provider whose rows have another byte in one letter, and one whose bytes have other tokens.
# lie FILE: the run with FILE of another content, which its verifier is shown.
lie() {
  rm -rf lie
  cp -r run lie
  rm "lie/$1"
  cat >"lie/$1"
  if cmp -s "run/$1" "lie/$1"; then fail "no other $1"; fi
}
lie data.jsonl < <(sed '7s/🦙/🦚/' data.jsonl)
expect 1 "[data] data, tokenizer or tables: data set" "$aftune" audit contract.json --run lie --all
lie base/tokenizer.json < <(sed 's/<0x9F>/<0xTT>/; s/<0xA6>/<0x9F>/; s/<0xTT>/<0xA6>/' base/tokenizer.json)
expect 1 "[data] data, tokenizer or tables" "$aftune" audit contract.json --run lie --data data.jsonl --all
echo "ok"
