#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A truth on few cells, whose own error is larger than what tells two samplers apart: they share a place for
that reason alone, and what draws the truth's own density is no nearer to it than it is to be trusted.
fare-test: labels=study timeout=300
"""
import csv
import math
import pathlib
import sys
import tempfile

from checks import conclude, expect, fare

STUDY = """\
study: rough
seed: 5
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.4, count: 3}
truth: {cells: [CELLS], tolerance: 1.0e-6}
ensembles:
  - {name: own, sampler: normalizing_flow, particles: 200000, oracle: true}
  - {name: near, sampler: langevin, particles: 1000000, dt: 3.4e-3}
  - {name: far, sampler: langevin, particles: 1000000, dt: 3.8e-3}
  - {name: still, sampler: boltzmann, particles: 20000}
measures: [kl]
output: {directory: out}
"""


def ranked(where, cells):
    (where / f"{cells}.yaml").write_text(
        STUDY.replace("CELLS", str(cells)).replace("directory: out", f"directory: out{cells}")
    )
    done = fare(where, "run", f"{cells}.yaml")
    expect(done.returncode == 0, f"{cells} cells: exit code {done.returncode}\n{done.stderr}")
    with open(where / f"out{cells}" / "ranking.csv", encoding="utf-8", newline="") as file:
        return {
            row["line"]: {
                key: float(row[key])
                for key in ("place", "noise", "mean", "excess", "error", "truth_error", "factor")
            }
            for row in csv.DictReader(file)
        }


def main():
    with tempfile.TemporaryDirectory() as name:
        where = pathlib.Path(name)
        rough, fine = ranked(where, 50), ranked(where, 512)
    for cells, of in ((50, rough), (512, fine)):
        apart, error = of["far"]["excess"] - of["near"]["excess"], 2 * math.hypot(
            of["far"]["error"], of["near"]["error"]
        )
        own = of["own"]
        print(
            f"{cells} cells: apart by {apart:.2e}, two standard errors {error:.2e}, truth error"
            f" {max(of['far']['truth_error'], of['near']['truth_error']):.2e}; own {own['mean']:.2e}, truth"
            f" error {own['truth_error']:.2e}, places {of['near']['place']:.0f} and {of['far']['place']:.0f}"
        )
        expect(apart > error, f"{cells} cells: both steps are told apart by their samples")
        expect(not of["near"]["noise"] and not of["far"]["noise"], f"{cells} cells: neither is noise")
        expect(
            math.isclose(
                own["factor"], of["still"]["mean"] / max(own["mean"], own["truth_error"]), rel_tol=1e-6
            ),
            f"{cells} cells: factor {own['factor']}",
        )
    expect(
        max(rough["far"]["truth_error"], rough["near"]["truth_error"])
        > rough["far"]["excess"] - rough["near"]["excess"],
        "50 cells know less than that",
    )
    expect(
        rough["near"]["place"] == rough["far"]["place"],
        (
            f"50 cells: places {rough['near']['place']:.0f} and {rough['far']['place']:.0f} by less than the"
            " truth's error"
        ),
    )
    expect(
        fine["near"]["place"] < fine["far"]["place"],
        f"512 cells: places {fine['near']['place']:.0f} and {fine['far']['place']:.0f}",
    )
    expect(
        rough["own"]["truth_error"] > 2 * rough["own"]["mean"],
        "50 cells: the truth's error is larger than its own draws' distance",
    )
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
