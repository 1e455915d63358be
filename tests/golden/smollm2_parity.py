#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares this project with Hugging Face transformers on SmolLM2-135M and real text.

    smollm2_parity.py --model FOLDER --dump PROGRAM --text FILE [FILE ...] [--from BATCH] [--x16]
    smollm2_parity.py --model FOLDER --text FILE --golden    # writes smollm2.json, smollm2.safetensors

FOLDER is what `aftune import` wrote, PROGRAM the build's aftune_dump_model. Three batches of 4 x 128
tokens are cut from the texts (plain, or JSONL by its text or prompt and completion), rows shared
evenly among the files, from the beginning or after BATCH batches. Three AdamW steps at 1e-4 in each
arithmetic of model_reference.py, with --x16 also in the products' definition; everything is
measured against fp64. Prints a table and exits 1 unless our error in logits and whole gradient is at
most a fifth of bf16's and no tensor's gradient is worse than bf16's worst. Needs 10 GB of memory.

The second form makes what smollm2_golden_test.cc compares with where PyTorch is not at hand: sketches
of the fp64 results (README.md says what a sketch is).

Needs PyPI's torch, transformers, tokenizers and safetensors (written with 2.15.0, 5.23.0, 0.23.3, 0.8.0).
"""

import argparse
import hashlib
import json
import pathlib
import platform
import sys
import tempfile

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

import model_reference as reference
import our_run

HERE = pathlib.Path(__file__).resolve().parent
STEPS, ROWS, SEQUENCE = 3, 4, 128
JOB = {
    "optimizer": {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
    "schedule": {"kind": "constant", "peak": 1e-4},
    "clip": {"max_norm": 1.0},
}
LOGIT_BUCKETS, TENSOR_BUCKETS = 1024, 64


def text_of(file):
    text = file.read_text(encoding="utf-8")[:1 << 20]
    if file.suffix != ".jsonl":
        return text
    rows = [json.loads(line) for line in text.splitlines()[:2000] if line.endswith("}")]
    return "\n".join(r["text"] if "text" in r else r["prompt"] + " " + r["completion"] for r in rows)


def make_batches(tokenizer, files, first):
    """Row r is the next window of file r % len(files); a window's last token is only a target."""
    count = first + STEPS
    streams = [tokenizer.encode(text_of(f), add_special_tokens=False).ids for f in files]
    windows = np.zeros((count, ROWS, SEQUENCE + 1), dtype=np.int32)
    used = [0] * len(files)
    for step in range(count):
        for row in range(ROWS):
            which = row % len(files)
            start = used[which]
            windows[step, row] = streams[which][start:start + SEQUENCE + 1]
            used[which] += SEQUENCE
    windows = windows[first:]
    lengths = np.full((STEPS, ROWS), SEQUENCE, dtype=np.int32)
    return reference.Batches(np.ascontiguousarray(windows[:, :, :-1]),
                             np.ascontiguousarray(windows[:, :, 1:]), lengths)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def print_table(found):
    print("| | logits | argmax changed | loss | whole gradient | median tensor | worst tensor | "
          "parameters after 3 steps | loss of step 3 |\n|---|---|---|---|---|---|---|---|---|")
    for name, e in found.items():
        print(f"| {name} | {e['logits']:.1e} | {100 * e['argmax_changed']:.1f} % | {e['loss']:.1e} | "
              f"{e['gradient']:.1e} | {e['gradient_median_tensor']:.1e} | "
              f"{e['gradient_worst_tensor']:.1e} (`{e['worst_tensor']}`) | {e['parameters']:.1e}, "
              f"at most {e['parameters_largest']:.1e} | {e['loss_last']:.1e} |")
    print()


def verdict(found):
    ours, bf16 = found["ours"], found["bf16"]
    claims = {
        "logits at most a fifth of bf16's": ours["logits"] <= bf16["logits"] / 5,
        "whole gradient at most a fifth of bf16's": ours["gradient"] <= bf16["gradient"] / 5,
        "no tensor's gradient worse than bf16's worst":
            ours["gradient_worst_tensor"] <= bf16["gradient_worst_tensor"],
    }
    for claim, holds in claims.items():
        print(("holds: " if holds else "FAILS: ") + claim)
    return all(claims.values())


def compare(args, batches, work):
    start = reference.arrays(reference.load(args.model, "fp32").named_parameters())
    want = reference.train(args.model, "fp64", batches, JOB)
    found = {a: reference.errors(reference.train(args.model, a, batches, JOB), want, start)
             for a in reference.OTHERS + (("x16",) if args.x16 else ())}
    found["ours"] = reference.errors(our_run.run(args.dump, args.model, JOB, batches, work), want, start)
    print(f"{reference.versions()}, {processor()}; loss {want.losses}, norm {want.norms}\n")
    print_table(found)
    (work / "errors.json").write_text(json.dumps(found, indent=1) + "\n")
    return verdict(found)


def sketch(values, buckets):
    """README.md, "Sketches". Differences of sketches have, on average, the norm of differences."""
    flat = values.reshape(-1)
    h = np.arange(1, flat.size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    signed = np.where(h >> np.uint64(63), -flat, flat)
    return np.bincount((h % np.uint64(buckets)).astype(np.int64), weights=signed, minlength=buckets)


def write_golden(args, batches):
    start = reference.arrays(reference.load(args.model, "fp32").named_parameters())
    want = reference.train(args.model, "fp64", batches, JOB)
    bf16 = reference.errors(reference.train(args.model, "bf16", batches, JOB), want, start)
    names = sorted(want.gradients)
    tensors = {
        "tokens": batches.tokens, "targets": batches.targets,
        "logits": sketch(want.logits, LOGIT_BUCKETS),
        "gradients": np.stack([sketch(want.gradients[n], TENSOR_BUCKETS) for n in names]),
        "moves": np.stack([sketch(want.parameters[n] - start[n], TENSOR_BUCKETS) for n in names]),
    }
    tensors = {n: t if t.dtype == np.int32 else t.astype(np.float32) for n, t in tensors.items()}
    save_file(tensors, HERE / "smollm2.safetensors")
    sizes = {
        "logits": float(np.linalg.norm(want.logits)),
        "gradients": {n: float(np.linalg.norm(want.gradients[n])) for n in names},
        "moves": {n: float(np.linalg.norm(want.parameters[n] - start[n])) for n in names},
    }
    page = {"_comment": "fp64 results on SmolLM2-135M-Instruct; tests/golden/README.md",
            "versions": reference.versions(),
            "model_sha256": hashlib.sha256((args.model / "model.safetensors").read_bytes()).hexdigest(),
            **reference.in_contract_form(JOB), "losses": want.losses, "norms": want.norms,
            "norms_of": sizes, "bf16": bf16}
    (HERE / "smollm2.json").write_text(json.dumps(page, indent=1) + "\n")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--text", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--dump", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, help="keep job, batches and results here")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="BATCH")
    parser.add_argument("--x16", action="store_true")
    parser.add_argument("--golden", action="store_true")
    args = parser.parse_args()
    if not args.golden and not args.dump:
        parser.error("--dump or --golden")
    batches = make_batches(Tokenizer.from_file(str(args.model / "tokenizer.json")), args.text, args.first)
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or pathlib.Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        good = write_golden(args, batches) if args.golden else compare(args, batches, work)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
