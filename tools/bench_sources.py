# SPDX-License-Identifier: Apache-2.0
"""Where the figures of tools/bench come from: one class a program that is run.

A figure is what the program measured of itself: no start of a process is in it, unless said.
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# PyTorch gives freed memory back to the system and takes it again, page by page, at each call.
# Kernels are measured without that, in its favour; training steps as a user has them.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
NO_RECORD_STEPS = 8
SKIPPED_STEPS = 2  # the first touch memory for the first time
BLOCK_STEPS = 8    # B_S of the audited run
LAYERS_PER_BLOCK = 5


class Trouble(Exception):
    """A program failed or said what it should not: the figure is not there."""


def run(command, cores, environment=None, check=True, folder=None):
    """Standard output of a command that is pinned to `cores`."""
    command = ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder,
                          env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(f"{pathlib.Path(command[3]).name} ended with {done.returncode}: {last}")
    return done.stdout


def benchmark_figures(text):
    """Name -> seconds out of Google Benchmark's JSON."""
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}
    figures = {}
    for entry in json.loads(text)["benchmarks"]:
        name = entry["name"].removesuffix("/real_time")
        if entry.get("error_occurred"):
            raise Trouble(f"{name}: {entry.get('error_message', 'failed')}")
        figures[name] = entry["real_time"] * units[entry["time_unit"]]
    return figures


def step_seconds(text, skipped=SKIPPED_STEPS):
    """The median of the steps' seconds in a metrics.jsonl, without the first ones."""
    seconds = [float(json.loads(line)["seconds"]) for line in text.splitlines()]
    if len(seconds) <= skipped:
        raise Trouble(f"{len(seconds)} steps, the first {skipped} do not count")
    return statistics.median(seconds[skipped:])


def audit_seconds(text, expected):
    """Seconds of the replayed blocks of a verdict, if all held and nothing had to be rebuilt."""
    statement = json.loads(text)
    blocks = statement["predicate"]["blocks"]
    if len(blocks) != expected or any(b["rebuilt_only"] for b in blocks):
        raise Trouble(f"{len(blocks)} blocks were replayed, {expected} asked for: states are missing")
    if not all(b["held"] for b in blocks):
        raise Trouble("a block did not hold")
    return sum(float(b["seconds"]) for b in blocks)


def differing_lines(texts):
    """(lines that are not the same in all texts, lines of the longest)."""
    lists = [text.splitlines() for text in texts]
    count = max(map(len, lists))
    same = sum(len(set(lines)) == 1 for lines in zip(*lists))
    return count - same, count


def recorded_pairs(text):
    """(plain, recorded) seconds of each pair that tools/measure-recording prints."""
    pairs = []
    for line in text.splitlines():
        if line.startswith("pair "):
            words = line.replace(",", "").split()
            pairs.append((float(words[words.index("plain") + 1]),
                          float(words[words.index("recorded") + 1])))
    return pairs


class Kernels:
    """aftune_bench: ours, and the libraries that are linked into it."""

    def __init__(self, program, cores, seconds):
        self.program, self.cores, self.seconds = program, cores, seconds
        self.names = {line.removesuffix("/real_time") for line in
                      run([program, "--benchmark_list_tests=true"], cores).splitlines()}

    def figures(self, names, cores=None):
        chosen = "^(" + "|".join(sorted(names)) + ")/real_time$"
        return benchmark_figures(run(
            [self.program, f"--benchmark_filter={chosen}", f"--benchmark_min_time={self.seconds}",
             "--benchmark_format=json"], cores or self.cores, {"OMP_NUM_THREADS": "1"}))


class UnbuiltKernels:
    """Stands for aftune_bench while measures are only listed: it has whatever is asked for."""

    class Everything:
        def __contains__(self, name):
            return True
    names = Everything()


class TorchKernels:
    """tools/bench_torch.py, asked again and again: PyTorch is loaded once."""

    def __init__(self, python, cores, seconds):
        self.command = ["taskset", "-c", ",".join(map(str, cores)), python,
                        ROOT / "tools/bench_torch.py", "serve"]
        self.seconds, self.process = seconds, None

    def figures(self, asks):
        """`asks`: key -> (operation, shape)."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, **KEEP_MEMORY, "OMP_NUM_THREADS": "1"})
        figures = {}
        for key, (op, shape) in asks.items():
            ask = {"op": op, "shape": list(shape), "seconds": self.seconds}
            try:
                self.process.stdin.write(json.dumps(ask) + "\n")
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if not answer:
                raise Trouble(f"PyTorch's side ended during {op}")
            figures[key] = json.loads(answer)["ns"] * 1e-9
        return figures

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def torch_step(python, model, kind, cores):
    """Seconds of a training step by transformers, as the median of a process of its own."""
    text = run([python, ROOT / "tools/bench_torch.py", "step", kind, model,
                NO_RECORD_STEPS - 2, len(cores)], cores)
    return statistics.median(json.loads(text.splitlines()[-1])["ns"][SKIPPED_STEPS:]) * 1e-9


JOB = r"""model: {model}
data: {data}
base_public: true
text:
  format: prompt_completion
  before_prompt: "<|im_start|>user\n"
  before_completion: "<|im_end|>\n<|im_start|>assistant\n"
  after_completion: "<|im_end|>\n"
  pad: "<|im_end|>"
  sequence: 128
  labels: completion
batch: {{samples: 4}}
steps: {steps}
optimizer: {{kind: adamw}}
schedule: {{kind: constant, peak: 1e-5}}
clip: {{max_norm: 1.0}}
grid: {{layers_per_block: {layers}, steps_per_block: {block_steps}, state_interval: 1}}
audit: {{blocks: 1, secret: client.secret, weights_disclosed: true}}
keys: {{client: keys/client.pub, provider: keys/provider.pub, verifier: keys/client.pub}}
"""


def sign(program, folder, job, cores):
    """Makes keys/ and contract.json in `folder`: the job, drafted and signed by both sides."""
    for side in ("client", "provider"):
        run([program, "keygen", "-o", "keys", "--name", side], cores, folder=folder)
    (folder / "job.yaml").write_text(job)
    run([program, "contract", "draft", "-c", "job.yaml", "-o", "contract.json"], cores,
        folder=folder)
    for side in ("client", "provider"):
        run([program, "contract", "sign", "contract.json", "--role", side, "--key",
             f"keys/{side}.key"], cores, folder=folder)


class Training:
    """aftune train and aftune audit on a model folder; runs are deleted after they were measured."""

    def __init__(self, program, model, folder):
        self.program, self.model = program, pathlib.Path(model).resolve()
        self.data = ROOT / "examples/quickstart/data.jsonl"
        self.folder = folder
        self.contracts = {}

    def contract(self, steps, cores):
        if steps in self.contracts:
            return self.contracts[steps]
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder, prefix=f"steps-{steps}-"))
        sign(self.program, folder, JOB.format(
            model=self.model, data=self.data, steps=steps, layers=LAYERS_PER_BLOCK,
            block_steps=BLOCK_STEPS), cores)
        self.contracts[steps] = folder
        return folder

    def train(self, folder, cores, *more):
        run([self.program, "train", "contract.json", "--run", "run", "--key", "keys/provider.key",
             "--model", self.model, "--data", self.data, "--threads", len(cores), "--quiet", *more],
            cores, folder=folder)
        return (folder / "run/metrics.jsonl").read_text()

    def step(self, cores):
        """Median seconds of an unrecorded step, as many threads as cores."""
        folder = self.contract(NO_RECORD_STEPS, cores)
        try:
            return step_seconds(self.train(folder, cores, "--no-record"))
        finally:
            shutil.rmtree(folder / "run", ignore_errors=True)

    def audit(self, cores):
        """Seconds that the layer blocks of the second step block take, whose start states are
        stored. Together they repeat exactly its steps. The run is made once and stays."""
        folder = self.contract(2 * BLOCK_STEPS, cores)
        if not (folder / "run").exists():
            self.train(folder, cores)
        with open(self.model / "config.json", encoding="utf-8") as file:
            blocks = -(-json.load(file)["num_hidden_layers"] // LAYERS_PER_BLOCK)
        asked = [word for i in range(blocks) for word in ("--block", f"{i},1")]
        text = run([self.program, "audit", "contract.json", "--run", "run", *asked, "--json",
                    "--threads", len(cores)], cores, check=False, folder=folder)
        if not text:
            raise Trouble("the audit gave no verdict")
        return audit_seconds(text, blocks)


def recorded(program, model, folder, cores, pairs):
    """Pairs of whole runs of 64 steps, in turn, by tools/measure-recording."""
    return recorded_pairs(run(
        [ROOT / "tools/measure-recording", "--model", model, "--pairs", pairs, "--dir",
         tempfile.mkdtemp(dir=folder, prefix="recorded-")], cores, {"AFTUNE": str(program)}))


def exact_digests(program, isas, cores):
    """Differing and all lines of aftune_exact_digests over instruction sets and thread counts."""
    return differing_lines([run([program, "--isa", isa, "--threads", threads], cores)
                            for isa in isas for threads in (1, 2)])
