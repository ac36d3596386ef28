#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Likelihoods of data that ask for care, against closed forms and dense matrices: tracks that begin at different times,
noise that is wide beside the ring that it falls on, and drives with many periods between observations, which steps
that are evenly spaced do not see. Densities that cells do not resolve are refused, wherever they lie.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np
from scipy.linalg import expm

from checks import conclude, expect, fare

LATE = """
study: late
system: {name: ornstein_uhlenbeck, parameters: {kT: 0.5}}
initial: {density: gaussian, mean: [2.0], sd: [0.1]}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [200], lower: [-5], upper: [5]}
infer:
  - {name: fit, parameters: {stiffness: 0.8}, first: initial}
"""
RING = """
study: ring
system: {name: tilted_washboard, parameters: {kT: 0.5, height: 1.0, force: 0.5}}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [64]}
infer:
  - {name: fit, parameters: {height: 1.0}}
"""
FAST = """
study: fast
system: {name: ornstein_uhlenbeck, parameters: {kT: 2.0}}
drive: [DRIVE]
initial: {density: gaussian, mean: [0.0], sd: [1.4]}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [128], lower: [-8], upper: [8]}
infer:
"""
NARROW = """
study: narrow
system: {name: tilted_washboard, parameters: {kT: 0.5, height: 0.0, force: 0.0}}
initial: {density: INITIAL}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [24]}
infer:
  - {name: fit, method: snapshot_likelihood, parameters: {kT: 0.5}}
"""


def write(where, ids, times, positions, noise=0.0):
    with h5py.File(where / "tracks.h5", "w") as file:
        file["id"], file["time"], file["position"] = ids, times, np.array(positions)[:, None]
        if noise > 0:
            file.attrs["noise"] = noise


def run(where, text, *data):
    (where / "study.yaml").write_text(text)
    return fare(where, "infer", "study.yaml", *data, "--out", "out.h5")


def infer(where, text):
    done = run(where, text, "tracks.h5")
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / "out.h5") as file:
        return {name: column[()] for name, column in file["infer"].items() if hasattr(column, "shape")}


def at_maximum(found, value, what):
    """Whether the estimate is where `value` is largest, and its likelihood and curvature are those of `value`."""
    theta, error = found["estimate"][0], found["error"][0]
    below, here, above = (value(theta + s * 0.2 * error) for s in (-1, 0, 1))
    bend = (2 * here - below - above) / 0.04
    expect(abs(above - below) / 0.4 / bend < 0.05, f"{what}: the maximum", (theta, above - below, bend))
    expect(abs(bend - 1) < 0.1, f"{what}: its error", bend)
    expect(abs(found["log_likelihood"][0] - here) < 0.05, f"{what}: likelihood", here)


def late(where, drive="", wait=6.0):
    """Kalman's filter from the initial density, whatever tracks are called that begin sooner or later."""
    random = np.random.default_rng(1)
    begin, lag, noise = np.where(np.arange(24) % 5, wait, 0.0), 0.25, 0.1
    r = np.exp(-begin)
    x = 2 * r + np.sqrt(0.5 * (1 - r**2) + 0.01 * r**2) * random.normal(size=24)
    r = np.exp(-lag)
    y = np.array([x, x * r + np.sqrt(0.5 * (1 - r**2)) * random.normal(size=24)])
    y += noise * random.normal(size=y.shape)

    def value(k):
        mean, variance, total = 2.0, 0.01, 0.0
        for passed, seen in ((begin, y[0]), (lag, y[1])):
            r = np.exp(-k * passed)
            mean, variance = mean * r, variance * r**2 + 0.5 / k * (1 - r**2)
            s = variance + noise**2
            total -= 0.5 * np.sum(np.log(2 * np.pi * s) + (seen - mean) ** 2 / s)
            mean, variance = mean + variance / s * (seen - mean), variance * (1 - variance / s)
        return total

    for ids in (np.arange(24), 24 - np.arange(24)):
        write(where, np.tile(ids, 2), np.concatenate([begin, begin + lag]), y.ravel(), noise)
        at_maximum(
            infer(where, LATE.replace("initial:", drive + "initial:", 1)), value, f"late {drive}{ids[0]}"
        )


def washboard(height, cells=64, kT=0.5, force=0.5):
    """A generator on a ring, column by column, with rates of Scharfetter and Gummel."""
    h = 2 * np.pi / cells
    x = -np.pi + h * (np.arange(cells) + 0.5)
    step = (-height * (np.cos(x + h) - np.cos(x)) - force * h) / kT
    up, down = kT / h**2 * step / np.expm1(step), kT / h**2 * -step / np.expm1(-step)
    L, i = np.zeros((cells, cells)), np.arange(cells)
    j = (i + 1) % cells
    np.add.at(L, (j, i), up)
    np.add.at(L, (i, i), -up)
    np.add.at(L, (i, j), down)
    np.add.at(L, (j, j), -down)
    return x, L


def ring(where, noise):
    """A dense filter on a ring, with the wrapped normal's images added up one by one."""
    random, tracks, seen, lag = np.random.default_rng(3), 30, 40, 0.5
    centres, L = washboard(1.0)
    gone = np.cumsum(expm(L * lag), axis=0)
    cell, y = random.integers(64, size=tracks), []
    for _ in range(seen):
        y.append(centres[cell] + noise * random.normal(size=tracks))
        cell = np.array([np.searchsorted(gone[:, c], u) for c, u in zip(cell, random.random(tracks))]) % 64
    y = np.array(y)

    def value(height):
        K, P, total = expm(washboard(height)[1] * lag), np.full((64, tracks), 1 / 64), 0.0
        for j in range(seen):
            P = K @ P if j else P
            off = y[j][None, :] - centres[:, None]
            g = sum(np.exp(-0.5 * ((off + 2 * np.pi * k) / noise) ** 2) for k in range(-40, 41))
            P = P * g / (noise * np.sqrt(2 * np.pi))
            total += np.sum(np.log(P.sum(0))) if j else 0
            P /= P.sum(0)
        return total

    write(where, np.tile(np.arange(tracks), seen), np.repeat(lag * np.arange(seen), tracks), y.ravel(), noise)
    at_maximum(infer(where, RING), value, f"a ring with noise {noise}")


def mean_at(theta, t, shape):
    """The mean of a trap (stiffness, centre) from 0 that a tilt 15 s(t) drags about, by many small steps."""
    k, centre = theta
    s = (np.arange(40000) + 0.5) * t / 40000
    return centre * (1 - np.exp(-k * t)) + np.mean(np.exp(-k * (t - s)) * 15 * shape(s)) * t


def fast(where, drive, shape):
    """Sixteen periods, or some that take turns, in every interval."""
    random, r, shift = np.random.default_rng(5), np.exp(-1.0), mean_at((1.0, 0.0), 1.0, shape)
    x = [np.sqrt(2) * random.normal(size=250)]
    for _ in range(4):
        x.append(r * x[-1] + shift + np.sqrt(2 * (1 - r**2)) * random.normal(size=250))
    write(where, np.tile(np.arange(250), 5), np.repeat(np.arange(5.0), 250), np.ravel(x))
    text, blind = FAST.replace("DRIVE", drive), abs(shift) / (1 - r)  # off by that if the drive is not seen
    found = infer(where, text + "  - {name: fit, parameters: {centre: 0.1}}\n")
    exact = (np.mean(x[1:]) - r * np.mean(x[:-1]) - shift) / (1 - r)
    expect(abs(found["estimate"][0] - exact) < blind / 4, f"pairs, {drive}", (found["estimate"], exact))
    write(where, np.arange(250), np.ones(250), x[1])
    found = infer(where, text + "  - {name: fit, method: snapshot_likelihood, parameters: {centre: 0.1}}\n")
    exact = (np.mean(x[1]) - shift) / (1 - r)
    expect(abs(found["estimate"][0] - exact) < blind / 4, f"snapshots, {drive}", (found["estimate"], exact))


def narrow(where):
    """A density as narrow anywhere on a ring, and one of two such parts, is refused by the same number."""
    random = np.random.default_rng(7)
    for initial, means in (
        ("gaussian, mean: [0.0], sd: [0.15]", [0.0, 0.0]),
        ("gaussian, mean: [3.141592653589793], sd: [0.15]", [np.pi, np.pi]),
        ("mixture, weights: [1, 1], mean: [-2.0, 2.0], sd: [0.15, 0.15]", [-2.0, 2.0]),
    ):
        x = np.tile(means, 200) + np.sqrt(0.15**2 + 0.02) * random.normal(size=400)
        write(where, np.arange(400), np.full(400, 0.02), x)
        done = run(where, NARROW.replace("INITIAL", initial), "tracks.h5")
        expect(
            "0.02 the density is as steep as a Gaussian" in done.stderr, f"refused: {initial}", done.stdout
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        late(where)
        late(where, "drive: [{parameter: tilt, waveform: sine, amplitude: 1.0e-9, period: 1.0}]\n", 2.0)
        for noise in (0.3, 1.4, 2.0):
            ring(where, noise)
        narrow(where)
        fast(
            where,
            "{parameter: tilt, waveform: sine, amplitude: 15.0, period: 0.0625}",
            lambda t: np.sin(32 * np.pi * t),
        )
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
