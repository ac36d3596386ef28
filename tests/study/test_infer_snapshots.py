#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Parameters from unpaired snapshots: of a trap that is dragged about, whose density is Gaussian in closed form, the
likelihood finds the closed form's maximum with its standard errors; and simulated snapshots of a driven double well
scatter as Fisher's information says.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

TRAP = """
study: dragged
system: {name: ornstein_uhlenbeck, parameters: {stiffness: 1.2, kT: 0.8}}
drive: [{parameter: tilt, waveform: sine, amplitude: 2.0, period: 1.5}]
initial: {density: gaussian, mean: [-1.0], sd: [0.3]}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [192], lower: [-5], upper: [5]}
infer:
  - {name: fit, method: snapshot_likelihood, parameters: {stiffness: 1.6, kT: 0.5}}
"""
WELL = """
study: rocked
system: {name: double_well, parameters: {height: 1.5, kT: 0.7}}
drive: [{parameter: tilt, waveform: sine, amplitude: 2.0, period: 2.0}]
initial: {density: gaussian, mean: [-1.0], sd: [0.2]}
snapshots: {start: 0.0, end: 2.0, count: 2}
truth: {cells: [64], lower: [-3], upper: [3]}
infer:
  - {name: fit, method: snapshot_likelihood, parameters: {height: 1.2, kT: 0.9}, tracks: 5000, transitions: 4, unpaired: true,
     lag: [0.4], settle: 0.4, dt: 1.0e-2, repeats: 10}
"""


def moments(k, D, t):
    """Mean and variance, by many small steps of the exact equations."""
    steps = 4000
    h = t / steps
    s = (np.arange(steps) + 0.5) * h
    mean = -np.exp(-k * t) + np.sum(np.exp(-k * (t - s)) * 2 * np.sin(2 * np.pi * s / 1.5)) * h
    return mean, 0.09 * np.exp(-2 * k * t) + D / k * (1 - np.exp(-2 * k * t))


def value(theta, data):
    total = 0.0
    for t, x in data:
        mean, variance = moments(*theta, t)
        total -= 0.5 * np.sum((x - mean) ** 2 / variance + np.log(2 * np.pi * variance))
    return total


def information(theta, data):
    found = np.zeros((2, 2))
    for t, x in data:
        up, down = (
            [np.array(moments(*(theta + s * 1e-4 * np.eye(2)[i]), t)) for i in range(2)] for s in (1, -1)
        )
        slope = (np.array(up) - np.array(down)) / 2e-4
        variance = moments(*theta, t)[1]
        found += len(x) * (
            np.outer(slope[:, 0], slope[:, 0]) / variance
            + np.outer(slope[:, 1], slope[:, 1]) / (2 * variance**2)
        )
    return found


def table(where, text, *arguments):
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", *arguments, "--out", "out.h5")
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / "out.h5") as file:
        return {name: column[()] for name, column in file["infer"].items()}


def dragged_trap(where):
    random = np.random.default_rng(4)
    data = []
    for t in (0.3, 0.9, 1.7):
        mean, variance = moments(1.2, 0.8, t)
        data.append((t, mean + np.sqrt(variance) * random.normal(size=800)))
    with open(where / "snapshots.csv", "w", encoding="ascii") as file:
        file.write("time,x,id\n")
        for n, (t, x) in enumerate(data):
            file.writelines(f"{t:.17g},{y:.17g},{1000 * n + i}\n" for i, y in enumerate(x))
    found = table(where, TRAP, "snapshots.csv")
    theta = found["estimate"]
    error = np.sqrt(np.diag(np.linalg.inv(information(theta, data))))
    expect((abs(found["error"] / error - 1) < 0.01).all(), "standard errors", (found["error"], error))
    expect(abs(found["log_likelihood"][0] - value(theta, data)) < 0.2, "likelihood", found["log_likelihood"])
    step = 1e-4
    score = np.array(
        [(value(theta + step * e, data) - value(theta - step * e, data)) / (2 * step) for e in np.eye(2)]
    )
    off = np.linalg.solve(information(theta, data), score)
    expect((abs(off) < 2 * found["grid"] + 1e-4).all(), "the maximum", (theta, off, found["grid"]))
    expect((found["grid"] < 0.1 * error).all(), "cells and steps make little", found["grid"])
    expect((found["truth"] != found["truth"]).all(), "of a file no truth is known", found["truth"])
    done = fare(where, "infer", "study.yaml", "snapshots.csv", "--set", "infer[0].method=likelihood")
    expect("no track has two observations" in done.stderr, "snapshots are no tracks", done.stderr)


def rocked_well(where):
    found = table(where, WELL)
    fisher = np.linalg.inv(np.array([[1.453, -2.647], [-2.647, 6.439]]) * 1000)  # of snapshots at other times
    expect((abs(np.log(found["error"] ** 2 / np.diag(fisher))) < 0.7).all(), "errors", found["error"])
    z = (found["estimate"] - [1.5, 0.7]) / (found["error"] / np.sqrt(10))
    expect((abs(z) < 4).all(), "no bias", (found["estimate"], z))
    ratio = found["spread"] / found["error"]
    expect(((ratio > 0.4) & (ratio < 1.8)).all(), "scatter", ratio)


def driven_parameter(where):
    """What is sought of a driven parameter is its base, not what the drive makes of it at the start."""
    text = TRAP.replace("amplitude: 2.0", "amplitude: 2.0, phase: 1.5").replace("cells: [192]", "cells: [64]")
    text = text.replace("{stiffness: 1.6, kT: 0.5}", "[tilt], tracks: 800, transitions: 2, lag: [0.5]")
    found = table(where, text.replace("lag: [0.5]", "unpaired: true, settle: 0.5, dt: 1.0e-2, lag: [0.5]"))
    expect(found["truth"][0] == 0, "the base is the truth", found["truth"])
    expect(abs(found["estimate"][0]) < 4 * found["error"][0], "and is found", found)
    (where / "study.yaml").write_text(text.replace("lag: [0.5]", "settle: 0.5, dt: 1.0e-2, lag: [0.5]"))
    done = fare(where, "infer", "study.yaml")
    expect("are not independent" in done.stderr, "tracks are no snapshots", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        dragged_trap(where)
        driven_parameter(where)
        rocked_well(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
