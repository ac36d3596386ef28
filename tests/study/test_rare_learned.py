#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A learned committor that leads paths of doob: near the grid's where reaction happens and in the well of the start,
wherever it is learned, with a drive, too; paths that it leads are without bias and of little variance; the same
bits on any number of ranks; and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import numpy as np

from checks import conclude, expect, fare
from rare import expect_same_bits, run

STILL = (
    "study: learned\nseed: 5\nsystem: {name: double_well, parameters: {kT: 0.25}}\n"
    "snapshots: {start: 0.0, end: 0.01, count: 2}\ntruth: {cells: [256]}\n"
    "events: [{name: over, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.9]}]\n"
)
DRIVEN = (
    "study: learned\nseed: 5\nsystem: {name: double_well, parameters: {kT: 0.25}}\n"
    "drive:\n  - {parameter: tilt, waveform: sine, amplitude: 0.5, period: 1.0}\n"
    "snapshots: {start: 0.0, end: 0.01, count: 2}\ntruth: {cells: [128]}\n"
    "events: [{name: over, b: {lower: [0.5]}, start: [-0.9], deadline: 1.0}]\n"
)


STIFF = (
    "study: learned\nseed: 1\nsystem: {name: prinz, parameters: {kT: 0.5}}\n"
    "drive:\n  - {parameter: tilt, waveform: sine, amplitude: 1.0, period: 1.0}\n"
    "snapshots: {start: 0.0, end: 0.01, count: 2}\ntruth: {cells: [128]}\n"
    "events: [{name: over, b: {lower: [0.5]}, start: [-0.7], deadline: 1.0}]\n"
)


def study(head, train_on, more, rounds=2):
    return (
        f"{head}rare: [{{name: steer, method: doob, event: over, control: learned, train_on: {train_on}, "
        f"rounds: {rounds}, steps: 600, warmup: 50, ema: 0.99, batch: 128, width: 24, {more}}}]\n"
    )


def quadrature(kT, start=-0.9, a=-1.0, b=0.5, points=20000):
    """The committor in continuous time: a ratio of integrals of exp(V/kT), V = (x^2 - 1)^2."""

    def integral(low, high):
        x = low + (np.arange(points) + 0.5) * (high - low) / points
        return np.exp((x * x - 1) ** 2 / kT).sum() * (high - low) / points

    return integral(a, start) / integral(a, b)


def still_wells_are_learned(where):
    exact = quadrature(0.25)
    for train_on, most in (("uniform", 0.2), ("splitting", 0.2), ("doob", 0.4)):
        rare, printed = run(
            where, study(STILL, train_on, "lag: 0.02, paths: 50, runs: 20, dt: 4.0e-3"), train_on
        )
        off = float(rare["learned_start"][0])
        expect(abs(off) < most, f"{train_on}: ln q in the well of the start", off)
        expect(rare["learned_error"][0] < 0.2 * most, f"{train_on}: q along paths", rare["learned_error"])
        expect(rare["path_variance"][0] < 0.01 / exact, f"{train_on}: V", rare["path_variance"])
        expect(abs(rare["z"][0]) < 4, f"{train_on}: no bias", (rare["estimate"], rare["chain"]))
        expect("Learned committors" in printed, "a table of them is printed", printed)


def drives_are_learned(where):
    rare, _ = run(where, study(DRIVEN, "doob", "paths: 50, runs: 10, dt: 4.0e-3", 8), "driven")
    off = float(rare["learned_start"][0])
    expect(abs(off) < 0.4, "driven: ln q at the start", off)
    expect(rare["path_variance"][0] < 0.05 / rare["continuum"][0], "driven: V", rare["path_variance"])
    expect(abs(rare["z"][0]) < 4, "driven: no bias", (rare["estimate"], rare["chain"]))


def deadlines_of_stiff_wells_are_learned(where):
    """Steps are short there, and values have to travel back over hundreds of them."""
    text = study(STIFF, "doob", "paths: 50, runs: 10, dt: 1.0e-3", 12)
    for few, many in (
        ("600", "1000"),
        ("warmup: 50", "warmup: 100"),
        (", ema: 0.99, batch: 128, width: 24", ""),
    ):
        text = text.replace(few, many)
    rare, _ = run(where, text, "stiff")
    off, wasted = float(rare["learned_start"][0]), float(
        rare["information"][0] + np.log(rare["continuum"][0])
    )
    print("stiff:", off, wasted, rare["path_variance"], rare["path_variance_tail"], flush=True)
    expect(abs(off) < 0.8, "stiff: ln q at the start", off)
    expect(wasted < 3, "stiff: ln weights are near ln p", wasted)


def ranks_find_the_same_bits(where):
    text = study(STILL, "doob", "lag: 0.02, paths: 10, runs: 4, dt: [8.0e-3, 4.0e-3]").replace("600", "60")
    one, two = (run(where, text.replace("warmup: 50", "warmup: 5"), f"ranks{r}", r)[0] for r in (1, 2))
    expect_same_bits(one, two, "on two ranks")
    expect(one["learned_start"][0] == one["learned_start"][1], "rows of two steps share what is learned")


def mistakes_are_told(where):
    path = where / "wrong.yaml"
    path.write_text(study(STILL, "nowhere", "dt: 4.0e-3"))
    done = fare(where, "check", path)
    expect(done.returncode == 2 and "nowhere" in done.stderr, "a wrong place is refused", done.stderr)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        still_wells_are_learned(where)
        drives_are_learned(where)
        deadlines_of_stiff_wells_are_learned(where)
        ranks_find_the_same_bits(where)
        mistakes_are_told(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
