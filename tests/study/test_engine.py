#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A Stirling engine of one particle, whose density is a Gaussian of known width: work, heat, power and efficiency of
a cycle by the analysis `periodic`, against closed forms, at the strokes of the most power and at others.
fare-test: labels=study timeout=200
"""
from __future__ import annotations

import math
import pathlib
import sys
import tempfile

import h5py

from checks import conclude, expect, fare
from launch import SOURCE

HOT, COLD, NARROW, WIDE = 2.0, 1.0, math.sqrt(0.5), 1.0
LOST = (WIDE - NARROW) ** 2  # times 1/stroke, in each stroke
RICHER = math.log(WIDE / NARROW)  # entropy that the wide state has more
BEST = 4 * LOST / ((HOT - COLD) * RICHER)


def cycle(where, stroke):
    """Runs the study with other strokes, without ensembles."""
    times = [stroke * k for k in range(5)]
    sets = (
        f"drive[0].period={2 * stroke}",
        f"drive[1].period={2 * stroke}",
        f"drive[1].amplitude={(WIDE - NARROW) / stroke}",
        f"drive[2].times={times}",
        f"drive[2].values={[0, WIDE - NARROW, 0, WIDE - NARROW, 0]}",
        f"snapshots={{start: 0.0, end: {stroke}, count: 2}}",
        f"analysis[0].period={2 * stroke}",
        "ensembles=[]",
        f"output.directory={where / str(stroke)}",
    )
    words = [word for text in sets for word in ("--set", text)]
    done = fare(where, "run", SOURCE / "input/control/engine.yaml", "--no-report", *words)
    expect(done.returncode == 0, "the study runs", done.stderr)
    with h5py.File(where / str(stroke) / "study.h5") as file:
        found = file["analysis/engine"]
        return {
            name: (found[name][0], found[name + "_error"][0])
            for name in ("work", "power", "heat_hot", "efficiency")
        }


def check(stroke, name, found, exact):
    value, error = found[name]
    expect(abs(value - exact) <= 2 * error, f"{name}, stroke {stroke:g}", (value, error, exact))
    expect(error < 1e-3 * abs(exact), f"error of {name}, stroke {stroke:g}", (error, exact))


def main():
    power = {}
    with tempfile.TemporaryDirectory() as directory:
        for stroke in (BEST, 0.7 * BEST, 1.5 * BEST):
            found = cycle(pathlib.Path(directory), stroke)
            gained = (HOT - COLD) * RICHER - 2 * LOST / stroke
            heat = HOT * RICHER - LOST / stroke
            check(stroke, "work", found, -gained)
            check(stroke, "heat_hot", found, heat)
            check(stroke, "power", found, gained / (2 * stroke))
            check(stroke, "efficiency", found, gained / heat)
            power[stroke] = found["power"][0]
    expect(abs(BEST - 0.990109) < 1e-6 and abs(power[BEST] - 0.0875089) < 1e-6, "the most power", power)
    expect(max(power, key=power.get) == BEST, "is at these strokes", power)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
