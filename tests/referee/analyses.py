#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Analyses of random systems of one axis, judged by quadrature: passage times, committors, rates between sets,
relaxation rates, and the velocity on a ring. Drift f and diffusion D are those of the study at its start.
With phi the integral of -f/D, the density at rest is exp(-phi)/D, and every passage is a double integral.
"""
from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
import h5py
import numpy as np

import studies
from reference import Array, Mesh, NotConverged, Problem, derivative

DEGREE = 12
FLOOR = 1e-10  # of a number: the reference is no better
STEEPEST = 200.0  # of phi over the box: beyond, factors are lost to rounding


@dataclasses.dataclass
class Case:
    """A study file, and what its analyses should find: {(analysis, quantity): numbers}."""

    seed: int
    yaml: str
    exact: dict[tuple[str, str], Array]
    tags: dict[str, Any]


class Line:
    """Integrals over elements that end at every kink and at the places that are asked for."""

    def __init__(self, problem: Problem, places: list[float], elements: int = 160) -> None:
        inner = [x for x in [*problem.kinks, *places] if problem.lower < x < problem.upper]
        edges = np.unique([*np.linspace(problem.lower, problem.upper, elements + 1), *inner])
        edges = edges[np.concatenate([[True], np.diff(edges) > 1e-12])]
        self.mesh = Mesh(edges, DEGREE, problem)
        self.x = self.mesh.x
        f, self.D = self.mesh.coefficients(problem.times[0])
        if not np.all(self.D > 0):
            raise NotConverged("diffusion vanishes")
        d = derivative(self.mesh.xi)
        # of the polynomial through the nodes, from the left end of the element
        self.within = np.zeros_like(d)
        self.within[1:, 1:] = np.linalg.inv(d[1:, 1:])
        self.phi = self.integral(-f / self.D)
        if np.ptp(self.phi) > STEEPEST:
            raise NotConverged("too steep")
        self.phi -= self.phi.min()

    def parts(self, values: Array, low: float, high: float) -> Array:
        """From the lower end of each element to its nodes; 0 in those that are not between low and high."""
        middle = self.x[:, [0, -1]].mean(axis=1)
        inside = ((middle > low) & (middle < high))[:, None]
        parts: Array = np.where(inside, values, 0) @ self.within.T * self.mesh.half[:, None]
        return parts

    def integral(self, values: Array, low: float = -np.inf) -> Array:
        """From `low`, or the lower end, to each node."""
        parts = self.parts(values, low, np.inf)
        total: Array = parts + np.concatenate([[0.0], np.cumsum(parts[:-1, -1])])[:, None]
        return total

    def down(self, values: Array, high: float) -> Array:
        """From each node to `high`, without differences of large numbers."""
        parts = self.parts(values, -np.inf, high)
        after = np.concatenate([np.cumsum(parts[:0:-1, -1])[::-1], [0.0]])
        total: Array = parts[:, -1:] - parts + after[:, None]
        return total

    def at(self, values: Array, place: float) -> float:
        """At a place that is a node."""
        return float(values.flat[np.argmin(np.abs(self.x - place))])

    def rates(self, count: int) -> Array:
        """Slowest eigenvalues but 0, of the form sum D p g'g' beside p gg at the nodes."""
        n, m = self.x.shape
        p = np.exp(-self.phi) / self.D
        weight, stiff = np.zeros(n * (m - 1) + 1), np.zeros((n * (m - 1) + 1,) * 2)
        for k in range(n):
            at = slice(k * (m - 1), k * (m - 1) + m)
            weight[at] += self.mesh.mass[k] * p[k]
            stiff[at, at] += (
                (self.mesh.d.T * (self.mesh.w * self.D[k] * p[k])) @ self.mesh.d / self.mesh.half[k]
            )
        root = np.sqrt(weight)
        values: Array = np.linalg.eigvalsh(stiff / root / root[:, None])[1 : count + 1]
        return values


def on_interval(line: Line, a: float, b: float, x: float, lower: float) -> dict[tuple[str, str], Array]:
    """Between reflecting ends; `a` and `b` bound sets, and x is between."""
    np.seterr(divide="ignore", invalid="ignore", over="ignore")  # such numbers are dropped
    s, m = np.exp(line.phi), np.exp(-line.phi) / line.D
    M, S, rest = line.integral(m), line.integral(s, a), line.down(s, b)
    all_of_it = line.at(S, b)
    up, down = S / all_of_it, rest / all_of_it  # probabilities to leave between a and b above and below
    tau = line.down(s * M, b)
    inner = line.integral(s * line.integral(m, a), a)
    leave = line.at(inner, b) * up - inner
    Z = M[-1, -1]
    flux = 1 / (Z * all_of_it)
    middle = line.x[:, [0, -1]].mean(axis=1)[:, None]
    held = [
        line.integral(m * np.where(middle < a, below, np.where(middle > b, above, q)))[-1, -1] / Z
        for below, q, above in ((1.0, down, 0.0), (0.0, up, 1.0))
    ]
    mean = line.at(line.integral(m * tau), a) / line.at(M, a)
    return {
        ("up", "time"): np.array([line.at(tau, x), line.at(tau, lower)]),
        ("up", "mean"): np.array([mean]),
        ("up", "rate"): np.array([1 / mean]),
        ("out", "time"): np.array([line.at(leave, x)]),
        ("over", "committor"): np.array([line.at(up, x)]),
        ("over", "to_a"): np.array([line.at(down, x)]),
        ("over", "flux"): np.array([flux]),
        ("over", "rate_ab"): np.array([flux / held[0]]),
        ("over", "rate_ba"): np.array([flux / held[1]]),
    }


def on_ring(line: Line) -> dict[tuple[str, str], Array]:
    """D p = exp(-phi) (1 - J I) with I the integral of exp(phi), the same at both ends."""
    turn = line.phi[-1, -1] - line.phi[0, 0]
    if abs(turn) < 1e-9:
        raise NotConverged("nothing flows")
    I = line.integral(np.exp(line.phi))
    J = -np.expm1(turn) / I[-1, -1]
    p = np.exp(-line.phi) * (1 - J * I) / line.D
    mass = line.integral(p)[-1, -1]
    width = line.x[-1, -1] - line.x[0, 0]
    return {("rest", "velocity"): np.array([J * width / mass])}


def make(seed: int) -> Case:
    """Raises NotConverged where this reference does not serve."""
    study = studies.make(seed)
    rng = np.random.default_rng([17, seed])
    problem = study.problem
    if problem.ends not in ("rr", "ring") or problem.exact:
        raise NotConverged("not of this kind")
    cells, width = 16 * max(4, round(study.tags["cells"] / 16)), problem.upper - problem.lower
    places = np.sort(rng.uniform(0.15, 0.85, 3))
    on_faces = rng.random() < 0.5  # of the coarsest cells
    if on_faces:
        places = np.round(places * cells / 4) / (cells / 4)
    a, x, b = (float(studies.number(problem.lower + width * p)) for p in places)
    lower = float(studies.number(problem.lower + 0.07 * width))
    if min(x - a, b - x) < 6 * width / cells or a - problem.lower < 6 * width / cells:
        raise NotConverged("too few cells")
    lines = [Line(problem, [a, x, b, lower], n) for n in (160, 240)]
    if problem.ends == "ring":
        exact, check = (on_ring(line) for line in lines)
        sections = ["{name: rest, kind: stationary, meshes: false}"]
    else:
        exact, check = (on_interval(line, a, b, x, lower) for line in lines)
        rates = [line.rates(3) for line in (Line(problem, [], 30), Line(problem, [], 40))]
        exact[("decay", "rate")], check[("decay", "rate")] = rates
        below, above = f"{{upper: [{studies.number(a)}]}}", f"{{lower: [{studies.number(b)}]}}"
        sections = [
            (
                f"{{name: up, kind: passage, target: {above}, from: {below}, points: [{x}, {lower}], meshes:"
                " false}"
            ),
            (
                f"{{name: out, kind: passage, leave: {{lower: [{a}], upper: [{b}]}}, points: [{x}], meshes:"
                " false}"
            ),
            f"{{name: over, kind: committor, a: {below}, b: {above}, points: [{x}], meshes: false}}",
            "{name: decay, kind: relaxation, count: 4}",
        ]
    for key in list(exact):
        if not np.all((np.abs(exact[key] - check[key]) <= 1e-10 * np.abs(exact[key])) & (exact[key] != 0)):
            del exact[key]
    yaml = re.sub(r"initial: .*\n", "initial: {density: uniform}\n", study.yaml)
    yaml = re.sub(r"snapshots: .*\n", "snapshots: {start: 0.0, end: 1.0e-6, count: 2}\n", yaml)
    yaml += "analysis:\n" + "".join(f"  - {s}\n" for s in sections)
    yaml = re.sub(r"cells: \[\d+\]", f"cells: [{cells}]", yaml)
    return Case(seed, yaml, exact, study.tags | {"cells": cells, "on_faces": on_faces})


@dataclasses.dataclass
class Number:
    """One number of a case as FARE gives it, beside the exact one."""

    seed: int
    name: str
    exact: float
    value: float
    error: float
    plain: float
    cells: int
    shape: str

    @property
    def off(self) -> float:
        return abs(self.value - self.exact)

    @property
    def is_extrapolated(self) -> bool:
        return self.value != self.plain

    @property
    def is_missed(self) -> bool:
        return self.off > 3 * self.error + FLOOR * abs(self.exact)


def run(command: Sequence[str], case: Case, folder: pathlib.Path) -> tuple[list[Number], str]:
    """Every number that has a reference, and what FARE wrote to the terminal."""
    path, to = folder / f"analyses_{case.seed}.yaml", folder / f"analyses_{case.seed}"
    path.write_text(case.yaml)
    done = subprocess.run(
        [*command, "run", path, "--no-report", "--overwrite", "--set", f"output.directory={to}"],
        env=dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"seed {case.seed}: {done.stderr or done.stdout}")
    numbers = []
    with h5py.File(to / "study.h5") as file:
        for (analysis, name), exact in case.exact.items():
            group = file[f"analysis/{analysis}"]
            if name not in group:
                continue  # it failed, and said so
            found = [np.ravel(group[key][()]) for key in (name, f"{name}_error", f"{name}_plain")]
            if analysis == "decay":
                found = [column[1:] for column in found]  # the first is at rest
            for k, own in enumerate(exact):
                value, error, plain = (float(column[k]) for column in found)
                label, tags = f"{analysis} {name} {k}", case.tags
                numbers.append(
                    Number(case.seed, label, own, value, error, plain, tags["cells"], tags["shape"])
                )
    return numbers, done.stdout + done.stderr


def cases(first: int, count: int) -> Iterator[Case]:
    """So many that this reference serves, from that seed on."""
    seed = first
    while count > 0:
        try:
            case = make(seed)
            count -= 1
            yield case
        except NotConverged:
            pass
        seed += 1


def judge(numbers: Sequence[Number], warned: set[int]) -> str:
    """A summary. `warned`: seeds of which FARE itself said that errors may be wrong."""
    better = [n for n in numbers if n.is_extrapolated]
    gains = [abs(n.plain - n.exact) / max(n.off, 1e-12 * abs(n.exact)) for n in better]
    sharp = [n.error / max(n.off, 1e-12 * abs(n.exact)) for n in better]
    missed = [n for n in numbers if n.is_missed and n.seed not in warned]
    return (
        f"{len(numbers)} numbers of {len({n.seed for n in numbers})} systems, {len(better)} extrapolated:"
        f" errors {np.median(gains):.3g} times smaller (median; smaller in"
        f" {np.mean(np.array(gains) > 1):.0%}), error bars {np.median(sharp):.3g} times the error;"
        f" {sum(n.off > n.error for n in better)} beyond their bars,"
        f" {sum(n.is_missed for n in better)} beyond three; of all {sum(n.is_missed for n in numbers)} beyond"
        f" three, {len(missed)} of them without a warning"
    )


def describe(n: Number) -> str:
    size = abs(n.exact)
    return (
        f"seed {n.seed} {n.shape} {n.cells} cells, {n.name}: exact {n.exact:.10g}, off {n.off / size:.1e},"
        f" bar {n.error / size:.1e}, plain off"
        f" {abs(n.plain - n.exact) / size:.1e}{', extrapolated' if n.is_extrapolated else ''}"
    )


def check(command: Sequence[str], first: int, count: int, show: bool = False) -> bool:
    """No number beyond three bars without a warning, and none that is extrapolated."""
    numbers: list[Number] = []
    warned = set()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(first, count):
            found, said = run(command, case, pathlib.Path(folder))
            numbers += found
            if "within a cell" in said:
                warned.add(case.seed)
            for n in found:
                if show or n.is_missed:
                    print(("MISSED " if n.is_missed else "") + describe(n), flush=True)
    print(judge(numbers, warned))
    return not any(n.is_missed and (n.is_extrapolated or n.seed not in warned) for n in numbers)


def main() -> int:
    p = argparse.ArgumentParser(description="Analyses of random systems, judged by quadrature.")
    p.add_argument("--command", default="build/bin/fare")
    p.add_argument("--first", type=int, default=0, help="first seed")
    p.add_argument("--count", type=int, default=30, help="of systems")
    p.add_argument("--all", action="store_true", help="a line for every number")
    o = p.parse_args()
    return 0 if check([o.command], o.first, o.count, o.all) else 1


if __name__ == "__main__":
    sys.exit(main())
