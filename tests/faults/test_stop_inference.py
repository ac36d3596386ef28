#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Requests to stop in the middle of analyses, searches for likelihoods, transition probabilities, draws from
posteriors and judgements of designs: exit code 75 soon, on one rank and on two, where only one of them is asked; `fare infer` keeps the rows that are done,
`fare run` a checkpoint with all snapshots.
fare-test: labels=faults timeout=240
"""
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import h5py

from checks import MPIEXEC, conclude, expect, fare
from launch import processes

FARE = os.environ["FARE_COMMAND"]
SOON = 30  # seconds, on a machine that has other work

WELL = """
study: NAME
system: {name: double_well, parameters: {kT: 0.5}}
snapshots: {start: 0.0, end: 0.01, count: 2}
truth: {cells: [64], lower: [-2.6], upper: [2.6]}
"""
POSTERIOR = """
infer:
  - {name: first, method: kramers_moyal, parameters: [kT], lag: [0.5], tracks: 2, transitions: 50, dt: 0.05}
  - {name: second, parameters: [kT], lag: [0.5], tracks: 2, transitions: 50, dt: 0.05, posterior: {draws: 10000000}}
"""
TRAP = """
study: NAME
system: {name: rotational_ou}
snapshots: {start: 0.0, end: 0.01, count: 2}
truth: {cells: [32, 32], lower: [-4, -4], upper: [4, 4]}
"""
# an evaluation takes many seconds: it ends within
LIKELIHOOD = """
infer:
  - {name: first, method: kramers_moyal, parameters: [kT], lag: [0.5], cells: [8, 8], tracks: 2,
     transitions: 50, dt: 0.05}
  - {name: second, parameters: [kT], lag: [2], cells: [96, 96], tracks: 50, transitions: 50, dt: 0.05}
"""
# eight columns, which are propagated side by side, take minutes
COLUMNS = """
infer:
  - {name: first, method: kramers_moyal, parameters: [kT], lag: [0.5], cells: [8, 8], tracks: 2,
     transitions: 50, dt: 0.05}
  - {name: second, parameters: [kT], lag: [20], cells: [256, 256], tracks: 1, transitions: 20, dt: 0.05}
"""
DESIGN = """
infer:
  - {name: first, method: kramers_moyal, parameters: [kT], lag: [0.5], cells: [8, 8], tracks: 2,
     transitions: 50, dt: 0.05}
  - {name: second, method: identifiability, parameters: [kT], cells: [128, 128], times: [1, 2, 3], particles: 10,
     others: [1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 30, 40]}
"""
ANALYSIS = """
analysis:
  - {name: pairs, kind: irreversibility, lags: [1, 2, 4, 8]}
"""


def stop(where, name, text, mark, ranks, *command):
    """Sends SIGUSR1 to one rank a second after `mark` stands in what is said."""
    (where / f"{name}.yaml").write_text(text.replace("NAME", name))
    launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    study = str(where / f"{name}.yaml")
    with subprocess.Popen(
        [*launch, FARE, command[0], study, *command[1:]],
        cwd=where,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        said = ""
        for line in run.stdout:
            said += line
            if mark in line:
                break
        time.sleep(1)
        asked = time.monotonic()
        of_run = processes(study) if ranks > 1 else [run.pid]
        os.kill(of_run[-1], signal.SIGUSR1)
        rest, _ = run.communicate(timeout=120)
        expect(run.returncode == 75, f"{name}: exit code", (run.returncode, said + rest))
        expect("stopped on request" in rest, f"{name}: a message", rest)
        expect(time.monotonic() - asked < SOON, f"{name}: soon", time.monotonic() - asked)


def inference(where, name, text, ranks=1):
    stop(where, name, text, "first done", ranks, "infer", "--out", f"{name}.h5")
    with h5py.File(where / f"{name}.h5") as file:
        rows = [text.decode() for text in file["infer"].attrs["inferences"]]
    expect(rows == ["first"], f"{name}: rows that are done", rows)


def study(where, name, text, mark):
    stop(where, name, text, mark, 1, "run")
    done = fare(where, "status", f"{name}.yaml")
    expect(done.stdout.startswith("unfinished"), f"{name}: a checkpoint", done.stdout)
    expect(any((where / "out" / name / "checkpoints").iterdir()), f"{name}: checkpoints")


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        inference(where, "posterior", WELL + POSTERIOR)
        inference(where, "two_ranks", WELL + POSTERIOR, ranks=2)
        inference(where, "likelihood", TRAP + LIKELIHOOD)
        inference(where, "columns", TRAP + COLUMNS)
        inference(where, "design", TRAP + DESIGN)
        study(where, "in_a_run", WELL + POSTERIOR, "first done")
        study(where, "pairs", TRAP.replace("32", "64") + ANALYSIS, "snapshots done")
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
