#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Analyses of systems with inertia, by the scheme of high order: rates of Kramers' wells, Boltzmann's density, a
pushed pendulum against a Hermite-Fourier method, the gambler's ruin of a randomly accelerated particle, and
identities between answers that are solved for apart. Errors lie within their bars, and fall as they should.
fare-test: labels=verification timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import h5py
import numpy as np

from checks import conclude, expect, fare


def solve(where: pathlib.Path, system: str, cells: str, truth: str, analysis: str, ranks: int = 1) -> Any:
    """The group of the one analysis `a` of a study that ends as soon as it begins."""
    (where / "study.yaml").write_text(
        f"study: inertia\nseed: 1\nsystem: {system}\ninitial: {{density: uniform}}\n"
        "snapshots: {start: 0.0, end: 1.0e-6, count: 2}\n"
        f"truth: {{cells: [{cells}], estimate: false, {truth}}}\nanalysis: [{{name: a, {analysis}}}]\n"
    )
    run = fare(where, "run", "study.yaml", "--overwrite", "--no-report", ranks=ranks)
    if run.returncode:
        raise SystemExit(run.stderr)
    with h5py.File(where / "out/inertia/study.h5") as file:
        group = file["analysis/a"]
        found = {name: item[...] for name, item in group.items() if isinstance(item, h5py.Dataset)}
        return {**found, **{f"mesh {name}": item[...] for name, item in group.get("meshes", {}).items()}}


def within(name: str, value: float, error: float, expected: float, relative: float) -> None:
    """The value is as exact as `relative` says, and its bar covers it and is no more than 100 times wider."""
    off = abs(value - expected)
    print(f"{name}: {value:.10g}, off {off:.1e}, bar {error:.1e}", flush=True)
    expect(off <= relative * abs(expected), f"{name}: off by {off / abs(expected):.1e}", value)
    expect(off <= 1.5 * error + 1e-12, f"{name}: the bar {error:.1e} is too small for {off:.1e}")
    expect(error <= 100 * relative * abs(expected), f"{name}: the bar {error:.1e} is too wide")


def double_well(kT: float, friction: float, tilt: float = 0) -> str:
    return (
        "{name: kramers_double_well, parameters: "
        f"{{height: 0.25, kT: {kT}, friction: {friction}, tilt: {tilt}}}}}"
    )


def rates_of_kramers(where: pathlib.Path) -> None:
    """x^4/4 - x^2/2 with mass 1: computed twice by spectral methods, to the digits given."""
    for kT, friction, box, rate, digits in (
        (0.1, 1, "lower: [-2.2, -2.4], upper: [2.2, 2.4]", 0.02251921198, 1e-5),
        (0.25, 1, "lower: [-2.4, -3.6], upper: [2.4, 3.6]", 0.1365079, 1e-5),
        (0.1, 10, "lower: [-2.2, -2.4], upper: [2.2, 2.4]", 0.00333248501, 1e-5),
    ):
        found = solve(where, double_well(kT, friction), "128, 64", box, "kind: relaxation, count: 2")
        within(
            f"rate of kT {kT}, friction {friction}", found["rate"][1], found["rate_error"][1], rate, digits
        )
        expect(found["rate"][0] == 0, "rest is rate 0", found["rate"])


def boltzmann_is_at_rest(where: pathlib.Path) -> None:
    """Averages over cells, by quadrature."""
    place, weight = np.polynomial.legendre.leggauss(6)

    def averages(edges: np.ndarray, density: Any) -> np.ndarray:
        half, middle = np.diff(edges)[:, None] / 2, (edges[1:, None] + edges[:-1, None]) / 2
        return density(middle + half * place) @ weight / 2

    off = []
    for cells in (48, 96):
        found = solve(
            where,
            double_well(0.2, 0.7),
            f"{cells}, {cells}",
            "lower: [-2.5, -4], upper: [2.5, 4]",
            "kind: stationary",
        )
        x = averages(np.linspace(-2.5, 2.5, cells + 1), lambda x: np.exp(-((x * x - 1) ** 2) / 0.8))
        v = averages(np.linspace(-4, 4, cells + 1), lambda v: np.exp(-v * v / 0.4))
        exact, mass = (
            np.outer(v, x) / (v.sum() * x.sum()),
            found["mesh density"] / found["mesh density"].sum(),
        )
        off.append(np.abs(mass - exact).sum())
        print(f"Boltzmann, {cells} cells: off {off[-1]:.1e}, bar {found['density_error'].item():.1e}")
        expect(off[-1] < 1.5 * found["density_error"].item() < 50 * off[-1], "the bar of Boltzmann", off)
    expect(off[0] > 2**5.5 * off[1], "Boltzmann's error falls slowly", off)


def pendulum(
    push: float, kT: float, friction: float, modes: int = 40, hermite: int = 60
) -> tuple[float, Any]:
    """Mean velocity and rates on a ring, V = -cos x: Risken, The Fokker-Planck Equation, chapter 10."""
    wave, thermal = np.arange(-modes, modes + 1), np.sqrt(kT)
    size, shift = wave.size, np.eye(wave.size, k=1)
    slope = thermal * np.diag(1j * wave)
    raised = slope - (push * np.eye(size) - (shift.T - shift) / 2j) / thermal  # sin x shifts waves
    A = np.zeros((hermite * size, hermite * size), complex)
    for n in range(hermite):
        here = slice(n * size, (n + 1) * size)
        A[here, here] = -n * friction * np.eye(size)
        if n:
            A[here, (n - 1) * size : n * size] = -np.sqrt(n) * raised
        if n + 1 < hermite:
            A[here, (n + 1) * size : (n + 2) * size] = -np.sqrt(n + 1) * slope
    rates, vectors = np.linalg.eig(A)
    order = np.argsort(-rates.real)
    rest = vectors[:, order[0]]
    return (thermal * rest[size + modes] / rest[modes]).real, -rates[np.argsort(abs(rates))]


def pendulum_is_pushed(where: pathlib.Path) -> None:
    """Nothing is in balance, and the slowest mode goes round."""
    system = (
        '{expression: {axes: [x, v], drift: [v, "0.7 - sin(x) - 0.8*v"], diffusion: ["0", "0.8*0.6"], '
        "lower: [-pi, -4.6], upper: [pi, 6.2], periodic: [true, false]}}"
    )
    velocity, exact = pendulum(0.7, 0.6, 0.8, 16, 32)
    found = solve(where, system, "64, 64", "tolerance: 1.0e-4", "kind: stationary")
    within("velocity", found["velocity"][0], found["velocity_error"][0], velocity, 1e-5)
    found = solve(where, system, "64, 64", "tolerance: 1.0e-4", "kind: relaxation, count: 5")
    for k in range(1, 5):
        within(f"rate {k}", found["rate"][k], found["rate_error"][k], exact[k].real, 1e-4)
        turn = abs(exact[k].imag)
        if turn > 1e-9:
            within(f"frequency {k}", abs(found["frequency"][k]), found["frequency_error"][k], turn, 1e-4)
    expect(any(exact[1:5].imag > 0.1), "no mode goes round", exact[:5])


def gambler_is_ruined(where: pathlib.Path) -> None:
    """
    x'' is white noise: from rest at x, 1 is reached before 0 with probability I_x(1/6, 1/6) (Bicout and
    Burkhardt, J. Phys. A 33, 6835 (2000)). Sets begin at faces of cells, between them, and at ends.
    """
    exact = {0.3: 0.4424187571, 0.1: 0.3578664160}
    points = "points: [[0.3, 0], [0.1, 0]]"
    system = (
        '{expression: {axes: [x, v], drift: [v, "0*x"], diffusion: ["0", "1"], lower: [-0.5, -7], upper:'
        " [1.5, 7]}}"
    )
    sets = f"kind: committor, a: {{upper: [0, 7]}}, b: {{lower: [1, -7]}}, {points}"
    ends = f"kind: passage, leave: {{lower: [0, -7], upper: [1, 7]}}, weight: uniform, {points}"
    box = "tolerance: 1.0e-4"
    absorbing = "lower: [0, -7], upper: [1, 7], boundaries: [absorbing, reflecting]"
    for name, key, cells, truth, analysis, ranks, most in (
        ("faces", "committor", "64, 48", box, sets, 1, 2e-3),
        ("faces", "committor", "128, 96", box, sets, 1, 5e-4),
        ("within cells, on 3 ranks", "committor", "140, 96", box, sets, 3, 5e-4),
        ("ends", "upper_x", "64, 96", absorbing, ends, 1, 5e-4),
    ):
        found = solve(where, system, cells, truth, analysis, ranks)
        for k, (x, expected) in enumerate(exact.items()):
            within(f"ruin, {name}: from {x}", found[key][k], found[key + "_error"][k], expected, most)


def answers_fit(where: pathlib.Path) -> None:
    """Identities between what the forward and what the backward operator say."""
    box = "lower: [-1, -4], upper: [1.2, 4], boundaries: [absorbing, reflecting]"
    rates = solve(where, double_well(0.4, 0.9, 0.1), "96, 80", box, "kind: relaxation, count: 1, modes: true")
    leave = "kind: passage, leave: {lower: [-1, -4], upper: [1.2, 4]}, weight: uniform"
    times = solve(where, double_well(0.4, 0.9, 0.1), "96, 80", box, leave)
    mode = np.abs(rates["mesh mode_0"]) / np.abs(rates["mesh mode_0"]).sum()
    escape = rates["rate"][0] * (mode * times["mesh passage_time"]).sum()
    print(f"rate times mean time of the quasi-stationary density: {escape:.8f}")
    expect(abs(escape - 1) < 1e-3, "the mean time from the mode is not 1/rate", escape)

    box = "lower: [-2.6, -4.4], upper: [2.6, 4.4]"
    sets = (
        "kind: committor, a: {upper: [-0.8125, 4.4]}, b: {lower: [0.92083333333333, -4.4]}, points:"
        " [[-0.8124, 0.935]]"
    )
    reaction = solve(where, double_well(0.35, 0.9, 0.1), "96, 80", box, sets)
    density = solve(where, double_well(0.35, 0.9, 0.1), "96, 80", box, "kind: stationary")["mesh density"]
    # paths backwards are paths with the other velocity
    mass = (density * (1 - reaction["mesh committor"][::-1, :])).sum() / density.sum()
    from_a = (reaction["flux"] / reaction["rate_ab"]).item()
    from_b = (reaction["flux"] / reaction["rate_ba"]).item()
    print(f"mass that last left a: {from_a:.8f}, by reversal {mass:.8f}")
    expect(abs(from_a + from_b - 1) < 1e-9, "paths come from a or from b", from_a + from_b)
    expect(abs(from_a - mass) < 2e-4, "the mass from a", (from_a, mass))
    # what leaves a, with any velocity upwards, and gets to b
    v = -4.4 + 8.8 * (np.arange(80) + 0.5) / 80
    x = -2.6 + 5.2 * (np.arange(96) + 0.5) / 96
    first = int(np.argmax(x > -0.8125))
    q = np.array(
        [
            np.polyval(np.polyfit(x[first : first + 4], row[first : first + 4], 3), -0.8125)
            for row in reaction["mesh committor"]
        ]
    )
    leap = reaction["committor"][0]
    print(f"committor where paths come out of a: {leap:.6f}, by its values beyond {q[48]:.6f}")
    expect(abs(leap - q[48]) < 1e-3, "the leap at a set", (leap, q[48]))
    p = np.array([np.interp(-0.8125, x, row) for row in density]) / (density.sum() * 8.8 / 80 * 5.2 / 96)
    flux = (p * q * v)[v > 0].sum() * 8.8 / 80
    print(f"flux: {reaction['flux'].item():.8f}, through the boundary of a {flux:.8f}")
    expect(abs(flux - reaction["flux"].item()) < 3e-3 * flux, "the flux through the boundary", flux)


with tempfile.TemporaryDirectory() as folder:
    for test in (rates_of_kramers, boltzmann_is_at_rest, pendulum_is_pushed, gambler_is_ruined, answers_fit):
        test(pathlib.Path(folder))
sys.exit(conclude())
