# SPDX-License-Identifier: Apache-2.0
"""What tools/compare-serving found, as figures and as a table. No model, no server."""
import json
import statistics


def differences(chosen, logits, rounded):
    """Where `chosen[i]` is not the most likely token of the row `logits[i]`: the gap between the two
    logits there, and the largest difference of the row `rounded[i]` (the same in bf16) from it."""
    out = []
    for position, (token, row, other) in enumerate(zip(chosen, logits, rounded, strict=True)):
        likeliest = max(range(len(row)), key=lambda v: row[v])
        if row[token] < row[likeliest]:
            out.append({"position": position, "ours": token, "theirs": likeliest,
                        "gap": float(row[likeliest] - row[token]),
                        "bf16": max(abs(a - b) for a, b in zip(row, other, strict=True))})
    return out


def ratio(rounds):
    """Median of the rounds' ratios of tokens a second without receipts to those with, and least
    and greatest."""
    ratios = [one["without"] / one["with"] for one in rounds]
    return statistics.median(ratios), min(ratios), max(ratios)


def equal_share(results):
    tokens = sum(a["tokens"] for a in results["answers"])
    return 1 - sum(len(a["differences"]) for a in results["answers"]) / tokens


def audit_shares(results):
    """Seconds of all layer blocks, head and decisions over those of the generation, and of the
    head and a tenth of the layer blocks."""
    generated = sum(a["seconds"] for a in results["answers"])
    blocks = sum(a["audit_blocks"] for a in results["answers"])
    head = sum(a["audit_head"] for a in results["answers"])
    return (blocks + head) / generated, (head + blocks / 10) / generated


def targets(results):
    """Each target and whether it is met; those that were not measured are left out."""
    answers = results["answers"]
    found = [d for a in answers for d in a["differences"]]
    out = [("every receipt verified offline", all(a["verified"] for a in answers)),
           ("every answer audited with ACCEPT", all(a["outcome"] == "ACCEPT" for a in answers)),
           ("prompts are transformers' tokens", all(a["same_prompt"] for a in answers)),
           ("greedy tokens equal on 99 % of positions", equal_share(results) >= 0.99),
           ("differences are near ties (gap below bf16's error there)",
            all(d["gap"] < d["bf16"] for d in found)),
           ("the same texts one by one and at once", results["at_once"]["same_texts"])]
    if results["rounds"]:
        out.append(("receipts slow down by at most 3 %", ratio(results["rounds"])[0] <= 1.03))
    return out


def as_json(results):
    return json.dumps(results | {"targets": dict(targets(results))})


def table(results):
    answers = results["answers"]
    tokens = sum(a["tokens"] for a in answers)
    seconds = sum(a["seconds"] for a in answers)
    every, tenth = audit_shares(results)
    rows = [
        ("answers, tokens", f"{len(answers)}, {tokens}"),
        ("verified offline", f"{sum(a['verified'] for a in answers)} of {len(answers)}"),
        ("audited, all blocks: ACCEPT",
         f"{sum(a['outcome'] == 'ACCEPT' for a in answers)} of {len(answers)}"),
        ("tokens equal to transformers' fp32, same tokens before",
         f"{100 * equal_share(results):.3f} %"),
        ("tokens a second, one request at a time", f"{tokens / seconds:.1f}"),
        (f"tokens a second, {results['at_once']['requests']} at once",
         f"{results['at_once']['rate']:.1f}"),
        ("tokens a second, transformers fp32, one at a time",
         f"{results['transformers_rate']:.1f}"),
        ("audit of all blocks over the generation", f"{every:.3f}"),
        ("audit of the head and a tenth of the blocks", f"{tenth:.3f}"),
        ("bytes kept a token (prompt and output): edges, receipt and log",
         f"{results['store_bytes'] / results['positions']:.0f}, "
         f"{results['log_bytes'] / results['positions']:.0f}"),
        ("bytes of receipt, proof and answer to the client, an answer",
         f"{results['client_bytes'] / len(answers):.0f}"),
    ]
    if results["rounds"]:
        median, least, most = ratio(results["rounds"])
        rows.append(("without receipts over with, tokens a second",
                     f"{median:.3f} ({least:.3f} to {most:.3f}, {len(results['rounds'])} rounds)"))
    lines = [f"{results['machine']}; {results['threads']} threads; model {results['model']}.", "",
             "| measure | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    for index, answer in enumerate(answers):
        lines += [f"difference: answer {index}, position {d['position']}: ours {d['ours']}, "
                  f"transformers {d['theirs']}, gap of its logits {d['gap']:.2g}, bf16's error {d['bf16']:.2g}"
                  for d in answer["differences"]]
    lines += [f"{'met' if met else 'MISSED'}: {name}" for name, met in targets(results)]
    return "\n".join(lines)
