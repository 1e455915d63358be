# SPDX-License-Identifier: Apache-2.0
"""What tools/compare-training found, as a table and as a plot."""
import statistics

SIDES = ("x16", "fp32", "autocast", "bf16")
NAMES = {"base": "not trained", "x16": "AFTUNE, exact (x16)", "fp32": "PyTorch fp32",
         "autocast": "PyTorch, autocast to bf16", "bf16": "PyTorch, weights in bf16"}
COLORS = {"x16": "#0072b2", "fp32": "#000000", "autocast": "#e69f00", "bf16": "#d55e00"}
LAST_STEPS = 20


def of(results, side):
    """The side's results by seed."""
    return {r["seed"]: r for r in results if r["side"] == side}


def differences(results, side):
    """|loss - loss of fp32| of each step, a list a seed that both sides finished."""
    exact = of(results, "fp32")
    return [[abs(a - b) for a, b in zip(r["losses"], exact[seed]["losses"])]
            for seed, r in sorted(of(results, side).items()) if seed in exact]


def each(values, form):
    return ", ".join(form.format(v) for v in values)


def row(results, side):
    mine, exact = of(results, side), of(results, "fp32")
    ordered = [mine[seed] for seed in sorted(mine)]
    apart = differences(results, side)
    held_out = [abs(mine[s]["held_out"] - exact[s]["held_out"]) for s in sorted(mine) if s in exact]
    cells = [
        NAMES[side],
        each((statistics.mean(r["losses"][-LAST_STEPS:]) for r in ordered), "{:.4f}"),
        "" if side == "fp32" else each((statistics.mean(d) for d in apart), "{:.1e}"),
        each((r["held_out"] for r in ordered), "{:.4f}"),
        "" if side == "fp32" else each(held_out, "{:.1e}"),
        each((100 * r["accuracy"] for r in ordered), "{:.1f} %")]
    return "| " + " | ".join(cells) + " |"


def table(results):
    """Markdown; figures of the seeds in ascending order, separated by commas."""
    lines = [f"| | training loss, last {LAST_STEPS} steps | from fp32, mean of all steps "
             "| held-out loss | from fp32 | right labels |", "|---|---|---|---|---|---|"]
    for r in of(results, "base").values():
        lines.append(f"| {NAMES['base']} | | | {r['held_out']:.4f} | | {100 * r['accuracy']:.1f} % |")
    return "\n".join(lines + [row(results, side) for side in SIDES if of(results, side)])


def plot(results, path):
    """Losses, and how far each side is from fp32, as an SVG whose bytes hold no date."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "aftune", "svg.fonttype": "none", "font.size": 9,
                                "path.simplify_threshold": 0.5})
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    # The exact side last: where curves cover each other, the other one is seen to be below.
    for side in ("bf16", "autocast", "fp32", "x16"):
        for index, result in enumerate(of(results, side).values()):
            left.plot(smooth(result["losses"]), color=COLORS[side], linewidth=1,
                      linestyle="--" if side == "x16" else "-",
                      label=NAMES[side] if index == 0 else None)
        if side == "fp32":
            continue
        for index, apart in enumerate(differences(results, side)):
            right.plot(smooth(apart), color=COLORS[side], linewidth=1,
                       label=NAMES[side] if index == 0 else None)
    left.set(xlabel="step", ylabel=f"loss, mean of {SMOOTH} steps")
    right.set(xlabel="step", ylabel="distance of the loss from fp32's", yscale="log")
    left.legend(frameon=False)
    right.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


SMOOTH = 10


def smooth(values):
    """The mean of each step and the SMOOTH - 1 before it."""
    return [statistics.mean(values[max(0, i + 1 - SMOOTH):i + 1]) for i in range(len(values))]
