# SPDX-License-Identifier: BSD-2-Clause
"""What tests of stopping and going on share: a study that has a bit of everything, how it is run, and whether
two directories hold the same bits.
"""
from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from launch import (
    ENVIRONMENT,
    FARE,
    MPIEXEC,
)  # SOURCE: for tests of clusters, which take all from here

STUDY = """\
study: interrupted
seed: 7
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 1.0, count: 13}
truth: {cells: [256], tolerance: 1.0e-6}
ensembles:
  - {name: walk, sampler: langevin, particles: 8000, dt: 1.0e-3}
  - {name: frozen, sampler: boltzmann, particles: 5000}
  - {name: learned, sampler: diffusion, particles: 3000, seeds: 2, steps: 200, batch: 512, train: {particles: 5000}}
"""


def command(ranks: int, *arguments: str) -> list[str]:
    launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    return [*launch, FARE, "run", "study.yaml", "--no-report", *arguments]


def run(where: pathlib.Path, ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(ranks, *arguments),
        cwd=where,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def bits(path: pathlib.Path, parts: Iterable[str]) -> dict[str, bytes]:
    """Every dataset and attribute in these parts of a file, as bytes."""
    found: dict[str, bytes] = {}
    scales: dict[int, bytes] = {}  # by address: HDF5 searches the file for the name of what a reference names

    def place(node: Any) -> int:
        return int(h5py.h5o.get_info(node.id).addr)

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = np.asarray(node[()]).tobytes()
        for key, value in node.attrs.items():
            if key == "DIMENSION_LIST":  # references: what they point at, not where that lies in the file
                names = []
                for scale in (node.file[reference] for of_axis in value for reference in of_axis):
                    if place(scale) not in scales:
                        scales[place(scale)] = scale.name.encode()
                    names.append(scales[place(scale)])
                found[f"{name}@{key}"] = b" ".join(names)
            elif key != "REFERENCE_LIST":  # the same, backwards
                array = np.asarray(value)
                found[f"{name}@{key}"] = (
                    repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
                )

    with h5py.File(path) as file:
        for part in parts:
            if part in file:
                file[part].visititems(lambda name, node, part=part: visit(f"{part}/{name}", node))
    return found


def differences(a: pathlib.Path, b: pathlib.Path) -> list[str]:
    """Names of what is not the same in two finished studies: snapshots, tables, and what was binned; not when
    they ran and how long they took.
    """
    wrong = []
    names = {path.name for directory in (a, b) for path in (directory / "snapshots").iterdir()}
    for name in sorted(names):
        one, two = a / "snapshots" / name, b / "snapshots" / name
        if not one.exists() or not two.exists():
            wrong.append(name)
            continue
        x, y = bits(one, ["data"]), bits(two, ["data"])
        wrong += [f"{name}: {key}" for key in sorted(x.keys() | y.keys()) if x.get(key) != y.get(key)]
    x, y = (
        bits(directory / "study.h5", ["comparisons", "binned", "bins", "snapshots"]) for directory in (a, b)
    )
    wrong += [f"study.h5: {key}" for key in sorted(x.keys() | y.keys()) if x.get(key) != y.get(key)]
    if (a / "measures.csv").read_bytes() != (b / "measures.csv").read_bytes():
        wrong.append("measures.csv")
    return wrong
