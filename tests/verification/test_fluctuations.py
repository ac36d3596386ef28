#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Fluctuations of currents against closed forms: the work in a swirl, for all times and for a while, and the
displacement in a washboard by quadrature (Reimann et al. 2001). No flow in equilibrium; what is refused.
fare-test: labels=verification timeout=120
"""
import json
import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare


def analyse(where, name, system, truth, keys, more=None):
    study = {
        "study": name,
        "system": system,
        "initial": {"density": "uniform"},
        "snapshots": {"start": 0.0, "end": 0.001, "count": 2},
        "truth": {"tolerance": 1e-3} | truth,
        "analysis": [{"name": "flow", "kind": "fluctuations"} | keys],
    } | (more or {})
    (where / f"{name}.yaml").write_text(json.dumps(study))
    done = fare(where, "run", f"{name}.yaml", "--no-report", "--set", f"output.directory={name}")
    if done.returncode != 0:
        return done
    with h5py.File(where / name / "study.h5") as file:
        group = file["analysis/flow"]
        return {key: np.atleast_1d(group[key][()]) for key in group if isinstance(group[key], h5py.Dataset)}


def check(found, key, exact, share):
    value, bar, exact = found[key], found[f"{key}_error"], np.array(exact)
    expect((abs(value - exact) <= bar).all(), key, (value, bar, exact))
    expect((bar < share * abs(exact)).all(), f"{key} has a small bar", (value, bar, exact))


def swirl(where):
    """k = 2, w = 1, kT = 3: time in units of 1/k, work in units of kT."""
    k, w, kT = 2.0, 1.0, 3.0
    system = {"name": "rotational_ou", "parameters": {"stiffness": k, "rotation": w, "kT": kT}}
    box = {"cells": [48, 48], "lower": [-7.5, -7.5], "upper": [7.5, 7.5]}
    q, t = np.array([-0.4, 0.1]), 0.3
    # numbers of another program, for k = w = 1, beside the closed forms below
    known = -0.414214, -0.322876, 0.111181, 0.251669
    at = np.array([-0.5, -0.25, 0.05, 0.1])
    expect(np.allclose(1 - np.sqrt(1 - 4 * at * (1 + at)), known, atol=1e-6), "known cumulants", known)
    for horizon, number in ((0.1, 1.82873), (0.5, 1.46212), (1, 1.27578), (5, 1.05263), (10, 1.02564)):
        bound = 8 / (4 + 8 / horizon * (horizon / 2 - (1 - math.exp(-2 * horizon)) / 4))
        expect(abs(bound - number) < 1e-5, "known bounds", (horizon, bound, number))
    keys = {"current": "work", "counting": list(q / kT), "horizons": [t]}
    found = analyse(where, "swirl", system, box, keys)
    check(found, "mean", 2 * w * w / k * kT, 0.01)
    check(found, "production", 2 * w * w / k, 0.01)
    check(found, "cumulant", k - np.sqrt(k * k - 4 * w * w * q * (1 + q)), 0.01)
    check(found, "diffusion", kT**2 * (2 * w**2 / k + 2 * w**4 / k**3), 0.02)
    part = t / (2 * k) - (1 - math.exp(-2 * k * t)) / (4 * k * k)
    variance = 4 * w**2 / k + 8 * w**4 / (k * k * t) * part
    check(found, "variance", kT**2 * variance, 0.02)
    check(found, "bound", 2 * (2 * w * w / k) ** 2 / variance, 0.02)


def washboard(where):
    kT, height, force, n = 0.5, 1.0, 0.5, 400
    system = {"name": "tilted_washboard", "parameters": {"kT": kT, "height": height, "force": force}}
    found = analyse(where, "ring", system, {"cells": [128]}, {"current": "displacement"})
    x = 2 * math.pi * np.arange(n) / n
    y, weight = np.polynomial.legendre.leggauss(300)
    y, weight = math.pi * (1 + y), math.pi * weight
    V = lambda at: height * np.cos(at) - force * at
    up = np.exp((V(x)[:, None] - V(x[:, None] - y)) / kT) @ weight / kT
    down = np.exp((V(x[:, None] + y) - V(x)[:, None]) / kT) @ weight / kT
    velocity = (1 - math.exp(-2 * math.pi * force / kT)) / up.mean()
    diffusion = kT * (up * up * down).mean() / up.mean() ** 3
    check(found, "mean", velocity, 1e-4)
    check(found, "diffusion", diffusion, 1e-3)
    check(found, "production", velocity * force / kT, 1e-4)
    check(found, "long_bound", velocity**2 / diffusion, 1e-3)


def fourier(kT, height, force, horizons, modes=120):
    """Mean, diffusion, and variances per time of a displacement: of ln <exp(q x)>, by Fourier series in x."""
    k = np.arange(-modes, modes + 1)

    def grown(q):
        drift = force * np.eye(len(k)) + height * (np.eye(len(k), k=-1) - np.eye(len(k), k=1)) / 2j
        one = 1j * k - q
        values, right = np.linalg.eig(-one[:, None] * drift + kT * np.diag(one**2))
        return values, right, np.linalg.inv(right)

    values, right, _ = grown(0.0)
    rest = right[:, np.argmax(values.real)]
    rest = rest / rest[modes]
    q = 0.01 * kT
    long, short = [], []
    for i in (-2, -1, 0, 1, 2):
        values, right, left = grown(i * q)
        long.append(max(values.real))
        short.append([np.log((right[modes] * np.exp(values * t) @ (left @ rest)).real) / t for t in horizons])
    second = np.array([-1, 16, -30, 16, -1]) / (12 * q * q)
    mean = np.array([1, -8, 0, 8, -1]) @ long / (12 * q)
    return mean, 0.5 * second @ long, second @ np.array(short)


def cold(where):
    """A slip carries 110 units of entropy; times from far below to far beyond all relaxation."""
    kT, force, times = 0.05, 0.9, [0.5, 10.0, 100.0, 1e6]
    system = {"name": "tilted_washboard", "parameters": {"kT": kT, "height": 1.0, "force": force}}
    mean, diffusion, variance = fourier(kT, 1.0, force, times)
    per = (force / kT) ** 2
    long = {"current": "displacement", "horizons": [1e-9] + times}
    found = analyse(where, "cold", system, {"cells": [512]}, long)
    check(found, "mean", mean, 1e-4)
    check(found, "diffusion", diffusion, 1e-4)
    check(found, "variance", [2 * kT, *variance], 1e-4)
    for current, unit in (("entropy", 1.0), ("heat", kT), ("work", kT)):
        found = analyse(where, current, system, {"cells": [512]}, {"current": current, "horizons": times})
        check(found, "diffusion", diffusion * per * unit**2, 1e-4)
        check(found, "long_bound", mean**2 / diffusion, 1e-4)
        if current == "work":
            check(found, "variance", variance * per * unit**2, 1e-4)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        swirl(where)
        washboard(where)
        cold(where)
        ring = {"name": "tilted_washboard", "parameters": {"force": 0.0}}
        found = analyse(where, "still", ring, {"cells": [64]}, {"current": "displacement"})
        expect(abs(found["mean"][0]) < 1e-12 and found["long_bound"][0] < 1e-20, "nothing flows", found)
        expect(found["diffusion"][0] > 0.01, "but all spreads", found)

        well, cells = {"name": "double_well"}, {"cells": [64]}
        drive = {"drive": [{"parameter": "tilt", "waveform": "sine", "amplitude": 0.5, "period": 1.0}]}
        refused = (
            ("ends", well, {"current": "displacement"}, None, "take a periodic axis"),
            ("driven", well, {"current": "heat"}, drive, "is driven"),
            ("falling", well, {"current": "heat", "horizons": [2.0, 1.0]}, None, "horizons must increase"),
            ("axis", well, {"current": "heat", "axis": "q"}, None, "there is no axis 'q'"),
        )
        for name, system, keys, more, message in refused:
            done = analyse(where, name, system, cells, keys, more)
            expect(not isinstance(done, dict) and done.returncode == 2 and message in done.stderr, name, done)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
