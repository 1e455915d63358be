# SPDX-License-Identifier: Apache-2.0
"""Virtual environments of the tools that compare with PyTorch."""
import pathlib
import subprocess
import sys


def environment(folder, packages):
    """The interpreter of a virtual environment in `folder` that has these packages of PyPI. Makes
    the environment or adds to it; what pip prints goes to standard error."""
    folder = pathlib.Path(folder)
    python, ready = folder / "bin/python", folder / "ready"
    there = set(ready.read_text().split()) if ready.exists() else set()
    missing = [package for package in packages if package not in there]
    if not python.exists():
        call(sys.executable, "-m", "venv", folder)
    if missing:
        call(python, "-m", "pip", "install", "--quiet", *missing)
        ready.write_text("\n".join(sorted(there | set(missing))) + "\n")
    return str(python)


def call(*command):
    subprocess.run(command, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)
