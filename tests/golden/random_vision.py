# SPDX-License-Identifier: Apache-2.0
"""random_parity.py's part about image classifiers."""

import random
import subprocess
import sys

import torch

import make_model_golden as golden
import make_vision_golden as vision
import our_run
import model_reference as reference

FAMILIES = ["vit", "dinov2", "dinov2_swiglu"]
JOB = {"optimizer": golden.ADAMW, "schedule": {"kind": "constant", "peak": 1e-3},
       "clip": golden.CLIP}


def random_spec(family, seed):
    """What make_vision_golden takes."""
    dice = random.Random(f"{family} {seed}")
    heads, patch = dice.choice([1, 2, 3]), dice.choice([3, 4, 5, 7])
    config = dict(hidden_size=heads * dice.choice([8, 9, 16, 24]), num_hidden_layers=dice.randint(1, 3),
                  num_attention_heads=heads, image_size=patch * dice.choice([2, 3, 5]),
                  patch_size=patch, num_channels=3, layer_norm_eps=dice.choice([1e-5, 1e-6, 1e-12]),
                  qkv_bias=dice.random() < 0.7)
    if family == "vit":
        config["intermediate_size"] = dice.choice([40, 96, 300])
    else:
        config["mlp_ratio"] = dice.choice([2, 3, 4])
        config["use_swiglu_ffn"] = family == "dinov2_swiglu"
    return {"family": family.removesuffix("_swiglu"), "config": config, "rows": dice.randint(2, 6),
            "classes": dice.randint(2, 40), "seed": dice.randrange(2**31),
            "dtype": dice.choice([torch.float32, torch.bfloat16, torch.float16]),
            "shards": dice.random() < 0.5}


def require_same_model(source, imported):
    """transformers sees the same numbers in both folders, but for the mask token."""
    want, got = ({n: p for n, p in vision.load(folder, "fp32").named_parameters()
                  if not n.endswith(".mask_token")} for folder in (source, imported))
    if want.keys() != got.keys() or not all(torch.equal(want[n], got[n]) for n in want):
        raise ValueError("the imported folder is another model to transformers")


def compare(args, work, errors):
    """`errors` is random_parity's."""
    spec = random_spec(args.family, args.seed)
    source, imported = work / "source", work / "imported"
    vision.write_model(source, spec, max_shard_size=20000 if spec["shards"] else "5GB")
    subprocess.run([args.aftune, "import", source, "--out", imported], check=True, stdout=sys.stderr)
    require_same_model(source, imported)
    batches = vision.make_batches(spec)
    vision.check_against_own_loss(imported, batches)
    model = vision.load(imported, "fp32")
    start = vision.by_file(model, dict(model.named_parameters()))
    want = vision.seen(vision.train(imported, "fp32", batches, JOB))
    sides = {"ours": our_run.run_images(args.dump, imported, JOB, batches, work),
             "bf16": vision.train(imported, "bf16", batches, JOB)}
    found = {side: errors(vision.seen(outcome), want, start) for side, outcome in sides.items()}
    files = len(list(source.glob("*.safetensors")))
    c = spec["config"]
    dtype = str(spec["dtype"]).removeprefix("torch.")
    sizes = (f"{c['num_hidden_layers']} layers of {c['hidden_size']}, {c['num_attention_heads']} heads, "
             f"patches of {c['patch_size']} in images of {c['image_size']}, {spec['classes']} classes, "
             f"{dtype} in {files} file{'s' if files > 1 else ''}; {spec['rows']} images a step")
    return {"family": args.family, "seed": args.seed, "config": c, "rows": spec["rows"],
            "files": files, "dtype": dtype, "versions": reference.versions(), "errors": found,
            "sizes": sizes}
