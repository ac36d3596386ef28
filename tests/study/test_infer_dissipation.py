#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Dissipation from tracks: estimates of a swirl against the closed form at that lag, held-out scores against NumPy,
none in equilibrium and without a flow, in three axes, in other units, on two ranks; and what is refused.
fare-test: labels=study timeout=180
"""
import json
import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

METHODS = ["neep", "tur", "otsubo", "path_kl"]
SWIRL = {
    "study": "study",
    "seed": 4,
    "system": {"name": "rotational_ou", "parameters": {"stiffness": 200.0, "rotation": 200.0, "kT": 0.02}},
    "initial": {"density": "gaussian", "mean": [0, 0], "sd": [0.01, 0.01]},
    "snapshots": {"start": 0.0, "end": 1.0, "count": 2},
    "truth": {"cells": [24, 24], "lower": [-0.05, -0.05], "upper": [0.05, 0.05]},
    "infer": [
        {
            "name": "sigma",
            "method": METHODS,
            "lag": [1.25e-3],
            "tracks": 10,
            "transitions": 2000,
            "dt": 2.5e-5,
            "features": 1,
        }
    ],
}


def infer(where, study, *arguments, ranks=1):
    (where / "study.yaml").write_text(json.dumps(study))
    out = f"found{ranks}.h5"
    done = fare(where, "infer", "study.yaml", *arguments, "--out", out, ranks=ranks)
    expect(done.returncode == 0, "it runs", done.stderr)
    with h5py.File(where / out) as file:
        group = file["infer"]
        rows = {key: group[key][:] for key in group if isinstance(group[key], h5py.Dataset)}
    del rows["seconds"]
    return rows


def tracks(where, k, w, dim, lag, count, length):
    """Exact steps of a swirl in the first two axes and a trap in the third, at rest, of variance 1."""
    rng = np.random.default_rng(1)
    r = math.exp(-k * lag)
    turn = r * np.eye(dim)
    turn[:2, :2] = r * np.array(
        [[math.cos(w * lag), -math.sin(w * lag)], [math.sin(w * lag), math.cos(w * lag)]]
    )
    x = np.empty((count, length + 1, dim))
    x[:, 0] = rng.normal(size=(count, dim))
    for i in range(length):
        x[:, i + 1] = x[:, i] @ turn.T + math.sqrt(1 - r * r) * rng.normal(size=(count, dim))
    with open(where / "tracks.csv", "w", encoding="ascii") as file:
        file.write(",".join(["id", "time", "x", "y", "z"][: 2 + dim]) + "\n")
        for i in range(count):
            for j in range(length + 1):
                numbers = ",".join(f"{value:.17g}" for value in x[i, j])
                file.write(f"{i},{j * lag:.17g},{numbers}\n")
    a, b = x[:, :-1].reshape(-1, dim), x[:, 1:].reshape(-1, dim)
    return a, b


def held_out(a, b, folds, centred):
    """Scores of currents that are linear in the middle of a pair."""
    middle, way = 0.5 * (a + b), b - a
    base = np.hstack([np.ones((len(a), 1)), middle])
    v = (base[:, :, None] * way[:, None, :]).reshape(len(a), -1)
    scores = []
    for fold in range(folds):
        test = np.zeros(len(a), bool)
        test[len(a) * fold // folds : len(a) * (fold + 1) // folds] = True
        train = v[~test]
        if centred:
            J = np.linalg.solve(np.cov(train.T), train.mean(0))
            scores.append(v[test] @ J / (train @ J).std())
        else:
            h = v[test] @ np.linalg.solve(train.T @ train, 2 * train.sum(0))
            scores.append(2 * h - 0.5 * h * h)
    scores = np.concatenate(scores)
    return 2 * scores.mean() ** 2 / scores.var(ddof=1) if centred else scores.mean()


def swirl(where):
    found = infer(where, SWIRL)
    both = infer(where, SWIRL, ranks=2)
    for key, values in found.items():
        same = np.allclose(values, both[key], rtol=1e-9, equal_nan=True)
        expect(same, f"{key} on two ranks", (values, both[key]))
    k = w = 200.0
    lag = 1.25e-3
    r = math.exp(-k * lag)
    limit = 4 * r * r * math.sin(w * lag) ** 2 / ((1 - r * r) * lag)
    expect(abs(found["truth"][0] - 2 * w * w / k) < 0.03 * 400, "truth", found["truth"])
    expect((abs(found["limit"] - limit) < found["limit_error"]).all(), "limit", (found, limit))
    z = (found["estimate"] - limit) / found["error"]
    expect(abs(z[0]) < 4, "neep finds what pairs tell", (found["estimate"], limit, found["error"]))
    expect((z < 4).all(), "none finds more", (found["estimate"], limit))
    expect((found["estimate"] > [0.9 * limit, 0.7 * limit, 0.6 * limit, 0.2 * limit]).all(), "all find some")


def from_file(where):
    """In two axes against NumPy; in three, a closed form."""
    a, b = tracks(where, 1.0, 0.8, 2, 0.2, 4, 500)
    study = json.loads(json.dumps(SWIRL))
    study["system"] = {"name": "rotational_ou"}
    study["truth"] = {"cells": [16, 16], "lower": [-8, -8], "upper": [8, 8]}
    study["infer"] = [{"name": "s", "method": ["otsubo", "tur"], "features": 1, "folds": 4, "lag": 0.2}]
    found = infer(where, study, "tracks.csv")
    exact = [held_out(a, b, 4, False) / 0.2, held_out(a, b, 4, True) / 0.2]
    expect(np.allclose(found["estimate"], exact, rtol=1e-6), "NumPy's scores", (found["estimate"], exact))
    expect(np.isnan(found["limit"]).all(), "of others' tracks nothing else is known", found)

    tracks(where, 1.0, 1.0, 3, 0.25, 8, 1500)
    axes = {"axes": ["x", "y", "z"], "drift": ["-x - y", "x - y", "-z"], "diffusion": ["1.0"] * 3}
    study["system"] = {"expression": axes | {"lower": [-8] * 3, "upper": [8] * 3}}
    study["initial"] = {"density": "uniform"}
    study["truth"] = {"cells": [8, 8, 8]}
    study["infer"] = [{"name": "s", "method": "neep", "features": 1}]
    found = infer(where, study, "tracks.csv")
    z = (found["estimate"][0] - 1.509646) / found["error"][0]
    expect(-5 < z < 4 and found["estimate"][0] > 1.2, "three axes", found)


def nothing(where):
    """A ring without a force, and a well: what is found is 0, or less, as scores bound from below."""
    for name, cells, start in (("tilted_washboard", 64, "uniform"), ("double_well", 64, "boltzmann")):
        study = {
            "study": "study",
            "seed": 2,
            "system": {
                "name": name,
                "parameters": {"kT": 0.5} | ({"force": 0.0} if start == "uniform" else {}),
            },
            "initial": {"density": start},
            "snapshots": {"start": 0.0, "end": 1.0, "count": 2},
            "truth": {"cells": [cells]},
            "infer": [{"name": "s", "method": METHODS, "lag": 0.2, "tracks": 20, "transitions": 500}],
        }
        study["infer"][0] |= {"settle": 10.0, "dt": 0.01}
        found = infer(where, study)
        expect((abs(found["limit"]) < 1e-9).all(), f"{name}: nothing to be found", found["limit"])
        none = np.isnan(found["low"]) & (found["estimate"] == 0)
        expect((none | (found["low"] <= 1e-9)).all(), f"{name}: nothing is found", found)
        expect((found["estimate"] > -0.1).all(), f"{name}: nor much less", found["estimate"])


def refused(where):
    line = SWIRL["infer"][0]
    drive = [{"parameter": "rotation", "waveform": "sine", "amplitude": 0.5, "period": 1.0}]
    cases = (
        ("parameters", {"infer": [line | {"parameters": ["kT"]}]}, "estimates no parameters"),
        ("mixed", {"infer": [line | {"method": ["neep", "likelihood"]}]}, "estimate different things"),
        ("missing", {"infer": [{"name": "a", "lag": 0.1}]}, "missing key 'parameters'"),
        ("driven", {"drive": drive}, "nothing drives"),
        ("inertia", {"system": {"name": "kramers_double_well"}}, "needs diffusion along every axis"),
        ("few", {"infer": [line | {"tracks": 1, "transitions": 100}]}, "pairs are too few"),
        ("noise", {"infer": [line | {"noise": 0.01}]}, "observations have noise"),
    )
    for name, change, message in cases:
        (where / "study.yaml").write_text(json.dumps(SWIRL | change))
        done = fare(where, "infer", "study.yaml")
        expect(done.returncode != 0 and message in done.stderr, name, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        for check in (swirl, from_file, nothing, refused):
            check(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
