#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Parameters from tracks: the likelihood finds what the closed form of an Ornstein-Uhlenbeck process finds, with its
standard errors; intervals cover the truth in 40 sets of data; limits of Euler's likelihood are those of transition
densities made by quadrature; two axes and two ranks; and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

METHODS = ("likelihood", "snapshot_likelihood", "euler_likelihood", "kramers_moyal")


def infer(where, text, *arguments, ranks=1):
    """Columns of /infer by name."""
    (where / "study.yaml").write_text(text)
    out = where / f"out{ranks}.h5"
    done = fare(where, "infer", "study.yaml", *arguments, "--out", out, ranks=ranks)
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(out) as file:
        group = file["infer"]
        columns = {name: column[()] for name, column in group.items() if hasattr(column, "shape")}
        columns["profiles"] = {int(name): profile[()] for name, profile in group.get("profiles", {}).items()}
        columns.update({name: np.array([s.decode() for s in group.attrs[name]]) for name in group.attrs})
    return columns


def trap(cells, lag="", more=""):
    return (
        "study: trap\nsystem: {name: ornstein_uhlenbeck, parameters: {stiffness: 1.5, kT: 0.7}}\n"
        "snapshots: {start: 0.0, end: 1.0, count: 2}\n"
        f"truth: {{cells: [{cells}], lower: [-6], upper: [6]}}\n"
        f"infer:\n  - {{name: fit, parameters: {{stiffness: 1.0, kT: 1.0}}{lag}{more}}}\n"
    )


def draw_trap(lags, seed):
    """An exact track, and its times."""
    random = np.random.default_rng(seed)
    k, D = 1.5, 0.7
    x = [random.normal() * np.sqrt(D / k)]
    for lag in lags:
        r = np.exp(-k * lag)
        x.append(r * x[-1] + np.sqrt(D / k * (1 - r * r)) * random.normal())
    return np.concatenate([[0], np.cumsum(lags)]), np.array(x)


def closed_form(x, lag):
    """k, D, their standard errors given the starts, and the likelihood."""
    a, b = x[:-1], x[1:]
    r = (a @ b) / (a @ a)
    v = np.mean((b - r * a) ** 2)
    k = -np.log(r) / lag
    D = v * k / (1 - r * r)
    s = D / k
    dm = np.array([-lag * r, 0])
    dv = np.array([-s / k * (1 - r * r) + 2 * s * lag * r * r, (1 - r * r) / k])
    information = np.outer(dm, dm) * (a @ a) / v + len(a) * np.outer(dv, dv) / (2 * v * v)
    value = -0.5 * len(a) * (np.log(2 * np.pi * v) + 1)
    return k, D, np.sqrt(np.diag(np.linalg.inv(information))), value


def closed_form_of_a_trap(where):
    t, x = draw_trap(np.full(2000, 0.4), 1)
    table = np.column_stack([np.full(len(x), 7), t, x])
    np.savetxt(where / "tracks.csv", table, delimiter=",", header="id,time,x", comments="", fmt="%.17g")
    found = infer(where, trap(512), "tracks.csv")
    k, D, error, value = closed_form(x, 0.4)
    expect((abs(found["estimate"] - [k, D]) < 2 * found["grid"] + 1e-5).all(), "k and D", (found, k, D))
    expect((found["grid"] < 0.05 * error).all(), "the cells' error is small", found["grid"])
    expect((abs(found["error"] / error - 1) < 2e-3).all(), "standard errors", (found["error"], error))
    expect(abs(found["log_likelihood"][0] - value) < 0.05, "likelihood", (found["log_likelihood"], value))
    # with stiffness held, D follows from the mean square of what is left
    profiles = infer(where, trap(512, more=", intervals: profile"), "tracks.csv")["profiles"]
    expect(sorted(profiles) == [0, 1], "a profile for each parameter", profiles)
    for held, change in profiles[0].T:
        left = np.mean((x[1:] - np.exp(-held * 0.4) * x[:-1]) ** 2)
        exact = -0.5 * 2000 * (np.log(2 * np.pi * left) + 1) - value
        expect(abs(change - exact) < 0.02, "the profile of stiffness", (held, change, exact))
    expect(len(profiles[0][0]) > 4 and profiles[0][1].max() == 0, "points of the profile", profiles[0])
    # of few cells, the error that is told is the one that is there
    found = infer(where, trap(64), "tracks.csv")
    true = abs(found["estimate"] - [k, D])
    expect((true < 2 * found["grid"]).all(), "the cells' error is told", (true, found["grid"]))
    expect((true > 0.3 * found["grid"]).all(), "and not too large", (true, found["grid"]))


def gaps(where):
    """Lags of several lengths: the likelihood is the sum of those of each."""
    lags = np.tile([0.2, 0.2, 0.6], 400)
    t, x = draw_trap(lags, 2)
    with h5py.File(where / "tracks.h5", "w") as file:
        order = np.random.default_rng(5).permutation(len(x))
        file["id"], file["time"], file["position"] = np.zeros(len(x), int), t[order], x[order, None]
    found = infer(where, trap(400), "tracks.h5")
    k, D = found["estimate"][:2]
    r = np.exp(-k * lags)
    v = D / k * (1 - r * r)
    value = -0.5 * np.sum(np.log(2 * np.pi * v) + (x[1:] - r * x[:-1]) ** 2 / v)
    expect(abs(found["log_likelihood"][0] - value) < 0.05, "likelihood", (found["log_likelihood"], value))
    one = infer(where, trap(128, ", lag: [0.6]"), "tracks.h5")
    expect(one["pairs"][0] == np.sum(lags == 0.6), "pairs of one lag alone", one["pairs"])


def transitions(lag, steps, n=280, height=1.0, kT=0.5):
    """Centres and the matrix p(to|from) h of a double well, by quadrature over many small Gaussian steps."""
    h = 4.4 / n
    x = -2.2 + h * (np.arange(n) + 0.5)
    dt = lag / steps
    mean = x - 4 * height * x * (x * x - 1) * dt
    step = np.exp(-((x[:, None] - mean) ** 2) / (4 * kT * dt)) * h / np.sqrt(4 * np.pi * kT * dt)
    return x, np.linalg.matrix_power(step, steps)


def limit_by_quadrature(lag, steps):
    """Height and kT that Euler's likelihood finds in infinitely many data."""
    x, P = transitions(lag, steps)
    pi = np.exp(-((x * x - 1) ** 2) / 0.5)
    pi /= pi.sum()
    P = P / P.sum(axis=0)
    d = x[:, None] - x
    first, second = (P * d).sum(axis=0), (P * d * d).sum(axis=0)
    f = -4 * x * (x * x - 1) * lag
    height = np.sum(pi * f * first) / np.sum(pi * f * f)
    return height, np.sum(pi * (second - 2 * height * f * first + (height * f) ** 2)) / (2 * lag)


def well(**keys):
    text = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return (
        "study: well\nseed: 11\nsystem: {name: double_well, parameters: {height: 1.0, kT:"
        " 0.5}}\nsnapshots: {start: 0.0, end: 1.0, count: 2}\ntruth: {cells: [128], lower: [-2.6],"
        f" upper: [2.6]}}\ninfer:\n  - {{name: fit, parameters: {{height: 0.8, kT: 0.6}}, {text}}}\n"
    )


def limits_are_those_of_quadrature(where):
    found = infer(
        where,
        well(
            method="[euler_likelihood]",
            lag="[0.1, 0.5]",
            transitions=2000,
            tracks=2,
            dt="5.0e-3",
            cells="[256]",
        ),
    )
    for i, lag in enumerate((0.1, 0.5)):
        coarse, fine = (
            np.array(limit_by_quadrature(lag, n)) for n in (round(lag / 0.002), round(lag / 0.001))
        )
        exact = 2 * fine - coarse
        limit = found["limit"][2 * i : 2 * i + 2]
        expect((abs(limit - exact) < 1e-3).all(), f"limits at {lag}", (limit, exact))
        z = (found["estimate"] - found["limit"])[2 * i : 2 * i + 2] / found["error"][2 * i : 2 * i + 2]
        expect((abs(z) < 4).all(), "data lie about the limit", z)
    expect((found["limit_error"] < 1e-3).all(), "their error", found["limit_error"])
    expect(abs(found["limit"][2] - 0.2113) < 5e-4, "21% of the barrier", found["limit"][2])


def end_of_a_range(where):
    """Data of a potential of one well, which no height of two wells can fit: none is the best."""
    t, x = draw_trap(np.full(300, 0.4), 6)
    table = np.column_stack([np.full(len(x), 7), t, 0.5 * x])
    np.savetxt(where / "flat.csv", table, delimiter=",", header="id,time,x", comments="", fmt="%.17g")
    for method in METHODS[:1] + METHODS[2:]:
        found = infer(where, well(method=method), "flat.csv")
        expect(found["estimate"][0] == 0 and np.isnan(found["error"][0]), f"{method}: held", found)
        expect(found["error"][1] > 0, f"{method}: the other has an error", found["error"])
        if method == "likelihood":
            expect(found["low"][0] == 0 and found["high"][0] > 0.01, "an interval", found)


def late_times(where):
    """Far from 0, rounding of times is no difference of lags."""
    t, x = draw_trap(np.full(400, 0.01), 3)
    with h5py.File(where / "late.h5", "w") as file:
        file["id"], file["time"], file["position"] = np.zeros(len(x), int), t + 1e8, x[:, None]
    found = infer(where, trap(128, ", lag: [0.01]", ", method: euler_likelihood"), "late.h5")
    expect(found["pairs"][0] == 400, "all pairs of the lag", found["pairs"])


def an_outlier(where):
    """A step that cannot be is an error: to the maximum it would make no difference."""
    t, x = draw_trap(np.full(300, 0.4), 1)
    table = np.column_stack([np.full(len(x) + 2, 7), [*t, 0, 0.01], [*x, 0, 5.9]])
    table[-2:, 0] = 8
    np.savetxt(where / "outlier.csv", table, delimiter=",", header="id,time,x", comments="", fmt="%.17g")
    (where / "study.yaml").write_text(trap(512))
    done = fare(where, "infer", "study.yaml", "outlier.csv")
    wanted = "in a time of 0.01 has probability 0 in this model"
    expect(done.returncode == 1 and wanted in done.stderr, wanted, done)


def limit_of_short_tracks(where):
    """Where tracks begin far from rest, so does what infinitely many of them tell."""
    text = well(method="euler_likelihood", lag="[0.1]", transitions=2, tracks=10000, dt="5.0e-3")
    text = text.replace("snapshots:", "initial: {density: gaussian, mean: [-0.4], sd: [0.1]}\nsnapshots:")
    found = infer(where, text)
    z = (found["estimate"] - found["limit"]) / found["error"]
    expect((abs(z) < 4).all(), "the limit is that of these tracks", z)
    expect((found["limit_error"] < 0.1 * found["error"] + 0.01).all(), "its error", found["limit_error"])


def a_centre(where):
    """Scores of a long lag depend on each other; intervals allow for it."""
    text = trap(
        64, ", lag: [1.0]", ", method: euler_likelihood, repeats: 300, transitions: 200, settle: 5, dt: 0.02"
    )
    found = infer(where, text.replace("{stiffness: 1.0, kT: 1.0}", "[centre]"))
    expect(found["covered"][0] > 0.88, "intervals hold the centre", found["covered"])


def intervals_cover(where):
    keys = {"lag": "[0.5]", "transitions": 1000, "dt": "5.0e-3", "cells": "[80]"}
    found = infer(where, well(repeats=40, **keys))
    expect((found["covered"] >= 0.85).all(), "intervals hold the truth", found["covered"])
    z = (found["estimate"] - found["truth"]) / (found["spread"] / np.sqrt(40))
    expect((abs(z) < 4).all(), "no bias", z)
    ratio = found["spread"] / found["error"]
    expect(((ratio > 0.65) & (ratio < 1.5)).all(), "data scatter as their errors say", ratio)
    fisher = np.array([0.097, 0.039])
    expect((abs(found["error"] / fisher - 1) < 0.15).all(), "as Fisher says", found["error"])
    one = infer(where, well(repeats=1, intervals="profile", **keys))
    centre, error = one["estimate"], one["error"]
    expect((one["low"] < centre - error).all() and (one["high"] > centre + error).all(), "a profile", one)
    expect(
        (abs((one["high"] - one["low"]) / (3.92 * error) - 1) < 0.2).all(), "nearly as wide as Fisher's", one
    )
    expect((one["low"] != centre - 1.959963984540054 * error).all(), "but not the same", one)


def several_maxima(where):
    """Around a ring, forces that take a particle once more around are nearly as likely: one of them is not the best."""
    random = np.random.default_rng(3)
    rows = []
    for k in range(10):
        lag, x = 1.0 + 0.7 * (k % 2), random.uniform(-np.pi, np.pi)
        rows += [f"{k},0,{x}", f"{k},{lag},{x + lag + np.sqrt(4 * lag) * random.normal()}"]
    (where / "ring.csv").write_text("id,time,x\n" + "\n".join(rows) + "\n")
    text = (
        "study: ring\nsystem: {name: tilted_washboard, parameters: {height: 0.0, kT: 2.0}}\n"
        "snapshots: {start: 0.0, end: 1.0, count: 2}\ntruth: {cells: [64]}\n"
        "infer:\n  - {name: fit, parameters: {force: FORCE}, intervals: profile}\n"
    )
    (where / "study.yaml").write_text(text.replace("FORCE", "-5"))
    done = fare(where, "infer", "study.yaml", "ring.csv")
    expect("the estimate is not the largest likelihood" in done.stdout, "a higher maximum", done.stdout)
    (where / "study.yaml").write_text(text.replace("FORCE", "0.56"))
    done = fare(where, "infer", "study.yaml", "ring.csv")
    expect(done.returncode == 0 and "not the largest" not in done.stdout, "the highest one", done.stdout)


def plane(where):
    """Two axes: a turning trap, one and two ranks."""
    random = np.random.default_rng(3)
    lag, count = 0.5, 1500
    r = np.exp(-lag) * np.array([[np.cos(lag), -np.sin(lag)], [np.sin(lag), np.cos(lag)]])
    x = [random.normal(size=2)]
    for _ in range(count):
        x.append(r @ x[-1] + np.sqrt(1 - np.exp(-2 * lag)) * random.normal(size=2))
    x = np.array(x)
    with h5py.File(where / "plane.h5", "w") as file:
        file["id"], file["time"], file["position"] = np.zeros(len(x), int), lag * np.arange(len(x)), x
    text = (
        "study: plane\nsystem: {name: rotational_ou}\nsnapshots: {start: 0.0, end: 1.0, count: 2}\n"
        "truth: {cells: [32, 32], lower: [-5, -5], upper: [5, 5]}\n"
        "infer:\n  - {name: fit, parameters: {stiffness: 0.8, rotation: 0.5, kT: 1.2}}\n"
    )
    found = infer(where, text, "plane.h5")
    a, b = x[:-1], x[1:]
    A = np.linalg.lstsq(a, b, rcond=None)[0]
    c, s = 0.5 * (A[0, 0] + A[1, 1]), 0.5 * (A[0, 1] - A[1, 0])
    k, w = -np.log(np.hypot(c, s)) / lag, np.arctan2(s, c) / lag
    D = np.mean((b - a @ np.array([[c, s], [-s, c]])) ** 2) * k / (1 - c * c - s * s)
    z = (found["estimate"] - [k, w, D]) / (2 * found["grid"] + 1e-3)
    expect((abs(z) < 1).all(), "stiffness, rotation and kT", (found["estimate"], [k, w, D], found["grid"]))
    two = infer(where, text, "plane.h5", ranks=2)
    expect((two["estimate"] == found["estimate"]).all(), "the same bits on two ranks", two["estimate"])


def refusals(where):
    good = "id,time,x\n1,0,0.1\n1,0.4,0.2\n"
    cases = [
        ("id,time,x\n1,0,0.1\n1,0.4,abc\n", "bad.csv:3:7: column 'x': expected a number, got 'abc'"),
        ("id,time\n1,0\n", "bad.csv:1: no column 'x'"),
        ("id,time,x\n1,0\n", "bad.csv:2: expected 3 columns"),
        ("id,time,x\n1,0,1\n1.5,0,1\n", "bad.csv:3:1: column 'id': expected an integer, got '1.5'"),
        (good + "1,0.4,0.3\n", "bad.csv:4:3: column 'time': track 1 has two rows of time 0.4"),
        (good + "1,0.8,nan\n", "bad.csv:4:7: column 'x': expected a finite number"),
        (good + "# noise: -1\n", "bad.csv:4: noise: expected"),
        ("", "bad.csv: no rows"),
        (
            good.replace("1,0.4", "9223372036854775808,0.4"),
            "bad.csv:3:1: column 'id': expected an integer of 64",
        ),
        *(
            (f"# {text}\n" + good, "bad.csv:1: noise: expected '# noise: 0.05'")
            for text in ("Noise: 0.3", "noise = 0.3", "noise : 0.3", "measurement noise: 0.3")
        ),
    ]
    (where / "study.yaml").write_text(trap(256))
    for text, wanted in cases:
        (where / "bad.csv").write_text(text)
        done = fare(where, "infer", "study.yaml", "bad.csv")
        expect(done.returncode == 2, f"{wanted}: exit code", done.returncode)
        expect(wanted in done.stderr, wanted, done.stderr)
    for text, wanted in [
        (good + "1,0.8,9\n", "bad.csv:4:7: column 'x': 9 lies outside of the truth's box"),
        *(
            ("# noise: 0.1\n" + good, f"observations have noise of 0.1: {name} takes")
            for name in METHODS[1:2]
        ),
        (good.replace("0.4", "1.0e-4"), "take "),
    ]:
        (where / "bad.csv").write_text(text)
        method = next((name for name in METHODS if f": {name} takes" in wanted), "likelihood")
        done = fare(where, "infer", "study.yaml", "bad.csv", "--set", f"infer[0].method={method}")
        expect(done.returncode == 1, f"{wanted}: exit code", done.returncode)
        expect(wanted in done.stderr, wanted, done.stderr)
    with h5py.File(where / "bad.h5", "w") as file:
        file["id"], file["time"], file["position"] = [1, 1], [0.0, np.nan], [[0.0], [1.0]]
    done = fare(where, "infer", "study.yaml", "bad.h5")
    expect("bad.h5: /time[1]: expected a finite number" in done.stderr, "a time that is none", done.stderr)
    with h5py.File(where / "bad.h5", "w") as file:
        file["id"], file["time"] = np.array([1, 2**63], np.uint64), [0.0, 1.0]
        file["position"] = [[0.0], [1.0]]
    done = fare(where, "infer", "study.yaml", "bad.h5")
    expect("bad.h5: /id[1]: expected an integer below" in done.stderr, "an id beyond 63 bits", done.stderr)
    for keys, wanted in [
        ("repeats: 3, lag: [0.4]", "infer[0].repeats: repeats are of simulated data"),
        ("method: snapshot_likelihood, lag: [0.4]", "snapshot_likelihood takes all observations"),
    ]:
        (where / "study.yaml").write_text(trap(256, more=", " + keys))
        done = fare(where, "infer", "study.yaml", "bad.csv")
        expect(done.returncode == 2 and wanted in done.stderr, wanted, done.stderr)
    for text, wanted in [
        (
            trap(256).replace("stiffness: 1.0", "stifness: 1"),
            "has no parameter 'stifness' (did you mean 'stiffness'?)",
        ),
        (trap(256, more=", method: likelihod"), "(did you mean 'likelihood'?)"),
        (trap(256, more=", cells: [255]"), "expected even numbers"),
        (trap(256), "add 'lag'"),
        (trap(256, ", lag: [0.1, 0.005]"), "dt: 0.001 is too long a step for a lag of 0.005: take 0.0005 or"),
        (trap(256, more=", file: a.csv, repeats: 3"), "repeats are of simulated data"),
    ]:
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml")
        expect(done.returncode == 2 and wanted in done.stderr, wanted, done.stderr)


def a_study_says_it(where):
    """`fare run` prints what `fare infer` does."""
    (where / "study.yaml").write_text(
        trap(64, ", lag: 0.5, tracks: 20, transitions: 10, method: kramers_moyal")
    )
    told = [
        fare(where, command, "study.yaml", *more).stdout
        for command, more in (("infer", ()), ("run", ("--overwrite",)))
    ]
    rows = [[line for line in text.splitlines() if "kramers_moyal" in line] for text in told]
    expect(len(rows[0]) == 2 and rows[0] == rows[1], "a study prints what it inferred", told)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        for test in globals().get("CHOSEN") or (
            closed_form_of_a_trap,
            gaps,
            limits_are_those_of_quadrature,
            end_of_a_range,
            late_times,
            an_outlier,
            limit_of_short_tracks,
            a_centre,
            several_maxima,
            intervals_cover,
            plane,
            a_study_says_it,
            refusals,
        ):
            test(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
