#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/bench compares with, by PyTorch: kernels, and a training step by transformers.

usage: bench_torch.py serve
       bench_torch.py step KIND MODEL STEPS THREADS

serve   one thread; reads a line {"op": NAME, "shape": [...], "seconds": S} at a time and answers
        {"ns": nanoseconds per call, mean over at least S seconds after one call}
step    KIND is fp32, autocast or bf16 (weights too); answers {"ns": [of each step]}: forward,
        loss, backward, clipping, AdamW, on 4 x 128 random tokens
"""
import json
import sys
import time

KINDS = ("fp32", "autocast", "bf16")


def linear_product(torch, dtype, rows, outputs, inputs):
    """y = x w^T as a linear layer has it."""
    x = torch.randn(rows, inputs).to(dtype)
    w = torch.randn(outputs, inputs).to(dtype)
    y = torch.empty(rows, outputs, dtype=dtype)
    return lambda: torch.mm(x, w.t(), out=y)


def cross_entropy(torch, rows, vocabulary, gradient):
    logits = torch.randn(rows, vocabulary, requires_grad=gradient)
    labels = torch.arange(rows) * 89 % vocabulary
    loss = torch.nn.functional.cross_entropy

    def forward_backward():
        logits.grad = None
        loss(logits, labels).backward()
    return forward_backward if gradient else lambda: loss(logits, labels)


def adamw(torch, count):
    parameter = torch.nn.Parameter(torch.full((count,), 0.5))
    parameter.grad = torch.randn(count)
    return torch.optim.AdamW([parameter], lr=1e-4, weight_decay=0.01, fused=True).step


def call_of(torch, op, shape):
    """What is timed. Results go to memory that is there already, where PyTorch can do that."""
    if op in ("mm_fp32", "mm_bf16"):
        return linear_product(torch, torch.float32 if op == "mm_fp32" else torch.bfloat16, *shape)
    if op in ("cross_entropy", "cross_entropy_gradient"):
        return cross_entropy(torch, *shape, gradient=op.endswith("gradient"))
    if op == "adamw":
        return adamw(torch, *shape)
    x = torch.randn(*shape)
    out, up, weight = torch.empty_like(x), torch.randn(*shape), torch.randn(shape[-1])
    functional, aten = torch.nn.functional, torch.ops.aten
    return {
        "exp": lambda: torch.exp(x, out=out),
        "silu": lambda: aten.silu.out(x, out=out),
        "silu_times": lambda: torch.mul(aten.silu.out(x, out=out), up, out=out),
        "softmax": lambda: aten._softmax.out(x, -1, False, out=out),
        "rms_norm": lambda: functional.rms_norm(x, shape[-1:], weight, 1e-5),
    }[op]


def mean_ns(call, seconds):
    call()
    calls, start = 0, time.perf_counter_ns()
    while True:
        call()
        calls += 1
        spent = time.perf_counter_ns() - start
        if spent >= seconds * 1e9:
            return spent / calls


def serve():
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(1)
    # One thing at a time stays in memory: the next may be large.
    name, call = None, None
    for line in sys.stdin:
        ask = json.loads(line)
        if name != (ask["op"], ask["shape"]):
            call = None
            name, call = (ask["op"], ask["shape"]), call_of(torch, ask["op"], ask["shape"])
        print(json.dumps({"ns": mean_ns(call, ask["seconds"])}), flush=True)


def load_model(torch, kind, folder):
    """KIND is one of KINDS: what the weights are held in."""
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16 if kind == "bf16" else torch.float32).train()


def training_step(torch, model, optimizer, tokens, labels, autocast):
    """The loss before the step. Labels as transformers have them: a token's own, -100 for none."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss = model(input_ids=tokens, labels=labels, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def steps(kind, folder, count, threads):
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = load_model(torch, kind, folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    tokens = torch.randint(0, model.config.vocab_size, (4, 128))
    ns = []
    for _ in range(count):
        start = time.perf_counter_ns()
        training_step(torch, model, optimizer, tokens, tokens, kind == "autocast")
        ns.append(time.perf_counter_ns() - start)
    print(json.dumps({"ns": ns, "torch": torch.__version__}))


def main(arguments):
    if arguments == ["serve"]:
        return serve()
    if len(arguments) == 5 and arguments[0] == "step" and arguments[1] in KINDS:
        return steps(arguments[1], arguments[2], int(arguments[3]), int(arguments[4]))
    sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
