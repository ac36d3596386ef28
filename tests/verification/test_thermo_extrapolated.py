#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Extrapolated thermodynamics against quadrature: entropy production and velocity of a tilted washboard at rest,
and a driven double well in equilibrium. All linear identities hold to round-off, numbers of the grid alone
stay on record, and nothing is extrapolated where the grids do not resolve the system or the study says so.
fare-test: labels=verification timeout=120
"""
import csv
import json
import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

WASHBOARD = {
    "study": "washboard",
    "system": {"name": "tilted_washboard", "parameters": {"kT": 0.5, "height": 1.0, "force": 0.5}},
    "initial": {"density": "uniform"},
    "snapshots": {"start": 0.0, "end": 30.0, "count": 7},
    "truth": {"cells": [64], "tolerance": 1e-10},
    "thermodynamics": {},
}
WELL = {
    "study": "well",
    "system": {"name": "double_well", "parameters": {"kT": 0.5, "height": 1.0}},
    "drive": [
        {"parameter": "tilt", "waveform": "sine", "amplitude": 0.6, "period": 1.3},
        {"parameter": "height", "waveform": "smoothstep", "amplitude": 1.0, "start": 0.1, "end": 0.8},
    ],
    "snapshots": {"start": 0.0, "end": 1.0, "count": 6},
    "truth": {"cells": [128], "lower": [-2.5], "upper": [2.5], "tolerance": 1e-9},
    "thermodynamics": {"points": 7},
}


def run(where, study, **truth):
    study = study | {"truth": study["truth"] | truth}
    name = study["study"]
    (where / f"{name}.yaml").write_text(json.dumps(study))
    done = fare(
        where, "run", f"{name}.yaml", "--no-report", "--overwrite", "--set", f"output.directory={name}"
    )
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    with open(where / name / "thermodynamics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    with h5py.File(where / name / "study.h5") as file:
        group = file["thermodynamics"]
        for key, values in columns.items():
            expect(np.allclose(group[key][:], values, rtol=1e-11, atol=1e-14), f"{key} in study.h5")
        return columns, bool(group.attrs["extrapolated"])


def washboard_velocity():
    """Stratonovich's mean velocity in the tilted cosine, by the rule of rectangles on a ring."""
    kT, force, n = 0.5, 0.5, 400
    x = 2 * math.pi * np.arange(n) / n
    # p(x) is proportional to the integral over one turn of exp((V(x + y) - V(x))/kT)
    y = np.polynomial.legendre.leggauss(200)
    y = math.pi * (1 + y[0]), math.pi * y[1]
    lift = (-np.cos(x[:, None] + y[0]) + np.cos(x)[:, None] - force * y[0]) / kT
    mean = (np.exp(lift) @ y[1]).mean()
    return 2 * math.pi * kT * (1 - math.exp(-2 * math.pi * force / kT)) / (2 * math.pi * mean)


def equilibrium(t):
    """Free energy, energy and entropy of the double well in its box, at rest."""
    s = min(1.0, max(0.0, (t - 0.1) / 0.7))
    height, tilt = 1 + s * s * (3 - 2 * s), 0.6 * math.sin(2 * math.pi * t / 1.3)
    x, w = np.polynomial.legendre.leggauss(200)
    V = height * ((2.5 * x) ** 2 - 1) ** 2 - tilt * 2.5 * x
    Z = 2.5 * w @ np.exp(-V / 0.5)
    energy = 2.5 * w @ (V * np.exp(-V / 0.5)) / Z
    return -0.5 * math.log(Z), energy, energy / 0.5 + math.log(Z)


def check(columns, name, k, exact, gain):
    """Within the bar, and so many times nearer than the number of the grid alone."""
    value, bar, plain = (columns[name + end][k] for end in ("", "_error", "_plain"))
    expect(abs(value - exact) <= bar + 1e-12, f"{name} {k}", (value, bar, exact))
    expect(gain * abs(value - exact) < abs(plain - exact), f"{name} {k} is better", (value, plain, exact))
    expect(bar < 0.5 * abs(plain - exact), f"{name} {k} is known better", (bar, plain, exact))


def identities(c, kT, driven):
    change = c["energy"] - c["energy"][0]
    extra = 0 if driven else c["extra_work"]
    expect(abs(change - c["work"] - extra - c["heat"]).max() < 1e-11, "first law")
    expect(abs(c["free_energy"] - c["energy"] + kT * c["entropy"]).max() < 1e-11, "free energy")
    gap = c["free_energy"] - c["equilibrium_free_energy"] - kT * c["kl_to_equilibrium"]
    expect(abs(gap).max() < 1e-11, "divergence from equilibrium")
    parts = c["production_housekeeping"] + c["production_excess"]
    expect(abs(c["production_total"] - parts).max() < 1e-10, "parts of the production")
    balance = c["entropy"] - c["entropy"][0] - c["heat"] / kT - c["production_total"] - c["entropy_balance"]
    expect(abs(balance).max() < 1e-10, "entropy balance")
    if driven:
        lost = c["work"] - c["equilibrium_free_energy"] + c["equilibrium_free_energy"][0]
        expect(abs(c["dissipated_work"] - lost).max() < 1e-11, "dissipated work")


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        ring, better = run(where, WASHBOARD)
        expect(better, "a washboard is extrapolated")
        velocity = washboard_velocity()
        check(ring, "velocity_1", -1, velocity, 100)
        for name in ("production_total_rate", "production_housekeeping_rate"):
            check(ring, name, -1, 0.5 * velocity / 0.5, 100)
        identities(ring, 0.5, False)

        well, better = run(where, WELL)
        expect(better, "a well is extrapolated")
        for k, t in enumerate(well["time"]):
            own = well["equilibrium_free_energy"][k]
            expect(abs(own - equilibrium(t)[0]) < 1e-11, f"free energy {k}")  # as on any grid
        for name, exact in zip(("energy", "entropy"), equilibrium(0)[1:]):
            check(well, name, 0, exact, 10)
        identities(well, 0.5, True)

        plain, better = run(where, WELL, extrapolate=False)
        expect(not better and "work_plain" not in plain, "nothing is extrapolated where the study says so")
        for name, values in plain.items():
            if not name.endswith("_error"):
                kept = well.get(f"{name}_plain", well[name])
                expect(
                    name == "entropy_balance" or (values == kept).all(), f"{name} of the grid is on record"
                )

        coarse, better = run(where, WELL, cells=[32])
        expect(not better, "nothing is extrapolated from steep cells")
        expect((coarse["work"] == coarse["work_plain"]).all(), "nor changed")
    return conclude()


sys.exit(main())
