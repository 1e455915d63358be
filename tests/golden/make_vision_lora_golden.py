#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/vision_lora: adapters beside the image classifiers of vision/, trained by PEFT.

Needs torch, transformers, peft and safetensors (written with 2.15.0, 5.23.0, 0.21.2 and 0.8.0).
"""
import json
import pathlib
import shutil

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file

import make_lora_golden as lora
import make_vision_golden as vision

HERE = pathlib.Path(__file__).resolve().parent
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
# Targets: every linear layer. Modules that are trained as a whole: one norm of each layer, and the head.
VARIANTS = {"vit": (ATTENTION + ["fc1", "fc2"], ["classifier", "layernorm_before"]),
            "dinov2_swiglu": (ATTENTION + ["gate_proj", "up_proj", "down_proj"],
                              ["classifier", "layer_scale1"])}


def load_base(name):
    return transformers.AutoModelForImageClassification.from_pretrained(
        HERE / "vision" / name, dtype=torch.float32, attn_implementation="eager")


def make_adapter(name, folder, targets, saved):
    torch.manual_seed(21)
    adapted = get_peft_model(load_base(name), LoraConfig(
        r=3, lora_alpha=6, lora_dropout=0.0, bias="none", target_modules=targets,
        modules_to_save=saved))
    with torch.no_grad():
        for parameter_name, parameter in adapted.named_parameters():
            if "lora_B" in parameter_name:  # away from zero, so that every gradient counts
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    adapted.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = folder / "adapter" / "adapter_config.json"
    members = json.loads(config.read_text())
    members["base_model_name_or_path"] = None  # a path of the machine that made it
    members["auto_mapping"] = None
    config.write_text(json.dumps(members, indent=2, sort_keys=True) + "\n")


def opened(name, folder, dtype):
    model = PeftModel.from_pretrained(load_base(name), folder / "adapter", is_trainable=True)
    return model.to(dtype)


def trained_of(model):
    return {lora.saved_name(n): p for n, p in model.named_parameters() if p.requires_grad}


def train(name, folder, batches, dtype, autocast=False):
    model = opened(name, folder, dtype)
    trained = trained_of(model)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8,
                                  weight_decay=0.01)
    out = {"losses": []}
    for step, (pixels, classes) in enumerate(zip(batches["pixels"], batches["classes"])):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = model(vision.values(pixels, dtype)).logits
        logits = logits.float() if autocast else logits
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(classes).long())
        optimizer.zero_grad()
        loss.backward()
        out["losses"].append(loss.item())
        if step == 0:
            out["logits"] = logits.detach().double()
            out["gradients"] = {n: p.grad.detach().double().clone() for n, p in trained.items()}
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
    out["parameters"] = {n: p.detach().double() for n, p in trained.items()}
    return out


def make(name, targets, saved):
    folder = HERE / "vision_lora" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_adapter(name, folder, targets, saved)
    batches = vision.make_batches(vision.MODELS[name])
    exact = train(name, folder, batches, torch.float64)
    start = {n: p.detach().double()
             for n, p in trained_of(opened(name, folder, torch.float32)).items()}
    table = {"bf16": lora.errors(train(name, folder, batches, torch.float32, True), exact, start),
             "fp32": lora.errors(train(name, folder, batches, torch.float32), exact, start)}
    tensors = {n: torch.from_numpy(batch) for n, batch in batches.items()}
    tensors["logits"] = exact["logits"].float()
    for kind in ("gradients", "parameters"):
        for tensor_name, tensor in exact[kind].items():
            tensors[f"{kind}.{tensor_name}"] = tensor.float().contiguous()
    save_file(tensors, folder / "expected.safetensors")
    golden = {"_comment": "made by ../../make_vision_lora_golden.py: losses in fp64, errors against "
                          "fp64", "errors": table, "losses": exact["losses"],
              **lora.spelled(lora.JOB)}
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    for run, row in table.items():
        print(name, run, {what: f"{value:.2e}" for what, value in row.items()})


def main():
    torch.set_num_threads(1)
    for name, (targets, saved) in VARIANTS.items():
        make(name, targets, saved)


if __name__ == "__main__":
    main()
