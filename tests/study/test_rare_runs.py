#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Runs of estimators of rare events: paths of one run shared among ranks, and a run that is killed in its middle and
goes on, on more ranks: the same bits each time.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import time

import h5py

from checks import conclude, expect, fare
from launch import ALONE, ENVIRONMENT, FARE
from rare import columns, expect_same_bits, run

OVER = "{name: over, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.8]}"
LATE = "{name: late, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.8], deadline: 1.0}"
FEW = (
    "{name: plain, method: brute_force, event: over, paths: 700, runs: 1, dt: 0.01}",
    "{name: split, method: splitting, event: over, walkers: 40, kill: 9, runs: 4, dt: 0.01}",
    (
        "{name: flow, method: weighted_ensemble, event: over, walkers: 24, bins: 6, resample: 0.05, dt: 0.01,"
        " time: 20, burn: 5, runs: 2}"
    ),
    (
        "{name: flux, method: forward_flux, event: over, walkers: 8, time: 30, burn: 5, interfaces: 6,"
        " trials: 50, dt: 0.01, runs: 1}"
    ),
    "{name: steer, method: doob, event: over, paths: 60, dt: 0.01, runs: 1}",
    (
        "{name: hurry, method: weighted_ensemble, event: late, walkers: 24, bins: 6, resample: 0.05, dt:"
        " 0.01, runs: 1}"
    ),
)
LONG = (
    "{name: split, method: splitting, event: over, walkers: 40, kill: 3, runs: 1, dt: 1.0e-5}",
    (
        "{name: flow, method: weighted_ensemble, event: over, walkers: 24, bins: 6, resample: 0.05, dt: 0.01,"
        " time: 8000, runs: 1}"
    ),
    (
        "{name: flux, method: forward_flux, event: over, walkers: 8, time: 30000, interfaces: 6, trials: 50,"
        " dt: 0.01, runs: 1}"
    ),
)


def study(rare, drive=""):
    return (
        f"study: runs\nsystem: {{name: double_well, parameters: {{kT: 0.3}}}}\n{drive}"
        "snapshots: {start: 0.0, end: 1.0e-6, count: 2}\ntruth: {cells: [128]}\n"
        f"events: [{OVER}, {LATE}]\nrare: [{rare}]\n"
    )


def check_teams(where):
    """Three ranks on one run, on two, and on four: three of them for each its own."""
    text = study(", ".join(FEW))
    one, _ = run(where, text, "alone")
    expect((one["estimate"] > 0).all(), "all find the event", one["estimate"])
    many, _ = run(where, text, "team", 3)
    expect_same_bits(one, many, "of runs that ranks share")


def under_way(folder):
    """Numbers of the runs whose state the newest checkpoint holds."""
    for path in sorted(folder.glob("checkpoint_*_*.h5"), reverse=True):
        try:
            with h5py.File(path) as file:
                return list(file["rare/0/under_way"]) if "rare/0/under_way" in file else []
        except OSError:
            continue
    return []


def check_kill(where, rare, name):
    """In the middle of the only run, which goes on from there on two ranks."""
    text = study(rare)
    whole, _ = run(where, text, f"{name}_whole")
    path, directory = where / f"{name}.yaml", where / name
    path.write_text(text)
    output = f"output.directory={directory}"
    command = [FARE, "run", path, "--no-report", "--checkpoint-seconds", "0", "--set", output]
    with subprocess.Popen(command, env={**ENVIRONMENT, **ALONE}, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not under_way(directory / "checkpoints"):
            time.sleep(0.01)
        process.kill()
    expect(under_way(directory / "checkpoints") == [0], f"{name}: a checkpoint in the middle of the run")
    done = fare(where, "run", path, "--no-report", "--resume", "--set", output, ranks=2)
    expect(done.returncode == 0, f"{name} goes on", done.stderr)
    expect_same_bits(whole, columns(directory), f"of {name} after a kill")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-runs-") as folder:
        where = pathlib.Path(folder)
        check_teams(where)
        for name, rare in zip(("split", "flow", "flux"), LONG):
            check_kill(where, rare, name)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
