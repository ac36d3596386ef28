#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
No pulse of a drive is stepped over, however far apart snapshots are: means of a trap in closed form, m(t) the
integral of exp(-(t - s)) tilt(s), for every waveform, in one and two dimensions, by formulas, and by both
time methods; and the work of a pulse.
fare-test: labels=verification timeout=300
"""
import math
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import FARE, MPIEXEC

TRAP = "{name: ornstein_uhlenbeck}"
TRAP_2D = "{name: ornstein_uhlenbeck, dimension: 2}"
DRIFT = (
    "{expression: {axes: [x], drift: ['tilt - x'], diffusion: ['1'], lower: [-7], upper: [7]}, parameters:"
    " {tilt: 0}}"
)
# a pulse that a formula makes of a parameter that only rises
MADE = (
    "{expression: {axes: [x], potential: 'x^2/2 - 4*exp(-((s - 0.6171)/0.004)^2)*x', lower: [-7], upper:"
    " [7]}, parameters: {s: 0}}"
)

TRIANGLE = (
    "{parameter: tilt, waveform: tabulated, amplitude: 8, times: [0, 7.03, 7.11, 7.19], values: [0, 0, 1, 0]}"
)
RAMP = "{parameter: tilt, waveform: ramp, amplitude: 1.5, start: 8.9, end: 9.7}"
SMOOTH = "{parameter: tilt, waveform: smoothstep, amplitude: 1.5, start: 9.2, end: 9.3}"
SQUARE = "{parameter: tilt, waveform: square, amplitude: 2, period: 2.5, duty: 0.02}"
SINE = (  # 512 periods between snapshots
    "{parameter: tilt, waveform: sine, amplitude: 10, period: 0.009765625, phase: 0.7}"
)
# the same of the time itself; and one that no 512 samples between snapshots would find
BY_TIME = (
    "{expression: {axes: [x], potential: 'x^2/2 - 4*exp(-((t - 6.171)/0.04)^2)*x', lower: [-7], upper: [7]}}"
)
NARROW = (
    "{expression: {axes: [x], potential: 'x^2/2 - a*exp(-((t - 9.25293)/w)^2)*x', lower: [-7], upper: [7]},"
    " parameters: {a: 6.0e+1, w: 2.0e-4}}"
)
JUMPS = (
    "{expression: {axes: [x], drift: ['8*step(t - 7.03)*step(7.11 - t) - x'], diffusion: ['1'], lower: [-7],"
    " upper: [7]}}"
)
EXPRESSION = "{parameter: tilt, waveform: expression, amplitude: 4, expression: 'exp(-((t - 6.171)/0.04)^2)'}"
CHIRP = (
    "{parameter: tilt, waveform: chirp, amplitude: 2, frequency: 0.05, final_frequency: 20, start: 1, end:"
    " 9, sweep: geometric, phase: 0.4}"
)
RISE = "{parameter: s, waveform: ramp, amplitude: 1, start: 0, end: 10}"


def triangle(t):
    return 8 * np.interp(t, [7.03, 7.11, 7.19], [0, 1, 0])


def ramp(t):
    return 1.5 * np.clip((t - 8.9) / 0.8, 0, 1)


def smooth(t):
    s = np.clip((t - 9.2) / 0.1, 0, 1)
    return 1.5 * s * s * (3 - 2 * s)


def square(t):
    return np.where(t / 2.5 % 1 < 0.02, 2.0, -2.0)


def sine(t):
    return 10 * np.sin(2 * np.pi * t / 0.009765625 + 0.7)


def made(t):
    return 4 * np.exp(-((((t / 10) - 0.6171) / 0.004) ** 2))


def jumps(t):
    return np.where((t >= 7.03) & (t <= 7.11), 8.0, 0.0)


def chirp(t):
    """The angle is the integral of the frequency, here by the trapezoidal rule."""
    s = np.linspace(0, 10, 2_000_001)
    frequency = 0.05 * 400 ** (np.clip(s - 1, 0, 8) / 8)
    cycles = np.concatenate([[0], np.cumsum(0.5 * (frequency[1:] + frequency[:-1]) * np.diff(s))])
    return 2 * np.sin(2 * np.pi * np.interp(t, s, cycles - np.interp(1, s, cycles)) + 0.4)


def run(place, name, system, drive, cells, *more, ranks=0, petsc=()):
    """The study's file, and the density, its place and the estimated error of every snapshot."""
    study = place / f"{name}.yaml"
    study.write_text(
        f"study: pulse\nsystem: {system}\n{f'drive: [{drive}]' if drive else ''}\ninitial: {{density:"
        f" gaussian, mean: {[0.0] * len(cells)}, sd: {[1.0] * len(cells)}}}\nsnapshots: {{start: 0.0, end:"
        f" 10.0, count: 3}}\ntruth: {{cells: {cells}}}\n"
    )
    launch = [MPIEXEC, "-n", str(ranks)] if ranks else []
    done = subprocess.run(
        [
            *launch,
            FARE,
            "run",
            study,
            "--no-report",
            "--set",
            f"output.directory={place / name}",
            *more,
            *(["--", *petsc] if petsc else []),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return place / name


def means(output):
    """Time and mean along the first axis, of every snapshot."""
    found = []
    for file in sorted((output / "snapshots").glob("*.h5")):
        with h5py.File(file) as data:
            (iteration,) = data["data"].values()
            mesh = iteration["meshes/density"]
            density, h, x0 = mesh[...], mesh.attrs["gridSpacing"][-1], mesh.attrs["gridGlobalOffset"][-1]
            along = density.reshape(-1, density.shape[-1]).sum(axis=0)
            x = x0 + h * (np.arange(len(along)) + 0.5)
            found.append((iteration.attrs["time"], float(along @ x / along.sum())))
    return found


def exact_mean(tilt, t):
    """By the midpoint rule on pieces far shorter than any pulse."""
    ds = 1e-5
    s = np.arange(0, t, ds) + ds / 2
    return float(np.sum(np.exp(-(t - s)) * tilt(s)) * ds)


def follows(place, name, system, drive, tilt, cells, tolerance, more=(), **how):
    worst = max(
        abs(mean - exact_mean(tilt, t))
        for t, mean in means(run(place, name, system, drive, cells, *more, **how))
        if t > 0
    )
    expect(
        (worst < tolerance),
        (
            f"{name}: means off by {worst:.1e} (at most {tolerance:.0e}); the largest is"
            f" {max(abs(exact_mean(tilt, t)) for t in (5.0, 10.0)):.2g}"
        ),
    )


def narrowest(place):
    """A kick between two snapshots moves the mean by its area, which then decays."""
    (_, _), (_, _), (t, mean) = means(run(place, "narrow", NARROW, "", [1024]))
    exact = 0.012 * np.sqrt(np.pi) * np.exp(-(t - 9.25293))
    expect(abs(mean - exact) < 2e-4, f"a kick of 2e-4 leaves a mean of {mean:.5f}, exactly {exact:.5f}")


def work(place):
    """W = - integral of m(t) d tilt, along the mean of the trap."""
    output = run(place, "work", TRAP, TRIANGLE, [512], "--set", "thermodynamics.points=4")
    t = np.linspace(7.03, 7.19, 16001)
    m = np.array(
        [np.sum(np.exp(-(t[i] - t[: i + 1])) * triangle(t[: i + 1])) for i in range(0, len(t), 40)]
    ) * (t[1] - t[0])
    exact = -float(np.sum(0.5 * (m[1:] + m[:-1]) * np.diff(triangle(t[::40]))))
    with h5py.File(output / "study.h5") as data:
        found = float(data["thermodynamics/work"][-1])
    expect(abs(found - exact) < 2e-3 * abs(exact), f"the work of a pulse: {found:.6f}, exactly {exact:.6f}")


def below(x):
    """The standard normal distribution function."""
    return np.array([0.5 * math.erfc(-y / math.sqrt(2)) for y in x])


def strong(place):
    """A pulse that pushes with up to 125 kT over a cell: what it moves too little, the estimate knows."""
    for height, width in ((1000, 3e-4), (300, 6e-4)):
        pulse = (
            f"{{parameter: tilt, waveform: tabulated, times: [0, 9.5, {9.5 + width}, {9.5 + 2 * width}],"
            f" values: [0, 0, {height}, 0]}}"
        )
        s = np.linspace(9.5, 9.5 + 2 * width, 20001)
        push = np.interp(s, [9.5, 9.5 + width, 9.5 + 2 * width], [0, height, 0])
        mean = float(np.sum(np.exp(s - 10) * push) * (s[1] - s[0]))
        for cells in (128, 256, 512, 1024, 2048):
            name = f"strong_{height}_{cells}"
            output = run(place, name, TRAP, pulse, [cells])
            with h5py.File(output / "snapshots" / "snapshot_000002.h5") as data:
                mesh = data["data/2/meshes/density"]
                edges = mesh.attrs["gridGlobalOffset"][0] + mesh.attrs["gridSpacing"][0] * np.arange(
                    cells + 1
                )
                found = mesh[...] * mesh.attrs["gridSpacing"][0]
            with h5py.File(output / "study.h5") as data:
                estimate = float(data["truth/error"][2])
            true = float(np.abs(found - np.diff(below(edges - mean))).sum())
            expect(
                true < 1.5 * estimate,
                f"a push of {height * 16 / cells:.0f} kT a cell: error {true:.1e}, estimated {estimate:.1e}",
            )


def generator(tilt, lower, upper, cells):
    """Of dX = (tilt - X) dt + sqrt(2) dW by fluxes of Scharfetter and Gummel, with a wall below and an end
    that absorbs above.
    """
    h = (upper - lower) / cells
    x = lower + h * (np.arange(cells) + 0.5)
    z = (tilt - (x + h / 2)) * h
    up, down = -z / np.expm1(-z) / h**2, z / np.expm1(z) / h**2
    L = np.diag(up[:-1], -1) + np.diag(down[:-1], 1)
    return L - np.diag(up + np.concatenate([[0], down[:-1]]))


PUSH = (
    "{parameter: tilt, waveform: tabulated, amplitude: 160, times: [0, 7.10, 7.12, 7.14], values: [0, 0,"
    " 1, 0]}"
)
FEW = (
    "{name: few, kind: driven_passage, span: 10, after: over, starts: 1, target: {lower: [3.5]}, "
    "from: {upper: [1.0]}, survival: 2, horizon: 10, tolerance: 1.0e-3}"
)


def survivors(cells):
    """What is left of a push towards an end that absorbs, by dense matrices and steps of Crank and Nicolson."""
    lower, upper = -6.0, 3.5
    h = (upper - lower) / cells
    x = lower + h * (np.arange(cells) + 0.5)
    p = np.exp(-x * x / 2) * np.clip(
        (1 - (x - h / 2)) / h, 0, 1
    )  # the cell that the set ends in counts by its part
    p /= p.sum()
    one = np.eye(cells)
    still = 0.005 * generator(0, lower, upper, cells)
    rest = np.linalg.solve(one - still, one + still)
    p = np.linalg.matrix_power(rest, 710) @ p
    for k in range(80):  # the pulse, from 7.10 to 7.14
        L = generator(
            160 * np.interp(7.10 + (k + 0.5) * 5e-4, [7.10, 7.12, 7.14], [0, 1, 0]), lower, upper, cells
        )
        p = np.linalg.solve(one - 2.5e-4 * L, p + 2.5e-4 * (L @ p))
    return float((np.linalg.matrix_power(rest, 286) @ p).sum())


def survival(place):
    """What a push carries over a line: second order in the width of cells, towards the limit of the matrices."""
    exact = 2 * survivors(380) - survivors(190)  # their place of the end makes them first order
    errors = []
    for cells in (1536, 3072):
        output = run(
            place,
            f"survival_{cells}",
            TRAP,
            PUSH,
            [cells],
            "--set",
            f"analysis=[{FEW}]",
            "--set",
            "truth.estimate=false",
        )
        with h5py.File(output / "study.h5") as data:
            found, bar = (float(data[f"analysis/few/{name}"][-1]) for name in ("survival", "survival_error"))
        errors.append(abs(found - exact))
        expect(
            errors[-1] < 2 * bar,
            f"survival of a push on {cells} cells: {found:.5f} +- {bar:.1e}, by matrices {exact:.5f}",
        )
    expect(
        3.2 < errors[0] / errors[1] < 5, f"its error falls by {errors[0] / errors[1]:.2f} with half the width"
    )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-pulses-") as name:
        place = pathlib.Path(name)
        follows(place, "triangle", TRAP, TRIANGLE, triangle, [512], 1e-4)
        follows(place, "ramp", TRAP, RAMP, ramp, [512], 2e-4)
        follows(place, "smoothstep", TRAP, SMOOTH, smooth, [512], 2e-4)
        follows(place, "square", TRAP, SQUARE, square, [512], 1e-4)
        follows(
            place,
            "sine",
            TRAP,
            SINE,
            sine,
            [256],
            1e-3,
            more=("--set", "truth.estimate=false", "--set", "truth.tolerance=1e-5"),
        )
        follows(place, "triangle_2d", TRAP_2D, TRIANGLE, triangle, [64, 64], 5e-3, ranks=2)
        follows(place, "triangle_drift", DRIFT, TRIANGLE, triangle, [512], 1e-4)
        follows(
            place, "triangle_ts", TRAP, TRIANGLE, triangle, [256], 5e-4, petsc=["-truth_ts_type", "arkimex"]
        )
        follows(place, "made", MADE, RISE, made, [512], 1e-4)
        follows(place, "by_time", BY_TIME, "", made, [512], 1e-4)
        follows(place, "jumps", JUMPS, "", jumps, [512], 1e-4)
        follows(place, "expression", TRAP, EXPRESSION, made, [512], 1e-4)
        follows(place, "chirp", TRAP, CHIRP, chirp, [512], 2e-4)
        narrowest(place)
        work(place)
        strong(place)
        survival(place)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
