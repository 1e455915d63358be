#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of tools/compare-training, a process each.

usage: comparison_torch.py train KIND BASE BATCHES OUT LEARNING_RATE THREADS
       comparison_torch.py evaluate MODEL QUESTIONS THREADS

train     KIND as in bench_torch.py; AdamW without decay, clipping at 1.0, as the job of
          tools/compare-training has it; writes OUT as transformers does; answers {"losses",
          "seconds"} of the steps
evaluate  in fp32; answers {"loss": mean over counted tokens, "accuracy": share of the questions
          whose right answer is the likeliest of the choices}
"""
import json
import sys
import time

import bench_torch


def train(torch, kind, base, batches, out, learning_rate):
    model = bench_torch.load_model(torch, kind, base)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    answer = {"losses": [], "seconds": []}
    for batch in batches:
        start = time.perf_counter()
        answer["losses"].append(bench_torch.training_step(
            torch, model, optimizer, torch.tensor(batch["tokens"]), torch.tensor(batch["labels"]),
            kind == "autocast"))
        answer["seconds"].append(time.perf_counter() - start)
    model.save_pretrained(out)
    return answer


def evaluate(torch, folder, questions, together=8):
    model = bench_torch.load_model(torch, "fp32", folder).eval()
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
    if arguments[0] == "train" and len(arguments) == 7 and arguments[1] in bench_torch.KINDS:
        answer = train(torch, arguments[1], arguments[2], read(arguments[3]), arguments[4],
                       float(arguments[5]))
    elif arguments[0] == "evaluate" and len(arguments) == 4:
        answer = evaluate(torch, arguments[1], read(arguments[2]))
    else:
        sys.exit(__doc__)
    print(json.dumps({**answer, "torch": torch.__version__}))


if __name__ == "__main__":
    main(sys.argv[1:])
