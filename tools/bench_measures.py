# SPDX-License-Identifier: Apache-2.0
"""Which measures tools/bench has, their targets, and which sources give their figures."""
import dataclasses
import json

from bench_sources import BLOCK_STEPS, Trouble, exact_digests, recorded, run, torch_step
from bench_table import Measure

# T, N, K of a product y = x w^T. The last three are SmolLM2-135M's on 4 x 128 tokens.
SHAPES = {"1024": (1024, 1024, 1024), "2048": (2048, 2048, 2048), "512x1536x576": (512, 1536, 576),
          "512x576x1536": (512, 576, 1536), "512x49152x576": (512, 49152, 576)}
SQUARES = ("1024", "2048")
# Of x16 over PyTorch's mm, by instruction set: fp32, bf16.
PRODUCT_TARGETS = {"amx": (2.5, 0.45), "avx512": (1.2, 0.55), "avx2": (0.55, None)}
LIBRARIES = ("openblas", "onednn_fp32", "onednn_bf16")
# Operation of bench_torch.py, its shape, target. "silu" is silu(gate) * up on both sides: the model
# has no other; "silu/alone" gives the other side only half of that work.
ELEMENTWISE = {"exp": ("exp", "exp", (512, 1536), 1.0),
               "silu": ("silu", "silu_times", (512, 1536), 1.0),
               "silu/alone": ("silu", "silu", (512, 1536), None),
               "softmax": ("softmax", "softmax", (512, 2048), 1.0),
               "rms_norm": ("rms_norm", "rms_norm", (512, 576), 1.0),
               "cross_entropy": ("cross_entropy", "cross_entropy", (512, 49152), 1.0),
               "cross_entropy/gradient":
                   ("cross_entropy_gradient", "cross_entropy_gradient", (512, 49152), None)}
# Of a whole step over eager PyTorch's.
STEP_TARGETS = {"amx": {"fp32": 1.7, "autocast": 1.1, "bf16": 1.0},
                "avx512": {"fp32": 1.5, "autocast": 1.0, "bf16": 0.9}}
LONG = {"recorded"}


@dataclasses.dataclass
class Group:
    """Measures whose figures are taken in the same rounds. Each source takes the keys that are
    wanted and gives those that it has; sources take turns in being the first of a round."""
    measures: list
    sources: list
    lacks: dict = dataclasses.field(default_factory=dict)  # name of a measure -> why it is skipped
    rounds_at_once: object = None  # gives all rounds itself, in turn


@dataclasses.dataclass
class Bench:
    """What this machine has. A part that is None is named in `lacks` with the reason."""
    isas: list            # slowest first
    kernels: object       # Kernels
    torch: object         # TorchKernels
    training: object      # Training
    python: str
    model: str
    program: str          # aftune
    decode_bench: str     # bench/decode_bench.cc
    exact_digests: str    # tests/exact
    folder: str           # for what is made on the way
    core: list            # one processor
    cores: list           # two
    lacks: dict
    pairs: int = 5


def kernel_source(bench, names):
    """`names`: key -> name of a benchmark."""
    def source(wanted):
        chosen = {key: name for key, name in names.items() if key in wanted}
        if not chosen:
            return {}
        figures = bench.kernels.figures(set(chosen.values()))
        return {key: figures[name] for key, name in chosen.items()}
    return source


def torch_source(bench, asks):
    def source(wanted):
        chosen = {key: ask for key, ask in asks.items() if key in wanted}
        return bench.torch.figures(chosen) if chosen else {}
    return source


def call_source(key, call):
    return lambda wanted: {key: call()} if key in wanted else {}


def lacking(bench, measure_name, isa=None, benchmark=None, parts=()):
    """{name: why} if the measure cannot be taken here."""
    if isa is not None and isa not in bench.isas:
        return {measure_name: f"this machine has no {isa}"}
    for part in parts:
        if part in bench.lacks:
            return {measure_name: bench.lacks[part]}
    if benchmark is not None and benchmark not in bench.kernels.names:
        return {measure_name: f"this build has no {benchmark}"}
    return {}


def product_group(bench, shape):
    """The product of one shape: each instruction set against PyTorch, the fastest against the
    libraries in its own process."""
    long_name = "x".join(map(str, SHAPES[shape]))
    rows, outputs, inputs = SHAPES[shape]
    flop = 2.0 * rows * outputs * inputs
    names = {isa: f"product/{isa}/{long_name}" for isa in PRODUCT_TARGETS}
    names |= {library: f"{library}/{long_name}" for library in LIBRARIES}
    group = Group([], [kernel_source(bench, names),
                       torch_source(bench, {"fp32": ("mm_fp32", SHAPES[shape]),
                                            "bf16": ("mm_bf16", SHAPES[shape])})])
    fastest = bench.isas[-1]
    for isa, targets in PRODUCT_TARGETS.items():
        for other, target in zip(("fp32", "bf16"), targets):
            if shape in SQUARES and target is None or shape not in SQUARES and isa != fastest:
                continue
            name = f"product/{shape}/{isa}/{other}"
            group.measures.append(Measure(name, isa, other, target if shape in SQUARES else None,
                                          flop=flop))
            group.lacks |= lacking(bench, name, isa, names[isa], ["torch"])
    if fastest in PRODUCT_TARGETS:
        for library in LIBRARIES:
            name = f"product/{shape}/{fastest}/{library}"
            group.measures.append(Measure(name, fastest, library, flop=flop))
            group.lacks |= lacking(bench, name, fastest, names[library])
    return group


def elementwise_group(bench, name):
    subject, op, shape, target = ELEMENTWISE[name]
    benchmark = f"{subject}/{bench.isas[-1]}/1"
    return Group([Measure(name, "ours", "torch", target)],
                 [kernel_source(bench, {"ours": benchmark}),
                  torch_source(bench, {"torch": (op, shape)})],
                 lacking(bench, name, None, benchmark, ["torch"]))


def update_group(bench):
    benchmark = f"adamw/{bench.isas[-1]}/1"
    return Group([Measure("adamw", "ours", "torch")],
                 [kernel_source(bench, {"ours": benchmark}),
                  torch_source(bench, {"torch": ("adamw", (49152 * 576,))})],
                 lacking(bench, "adamw", None, benchmark, ["torch"]))


def int8_group(bench):
    """Int8 multiply-adds of the products of a step, three a product, over the core's peak."""
    names = {"products": f"step_products/{bench.isas[-1]}/1", "peak": f"int8_peak/{bench.isas[-1]}"}
    flop = 3 * 2.0 * 512 * (30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576) + 49152 * 576)
    peak = 128.0 * 16 * (1 << 16)
    plain = kernel_source(bench, names)

    def rates(wanted):
        seconds = plain(wanted)
        return {"products": 3 * flop / seconds["products"], "peak": peak / seconds["peak"]}
    name = "products/int8_peak"
    return Group([Measure(name, "products", "peak", kind="share", unit="op/s")], [rates],
                 lacking(bench, name, None, names["peak"]))


def hash_group(bench):
    """Two threads over one; two processors."""
    def source(wanted):
        return bench.kernels.figures(wanted, bench.cores)
    names = ("blake3", "sha256")
    return Group([Measure(f"{n}/two_threads", f"{n}/2", f"{n}/1") for n in names], [source],
                 {k: v for n in names
                  for k, v in lacking(bench, f"{n}/two_threads", parts=["cores"]).items()})


def step_group(bench):
    """A whole training step; and its products alone, on the same two processors."""
    targets = STEP_TARGETS.get(bench.isas[-1], {})
    kinds = ("fp32", "autocast", "bf16")
    measures = [Measure(f"step/{kind}", "ours", kind, targets.get(kind)) for kind in kinds]
    measures.append(Measure("step/products", "products", "ours", kind="share"))
    products = f"step_products/{bench.isas[-1]}/2"
    sources = [call_source("ours", lambda: bench.training.step(bench.cores))]
    for kind in kinds:
        sources.append(call_source(kind, lambda kind=kind: torch_step(
            bench.python, bench.model, kind, bench.cores)))
    sources.append(call_source(
        "products", lambda: bench.kernels.figures({products}, bench.cores)[products]))
    lacks = {}
    for measure in measures:
        parts = ["cores", "model"] + (["torch"] if measure.other in kinds else [])
        lacks |= lacking(bench, measure.name, parts=parts)
    return Group(measures, sources, lacks)


def thread_group(bench):
    return Group([Measure("step/two_threads", "two", "one", 1.9)],
                 [call_source("one", lambda: bench.training.step(bench.core)),
                  call_source("two", lambda: bench.training.step(bench.cores))],
                 lacking(bench, "step/two_threads", parts=["cores", "model"]))


def audit_group(bench):
    """Against unrecorded steps: those of the audited run are longer where it writes states."""
    return Group([Measure("audit", "audit", "training", 1.1, "cost")],
                 [call_source("audit", lambda: bench.training.audit(bench.cores)),
                  call_source("training", lambda: BLOCK_STEPS * bench.training.step(bench.cores))],
                 lacking(bench, "audit", parts=["cores", "model"]))


def bits_group(bench):
    """Digests of every operation and of whole steps, over instruction sets and thread counts."""
    def rounds():
        differing, lines = exact_digests(bench.exact_digests, bench.isas, bench.cores)
        return [{"differing": differing, "lines": lines}]
    return Group([Measure("differing_bits", "differing", "lines", 0, "cost", "lines")], [],
                 lacking(bench, "differing_bits", parts=["exact_digests"]), rounds)


def recorded_group(bench):
    def rounds():
        return [{"plain": plain, "recorded": full} for plain, full in recorded(
            bench.program, bench.model, bench.folder, bench.cores, bench.pairs)]
    return Group([Measure("recorded", "recorded", "plain", 1.03, "cost")], [],
                 lacking(bench, "recorded", parts=["cores", "model"]), rounds)


def decode_group(bench):
    """bench/decode_bench.cc prints {"decode_bytes_per_second": R, "read_bytes_per_second": R}."""
    def source(_):
        said = json.loads(run([bench.decode_bench, bench.model], bench.cores))
        try:
            return {"decode": float(said["decode_bytes_per_second"]),
                    "read": float(said["read_bytes_per_second"])}
        except KeyError as error:
            raise Trouble(f"decode_bench does not say {error}") from error
    return Group([Measure("decode", "decode", "read", 0.7, "share", "B/s")], [source],
                 lacking(bench, "decode", parts=["decode", "cores", "model"]))


def all_groups(bench):
    groups = [product_group(bench, shape) for shape in SHAPES]
    groups += [elementwise_group(bench, name) for name in ELEMENTWISE]
    groups += [update_group(bench), hash_group(bench), int8_group(bench), step_group(bench),
               thread_group(bench), decode_group(bench), audit_group(bench), bits_group(bench),
               recorded_group(bench)]
    return groups
