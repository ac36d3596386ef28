#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A disk that fills up at one moment or another: one line says so, what has a name is whole, and nothing else
stays.
fare-test: labels=faults timeout=300
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from launch import ENVIRONMENT, FARE, MPIEXEC

PARTICLES, CELLS, SNAPSHOTS = 20000, 64, 4
STUDY = f"""\
study: full
system: {{name: prinz}}
snapshots: {{end: 0.03, count: {SNAPSHOTS}}}
truth: {{cells: [{CELLS}], tolerance: 1.0e-4}}
ensembles: [{{name: walk, sampler: langevin, particles: {PARTICLES}, dt: 1.0e-2}}]
measures: [kl]
"""
# A snapshot takes 350 KiB, and 256 more are held free while it is written. The disk ends within the first, at
# many places of a later one, and behind the last.
KIBIBYTES = [4, 40, 240, 300, 560, 580, *range(700, 1060, 40), 1620, 1660]


def in_a_small_world(where, kibibytes, command):
    """Runs a command with a file system of that size, its own, at where/disk; what is on it afterwards is
    copied to where/left.
    """
    script = (
        'mount -t tmpfs -o size=$1k fare disk || exit 99; shift; "$@"; code=$?; mkdir left; cp -r disk/.'
        " left; exit $code"
    )
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(kibibytes), *command],
        cwd=where,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_whole(path):
    with h5py.File(path) as file:
        if path.name == "study.h5":
            return file["provenance"].attrs["finished"] == 1 and np.all(
                np.isfinite(file["comparisons/walk/kl/value"][()])
            )
        step = file[f"data/{int(path.stem[-6:])}"]
        x, ids, density = (
            step["particles/walk/position/x"][()],
            step["particles/walk/id"][()],
            step["meshes/density"][()],
        )
        return (
            np.all(np.isfinite(x))
            and np.count_nonzero(x) == PARTICLES
            and np.array_equal(ids, np.arange(PARTICLES))
            and abs(density.sum() * step["meshes/density"].attrs["gridSpacing"][0] - 1) < 1e-4
        )


def check(kibibytes, ranks):
    """What is wrong, or None; and how many snapshots there are."""
    with tempfile.TemporaryDirectory(prefix="fare-full-") as name:
        where = pathlib.Path(name)
        (where / "disk").mkdir()
        (where / "study.yaml").write_text(STUDY)
        done = in_a_small_world(
            where,
            kibibytes,
            [
                MPIEXEC,
                "-n",
                str(ranks),
                FARE,
                "run",
                "study.yaml",
                "--no-report",
                "--set",
                "output.directory=disk/out",
            ],
        )
        lines = [line for line in done.stderr.split("\n") if line.startswith("fare: ")]
        files = [p for p in (where / "left").rglob("*") if p.is_file()]
        snapshots = sum(p.name.startswith("snapshot_") for p in files)
        if done.returncode == 0:
            return "it fits after all", snapshots
        if done.returncode not in (1, 2):
            return f"exit code {done.returncode}: {done.stderr[-800:]}", snapshots
        if len(lines) != 1 or "No space left on device" not in lines[0]:
            return f"said {lines or done.stderr[-800:]}", snapshots
        for path in files:
            if path.name == "failure.txt" and "No space left on device" in path.read_text():
                continue
            if path.suffix not in (".h5", ".csv") and path.name != "tables.txt":
                return f"left behind: {path.name}", snapshots
            if path.suffix == ".h5" and not is_whole(path):
                return f"{path.name} has a name and is not whole", snapshots
    return None, snapshots


def main():
    if not sys.platform.startswith("linux"):
        print("skipped: file systems of a given size are made by Linux's namespaces")
        return 77
    with tempfile.TemporaryDirectory(prefix="fare-full-") as name:
        (pathlib.Path(name) / "disk").mkdir()
        if in_a_small_world(pathlib.Path(name), 64, ["true"]).returncode:
            print("skipped: mounting a small file system is not allowed here")
            return 77
    failures, counts = 0, set()
    for i, kibibytes in enumerate(KIBIBYTES):
        ranks = 3 if i % 2 else 1
        wrong, snapshots = check(kibibytes, ranks)
        counts.add(snapshots)
        if wrong:
            print(f"FAILED on {ranks} rank{'s' if ranks > 1 else ''} with {kibibytes} KiB: {wrong}")
            failures += 1
    if not {0, 1, 2, SNAPSHOTS} <= counts:
        print(f"FAILED: the disks were to end at different moments, snapshots left: {sorted(counts)}")
        failures += 1
    print(f"{len(KIBIBYTES)} disks, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
