#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the truth and its estimate cost: processor time and memory of runs with and without companions.

    bench/truth_estimate.py [--repeats 3] [--command build/bin/fare]

The cases are 64 periods of a fast drive on one axis (40 time units, period 0.628, tolerance 1e-7, 2048 cells)
and those of truth_scaling.py. For each, with and without the estimate: seconds of the processor per run, the
least of a few, less those of a run that ends at once; nanoseconds per cell and step of the grid itself; and
bytes per cell, the peak resident size less that of a tiny grid. Nothing is asserted.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import h5py
from truth_scaling import ROOT, STUDY

FAST = (
    "study: fast\nsystem: {name: prinz}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period:"
    " 0.628}]\nsnapshots: {start: 0, end: 40, count: 2}\ntruth: {cells: [2048], tolerance: 1.0e-7}\n"
)
CASES = [(FAST, [2048], 40), (STUDY[2], [128] * 2, 2), (STUDY[2], [256] * 2, 2), (STUDY[3], [32] * 3, 0.5)]
TINY = {1: 64, 2: 16, 3: 8}


def run(command, study, cells, end, estimate):
    """Processor seconds, peak bytes and steps of one run."""
    out = study.parent / "out"
    words = [command, "run", str(study), "--no-report", "--overwrite"]
    for setting in (
        f"output.directory={out}",
        f"truth.cells={cells}",
        f"truth.estimate={str(estimate).lower()}",
        f"snapshots.end={end}",
    ):
        words += ["--set", setting]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run failed: {' '.join(words)}")
    with h5py.File(out / "study.h5") as file:
        steps = int(file["truth"].attrs["steps"])
    return usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss, steps


def measure(command, study, cells, end, estimate, repeats):
    """Seconds of the way, steps, and bytes per cell."""
    whole = [run(command, study, cells, end, estimate) for _ in range(repeats)]
    start = [run(command, study, cells, 1e-9, estimate) for _ in range(repeats)]
    tiny = run(command, study, [TINY[len(cells)]] * len(cells), end, estimate)
    total = cells[0] ** len(cells)
    return min(r[0] for r in whole) - min(r[0] for r in start), whole[0][2], (whole[0][1] - tiny[1]) / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n", maxsplit=1)[0])
    parser.add_argument("--command", default=ROOT / "build/bin/fare")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    print(
        f"{'cells':>12}{'estimate':>10}{'seconds':>9}{'steps':>7}{'ns/cell/step':>14}{'bytes/cell':>12}{'ratio':>7}"
    )
    with tempfile.TemporaryDirectory() as place:
        for text, cells, end in CASES:
            study = pathlib.Path(place) / "study.yaml"
            study.write_text(text, encoding="utf-8")
            alone = 0
            for estimate in (False, True):
                seconds, steps, size = measure(
                    str(arguments.command), study, cells, end, estimate, arguments.repeats
                )
                alone = alone or seconds
                print(
                    (
                        f"{'x'.join(map(str, cells)):>12}{'yes' if estimate else 'no':>10}{seconds:9.3f}{steps:7d}"
                        f"{1e9 * seconds / steps / cells[0] ** len(cells):14.1f}{size:12.0f}{seconds / alone:7.2f}"
                    ),
                    flush=True,
                )


if __name__ == "__main__":
    main()
