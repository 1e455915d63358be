#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: peft_loads_adapter.py AFTUNE

Trains a tiny adapter with the program, of a decoder, a ViT and a DINOv2 with SwiGLU, lets PEFT load the
delivered folder beside the base, and transformers the merged model: their logits must be equal up to
fp32's roundings, and the adapter must count. Exit code 77 where torch, transformers or peft are not installed.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForImageClassification
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
  modules_to_save: [%s]
"""
IMAGE_JOB = """keys: {client: KEYS/client.pub, provider: KEYS/provider.pub, verifier: KEYS/client.pub}
model: base
base_public: true
data: data.jsonl
batch: {samples: 8, micro_batch: 4}
steps: 10
optimizer: {kind: adamw}
schedule: {kind: constant, peak: 1e-2}
grid: {layers_per_block: 1, steps_per_block: 5, state_interval: 2}
audit: {blocks: 1, secret: client.secret, weights_disclosed: true}
"""
NORMALIZATION = {"do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255,
                 "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.3, 0.2]}
VISION = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 12,
          "patch_size": 4, "num_channels": 3, "layer_norm_eps": 1e-6, "qkv_bias": True,
          "hidden_act": "gelu", "id2label": {str(i): f"class {i}" for i in range(5)}}
CONFIGS = {"vit": {**VISION, "architectures": ["ViTForImageClassification"], "model_type": "vit",
                   "intermediate_size": 40},
           "dinov2": {**VISION, "architectures": ["Dinov2ForImageClassification"],
                      "model_type": "dinov2", "mlp_ratio": 4, "use_swiglu_ffn": True}}


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stderr=subprocess.PIPE)


def make_text_job(aftune, folder):
    """The tiny example's, with adapters."""
    run(aftune, "random-model", "--config", TINY / "config.json", "--tokenizer",
        TINY / "tokenizer.json", "--seed", 7, "-o", folder / "base")
    job = (TINY / "job.yaml").read_text()
    job = job.replace("keys/", f"{TINY}/").replace("data: data.jsonl", f"data: {TINY}/data.jsonl")
    job = job.replace("run_id: \"74", "run_id: \"75")
    (folder / "job.yaml").write_text(job + LORA % "norm")
    return TINY / "data.jsonl"


def make_image_job(aftune, folder, family):
    """The same on images of 12 x 12 in 5 classes."""
    for name, page in (("config", CONFIGS[family]), ("preprocessor_config", NORMALIZATION)):
        (folder / f"{name}.json").write_text(json.dumps(page))
    run(aftune, "random-model", "--config", folder / "config.json", "--preprocessor",
        folder / "preprocessor_config.json", "--seed", 7, "-o", folder / "base")
    generator = torch.Generator().manual_seed(2)
    write_idx(folder / "images", 0x803, torch.randint(0, 256, (40, 12, 12), generator=generator))
    write_idx(folder / "labels", 0x801, torch.arange(40) % 5)
    run(aftune, "images", "--idx", folder / "images", folder / "labels", "--channels", 3, "-o",
        folder / "data.jsonl")
    (folder / "job.yaml").write_text(IMAGE_JOB.replace("KEYS", str(TINY)) + LORA % "classifier")
    return folder / "data.jsonl"


def write_idx(path, magic, values):
    header = struct.pack(f">{1 + values.dim()}I", magic, *values.shape)
    path.write_bytes(header + bytes(values.flatten().tolist()))


def make_run(aftune, folder, data):
    contract = folder / "contract.json"
    run(aftune, "contract", "draft", "-c", folder / "job.yaml", "-o", contract)
    for role in ("client", "provider"):
        key = folder / f"{role}.key"
        key.write_bytes((TINY / f"{role}.key").read_bytes())
        key.chmod(0o600)
        run(aftune, "contract", "sign", contract, "--role", role, "--key", key)
    run(aftune, "train", contract, "--run", folder / "run", "--key", folder / "provider.key",
        "--model", folder / "base", "--data", data, "--quiet")
    run(aftune, "audit", contract, "--run", folder / "run", "--all")
    run(aftune, "merge", folder / "base", folder / "run" / "model", folder / "merged")


def logits_of(model, **inputs):
    model.eval()
    with torch.no_grad():
        return model(**inputs).logits.double()


def distance(a, b):
    return float((a - b).norm() / b.norm())


def compare(name, folder, auto, **inputs):
    load = lambda path: auto.from_pretrained(path, dtype=torch.float32)
    base = logits_of(load(folder / "base"), **inputs)
    peft = logits_of(PeftModel.from_pretrained(load(folder / "base"), folder / "run" / "model"),
                     **inputs)
    merged = logits_of(load(folder / "merged"), **inputs)
    print(f"{name}: merged against PEFT {distance(merged, peft):.1e}, base {distance(base, peft):.1e}")
    if not distance(merged, peft) < 1e-5 or not distance(base, peft) > 1e-3:
        sys.exit("the logits differ, or the adapter does not count")


def main():
    aftune = pathlib.Path(sys.argv[1]).resolve()
    generator = torch.Generator().manual_seed(1)
    for family in (None, "vit", "dinov2"):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            if family is None:
                make_run(aftune, folder, make_text_job(aftune, folder))
                vocabulary = json.loads((TINY / "config.json").read_text())["vocab_size"]
                compare("decoder", folder, AutoModelForCausalLM,
                        input_ids=torch.randint(0, vocabulary, (2, 16), generator=generator))
            else:
                make_run(aftune, folder, make_image_job(aftune, folder, family))
                compare(family, folder, AutoModelForImageClassification,
                        pixel_values=torch.randn((2, 3, 12, 12), generator=generator))


if __name__ == "__main__":
    main()
