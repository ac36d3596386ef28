#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The drive that makes a rare event most likely, against a program that shares nothing with FARE: a chain of its own
(cells that end at the target, exponentially fitted rates, two-stage steps), its adjoint, and SciPy's L-BFGS-B. Neither
is to find a drive that the other thinks is better than its own.
fare-test: labels=study timeout=200
"""
from __future__ import annotations

import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np
from scipy.linalg import solve_banded
from scipy.optimize import minimize

from checks import conclude, expect, fare
from launch import SOURCE

KT, ENERGY, START, TARGET, LOWER, KNOTS = 0.25, 4.5, -0.7, 0.5, -1.6, 20
ROOT2 = math.sqrt(2)
STAGE = 1 - 1 / ROOT2


def prinz(x):
    wells = np.exp(-80 * x**2), np.exp(-80 * (x - 0.5) ** 2), np.exp(-40 * (x + 0.5) ** 2)
    return 4 * (x**8 + 0.8 * wells[0] + 0.2 * wells[1] + 0.5 * wells[2])


class Chain:
    def __init__(self, cells, steps):
        self.h, self.cells, self.dt = (TARGET - LOWER) / cells, cells, 1 / steps
        self.x = LOWER + self.h * (np.arange(cells) + 0.5)
        self.width = np.append(
            np.full(cells - 1, self.h), self.h / 2
        )  # from centre to centre, or to the target
        self.rise = np.diff(np.append(prinz(self.x), prinz(np.array(TARGET))))
        at = (np.arange(steps) + 0.5) * self.dt * (KNOTS - 1)
        left = np.minimum(at.astype(int), KNOTS - 2)
        self.hats = np.zeros((steps, KNOTS))
        self.hats[np.arange(steps), left] = 1 - at + left
        self.hats[np.arange(steps), left + 1] = at - left

    def rates(self, tilt):
        """Up and down over the faces above cells, and their derivatives by the tilt."""
        z = (self.rise - tilt * self.width) / KT
        z = np.where(abs(z) < 1e-6, 1e-6, z)
        scale, slope = KT / (self.width * self.h), self.width / KT
        up, down = scale * z / np.expm1(z), scale * z / -np.expm1(-z)
        by_up = -scale * slope * (1 / np.expm1(z) - z * np.exp(z) / np.expm1(z) ** 2)
        return up, down[:-1], by_up, by_up[:-1] - (scale * slope)[:-1]

    def bands(self, up, down):
        out = up.copy()
        out[1:] += down
        bands = np.zeros((3, self.cells))
        bands[1] = 1 + STAGE * self.dt * out
        bands[2, :-1], bands[0, 1:] = -STAGE * self.dt * up[:-1], -STAGE * self.dt * down
        return bands

    def run(self, knots):
        """The probability to reach the target, and its derivatives by the knots."""
        masses, kept = np.zeros(self.cells), []
        place, below = math.modf((START - self.x[0]) / self.h)
        masses[int(below)], masses[int(below) + 1] = 1 - place, place
        for tilt in self.hats @ knots:
            up, down, by_up, by_down = self.rates(tilt)
            bands = self.bands(up, down)
            middle = solve_banded((1, 1), bands, masses)
            masses = solve_banded((1, 1), bands, (1 + ROOT2) * middle - ROOT2 * masses)
            kept.append((bands, middle, masses, by_up, by_down))
        psi, slopes = -np.ones(self.cells), []
        for bands, middle, after, by_up, by_down in reversed(kept):
            across = np.zeros_like(bands)
            across[1], across[0, 1:], across[2, :-1] = bands[1], bands[2, :-1], bands[0, 1:]
            a = solve_banded((1, 1), across, psi)
            b = solve_banded((1, 1), across, (1 + ROOT2) * a)
            slope = 0.0
            for weight, mass in ((a, after), (b, middle)):
                flow = by_up * mass
                flow[:-1] -= by_down * mass[1:]
                slope += flow @ np.diff(np.append(weight, 0.0))
            slopes.append(STAGE * self.dt * slope)
            psi = b - ROOT2 * a
        return 1 - masses.sum(), self.hats.T @ slopes[::-1]


def energy(knots):
    a, b, part = knots[:-1], knots[1:], 1 / (3 * (KNOTS - 1))
    slope = np.zeros(KNOTS)
    slope[:-1] += part * (2 * a + b)
    slope[1:] += part * (2 * b + a)
    return part * (a * a + a * b + b * b).sum(), slope


def best(chain, knots):
    def cost(free):
        spent, pull = energy(free)
        scale = math.sqrt(ENERGY / spent)
        p, slope = chain.run(scale * free)
        slope = slope / p
        return -math.log(p), -scale * (slope - (slope @ free) * pull / (2 * spent))

    found = minimize(cost, knots, jac=True, method="L-BFGS-B", options={"ftol": 1e-10, "maxiter": 100})
    expect(abs(found.jac).max() < 1e-3, "the other search ends", abs(found.jac).max())
    return found.x * math.sqrt(ENERGY / energy(found.x)[0])


def extrapolated(coarse, fine, knots):
    values = [chain.run(knots)[0] for chain in (coarse, fine)]
    return values[1] + (values[1] - values[0]) / 3


def main():
    coarse, fine = Chain(150, 200), Chain(300, 200)
    knots = np.full(KNOTS, 2.0)
    slope = coarse.run(knots)[1][7]
    moved = [coarse.run(knots + step * np.eye(KNOTS)[7])[0] for step in (1e-3, -1e-3)]
    expect(abs((moved[0] - moved[1]) / 2e-3 - slope) < 1e-5 * abs(slope), "the other adjoint", slope)
    other = best(coarse, knots)
    with tempfile.TemporaryDirectory() as directory:
        words = ("--set", f"output.directory={directory}/out", "--set", "truth.cells=[400]")
        done = fare(directory, "run", SOURCE / "input/control/prinz_event.yaml", "--no-report", *words)
        expect(done.returncode == 0, "the study runs", done.stderr)
        with h5py.File(pathlib.Path(directory) / "out/study.h5") as file:
            found = file["control/push"]
            promised, error = found.attrs["optimum"], found.attrs["error"]
            own = found["drives/tilt/values"][:]
    theirs, ours = extrapolated(coarse, fine, other), extrapolated(coarse, fine, own)
    expect(
        abs(ours - promised) < error + 3e-3 * promised,
        "both think alike of FARE's drive",
        (ours, promised, error),
    )
    expect(abs(theirs - ours) < 3e-3 * theirs, "neither drive is better", (theirs, ours))
    expect(abs(theirs - 2.3165e-4) < 1e-6, "as on finer chains", theirs)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
