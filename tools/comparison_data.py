# SPDX-License-Identifier: Apache-2.0
"""The batches of a contract, recomputed from docs/formats/dataset.md, and held-out questions.

`encode` turns text into token ids; `rules` is the contract's object `text`. Labels are as
transformers have them: a token's own where it counts, -100 where not.
"""
import hashlib
import json

IGNORED = -100


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def parts(row, rules, encode):
    """The ids of what stands before the answer, and of the answer."""
    def token(name):
        return [] if rules[name] == -1 else [rules[name]]
    prompt = rules["before_prompt"] + row["prompt"] + rules["before_completion"]
    answer = row["completion"] + rules["after_completion"]
    return token("bos_id") + encode(prompt), encode(answer) + token("eos_id")


def sample(row, rules, encode):
    """(tokens, labels), both of the contract's length."""
    prompt, answer = parts(row, rules, encode)
    length = rules["sequence"]
    tokens = (prompt + answer)[:length]
    first = 1 if rules["labels"] == "all" else max(1, len(prompt))
    labels = [IGNORED if i < first else token for i, token in enumerate(tokens)]
    padding = length - len(tokens)
    return tokens + [rules["pad_id"]] * padding, labels + [IGNORED] * padding


def shortened(row, rules, encode, question):
    """The row with so many words taken off its text's end that the answer still fits in; the
    prompt's last word, `question`, stays. None if there is no such row."""
    text = row["prompt"].removesuffix(question).split(" ")
    for count in range(len(text), 0, -1):
        cut = {"prompt": " ".join(text[:count]).rstrip() + question,
               "completion": row["completion"]}
        if sum(map(len, parts(cut, rules, encode))) <= rules["sequence"]:
            return cut
    return None


def run_seed(contract):
    """The run's 32-byte seed (docs/formats/contract.md)."""
    nonces = (contract["seed"]["client_nonce"], contract["seed"]["provider_nonce"])
    return hashlib.sha256(b"aftune seed v1\0" + bytes.fromhex(contract["run_id"])
                          + b"".join(map(bytes.fromhex, nonces))).digest()


def epoch_order(seed, epoch, rows):
    def key(row):
        return hashlib.sha256(b"aftune sample order v1\0" + seed + epoch.to_bytes(8, "big")
                              + row.to_bytes(8, "big")).digest()
    return sorted(range(rows), key=lambda row: (key(row), row))


def batch_rows(contract):
    """The rows of each step, for shuffle sha256 with drop_last."""
    if contract["order"] != {"drop_last": True, "shuffle": "sha256"}:
        raise ValueError(f"order {contract['order']} is not supported here")
    seed, rows = run_seed(contract), contract["data"]["rows"]
    size = contract["batch"]["samples"]
    each = rows // size
    orders = {}
    for step in range(contract["steps"]):
        epoch, place = divmod(step, each)
        if epoch not in orders:
            orders[epoch] = epoch_order(seed, epoch, rows)
        yield orders[epoch][place * size:(place + 1) * size]


def batches(contract, rows, encode):
    """Each step as {"rows", "tokens", "labels", "counted"}."""
    made = []
    for chosen in batch_rows(contract):
        samples = [sample(rows[row], contract["text"], encode) for row in chosen]
        made.append({"rows": chosen, "tokens": [tokens for tokens, _ in samples],
                     "labels": [labels for _, labels in samples],
                     "counted": sum(label != IGNORED for _, labels in samples for label in labels)})
    return made


def questions(rows, rules, encode):
    """Held-out samples, each with the place whose logits answer it, and the answers to choose from:
    the first tokens of the labels, which must differ."""
    first = {}
    asked = []
    for row in rows:
        prompt, answer = parts(row, rules, encode)
        if first.setdefault(row["completion"], answer[0]) != answer[0]:
            raise ValueError(f"label {row['completion']!r} begins in two ways")
        tokens, labels = sample(row, rules, encode)
        asked.append({"tokens": tokens, "labels": labels, "place": len(prompt) - 1,
                      "answer": answer[0]})
    if len(set(first.values())) != len(first):
        raise ValueError("two labels begin with one token")
    return {"choices": sorted(first.values()), "samples": asked}
