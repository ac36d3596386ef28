#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A ranking over a truth with a large error of its own: that error decides what is noise and which lines share a
place, and nothing else does here.
fare-test: labels=study timeout=120
"""
import csv
import math
import pathlib
import sys
import tempfile

from checks import conclude, expect, fare

STUDY = """\
study: coarse
seed: 5
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 4}
truth: {cells: [38], tolerance: 1.0e-6}
ensembles:
  - {name: walk, sampler: langevin, particles: 100000, dt: 8.0e-4}
  - {name: middle, sampler: langevin, particles: 100000, dt: 6.0e-3}
  - {name: near, sampler: langevin, particles: 100000, dt: 6.45e-3}
  - {name: still, sampler: boltzmann, particles: 2000}
measures: [kl]
"""


def main():
    with tempfile.TemporaryDirectory(prefix="fare-ranking-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=one")
        expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-300:]}")
        with open(where / "one" / "ranking.csv", newline="") as file:
            rows = {
                row["line"]: {
                    key: float(row[key]) for key in ("place", "noise", "excess", "error", "truth_error")
                }
                for row in csv.DictReader(file)
            }
        walk, middle, near = (rows[line] for line in ("walk", "middle", "near"))
        expect(
            2 * walk["error"] < walk["excess"] <= 2 * walk["error"] + walk["truth_error"],
            f"the truth's error is to decide what is noise: {walk}",
        )
        apart, noise = near["excess"] - middle["excess"], 2 * math.hypot(near["error"], middle["error"])
        expect(
            noise < apart <= noise + max(near["truth_error"], middle["truth_error"]),
            f"the truth's error is to decide places: {middle}, {near}",
        )
        expect(
            [rows[line]["noise"] for line in ("walk", "middle", "near", "still")] == [1, 0, 0, 0],
            f"what is noise: {rows}",
        )
        expect(
            [rows[line]["place"] for line in ("walk", "middle", "near", "still")] == [1, 2, 2, 4],
            f"places: {rows}",
        )
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
