#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Most likely paths: the quasi-potential of a system without a potential, that of gradients, and noise that differs
from axis to axis.
fare-test: labels=verification timeout=200
"""
from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import h5py
import numpy as np

from checks import conclude, expect, fare


def solve(where: pathlib.Path, system: str, dim: int, ends: str, code: int = 0) -> Any:
    """The group of the one analysis of a study that ends as soon as it begins; or what is refused."""
    cells = ", ".join(["16"] * dim)
    (where / "study.yaml").write_text(
        f"study: instanton\nseed: 1\nsystem: {system}\ninitial: {{density: uniform}}\n"
        f"snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\ntruth: {{cells: [{cells}], estimate: false}}\n"
        f"analysis: [{{name: a, kind: instanton, {ends}}}]\n"
    )
    run = fare(where, "run", "study.yaml", "--overwrite", "--no-report")
    expect(run.returncode == code, f"{system}, {ends}: {run.returncode}", run.stderr)
    if code:
        return run.stderr
    with h5py.File(where / "out/instanton/study.h5") as file:
        return {n: d[...] for n, d in file["analysis/a"].items() if isinstance(d, h5py.Dataset)}


def within(name: str, found: Any, key: str, expected: float, relative: float) -> None:
    value, error = found[key][0], found[f"{key}_error"][0]
    off = abs(value - expected)
    print(f"{name}: {key} {value:.12g}, off {off:.1e}, bar {error:.1e}", flush=True)
    expect(off <= relative * expected, f"{name}: {key} is off by {off:.1e}", value)
    expect(off <= 2 * error, f"{name}: the bar {error:.1e} of {key} is too small for {off:.1e}")
    expect(error <= 100 * relative * expected, f"{name}: the bar {error:.1e} of {key} is too wide")


# Mean times from (-1, 0) to x >= 0 of maier_stein, alpha 10, by Chebyshev collocation, at four noises.
NOISE = np.array([0.02, 0.015, 0.0125, 0.01])
PASSAGE = np.array([2868.144, 49455.4, 483562.0, 1.46822e7])


def passage_times(where: pathlib.Path) -> None:
    """The action is what 2 D ln(mean passage time) tends to, by fits of three kinds at three and four noises."""
    fits = []
    for first in (0, 1):
        D, y = NOISE[first:], (2 * NOISE * np.log(PASSAGE))[first:]
        for last in ([], [D * np.log(D)], [D**2]):
            fits.append(np.linalg.lstsq(np.stack([D**0, D, *last], 1), y, rcond=None)[0][0])
    system = "{name: maier_stein, parameters: {alpha: 10.0, diffusion: 0.02}}"
    action = solve(where, system, 2, "from: [-1.0, 0.0], to: [0.0, 0.0]")["action"][0]
    print(f"action {action:.6g}, by passage times between {min(fits):.5g} and {max(fits):.5g}", flush=True)
    expect(min(fits) < action < max(fits), "passage times tell the action", (action, fits))
    expect(np.ptp(fits) < 0.02 * action, "and tell it to two per cent", fits)


def maier_stein(where: pathlib.Path) -> None:
    """By polynomials of degrees 7 to 18, 0.340041403; the axis itself has 1/2, and is a minimum up to alpha 4."""
    for alpha, action in ((10.0, 0.340041403), (3.0, 0.5), (1.0, 0.5)):
        system = f"{{name: maier_stein, parameters: {{alpha: {alpha}, diffusion: 0.02}}}}"
        found = solve(where, system, 2, "from: [-1.0, 0.0], to: [0.0, 0.0]")
        within(f"alpha {alpha}", found, "action", action, 1e-8)
        within(f"alpha {alpha}", found, "exponent", action / 0.04, 1e-8)
        expect(np.ptp(found["minima"]) < 1e-8, "both sides are alike", found["minima"])
        path = found["path"]
        expect(path.shape == (201, 2) and np.allclose(path[[0, -1]], [[-1, 0], [0, 0]]), "ends of the path")
        edges = np.hypot(*np.diff(path, axis=0).T)
        expect(np.ptp(edges) < 0.02 * edges.mean(), "equal edges", np.ptp(edges) / edges.mean())
        away = np.abs(path[:, 1]).max()
        expect((away > 0.1) == (alpha > 4), f"alpha {alpha}: {away:.2g} away from the axis")


def gradients(where: pathlib.Path) -> None:
    """Twice the difference of the potential; downhill costs nothing."""
    found = solve(where, "{name: double_well, parameters: {kT: 0.1}}", 1, "from: [-1.0], to: [0.0]")
    within("one axis", found, "action", 2.0, 1e-6)
    within("one axis", found, "exponent", 10.0, 1e-6)
    found = solve(where, "{name: double_well, parameters: {kT: 0.1}}", 1, "from: [-1.0], to: [1.0]")
    within("over it", found, "action", 2.0, 1e-4)
    found = solve(where, "{name: double_well, parameters: {kT: 0.1}}", 1, "from: [0.0], to: [1.0]")
    expect(abs(found["action"][0]) < 1e-9, "downhill is free", found["action"])
    # up a valley that bends: Mueller and Brown, from a minimum to the saddle beside it
    found = solve(
        where,
        "{name: mueller_brown, parameters: {kT: 10.0}}",
        2,
        "from: [0.623499405, 0.028037758], to: [0.212486582, 0.292988325]",
    )
    within("a valley", found, "action", 2 * (108.166724 - 72.248940) / 20, 1e-4)


def noise_of_each_axis(where: pathlib.Path) -> None:
    """f_k = -D_k dV/dx_k has the exponent of the difference of V, whatever the D_k."""
    system = (
        "{expression: {axes: [x, y], lower: [-2, -2], upper: [2, 2], "
        'drift: ["-0.1*(4*x*(x^2 - 1)+0.5*y)", "-0.4*(2*y + 0.5*x)"], diffusion: ["0.1", "0.4"]}}'
    )
    # V = (x^2-1)^2 + y^2 + x y/2: its minimum and saddle, by Newton
    x = np.sqrt(1 + 1 / 32)
    low, high = (x * x - 1) ** 2 - x * x / 16, 1.0
    found = solve(where, system, 2, f"from: [{-x:.15g}, {x / 4:.15g}], to: [0.0, 0.0]")
    within("noise", found, "exponent", high - low, 1e-6)


def refusals(where: pathlib.Path) -> None:
    for system, dim, ends, said in (
        ("{name: kramers_double_well}", 2, "from: [-1.0, 0.0], to: [0.0, 0.0]", "no diffusion"),
        ("{name: geometric_brownian}", 1, "from: [0.5], to: [1.0]", "depends on position"),
        ("{name: double_well}", 1, "from: [0.5], to: [0.5]", "end elsewhere"),
        ("{name: double_well}", 1, "from: [0.5, 1.0], to: [0.5]", "a list of 1 number"),
        ("{name: double_well}", 1, "from: [0.5], to: [0.6], nodes: 50", "a multiple of 4"),
    ):
        message = solve(where, system, dim, ends, code=2)
        expect(said in message, f"{system}, {ends}", message)


with tempfile.TemporaryDirectory() as folder:
    for test in (maier_stein, passage_times, gradients, noise_of_each_axis, refusals):
        test(pathlib.Path(folder))
sys.exit(conclude())
