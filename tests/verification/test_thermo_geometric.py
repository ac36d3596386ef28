#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The least entropy production with given marginals against closed forms and NumPy: a swirl in two axes, a ring
with a flow through, a closed axis without one, and three axes. On two ranks as on one, after a resume as
without a stop; refused where nothing diffuses along an axis.
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

SWIRL = {
    "study": "swirl",
    "system": {"name": "rotational_ou", "parameters": {"rotation": 1.0, "kT": 2.0, "stiffness": 1.5}},
    "initial": {"density": "gaussian", "mean": [1.5, 0.0], "sd": [0.9, 0.9]},
    "snapshots": {"start": 0.0, "end": 0.4, "count": 2},
    "truth": {"cells": [48, 48], "lower": [-6.5, -6.5], "upper": [6.5, 6.5], "tolerance": 1e-7},
    "thermodynamics": {"geometric": True, "points": 3},
}
RING = {
    "study": "ring",
    "system": {"name": "tilted_washboard", "parameters": {"kT": 0.5, "height": 1.0, "force": 0.5}},
    "initial": {"density": "uniform"},
    "snapshots": {"start": 0.0, "end": 0.3, "count": 2},
    "truth": {"cells": [128], "tolerance": 1e-10},
    "thermodynamics": {"geometric": True, "currents": True},
}
# a closed axis: a force without a potential cannot drive a flow through
CLOSED = {
    "study": "closed",
    "system": {
        "expression": {"axes": ["x"], "drift": ["-k*x"], "diffusion": ["0.5"], "lower": [-4], "upper": [4]},
        "parameters": {"k": 1.0},
    },
    "initial": {"density": "gaussian", "mean": [1.0], "sd": [0.5]},
    "snapshots": {"start": 0.0, "end": 1.0, "count": 3},
    "truth": {"cells": [256], "tolerance": 1e-9},
    "thermodynamics": {"geometric": True},
}
SPACE = {
    "study": "space",
    "system": {
        "expression": {
            "axes": ["x", "y", "z"],
            "drift": ["-x - w*y", "w*x - y", "-z"],
            "diffusion": ["1.0", "1.0", "1.0"],
            "lower": [-5, -5, -5],
            "upper": [5, 5, 5],
        },
        "parameters": {"w": 0.7},
    },
    "initial": {"density": "gaussian", "mean": [0.8, 0.0, 0.5], "sd": [0.9, 0.9, 0.9]},
    "snapshots": {"start": 0.0, "end": 0.02, "count": 2},
    "truth": {"cells": [24, 24, 24], "tolerance": 1e-4},
    "thermodynamics": {"geometric": True, "points": 3},
}


def run(where, study, ranks=1, *more):
    name = study["study"]
    (where / f"{name}.yaml").write_text(json.dumps(study))
    out = f"{name}{ranks}"
    done = fare(
        where, "run", f"{name}.yaml", "--no-report", "--overwrite", "--set", f"output.directory={out}", *more,
        ranks=ranks,
    )  # fmt: skip
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    with open(where / out / "thermodynamics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}, done.stdout


def swirl_rate(t, D, k, w, mean, variance, dim=2, drifting=None):
    """<|grad phi|^2>/D of a round Gaussian: its mean moves, its width changes."""
    s = D / k + (variance - D / k) * math.exp(-2 * k * t)
    moved = (k * k + w * w) * mean**2 * math.exp(-2 * k * t) + (drifting or 0)
    return (moved + dim * (k * (D / k - s)) ** 2 / s) / D


def check(columns, name, k, exact):
    value, bar = columns[name][k], columns[f"{name}_error"][k]
    expect(abs(value - exact) <= bar, f"{name} {k}", (value, bar, exact))
    expect(bar < 0.06 * abs(exact), f"{name} {k} has a small bar", (value, bar, exact))


def check_swirl(where):
    c, text = run(where, SWIRL)
    t, weights = np.polynomial.legendre.leggauss(20)
    # known of rotational_ou.yaml: the rate at the start, and what is visible over 0..6, of 15.6933
    expect(abs(swirl_rate(0, 1.0, 1.0, 1.0, 2.0, 0.49) - 9.06163) < 1e-5, "known: a visible rate")
    seen = 3 * sum(b * swirl_rate(3 * (1 + a), 1.0, 1.0, 1.0, 2.0, 0.49) for a, b in zip(t, weights))
    unseen = 2 * (6 - 0.51 * (1 - math.exp(-12)) / 2)
    expect(abs(seen - 4.2033) < 1e-4 and abs(seen + unseen - 15.6933) < 1e-4, "known: 4.2033", (seen, unseen))
    D, k, w = 2.0, 1.5, 1.0
    exact = 0.2 * sum(b * swirl_rate(0.2 * (1 + a), D, k, w, 1.5, 0.81) for a, b in zip(t, weights))
    for i in range(2):
        check(c, "production_geometric_rate", i, swirl_rate(0.4 * i, D, k, w, 1.5, 0.81))
    check(c, "production_geometric", 1, exact)
    gap = c["production_total"] - c["production_geometric"]
    s = D / k + (0.81 - D / k) * np.exp(-2 * k * 0.2 * (1 + t))
    expect(
        abs(gap[1] - 0.2 * weights @ (2 * w * w * s / D)) < 0.01, "the swirl is what they cannot tell", gap
    )
    expect("production_speed_limit" not in c, "the speed limit is for one axis")
    expect("invisible to marginals" in text, "the difference is printed", text)
    both, _ = run(where, SWIRL, 2)
    for name in ("production_geometric", "production_geometric_rate"):
        expect(np.allclose(both[name], c[name], rtol=1e-6, atol=1e-9), f"{name} on two ranks", both[name])


def check_ring(where):
    """On a ring all currents of one divergence differ by a constant."""
    c, _ = run(where, RING)
    snapshots = sorted((where / "ring1").glob("snapshots/*.h5"))
    density = current = None
    for path in snapshots:
        with h5py.File(path) as file:
            names = []
            file.visit(names.append)
            for name in names:
                if name.endswith(("truth/density", "meshes/density")):
                    density = file[name][:]
                if "current" in name and isinstance(file[name], h5py.Dataset):
                    current = file[name][:]
    if density is None or current is None:
        expect(False, "density and current are on record", [str(path) for path in snapshots])
        return
    p, J, h = density, current, 2 * math.pi / 128
    least = ((J**2 / p).sum() - (J / p).sum() ** 2 / (1 / p).sum()) * h / 0.5
    value = c["production_geometric_rate_plain"][-1]
    expect(abs(value - least) < 2e-3 * least, "a ring's least rate", (value, least))
    expect(value < 0.9 * c["production_total_rate_plain"][-1], "is less than all")


def check_closed(where):
    c, _ = run(where, CLOSED)
    for end in ("", "_rate"):
        total, least = c[f"production_total{end}"], c[f"production_geometric{end}"]
        expect(np.allclose(total, least, rtol=1e-6), f"without a flow through it is all{end}", (total, least))
    D, t = 0.5, c["time"][1:]
    width = np.sqrt(0.5 + (0.25 - 0.5) * np.exp(-2 * t))
    limit = ((1 - np.exp(-t)) ** 2 + (width - 0.5) ** 2) / (D * t)
    for i in (0, 1):
        check(c, "production_speed_limit", i + 1, limit[i])
    expect((c["production_speed_limit"] <= c["production_geometric"] + 1e-12).all(), "it is a limit")
    # what ended at half the time goes on as if it had not
    short = CLOSED | {"study": "longer", "snapshots": {"start": 0.0, "end": 0.5, "count": 2}}
    run(where, short)
    again = ("--set", "snapshots.end=1.0", "--set", "snapshots.count=3", "--set", "output.directory=longer1")
    done = fare(where, "run", "longer.yaml", "--no-report", "--resume", *again)
    expect(done.returncode == 0, "it goes on", done.stderr)
    texts = [(where / name / "thermodynamics.csv").read_text() for name in ("closed1", "longer1")]
    expect(texts[0] == texts[1], "to the same bits", texts)


def check_heated(where):
    """kT from 0.1 to 2.1 and back within a period: it is the integral of D that limits."""
    drive = {"parameter": "kT", "waveform": "sine", "amplitude": 1.0, "period": 1.0, "phase": -0.5 * math.pi}
    system = {"name": "ornstein_uhlenbeck", "parameters": {"stiffness": 1.0, "kT": 1.1}}
    study = CLOSED | {"study": "heated", "system": system, "drive": [drive]}
    study["truth"] = {"cells": [256], "lower": [-7], "upper": [7], "tolerance": 1e-7}
    study["initial"] = {"density": "gaussian", "mean": [1.0], "sd": [0.5]}
    c, _ = run(where, study)
    node, weight = np.polynomial.legendre.leggauss(40)
    for i, t in enumerate(c["time"]):
        u = 0.5 * t * (1 + node)
        D = 1.1 - np.cos(2 * math.pi * u)
        sd = math.sqrt(0.25 * math.exp(-2 * t) + t * weight @ (D * np.exp(-2 * (t - u))))
        if i:
            apart = (1 - math.exp(-t)) ** 2 + (sd - 0.5) ** 2
            check(c, "production_speed_limit", i, apart / (0.5 * t * weight @ D))


def check_space(where):
    c, _ = run(where, SPACE)
    exact = swirl_rate(0, 1.0, 1.0, 0.7, 0.8, 0.81, dim=3, drifting=0.25)
    value, bar = (c[f"production_geometric_rate{end}"][0] for end in ("", "_error"))
    expect(abs(value - exact) < min(bar, 0.05 * exact), "three axes", (value, bar, exact))


def check_refused(where):
    study = SWIRL | {"study": "inertia", "system": {"name": "kramers_double_well"}}
    study["initial"] = {"density": "boltzmann"}
    study["truth"] = {"cells": [32, 32]}
    (where / "inertia.yaml").write_text(json.dumps(study))
    done = fare(where, "run", "inertia.yaml")
    expect(done.returncode == 2 and "diffusion along every axis" in done.stderr, "inertia", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        for check_one in (check_closed, check_heated, check_ring, check_swirl, check_space, check_refused):
            check_one(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
