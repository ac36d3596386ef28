#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The time that `fare check` forecasts beside the one that a run takes, for studies that come with FARE, some shortened.
Processor seconds, so that other programs do not change them; of two ranks half their sum.

    bench/forecast.py [--build build] [--ranks 1 2] [STUDY ...]
"""
from __future__ import annotations

import argparse
import os
import pathlib
import re
import resource
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEW = ["ensembles[0].particles=20000", "ensembles[1].particles=20000"]
STUDIES: dict[str, list[str]] = {
    "double_well": ["snapshots.end=6.28", "ensembles[0].particles=20000", "ensembles[1].particles=20000"],
    "expression": FEW,
    "five_well": FEW,
    "flashing_ratchet": FEW,
    "geometric_brownian": FEW[:1],
    "kramers_prinz": ["truth.cells=[128, 64]", *FEW],
    "maier_stein": ["snapshots.end=4", *FEW[:1]],
    "mueller_brown": ["snapshots.end=1", *FEW],
    "ornstein_uhlenbeck": FEW,
    "prinz_driven": ["snapshots.count=11", *FEW, "ensembles[2].particles=5000", "ensembles[2].steps=200"],
    "quadruple_well": FEW,
    "rotational_ou": FEW,
    "swing_equation": ["truth.cells=[96, 64]", *FEW[:1]],
    "thermodynamics": [],
    "toggle_switch": ["snapshots.end=3", *FEW[:1]],
    "triple_well_2d": FEW,
    "wells_3d": FEW,
}
UNIT = {"s": 1, "min": 60, "h": 3600}


def forecast(launch: list[str], study: str, sets: list[str], where: str) -> float:
    done = subprocess.run(
        [*launch, "check", study, *sets], cwd=where, capture_output=True, text=True, check=True
    )
    found = re.search(r"^time +about ([\d.e+]+) (s|min|h) on", done.stdout, re.MULTILINE)
    assert found, done.stdout[-500:]
    return float(found[1]) * UNIT[found[2]]


def take(launch: list[str], study: str, sets: list[str], where: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*launch, "run", study, *sets, "--no-report", "--overwrite"],
        cwd=where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--ranks", default=[1], type=int, nargs="+")
    parser.add_argument("studies", nargs="*", default=list(STUDIES))
    given = parser.parse_args()
    program = str((given.build / "bin" / "fare").resolve())
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    print("| study | ranks | forecast [s] | taken [s] | ratio |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="fare-") as where:
        for name in given.studies:
            sets = [word for each in STUDIES.get(name, []) for word in ("--set", each)]
            for ranks in given.ranks:
                launch = [program] if ranks == 1 else ["mpirun", "-n", str(ranks), program]
                study = str(ROOT / "input" / f"{name}.yaml")
                told = forecast(launch, study, sets, where)
                took = take(launch, study, sets, where) / ranks
                print(f"| {name} | {ranks} | {told:.2g} | {took:.2g} | {told / took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
