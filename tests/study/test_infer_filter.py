#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The likelihood of noisy and of driven tracks: in a trap, dragged about or not, the filter on cells finds the maximum
of Kalman's filter with its standard errors, gaps in tracks included; driven tracks without noise find that of their
Gaussian steps; ranks agree to the bit; and what is refused.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

PERIOD = 1.6
STUDY = """
study: trap
system: {{name: ornstein_uhlenbeck, parameters: {{stiffness: 1.0, kT: 1.0}}}}
{drive}initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: 1.0, count: 2}}
truth: {{cells: [{cells}], lower: [-6], upper: [6]}}
infer:
  - {{name: fit, parameters: {{stiffness: 0.9, kT: 1.1}}{more}}}
"""
DRIVE = f"drive: [{{parameter: tilt, waveform: sine, amplitude: 1.5, period: {PERIOD}}}]\n"


def pushed(k, t, lag, amplitude):
    """What the drive adds to a mean: the integral of exp(-k(t + lag - s)) A sin(w s) over the lag."""
    w = 2 * np.pi / PERIOD

    def inner(s):
        return np.exp(-k * (t + lag - s)) * (k * np.sin(w * s) - w * np.cos(w * s)) / (k * k + w * w)

    return amplitude * (inner(t + lag) - inner(t))


def draw(times, amplitude, noise, random):
    x = random.normal()
    seen = [x]
    for t, lag in zip(times[:-1], np.diff(times)):
        r = np.exp(-lag)
        x = r * x + pushed(1.0, t, lag, amplitude) + np.sqrt(1 - r * r) * random.normal()
        seen.append(x)
    return np.array(seen) + noise * random.normal(size=len(times))


def kalman(theta, times, y, noise, amplitude=0.0):
    """ln p(y); without noise that of the steps alone."""
    k, D = theta
    mean, variance, total = 0.0, D / k, 0.0
    for i, t in enumerate(times):
        if i:
            lag = t - times[i - 1]
            r = np.exp(-k * lag)
            mean = r * mean + pushed(k, times[i - 1], lag, amplitude)
            variance = r * r * variance + D / k * (1 - r * r)
        s = variance + noise**2
        if i or noise > 0:
            total -= 0.5 * (np.log(2 * np.pi * s) + (y[i] - mean) ** 2 / s)
        mean += variance / s * (y[i] - mean)
        variance *= 1 - variance / s
    return total


def best(function, theta):
    """Maximum and standard errors, by Newton's method with differences."""
    theta, h = np.array(theta, float), 1e-3
    e = h * np.eye(2)
    for _ in range(12):
        slope = np.array([(function(theta + a) - function(theta - a)) / (2 * h) for a in e])
        bend = np.array(
            [
                [
                    function(theta + a + b)
                    - function(theta + a - b)
                    - function(theta - a + b)
                    + function(theta - a - b)
                    for b in e
                ]
                for a in e
            ]
        ) / (4 * h * h)
        theta = theta - np.linalg.solve(bend, slope)
    return theta, np.sqrt(np.diag(np.linalg.inv(-bend))), function(theta)


def write(path, tracks, noise):
    with h5py.File(path, "w") as file:
        file["id"] = np.concatenate([np.full(len(t), i) for i, (t, _) in enumerate(tracks)])
        file["time"] = np.concatenate([t for t, _ in tracks])
        file["position"] = np.concatenate([y for _, y in tracks])[:, None]
        if noise:
            file.attrs["noise"] = noise


def infer(where, text, ranks=1):
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", "tracks.h5", "--out", f"out{ranks}.h5", ranks=ranks)
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / f"out{ranks}.h5") as file:
        return {name: column[()] for name, column in file["infer"].items() if hasattr(column, "shape")}


def agree(found, wanted, what):
    theta, error, value = wanted
    off = abs(found["estimate"] - theta)
    expect(
        (off < 2 * found["grid"] + 2e-3 * error).all(),
        f"{what}: the maximum",
        (found["estimate"], theta, found["grid"], error),
    )
    expect((found["grid"] < 0.1 * error).all(), f"{what}: cells and steps make little", found["grid"])
    expect((abs(found["error"] / error - 1) < 0.02).all(), f"{what}: errors", (found["error"], error))
    expect(
        abs(found["log_likelihood"][0] - value) < 0.05,
        f"{what}: likelihood",
        (found["log_likelihood"], value),
    )


def compare(where, times, noise, cells, drive=0.0, seed=1, ranks=1, what=""):
    random = np.random.default_rng(seed)
    tracks = [(t, draw(t, drive, noise, random)) for t in times]
    write(where / "tracks.h5", tracks, noise)
    more = ", first: initial" if noise else ""
    text = STUDY.format(cells=cells, drive=DRIVE if drive else "", more=more)
    found = infer(where, text)

    def total(theta):
        return sum(kalman(theta, t, y, noise, drive) for t, y in tracks)

    agree(found, best(total, [1.0, 1.0]), what)
    if ranks > 1:
        other = infer(where, text, ranks)
        for name in ("estimate", "error", "grid", "log_likelihood"):
            expect(
                (other[name] == found[name]).all(), f"{what}: {name} to the bit on {ranks} ranks", other[name]
            )
    return found


def refusals(where):
    tracks = [(0.2 * np.arange(3), np.zeros(3))]
    text = STUDY.format(cells=160, drive="", more="")
    for noise, cells, more, wanted in (
        (0.3, 8, "", "cells: noise of 0.3 along x needs cells of 0.214 or less: take 56 or more"),
        (
            0.3,
            160,
            ", lag: [0.4]",
            "comes 0.2 after the one before: noisy observations are taken as they come",
        ),
        (0.0, 160, ", method: snapshot_likelihood", "/time[0]: -1 is before the study's start"),
    ):
        write(where / "tracks.h5", tracks if noise else [(tracks[0][0] - 1, tracks[0][1])], noise)
        (where / "study.yaml").write_text(
            text.replace("160", str(cells)).replace("kT: 1.1}", "kT: 1.1}" + more)
        )
        done = fare(where, "infer", "study.yaml", "tracks.h5")
        expect(wanted in done.stderr, wanted, done.stderr)
    write(where / "tracks.h5", [(tracks[0][0], np.array([0.0, 0.1, 40.0]))], 0.3)
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", "tracks.h5")
    expect(
        done.returncode and ("outliers" in done.stderr or "do not determine" in done.stderr),
        "an outlier",
        done.stderr,
    )


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        gaps = np.cumsum(np.tile([0.2, 0.2, 0.4], 50))
        compare(where, [0.2 * np.arange(100), gaps], 0.3, 160, ranks=2, what="noise and gaps")
        even = [0.4 * np.arange(40)] * 4
        compare(where, even, 0.0, 96, drive=1.5, seed=2, ranks=2, what="a drive")
        compare(where, even, 0.3, 96, drive=1.5, seed=3, what="a drive and noise")
        refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
