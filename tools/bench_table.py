# SPDX-License-Identifier: Apache-2.0
"""What tools/bench says about figures: ratio, spread, met or missed, rows and tables.

Pure: starts nothing, measures nothing. tools/bench_table_test.py tests it.
"""
import dataclasses
import re
import statistics

BEGIN = "<!-- tools/bench --write: begin -->"
END = "<!-- tools/bench --write: end -->"
COLUMNS = ["measure", "ours", "other", "ratio", "spread", "target", "", "commit"]


@dataclasses.dataclass(frozen=True)
class Measure:
    """One row. `ours` and `other` are keys of figures that the sources of a group give.

    kind    speed: seconds, how many times as fast as the other (other / ours, at least target)
            share: how much of the other (ours / other, at least target)
            cost:  how many times the other (ours / other, at most target)
    unit    of the figures: s, B/s, op/s, lines
    flop    of one call, where a rate says more than seconds
    """
    name: str
    ours: str
    other: str
    target: float = None
    kind: str = "speed"
    unit: str = "s"
    flop: float = None

    def ratio(self, ours, other):
        return other / ours if self.kind == "speed" else ours / other

    def met(self, ratio):
        if self.target is None or ratio is None:
            return None
        return ratio <= self.target if self.kind == "cost" else ratio >= self.target


@dataclasses.dataclass(frozen=True)
class Row:
    measure: Measure
    ours: float = None    # medians
    other: float = None
    ratio: float = None   # the median of the pairs' ratios
    low: float = None     # their least and greatest
    high: float = None
    pairs: int = 0
    skipped: str = None   # why there are no figures

    @property
    def verdict(self):
        if self.skipped is not None:
            return f"skipped: {self.skipped}"
        return {True: "met", False: "missed", None: "no target"}[self.measure.met(self.ratio)]


def judge(measure, rounds):
    """`rounds`: one dict of figures by key each. Only rounds that have both sides make a pair."""
    pairs = [(r[measure.ours], r[measure.other]) for r in rounds
             if measure.ours in r and measure.other in r]
    if not pairs:
        return Row(measure, skipped="no pair of figures")
    # Nothing of what is counted may be the best result; a time of nothing is none.
    if any(other <= 0 or ours < 0 or (ours == 0 and measure.unit != "lines")
           for ours, other in pairs):
        return Row(measure, skipped="a figure is not positive")
    ratios = [measure.ratio(ours, other) for ours, other in pairs]
    return Row(measure, statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs),
               statistics.median(ratios), min(ratios), max(ratios), len(pairs))


def figure(value, measure):
    """A figure for people, three digits."""
    if value is None:
        return ""
    if measure.flop:
        return f"{measure.flop / value / 1e9:.3g} GFLOP/s"
    if measure.unit == "lines":
        return f"{value:g} lines"
    if measure.unit != "s":
        return f"{value / 1e9:.3g} G{measure.unit}"
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def cells(row, commit=""):
    """The row's cells as in COLUMNS. Three digits, so that no figure looks better than it is."""
    measure = row.measure
    target = "" if measure.target is None else (
        f"at {'most' if measure.kind == 'cost' else 'least'} {measure.target:g}")
    if row.skipped is not None:
        return [measure.name, "", "", "", "", target, row.verdict, commit]
    return [measure.name, figure(row.ours, measure), figure(row.other, measure), f"{row.ratio:.3f}",
            f"{row.low:.3f} to {row.high:.3f}, {row.pairs} pair{'s' * (row.pairs != 1)}", target,
            row.verdict, commit]


LINE = "{:38} {:>14} {:>14}  {:>6}  {:25} {:14} {}"
HEADING = LINE.format("measure", "ours", "other", "ratio", "spread", "target", "").rstrip()


def text_line(row):
    return LINE.format(*cells(row)[:-1]).rstrip()


def json_object(row):
    measure = row.measure
    return {"measure": measure.name, "ours": row.ours, "other": row.other, "unit": measure.unit,
            "ratio": row.ratio, "ratio_min": row.low, "ratio_max": row.high, "pairs": row.pairs,
            "target": measure.target, "target_is": "most" if measure.kind == "cost" else "least",
            "met": measure.met(row.ratio), "skipped": row.skipped}


def selected(measures, only, all_long=False, long_names=()):
    """Those that are named, or that stand under a name: product/1024 names product/1024/fp32.

    Without names all but the long ones. Raises ValueError for a name that names nothing.
    """
    if not only:
        return [m for m in measures if all_long or m.name not in long_names]
    for name in only:
        if not any(is_under(m.name, name) for m in measures):
            raise ValueError(f"there is no measure {name}; --list names them")
    return [m for m in measures if any(is_under(m.name, name) for name in only)]


def is_under(name, prefix):
    return name == prefix or name.startswith(prefix.rstrip("/") + "/")


def old_rows(block, heading):
    """Rows of an earlier table by measure, if it was taken on the same machine."""
    if heading not in block.splitlines():
        return {}
    rows = {}
    for line in block.splitlines():
        found = re.match(r"\| ([\w/.-]+) \|.*\|$", line)
        if found and found.group(1) != "measure":
            rows[found.group(1)] = line
    return rows


def with_table(page, rows, heading, commit, order):
    """The page with the table between its two markers made anew.

    Rows of the last table stay where they were not measured now and `heading`, which names the
    machine, is the same. Raises ValueError if the page does not have the two markers once, in order.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page must have {BEGIN} and {END} once each, in this order")
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    lines = old_rows(page[start:end], heading)
    for row in rows:
        lines[row.measure.name] = "| " + " | ".join(cells(row, commit)) + " |"
    table = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    table += [lines[name] for name in order if name in lines]
    return page[:start] + "\n" + heading + "\n\n" + "\n".join(table) + "\n" + page[end:]
