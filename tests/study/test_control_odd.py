#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Odd questions to control, of which each gets one line that says what is wrong, and no number: parameters that move
nothing, a target that is there already, a cycle without power, and ends of a bridge that cells do not resolve or the box does not hold.
fare-test: labels=study timeout=60
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py

from checks import conclude, expect, fare

STUDY = """study: odd
system:
  expression: {axes: [x], potential: "(x - a)^2/2 + 0*b", lower: [-7], upper: [7]}
  parameters: {a: 0.0, b: 0.0}
truth: {cells: [64]}
snapshots: {start: 0.0, end: 0.1, count: 2}
initial: {density: boltzmann}
control:
  - {name: still_work, parameter: b, from: 0.0, to: 1.0, duration: 1.0, knots: 4}
  - {name: still_mean, aim: observable, power: 2, parameter: b, energy: 1.0, duration: 1.0, knots: 4}
  - {name: there, aim: reach, parameter: a, lower: -1.0, upper: 2.0, duration: 1.0, knots: 4}
  - {name: half, drives: [{parameter: a, to: 1.0}, {parameter: b, to: 1.0}], duration: 1.0, knots: 4}
analysis:
  - {name: still, kind: counterdiabatic, parameter: b, from: 0.0, to: 1.0, nodes: 5}
  - {name: outside, kind: bridge, from: {density: gaussian, mean: [-15.0], sd: [0.5]},
     to: {density: gaussian, mean: [0.5], sd: [0.5]}, duration: 1.0}
  - {name: narrow, kind: bridge, from: {density: gaussian, mean: [0.0], sd: [0.5]},
     to: {density: gaussian, mean: [0.5], sd: [0.001]}, duration: 1.0}
"""
ENGINE = """study: engine
system: {name: ornstein_uhlenbeck}
drive: [{parameter: kT, waveform: sine, amplitude: 0.5, period: 1.0}]
truth: {cells: [32]}
snapshots: {start: 0.0, end: 0.1, count: 2}
initial: {density: gaussian, mean: [0.0], sd: [1.0]}
control:
  - {name: none, aim: most_power, parameter: centre, lower: -1.0, upper: 1.0, duration: 1.0, knots: 3, steps: 16}
"""
FAILURES = {
    "control/still_work": "lost in rounding",
    "control/still_mean": "the parameters have no effect on it",
    "control/there": "there is nothing to optimise",
    "analysis/outside": "the density 'from' covers",
    "analysis/narrow": "the density 'to' covers",
}


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        (where / "odd.yaml").write_text(STUDY)
        done = fare(where, "run", "odd.yaml", "--no-report")
        expect(done.returncode == 0, "the study runs", done.stderr)
        for name, why in FAILURES.items():
            expect(why in done.stdout + done.stderr, f"{name} says why", done.stderr)
        with h5py.File(where / "out/odd/study.h5") as file:
            for name, why in FAILURES.items():
                group = file[name]
                said = str(group.attrs["failure"]) if "failure" in group.attrs else ""
                expect(why in said, f"{name} has failed", (dict(group.attrs), list(group)))
            cost, tail = (file[f"analysis/still/{name}"][()] for name in ("cost", "tail"))
            expect(cost == 0 and tail == 0, "what moves nothing costs nothing", (cost, tail))
            half = file["control/half"].attrs
            expect(
                abs(half["optimum"] - half["bound"]) < 0.01,
                "a drive beside one that moves nothing",
                dict(half),
            )
        (where / "engine.yaml").write_text(ENGINE)
        done = fare(where, "run", "engine.yaml", "--no-report")
        expect("was found that gives power" in done.stderr, "a trap that moves gives no power", done.stderr)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
