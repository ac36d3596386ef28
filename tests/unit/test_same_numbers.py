#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
tests/same_numbers.py sees one bit in snapshots, attributes and tables, and overlooks clocks alone.
fare-test: labels=unit
"""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable

import h5py
import numpy as np

from checks import SOURCE, conclude, expect

SCRIPT = pathlib.Path(SOURCE) / "tests/same_numbers.py"


def write_results(directory: pathlib.Path) -> None:
    (directory / "snapshots").mkdir(parents=True)
    with h5py.File(directory / "snapshots/snapshot_000000.h5", "w") as file:
        file["data/0/density"] = np.linspace(0, 1, 5)
        file["data/0"].attrs["time"] = 0.25
        file.attrs["date"] = "yesterday"
    with h5py.File(directory / "study.h5", "w") as file:
        file["ensembles/walk/loss"] = np.array([[1.0, np.nan]])
        file["ensembles/walk"].attrs["train_seconds"] = 1.0
        file["ensembles/walk"].attrs["sampler"] = "langevin"
    (directory / "ranking.csv").write_text("line,mean,train_seconds\nwalk,0.5,1.0\n")


def compare(change: Callable[[pathlib.Path], object]) -> tuple[int, str]:
    """Exit code and output for results and a copy of them that was changed."""
    with tempfile.TemporaryDirectory() as scratch:
        before, after = pathlib.Path(scratch) / "before", pathlib.Path(scratch) / "after"
        write_results(before)
        shutil.copytree(before, after)
        change(after)
        done = subprocess.run(
            [sys.executable, SCRIPT, before, after],
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def flip_a_bit(results: pathlib.Path) -> None:
    with h5py.File(results / "snapshots/snapshot_000000.h5", "a") as file:
        file["data/0/density"][2] = np.nextafter(file["data/0/density"][2], 1)


def flip_a_sign(results: pathlib.Path) -> None:
    with h5py.File(results / "snapshots/snapshot_000000.h5", "a") as file:
        file["data/0/density"][0] = -0.0


def change_attribute(results: pathlib.Path) -> None:
    with h5py.File(results / "snapshots/snapshot_000000.h5", "a") as file:
        file["data/0"].attrs["time"] = np.nextafter(0.25, 1)


def change_clocks(results: pathlib.Path) -> None:
    with h5py.File(results / "study.h5", "a") as file:
        file["ensembles/walk"].attrs["train_seconds"] = 2.0
    with h5py.File(results / "snapshots/snapshot_000000.h5", "a") as file:
        file.attrs["date"] = "today"
    (results / "ranking.csv").write_text("line,mean,train_seconds\nwalk,0.5,2.0\n")


def remove_dataset(results: pathlib.Path) -> None:
    with h5py.File(results / "study.h5", "a") as file:
        del file["ensembles/walk/loss"]


def change_table(results: pathlib.Path) -> None:
    (results / "ranking.csv").write_text("line,mean,train_seconds\nwalk,0.6,1.0\n")


def main() -> int:
    for change, named in (
        (flip_a_bit, "snapshot_000000.h5:data/0/density differs"),
        (flip_a_sign, "snapshot_000000.h5:data/0/density differs"),
        (change_attribute, "snapshot_000000.h5:data/0@time differs"),
        (remove_dataset, "study.h5:ensembles/walk/loss is gone"),
        (change_table, "ranking.csv:mean differs"),
    ):
        code, said = compare(change)
        expect(code == 1 and named in said, f"{change.__name__} is seen", (code, said))
    for same in (change_clocks, pathlib.Path.exists):
        code, said = compare(same)
        expect(code == 0 and " 0 differ" in said, f"{same.__name__} is no difference", (code, said))
    code, said = compare(lambda results: shutil.rmtree(results) or results.mkdir())
    expect(code == 1, "no results at all are not the same results", (code, said))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
