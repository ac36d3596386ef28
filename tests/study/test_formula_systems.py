#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Systems with inertia by formula: a dragged harmonic trap keeps its Gaussian, by the moment equations; a double
well is the library's, to rounding; a pendulum turns on its ring. Bounds may be formulas, and names of axes are
in every file.
fare-test: labels=study timeout=240
"""
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

TRAP = """study: trap
system:
  expression:
    potential: k*(x - reach*t^2)^2/2
    mass: m
    friction: gamma
    lower: [-pi - 1, -2*reach - 5]
    upper: [pi + 1, 2*reach + 5]
  parameters: {k: 2.0, reach: 0.4, m: 1.5, gamma: 0.8, kT: 0.7}
initial: {density: gaussian, mean: [-0.5, 0.4], sd: [0.5, 0.6]}
snapshots: {start: 0.0, end: 2.0, count: 5}
truth: {cells: [192, 192], tolerance: 1.0e-5, estimate: false}
ensembles:
  - {name: baoab, sampler: langevin, integrator: baoab, particles: 100000, dt: 1.0e-2}
"""
WELL = """study: well
system:
  name: kramers_double_well
  parameters: {height: 2, tilt: 0, mass: 1.2, friction: 0.5, kT: 0.9}
drive: [{parameter: tilt, waveform: square, amplitude: 1, period: 1.5}]
initial: {density: gaussian, mean: [-1.2, 0.0], sd: [0.2, 1.0]}
snapshots: {start: 0.0, end: 1.0, count: 3}
truth: {cells: [96, 64], tolerance: 1.0e-7, estimate: false}
ensembles:
  - {name: heun, sampler: langevin, integrator: heun, particles: 5000, dt: 2.0e-3}
  - {name: baoab, sampler: langevin, integrator: baoab, particles: 5000, dt: 2.0e-3}
  - {name: rest, sampler: boltzmann, particles: 5000}
"""
BY_FORMULA = """  expression: {potential: 'height*(x^2 - 1)^2 - tilt*x', mass: mass, friction: friction, \
lower: [-2.6, -8], upper: [2.6, 8]}
"""
PENDULUM = """study: pendulum
system:
  expression: {axes: [angle, speed], potential: -g*cos(angle), mass: 1, friction: 1, lower: [-pi, -8],
               upper: [pi, 8], periodic: [true, false]}
  parameters: {g: 2.0}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [64, 96], tolerance: 1.0e-5}
analysis: [{name: rest, kind: stationary}]
ensembles:
  - {name: walk, sampler: langevin, integrator: baoab, particles: 20000, dt: 1.0e-2}
"""


def run(place, name, text):
    (place / f"{name}.yaml").write_text(text)
    done = fare(place, "run", f"{name}.yaml", "--no-report", "--set", f"output.directory={name}")
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    return place / name


def snapshots(output):
    for path in sorted((output / "snapshots").glob("*.h5")):
        with h5py.File(path) as file:
            (step,) = file["data"].values()
            yield step


def moments_of_mesh(mesh):
    """Mean and covariance of a density over position and velocity, as masses at centres of cells."""
    density, (hv, hx), (v0, x0) = mesh[...], mesh.attrs["gridSpacing"], mesh.attrs["gridGlobalOffset"]
    v = v0 + hv * (np.arange(density.shape[0]) + 0.5)
    x = x0 + hx * (np.arange(density.shape[1]) + 0.5)
    p = density / density.sum()
    mean = np.array([(p.sum(axis=0) * x).sum(), (p.sum(axis=1) * v).sum()])
    dx, dv = x - mean[0], v - mean[1]
    return mean, np.array([(p.sum(axis=0) * dx**2).sum(), dv @ p @ dx, (p.sum(axis=1) * dv**2).sum()])


def exact_moments(times):
    """dm/dt = A m + b(t), dC/dt = A C + C A' + N, by Runge and Kutta."""
    k, reach, m, gamma, kT = 2.0, 0.4, 1.5, 0.8, 0.7
    A, N = np.array([[0, 1], [-k / m, -gamma]]), np.diag([0, 2 * gamma * kT / m])

    def slope(t, s):
        mean, C = s[0], s[1:]
        return np.vstack([A @ mean + [0, k / m * reach * t**2], A @ C + C @ A.T + N])

    s, t, dt, found = np.vstack([[-0.5, 0.4], np.diag([0.25, 0.36])]), 0.0, 1e-3, []
    for end in times:
        while t < end - dt / 2:
            a = slope(t, s)
            b = slope(t + dt / 2, s + dt / 2 * a)
            c = slope(t + dt / 2, s + dt / 2 * b)
            d = slope(t + dt, s + dt * c)
            s, t = s + dt / 6 * (a + 2 * b + 2 * c + d), t + dt
        found.append((s[0].copy(), np.array([s[1, 0], s[1, 1], s[2, 1]])))
    return found


def trap(place):
    exact = exact_moments(np.linspace(0, 2, 5))
    for step, (mean, covariance) in zip(snapshots(run(place, "trap", TRAP)), exact, strict=True):
        t = step.attrs["time"]
        of_truth, spread = moments_of_mesh(step["meshes/density"])
        expect(np.abs(of_truth - mean).max() < 3e-3, f"mean of the truth at {t}", (of_truth, mean))
        expect(
            np.abs(spread - covariance).max() < 3e-2, f"covariance of the truth at {t}", (spread, covariance)
        )
        x, v = (step[f"particles/baoab/position/{axis}"][...] for axis in "xy")
        found = np.cov(x, v)
        expect(np.hypot(x.mean() - mean[0], v.mean() - mean[1]) < 0.012, f"mean of the particles at {t}")
        found = np.array([found[0, 0], found[0, 1], found[1, 1]])
        expect(np.abs(found - covariance).max() < 0.012, f"covariance of the particles at {t}", found)
    with h5py.File(place / "trap/study.h5") as file:
        expect(np.allclose(file["bins"].attrs["upper"], [5.8, np.pi + 1], atol=1e-15), "bounds by formula")


def well(place):
    """The same equations, so the same particles up to rounding, and the same density up to the time steps."""
    library = run(place, "library", WELL)
    formula = run(place, "formula", WELL.replace("  name: kramers_double_well\n", BY_FORMULA))
    for a, b in zip(snapshots(library), snapshots(formula), strict=True):
        p, q = a["meshes/density"][...], b["meshes/density"][...]
        expect(np.abs(p - q).sum() / p.sum() < 1e-6, "the density of the well", np.abs(p - q).sum() / p.sum())
        for name in ("heun", "baoab", "rest"):
            for axis in "xy":
                x, y = (f[f"particles/{name}/position/{axis}"][...] for f in (a, b))
                expect(
                    np.abs(x - y).max() < 1e-9 and x.std() > 0.1, f"particles of {name}", np.abs(x - y).max()
                )


def pendulum(place):
    """It begins in equilibrium, exp(-E/kT), and stays there; its files name its axes."""
    output = run(place, "pendulum", PENDULUM)
    for step in snapshots(output):
        mesh = step["meshes/density"]
        (hv, hx), p = mesh.attrs["gridSpacing"], mesh[...]
        v, x = -8 + hv * (np.arange(96) + 0.5), -np.pi + hx * (np.arange(64) + 0.5)
        rest = np.exp(2 * np.cos(x) - v[:, None] ** 2 / 2)
        off = np.abs(p / p.sum() - rest / rest.sum()).sum()
        expect(off < (0.06 if step.attrs["time"] else 5e-3), "the pendulum rests", off)
        angle, speed = (step[f"particles/walk/position/{axis}"][...] for axis in "xy")
        expect(abs((speed**2).mean() - 1) < 0.05, "its kinetic energy is kT/2", (speed**2).mean())
        expect(abs(np.cos(angle).mean() - 0.69777) < 0.015, "I_1(2)/I_0(2)", np.cos(angle).mean())
        expect(
            list(mesh.attrs["axisLabels"]) == [b"speed", b"angle"],
            "labels of a mesh",
            mesh.attrs["axisLabels"],
        )
        expect(
            list(step["particles/walk/position"].attrs["axisLabels"]) == [b"angle", b"speed"],
            "labels of positions",
        )
        labels = [step.file["density"].dims[i].label for i in range(2)]
        expect(labels == ["speed", "angle"] and "angle" in step.file, "labels of xarray's density", labels)
    with h5py.File(output / "study.h5") as file:
        expect(list(file["bins"].attrs["axisLabels"]) == [b"speed", b"angle"], "labels of bins")
        binned = file["binned/truth"]
        expect(
            [binned.dims[i].label for i in range(3)] == ["time", "speed", "angle"], "labels of binned masses"
        )
        expect(
            np.allclose(file["binned/angle"][[0, -1]], [-np.pi + hx / 2, np.pi - hx / 2]), "centres of bins"
        )
        expect(
            "angle" in file["analysis/rest/meshes"],
            "labels of an analysis",
            list(file["analysis/rest/meshes"]),
        )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-formulas-") as name:
        for part in (trap, well, pendulum):
            part(pathlib.Path(name))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
