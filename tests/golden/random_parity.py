#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A fresh random model and batch, trained three AdamW steps by transformers and by this project.
tools/parity calls it with an environment and programs.

    random_parity.py --family FAMILY --seed N --aftune PROGRAM --dump PROGRAM [--json]

The seed decides everything: sizes, type of the weights' file and how many files, weights, tokens,
padding. transformers writes the model, `aftune import` takes it over, and what comes out must be the
same model to transformers. Then logits, losses, gradients and trained parameters are compared with
transformers in fp32; beside them stands what bf16 products do to the same input. Exit code 0: ours is
closer in every line; 1: it is not; 3: something went wrong.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch

import make_model_golden as golden
import model_reference as reference
import our_run
import random_vision

SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
DEFAULT = {"rope_type": "default"}
# Hugging Face's model type, and what the family fixes.
FAMILIES = {
    "llama": ("llama", DEFAULT, {}),
    "llama3": ("llama", SCALED, {}),
    "smollm2": ("llama", DEFAULT, {"tie_word_embeddings": True}),
    "mistral": ("mistral", DEFAULT, {"sliding_window": 64}),
    "qwen2": ("qwen2", DEFAULT, {}),
    "qwen3": ("qwen3", DEFAULT, {}),
}
JOB = {"optimizer": golden.ADAMW, "schedule": {"kind": "constant", "peak": 1e-3},
       "clip": golden.CLIP}
LINES = {"logits": "logits", "loss": "loss, root of the mean square of three",
         "gradient": "whole gradient", "gradient_worst_tensor": "worst tensor's gradient",
         "parameters": "parameters after 3 steps"}


def random_spec(family, seed):
    """What make_model_golden takes."""
    dice = random.Random(f"{family} {seed}")
    model_type, rope, fixed = FAMILIES[family]
    shared = dice.choice([1, 2, 3])
    heads = shared * dice.choice([1, 2, 3])
    config = dict(vocab_size=dice.randint(40, 600), hidden_size=heads * dice.choice([8, 10, 16, 24]),
                  intermediate_size=dice.choice([40, 96, 300]), num_hidden_layers=dice.randint(1, 3),
                  num_attention_heads=heads, num_key_value_heads=shared,
                  rms_norm_eps=dice.choice([1e-5, 1e-6]),
                  rope_parameters={**rope, "rope_theta": dice.choice([1e4, 1e5, 1e6])},
                  tie_word_embeddings=dice.random() < 0.5)
    if model_type == "qwen3" or (model_type != "qwen2" and dice.random() < 0.3):
        config["head_dim"] = dice.choice([8, 12, 20])
    if family == "qwen2":  # make_model_golden says why
        config["rope_parameters"]["rope_theta"] = dice.choice([100.0, 1e3, 1e4])
    if family == "llama3":  # enough frequencies that some are of each kind
        config["head_dim"], config["rope_parameters"]["rope_theta"] = 16, 500.0
    config.update(fixed)
    return {"family": model_type, "config": config, "rows": dice.randint(1, 4),
            "sequence": dice.choice([12, 33, 64]), "seed": dice.randrange(2**31),
            "dtype": dice.choice([torch.float32, torch.bfloat16, torch.float16]),
            "shards": dice.random() < 0.5}


def require_same_model(source, imported):
    """transformers sees the same numbers in both folders."""
    want, got = (reference.load(folder, "fp32") for folder in (source, imported))
    for tensors in (lambda m: dict(m.named_parameters()), lambda m: dict(m.named_buffers())):
        a, b = tensors(want), tensors(got)
        if a.keys() != b.keys() or not all(torch.equal(a[n], b[n]) for n in a):
            raise ValueError("the imported folder is another model to transformers")


def errors(got, want, start):
    found = reference.errors(got, want, start)
    ratios = np.array(got.losses) / np.array(want.losses) - 1
    return {"logits": found["logits"], "loss": float(np.sqrt(np.mean(ratios ** 2))),
            "gradient": found["gradient"], "gradient_worst_tensor": found["gradient_worst_tensor"],
            "parameters": found["parameters"]}


def compare_text(args, work):
    spec = random_spec(args.family, args.seed)
    source, imported = work / "source", work / "imported"
    golden.write_model(source, spec, max_shard_size=20000 if spec["shards"] else "5GB")
    (source / "tokenizer.json").write_text("{}\n")  # copied by the import, read by nobody here
    subprocess.run([args.aftune, "import", source, "--out", imported], check=True, stdout=sys.stderr)
    require_same_model(source, imported)
    batches = golden.make_batches(spec)
    reference.check_against_own_loss(imported, batches)
    start = reference.arrays(reference.load(imported, "fp32").named_parameters())
    want = reference.train(imported, "fp32", batches, JOB)
    sides = {"ours": our_run.run(args.dump, imported, JOB, batches, work),
             "bf16": reference.train(imported, "bf16", batches, JOB)}
    found = {side: errors(outcome, want, start) for side, outcome in sides.items()}
    files = len(list(source.glob("*.safetensors")))
    c, dtype = spec["config"], str(spec["dtype"]).removeprefix("torch.")
    sizes = (f"{c['num_hidden_layers']} layers of {c['hidden_size']}, {c['num_attention_heads']} heads "
             f"on {c['num_key_value_heads']}, {'tied' if c['tie_word_embeddings'] else 'untied'}, "
             f"{dtype} in {files} file{'s' if files > 1 else ''}; "
             f"{spec['rows']} x {spec['sequence']} tokens a step")
    return {"family": args.family, "seed": args.seed, "config": c, "rows": spec["rows"],
            "sequence": spec["sequence"], "files": files, "dtype": dtype,
            "versions": reference.versions(), "errors": found, "sizes": sizes}


def compare(args, work):
    if args.family in random_vision.FAMILIES:
        page = random_vision.compare(args, work, errors)
    else:
        page = compare_text(args, work)
    ours, bf16 = page["errors"]["ours"], page["errors"]["bf16"]
    return {**page, "closer": all(ours[k] < bf16[k] for k in LINES)}


def table(page):
    ours, bf16 = page["errors"]["ours"], page["errors"]["bf16"]
    lines = [f"{page['family']}, seed {page['seed']}: {page['sizes']}", "",
             "| against transformers in fp32 | ours | bf16 | bf16 / ours |", "|---|---|---|---|"]
    for key, name in LINES.items():
        ratio = bf16[key] / ours[key] if ours[key] > 0 else float("inf")
        lines.append(f"| {name} | {ours[key]:.1e} | {bf16[key]:.1e} | {ratio:.0f} |")
    verdict = "holds: ours is closer in every line" if page["closer"] else "FAILS: bf16 is closer"
    return "\n".join([*lines, "", verdict])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", required=True, choices=[*FAMILIES, *random_vision.FAMILIES])
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--aftune", required=True, type=pathlib.Path)
    parser.add_argument("--dump", required=True, type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            page = compare(args, pathlib.Path(folder))
    except (OSError, ValueError, AssertionError, subprocess.CalledProcessError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    print(json.dumps(page) if args.json else table(page))
    return 0 if page["closer"] else 1


if __name__ == "__main__":
    sys.exit(main())
