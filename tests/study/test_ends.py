#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Ends of the truth's box in whole studies. Between mirrors every method stays inside, and those that can be
exact are; what an end absorbs is told apart by end and agrees with the truth, on any number of ranks and
after a stop; methods that know no absorption are refused; a method that sees no walls is said to leave; and a
ranking says when it stands on chains that have not converged.
fare-test: labels=study timeout=600
"""
import csv
import pathlib
import re
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect
from checks import fare as start

SLOPE = """\
study: slope
seed: 3
system: {expression: {potential: "-3*x", lower: [-1], upper: [1]}}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 0.4, count: 3}
truth: {cells: [128]}
ensembles:
  - {name: euler, sampler: langevin, particles: 20000, dt: 1.0e-3}
  - {name: lm, sampler: langevin, particles: 20000, dt: 4.0e-3, integrator: leimkuhler_matthews}
  - {name: heun, sampler: langevin, particles: 20000, dt: 2.0e-3, integrator: heun}
  - {name: chains, sampler: boltzmann, particles: 20000}
  - {name: ladder, sampler: replica_exchange, particles: 20000}
  - {name: mala, sampler: annealed_importance, particles: 20000}
  - {name: ula, sampler: annealed_importance, particles: 20000, relaxation: langevin}
  - {name: oracle, sampler: neq_ebm, particles: 4000, oracle: true}
  - {name: static, sampler: ebm, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: moving, sampler: neq_ebm, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: diffusion, sampler: diffusion, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: memory, sampler: diffusion, particles: 1000, empirical: true, train: {particles: 2000, dt: 2.0e-3}}
  - {name: poisson, sampler: poisson_flow, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: flow, sampler: flow_matching, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: spline, sampler: normalizing_flow, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: bridge, sampler: schrodinger_bridge, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3}}
  - {name: action, sampler: action_matching, particles: 1000, steps: 20, batch: 512, train: {particles: 2000, dt: 2.0e-3, times: all}}
measures: [kl]
output: {directory: slope}
"""
EXACT = ("euler", "lm", "heun", "chains", "ladder", "mala", "ula")

HOLE = """\
study: hole
seed: 3
system: {expression: {potential: "x^2 + y^2/2 - x", lower: [-1, -1], upper: [1, 1]}}
initial: {density: gaussian, mean: [0.2, 0], sd: [0.2, 0.3]}
snapshots: {start: 0.0, end: 0.3, count: 4}
truth: {cells: [64, 64], ends: [absorbing, absorbing_above]}
ensembles:
  - {name: walk, sampler: langevin, particles: 20000, dt: 2.0e-3, integrator: heun}
measures: [kl]
output: {directory: hole}
"""

HALVES = """\
study: halves
seed: 3
system: {expression: {potential: "-3*x", lower: [-1], upper: [1]}}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 0.4, count: 5}
truth: {cells: [128]}
ensembles: [{name: walk, sampler: langevin, particles: 3000, dt: 1.0e-2, integrator: leimkuhler_matthews}]
measures: [kl]
output: {directory: halves}
"""

STUCK = """\
study: stuck
seed: 3
system: {name: double_well, parameters: {height: 12.0, tilt: 1.0}}
initial: {density: gaussian, mean: [-1], sd: [0.1]}
snapshots: {start: 0.0, end: 0.1, count: 2}
truth: {cells: [128]}
ensembles:
  - {name: chains, sampler: boltzmann, particles: 4000, sweeps: 1, adaptation: 0}
  - {name: walk, sampler: langevin, particles: 4000, dt: 1.0e-3}
measures: [kl]
output: {directory: stuck}
"""


BODIES = """\
study: bodies
seed: 11
system: {name: kramers_double_well, parameters: {friction: 4}}
initial: {density: gaussian, mean: [-1.0, 0.0], sd: [0.3, 1.0]}
snapshots: {start: 0.0, end: 0.4, count: 3}
truth: {cells: [64, 32], lower: [LOWER, -6.0], upper: [2.2, 6.0], tolerance: 1.0e-3}
ensembles:
  - {name: walk, sampler: langevin, particles: 1000, dt: 4.0e-3, integrator: baoab}
  - {name: chains, sampler: boltzmann, particles: 1000}
measures: [kl]
output: {directory: bodies}
"""


def fare(where, *arguments, ranks=1, code=0):
    """What it says, once it has ended as it should."""
    done = start(where, *arguments, ranks=ranks)
    expect(
        done.returncode == code,
        (
            f"fare {' '.join(map(str, arguments))}: exit code {done.returncode}, expected {code}:"
            f" {done.stderr[-600:]}"
        ),
    )
    return done.stdout + done.stderr


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def positions(directory, ensemble, axis="x"):
    found = []
    for path in sorted((directory / "snapshots").glob("*.h5")):
        with h5py.File(path) as file:
            data = file["data"]
            found.append(data[next(iter(data))][f"particles/{ensemble}/position/{axis}"][:])
    return np.concatenate(found)


def check_mirrors(where):
    (where / "slope.yaml").write_text(SLOPE)
    said = fare(where, "run", "slope.yaml", "--no-report", "--tables")
    ends = rows(where / "slope" / "ends.csv")
    names = re.findall(r"name: (\w+)", SLOPE)
    expect(
        {row["of"] for row in ends} == {"truth", *names},
        f"ends.csv is about {sorted({row['of'] for row in ends})}",
    )
    for name in names:
        x = positions(where / "slope", name)
        expect(np.abs(x).max() <= 1, f"{name} reaches {np.abs(x).max()}")
        expect(
            all(float(row["outside"]) == 0 for row in ends if row["of"] == name),
            f"{name} is said to be outside",
        )
        expect(
            re.search(rf"^{name} +(reflected|particles|samples)", said, re.MULTILINE),
            f"no word on where {name} is",
        )
    with h5py.File(where / "slope" / "study.h5") as study:
        for name in EXACT:
            kl = study[f"comparisons/{name}/kl"]
            expect(
                (kl["value"][:] < 1.6 * kl["floor_high"][:]).all(),
                f"{name}: kl {kl['value'][:]}, floor {kl['floor_high'][:]}",
            )
        expect(max(study["ensembles/diffusion/folded"][:]) > 0, "a hasty diffusion draws nothing outside")
        expect(
            max(study["ensembles/memory/folded"][:]) < 0.1,
            f"what is learned from lies outside: {study['ensembles/memory/folded'][:]}",
        )
        expect(study["ensembles/euler/outside"][:].max() == 0, "share outside in study.h5")
    checked = fare(where, "check", "slope.yaml")
    for name, what in (
        ("euler", "reflected at the ends"),
        ("chains", "particles stay inside"),
        ("diffusion", "samples outside are reflected"),
    ):
        expect(
            re.search(rf"^{name} .*; {what}", checked, re.MULTILINE),
            f"check says nothing of the ends of {name}",
        )


def check_absorption(where):
    (where / "hole.yaml").write_text(HOLE)
    said = fare(where, "run", "hole.yaml", "--no-report", "--tables")
    with h5py.File(where / "hole" / "study.h5") as study:
        n, truth, walk = 20000, study["truth"], study["ensembles/walk"]
        ends = ("absorbed_x_below", "absorbed_x_above", "absorbed_y_above")
        for name in (*ends, "survival"):
            exact, share = truth[name][:], walk[name][:]
            error = (
                np.sqrt(np.maximum(exact * (1 - exact), 1 / n) / n)
                + truth[
                    (
                        f"{name.replace('absorbed', 'absorbed_error')}"
                        if name != "survival"
                        else "survival_error"
                    )
                ][:]
            )
            expect(
                (np.abs(share - exact) < 4.5 * error).all(), f"{name}: {share}, truth {exact}, errors {error}"
            )
        expect(
            "absorbed_y_below" not in walk and "absorbed_y_below" not in truth,
            "an end that reflects has absorbed",
        )
        expect(
            np.allclose(sum(truth[name][:] for name in ends) + truth["survival"][:], 1, atol=1e-9),
            "the truth loses mass elsewhere",
        )
        expect(
            np.allclose(sum(walk[name][:] for name in ends) + walk["survival"][:], 1, atol=1e-12),
            "particles vanish elsewhere",
        )
        kl = study["comparisons/walk/kl"]
        expect(
            (kl["value"][1:] < 1.5 * kl["floor_high"][1:]).all(),
            f"what is left: kl {kl['value'][:]}, floor {kl['floor_high'][:]}",
        )
    expect("x below" in said and "y above" in said and "y below" not in said, "the table of what is absorbed")
    with h5py.File(where / "hole" / "snapshots" / "snapshot_000003.h5") as file:
        walk = file["data/3/particles/walk"]
        weight = walk["weighting"][:]
        gone = np.abs(walk["position/x"][:][weight == 0]) == 1
        gone |= walk["position/y"][:][weight == 0] == 1
        expect(gone.all() and set(weight) == {0.0, 1.0}, "those that are gone lie on the ends, with weight 0")
    return {name: positions(where / "hole", "walk", name) for name in ("x", "y")}


def check_same_bits(where, study, first):
    """`first`: of a whole run on one rank."""
    for out, ranks, stop in ((f"{study}_two", 2, False), (f"{study}_stopped", 1, True)):
        for seconds in ("0.001", None) if stop else (None,):
            command = [
                "run",
                f"{study}.yaml",
                "--no-report",
                "--resume",
                "--set",
                f"output.directory={out}",
            ] + (["--max-seconds", seconds, "--checkpoint-seconds", "0"] if seconds else [])
            fare(where, *command, ranks=ranks, code=75 if seconds else 0)
        for name, x in first.items():
            expect(np.array_equal(positions(where / out, "walk", name), x), f"{out}: other bits along {name}")
        with open(where / out / "ends.csv") as a, open(where / study / "ends.csv") as b:
            mine, other = ([[float(v) for v in line.split(",")[1:]] for line in list(f)[1:]] for f in (a, b))
        expect(np.allclose(mine, other, rtol=0, atol=1e-9), f"{out}: other ends.csv")


def check_refusals(where):
    for sampler, more in (
        ("boltzmann", ""),
        ("replica_exchange", ""),
        ("annealed_importance", ""),
        ("diffusion", ""),
        ("ebm", ""),
    ):
        (where / "bad.yaml").write_text(
            HOLE.replace(
                "sampler: langevin, particles: 20000, dt: 2.0e-3, integrator: heun",
                f"sampler: {sampler}, particles: 20000{more}",
            )
        )
        said = fare(where, "check", "bad.yaml", code=2)
        expect(
            re.search(rf"bad.yaml:8:\d+: ensembles\[0\]: sampler '{sampler}' has no absorption", said),
            f"{sampler}: {said!r}",
        )
    (where / "bad.yaml").write_text(HOLE.replace("heun", "leimkuhler_matthews"))
    expect(
        "ensembles[0]: integrator 'leimkuhler_matthews' cannot tell"
        in fare(where, "check", "bad.yaml", code=2),
        "leimkuhler_matthews is taken",
    )


def check_unconverged(where):
    (where / "stuck.yaml").write_text(STUCK)
    said = fare(where, "run", "stuck.yaml")
    lines = {row["line"]: row for row in rows(where / "stuck" / "ranking.csv")}
    expect(
        lines["chains"]["converged"] == "0"
        and lines["walk"]["converged"] == "-1"
        and all(row["baseline_converged"] == "0" for row in lines.values()),
        f"ranking.csv: {lines}",
    )
    expect(
        re.search(r"chains !", said) and re.search(r"walk( \*)? +\S+ +\S+ +\S+ +\S+ +\S+ ! ", said),
        f"marks of the ranking: {said[said.find('Ranking'):][:900]}",
    )
    page = (where / "stuck" / "report.html").read_text()
    expect("chains !" in page and "have not converged to its own density" in page, "the report leaves it out")


def check_bodies(where):
    """Truth and particles differ at the ends of a position: that is said where some mass is there."""
    for lower, small in (("-1.1", True), ("-2.6", False)):
        (where / "bodies.yaml").write_text(BODIES.replace("LOWER", lower))
        said = fare(where, "check", "bodies.yaml") + fare(
            where, "run", "bodies.yaml", "--no-report", "--overwrite"
        )
        expect("the truth holds bodies at position walls: keep these out of reach" in said, "check")
        for line in (
            r"^BOX TOO SMALL: .* may affect ranks",
            r"^ +BOX TOO SMALL: at time 0.4 a mass of \d\.\de-01 ",
        ):
            expect(bool(re.search(line, said, re.MULTILINE)) == small, f"{line} from {lower}: {said[-1500:]}")


def main():
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        check_mirrors(where)
        check_same_bits(where, "hole", check_absorption(where))
        (where / "halves.yaml").write_text(HALVES)
        fare(where, "run", "halves.yaml", "--no-report")
        check_same_bits(where, "halves", {"x": positions(where / "halves", "walk")})
        check_refusals(where)
        check_unconverged(where)
        check_bodies(where)
    return conclude()


sys.exit(main())
