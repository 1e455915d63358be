# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's models in several arithmetics, trained a few steps. Used by the scripts beside it.

    fp64      the reference. Where transformers asks for fp32 inside a wider model (norms, softmax)
              it stays in fp64; rotary angles, their cos and sin stay fp32, as everywhere.
    fp32      as it comes.
    bf16      the products, forward and backward, take bf16 and give bf16; all else in fp32.
    autocast  torch.autocast to bf16, which also rounds activations between the products.
    x16       fp64, with the products of docs/formats/exact-arithmetic.md. Not bit by bit: sums are
              not rounded, and values in attention have one exponent a row as everything else.

Weights and moments are never rounded to bf16. Needs PyPI's torch, transformers and safetensors.
"""

import contextlib
import dataclasses
import math

import numpy as np
import torch
import transformers
from torch.overrides import TorchFunctionMode

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

IGNORED = -100
OTHERS = ("fp32", "bf16", "autocast")  # what is set beside fp64


class _Bf16Product(torch.autograd.Function):
    """a @ b with bf16 operands and a bf16 result, kept in fp32; so are both gradients."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return (a.bfloat16() @ b.bfloat16()).float()

    @staticmethod
    def backward(ctx, dc):
        a, b = (x.bfloat16() for x in ctx.saved_tensors)
        dc = dc.bfloat16()
        if b.dim() == 2:  # a weight: one product over all token rows
            db = a.flatten(0, -2).mT @ dc.flatten(0, -2)
        else:
            db = a.mT @ dc
        return (dc @ b.mT).float(), db.float()


def _quantised(x):
    """Integers of 16 bits, their low signed bytes, and the power of two of each row."""
    largest = x.abs().amax(-1, keepdim=True)
    exponent = torch.ceil(torch.log2((largest / 32639.5).clamp(min=2.0 ** -66)))
    q = torch.round(x * torch.exp2(-exponent))
    return q, torch.remainder(q + 128, 256) - 128, torch.exp2(exponent)


def _x16(a, b):
    """a b^T"""
    total = 0
    for k in range(0, a.shape[-1], 256):
        (qa, la, sa), (qb, lb, sb) = (_quantised(x[..., k:k + 256]) for x in (a, b))
        total = total + (qa @ qb.mT - la @ lb.mT) * (sa * sb.mT)
    return total


class _X16Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return _x16(a, b.mT)

    @staticmethod
    def backward(ctx, dc):
        a, b = ctx.saved_tensors
        da = _x16(dc, b)
        if b.dim() == 2:
            a, dc = a.flatten(0, -2), dc.flatten(0, -2)
        return da, _x16(a.mT, dc.mT)


class _Bf16Products(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.linear:
            x, weight = args[:2]
            product = _Bf16Product.apply(x, weight.mT)
            return product if len(args) < 3 or args[2] is None else product + args[2]
        if func is torch.matmul:
            return _Bf16Product.apply(*args)
        return func(*args, **(kwargs or {}))


class _Fp64Inside(TorchFunctionMode):
    """Leaves fp64 alone where the model's code casts to fp32."""

    def __init__(self):
        super().__init__()
        self.casts = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.to and args[1:] == (torch.float32,) and args[0].dtype == torch.float64:
            self.casts += 1
            return args[0]
        if func is torch.nn.functional.softmax and kwargs.get("dtype") == torch.float32:
            self.casts += 1
            kwargs = {**kwargs, "dtype": torch.float64}
        return func(*args, **kwargs)


class _X16Products(_Fp64Inside):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.linear:
            product = _X16Product.apply(args[0], args[1].mT)
            return product if len(args) < 3 or args[2] is None else product + args[2]
        if func is torch.matmul:
            return _X16Product.apply(*args)
        return super().__torch_function__(func, types, args, kwargs)


WIDE = {"fp64": _Fp64Inside, "x16": _X16Products}  # the model in fp64


@dataclasses.dataclass
class Batches:
    """One batch a step; targets are those of the same position (already shifted)."""
    tokens: np.ndarray   # int32 [steps, rows, sequence]
    targets: np.ndarray  # int32, IGNORED where nothing counts
    lengths: np.ndarray  # int32 [steps, rows]; what follows is padding

    def mask(self, step):
        return np.arange(self.tokens.shape[2])[None, :] < self.lengths[step][:, None]

    def tensors(self):
        return {"tokens": self.tokens, "targets": self.targets, "lengths": self.lengths}


@dataclasses.dataclass
class Outcome:
    logits: np.ndarray  # of step 0, 0 in rows of padding
    losses: list
    norms: list
    gradients: dict     # of step 0, before clipping
    parameters: dict    # after the last step


def load(folder, arithmetic):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    return model.double() if arithmetic in WIDE else model


def _optimizer(job, parameters):
    o, peak = job["optimizer"], job["schedule"]["peak"]
    if o["kind"] == "adamw":
        return torch.optim.AdamW(parameters, lr=peak, betas=(o["beta1"], o["beta2"]),
                                 eps=o["epsilon"], weight_decay=o["weight_decay"])
    return torch.optim.SGD(parameters, lr=peak, momentum=o["momentum"],
                           weight_decay=o["weight_decay"])


def _schedule(job, optimizer):
    s = job["schedule"]
    if s["kind"] == "constant":
        return transformers.get_constant_schedule(optimizer)
    return transformers.get_cosine_schedule_with_warmup(optimizer, s["warmup_steps"], s["total_steps"])


def _inside(arithmetic):
    return {**WIDE, "fp32": contextlib.nullcontext, "bf16": _Bf16Products,
            "autocast": lambda: torch.autocast("cpu", torch.bfloat16)}[arithmetic]()


def _forward(model, batches, step, arithmetic):
    mask = torch.from_numpy(batches.mask(step).astype(np.int64))
    tokens = torch.from_numpy(batches.tokens[step].astype(np.int64))
    targets = torch.from_numpy(batches.targets[step].astype(np.int64)).flatten()
    with _inside(arithmetic) as mode:
        logits = model(tokens, attention_mask=mask, use_cache=False).logits
    if arithmetic in WIDE:
        layers = model.config.num_hidden_layers
        each = 5 if model.config.model_type == "qwen3" else 3  # norms and softmax
        assert mode.casts == each * layers + 1, f"{mode.casts} casts in {layers} layers"
    wide = logits if arithmetic in WIDE else logits.float()
    loss = torch.nn.functional.cross_entropy(wide.flatten(0, 1), targets, ignore_index=IGNORED)
    return wide, loss


def arrays(named):
    return {name: tensor.detach().numpy().copy() for name, tensor in named}


def train(folder, arithmetic, batches, job):
    """The steps of `batches` from the model in `folder`; the numbers on the way."""
    model = load(folder, arithmetic)
    named = dict(model.named_parameters())
    optimizer = _optimizer(job, named.values())
    schedule = _schedule(job, optimizer)
    out = Outcome(None, [], [], None, None)
    for step in range(len(batches.tokens)):
        optimizer.zero_grad(set_to_none=True)
        logits, loss = _forward(model, batches, step, arithmetic)
        loss.backward()
        if step == 0:
            out.logits = logits.detach().numpy() * batches.mask(0)[:, :, None]
            out.gradients = arrays((n, p.grad) for n, p in named.items())
        del logits
        max_norm = job["clip"]["max_norm"]
        norm = torch.nn.utils.clip_grad_norm_(named.values(), max_norm if max_norm else math.inf)
        optimizer.step()
        schedule.step()
        out.losses.append(loss.item())
        out.norms.append(norm.item())
    out.parameters = arrays(named.items())
    return out


def check_against_own_loss(folder, batches):
    """The loss that transformers computes from labels is that of our shifted targets."""
    model = load(folder, "fp32")
    tokens = torch.from_numpy(batches.tokens[0].astype(np.int64))
    labels = np.full_like(batches.tokens[0], IGNORED)
    labels[:, 1:] = batches.targets[0][:, :-1]
    assert (batches.targets[0][:, -1] == IGNORED).all(), "the last target would be lost"
    with torch.no_grad():
        theirs = model(tokens, labels=torch.from_numpy(labels.astype(np.int64)),
                       attention_mask=torch.from_numpy(batches.mask(0).astype(np.int64))).loss
        ours = _forward(model, batches, 0, "fp32")[1]
    assert abs(theirs - ours) < 1e-6 * ours, f"{theirs} and {ours}"


class Distance:
    """Frobenius norms of a difference and of what it is relative to, over many arrays."""

    def __init__(self):
        self.difference = self.size = 0.0

    def add(self, got, want, start=None):
        want = want.astype(np.float64)
        difference = got.astype(np.float64) - want
        size = want if start is None else want - start.astype(np.float64)
        self.difference += float(np.vdot(difference, difference))
        self.size += float(np.vdot(size, size))

    def relative(self):
        return math.sqrt(self.difference / self.size)


def errors(got, want, start):
    """How far `got` is from `want`. Parameters relative to how far training moved them."""
    logits, gradient, parameters = Distance(), Distance(), Distance()
    logits.add(got.logits, want.logits)
    by_tensor, largest = {}, 0.0
    for name in sorted(want.gradients):
        one = Distance()
        one.add(got.gradients[name], want.gradients[name])
        by_tensor[name] = one.relative()
        gradient.difference += one.difference
        gradient.size += one.size
        parameters.add(got.parameters[name], want.parameters[name], start[name])
        largest = max(largest, float(np.abs(got.parameters[name].astype(np.float64)
                                            - want.parameters[name]).max()))
    worst = max(by_tensor, key=by_tensor.get)
    return {
        "logits": logits.relative(),
        "argmax_changed": float(np.mean(got.logits.argmax(-1) != want.logits.argmax(-1))),
        "loss": abs(got.losses[0] / want.losses[0] - 1),
        "loss_last": abs(got.losses[-1] / want.losses[-1] - 1),
        "gradient": gradient.relative(),
        "gradient_median_tensor": float(np.median(list(by_tensor.values()))),
        "gradient_worst_tensor": by_tensor[worst],
        "worst_tensor": worst,
        "parameters": parameters.relative(),
        "parameters_largest": largest,
    }


def hex_float(value):
    """The spelling of a real in a contract: docs/formats/json.md."""
    mantissa, _, exponent = float(value).hex().partition("p")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    return whole + ("." + fraction if fraction else "") + "p" + exponent


def in_contract_form(job):
    """Optimizer, schedule and clipping as docs/formats/training.md spells them."""
    return {part: {k: hex_float(v) if isinstance(v, float) else v for k, v in job[part].items()}
            for part in ("optimizer", "schedule", "clip")}


def versions():
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
