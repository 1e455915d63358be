# SPDX-License-Identifier: Apache-2.0
"""The work of tools/compare-serving: a server, its client, its verifier, and transformers."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

import openai

import serving_report

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = {"receipt": "receipt.json", "proof": "receipt.tlog-proof", "answer": "answer.json"}


class Trouble(Exception):
    """Something that is not a result."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def questions(args):
    out = []
    for line in pathlib.Path(args.data).read_text(encoding="utf-8").splitlines()[:args.prompts]:
        row = json.loads(line)
        out.append(args.question.format(row["prompt"] if "prompt" in row else row["text"]))
    if not out:
        raise Trouble(f"{args.data} has no rows")
    return out


class Served:
    """A server over a folder of its own, and a client of it."""

    def __init__(self, program, args, folder, *options):
        self.serving = folder
        self.log = open(folder.with_suffix(".log"), "w", encoding="utf-8")
        command = [program, "serve", args.model, "--serving", folder, "--key",
                   folder.parent / "server.key", "--port", "0", "--name", "served", "--threads",
                   str(args.threads), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise Trouble(f"the server did not start: see {self.log.name}")
        self.client = openai.OpenAI(base_url=line.split()[-1] + "/v1", api_key="none",
                                    timeout=3600)

    def ask(self, body):
        started = time.perf_counter()
        # What the client does not know goes by extra_body, and reaches the server as it is.
        known = {k: v for k, v in body.items() if not k.startswith("aftune_")}
        extra = {k: v for k, v in body.items() if k.startswith("aftune_")}
        answer = self.client.chat.completions.create(**known, extra_body=extra)
        return answer, time.perf_counter() - started

    def close(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise Trouble(f"the server ended with {self.process.returncode}: see {self.log.name}")
        self.log.close()


@contextlib.contextmanager
def served(*args):
    server = Served(*args)
    try:
        yield server
        server.close()
    finally:
        if server.process.poll() is None:
            server.process.kill()


def body_of(question, args):
    return {"model": "served", "messages": [{"role": "user", "content": question}],
            "max_tokens": args.tokens, "temperature": 0, "aftune_nonce": secrets.token_hex(32)}


def keep(answer, body, folder):
    folder.mkdir()
    for name, file in FILES.items():
        (folder / file).write_text(answer.aftune_receipt[name], encoding="utf-8")
    (folder / "asked.json").write_text(json.dumps(body), encoding="utf-8")


def documents(folder):
    return [folder / "receipt.json", "--proof", folder / "receipt.tlog-proof", "--answer",
            folder / "answer.json", "--server", folder.parent / "server.pub", "--asked",
            folder / "asked.json"]


def verify(program, folder):
    done = subprocess.run([program, "receipt", "verify", *documents(folder)], check=False,
                          capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.startswith("HOLDS")


def audit(program, args, folder, serving):
    done = subprocess.run(
        [program, "audit", "--receipt", *documents(folder), "--model", args.model, "--openings",
         serving, "--all", "--json", "--threads", str(args.threads)],
        check=False, capture_output=True, text=True)
    if not done.stdout:
        raise Trouble(f"no verdict on {folder}: {done.stderr}")
    verdict = json.loads(done.stdout)["predicate"]
    head = re.search(r"and the head \(([0-9.]+) s\)", done.stderr)
    return {"outcome": verdict["outcome"], "audit_head": float(head.group(1)),
            "audit_blocks": sum(float(b["seconds"]) for b in verdict["blocks"])}


class Reference:
    """transformers in fp32, and in bf16 for the measure of a near tie."""

    def __init__(self, args):
        import torch
        import transformers
        torch.set_num_threads(args.threads)
        self.torch = torch
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
        self.model, self.rounded = (
            transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
            for dtype in (torch.float32, torch.bfloat16))

    def rows(self, model, prompt, output):
        """Logits of the positions that `output` was chosen at."""
        with self.torch.no_grad():
            logits = model(self.torch.tensor([prompt + output[:-1]])).logits[0]
        return logits[len(prompt) - 1:].float()

    def compare(self, question, answer):
        """Our tokens given our tokens before them, and whether the prompt is tokenised alike."""
        prompt, output = answer["prompt"], answer["output"]
        theirs = self.tokenizer.apply_chat_template([{"role": "user", "content": question}],
                                                    add_generation_prompt=True,
                                                    return_dict=True)["input_ids"]
        rows = self.rows(self.model, prompt, output)
        differing = (rows.argmax(-1) != self.torch.tensor(output)).nonzero().flatten().tolist()
        rounded = self.rows(self.rounded, prompt, output) if differing else rows
        found = serving_report.differences([output[i] for i in differing], rows[differing].tolist(),
                                           rounded[differing].tolist())
        for one in found:
            one["position"] = differing[one["position"]]
        return {"same_prompt": list(theirs) == prompt, "differences": found}

    def rate(self, prompts, tokens):
        """Greedy tokens a second, after one that is not counted."""
        counted = 0
        started = 0.0
        with self.torch.no_grad():
            for index, prompt in enumerate([prompts[0], *prompts]):
                if index == 1:
                    started, counted = time.perf_counter(), 0
                out = self.model.generate(self.torch.tensor([prompt]), max_new_tokens=tokens,
                                          do_sample=False,
                                          attention_mask=self.torch.ones(1, len(prompt)))
                counted += out.shape[1] - len(prompt)
        return counted / (time.perf_counter() - started)


def bytes_under(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def ask_all(server, args, folder, asked):
    answers = []
    for index, question in enumerate(asked):
        body = body_of(question, args)
        answer, seconds = server.ask(body)
        keep(answer, body, folder / f"answer-{index}")
        answers.append({"seconds": seconds, "tokens": answer.usage.completion_tokens,
                        "text": answer.choices[0].message.content})
        say(f"asked {index + 1} of {len(asked)}: {answers[-1]['tokens']} tokens, {seconds:.1f} s")
    return answers


def ask_at_once(server, args, asked, answers):
    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
        given = list(pool.map(lambda q: server.ask(body_of(q, args))[0], asked))
    seconds = time.perf_counter() - started
    return {"requests": args.at_once,
            "rate": sum(a.usage.completion_tokens for a in given) / seconds,
            "same_texts": all(a.choices[0].message.content == b["text"]
                              for a, b in zip(given, answers, strict=True))}


def timed_rounds(program, args, folder, asked):
    """Tokens a second of two servers that are asked in turn, prompt by prompt."""
    rounds = []
    if args.rounds == 0:
        return rounds
    with served(program, args, folder / "with") as receipts, \
            served(program, args, folder / "without", "--no-receipts") as bare:
        for number in range(args.rounds + 1):  # the first warms up
            tokens = {"with": 0, "without": 0}
            seconds = {"with": 0.0, "without": 0.0}
            for index, question in enumerate(asked[:args.timed_prompts]):
                pair = [("with", receipts), ("without", bare)]
                for name, server in pair if index % 2 == 0 else reversed(pair):
                    answer, took = server.ask(body_of(question, args))
                    tokens[name] += answer.usage.completion_tokens
                    seconds[name] += took
                if number == 0:
                    break
            if number > 0:
                rounds.append({name: tokens[name] / seconds[name] for name in tokens})
                say(f"round {number}: {rounds[-1]}")
    return rounds


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} processors"


def measure(args, program, folder):
    asked = questions(args)
    subprocess.run([program, "keygen", "-o", folder, "--name", "server"], check=True,
                   capture_output=True)
    with served(program, args, folder / "serving") as server:
        answers = ask_all(server, args, folder, asked)
        kept = {"store_bytes": bytes_under(folder / "serving/store"),
                "log_bytes": bytes_under(folder / "serving/log") +
                             bytes_under(folder / "serving/receipts")}
        at_once = ask_at_once(server, args, asked, answers)
    rounds = timed_rounds(program, args, folder, asked)
    reference = Reference(args)
    prompts = []
    for index, (question, answer) in enumerate(zip(asked, answers, strict=True)):
        place = folder / f"answer-{index}"
        document = json.loads((place / "answer.json").read_text(encoding="utf-8"))
        prompts.append(document["prompt"])
        answer |= {"verified": verify(program, place)}
        answer |= audit(program, args, place, folder / "serving")
        answer |= reference.compare(question, document)
        say(f"answer {index}: verified {answer['verified']}, {answer['outcome']}, "
            f"{len(answer['differences'])} differences")
    return kept | {
        "machine": machine(), "threads": args.threads, "model": pathlib.Path(args.model).name,
        "positions": sum(len(p) for p in prompts) + sum(a["tokens"] for a in answers),
        "client_bytes": sum((folder / f"answer-{i}" / f).stat().st_size
                            for i in range(len(asked)) for f in FILES.values()),
        "answers": answers, "at_once": at_once, "rounds": rounds,
        "transformers_rate": reference.rate(prompts[:args.timed_prompts], args.tokens)}


def run(args, program):
    args.model = pathlib.Path(args.model).resolve()
    if args.dir:
        folder = pathlib.Path(args.dir).resolve()
        folder.mkdir(parents=True)
        return measure(args, program, folder)
    (ROOT / "build-bench").mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="serving-", dir=ROOT / "build-bench"))
    try:
        return measure(args, program, folder)
    finally:
        shutil.rmtree(folder)
