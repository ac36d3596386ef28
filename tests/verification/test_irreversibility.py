#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Dissipation that pairs of positions tell, against the closed form of a swirl, NumPy's matrix exponential on a
ring, and 0 in equilibrium; on two ranks as on one; in other units; and what is refused.
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

WASHBOARD = {"kT": 0.5, "height": 1.0, "force": 0.5}
BASE = {
    "study": "base",
    "initial": {"density": "uniform"},
    "snapshots": {"start": 0.0, "end": 0.01, "count": 2},
}


def analyse(where, name, system, truth, lags, ranks=1, drive=(), **keys):
    study = BASE | {"study": name, "system": system, "truth": {"tolerance": 1e-3} | truth}
    study["analysis"] = [{"name": "pairs", "kind": "irreversibility", "lags": lags} | keys]
    if drive:
        study["drive"] = drive
    (where / f"{name}.yaml").write_text(json.dumps(study))
    out = f"{name}{ranks}"
    done = fare(where, "run", f"{name}.yaml", "--no-report", "--set", f"output.directory={out}", ranks=ranks)
    if done.returncode != 0:
        return done
    with h5py.File(where / out / "study.h5") as file:
        group = file["analysis/pairs"]
        return {key: np.atleast_1d(group[key][()]) for key in group if isinstance(group[key], h5py.Dataset)}


def check(found, key, exact, what):
    value, bar = found[key], found[f"{key}_error"]
    expect((abs(value - exact) <= bar + 1e-12).all(), what, (value, bar, exact))


def swirl(lag, k, w):
    """Divergence of two Gaussians in four dimensions."""
    r = math.exp(-k * lag)
    return 4 * r * r * math.sin(w * lag) ** 2 / ((1 - r * r) * lag)


def ring(lags, n):
    """Upwind-free rates on a ring, and powers of their matrix by its eigenvectors."""
    kT, height, force = (WASHBOARD[key] for key in ("kT", "height", "force"))
    h = 2 * math.pi / n
    x = h * (np.arange(n) + 0.5)
    V = height * (np.cos(x + h) - np.cos(x))
    up = kT / h**2 * np.exp(-0.5 * (V - force * h) / kT)
    down = kT / h**2 * np.exp(0.5 * (V - force * h) / kT)
    L = np.zeros((n, n))
    for i in range(n):
        j = (i + 1) % n
        L[j, i] += up[i]
        L[i, i] -= up[i]
        L[i, j] += down[i]
        L[j, j] -= down[i]
    values, vectors = np.linalg.eig(L)
    rest = np.abs(vectors[:, np.argmax(values.real)].real)
    rest /= rest.sum()
    found = []
    for lag in lags:
        P = (vectors * np.exp(values * lag) @ np.linalg.inv(vectors)).real * rest
        ok = (P > 1e-13) & (P.T > 1e-13)
        found.append((P[ok] * np.log(P[ok] / P.T[ok])).sum() / lag)
    return np.array(found)


def ring_extrapolated(lags):
    coarse, fine = ring(lags, 150), ring(lags, 300)
    return fine + (fine - coarse) / 3


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        lags = [0.5, 1.0, 2.0]
        system = {"name": "tilted_washboard", "parameters": WASHBOARD}
        found = analyse(where, "ring", system, {"cells": [192]}, lags)
        coarse, fine = ring(lags, 150), ring(lags, 300)
        check(found, "rate", fine + (fine - coarse) / 3, "a ring")
        expect(found["rate"][2] < 0.7 * found["rate"][0], "long lags tell less")
        both = analyse(where, "ring", system, {"cells": [192]}, lags, 2)
        expect(np.allclose(both["rate"], found["rate"], rtol=1e-11), "on two ranks", both["rate"])
        check(found, "production", 0.1755934 * np.ones(1), "its production by Stratonovich's velocity")

        # by squares, where lags are long; from there on nothing is told but 1/lag of what one pair tells
        long = [lags[2], 40.0, 1e6, 1e9]
        far = analyse(where, "far", system, {"cells": [192]}, long)
        check(far, "rate", ring_extrapolated(long), "far lags")
        expect(abs(far["rate"][0] / found["rate"][2] - 1) < 1e-10, "the same by squares", far["rate"][0])

        # kT cancels, and time is measured in other units
        k, w = 300.0, 200.0
        system = {"name": "rotational_ou", "parameters": {"stiffness": k, "rotation": w, "kT": 3e-4}}
        box = {"cells": [40, 40], "lower": [-5e-3, -5e-3], "upper": [5e-3, 5e-3]}
        lags = [0.5 / k, 1 / k]
        found = analyse(where, "swirl", system, box, lags)
        check(found, "rate", np.array([swirl(lag, k, w) for lag in lags]), "a swirl")
        check(found, "production", 2 * w * w / k * np.ones(1), "its production")

        system = {"name": "double_well", "parameters": {"kT": 0.5, "height": 1.0}}
        found = analyse(where, "well", system, {"cells": [96]}, [0.1, 10.0])
        expect(abs(found["rate"]).max() < 1e-12, "none in equilibrium", found["rate"])
        expect(abs(found["production"]).max() < 1e-12, "nor at once", found["production"])

        # a driven process has no stationary pairs: only frozen at a time that is given
        drive = [{"parameter": "force", "waveform": "sine", "amplitude": 0.5, "period": 1.0}]
        driven = {"name": "tilted_washboard", "parameters": WASHBOARD | {"force": 0.0}}
        frozen = analyse(where, "frozen", driven, {"cells": [96]}, [0.5], drive=drive, time=0.25)
        check(frozen, "production", 0.1755934 * np.ones(1), "frozen at the crest of a drive")
        done = analyse(where, "driven", driven, {"cells": [96]}, [0.5], drive=drive)
        said = "driven.yaml:1:"
        expect(not isinstance(done, dict) and done.returncode == 2, "a drive without a time", done)
        expect(said in done.stderr and "give 'time'" in done.stderr, "says what instead", done)

        refused = (
            ("falling", system, {"cells": [64]}, [0.2, 0.1], "lags must increase"),
            ("ends", system, {"cells": [64], "boundaries": ["absorbing"]}, [0.1], "absorbing"),
            ("inertia", {"name": "kramers_double_well"}, {"cells": [32, 32]}, [0.1], "no diffusion"),
        )
        for name, system, truth, lags, message in refused:
            done = analyse(where, name, system, truth, lags)
            expect(not isinstance(done, dict) and done.returncode == 2 and message in done.stderr, name, done)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
