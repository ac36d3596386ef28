#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Importance sampling with Doob's transform: without bias for the chain, the variance of a path in proportion to the
step where the committor is the event's own, more of it where the committor knows less, the same bits on any
number of ranks, and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import math
import pathlib
import sys
import tempfile

import numpy as np

from checks import ENVIRONMENT, conclude, expect
from rare import expect_refusal, expect_same_bits, run

START, B = -0.7, 0.5


def study(kT, amplitude, rare, cells=256):
    return (
        f"study: steered\nsystem: {{name: prinz, parameters: {{kT: {kT}}}}}\n"
        f"drive:\n  - {{parameter: tilt, waveform: sine, amplitude: {amplitude}, period: 1.0}}\n"
        f"snapshots: {{start: 0.0, end: 0.01, count: 2}}\ntruth: {{cells: [{cells}]}}\n"
        f"events: [{{name: over, b: {{lower: [{B}]}}, start: [{START}], deadline: 1.0}}]\n"
        f"rare: [{{name: steer, method: doob, event: over, {rare}}}]\n"
    )


def force(x, t, amplitude):
    wells = (
        8 * x**7
        - 128 * x * np.exp(-80 * x * x)
        - 32 * (x - 0.5) * np.exp(-80 * (x - 0.5) ** 2)
        - 40 * (x + 0.5) * np.exp(-40 * (x + 0.5) ** 2)
    )
    return amplitude * math.sin(2 * math.pi * t) - 4 * wells


def chain(kT, amplitude, steps, low=-1.5, fine=4):
    """The probability that the chain is in b by the deadline, or has been between two steps; midpoint rule."""
    dt = 1 / steps
    sd = math.sqrt(2 * kT * dt)
    n = int((B - low) / sd * fine)
    h = (B - low) / n
    x = low + (np.arange(n) + 0.5) * h
    off = np.arange(-9 * fine, 9 * fine + 1)

    def back(q, at, t):
        mean = at + force(at, t, amplitude) * dt
        j = np.clip(((mean - low) / h).astype(int), 0, n - 1)[:, None] + off
        inside = (j >= 0) & (j < n)
        j = np.clip(j, 0, n - 1)
        weight = (
            np.exp(-0.5 * ((x[j] - mean[:, None]) / sd) ** 2) * inside * h / (sd * math.sqrt(2 * math.pi))
        )
        between = np.exp(-(B - at)[:, None] * (B - x[j]) / (kT * dt))
        past = np.array([0.5 * math.erfc((B - m) / (sd * math.sqrt(2))) for m in mean])
        return past + (weight * (between + (1 - between) * q[j])).sum(axis=1)

    q = np.zeros(n)
    for k in range(steps - 1, 0, -1):
        q = back(q, x, k * dt)
    return float(back(q, np.array([START]), 0.0)[0])


def variance_falls_with_the_step(where):
    rows, printed = run(where, study(0.5, 1, "paths: 200, runs: 10, dt: [1.0e-3, 5.0e-4]"), "steps")
    exact = [chain(0.5, 1, steps) for steps in (1000, 2000)]
    for i in range(2):
        z = (rows["estimate"][i] - exact[i]) / rows["error"][i]
        expect(
            abs(z) < 4, f"no bias for the chain of step {rows['dt'][i]}", f"{rows['estimate'][i]}, {exact[i]}"
        )
        expect(
            abs(rows["continuum"][i] / 1.651013e-2 - 1) < 3 * rows["continuum_error"][i] / 1.65e-2, "the grid"
        )
    ratio = rows["path_variance"][1] / rows["path_variance"][0]
    expect(0.35 < ratio < 0.65, "V falls in proportion to the step", ratio)
    expect(
        abs(rows["path_variance_0"][0]) < 4 * rows["path_variance_0_error"][0],
        "nothing is left of V at step 0",
        f"{rows['path_variance_0'][0]} +- {rows['path_variance_0_error'][0]}",
    )
    least = -math.log(rows["continuum"][1])
    expect(least < rows["information"][1] < least + 0.4, "steering costs -ln p", rows["information"][1])
    expect((rows["hits"] > 0.99).all(), "steered paths reach b", rows["hits"])
    expect("Steered paths" in printed, "a table of weights is printed", printed)


def knowing_less_costs_more(where):
    text = study(0.25, 3, "paths: 100, runs: 8, dt: 5.0e-4, control: [exact, coarse, frozen, undriven, none]")
    rows, printed = run(where, text, "controls")
    V = dict(zip(("exact", "coarse", "frozen", "undriven", "none"), rows["path_variance"]))
    expect(V["exact"] < 0.5 * V["coarse"], "64 cells are worse than 256", V)
    tail = np.expm1(2 * (rows["information"][:4] + np.log(rows["estimate"][:4])))
    expect(np.allclose(rows["path_variance_tail"][:4], tail, rtol=1e-9), "V of a normal law", tail)
    unseen = rows["path_variance"][:4] < 0.5 * tail
    expect(unseen[2] and unseen[3] and not unseen[0], "who knows less has a heavier tail", (V, tail))
    expect((rows["normal"][:4] == ~unseen).all(), "a tail that is not seen leaves no error", rows["normal"])
    expect("the largest weights were not seen" in printed, "and is told", printed)
    for name in ("frozen", "undriven"):
        expect(V["exact"] < 0.4 * V[name], f"{name} is worse than exact", V)
    expect(rows["estimate"][4] == 0, "800 plain paths do not find 1.6e-5", rows["estimate"][4])
    expect(rows["normal"][4] == 0, "and claim no error", rows["normal"][4])
    for i in range(4):
        off = abs(rows["estimate"][i] / rows["continuum"][i] - 1)
        expect(
            off < 0.05 + 4 * math.sqrt(rows["variance"][i] / 8), f"row {i} finds 1.6e-5", rows["estimate"][i]
        )


PLANE = (
    "study: plane\nsystem: {name: maier_stein, parameters: {diffusion: 0.1}}\n"
    "initial: {density: gaussian, mean: [-1.0, 0.0], sd: [0.2, 0.2]}\n"
    "snapshots: {start: 0.0, end: 0.01, count: 2}\n"
    "truth: {cells: [64, 48], lower: [-1.8, -1.2], upper: [1.8, 1.2]}\n"
    "events: [{name: over, a: {upper: [-1.0, 1.2]}, b: {lower: [0.0, -1.2]}, start: [-0.8, 0.0]}]\n"
)


def plane(dt):
    return (
        PLANE
        + "rare: [{name: steer, method: doob, event: over, control: [exact, coarse], control_cells: 32, "
        + f"paths: 50, runs: 10, dt: {dt}}}]\n"
    )


def bridges_on_two_axes_have_no_z(where):
    """No chain with bridges is solved there, and nothing predicts how far from the continuum it is."""
    rows, printed = run(where, plane([4.0e-3, 2.0e-3]), "bridges")
    for key in ("chain", "z"):
        expect(np.isnan(rows[key]).all(), f"{key} is not claimed", rows[key])
    expect("nan" not in printed, "what is not known is a dash", printed)
    off = abs(rows["estimate"] / rows["continuum"] - 1)
    error = rows["error"] / rows["continuum"]
    expect((off < 4 * error + 50 * rows["dt"]).all(), "estimates are near the continuum", (off, error))


def steps_share_what_is_solved(where):
    """Truths and committors: a row at a second step assembles no further matrix."""
    count = []
    ENVIRONMENT["PETSC_OPTIONS"] = "-log_view"
    for dt in ([4.0e-3], [4.0e-3, 2.0e-3]):
        _, printed = run(where, plane(dt), "counted")
        count += [line.split()[1] for line in printed.splitlines() if line.startswith("MatSetValuesCOO")]
    del ENVIRONMENT["PETSC_OPTIONS"]
    expect(len(count) == 2 and count[0] == count[1], "matrices of one step and of two", count)


def ranks_find_the_same_bits(where):
    text = study(0.25, 3, "paths: 20, runs: 3, dt: 2.0e-3, control: [exact, frozen]", cells=64)
    one, two = (run(where, text, f"ranks{ranks}", ranks=ranks)[0] for ranks in (1, 2))
    expect_same_bits(one, two, "on two ranks")


def mistakes_are_told(where):
    for rare, message in (
        ("dt: 1.0e-3, control: [exact, exact]", "is there twice"),
        ("dt: 1.0e-3, control: best", "best"),
        ("dt: []", "expected a step"),
        ("dt: [1.0e-3, 1.00001e-3]", "is there twice"),
    ):
        expect_refusal(where, study(0.5, 1, rare), message)
    text = study(0.5, 1, "dt: 1.0e-3, control: frozen")
    expect_refusal(where, text.replace("drive:\n", "").replace("  - {parameter", "# {"), "nothing is driven")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        variance_falls_with_the_step(where)
        knowing_less_costs_more(where)
        bridges_on_two_axes_have_no_z(where)
        steps_share_what_is_solved(where)
        ranks_find_the_same_bits(where)
        mistakes_are_told(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
