#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Systems with the force that the analysis `counterdiabatic` has found: the truth stays Boltzmann's within its own
error, on one axis and on two, where without that force it lags; particles stay there, too; what it costs is what
friction says; and what is refused.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import csv
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

SPEEDY = 0.2
ONE = {
    "unit": "{name: prinz}",
    "cells": "[256]",
    "find": "{name: swift, kind: counterdiabatic, parameter: tilt, from: 0.0, to: 2.0}",
    "drive": f"{{parameter: tilt, waveform: smoothstep, amplitude: 2.0, start: 0.0, end: {SPEEDY}}}",
}
TWO = {
    "unit": (
        "{expression: {potential: '(x^2 - 1)^2 + (y - l*x)^2', lower: [-2.6, -3.2], upper: [2.6, 3.2]}, "
        "parameters: {l: 0.0}}"
    ),
    "cells": "[48, 48]",
    "find": "{name: swift, kind: counterdiabatic, parameter: l, from: 0.0, to: 0.6, nodes: 9}",
    "drive": f"{{parameter: l, waveform: smoothstep, amplitude: 0.6, start: 0.0, end: {SPEEDY}}}",
}


def write(where, name, system, case, *more):
    text = [
        f"study: {name}",
        f"system: {system}",
        f"truth: {{cells: {case['cells']}}}",
        "initial: {density: boltzmann}",
        f"output: {{directory: {where / name}}}",
        *more,
    ]
    path = where / f"{name}.yaml"
    path.write_text("\n".join(text) + "\n")
    return path


def find(where, case):
    path = write(
        where, "find", case["unit"], case, "snapshots: {end: 0.001, count: 2}", f"analysis: [{case['find']}]"
    )
    done = fare(where, "run", path, "--no-report", "--overwrite")
    expect(done.returncode == 0, "the force is found", done.stderr)
    with h5py.File(where / "find" / "study.h5") as file:
        return {name: np.array(value) for name, value in file["analysis/swift"].items()}


def follow(where, case, name, assist, *more):
    """Runs the study; the largest divergence and its error, extra work, and the error of the truth."""
    system = (
        f"{{name: counterdiabatic, unit: {case['unit']}, file: find/study.h5, analysis: swift, "
        f"parameters: {{assist: {assist}}}}}"
    )
    snapshots = f"snapshots: {{end: {SPEEDY}, count: 6}}"
    path = write(
        where, name, system, case, f"drive: [{case['drive']}]", snapshots, "thermodynamics: {}", *more
    )
    done = fare(where, "run", path, "--no-report", "--overwrite")
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    with open(where / name / "thermodynamics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    worst = max(rows, key=lambda row: float(row["kl_to_equilibrium"]))
    with h5py.File(where / name / "study.h5") as file:
        error = float(np.nanmax(file["truth/error"][:])) if "truth/error" in file else float("nan")
    return (
        float(worst["kl_to_equilibrium"]),
        float(worst["kl_to_equilibrium_error"]),
        float(rows[-1]["extra_work"]),
        error,
    )


def one_axis(where):
    found = find(where, ONE)
    ensembles = (
        "ensembles: [{name: walkers, sampler: langevin, particles: 10000, dt: 2.0e-4}, {name: rest, sampler:"
        " boltzmann, particles: 10000}]"
    )
    lag, error, extra, _ = follow(where, ONE, "helped", 1, ensembles)
    expect(lag <= error, "no lag beyond the truth's own error", (lag, error))
    expect(0 <= lag < 2e-6 and error < 3e-6, "and next to none, with an error alike", (lag, error))
    alone, _, _, _ = follow(where, ONE, "alone", 0)
    expect(alone > 0.1, "without the force it lags", alone)
    with h5py.File(where / "helped" / "study.h5") as file:
        for name in ("walkers", "rest"):
            kl = file[f"comparisons/{name}/kl"]
            expect(
                np.all(kl["value"][:] < kl["floor_high"][:] * 1.5),
                f"{name} stay with the truth",
                kl["value"][:],
            )
    small_lag(where)
    s = np.linspace(0, 1, 2001)
    rate = 2.0 * 6 * s * (1 - s) / SPEEDY
    order = np.argsort(found["values"])
    friction = np.exp(
        np.interp(2.0 * s * s * (3 - 2 * s), found["values"][order], np.log(found["friction"][order]))
    )
    cost = (
        np.trapezoid(rate**2 * friction, s * SPEEDY)
        if hasattr(np, "trapezoid")
        else np.trapz(rate**2 * friction, s * SPEEDY)
    )
    expect(abs(extra / cost - 1) < 5e-3, "the work of the force is that of friction", (extra, cost))


def small_lag(where):
    """A real lag that is about as small as the error of the cells: the two mix, and the bar holds both."""
    exact = follow(where, {**ONE, "cells": "[512]"}, "exact", 1.02)
    lag, error, _, _ = follow(where, {**ONE, "cells": "[128]"}, "coarse", 1.02)
    off = abs(lag - exact[0])
    print(f"small lag: {lag:.2e} +- {error:.1e}, off by {off:.1e}", flush=True)
    expect(off <= error + exact[1] and error < 3 * lag, "the bar holds a small lag", (lag, error, exact))


def two_axes(where):
    find(where, TWO)
    lag, error, _, _ = follow(where, TWO, "helped_2", 1)
    expect(lag <= error, "no lag beyond the truth's own error on two axes", (lag, error))
    expect(0 <= lag < 2e-5 and error < 3e-5, "and next to none, with an error alike", (lag, error))
    alone, _, _, _ = follow(where, TWO, "alone_2", 0)
    expect(alone > 0.05, "without the force it lags", alone)


def few_nodes(where):
    """The bar of the cost holds what lies between nodes; and a warning says that they are too few."""
    cost = {}
    for nodes in (9, 33):
        kind = f"kind: counterdiabatic, parameter: tilt, from: -12.0, to: 12.0, nodes: {nodes}"
        path = write(
            where,
            f"nodes_{nodes}",
            "{name: double_well}",
            {"cells": "[64]"},
            "snapshots: {end: 0.001, count: 2}",
            f"analysis: [{{name: swift, {kind}}}]",
        )
        done = fare(where, "run", path, "--no-report", "--overwrite")
        expect(("take more nodes" in done.stderr) == (nodes == 9), f"{nodes} nodes warn", done.stderr)
        with h5py.File(where / f"nodes_{nodes}" / "study.h5") as file:
            group = file["analysis/swift"]
            cost[nodes] = group["cost"][0], group["cost_error"][0]
    off = abs(cost[9][0] - cost[33][0])
    print("few nodes:", cost, off, flush=True)
    expect(off <= cost[9][1] + cost[33][1], "the bar holds what lies between nodes", cost)


def another_force(where):
    """A resolved study is one of this force alone."""
    name = where / "helped" / "study.h5"
    with h5py.File(name) as file:
        plan = file["plan"][()].decode()
    path = where / "again.yaml"
    for text, code in ((plan, 0), (plan.replace("hash: '", "hash: '0"), 2)):
        path.write_text(text)
        done = fare(where, "check", path)
        expect(done.returncode == code, "the hash is looked at", (code, done.stderr))
    expect("the force has changed" in done.stderr, "another force is refused", done.stderr)


def refusals(where):
    base = "{name: counterdiabatic, unit: %s, file: find/study.h5, analysis: %s%s}"
    cases = [
        (base % (TWO["unit"], "slow", ""), "", "no analysis 'slow' of kind counterdiabatic"),
        (base % ("{name: prinz}", "swift", ""), "", "of another system than the unit"),
        (base % (TWO["unit"].replace("x^2 - 1", "x^2 - 2"), "swift", ""), "", "for another potential"),
        (
            base % (TWO["unit"][:-2] + ", kT: 0.5}}", "swift", ""),
            "",
            "the force is for kT = 1, and the unit has 0.5",
        ),
        (base % (TWO["unit"], "swift", ", parameters: {kT: 2.0}"), "", "expected a number from 1 to 1"),
        (
            base % (TWO["unit"], "swift", ""),
            "drive: [{parameter: l, waveform: constant, amplitude: 0.7}]",
            "l reaches 0.7",
        ),
    ]
    for system, drive, message in cases:
        path = write(where, "bad", system, TWO, "snapshots: {end: 0.1, count: 2}", drive)
        done = fare(where, "check", path)
        expect(done.returncode == 2 and message in done.stderr, message, (done.returncode, done.stderr))
    system, drive = base % (TWO["unit"], "swift", ""), f"drive: [{TWO['drive']}]"
    for section in (
        [drive, "analysis: [{name: by, kind: sensitivity, of: work, parameters: [l], span: 0.1}]"],
        ["control: [{name: best, parameter: l, to: 0.1, duration: 0.1}]"],
    ):
        path = write(where, "bad", system, TWO, "snapshots: {end: 0.1, count: 2}", *section)
        done = fare(where, "check", path)
        message = "the force depends on how fast parameters move"
        expect(done.returncode == 2 and message in done.stderr, message, (done.returncode, done.stderr))


def main():
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        one_axis(where)
        another_force(where)
        few_nodes(where)
        two_axes(where)
        refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
