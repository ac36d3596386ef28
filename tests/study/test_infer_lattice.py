#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Tracks on two axes, long lags: starts on a lattice that is coarser than the cells, against the closed form of a trap
that turns, by an optimiser of SciPy's; and the same bits on two ranks.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np
from scipy.linalg import expm
from scipy.optimize import minimize

from checks import conclude, expect, fare

STUDY = """
study: lattice
system: {name: rotational_ou}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [CELLS, CELLS], lower: [-5, -5], upper: [5, 5]}
infer:
  - {name: fit, parameters: {stiffness: 0.9, rotation: 0.8, kT: 1.2}}
"""
LAG, TRACKS, SEEN = 1.0, 40, 50


def step(theta):
    """Mean and variance of a transition: x' = A x + normal."""
    stiffness, rotation, kT = theta
    A = expm(LAG * np.array([[-stiffness, -rotation], [rotation, -stiffness]]))
    return A, kT / stiffness * (1 - np.exp(-2 * stiffness * LAG))


def simulate():
    random = np.random.default_rng(2)
    A, variance = step((1.0, 1.0, 1.0))
    x = [random.normal(size=(TRACKS, 2))]
    for _ in range(SEEN):
        x.append(x[-1] @ A.T + np.sqrt(variance) * random.normal(size=(TRACKS, 2)))
    return np.array(x)


def value(theta, x):
    A, variance = step(theta)
    away = x[1:] - x[:-1] @ A.T
    return -np.sum(np.log(2 * np.pi * variance) + 0.5 * np.sum(away**2, axis=2) / variance)


def infer(where, cells, ranks):
    (where / "study.yaml").write_text(STUDY.replace("CELLS", str(cells)))
    done = fare(where, "infer", "study.yaml", "tracks.h5", "--out", "out.h5", ranks=ranks)
    expect(done.returncode == 0, f"inference on {ranks} ranks", done.stderr)
    with h5py.File(where / "out.h5") as file:
        names = ("estimate", "error", "grid", "log_likelihood")
        return {name: file["infer"][name][()] for name in names}


def main():
    x = simulate()
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        with h5py.File(where / "tracks.h5", "w") as file:
            file["id"] = np.tile(np.arange(TRACKS), SEEN + 1)
            file["time"] = np.repeat(LAG * np.arange(SEEN + 1), TRACKS)
            file["position"] = x.reshape(-1, 2)
        best = minimize(
            lambda theta: -value(theta, x), (0.9, 0.8, 1.2), method="Nelder-Mead", options={"xatol": 1e-6}
        )
        one, two = infer(where, 48, 1), infer(where, 48, 2)
        for name, column in one.items():
            expect(column.tobytes() == two[name].tobytes(), f"the same bits of {name}", (column, two[name]))
        off = np.abs(one["estimate"] - best.x)
        expect(np.all(off < 3 * one["grid"] + 1e-4), "estimates", (one["estimate"], best.x, one["grid"]))
        expect(np.all(off < 0.5 * one["error"]), "estimates within errors", (off, one["error"]))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
