#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Priors that assume what an inference finds: they are those that assume the printed values, to the digits printed;
the inference runs before the training, and once; one that fails ends the study in a line; and what is said of
names that are none, or not enough.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import csv
import pathlib
import sys
import tempfile

import h5py

from checks import conclude, expect, fare

STUDY = """\
study: inferred
seed: 3
system: {{name: double_well, parameters: {{height: 1.5, kT: 0.7}}}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 2.0, period: 2.0}}]
initial: {{density: gaussian, mean: [-1.0], sd: [0.2]}}
snapshots: {{start: 0.0, end: 2.0, count: 5}}
truth: {{cells: [64], lower: [-2.6], upper: [2.6], tolerance: 1.0e-4}}
ensembles:
{lines}infer:
  - {{name: fit, parameters: [height, kT], lag: [0.1, 0.2], tracks: {tracks}, transitions: 20, limits: false}}
  - {{name: design, method: identifiability, parameters: [height], times: [0.5]}}
measures: [kl]
"""
LINE = (
    "  - {{name: {}, sampler: weak_constraint, cells: 40, particles: 1000, train: {{times: all, particles:"
    " 40}}, prior: {{kind: dynamics_chain, weight: 30, assume: {}}}}}\n"
)
FIT = "{infer: {name: fit, lag: 0.1}}"


def write(where, *assumptions, tracks=20):
    lines = "".join(LINE.format(f"line{i}", assumed) for i, assumed in enumerate(assumptions))
    (where / "study.yaml").write_text(STUDY.format(lines=lines, tracks=tracks))


def density_error(where):
    """KL of the densities of all lines, by name, at the last time."""
    with (where / "out" / "measures.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["comparison"].endswith("_density")]
    return {row["comparison"][: -len("_density")]: float(row["value"]) for row in rows}


def check_values(where):
    write(where, FIT)
    done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=first")
    expect(done.returncode == 0, "it runs", done.stderr)
    with h5py.File(where / "first" / "study.h5") as file:
        names = [name.decode() for name in file["infer"].attrs["parameters"]]
        columns = zip(names, file["infer"]["lag"][()], file["infer"]["estimate"][()])
        found = {name: repr(float(value)) for name, lag, value in columns if lag == 0.1}
    expect(set(found) == {"height", "kT"} and found["kT"] != "0.7", "values are found", found)
    order = [done.stdout.find(word) for word in ("prior of line0: assumes", "weak constraint of line0")]
    expect(0 < order[0] < order[1], "the inference is before the training", done.stdout)
    values = ", ".join(f"{name}: {value}" for name, value in found.items())
    write(where, FIT, f"{{parameters: {{{values}}}}}", "{parameters: {height: 3.0}}")
    done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=out")
    expect(done.returncode == 0, "it runs again", done.stderr)
    expect(done.stdout.count("infer/fit/0.2") == 1, "it infers once", done.stdout)
    kl = density_error(where)
    expect(abs(kl["line0"] - kl["line1"]) < 1e-6 * kl["line1"], "the values are those that were found", kl)
    expect(abs(kl["line2"] - kl["line1"]) > 0.1 * kl["line1"], "other values are other dynamics", kl)


REFUSED = {
    "{infer: fi}": "no inference 'fi'",
    "{infer: fit}": "has 2 fits: select one",
    "{infer: {name: fit, lag: 0.3}}": "no fit of parameters with that method at that lag",
    "{infer: {name: fit, lag: 0.2, method: sfi}}": "no fit of parameters",
    "{infer: {lag: 0.2}}": "name",
    "{infer: [fit]}": "expected the name of an inference",
    "{infer: design}": "estimates nothing",
    "{infer: {name: fit, lag: 0.2}, system: {name: double_well}}": "the study's own system",
}


def check_refusals(where):
    for assumed, said in REFUSED.items():
        write(where, assumed)
        done = fare(where, "check", "study.yaml")
        lines = done.stderr.strip().splitlines()
        expect(done.returncode == 2 and len(lines) == 1 and said in lines[0], f"{assumed} is refused", lines)
    write(where, FIT)
    (where / "few.csv").write_text("id,time,x\n0,0,0.5\n0,0.1,0.5\n")
    extra = ("--set", "infer.0.file=few.csv", "--set", "output.directory=failed")
    done = fare(where, "run", "study.yaml", "--no-report", *extra)
    lines = done.stderr.strip().splitlines()
    expect(
        done.returncode == 1 and "prior of line0: inference 'fit'" in lines[-1], "no result is told", lines
    )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-inferred-") as name:
        where = pathlib.Path(name)
        check_values(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
