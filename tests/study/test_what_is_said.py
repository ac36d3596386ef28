#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What tables and messages say is so: maxima below 0, methods that ended early, densities that divergences
divide by, thinned exports, memory that is not there, forces counted once.
fare-test: labels=study timeout=300
"""
import csv
import json
import math
import pathlib
import re
import sys
import tempfile

import numpy as np

import checks
from checks import conclude, expect
from fare.samples import write_samples

# At rest, and drawn anew at each time: an energy distance without bias is below 0 half of the time. The step
# of `wild` is far beyond what is stable.
REST = """\
study: rest
seed: 3
system: {name: double_well}
snapshots: {start: 0, end: 10, count: 3}
truth: {cells: [128]}
ensembles:
  - {name: wild, sampler: langevin, dt: 0.5, particles: 2000}
  - {name: exact, sampler: boltzmann, particles: 2000, seeds: 8}
record: {particles: 100}
"""
DRIVEN = """\
study: driven
system: {expression: {axes: [x, y], potential: "a*(x^2-1)^2 + 0.5*k*y^2 - tilt*x + c*x*y", lower: [-2.5, -3], upper: [2.5, 3]}, parameters: {a: 2.0, k: 2.0, tilt: 0.0, c: 0.5, kT: 0.5}}
drive: [{parameter: tilt, waveform: sine, amplitude: 1.5, period: 1.0}]
snapshots: {start: 0, end: 0.4, count: 3}
truth: {cells: [48, 48], tolerance: 1e-6}
ensembles: [{name: boltz, sampler: boltzmann, particles: 500}]
measures: [chi_squared, kl, reverse_kl, total_variation]
"""
LEARNING = """\
study: learning
system: {name: double_well}
snapshots: {start: 0, end: 1, count: 4}
truth: {cells: [64]}
ensembles:
  - {name: oracle, sampler: flow_matching, particles: 1000, oracle: true}
  - {name: one, sampler: flow_matching, particles: 1000}
  - {name: two, sampler: diffusion, particles: 1000}
  - {name: three, sampler: diffusion, particles: 1000, train: {particles: 5000, times: all}}
"""


def fare(where, *arguments, code=0, ranks=1):
    """What it prints, or what it says on stderr where it is to end with another code."""
    done = checks.fare(where, *arguments, ranks=ranks)
    expect(
        done.returncode == code,
        f"fare {' '.join(map(str, arguments))}: exit code {done.returncode}, expected {code}: {done.stderr}",
    )
    return done.stdout if code == 0 else done.stderr


def run(where, name, text, *arguments):
    (where / f"{name}.yaml").write_text(text)
    return fare(
        where,
        "run",
        f"{name}.yaml",
        "--no-report",
        "--tables",
        "--set",
        f"output.directory={name}",
        *arguments,
    )


def tables(said):
    """{measure: {row: numbers}} of the tables of divergences."""
    found, measure = {}, None
    for line in said.splitlines():
        heading = re.match(r"(\w+): ", line)
        measure = heading[1] if heading else measure if line else None
        row = re.match(r"(\S.*?)  +(-?[\d.]+e.*)", line)
        if measure and row and not heading:
            found.setdefault(measure, {})[row[1]] = [
                math.nan if word == "-" else float(word) for word in row[2].split()
            ]
    return found


def measured(directory):
    values = {}
    with open(directory / "measures.csv") as file:
        for row in csv.DictReader(file):
            values.setdefault((row["comparison"], row["measure"]), []).append(float(row["value"]))
    return values


def check_tables(where):
    said, below = run(where, "rest", REST), 0
    found, values = tables(said), measured(where / "rest")
    expect(
        "(K of N): that row covers only K of the N snapshots" in said,
        "the heading does not say what (1 of 3) means",
    )
    for measure, rows in found.items():
        expect(
            "wild (1 of 3)" in rows and "wild" not in rows,
            f"{measure}: rows {list(rows)}: the one that ended early is not marked",
        )
        for i in range(1, 9):
            most = max(values[f"exact-{i}", measure])
            expect(
                abs(rows[f"exact-{i}"][1] - most) <= 6e-4 * abs(most),
                f"{measure} of exact-{i}: maximum {rows[f'exact-{i}'][1]}, in measures.csv {most}",
            )
            below += most < 0
    expect(len(found) == 12 and below > 0, f"{len(found)} tables with {below} maxima below 0")
    fare(where, "report", "rest")
    page = (where / "rest" / "report.html").read_text()
    expect(
        page.count("<td>wild (1 of 3)</td>") == 12
        and "<td>wild</td><td>1" not in page
        and "exact-1 (" not in page,
        f"the report marks {page.count('wild (1 of 3)')} rows of the one that ended early",
    )
    said = run(where, "calm", REST.replace("dt: 0.5", "dt: 0.01"))
    expect(
        " of 3)" not in said and "of the N" not in said,
        "a study in which nothing ended early says that something did",
    )


def check_scores(where):
    """The quantiles of a uniform density: nearer to it than any draw, so that an estimate without bias is
    below 0 at all times.
    """
    run(
        where,
        "flat",
        (
            "study: flat\nsystem: {name: ornstein_uhlenbeck}\ninitial: {density: uniform}\nsnapshots: {start:"
            " 0, end: 1e-9, count: 2}\ntruth: {cells: [64], lower: [-1], upper: [1]}\n"
        ),
    )
    x = -1 + (2 * np.arange(4000) + 1) / 4000
    write_samples(where / "even.h5", np.array([0, 1e-9]), np.stack([x, x])[:, :, None])
    scores = json.loads(fare(where, "score", "flat", "even.h5", "--json", "--measures", "energy_distance"))
    most = max(row["value"] for row in scores["measures"])
    expect(
        most < 0 and scores["summary"][0]["maximum"] == most,
        f"energy distances up to {most}, the summary says {scores['summary'][0]['maximum']}",
    )
    said = fare(where, "score", "flat", "even.h5", "--measures", "energy_distance")
    expect(f"{most:.3e}" in said, f"no {most:.3e} in the table: {said}")


def check_export(where):
    said = fare(where, "export", "rest", "--ensemble", "exact-1", "--out", "thin.h5")
    expect(
        "100 of 2000 particles (kept by the record) of exact-1" in said,
        f"export of a thinned record says: {said}",
    )
    run(where, "whole", REST.replace("record: {particles: 100}", ""))
    said = fare(where, "export", "whole", "--ensemble", "exact-1", "--out", "whole.h5")
    expect(
        "2000 particles of exact-1" in said and "record" not in said, f"export of a whole record says: {said}"
    )


def check_densities(where):
    """The exact density of the ensemble against the truth, on two grids: finite, and no farther apart than
    the error of the truth explains.
    """
    coarse = tables(run(where, "driven", DRIVEN))
    fine = tables(run(where, "finer", DRIVEN, "--set", "truth.cells=[96,96]"))
    for measure in coarse:
        a, b = coarse[measure]["boltz, model density"], fine[measure]["boltz, model density"]
        expect(all(map(math.isfinite, (a[1], a[-1], b[1], b[-1]))), f"{measure} of a density: {a}, {b}")
        expect(
            0.1 < b[1] < 10 and abs(a[1] - b[1]) < 2 * (a[-1] + b[-1]) + 1e-3 * b[1] and a[-1] < 0.05 * a[1],
            f"{measure} of a density: {a[1]} +- {a[-1]} on 48 x 48 cells, {b[1]} +- {b[-1]} on 96 x 96",
        )


def check_memory(where):
    """A trillion particles on an axis take 8e12 bytes, 7450.6 GiB, wherever; and the ranks of a machine share
    them.
    """
    large = ("rest.yaml", "--set", "ensembles.wild.particles=1e12", "--set", "output.directory=large")
    needs = (
        r"the study needs about (\S+) GiB of memory on this machine \(truth \S+, particles of ensembles"
        r" (\S+), training set 0\), (\S+) GiB are free"
    )
    expected = 8e12 / 2**30
    for said in (
        fare(where, "check", *large),
        fare(where, "run", *large, code=2),
        fare(where, "run", *large, code=2, ranks=3),
    ):
        found = re.search(needs, said)
        expect(
            found
            and all(abs(float(found[i]) - expected) < 0.01 * expected for i in (1, 2))
            and 0 < float(found[3]) < expected,
            f"1e12 particles: {said[-400:]}",
        )
        expect("The study is sound.\n" not in said, "a study that does not fit is called sound without more")
    said = fare(
        where,
        "run",
        "rest.yaml",
        "--set",
        "ensembles.exact.train={}",
        "--set",
        "output.directory=large",
        code=2,
    )
    expect("learns nothing" in said, said)
    said = fare(where, "check", "learning.yaml", "--set", "ensembles.three.train.particles=1e12")
    expect(
        re.search(r"training set 3\.73e\+04\)", said),
        f"1e12 particles to learn from at 4 times, and those that move: {said[-300:]}",
    )
    expect(not (where / "large").exists(), "a study that was refused has left a directory")


def check_estimate(where):
    (where / "learning.yaml").write_text(LEARNING)
    lines = [line.split() for line in fare(where, "check", "learning.yaml").splitlines()]
    lines = [
        line for line in lines if line and line[0] in ("oracle", "one", "two", "three", "training", "forces")
    ]
    expect(
        [line[0] for line in lines] == ["oracle", "training", "one", "two", "training", "three", "forces"],
        f"lines of the estimate: {[line[0] for line in lines]}",
    )
    expect(
        "network" not in lines[0]
        and all("network" in line for line in lines if line[0] in ("one", "two", "three")),
        "only what has a network evaluates it",
    )
    # Heun, two forces a step of 5e-4: 100000 particles until 2/3, the last time of every second, and 5000
    # until 1
    forces = [float(line[line.index("force") - 1]) for line in lines if line[0] == "training"] + [
        float(line[1]) for line in lines if line[0] == "forces"
    ]
    expected = [2 * 1e5 * 2 / 3 / 5e-4, 2 * 5000 / 5e-4]
    expect(
        np.allclose(forces, expected + [sum(expected)], rtol=6e-3),
        f"forces {forces}, expected {expected} and their sum",
    )


def check_help(where):
    said = fare(where, "help")
    names = [line.split()[0] for line in said.splitlines() if re.match(r"[a-z]+ {2,}\S", line)][1:]
    expect(
        set(names) >= {"run", "check", "status", "sweep", "collect", "export", "score", "help"},
        f"help names {names}",
    )
    expect(
        max(map(len, said.splitlines())) <= 100, f"help is {max(map(len, said.splitlines()))} columns wide"
    )
    for name in names:
        expect(
            re.search(rf"^usage: fare {name}\b", fare(where, "help", name), re.MULTILINE),
            f"help {name} does not say how it is called",
        )


def main():
    with tempfile.TemporaryDirectory() as name:
        where = pathlib.Path(name)
        for check in (
            check_tables,
            check_scores,
            check_export,
            check_densities,
            check_estimate,
            check_memory,
            check_help,
        ):
            check(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
