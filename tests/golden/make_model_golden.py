#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/models: small random models and what Hugging Face transformers makes of them.

    make_model_golden.py                    # all of them
    make_model_golden.py --only qwen3
    make_model_golden.py --out FOLDER

One folder a model: config.json and model.safetensors as save_pretrained writes them;
golden.safetensors with three batches, the logits and all gradients of the first, and the parameters
after three steps of each job, computed in fp64 and rounded to fp32; golden.json with the jobs, losses
and gradient norms, and how far fp32 and bf16 are from fp64 on the same input (model_reference.py
says what these words mean). Run it on one thread: a product's order of sums, and with it the last
bits, can depend on the number of threads and on the processor.

Needs PyPI's torch, transformers and safetensors (written with 2.15.0, 5.23.0 and 0.8.0).
"""

import argparse
import json
import pathlib
import shutil
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

import model_reference as reference

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 3

ADAMW = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}
COSINE = {"kind": "warmup_cosine", "peak": 1e-3, "warmup_steps": 1, "total_steps": 5}
CLIP = {"max_norm": 1.0}

DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
# Of head_dim 16, one frequency stays, two are blended and five slowed down.
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
ADAMW_JOB = {"adamw": {"optimizer": ADAMW, "schedule": COSINE, "clip": CLIP}}

# The first three are plain Llamas. Between them: grouped, shared and own key/value heads, odd halves of heads, heads wider than the
# hidden size, tied and untied heads, vocabularies that fill no block; widths, token rows, keys and
# vocabulary on both sides of 256, where the products are cut.
MODELS = {
    "grouped_untied": {
        "config": dict(vocab_size=67, hidden_size=24, intermediate_size=320, num_hidden_layers=1,
                       num_attention_heads=3, num_key_value_heads=1, head_dim=8, rms_norm_eps=1e-5,
                       rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
                       tie_word_embeddings=False),
        "dtype": torch.bfloat16, "rows": 3, "sequence": 20, "seed": 1,
        "jobs": {"adamw": {"optimizer": ADAMW, "schedule": COSINE, "clip": CLIP}},
    },
    "grouped_tied": {
        "config": dict(vocab_size=301, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                       num_attention_heads=4, num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-6,
                       rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
                       tie_word_embeddings=True),
        "dtype": torch.float32, "rows": 2, "sequence": 12, "seed": 2,
        "jobs": {"adamw": {"optimizer": ADAMW, "clip": CLIP,
                           "schedule": {"kind": "constant", "peak": 1e-3}}},
    },
    "own_heads": {
        "config": dict(vocab_size=37, hidden_size=21, intermediate_size=28, num_hidden_layers=2,
                       num_attention_heads=3, num_key_value_heads=3, head_dim=10, rms_norm_eps=1e-3,
                       rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
                       tie_word_embeddings=False),
        "dtype": torch.float16, "rows": 1, "sequence": 262, "seed": 3,
        "jobs": {"adamw": {"optimizer": ADAMW, "schedule": COSINE, "clip": CLIP},
                 "sgd": {"optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.1},
                         "schedule": {**COSINE, "peak": 0.125}, "clip": CLIP}},
    },
    "llama3": {
        "config": dict(vocab_size=61, hidden_size=24, intermediate_size=36, num_hidden_layers=2,
                       num_attention_heads=2, num_key_value_heads=1, head_dim=16, rms_norm_eps=1e-5,
                       rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True),
        "dtype": torch.bfloat16, "rows": 2, "sequence": 40, "seed": 4, "jobs": ADAMW_JOB,
    },
    "mistral": {
        "family": "mistral",
        "config": dict(vocab_size=53, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
                       num_attention_heads=4, num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-5,
                       rope_parameters=DEFAULT_ROPE, sliding_window=24, tie_word_embeddings=False),
        "dtype": torch.bfloat16, "rows": 2, "sequence": 24, "seed": 7, "jobs": ADAMW_JOB,
    },
    # A small base: where positions hardly turn, softmax is blind to a key's bias, and Adam moves what
    # has no gradient by the sign of its rounding, in any arithmetic.
    "qwen2": {
        "family": "qwen2",
        "config": dict(vocab_size=59, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
                       num_attention_heads=3, num_key_value_heads=1, rms_norm_eps=1e-6,
                       rope_parameters={**DEFAULT_ROPE, "rope_theta": 100.0},
                       tie_word_embeddings=True),
        "dtype": torch.bfloat16, "rows": 3, "sequence": 20, "seed": 6, "jobs": ADAMW_JOB,
    },
    "qwen3": {
        "family": "qwen3",
        "config": dict(vocab_size=47, hidden_size=20, intermediate_size=36, num_hidden_layers=2,
                       num_attention_heads=4, num_key_value_heads=2, head_dim=10, rms_norm_eps=1e-6,
                       rope_parameters={**DEFAULT_ROPE, "rope_theta": 1000000.0},
                       tie_word_embeddings=False),
        "dtype": torch.bfloat16, "rows": 3, "sequence": 20, "seed": 7, "jobs": ADAMW_JOB,
    },
}


def write_model(folder, spec, **options):
    """A model whose attention, gates and logits are far from uniform. Options are save_pretrained's."""
    config = transformers.AutoConfig.for_model(spec.get("family", "llama"),
                                               max_position_embeddings=512, **spec["config"])
    model = transformers.AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(spec["seed"])
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(".bias"):
                parameter.copy_(0.5 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(noise / parameter.shape[1] ** 0.5)
    model.to(spec["dtype"]).save_pretrained(folder, **options)


def make_batches(spec):
    """Random tokens; each row has a prompt that does not count and, mostly, padding."""
    rng = np.random.default_rng(spec["seed"])
    vocab, rows, sequence = spec["config"]["vocab_size"], spec["rows"], spec["sequence"]
    shape = (STEPS, rows, sequence)
    tokens = rng.integers(1, vocab, shape, dtype=np.int32)
    targets = np.full(shape, reference.IGNORED, dtype=np.int32)
    lengths = rng.integers(sequence * 3 // 4, sequence, shape[:2], dtype=np.int32)
    lengths[:, 0] = sequence - np.arange(STEPS)
    for step in range(STEPS):
        for row in range(rows):
            end, prompt = lengths[step, row], rng.integers(1, sequence // 4)
            tokens[step, row, end:] = 0
            targets[step, row, prompt:end - 1] = tokens[step, row, prompt + 1:end]
    return reference.Batches(tokens, targets, lengths)


def run_job(folder, batches, job):
    """The reference, and the job's part of golden.json."""
    start = reference.arrays(reference.load(folder, "fp32").named_parameters())
    want = reference.train(folder, "fp64", batches, job)
    found = {arithmetic: reference.errors(reference.train(folder, arithmetic, batches, job), want, start)
             for arithmetic in reference.OTHERS}
    page = {**reference.in_contract_form(job), "losses": want.losses, "norms": want.norms,
            "errors": found}
    return want, page


def make(folder, spec):
    write_model(folder, spec)
    batches = make_batches(spec)
    reference.check_against_own_loss(folder, batches)
    tensors, pages = dict(batches.tensors()), {}
    for name, job in spec["jobs"].items():
        want, pages[name] = run_job(folder, batches, job)
        tensors["logits"] = want.logits
        tensors.update({f"gradient/{n}": g for n, g in want.gradients.items()})
        tensors.update({f"parameter.{name}/{n}": p for n, p in want.parameters.items()})
    tensors = {n: t if t.dtype == np.int32 else t.astype(np.float32) for n, t in tensors.items()}
    save_file(tensors, folder / "golden.safetensors")
    golden = {"_comment": "fp64 results and the errors of other arithmetics against them; "
                          "tests/golden/make_model_golden.py defines and writes all of it",
              "versions": reference.versions(), "jobs": pages}
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    return pages


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "models")
    parser.add_argument("--only", action="append", choices=MODELS, metavar="NAME", default=[])
    args = parser.parse_args()
    out = args.out
    torch.set_num_threads(1)
    for name in args.only or MODELS:
        spec = MODELS[name]
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch) / name
            pages = make(folder, spec)
            (out / name).mkdir(parents=True, exist_ok=True)
            for file in ("config.json", "model.safetensors", "golden.json", "golden.safetensors"):
                shutil.copyfile(folder / file, out / name / file)
        for job, page in pages.items():
            for arithmetic, e in page["errors"].items():
                print(f"{name} {job} {arithmetic}: logits {e['logits']:.1e}, gradient "
                      f"{e['gradient']:.1e}, worst {e['gradient_worst_tensor']:.1e}, "
                      f"parameters {e['parameters']:.1e}")


if __name__ == "__main__":
    main()
