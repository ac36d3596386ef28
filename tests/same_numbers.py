#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Shows whether two builds of FARE compute the same bits: to be run after a refactoring.

    tests/same_numbers.py BEFORE AFTER [STUDY.yaml ...] [--ranks N]

BEFORE and AFTER are `fare` commands, or directories of results. Commands run small studies with every sampler
and integrator (30 s), or the studies that are given. Then each number in snapshots, study.h5 and CSV files is
compared bit by bit; what depends on the clock, the host or the directory is left out. Exit code 1, with the
names of the numbers, where some differ or are in one of both alone.
"""
from __future__ import annotations

import argparse
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORK = "steps: 20, batch: 512"
TRAIN = "train: {particles: 2000, dt: 2.0e-3}"
STUDIES = {
    "one_axis": f"""
study: one_axis
seed: 5
system: {{name: prinz, parameters: {{kT: 1.0}}}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}}]
initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: 0.5, count: 5}}
truth: {{cells: [512], tolerance: 1.0e-8}}
ensembles:
  - {{name: euler, sampler: langevin, particles: 10000, dt: 1.0e-3}}
  - {{name: heun, sampler: langevin, particles: 10000, dt: 2.0e-3, integrator: heun}}
  - {{name: chains, sampler: boltzmann, particles: 10000}}
  - {{name: ladder, sampler: replica_exchange, particles: 5000}}
  - {{name: annealed, sampler: annealed_importance, particles: 5000}}
  - {{name: ebm, sampler: ebm, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: neq_ebm, sampler: neq_ebm, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: neq_ebm_oracle, sampler: neq_ebm, particles: 2000, oracle: true}}
  - {{name: diffusion, sampler: diffusion, particles: 2000, {NETWORK}, {TRAIN}}}
  - {{name: diffusion_oracle, sampler: diffusion, particles: 2000, oracle: true}}
  - {{name: diffusion_empirical, sampler: diffusion, particles: 1000, empirical: true, {TRAIN}}}
  - {{name: poisson, sampler: poisson_flow, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: flow, sampler: flow_matching, particles: 1000, seeds: 2, {NETWORK}, {TRAIN}}}
  - {{name: flow_oracle, sampler: flow_matching, particles: 1000, oracle: true}}
  - {{name: spline, sampler: normalizing_flow, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: bridge, sampler: schrodinger_bridge, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: bridge_oracle, sampler: schrodinger_bridge, particles: 1000, oracle: true}}
  - name: action
    sampler: action_matching
    particles: 1000
    steps: 20
    batch: 512
    train: {{particles: 2000, dt: 2.0e-3, times: all}}
  - {{name: action_oracle, sampler: action_matching, particles: 1000, oracle: true}}
thermodynamics: {{steps: 50, particles: 2000, dt: 1.0e-3}}
""",
    "two_axes": f"""
study: two_axes
seed: 3
system: {{name: quadruple_well}}
drive: [{{parameter: tilt, waveform: square, amplitude: 0.5, period: 0.37}}]
initial: {{density: gaussian, mean: [-1, -1], sd: [0.2, 0.2]}}
snapshots: {{start: 0.0, end: 0.4, count: 3}}
truth: {{cells: [64, 64], tolerance: 1.0e-6}}
ensembles:
  - {{name: walk, sampler: langevin, particles: 5000, dt: 2.0e-3}}
  - {{name: flow, sampler: flow_matching, particles: 1000, {NETWORK}, {TRAIN}}}
  - {{name: bridge_oracle, sampler: schrodinger_bridge, particles: 500, oracle: true}}
""",
    "inertia": """
study: inertia
seed: 4
system: {name: kramers_double_well}
initial: {density: gaussian, mean: [-1, 0], sd: [0.2, 0.7]}
snapshots: {start: 0.0, end: 0.5, count: 3}
truth: {cells: [128, 64], tolerance: 1.0e-6}
ensembles:
  - {name: walk, sampler: langevin, particles: 5000, dt: 2.0e-3, integrator: baoab}
""",
}
INPUTS = ["prinz_analysis.yaml", "driven_committor.yaml"]
# The clock, the host, what was written when, and the directory (in the plan): not results.
LEFT_OUT = re.compile(r"seconds|(^|[/@])(provenance|files|plan|date|softwareVersion)($|[/@])")

Numbers = dict[str, bytes]


def bits(value: object) -> bytes:
    """Type, shape and bits of an array; of text its characters."""
    array = np.asarray(value)
    kind = array.dtype.name if array.dtype.kind in "fiub" else "text"
    data = array.tobytes() if kind != "text" else str(array.tolist()).encode()
    return f"{kind}{array.shape}".encode() + data


def read_hdf5(path: pathlib.Path, name: str, found: Numbers) -> None:
    with h5py.File(path) as file:

        def visit(place: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                found[f"{name}:{place}"] = bits(item[()])
            for key, value in item.attrs.items():
                found[f"{name}:{place}@{key}"] = bits(value)

        visit("", file)
        file.visititems(visit)


def read_csv(path: pathlib.Path, name: str, found: Numbers) -> None:
    """Columns by name, so that those of seconds can be left out."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for column, heading in enumerate(rows[0] if rows else []):
        found[f"{name}:{heading}"] = ",".join(row[column] for row in rows).encode()


def read_results(directory: pathlib.Path) -> Numbers:
    """All numbers under a directory by file and place. Checkpoints may change their layout, and are no result."""
    found: Numbers = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if "checkpoints" in path.parts:
            continue
        if path.suffix == ".h5":
            read_hdf5(path, name, found)
        elif path.suffix == ".csv":
            read_csv(path, name, found)
    return {name: value for name, value in found.items() if not LEFT_OUT.search(name.split(":", 1)[1])}


def run_studies(command: pathlib.Path, studies: list[pathlib.Path], ranks: int, to: pathlib.Path) -> None:
    launch = [os.environ.get("FARE_MPIEXEC", "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for study in studies:
        output = f"output.directory={to / study.stem}"
        done = subprocess.run(
            [*launch, command.resolve(), "run", study, "--no-report", "--set", output],
            env={**os.environ, **threads},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{command} run {study.name}: exit code {done.returncode}: {done.stderr[-2000:]}")


def write_studies(directory: pathlib.Path) -> list[pathlib.Path]:
    paths = []
    for name, text in STUDIES.items():
        paths.append(directory / f"{name}.yaml")
        paths[-1].write_text(text)
    return paths + [ROOT / "input" / name for name in INPUTS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=pathlib.Path, help="a fare command, or a directory of results")
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("studies", type=pathlib.Path, nargs="*", help="in place of the small ones")
    parser.add_argument("--ranks", type=int, default=1, help="for both commands")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="fare-numbers-") as scratch:
        for which, source in (("before", options.before), ("after", options.after)):
            directory = source
            if not source.is_dir():
                directory = pathlib.Path(scratch) / which
                directory.mkdir()
                run_studies(source, options.studies or write_studies(directory), options.ranks, directory)
            results.append(read_results(directory))
    before, after = results
    different = [name for name in before if name in after and before[name] != after[name]]
    for names, verdict in (
        (different, "differs"),
        (sorted(before.keys() - after.keys()), "is gone"),
        (sorted(after.keys() - before.keys()), "is new"),
    ):
        for name in names:
            print(f"{name} {verdict}")
    print(f"{len(before)} arrays and attributes before, {len(after)} after, {len(different)} differ")
    return 0 if before == after and before else 1


if __name__ == "__main__":
    sys.exit(main())
