# SPDX-License-Identifier: Apache-2.0
"""This project's side of a comparison, run by the program aftune_dump_model."""

import json
import subprocess

from safetensors.numpy import load_file, save_file

import model_reference as reference


def run_images(program, folder, job, batches, work):
    """The same of an image classifier; `batches` are the arrays pixels and classes."""
    found, part = _trained(program, folder, job, batches, work)
    return reference.Outcome(found["logits"], found["losses"].tolist(), found["norms"].tolist(),
                             part("gradient/"), part("parameter/"))


def _trained(program, folder, job, tensors, work):
    (work / "job.json").write_text(json.dumps(reference.in_contract_form(job)))
    save_file(tensors, work / "batches.safetensors")
    out = work / "ours.safetensors"
    subprocess.run([program, folder, work / "job.json", work / "batches.safetensors", out],
                   check=True)
    found = load_file(out)
    return found, lambda prefix: {n.removeprefix(prefix): t for n, t in found.items()
                                  if n.startswith(prefix)}


def run(program, folder, job, batches, work):
    """Trains the imported model in `folder`; files of the way stay in `work`."""
    found, part = _trained(program, folder, job, batches.tensors(), work)
    rows, sequence = batches.tokens.shape[1:]
    logits = found["logits"].reshape(rows, sequence, -1) * batches.mask(0)[:, :, None]
    return reference.Outcome(logits, found["losses"].tolist(), found["norms"].tolist(),
                             part("gradient/"), part("parameter/"))
