#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Events whose sets are formulas: the ring between two circles in a harmonic trap, whose committor is a quadrature over
the radius; on one axis, what intervals say; and what is refused.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import numpy as np
from scipy.integrate import quad
from scipy.sparse import diags
from scipy.sparse.linalg import expm_multiply

from checks import conclude, expect
from rare import expect_refusal, expect_same_bits, run

KT, DT, INNER, OUTER, START = 0.5, 4.0e-3, 0.5, 2.2, (0.6, 0.3)
CIRCLES = f'a: {{formula: "{INNER}^2 - x^2 - y^2"}}, b: {{formula: "x^2 + y^2 - {OUTER}^2"}}'
SPLIT = "method: splitting, event: out, walkers: 60, kill: 6, dt: 4.0e-3"


def study(event, rare, dimension=2, plane="[64, 64]"):
    cells, half = ("[256]", "[3.0]") if dimension == 1 else (plane, "[3.0, 3.0]")
    return (
        f"study: formulas\nsystem: {{name: ornstein_uhlenbeck, dimension: {dimension},"
        f" parameters: {{kT: {KT}}}}}\nsnapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\n"
        f"truth: {{cells: {cells}, lower: {half.replace('3', '-3')}, upper: {half}}}\n"
        f"events: [{{name: out, {event}}}]\nrare: [{rare}]\n"
    )


def committor(inner, outer):
    """Of a radius: the integral of exp(V/kT)/r, over that of all radii."""
    scale = [quad(lambda r: np.exp(r * r / (2 * KT)) / r, inner, to)[0] for to in (np.hypot(*START), outer)]
    return scale[0] / scale[1]


def check_ring(where):
    start = f"start: [{START[0]}, {START[1]}]"
    rare = f"{{name: split, {SPLIT}, score: committor, runs: 60}}"
    rows, _ = run(where, study(f"{CIRCLES}, {start}", rare), "ring")
    exact, shift = committor(INNER, OUTER), 0.5826 * np.sqrt(2 * KT * DT)
    # r of r^2 - R^2 = 2 r shift, which is a shift to first order
    chain = committor(np.hypot(INNER, shift) - shift, np.hypot(OUTER, shift) + shift)
    print(
        exact,
        chain,
        {key: rows[key] for key in ("continuum", "continuum_error", "chain", "estimate", "error")},
    )
    off = np.abs(rows["continuum"] - exact)
    expect((off < 2 * rows["continuum_error"]).all(), "the grid's bar holds the quadrature", off)
    expect((off < 0.02 * exact).all(), "the grid finds the quadrature", off / exact)
    expect((rows["predicted"] == 1).all(), "the chain is predicted")
    off = np.abs(rows["chain"] / rows["continuum"] - chain / exact)
    expect((off < 0.1 * (chain / exact - 1)).all(), "circles are shifted as their radii", off)
    off = (rows["estimate"][0] - chain) / rows["error"][0]
    expect(abs(off) < 3, "splitting agrees with the chain", off)


def half_line(amplitude, n=450):
    """q at 0.625 of a trap, before time 0.3, of x > 1.5 under a force along x, by exponentials on n cells."""
    h, pieces = 4.5 / n, 12 if amplitude else 1
    x, left = -3 + h * (np.arange(n) + 0.5), np.ones(n)
    for at in reversed(range(pieces)):
        tilt = amplitude * np.sin(2 * np.pi * (at + 0.5) / pieces)
        up, down = (np.exp((tilt * side - (x * side + h / 2)) * h / 2) / h**2 for side in (1, -1))
        down[0], up[-1] = 0, 2 * up[-1]
        rates = diags([down[1:], -(up + down), up[:-1]], [-1, 0, 1])
        left = expm_multiply(rates.tocsc() * 0.3 / pieces, left)
    return 1 - np.interp(0.625, x, left)


def check_three_axes(where):
    """A half space of a trap on three axes is one on one axis, with and without a drive."""
    text = (
        "study: half\nsystem: {name: ornstein_uhlenbeck, dimension: 3}\nsnapshots: {start: 0.0, end: 1.0e-6,"
        " count: 2}\ntruth: {cells: [24, 8, 8], lower: [-3.0, -3.0, -3.0], upper: [3.0, 3.0, 3.0]}\nevents:"
        " [{name: out, b: {lower: [1.5, -3.0, -3.0]}, start: [0.625, 0.375, 0.375], deadline: 0.3}]\nrare:"
        " [{name: plain, method: brute_force, event: out, paths: 10, runs: 2, dt: 0.01, crossing: bridge}]\n"
    )
    drive = "drive: [{parameter: tilt, waveform: sine, amplitude: 1.0, period: 0.3}]\n"
    for amplitude, more in enumerate(("", drive)):
        rows, _ = run(where, text + more, f"half{amplitude}")
        found, error, exact = rows["continuum"][0], rows["continuum_error"][0], half_line(amplitude)
        print(f"three axes, amplitude {amplitude}: {found:.6f} +- {error:.6f}, {exact:.6f}")
        expect(abs(found - exact) < error < 0.05 * exact, "axes along a face change nothing", found - exact)


def check_deadline(where):
    """Paths that the committor leads to a circle, beside plain ones."""
    event = f'b: {{formula: "x^2 + y^2 - {OUTER}^2"}}, start: [{START[0]}, {START[1]}], deadline: 0.6'
    common = f"event: out, dt: {DT}, crossing: step, runs: 16"
    rare = (
        f"{{name: steer, method: doob, control: exact, paths: 100, {common}}}, {{name: plain, method:"
        f" brute_force, paths: 4000, {common}}}"
    )
    rows, _ = run(where, study(event, rare, plane="[32, 32]"), "deadline")
    print({key: rows[key] for key in ("chain", "estimate", "error", "variance")})
    off = (rows["estimate"][0] - rows["estimate"][1]) / np.hypot(*rows["error"])
    expect(abs(off) < 3, "steered paths agree with plain ones", off)
    expect(
        40 * rows["variance"][0] < rows["variance"][1] * 4000 / 5,
        "the committor leads paths to a circle",
        rows["variance"],
    )


def check_interval(where):
    """A formula of one axis is an interval, and nothing else."""
    rare = f"{{name: split, {SPLIT}, runs: 2}}"
    by_formula = 'a: {formula: "-(x + 0.5)"}, b: {formula: "x^2 - 1", lower: [0.0]}, start: [0.0]'
    rows, _ = run(where, study(by_formula, rare, 1), "formula")
    boxes, _ = run(where, study("a: {upper: [-0.5]}, b: {lower: [1.0]}, start: [0.0]", rare, 1), "boxes")
    expect_same_bits(rows, boxes, "of a formula and an interval")


def check_refusals(where):
    start, split = "start: [1.0, 0.0]", f"{{name: split, {SPLIT}, score: committor}}"
    for event, rare, message in (
        (f"{CIRCLES}, {start}", f"{{name: split, {SPLIT}}}", "set 'score: committor'"),
        (f"{CIRCLES}, {start}", split[:-1] + ", crossing: bridge}", "set 'crossing: step'"),
        (f'b: {{formula: "x + y"}}, {start}, deadline: 1.0', split, "the start lies in b already"),
        (f'a: {{formula: "x - 2"}}, b: {{formula: "y - 2"}}, {start}', split, "the sets a and b overlap"),
        (f'b: {{formula: "x - 9"}}, {start}, deadline: 1.0', split, "nowhere 0 or above in its box"),
        (f'b: {{formula: "sqrt(x)"}}, {start}, deadline: 1.0', split, "the formula has no value at x ="),
        (f"b: {{lower: [2.0, 2.0], inset: 0.1}}, {start}, deadline: 1.0", split, "an inset is of a formula"),
    ):
        expect_refusal(where, study(event, rare), message)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-formulas-") as folder:
        where = pathlib.Path(folder)
        check_ring(where)
        check_three_axes(where)
        check_deadline(where)
        check_interval(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
