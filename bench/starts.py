#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What a command takes besides its work: wall and processor seconds of small commands, as they are, and with Open MPI
started as it starts by itself (daemon and network for a process alone). Runs alternate, and the least of each counts.

    bench/starts.py [--build build] [--repeats 9]
"""
from __future__ import annotations

import argparse
import os
import pathlib
import resource
import subprocess
import tempfile
import time

STUDY = """\
study: smallest
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0.0, end: 0.1, count: 2}
truth: {cells: [64]}
ensembles:
  - {name: walk, sampler: langevin, particles: 1000, dt: 1.0e-2}
"""
# FARE takes the process for a rank of somebody's, and leaves Open MPI to itself
AS_BEFORE = {"PMI_FD": "none", "OMPI_MCA_mpi_yield_when_idle": "0"}


def measure(command: list[str], where: str, more: dict[str, str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        cwd=where,
        env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **more},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--repeats", default=9, type=int)
    given = parser.parse_args()
    program = str((given.build / "bin" / "fare").resolve())
    run = ["run", "study.yaml", "--no-report", "--overwrite"]
    commands = [
        ["help"],
        ["list"],
        ["describe", "study"],
        run,
        ["info", "out/smallest"],
        ["check", "study.yaml"],
    ]
    print(
        "| command | wall [s] | processor [s] | as before: wall [s] | processor [s] |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="fare-") as where:
        pathlib.Path(where, "study.yaml").write_text(STUDY)
        for command in commands:
            least = [[9e9, 9e9], [9e9, 9e9]]
            for _ in range(given.repeats):
                for which, more in enumerate(({}, AS_BEFORE)):
                    took = measure([program, *command], where, more)
                    least[which] = [min(pair) for pair in zip(least[which], took)]
            print(
                f"| `fare {' '.join(command[:2])}` | "
                + " | ".join(f"{x:.3f}" for y in least for x in y)
                + " |"
            )


if __name__ == "__main__":
    main()
