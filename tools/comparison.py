# SPDX-License-Identifier: Apache-2.0
"""The runs of tools/compare-training: contracts, both sides' training, evaluation, results."""
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import sys
import time

import bench_sources
import comparison_data
import comparison_report
from bench_sources import Trouble

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUESTION = " Topic:"
# fp32 and x16 start from the same weights: only another batch moves the first loss further.
FIRST_LOSS_APART = 2e-3

JOB = r"""model: {model}
data: {data}
base_public: true
run_id: "{run_id}"
nonces: {{client: "{client}", provider: "{provider}"}}
text: {{format: prompt_completion, after_completion: "\n", pad: "{pad}", sequence: {sequence}, labels: all}}
batch: {{samples: {samples}}}
steps: {steps}
optimizer: {{kind: adamw}}
schedule: {{kind: constant, peak: {rate}}}
clip: {{max_norm: 1.0}}
grid: {{layers_per_block: {layers}, steps_per_block: {steps}, state_interval: 2}}
audit: {{blocks: 1, secret: client.secret, weights_disclosed: true}}
keys: {{client: keys/client.pub, provider: keys/provider.pub, verifier: keys/client.pub}}
"""
LORA = "lora: {{r: {rank}, lora_alpha: {alpha}, target_modules: all-linear, initial: adapter}}\n"


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


class Comparison:
    def __init__(self, args, folder, program, tokenizer):
        self.args, self.folder, self.program = args, folder, program
        self.cores = sorted(os.sched_getaffinity(0))
        self.model = pathlib.Path(args.model).resolve()
        self.encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
        self.results = folder / "results.jsonl"
        # What the rows are cut to; a contract says the same and more.
        self.rules = {"before_prompt": "", "before_completion": "", "after_completion": "\n",
                      "bos_id": -1, "eos_id": -1, "pad_id": tokenizer.token_to_id(args.pad),
                      "sequence": args.sequence, "labels": "all"}

    def finished(self):
        return comparison_data.read_rows(self.results) if self.results.exists() else []

    def prepare(self):
        """data.jsonl and questions.json; refuses a folder that was made with other settings."""
        names = ("model", "data", "held_out", "steps", "samples", "sequence", "rate", "questions")
        settings = {name: str(getattr(self.args, name)) for name in names}
        if self.args.lora_rank:
            settings["lora_rank"] = str(self.args.lora_rank)
        kept = self.folder / "settings.json"
        if kept.exists() and json.loads(kept.read_text()) != settings:
            raise Trouble(f"{kept} has other settings: choose another --dir")
        kept.write_text(json.dumps(settings))
        with open(self.folder / "data.jsonl", "w", encoding="utf-8") as file:
            for row in self.cut(self.args.data):
                file.write(json.dumps(row) + "\n")
        held_out = self.cut(self.args.held_out)[:self.args.questions]
        (self.folder / "questions.json").write_text(json.dumps(
            comparison_data.questions(held_out, self.rules, self.encode)))

    def cut(self, path):
        rows = (comparison_data.shortened(row, self.rules, self.encode, QUESTION)
                for row in comparison_data.read_rows(path))
        return [row for row in rows if row]

    def contract(self, seed):
        """The folder of the seed's contract, and the contract."""
        folder = self.folder / f"seed-{seed}"
        if not (folder / "contract.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            drawn = {name: hashlib.sha256(f"compare-training {name} {seed}".encode()).hexdigest()
                     for name in ("run_id", "client", "provider")}
            lora = self.first_adapter(folder, seed) if self.args.lora_rank else ""
            bench_sources.sign(self.program, folder, lora + JOB.format(
                model=self.model, data=self.folder / "data.jsonl", pad=self.args.pad,
                sequence=self.args.sequence, samples=self.args.samples, steps=self.args.steps,
                rate=self.args.rate, layers=self.layers(), **drawn), self.cores)
        shown = self.aftune(folder, "contract", "show", "contract.json")
        return folder, json.loads(shown)

    def first_adapter(self, folder, seed):
        """Writes it, by PEFT; what the job says of it."""
        rank = self.args.lora_rank
        self.torch("adapter", self.model, folder / "adapter", rank, seed)
        return LORA.format(rank=rank, alpha=2 * rank)

    def layers(self):
        with open(self.model / "config.json", encoding="utf-8") as file:
            return json.load(file)["num_hidden_layers"]

    def aftune(self, folder, *words):
        return bench_sources.run([self.program, *words], self.cores, folder=folder)

    def torch(self, *words):
        return json.loads(bench_sources.run(
            [sys.executable, ROOT / "tools/comparison_torch.py", *words, len(self.cores)],
            self.cores).splitlines()[-1])

    def run_x16(self, folder, batches):
        """Trains and records; the run's committed batches must be ours."""
        shutil.rmtree(folder / "run", ignore_errors=True)
        adapter = ("--adapter", "adapter") if self.args.lora_rank else ()
        self.aftune(folder, "train", "contract.json", "--run", "run", "--key", "keys/provider.key",
                    "--model", self.model, "--data", self.folder / "data.jsonl", "--quiet",
                    *adapter)
        metrics = comparison_data.read_rows(folder / "run/metrics.jsonl")
        self.check_batches(folder, batches)
        return {"losses": [float(m["loss"]) for m in metrics],
                "seconds": [float(m["seconds"]) for m in metrics]}, folder / "run/model"

    def check_batches(self, folder, batches):
        entries = (json.loads(line) for line in
                   self.aftune(folder, "log", "show", "--run", "run").splitlines()
                   if line.startswith("{"))
        steps = [e for e in entries if e["kind"] == "step"]
        for batch, entry in zip(batches, steps, strict=True):
            told = json.loads(self.aftune(folder, "store", "get", "--run", "run", entry["list"]))
            if (told["rows"], told["counted"]) != (batch["rows"], batch["counted"]):
                raise Trouble(f"step {entry['step']}: the run took rows {told['rows']} and counted "
                              f"{told['counted']}, here {batch['rows']} and {batch['counted']}")

    def run_torch(self, side, folder, batches):
        (folder / "batches.json").write_text(json.dumps(batches))
        out = folder / side
        shutil.rmtree(out, ignore_errors=True)
        adapter = (folder / "adapter",) if self.args.lora_rank else ()
        return self.torch("train", side, self.model, folder / "batches.json", out,
                          self.args.rate, *adapter), out

    def evaluated(self, trained=None):
        """The base, or what was trained from it: a model, or an adapter to it."""
        is_whole = trained and not self.args.lora_rank
        adapter = (trained,) if trained and self.args.lora_rank else ()
        answer = self.torch("evaluate", trained if is_whole else self.model,
                            self.folder / "questions.json", *adapter)
        return {"held_out": answer["loss"], "accuracy": answer["accuracy"]}

    def finish(self, result):
        with open(self.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")

    def take(self, side, seed):
        say(f"seed {seed}, {side}")
        folder, contract = self.contract(seed)
        rows = comparison_data.read_rows(self.folder / "data.jsonl")
        batches = comparison_data.batches(contract, rows, self.encode)
        trained, model = (self.run_x16(folder, batches) if side == "x16"
                          else self.run_torch(side, folder, batches))
        self.finish({"side": side, "seed": seed, **self.evaluated(model),
                     "step_seconds": statistics.median(trained["seconds"]),
                     "losses": [round(loss, 6) for loss in trained["losses"]]})
        shutil.rmtree(model.parent if side == "x16" else model)

    def check_first_losses(self):
        sides = {side: comparison_report.of(self.finished(), side) for side in ("x16", "fp32")}
        for seed in sides["x16"].keys() & sides["fp32"].keys():
            ours, other = (sides[side][seed]["losses"][0] for side in ("x16", "fp32"))
            if not abs(ours - other) <= FIRST_LOSS_APART:
                raise Trouble(f"seed {seed}: first losses {ours} and {other}: not the same batch")

    def run(self):
        self.prepare()
        done = {(r["side"], r["seed"]) for r in self.finished()}
        if ("base", 0) not in done:
            self.finish({"side": "base", "seed": 0, **self.evaluated()})
        for seed in range(1, self.args.seeds + 1):
            for side in self.args.sides:
                if (side, seed) not in done:
                    self.take(side, seed)
            self.check_first_losses()
