#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer: small tokenizers and what Hugging Face `tokenizers` makes of texts.

    make_tokenizer_golden.py                              # all of them, and examples/tiny/tokenizer.json
    make_tokenizer_golden.py --for TOKENIZER.json --out FOLDER

The first form trains one small BPE for each family's set-up on the text below; the same
version of `tokenizers` writes the same bytes. What it makes of the files in ../shared/data, where they are, goes into
real_text.json as digests. The second writes the same cases for a given
tokenizer into FOLDER; the C++ test reads that folder too if AFTUNE_TOKENIZER_GOLDEN names it.
Needs PyPI's `tokenizers` (written with 0.23).
"""

import argparse
import hashlib
import json
import pathlib
import random

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

HERE = pathlib.Path(__file__).resolve().parent

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)

TEXT = """
The river rose in the night, and by the morning the lower fields were under water. Nobody in the
village was surprised; it happens every second spring, and the houses stand on the hill for that
reason. "We'll wait," said the miller, "it's what we've always done." They'd seen 1947, 1963 and
1998; they weren't going to lose their heads over this one.

How do you write a good commit message? Say why, not what. The change itself shows what was done;
the reason is what is lost. Keep the first line under 72 characters, leave an empty line, then explain.

def mean(values):
    total = 0.0
    for value in values:
        total += value  # not exact: the order of the sum matters
    return total / len(values)

for (int i = 0; i < 10; ++i) {
    printf("%d: %s\\n", i, names[i]);
}

Question: what is the capital of Portugal?
Answer: Lisbon. It lies at the mouth of the Tagus, about 38.7 degrees north and 9.1 degrees west.

Question: how many grams are in 3.5 kilograms?
Answer: 3500 grams, because one kilogram is 1000 grams.

Über den Dächern der Stadt kreisten die Möwen; im Café saßen zwei ältere Herren und spielten Schach.
L'été dernier, nous avons traversé la forêt à pied; c'était très long, mais ça valait la peine.
Быстрая река течёт через старый город, и люди гуляют по её берегам каждый вечер.
今日は天気がいいので、公園を散歩しました。桜の花がとてもきれいでした。
我们昨天去了图书馆，借了三本关于历史的书。图书馆很安静，也很大。
오늘은 날씨가 좋아서 공원에서 산책을 했습니다.

Recipe. Take 250 g of flour, 125 g of butter, 60 g of sugar and a pinch of salt. Work the butter into
the flour with cold hands, add the sugar and the salt, press the dough together and let it rest in a
cold place for half an hour. Roll it out, cut it, and bake the pieces at 180 degrees for 12 minutes.

A Merkle tree commits to a list of values by one hash. Each leaf is the hash of a value, each inner node
the hash of its children. Whoever holds the root can check that a value stands at a position from a
path of hashes whose length is the logarithm of the number of leaves.
"""

TRICKY = [
    "", " ", "a", "Hello, world!", "hello  world", "   three before", "three after   ", " \t \n ",
    "a\n\nb", "a\r\nb", "\r", "line\n  indented\n\ttabbed\n\n\n", "x  \n  y", "end \n",
    "I'm you're we've they'll he'd it's don't", "I'M YOU'RE WE'VE THEY'LL HE'D IT'S DON'T",
    "'s 's'S'\u017f''", "it\u2019s", "0", "12", "123", "1234567890", "3.14159", "a1b22c333d4444",
    "x1 2 33", "\u0664\u0665\u0666 \u2167 \u00bd \u00b2\u00b3 \u2460\u3289",
    "price: $12.50 (approx. 10%)", "foo_bar.baz->qux[3] != NULL;", "#!/bin/sh", "!!!???...---",
    "\u00fcber Caf\u00e9 na\u00efve", "u\u0308ber Cafe\u0301 nai\u0308ve",
    "\u1e9b\u0323 \u1e0b\u0323 q\u0307\u0323 \u212b \u2126 \ufb01 \u01c6",
    "a\u0300\u0301\u0302\u0316\u0317b", "\u0301start", "\u1100\u1161\u11a8 \uac00\u11a8 \u1112\u1161",
    "\u0958 \u0344 \u2adc \U0001d15e \U0001d1bf", "\u4eca\u65e5\u306f\u3001\u4e16\u754c\uff01",
    "\u56fe\u4e66\u9986\u5f88\u5b89\u9759\u3002", "\uacf5\uc6d0\uc5d0\uc11c",
    "\u0440\u0435\u043a\u0430 \u0442\u0435\u0447\u0451\u0442", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f", "\u200b\u200c\u200d\ufeff",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u180eg\u1680h", "\u00a0\u00a0 \u2003x", "\x00\x01\x1f\x7f", "\ufffd\uffff\U0010ffff",
    "\u00ad\u00a1\u00ac\u00ae\u00ff\u0100\u0120\u0143", "\u0120\u010a", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n",
    "a<|endoftext|>b", " <|endoftext|> ", "  <|im_start|>  x", "<|endoftext|><|endoftext|>", "<|endoftext|", "<|im_start",
    "<|endoftext|>\u0301x", "<|im_start|>system\n1, 2, 3<|im_end|>", "[MASK]", "a [MASK] b", "a  [MASK]  b", "x[MASK][MASK]",
    " [MASK] [MASK] ", "whole", "a whole b", "wholesome unwhole whole", "whole_ \u00e9whole whole\u00e9 whole.", "Cafe\u0301X Caf\u00e9X",
    "pad", "<pad>", " <pad> <pad>\n<pad>", "<pad><pads>", "ab abc abcd abcde", "A::B::::C", "::", "a::", "The\u00a0river\u2019s   edge",
    "    def mean(values):\n        return 0.0\n", "https://example.org/a?b=c&d=%20#e", "CamelCaseWordsAndHTTPServer",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    " " * 70 + "x", " " * 64, " " * 63 + "\n" + " " * 80 + "y", "\n" * 100, "." * 130 + "\n" * 5, "9" * 70, "e\u0301" * 50,
]

POOL = (list("abehtrsnimlo  \t\n'.,-_0193SEIT") + ["\r\n", "\u00e9", "e\u0301", "\u00df", "\u017f", "\u212a", "\u00a0", "\u2003", "\u3000",
        "\u4e2d", "\u56fe", "\uac00", "\u1100", "\u1161", "\u0301", "\u0316", "\u0660", "\u2167", "\u00bd", "\U0001f600", "\u200d", "\ufe0f",
        "'s", "'ll", "'T", "the ", " and", "in", "er", "<|endoftext|>", "<|im_start|>", "[MASK]", "whole", "<pad>", "::", "Caf\u00e9X"])


# Of tokenizers that spell a space as U+2581, and characters without a token as bytes.
MARKED = ["\u2581", "\u2581a \u2581b", " \u2581 ", "a\u2581\u2581b", "<s>", "<s>a", "a<s>b", " <s> a </s> ", "<s><s>x", "<unk>", "a <unk>b",
          "<0x41>", "<0x0A>\n", "\u2581<s>", "<s>\u2581", "\n<s>\n", "x[MASK] [MASK]y", "\u4e00\u4e8c\u4e09", "\U0001f600\U0001f600 \U0001f600",
          "e\u0301\u0302 \u00e9", "\x00\x7f\u0080", "whole<pad>whole", "  <s>  ", "a  b   c    d"]


def texts(marked=False):
    """All cases; long ones as (part, repetitions)."""
    chance = random.Random(20240607)
    cases = [(text, 1) for text in TRICKY + (MARKED if marked else [])]
    for _ in range(120):
        cases.append(("".join(chance.choice(POOL) for _ in range(chance.randint(5, 40))), 1))
    letters = "".join(chance.choice("etaoinshr") for _ in range(700))
    return cases + [(letters, 1), ("river", 300), ("\u4eca\u65e5", 120), ("a ", 300), (" ", 1000), ("\n ", 300), ("1", 600)]


def id_lists(count):
    chance = random.Random(7)
    return [[chance.randrange(count) for _ in range(size)] for size in (0, 1, 2, 3, 5, 8, 40, 200)]


def ids_of_words(tokenizer):
    return tokenizer.encode("the river", add_special_tokens=False).ids


def encodings(path, marked=False):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encode, decode = [], []
    for part, times in texts(marked):
        ids = tokenizer.encode(part * times, add_special_tokens=False).ids
        encode.append({"part": part, "times": times, "ids": ids})
        decode.append(ids)
    count = tokenizer.get_vocab_size(with_added_tokens=True)
    bytes_of_text = [tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in "h\u00e9\u20ac".encode()] if marked else []
    runs = [bytes_of_text, bytes_of_text[:-1], bytes_of_text[1:], bytes_of_text[2:] + ids_of_words(tokenizer) + bytes_of_text[:3]]
    decoded = [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False),
                "without_special": tokenizer.decode(ids, skip_special_tokens=True)}
               for ids in decode[:90] + id_lists(count) + ((decode[len(TRICKY):len(TRICKY) + len(MARKED)] + runs) if marked else [])]
    return {"_comment": "made by tests/golden/make_tokenizer_golden.py: what Hugging Face tokenizers encodes (part repeated "
                        "`times` times) and decodes, tokenizer " + path.name, "vocab_size": count, "encode": encode, "decode": decoded}


def write_json(path, value):
    """One line for each member, and for each item of those that are lists."""
    def text(part):
        return json.dumps(part, ensure_ascii=False, separators=(",", ":"))
    def member(part):
        return "[\n" + ",\n".join(map(text, part)) + "\n]" if isinstance(part, list) else text(part)
    lines = ",\n".join(text(name) + ": " + member(part) for name, part in value.items())
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def train(pre_tokenizer, vocab_size, specials, normalizer=None, alphabet=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=specials, initial_alphabet=sorted(alphabet),
                                  show_progress=False, min_frequency=1)
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    return tokenizer


def smollm():
    return train(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                          pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)]),
                 512, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def gpt2():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False), 600, [])
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=True, special=True)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def split_set_up(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)])


def llama3():
    tokenizer = train(split_set_up(LLAMA3), 640, [], ignore_merges=True)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))])])
    return tokenizer


def qwen2():
    tokenizer = train(split_set_up(QWEN), 600, [], normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def odd():
    """What the families leave out: unk with fusing, spaces in front, removed splits, added tokens of every kind."""
    steps = [pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split("::", behavior="removed", invert=False),
             pre_tokenizers.Split(Regex(r"[^\t]+"), behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]
    tokenizer = train(pre_tokenizers.Sequence(steps), 300, ["<unk>"], normalizer=normalizers.NFC(), alphabet=list("Ġabc.,"),
                      unk_token="<unk>", fuse_unk=True)
    tokenizer.add_tokens([AddedToken("[MASK]", lstrip=True, normalized=False), AddedToken("whole", single_word=True),
                          AddedToken("<pad>", rstrip=True, normalized=False, special=True), AddedToken("Cafe\u0301X", normalized=True),
                          AddedToken("abc", normalized=True), AddedToken("abcd", normalized=True), AddedToken("::::", normalized=False)])
    return tokenizer


SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def marked(vocab_size, normalizer=None, pre_tokenizer=None, strip=True, added=()):
    """As files converted from SentencePiece: trained on words, used on whole texts; bytes are tokens and not added ones."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=SPECIAL + BYTES, show_progress=False, min_frequency=1,
                                  limit_alphabet=72)
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))
    value = json.loads(tokenizer.to_str())
    value["added_tokens"] = [token for token in value["added_tokens"] if token["content"] in SPECIAL]
    value["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(value))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_tokens(list(added))
    return tokenizer


def prepend_and_replace():
    return normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])


def llama2():
    return marked(700, normalizer=prepend_and_replace())


def mistral():
    return marked(640, pre_tokenizer=pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False))


def marked_words():
    """What the families leave out: words apart, every piece marked, added tokens of every kind, nothing taken away at the start."""
    return marked(560, pre_tokenizer=pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True), strip=False,
                  added=[AddedToken("[MASK]", lstrip=True, normalized=False), AddedToken("whole", single_word=True),
                         AddedToken("<pad>", rstrip=True, normalized=False, special=True), AddedToken("abc", normalized=True)])


def marked_added():
    """Added tokens whose contents the normalizer changes."""
    return marked(560, normalizer=prepend_and_replace(),
                  added=[AddedToken("whole", normalized=True), AddedToken("the river", normalized=True),
                         AddedToken("<pad>", normalized=True, special=True), AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False)])


def real_text(folder):
    """The ids of real texts, too many to be written down."""
    shared = HERE.parent.parent.parent / "shared" / "data"
    news = [json.loads(line)["prompt"] for line in (shared / "agnews-valid.jsonl").read_text(encoding="utf-8").splitlines()[:300]]
    plays = (shared / "tinyshakespeare.txt").read_text(encoding="utf-8")[:60000]
    cases = []
    for path in sorted(folder.glob("*.tokenizer.json")):
        tokenizer = Tokenizer.from_file(str(path))
        for name, parts in (("agnews-valid.jsonl", news), ("tinyshakespeare.txt", [plays])):
            ids = [tokenizer.encode(part, add_special_tokens=False).ids for part in parts]
            text = "".join("".join(f"{i}\n" for i in each) + "\n" for each in ids)
            cases.append({"tokenizer": path.name.split(".")[0], "file": name, "texts": len(parts), "tokens": sum(map(len, ids)),
                          "sha256": hashlib.sha256(text.encode()).hexdigest()})
    return {"_comment": "made by tests/golden/make_tokenizer_golden.py: SHA-256 of the ids of the first 300 rows' prompts, or of the first 60000 "
                        "characters; each id and a newline, and another newline behind each text", "cases": cases}


def legacy(value):
    """As old files are written: merges as strings, no type of the model."""
    value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    del value["model"]["type"]
    return value


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--for", dest="given", type=pathlib.Path)
    arguments.add_argument("--out", type=pathlib.Path, default=HERE / "tokenizer")
    arguments = arguments.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.given:
        copy = arguments.out / "given.tokenizer.json"
        copy.write_bytes(arguments.given.read_bytes())
        write_json(arguments.out / "given.encodings.json", encodings(copy))
        return
    for make in (smollm, gpt2, llama3, qwen2, odd):
        path = arguments.out / f"{make.__name__}.tokenizer.json"
        value = json.loads(make().to_str())
        write_json(path, legacy(value) if make is gpt2 else value)
        write_json(arguments.out / f"{make.__name__}.encodings.json", encodings(path))
    for make in (llama2, mistral, marked_words, marked_added):
        path = arguments.out / f"{make.__name__}.tokenizer.json"
        write_json(path, json.loads(make().to_str()))
        write_json(arguments.out / f"{make.__name__}.encodings.json", encodings(path, marked=True))
    write_json(arguments.out / "real_text.json", real_text(arguments.out))
    if arguments.out == HERE / "tokenizer":
        tiny = HERE.parent.parent / "examples" / "tiny" / "tokenizer.json"
        tiny.parent.mkdir(parents=True, exist_ok=True)
        tiny.write_bytes((arguments.out / "smollm.tokenizer.json").read_bytes())


if __name__ == "__main__":
    main()
