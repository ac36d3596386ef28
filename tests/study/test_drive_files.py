#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Drives from files: CSV as programs write it, and HDF5, beside the study whatever the working directory; the same
bits as the same numbers in the study; a changed file is noticed by --resume; bad files are named with their line.
fare-test: labels=study timeout=120
"""
import os
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, differences, expect, fare
from fare import check

STUDY = """study: filed
system: {{name: double_well}}
drive:
  - {{parameter: tilt, waveform: tabulated, amplitude: 2, {table}}}
snapshots: {{start: 0.0, end: 1.0, count: 3}}
truth: {{cells: [64]}}
ensembles: [{{name: walk, sampler: langevin, particles: 1000, dt: 1.0e-2}}]
"""
TIMES, VALUES = [0, 0.1, 0.30000000000000004, 0.7], [0, 1.5, -1 / 3, 1e-3]
GOOD = {
    "plain.csv": "".join(f"{t!r},{v!r}\n" for t, v in zip(TIMES, VALUES)),
    "windows.csv": "\ufefftime [ps];value\r\n" + "".join(
        f" {t!r} ; {v!r}\r\n" for t, v in zip(TIMES, VALUES)
    ),
    "blanks.dat": "# of the laser\n\n" + "\n".join(f"{t!r}\t{v!r} # {t}" for t, v in zip(TIMES, VALUES)),
}
BAD = {
    "empty.csv": ("", "has no rows of a time and a value"),
    "names.csv": ("t,v\n", "has no rows of a time and a value"),
    "three.csv": ("0,1,2\n", "three.csv:1: expected two numbers, a time and a value, got '0,1,2'"),
    "one.csv": ("t,v\n0\n", "one.csv:2: expected two numbers, a time and a value, got '0'"),
    "word.csv": ("0,1\n1,high\n", "word.csv:2: expected two numbers, a time and a value, got '1,high'"),
    "nan.csv": ("0,1\n1,nan\n", "nan.csv:2: 1, nan: not finite"),
    "huge.csv": ("0,1\n1,1e999\n", "huge.csv:2: 1, inf: not finite"),
    "unsorted.csv": ("0,1\n2,1\n1,1\n", "unsorted.csv:3: times must increase, got 1 after 2"),
    "twice.csv": ("0,1\n0,1\n", "twice.csv:2: times must increase, got 0 after 0"),
    "long.csv": ("0," + "1" * 600 + "\n", "long.csv:1: the line is too long"),
    "comma.csv": ("0,5,1,5\n", "comma.csv:1: expected two numbers"),
}


def run(place, name, table, *more):
    (place / f"{name}.yaml").write_text(STUDY.format(table=table))
    return fare(
        place.parent,
        "run",
        f"{place.name}/{name}.yaml",
        "--no-report",
        "--set",
        f"output.directory={name}",
        *more,
    )


def refused(place, table, what):
    done = run(place, "bad", table)
    lines = done.stderr.splitlines()
    expect(
        done.returncode == 2
        and len(lines) == 1
        and "bad.yaml:4:" in lines[0]
        and "drive[0].file: " in lines[0]
        and what in lines[0],
        f"{table}: {what}",
        done.stderr,
    )


def good_files(place, out):
    done = run(place, "inline", f"times: {TIMES!r}, values: {VALUES!r}")
    expect(done.returncode == 0, "numbers in the study", done.stderr)
    for name, text in GOOD.items():
        (place / name).write_bytes(text.encode())
    with h5py.File(place / "drive.h5", "w") as file:
        file["lab/laser"] = np.column_stack([TIMES, VALUES])
        file["lab/wide"] = np.ones((3, 4))
        file["lab/line"] = np.ones(3)
        file["lab/none"] = np.ones((0, 2))
    tables = [f"file: {name}" for name in GOOD] + [
        "file: drive.h5, dataset: lab/laser",
        f"file: {place}/plain.csv",
    ]
    for i, table in enumerate(tables):
        done = run(place, f"filed{i}", table)
        expect(done.returncode == 0, table, done.stderr)
        unlike = differences(out / "inline", out / f"filed{i}")
        expect(not unlike, f"{table}: the same bits as numbers in the study", unlike)


def of_a_dict(place):
    """A study without a place: files start from the working directory."""
    drive = {"parameter": "tilt", "waveform": "tabulated", "file": pathlib.Path("plain.csv")}
    study = {
        "study": "dict",
        "system": {"name": "double_well"},
        "drive": [drive],
        "snapshots": {"end": 1, "count": 2},
        "truth": {"cells": [64]},
    }
    before = os.getcwd()
    os.chdir(place)
    plan = check(study).plan
    os.chdir(before)
    expect("values: [0, 1.5, -0.333" in plan, "the file of a dict", plan)


def resumed(place, out):
    """Of another content, it is another plan; of the same, in other words, it is not."""
    file = place / "changes.csv"
    file.write_text(GOOD["plain.csv"])
    done = run(place, "changes", "file: changes.csv", "--max-seconds", "0.001")
    expect(done.returncode == 75, "it stops", done.stderr)
    file.write_text(GOOD["plain.csv"].replace("1.5", "1.25"))
    done = run(place, "changes", "file: changes.csv", "--resume")
    expect(
        done.returncode == 2
        and "drive[0].values" in done.stderr
        and "changes.csv" in done.stderr
        and "1.5" in done.stderr
        and "1.25" in done.stderr,
        "a changed file is noticed",
        done.stderr,
    )
    file.write_text("# as before\n" + GOOD["plain.csv"].replace(",", " ; "))
    done = run(place, "changes", "file: changes.csv", "--resume")
    expect(done.returncode == 0, "the same numbers go on", done.stderr)
    unlike = differences(out / "inline", out / "changes")
    expect(not unlike, "to the same bits", unlike)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-drives-") as name:
        out = pathlib.Path(name)
        place = out / "studies"
        place.mkdir()
        good_files(place, out)
        of_a_dict(place)
        resumed(place, out)
        for bad, (text, what) in BAD.items():
            (place / bad).write_text(text)
            refused(place, f"file: {bad}", what)
        (place / "bytes.csv").write_bytes(b"0,1\n\x00\x01\xff,2\n")
        refused(place, "file: bytes.csv", "bytes.csv:2: the line is too long, or not text")
        refused(place, "file: nowhere.csv", "cannot read ")
        refused(place, "file: .", "s/.")
        refused(place, "file: drive.h5", "drive.h5:")
        refused(place, "file: drive.h5, dataset: lab/wide", "expected a dataset of n rows and 2 columns")
        refused(place, "file: drive.h5, dataset: lab/line", "expected a dataset of n rows and 2 columns")
        refused(place, "file: drive.h5, dataset: lab/none", "has no rows of a time and a value")
        refused(place, "file: drive.h5, dataset: lab/absent", "lab/absent")
        refused(place, "file: plain.csv, dataset: lab", "plain.csv")
        refused(place, "file: plain.csv, times: [0], values: [1]", "leave out 'times' and 'values'")
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
