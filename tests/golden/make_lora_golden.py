#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/lora and lora_head: a small random Llama with adapters, trained by PEFT.

    make_lora_golden.py                     # both
    make_lora_golden.py --only lora_head    # on lora's base

Needs torch, transformers, peft and safetensors.
"""
import argparse
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).resolve().parent
BASE = HERE / "lora" / "base"
STEPS, ROWS, SEQUENCE, VOCABULARY = 3, 3, 8, 32
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# Targets, and modules that are trained as a whole.
VARIANTS = {"lora": (TARGETS, ["lm_head", "model.norm"]),
            "lora_head": (["q_proj", "down_proj", "lm_head"], ["model.norm"])}
JOB = {
    "clip": {"max_norm": (1.0).hex()},
    "optimizer": {"beta1": (0.9).hex(), "beta2": (0.999).hex(), "epsilon": (1e-8).hex(),
                  "kind": "adamw", "weight_decay": (0.01).hex()},
    "schedule": {"kind": "constant", "peak": (1e-2).hex()},
}


def spelled(value):
    """A hex float as docs/formats/json.md spells it."""
    if isinstance(value, dict):
        return {name: spelled(item) for name, item in value.items()}
    if not value.startswith("0x"):
        return value
    digits, exponent = value.split("p")
    return digits.rstrip("0").rstrip(".") + "p" + exponent


def make_base():
    torch.manual_seed(11)
    config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=40,
                         num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                         max_position_embeddings=32, rms_norm_eps=1e-5,
                         tie_word_embeddings=False)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.1 if "norm" in name else 0.2)
                            + (1.0 if "norm" in name else 0.0))
    model.save_pretrained(BASE, safe_serialization=True)
    (BASE / "generation_config.json").unlink(missing_ok=True)


def make_adapter(folder, targets, saved):
    torch.manual_seed(12)
    model = LlamaForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=6, use_rslora=True, lora_dropout=0.0, bias="none",
                        target_modules=targets, modules_to_save=saved,
                        task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:  # away from zero, so that every gradient counts
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    # Else PEFT writes the base's head and embedding beside an adapter of the head.
    adapted.save_pretrained(folder / "adapter", save_embedding_layers=False)
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = folder / "adapter" / "adapter_config.json"
    members = json.loads(config.read_text())
    members["base_model_name_or_path"] = None  # a path of the machine that made it
    config.write_text(json.dumps(members, indent=2, sort_keys=True) + "\n")


def make_batches():
    generator = torch.Generator().manual_seed(13)
    tokens = torch.randint(0, VOCABULARY, (STEPS, ROWS, SEQUENCE), generator=generator)
    targets = torch.cat([tokens[:, :, 1:], torch.full((STEPS, ROWS, 1), -100)], 2)
    targets[:, :, 2] = -100
    return tokens, targets


def opened(folder, dtype):
    base = LlamaForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True)
    return model.to(dtype)


def saved_name(name):
    return name.replace(".default", "").replace("modules_to_save.", "")


def train(folder, dtype, autocast=False):
    model = opened(folder, dtype)
    trained = {saved_name(n): p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8,
                                  weight_decay=0.01)
    out = {"losses": []}
    for step, (tokens, targets) in enumerate(zip(*make_batches())):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = model(input_ids=tokens).logits
        logits = logits.float() if autocast else logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        out["losses"].append(loss.item())
        if step == 0:
            out["logits"] = logits.detach().double().flatten(0, 1)
            out["gradients"] = {n: p.grad.detach().double().clone() for n, p in trained.items()}
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
    out["parameters"] = {n: p.detach().double() for n, p in trained.items()}
    return out


def distance(got, want, start=None):
    """Relative Frobenius norm over all tensors."""
    difference = size = 0.0
    for name, tensor in want.items():
        difference += float(((got[name] - tensor) ** 2).sum())
        size += float(((tensor - start[name] if start else tensor) ** 2).sum())
    return (difference / size) ** 0.5


def errors(run, exact, start):
    return {"logits": distance({"": run["logits"]}, {"": exact["logits"]}),
            "gradients": distance(run["gradients"], exact["gradients"]),
            "parameters": distance(run["parameters"], exact["parameters"], start)}


def make(folder, targets, saved):
    shutil.rmtree(folder / "adapter", ignore_errors=True)
    make_adapter(folder, targets, saved)
    exact = train(folder, torch.float64)
    start = {saved_name(n): p.detach().double()
             for n, p in opened(folder, torch.float32).named_parameters() if p.requires_grad}
    table = {"bf16": errors(train(folder, torch.float32, autocast=True), exact, start),
             "fp32": errors(train(folder, torch.float32), exact, start)}
    tokens, targets = make_batches()
    tensors = {"tokens": tokens.int(), "targets": targets.int(), "logits": exact["logits"].float()}
    for kind in ("gradients", "parameters"):
        for name, tensor in exact[kind].items():
            tensors[f"{kind}.{name}"] = tensor.float().contiguous()
    save_file(tensors, folder / "expected.safetensors")
    golden = {"_comment": "made by ../make_lora_golden.py: losses in fp64, errors against fp64",
              "errors": table, "losses": exact["losses"], **spelled(JOB)}
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    for run, row in table.items():
        print(folder.name, run, {name: f"{value:.2e}" for name, value in row.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=VARIANTS)
    only = parser.parse_args().only
    if only in (None, "lora"):
        shutil.rmtree(BASE, ignore_errors=True)
        make_base()
    for name, (targets, saved) in VARIANTS.items():
        if only in (None, name):
            make(HERE / name, targets, saved)


if __name__ == "__main__":
    main()
