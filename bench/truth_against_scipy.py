#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The truth against the script that one would write with SciPy, on one core of this machine.

    bench/truth_against_scipy.py [--one] [--two] [--command build/bin/fare]

The script is the usual one: finite volumes with Scharfetter-Gummel fluxes, the potential evaluated once,
solve_ivp with the analytic sparse Jacobian, the faster of BDF and Radau. Reported are seconds, the true L1
error at the end (against FARE on a far finer grid, tolerance 1e-11) and ratios; nothing is asserted.
"""
import argparse
import functools
import pathlib
import subprocess
import tempfile
import time

import h5py
import numpy as np
from scipy import sparse
from scipy.integrate import solve_ivp

ROOT = pathlib.Path(__file__).resolve().parent.parent


def bernoulli(z):
    small = np.abs(z) < 1e-8
    return np.where(small, 1 - z / 2, z / np.expm1(np.where(small, 1, z)))


class ScharfetterGummel:
    """dP/dt = L(t) P for V(x) - tilt(t) x_1 on equal cells of a box, in one or two dimensions."""

    def __init__(self, potential, kT, tilt, lower, upper, cells):
        self.kT, self.tilt = kT, tilt
        axes = [np.linspace(a, b, n + 1) for a, b, n in zip(lower, upper, cells)]
        self.h = [x[1] - x[0] for x in axes]
        self.centres = np.meshgrid(*[(x[1:] + x[:-1]) / 2 for x in axes], indexing="ij")
        self.V = potential(*self.centres)
        self.shape = self.V.shape
        self.faces = []
        number = np.arange(self.V.size).reshape(self.shape)
        for axis in range(len(cells)):
            low = [slice(None)] * len(cells)
            high = [slice(None)] * len(cells)
            low[axis], high[axis] = slice(None, -1), slice(1, None)
            self.faces.append(
                (
                    number[tuple(low)].ravel(),
                    number[tuple(high)].ravel(),
                    (self.V[tuple(high)] - self.V[tuple(low)]).ravel() / kT,
                )
            )

    def matrix(self, t):
        rows, columns, values = [], [], []
        for axis, (below, above, rise) in enumerate(self.faces):
            z = rise - (self.tilt(t) * self.h[0] / self.kT if axis == 0 else 0)
            scale = self.kT / self.h[axis] ** 2
            up, down = scale * bernoulli(z), scale * bernoulli(-z)
            rows += [above, below, below, above]
            columns += [below, above, below, above]
            values += [up, down, -up, -down]
        n = self.V.size
        return sparse.csc_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)
        )

    def solve(self, start, end, method, rtol):
        held = {}

        def at(t):
            if held.get("t") != t:
                held["t"], held["L"] = t, self.matrix(t)
            return held["L"]

        began = time.perf_counter()
        result = solve_ivp(
            lambda t, p: at(t) @ p,
            (0, end),
            start,
            method=method,
            jac=lambda t, p: at(t),
            rtol=rtol,
            atol=rtol / start.size,
            t_eval=[end],
        )
        return result.y[:, -1], time.perf_counter() - began


def run_fare(command, study, directory, cells, tolerance):
    """Masses at the last snapshot, in the order x, y, and the seconds that the time stepping took."""
    path = pathlib.Path(directory) / f"fare_{cells}_{tolerance}"
    subprocess.run(
        [
            command,
            "run",
            study,
            "--no-report",
            "--overwrite",
            "--set",
            f"output.directory={path}",
            "--set",
            f"truth.cells={[cells] * study_dimension(study)}",
            "--set",
            f"truth.tolerance={tolerance}",
            "--set",
            "truth.estimate=false",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with h5py.File(path / "study.h5") as file:
        seconds = float(file["truth"].attrs["seconds"])
        last = len(file["snapshots/time"]) - 1
    with h5py.File(path / "snapshots" / f"snapshot_{last:06d}.h5") as file:
        mesh = file[f"data/{last}/meshes/density"]
        return mesh[()].T * np.prod(mesh.attrs["gridSpacing"]), seconds


def study_dimension(study):
    return 2 if "two" in pathlib.Path(study).name else 1


def error(masses, reference):
    """L1 distance to a reference on a grid that is finer by a whole factor along each axis."""
    for axis in range(reference.ndim):
        factor = reference.shape[axis] // masses.shape[axis]
        shape = list(reference.shape)
        shape[axis : axis + 1] = [masses.shape[axis], factor]
        reference = reference.reshape(shape).sum(axis=axis + 1)
    return np.abs(masses - reference).sum()


def best(run, repeats=3):
    results = [run() for _ in range(repeats)]
    return results[0][0], min(seconds for _, seconds in results)


def table(title, rows):
    print(f"\n{title}")
    print(f"{'':44}{'seconds':>10}{'L1 error':>12}")
    for name, seconds, off in rows:
        print(f"{name:44}{seconds:10.3f}{off:12.2e}")


def one_dimension(command, directory):
    study = directory / "one.yaml"
    study.write_text(
        "study: one\nsystem: {name: prinz}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period:"
        " 1.0}]\nsnapshots: {start: 0, end: 1, count: 2}\ntruth: {cells: [2048]}\n"
    )
    reference, _ = run_fare(command, study, directory, 16384, 1e-11)

    def prinz(x):
        return 4 * (
            x**8
            + 0.8 * np.exp(-80 * x**2)
            + 0.2 * np.exp(-80 * (x - 0.5) ** 2)
            + 0.5 * np.exp(-40 * (x + 0.5) ** 2)
        )

    rows = []
    script = {}
    for cells in (2048, 16384):
        problem = ScharfetterGummel(prinz, 1.0, lambda t: 4 * np.sin(2 * np.pi * t), [-2], [2], [cells])
        weights = np.exp(-(problem.V - problem.V.min()))
        start = weights / weights.sum()
        for method in ("BDF", "Radau"):
            masses, seconds = best(
                functools.partial(problem.solve, start, 1.0, method, 1e-8), 3 if cells == 2048 else 1
            )
            rows.append((f"SciPy {method}, {cells} cells, rtol 1e-8", seconds, error(masses, reference)))
            script[cells] = min(script.get(cells, (np.inf, 0)), (seconds, rows[-1][2]))
    fare = {}
    for cells, tolerance in ((2048, 1e-8), (128, 1e-6), (256, 1e-6), (512, 1e-7)):
        masses, seconds = best(functools.partial(run_fare, command, study, directory, cells, tolerance))
        rows.append((f"FARE, {cells} cells, tolerance {tolerance:g}", seconds, error(masses, reference)))
        fare[cells] = (seconds, rows[-1][2])
    table("Driven Prinz potential, t in [0, 1]", rows)
    print(
        f"same grid (2048 cells): FARE is {script[2048][0] / fare[2048][0]:.1f} times as fast, its error"
        f" {script[2048][1] / fare[2048][1]:.0f} times as small"
    )
    alike = min((seconds for seconds, off in fare.values() if off <= script[2048][1]), default=np.nan)
    print(f"at the script's own error there: FARE is {script[2048][0] / alike:.0f} times as fast")


def two_dimensions(command, directory):
    study = directory / "two.yaml"
    study.write_text(
        "study: two\nsystem: {name: quadruple_well}\ndrive: [{parameter: tilt, waveform: sine, amplitude:"
        " 0.5, period: 5.0}]\ninitial: {density: gaussian, mean: [-1, -1], sd: [0.2, 0.2]}\nsnapshots:"
        " {start: 0, end: 10, count: 2}\ntruth: {cells: [256, 256], lower: [-2.5, -2.5], upper: [2.5, 2.5]}\n"
    )
    reference, _ = run_fare(command, study, directory, 512, 1e-8)

    def wells(x, y):
        return x**4 - x**3 / 16 - 2 * x**2 + 3 * x / 16 + y**4 - y**3 / 8 - 2 * y**2 + 3 * y / 8

    problem = ScharfetterGummel(
        wells, 0.18, lambda t: 0.5 * np.sin(2 * np.pi * t / 5), [-2.5] * 2, [2.5] * 2, [256, 256]
    )
    start = np.exp(-(((problem.centres[0] + 1) ** 2 + (problem.centres[1] + 1) ** 2) / 0.08)).ravel()
    masses, script = problem.solve(start / start.sum(), 10.0, "BDF", 1e-6)
    rows = [("SciPy BDF, 256 x 256 cells, rtol 1e-6", script, error(masses.reshape(256, 256), reference))]
    masses, seconds = best(lambda: run_fare(command, study, directory, 256, 1e-6), 2)
    rows.append(("FARE, 256 x 256 cells, tolerance 1e-6", seconds, error(masses, reference)))
    table("Driven quadruple well, t in [0, 10]", rows)
    print(f"same grid: FARE is {script / seconds:.1f} times as fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    parser.add_argument("--command", default=ROOT / "build/bin/fare")
    parser.add_argument("--one", action="store_true", help="one dimension alone")
    parser.add_argument("--two", action="store_true", help="two dimensions alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if not arguments.two:
            one_dimension(str(arguments.command), pathlib.Path(place))
        if not arguments.one:
            two_dimensions(str(arguments.command), pathlib.Path(place))


if __name__ == "__main__":
    main()
