#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Who simulates a system with inertia by euler_maruyama is told of baoab, and rightly: at a step of 0.02 the variance
of the velocity, 1 at equilibrium, is off by one but not by the other. Nobody else is told.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

STUDY = """
study: {name}
system: {{name: {system}}}
snapshots: {{start: 0.0, end: 8.0, count: 2}}
ensembles: [{{name: walk, sampler: langevin, particles: 50000, dt: {dt}{integrator}}}]
"""
NOTE = "euler_maruyama heats a system with inertia"


def run(where: pathlib.Path, name: str, system: str, integrator: str, dt: float = 0.02) -> str:
    keys = f", integrator: {integrator}" if integrator else ""
    text = STUDY.format(name=name, system=system, integrator=keys, dt=dt)
    (where / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = fare(where, "run", f"{name}.yaml", "--no-report")
    expect(done.returncode == 0, f"{name} runs", done.stderr[-500:])
    return done.stdout + done.stderr


def variance(where: pathlib.Path, name: str) -> float:
    with h5py.File(where / "out" / name / "snapshots/snapshot_000001.h5") as file:
        return float(np.var(np.asarray(file["data/1/particles/walk/position/y"])))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-inertia-") as name:
        where = pathlib.Path(name)
        said = run(where, "euler", "kramers_double_well", "")
        expect(said.count(NOTE) == 1, "euler_maruyama with inertia: one note", said[-500:])
        expect(NOTE not in run(where, "split", "kramers_double_well", "baoab"), "none with baoab")
        expect(NOTE not in run(where, "still", "double_well", "", 0.01), "none without inertia")
        hot, right = variance(where, "euler"), variance(where, "split")
        expect(abs(right - 1) < 0.03, "baoab keeps the temperature", right)
        expect(hot > 1.1, "euler_maruyama does not", hot)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
