#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A ranking over a truth with a large error of its own: that error decides what is noise, which lines share a
rank and the factor of a sampler that draws the truth's own density. On fine cells it decides none of these.
fare-test: labels=study timeout=300
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
  - {name: own, sampler: normalizing_flow, particles: 100000, oracle: true}
  - {name: still, sampler: boltzmann, particles: 2000}
measures: [kl]
"""
LINES = ("walk", "middle", "near", "still")


def ranked(where, cells):
    done = fare(
        where,
        "run",
        "study.yaml",
        "--no-report",
        "--set",
        f"truth.cells=[{cells}]",
        "--set",
        f"output.directory=on{cells}",
    )
    expect(done.returncode == 0, f"{cells} cells: exit code {done.returncode}: {done.stderr[-300:]}")
    with open(where / f"on{cells}" / "ranking.csv", encoding="utf-8", newline="") as file:
        keys = ("place", "noise", "mean", "excess", "error", "truth_error", "factor")
        return {row["line"]: {key: float(row[key]) for key in keys} for row in csv.DictReader(file)}


def apart(of):
    """By how much `middle` and `near` are apart, two standard errors of that, and the truth's error of it."""
    middle, near = of["middle"], of["near"]
    return (
        near["excess"] - middle["excess"],
        2 * math.hypot(near["error"], middle["error"]),
        max(near["truth_error"], middle["truth_error"]),
    )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-ranking-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        rough, fine = ranked(where, 38), ranked(where, 512)
    for cells, of in ((38, rough), (512, fine)):
        print(f"{cells} cells: walk {of['walk']}, own {of['own']}, apart {apart(of)}")
        own = of["own"]
        expect(
            math.isclose(
                own["factor"], of["still"]["mean"] / max(own["mean"], own["truth_error"]), rel_tol=1e-6
            ),
            f"{cells} cells: factor {own['factor']}",
        )
        difference, noise, _ = apart(of)
        expect(difference > noise, f"{cells} cells: samples alone tell both steps apart")
    walk, (difference, noise, truth_error) = rough["walk"], apart(rough)
    expect(
        2 * walk["error"] < walk["excess"] <= 2 * walk["error"] + walk["truth_error"],
        f"the truth's error is to decide what is noise: {walk}",
    )
    expect(difference <= noise + truth_error, "the truth's error is to decide ranks")
    expect([rough[line]["noise"] for line in LINES] == [1, 0, 0, 0], f"what is noise: {rough}")
    expect([rough[line]["place"] for line in LINES] == [1, 3, 3, 5], f"ranks: {rough}")
    expect(
        rough["own"]["truth_error"] > 2 * rough["own"]["mean"],
        "the truth's error is to be larger than its own draws' distance",
    )
    expect(fine["walk"]["noise"] == 0, f"what is noise on fine cells: {fine['walk']}")
    expect(fine["middle"]["place"] < fine["near"]["place"], f"ranks on fine cells: {fine}")
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
