#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/vision: small random image classifiers and what transformers makes of them.

    make_vision_golden.py                    # all of them
    make_vision_golden.py --only dinov2

One folder a model: config.json and model.safetensors as save_pretrained writes them, and a
preprocessor_config.json; golden.safetensors with three batches (bytes and classes), the logits and
all gradients of the first, and the parameters after three AdamW steps, in fp64 and rounded to fp32,
by the names of the file; golden.json as make_model_golden.py has it. A key's bias is left out of the
errors: softmax does not see it, so its gradient is nothing but rounding, and Adam moves it by its sign.

Needs PyPI's torch, transformers and safetensors (written with 2.15.0, 5.23.0 and 0.8.0).
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers.core_model_loading import revert_weight_conversion

import make_model_golden as golden
import model_reference as reference

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 3
MEANS, DEVIATIONS = [0.5, 0.45, 0.4], [0.25, 0.2, 0.3]
JOB = {"optimizer": golden.ADAMW, "schedule": golden.COSINE, "clip": golden.CLIP}

# Between them: patches that fill no block of 256 and inner widths that fill more than one, heads of odd
# widths, queries with and without biases.
MODELS = {
    "vit": {
        "family": "vit", "rows": 5, "classes": 11, "seed": 1, "dtype": torch.bfloat16,
        "config": dict(hidden_size=24, intermediate_size=300, num_hidden_layers=2,
                       num_attention_heads=3, image_size=12, patch_size=4, num_channels=3,
                       layer_norm_eps=1e-6),
    },
    "dinov2": {
        "family": "dinov2", "rows": 3, "classes": 7, "seed": 2, "dtype": torch.float32,
        "config": dict(hidden_size=21, mlp_ratio=4, num_hidden_layers=2, num_attention_heads=3,
                       image_size=20, patch_size=4, num_channels=3, layer_norm_eps=1e-5,
                       qkv_bias=False),
    },
    "dinov2_swiglu": {
        "family": "dinov2", "rows": 4, "classes": 2, "seed": 3, "dtype": torch.float16,
        "config": dict(hidden_size=48, mlp_ratio=4, num_hidden_layers=1, num_attention_heads=2,
                       image_size=10, patch_size=5, num_channels=3, layer_norm_eps=1e-6,
                       use_swiglu_ffn=True),
    },
}


def write_model(folder, spec, **options):
    """Options are save_pretrained's."""
    config = transformers.AutoConfig.for_model(spec["family"], **spec["config"])
    config.num_labels = spec["classes"]
    model = transformers.AutoModelForImageClassification.from_config(config)
    generator = torch.Generator().manual_seed(spec["seed"])
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(".bias") or name.endswith("_token") or "position" in name:
                parameter.copy_(0.5 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(noise / (parameter.numel() / parameter.shape[0]) ** 0.5)
    model.to(spec["dtype"]).save_pretrained(folder, **options)
    page = {"do_normalize": True, "do_rescale": True, "image_mean": MEANS, "image_std": DEVIATIONS,
            "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(page, indent=1) + "\n")


def make_batches(spec):
    rng = np.random.default_rng(spec["seed"])
    side = spec["config"]["image_size"]
    pixels = rng.integers(0, 256, (STEPS, spec["rows"], 3, side, side), dtype=np.uint8)
    classes = rng.integers(0, spec["classes"], (STEPS, spec["rows"]), dtype=np.int32)
    return {"pixels": pixels, "classes": classes}


def by_file(model, tensors):
    """From the names of the module to those of the file, without the mask token."""
    renamed = revert_weight_conversion(model, {n: t.detach().clone() for n, t in tensors.items()})
    return {n: t.numpy().copy() for n, t in renamed.items() if not n.endswith(".mask_token")}


def load(folder, arithmetic):
    model = transformers.AutoModelForImageClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    return model.double() if arithmetic in reference.WIDE else model


def values(batch, dtype):
    shape = (1, 3, 1, 1)
    x = torch.from_numpy(batch.astype(np.float32)) / 255
    x = (x - torch.tensor(MEANS).view(shape)) / torch.tensor(DEVIATIONS).view(shape)
    return x.to(dtype)


def train(folder, arithmetic, batches, job=JOB):
    model = load(folder, arithmetic)
    dtype = next(model.parameters()).dtype
    used = {n: p for n, p in model.named_parameters() if not n.endswith(".mask_token")}
    optimizer = reference._optimizer(job, used.values())
    schedule = reference._schedule(job, optimizer)
    out = reference.Outcome(None, [], [], None, None)
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        with reference._inside(arithmetic):
            logits = model(values(batches["pixels"][step], dtype)).logits
        wide = logits if arithmetic in reference.WIDE else logits.float()
        labels = torch.from_numpy(batches["classes"][step].astype(np.int64))
        loss = torch.nn.functional.cross_entropy(wide, labels)
        loss.backward()
        if step == 0:
            out.logits = wide.detach().numpy().copy()
            out.gradients = by_file(model, {n: p.grad for n, p in used.items()})
        norm = torch.nn.utils.clip_grad_norm_(used.values(), job["clip"]["max_norm"])
        optimizer.step()
        schedule.step()
        out.losses.append(loss.item())
        out.norms.append(norm.item())
    out.parameters = by_file(model, used)
    return out


def seen(outcome):
    """Without what softmax does not see."""
    keep = lambda tensors: {n: t for n, t in tensors.items() if not n.endswith("key.bias")}
    return reference.Outcome(outcome.logits, outcome.losses, outcome.norms,
                             keep(outcome.gradients), keep(outcome.parameters))


def check_against_own_loss(folder, batches):
    model = load(folder, "fp32")
    labels = torch.from_numpy(batches["classes"][0].astype(np.int64))
    x = values(batches["pixels"][0], torch.float32)
    with torch.no_grad():
        theirs = model(x, labels=labels).loss
        ours = torch.nn.functional.cross_entropy(model(x).logits, labels)
    assert abs(theirs - ours) < 1e-6 * ours, f"{theirs} and {ours}"


def make(folder, spec):
    write_model(folder, spec)
    batches = make_batches(spec)
    check_against_own_loss(folder, batches)
    model = load(folder, "fp32")
    start = by_file(model, dict(model.named_parameters()))
    want = train(folder, "fp64", batches)
    found = {a: reference.errors(seen(train(folder, a, batches)), seen(want), start)
             for a in reference.OTHERS}
    tensors = {**batches, "logits": want.logits.astype(np.float32)}
    tensors.update({f"gradient/{n}": g.astype(np.float32) for n, g in want.gradients.items()})
    tensors.update({f"parameter.adamw/{n}": p.astype(np.float32) for n, p in want.parameters.items()})
    save_file(tensors, folder / "golden.safetensors")
    page = {"_comment": "fp64 results and the errors of other arithmetics against them; "
                        "tests/golden/make_vision_golden.py defines and writes all of it",
            "versions": reference.versions(),
            "jobs": {"adamw": {**reference.in_contract_form(JOB), "losses": want.losses,
                               "norms": want.norms, "errors": found}}}
    (folder / "golden.json").write_text(json.dumps(page, indent=1) + "\n")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "vision")
    parser.add_argument("--only", action="append", choices=MODELS, metavar="NAME", default=[])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, spec in MODELS.items():
        if args.only and name not in args.only:
            continue
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        for arithmetic, found in make(folder, spec).items():
            worst = found["worst_tensor"]
            print(f"{name} {arithmetic}: logits {found['logits']:.1e}, gradient {found['gradient']:.1e}, "
                  f"worst {found['gradient_worst_tensor']:.1e} {worst}, "
                  f"parameters {found['parameters']:.1e}")


if __name__ == "__main__":
    main()
