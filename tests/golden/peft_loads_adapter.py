#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: peft_loads_adapter.py AFTUNE

Trains a tiny adapter with the program, lets PEFT load the delivered folder beside the base, and
transformers the merged model: their logits must be equal up to fp32's roundings, and the adapter must
count. Exit code 77 where torch, transformers or peft are not installed.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
except ImportError as error:
    print("SKIPPED:", error)
    sys.exit(77)

TINY = pathlib.Path(__file__).parents[2] / "examples" / "tiny"
LORA = """lora:
  r: 4
  lora_alpha: 8
  lora_dropout: 0.1
  use_rslora: true
  target_modules: all-linear
  modules_to_save: [norm]
"""


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stderr=subprocess.PIPE)


def make_run(aftune, folder):
    """A LoRA run of the tiny example's job."""
    run(aftune, "random-model", "--config", TINY / "config.json", "--tokenizer",
        TINY / "tokenizer.json", "--seed", 7, "-o", folder / "base")
    job = (TINY / "job.yaml").read_text()
    job = job.replace("keys/", f"{TINY}/").replace("data: data.jsonl", f"data: {TINY}/data.jsonl")
    job = job.replace("run_id: \"74", "run_id: \"75")
    (folder / "job.yaml").write_text(job + LORA)
    contract = folder / "contract.json"
    run(aftune, "contract", "draft", "-c", folder / "job.yaml", "-o", contract)
    for role in ("client", "provider"):
        key = folder / f"{role}.key"
        key.write_bytes((TINY / f"{role}.key").read_bytes())
        key.chmod(0o600)
        run(aftune, "contract", "sign", contract, "--role", role, "--key", key)
    run(aftune, "train", contract, "--run", folder / "run", "--key", folder / "provider.key",
        "--model", folder / "base", "--data", TINY / "data.jsonl", "--quiet")
    run(aftune, "audit", contract, "--run", folder / "run", "--all")
    run(aftune, "merge", folder / "base", folder / "run" / "model", folder / "merged")


def logits_of(model, tokens):
    model.eval()
    with torch.no_grad():
        return model(input_ids=tokens).logits.double()


def distance(a, b):
    return float((a - b).norm() / b.norm())


def main():
    aftune = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_run(aftune, folder)
        load = lambda path: AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        vocabulary = json.loads((TINY / "config.json").read_text())["vocab_size"]
        tokens = torch.randint(0, vocabulary, (2, 16), generator=torch.Generator().manual_seed(1))
        base = logits_of(load(folder / "base"), tokens)
        peft = logits_of(PeftModel.from_pretrained(load(folder / "base"), folder / "run" / "model"),
                         tokens)
        merged = logits_of(load(folder / "merged"), tokens)
    print(f"merged against PEFT {distance(merged, peft):.1e}, base {distance(base, peft):.1e}")
    if not distance(merged, peft) < 1e-5 or not distance(base, peft) > 1e-3:
        sys.exit("the logits differ, or the adapter does not count")


if __name__ == "__main__":
    main()
