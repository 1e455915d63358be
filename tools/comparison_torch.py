#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of tools/compare-training, a process each.

usage: comparison_torch.py adapter BASE OUT RANK SEED THREADS
       comparison_torch.py train KIND BASE BATCHES OUT LEARNING_RATE [ADAPTER] THREADS
       comparison_torch.py evaluate MODEL QUESTIONS [ADAPTER] THREADS

adapter   a new one for all linear layers of the decoder, as PEFT draws and writes it
train     KIND as in bench_torch.py; AdamW without decay, clipping at 1.0, as the job of
          tools/compare-training has it; of the model, or of ADAPTER alone; writes OUT as
          transformers or PEFT do; answers {"losses", "seconds"} of the steps
evaluate  in fp32, MODEL with ADAPTER if given; answers {"loss": mean over counted tokens, "accuracy": share of the questions
          whose right answer is the likeliest of the choices}
"""
import json
import sys
import time

import bench_torch


LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_adapter(torch, base, out, rank, seed):
    import peft
    torch.manual_seed(seed)
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=LINEAR,
                             task_type="CAUSAL_LM")
    peft.get_peft_model(bench_torch.load_model(torch, "fp32", base), config).save_pretrained(out)
    return {}


def load_model(torch, kind, base, adapter, is_trainable):
    model = bench_torch.load_model(torch, kind, base)
    if adapter is None:
        return model
    import peft
    return peft.PeftModel.from_pretrained(model, adapter, is_trainable=is_trainable)


def train(torch, kind, base, batches, out, learning_rate, adapter=None):
    model = load_model(torch, kind, base, adapter, is_trainable=True).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0)
    answer = {"losses": [], "seconds": []}
    for batch in batches:
        start = time.perf_counter()
        answer["losses"].append(bench_torch.training_step(
            torch, model, optimizer, torch.tensor(batch["tokens"]), torch.tensor(batch["labels"]),
            kind == "autocast"))
        answer["seconds"].append(time.perf_counter() - start)
    model.save_pretrained(out)
    return answer


def evaluate(torch, folder, questions, adapter=None, together=8):
    model = load_model(torch, "fp32", folder, adapter, is_trainable=False).eval()
    choices = torch.tensor(questions["choices"])
    samples = questions["samples"]
    loss = counted = right = 0
    with torch.inference_mode():
        for first in range(0, len(samples), together):
            some = samples[first:first + together]
            logits = model(input_ids=torch.tensor([s["tokens"] for s in some]),
                           use_cache=False).logits
            labels = torch.tensor([s["labels"] for s in some])[:, 1:]
            loss += torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), labels.flatten(), reduction="sum").item()
            counted += (labels != -100).sum().item()
            for i, sample in enumerate(some):
                best = choices[logits[i, sample["place"], choices].argmax()]
                right += best.item() == sample["answer"]
    return {"loss": loss / counted, "accuracy": right / len(samples)}


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(arguments):
    import torch
    torch.set_num_threads(int(arguments[-1]))
    torch.manual_seed(1)
    what, words = arguments[0], arguments[1:-1]
    if what == "adapter" and len(words) == 4:
        answer = make_adapter(torch, words[0], words[1], int(words[2]), int(words[3]))
    elif what == "train" and len(words) in (5, 6) and words[0] in bench_torch.KINDS:
        answer = train(torch, words[0], words[1], read(words[2]), words[3], float(words[4]),
                       *words[5:])
    elif what == "evaluate" and len(words) in (2, 3):
        answer = evaluate(torch, words[0], read(words[1]), *words[2:])
    else:
        sys.exit(__doc__)
    print(json.dumps({**answer, "torch": torch.__version__}))


if __name__ == "__main__":
    main(sys.argv[1:])
