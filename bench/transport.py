#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The error of transport beside its estimate, for the two studies of docs/transport.md that have an independent
reference: the Fourier method of tests/referee, which shares no code with FARE.

    bench/transport.py [--build build] [--coarse] [--write] [STUDY ...]

It takes some five minutes of one core. --coarse leaves out the finest cells, --write writes the table of
docs/transport.md anew. Seconds are those of the processor for the whole run, with
companions.
"""
from __future__ import annotations

import argparse
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "postproc"), str(ROOT / "tests/referee"), str(ROOT / "docs")]

import numpy as np
import verification

import planes
from fare.results import Study

BOXES = {"kramers_prinz": (1.5, 9.0), "kramers_double_well": (2.4, 9.0)}  # half of their widths
CELLS = {
    "kramers_prinz": [(128, 48), (256, 96), (512, 192)],
    "kramers_double_well": [(144, 48), (288, 96), (576, 192)],
}
MODES = 1  # index of the cells of which a series has as many waves


def problem(name: str, times: list[float]) -> planes.Plane:
    """What input/NAME.yaml says, on the box of this comparison."""
    shape = next(shape for shape in planes.SHAPES if shape.name == name)
    if name == "kramers_prinz":
        theta = {"kT": 1.0, "mass": 1.0, "friction": 1.0, "height": 4.0}
        potential = planes.formula(shape.potential)
        start = lambda x, v: np.exp(-potential(x, v, {**theta, "tilt": 0.0}))
        tilt = lambda t: 4 * math.sin(2 * math.pi * t)
    else:
        theta = {"kT": 1.0, "mass": 1.0, "friction": 0.5, "height": 2.0}
        start = planes.gaussian([-1.2, 0.0], [0.2, 1.0], [0.0, 0.0], (False, False))
        tilt = lambda t: 0.0
    upper = BOXES[name]
    lower = (-upper[0], -upper[1])
    return planes.Plane(shape, lower, upper, lambda t: {**theta, "tilt": tilt(t)}, [], 1.0, times, start)


def solve(fare: str, name: str, cells: tuple[int, int], where: pathlib.Path) -> Study:
    """The truth alone, with its estimate."""
    x, v = BOXES[name]
    settings = [f"truth.cells={list(cells)}", f"truth.lower=[{-x}, {-v}]", f"truth.upper=[{x}, {v}]"]
    settings += ["ensembles=[]", f"output.directory={where / name}"]
    words = [word for setting in settings for word in ("--set", setting)]
    study = str(ROOT / f"input/{name}.yaml")
    subprocess.run([fare, "run", study, "--no-report", *words], check=True, capture_output=True)
    return Study(where / name)


def processor() -> float:
    """Seconds of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(fare: str, name: str, sizes: list[tuple[int, int]]) -> list[str]:
    lines, reference = [], None
    finest = CELLS[name][-1]
    for cells in sizes:
        with tempfile.TemporaryDirectory() as folder:
            before = processor()
            study = solve(fare, name, cells, pathlib.Path(folder))
            seconds = processor() - before
            densities = [study.snapshot(k).mesh() for k in range(len(study.times))]
        if reference is None:  # masses of the finest cells
            edges = [np.linspace(-b, b, n + 1) for b, n in zip(BOXES[name], finest)]
            reference, _ = planes.run(problem(name, study.times.tolist()), edges, CELLS[name][MODES])
        blocks = (-1, cells[1], finest[1] // cells[1], cells[0], finest[0] // cells[0])
        masses = reference.reshape(blocks).sum(axis=(2, 4)).transpose(0, 2, 1)
        area = 4 * math.prod(BOXES[name]) / math.prod(cells)
        error = abs(area * np.array(densities) - masses).sum(axis=(1, 2)).max()
        assert study.truth
        lines.append(
            f"| `{name}` | $\\pm {BOXES[name][0]:g} \\times \\pm {BOXES[name][1]:g}$ | {cells[0]} x"
            f" {cells[1]} | {error:.1e} | {study.truth.error.max():.1e} | {seconds:.2g} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--coarse", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("studies", nargs="*", metavar="STUDY")
    options = parser.parse_args()
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    fare = os.environ.get("FARE_COMMAND", str(options.build.resolve() / "bin/fare"))
    lines = ["| Study | Box | Cells | Error | Estimate | Seconds |", "|---|---|---|---|---|---|"]
    print("\n".join(lines))
    for name in options.studies or CELLS:
        lines += rows(fare, name, CELLS[name][: -1 if options.coarse else None])
    if options.write:
        verification.write({"transport": "\n".join(lines)}, ROOT / "docs/transport.md")


if __name__ == "__main__":
    main()
