#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Weighted ensembles and forward flux: the constants of the best ensemble against quadrature, estimates without bias for
the chain, the same bits on any number of ranks, and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import math
import pathlib
import sys
import tempfile

import numpy as np

from checks import conclude, expect
from rare import expect_refusal, run

OVER = "{name: over, a: {upper: [-1.2]}, b: {lower: [0.5]}, start: [-1.0]}"
LATE = "{name: over, a: {upper: [-1.2]}, b: {lower: [0.5]}, start: [-1.0], deadline: 2.0}"
DRIVE = "drive: [{parameter: tilt, waveform: sine, amplitude: 1, period: 1}]\n"
KEYS = "{name: flow, method: weighted_ensemble, event: over, walkers: 24, bins: 6, resample: 0.05, dt: 0.01"
FLUX = (
    "{name: flow, method: forward_flux, event: over, walkers: 8, time: 40, burn: 10, interfaces: 12, trials:"
    " 40, dt: 0.01"
)
NEAR = OVER.replace("-1.2", "-1.0").replace("start: [-1.0]", "start: [-0.8]")
STEADY = KEYS + ", time: 40, burn: 15"


def study(more, kT, system="double_well", cells="[1024]", drive=""):
    return (
        f"study: ensemble\nsystem: {{name: {system}, parameters: {{kT: {kT}}}}}\n{drive}"
        f"snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\ntruth: {{cells: {cells}}}\n{more}\n"
    )


def estimate(rare, kT, events=OVER, drive=""):
    return study(f"events: [{events}]\nrare: [{rare}]", kT, cells="[256]", drive=drive)


def quadrature(kT, start=-1.0, b=0.5, low=-2.2, points=200001):
    """
    Rate, relative variance of the passage time by its second moment, that by pi v^2, and (sum of pi v)^2 over the
    rate squared, by trapezoids.
    """
    x = np.linspace(low, b, points)
    potential = (x * x - 1) ** 2

    def from_low(f):
        return np.concatenate([[0], np.cumsum(0.5 * (f[1:] + f[:-1]) * (x[1] - x[0]))])

    well, barrier = np.exp(-potential / kT), np.exp(np.minimum(potential - 1, 600 * kT) / kT)
    scale, i = math.exp(1 / kT) / kT, np.argmin(np.abs(x - start))
    up = from_low(barrier * from_low(well)) * scale
    tau = up[-1] - up
    second = from_low(barrier * from_low(2 * well * tau)) * scale
    rate = 1 / tau[i]
    slope = rate * scale * barrier * from_low(well)
    beyond = from_low(np.where(x >= x[i], barrier, 0))
    pi = rate * scale * well * (beyond[-1] - beyond)
    both = from_low(pi * 2 * kT * slope**2)[-1] / rate
    least = (from_low(pi * math.sqrt(2 * kT) * slope)[-1] / rate) ** 2
    return rate, (second[-1] - second[i]) * rate**2 - 1, both, least


def check_optimum(where):
    """Of the gradient of one axis, and the same along one of two."""
    best = (
        "analysis: [{name: best, kind: weighted_ensemble_optimum, meshes: false, target: {lower: [%s]},"
        " start: [%s]}]"
    )
    table = {0.1: 19.1226, 0.07: 27.762, 0.05: 39.215, 0.04: 49.22}
    for kT in (1.0, 0.1, 0.07, 0.05, 0.04):
        rate, variance, identity, least = quadrature(kT)
        expect(abs(identity / variance - 1) < 1e-5, f"quadrature itself at kT {kT}", (variance, identity))
        expect(kT == 1 or abs(least / table[kT] - 1) < 1e-4, f"the table at kT {kT}", least)
        found, _ = run(where, study(best % (0.5, -1.0), kT), "optimum", group="analysis/best")
        expect(found["residual"][0] < 1e-11, f"residual at kT {kT}", found["residual"])
        for name, value in (
            ("rate", rate),
            ("variance", variance),
            ("plain", variance / rate),
            ("optimum", least),
            ("gain", variance / rate / least),
        ):
            off, bar = abs(found[name][0] - value), found[f"{name}_error"][0]
            expect(off <= 1.5 * bar + 2e-7 * value, f"{name} at kT {kT} is off by {off:.1e}", (value, bar))
            expect(bar <= 0.02 * value, f"the bar of {name} at kT {kT} is too wide", bar)
    rate, variance, _, least = quadrature(0.18, b=0.0)
    text = study(best % ("0.0, -2.2", "-1.0, -0.9"), "0.18, asymmetry_x: 0", "quadruple_well", "[128, 64]")
    for ranks in (1, 2):
        found, _ = run(where, text, "two_axes", ranks, "analysis/best")
        for name, value in (("rate", rate), ("variance", variance), ("optimum", least)):
            off, bar = abs(found[name][0] - value), found[f"{name}_error"][0]
            expect(off <= 1.5 * bar, f"{name} of two axes is off by {off:.1e}", (value, bar))
            expect(bar <= 0.02 * value, f"the bar of {name} of two axes is too wide", bar)


def check_bias(where):
    """Small populations, where mistakes show: rates of the chain, then probabilities with a deadline."""
    rows = (
        ("equal", estimate(STEADY + ", runs: 400}", 0.15)),
        ("often", estimate(STEADY + ", runs: 400}", 0.3)),
        ("optimal", estimate(STEADY + ", runs: 400, allocation: optimal, score: committor}", 0.15)),
        ("bridge", estimate(STEADY + ", runs: 400, crossing: bridge}", 0.15)),
        ("flux", estimate(FLUX + ", runs: 1000}", 0.15, NEAR)),
        ("flux_bridge", estimate(FLUX + ", runs: 1000, score: committor, crossing: bridge}", 0.15, NEAR)),
        ("late", estimate(KEYS + ", runs: 1500}", 0.25, LATE)),
        ("driven", estimate(KEYS + ", runs: 1500, score: committor}", 0.25, LATE, DRIVE)),
    )
    for name, text in rows:
        row, _ = run(where, text, name)
        print(
            name, {key: row[key][0] for key in ("estimate", "error", "chain", "z", "of_optimum")}, flush=True
        )
        expect(row["normal"][0] == 1, f"{name}: runs are normal", row["largest"])
        expect(abs(row["z"][0]) < 3, f"{name} has no bias", row["z"])
        expect(row["error"][0] < 0.05 * row["chain"][0], f"{name}: the error is small", row["error"])
        expect(row["rate"][0] == (name not in ("late", "driven")), f"{name}: a rate or not")
        expect(np.isfinite(row["of_optimum"][0]) == (row["rate"][0] == 1), f"{name}: of optimum")


def check_ranks(where):
    """All that particles give; sums over the grid are rounded in another order."""
    for name, rare in (
        ("ensemble", STEADY + ", runs: 5, allocation: optimal, score: committor}"),
        ("flux", FLUX + ", runs: 5}"),
    ):
        one, _ = run(where, estimate(rare, 0.15, NEAR), f"{name}_1")
        for ranks in (2, 4):
            many, _ = run(where, estimate(rare, 0.15, NEAR), f"{name}_{ranks}", ranks)
            for key in ("estimate", "error", "variance", "cost", "largest", "chain"):
                same = one[key][0] == many[key][0]
                expect(same, f"{key} of {name} on {ranks} ranks", (one[key], many[key]))


def check_mistakes(where):
    for text, message in (
        (estimate(KEYS + "}", 0.1), "expected a `time` of each run, longer than the burn-in (0), got 0"),
        (estimate(STEADY + "}", 0.1, LATE), "the event has a deadline, up to which all counts"),
        (estimate(KEYS + ", allocation: optimal}", 0.1, LATE), "the optimum is of a steady state"),
        (estimate(FLUX + "}", 0.1, LATE), "which an event with a deadline does not have: take `splitting`"),
        (estimate(FLUX + "}", 0.1, LATE, DRIVE), "which a driven system does not have: take `splitting`"),
        (
            estimate(FLUX.replace("time: 40", "time: 9") + "}", 0.1),
            "expected more than the burn-in (10), got 9",
        ),
        (estimate(STEADY + "}", 0.1, drive=DRIVE), "the event needs a 'deadline'"),
        (
            study(
                (
                    "analysis: [{name: a, kind: weighted_ensemble_optimum, target: {lower: [0.5]}, start:"
                    " [0.7]}]"
                ),
                1,
            ),
            "the start lies in the target already",
        ),
    ):
        expect_refusal(where, text, message)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-ensemble-") as name:
        where = pathlib.Path(name)
        check_optimum(where)
        check_bias(where)
        check_ranks(where)
        check_mistakes(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
