#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What a design can tell: of a turning trap, eigenvalues of Fisher's information are those of its Gaussian densities in
closed form, and what is 0 there is named; of tracks, those of Gaussian steps; a better design is better in closed
form, too; a driven start counts steps; ranks agree to the bit; and what is refused.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import itertools
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

TURN = """
study: turn
system: {name: rotational_ou}
initial: {density: gaussian, mean: [0.0, 0.0], sd: [0.7, 0.7]}
snapshots: {start: 0.0, end: 2.0, count: 2}
truth: {cells: [48, 48], lower: [-5.0, -5.0], upper: [5.0, 5.0]}
infer:
  - name: turn
    method: identifiability
    parameters: [stiffness, rotation, kT]
    times: [0.5, 1.0]
    others: [0.25]
    particles: 500
    starts: [{density: gaussian, mean: [2.0, 0.0], sd: [0.7, 0.7]}, {density: gaussian, mean: [0.0, 0.0], sd: [1.0, 1.0]}]
"""
TRAP = """
study: trap
system: {name: ornstein_uhlenbeck, parameters: {stiffness: 1.5, kT: 0.7}}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [160], lower: [-4], upper: [4]}
infer:
  - {name: trap, method: identifiability, design: trajectories, parameters: [stiffness, kT], lag: [0.2], others: [0.4, 0.8],
     tracks: 3, transitions: 100}
"""


WELL = """
study: well
system: {name: double_well, parameters: {height: 1.0, kT: 0.5}}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [192], lower: [-2.6], upper: [2.6]}
infer:
  - {name: well, method: identifiability, design: trajectories, parameters: [height, tilt, kT], lag: 0.5}
"""


def gaussian(mean, covariance, slopes):
    """Information of a Gaussian, of slopes (dmean, dcovariance) by each parameter."""
    inverse = np.linalg.inv(covariance)
    return np.array(
        [[a @ inverse @ b + 0.5 * np.trace(inverse @ A @ inverse @ B) for b, B in slopes] for a, A in slopes]
    )


def turned(theta, start, s, t):
    """Mean and covariance of the turning trap, from a Gaussian of variances s along the axes."""
    k, w, D = theta
    turn = np.array([[np.cos(w * t), -np.sin(w * t)], [np.sin(w * t), np.cos(w * t)]])
    r = np.exp(-k * t)
    return r * turn @ start, r * r * turn @ (s * np.eye(2)) @ turn.T + D / k * (1 - r * r) * np.eye(2)


def of_snapshots(start, s, times):
    theta, total = np.ones(3), np.zeros((3, 3))
    for t in times:
        slopes = []
        for e in 1e-5 * np.eye(3):
            (m1, C1), (m0, C0) = turned(theta + e, start, s, t), turned(theta - e, start, s, t)
            slopes.append(((m1 - m0) / 2e-5, (C1 - C0) / 2e-5))
        total += gaussian(*turned(theta, start, s, t), slopes)
    return total


def of_transition(k, D, lag):
    """In units of k and D."""
    r, s = np.exp(-k * lag), D / k
    v = s * (1 - r * r)
    dm = np.array([-lag * r * k, 0])
    dv = np.array([k * (-s / k * (1 - r * r) + 2 * s * lag * r * r), v])
    return np.outer(dm, dm) * s / v + np.outer(dv, dv) / (2 * v * v)


def judge(where, text, name, ranks=1):
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", "--out", f"out{ranks}.h5", ranks=ranks)
    expect(done.returncode == 0, "a design is judged", done.stderr)
    with h5py.File(where / f"out{ranks}.h5") as file:
        group = file["infer"][name]
        return (
            {key: column[()] for key, column in group.items()},
            [s.decode() for s in group.attrs["designs"]],
            done.stdout,
        )


def turning_trap(where):
    found, designs, printed = judge(where, TURN, "turn")
    rows = {text: i for i, text in enumerate(designs)}
    for start, s, text in (
        (np.zeros(2), 0.49, "t = 0.5, 1"),
        (np.array([2.0, 0.0]), 0.49, "start 1, t = 0.5, 1"),
        (np.zeros(2), 1.0, "start 2, t = 0.5, 1"),
    ):
        exact = np.linalg.eigvalsh(of_snapshots(start, s, (0.5, 1.0)))
        row = rows[text]
        value, error = found["eigenvalues"][row], found["errors"][row]
        expect((abs(value - exact) < 2 * error + 1e-9).all(), f"{text}: eigenvalues", (value, exact, error))
        expect((error < 0.05 * exact.max()).all(), f"{text}: their errors", error)
        expect(((value <= error) == (exact < 1e-9)).all(), f"{text}: what is 0", (value, error, exact))
    expect(
        "turn, t = 0.5, 1: no number of particles determines rotation\n" in printed,
        "what cannot be told",
        printed,
    )
    expect(
        "start 2, t = 0.5, 1: no number of particles determines more than" in printed,
        "one direction",
        printed,
    )
    expect(
        np.isinf(found["variances"][0, 1]) and np.isfinite(found["variances"][0, 0]), "rotation alone", found
    )
    exact = np.diag(np.linalg.inv(of_snapshots(np.array([2.0, 0.0]), 0.49, (0.5, 1.0)))) / 500
    variance = found["variances"][rows["start 1, t = 0.5, 1"]]
    expect((abs(variance / exact - 1) < 0.1).all(), "predicted variances", (variance, exact))
    costs = {
        chosen: np.trace(np.linalg.inv(of_snapshots(np.array([2.0, 0.0]), 0.49, chosen)))
        for chosen in itertools.combinations_with_replacement((0.25, 0.5, 1.0), 2)
    }
    best = min(costs, key=costs.get)
    expect(
        f"the best of these designs is start 1, t = {best[0]:g}, {best[1]:g}\n" in printed,
        f"best: {best}",
        printed,
    )


def known(where):
    """Numbers of other programs: scores of samples, and derivatives of a dense chain's ln P."""
    round_, long_ = of_snapshots(np.zeros(2), 0.49, (0.5, 1, 2)), of_snapshots(
        np.zeros(2), (1.5, 0.3), (0.5, 1, 2)
    )
    aside, rest = of_snapshots(np.array([2.0, 0.0]), 0.49, (0.5, 1, 2)), of_snapshots(
        np.zeros(2), 1.0, (0.5, 1, 2)
    )
    for found, number, what in (
        (np.diag(aside), [3.1473, 1.3301, 2.4500], "a start aside"),
        (np.linalg.eigvalsh(round_), [0, 0.014615, 4.2526], "a round start"),
        (np.linalg.eigvalsh(rest), [0, 0, 4.2219], "at rest"),
        (long_[1, 1], 0.08465, "a start that is not round"),
        (of_transition(1.0, 1.0, 0.5), [[0.232866, -0.209012], [-0.209012, 0.5]], "a transition"),
    ):
        expect(np.allclose(found, number, rtol=1e-4, atol=1e-6), f"known: {what}", (found, number))
    found, _, _ = judge(where, WELL, "well")
    exact = np.array([[0.378756, 0, -0.78965], [0, 0.334408, 0], [-0.78965, 0, 2.290341]])
    scales = np.outer(found["scales"][0], found["scales"][0])
    information = found["information"][0] / scales
    expect(
        np.allclose(information, exact, rtol=3e-3, atol=1e-6), "known: a double well", (information, exact)
    )


def tracks(where):
    found, designs, printed = judge(where, TRAP, "trap")
    exact = {lag: of_transition(1.5, 0.7, lag) for lag in (0.2, 0.4, 0.8)}
    value, error = found["eigenvalues"][0], found["errors"][0]
    expect(
        (abs(value - np.linalg.eigvalsh(exact[0.2])) < 2 * error).all(), "eigenvalues", (value, exact, error)
    )
    deviations = np.sqrt(np.diag(np.linalg.inv(exact[0.2])) / 300)
    expect(
        (abs(np.sqrt(found["variances"][0]) / deviations - 1) < 0.02).all(), "deviations", found["variances"]
    )
    best = min(exact, key=lambda lag: np.trace(np.linalg.inv(exact[lag])))
    expect(
        f"the best of these designs is lag {best:g}\n" in printed and len(designs) == 2,
        "a better lag",
        printed,
    )
    other = judge(where, TRAP, "trap", ranks=2)[0]
    expect(all((other[key] == found[key]).all() for key in found), "the same bits on two ranks")


def units(where):
    """A direction names the same parameters in any unit of length."""
    for length in (1.0, 1 / 512, 512.0):
        text = TRAP.replace("kT: 0.7", f"kT: {0.7 * length**2}")
        text = text.replace("[-4], upper: [4]", f"[{-4 * length}], upper: [{4 * length}]")
        printed = judge(where, text, "trap")[2]
        row = next(line for line in printed.splitlines() if line.startswith("trap "))
        expect(row.count("stiffness") == 2 and " kT " in row, f"both, of lengths {length}", printed)


def narrow(where):
    """Densities that the cells do not resolve are refused, and left out of better designs that nobody asked for."""
    text = TRAP.replace("density: boltzmann", "density: gaussian, mean: [0.0], sd: [0.03]")
    for times, wanted in (("[0.002, 1.0]", True), ("[1.0]", False), ("[1.0], others: [0.002]", True)):
        design = text.replace("design: trajectories", f"times: {times}").replace(", others: [0.4, 0.8]", "")
        (where / "study.yaml").write_text(design.replace("[160]", "[48]"))
        done = fare(where, "infer", "study.yaml")
        expect((done.returncode != 0) == wanted, f"times {times}", done.stdout + done.stderr)
        expect(("0.002 the density is as steep" in done.stderr) == wanted, f"why: {times}", done.stderr)


def refusals(where):
    for old, new, wanted in (
        ("times: [0.5, 1.0]\n", "\n", "add 'times', of which the design consists"),
        ("times: [0.5, 1.0]", "times: [-0.5]", "-0.5 is before the study's start, 0"),
        (
            "method: identifiability",
            "method: [likelihood, identifiability]",
            "identifiability must be the only method",
        ),
        ("others: [0.25]", "file: a.csv", "identifiability takes no data"),
        (
            "starts: [{density: gaussian, mean: [2.0, 0.0]",
            "starts: [{density: gaussian, mean: [2.0]",
            "starts[0]",
        ),
    ):
        (where / "study.yaml").write_text(TURN.replace(old, new))
        done = fare(where, "infer", "study.yaml")
        expect(done.returncode == 2 and wanted in done.stderr, wanted, done.stderr)
    for old, new, wanted in (
        ("lag: [0.2]", "lag: [1.0e-4]", "a lag of 0.0001 spreads a point by"),
        ("lag: [0.2]", "noise: 0.5, lag: [0.2]", "identifiability assumes observations without noise"),
        ("design: trajectories", "times: [1.0e6]", "is 5.6e+08 times that in which a cell is left"),
        (
            "name: ornstein_uhlenbeck, parameters: {stiffness: 1.5, kT: 0.7}",
            "name: kramers_double_well",
            "axis x has no diffusion",
        ),
    ):
        text = TRAP.replace(old, new)
        if "kramers" in new:
            text = text.replace("[160], lower: [-4], upper: [4]", "[16, 16]").replace(
                "[stiffness, kT]", "[kT]"
            )
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml")
        expect(done.returncode != 0 and wanted in done.stderr, wanted, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        turning_trap(where)
        known(where)
        tracks(where)
        units(where)
        narrow(where)
        refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
