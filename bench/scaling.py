#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Strong and weak scaling of what particles do from one snapshot to the next, with the communication counted.

    bench/scaling.py [--build build] [--ranks 1 2 4] [--mpirun "mpirun --oversubscribe"]

Prints tables of wall and processor seconds of the slowest rank, calls to MPI, and bytes handed over per rank.
On a machine with fewer cores than ranks the processor seconds are those to look at. Nothing is asserted.
docs/scaling.md goes on from there to many ranks.
"""
import argparse
import os
import pathlib
import shlex
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# dimension, particles (of all ranks when strong, of each when weak), cells per axis, steps
CASES = [
    ("one dimension", 1, 2_000_000, 4096, 200),
    ("two dimensions, grid larger than the particles of a rank", 2, 500_000, 2048, 50),
    ("three dimensions, few cells for many particles", 3, 1_000_000, 48, 50),
]


def run(arguments, ranks, case, particles, directory):
    _, dimension, _, cells, steps = case
    command = [
        *shlex.split(arguments.mpirun),
        "-n",
        str(ranks),
        str(pathlib.Path(arguments.build) / "bin" / "bench_scaling"),
        str(dimension),
        str(particles),
        str(cells),
        str(steps),
        directory,
    ]
    environment = dict(
        os.environ,
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
    )
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows = {}
    for line in output.splitlines():
        _, _, _, part, *numbers = line.split()
        rows[part] = [float(x) for x in numbers]
    return rows


def table(title, results):
    print(f"\n{title}\n")
    print(
        "| ranks | "
        + " | ".join(f"{part}: s, CPU s" for part in ("steps", "deposit", "bins", "snapshot"))
        + " | MPI calls | deposit bytes | bins bytes | snapshot bytes | peak MB a rank |"
    )
    print("|---" * 10 + "|")
    for ranks, rows in results:
        cells = [
            f"{rows[part][0]:.3f}, {rows[part][1]:.3f}" for part in ("steps", "deposit", "bins", "snapshot")
        ]
        calls = sum(rows[part][2] for part in ("steps", "deposit", "bins", "snapshot"))
        volumes = [f"{rows[part][3]:.3g}" for part in ("deposit", "bins", "snapshot")]
        print(
            "| "
            + " | ".join([str(ranks), *cells, f"{calls:.0f}", *volumes, f"{rows['memory'][0]:.0f}"])
            + " |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--mpirun", default="mpirun --bind-to none --oversubscribe")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as place:
        for case in CASES:
            for kind in ("strong", "weak"):
                results = [
                    (ranks, run(arguments, ranks, case, case[2] * (ranks if kind == "weak" else 1), place))
                    for ranks in arguments.ranks
                ]
                table(
                    (
                        f"{kind} scaling, {case[0]}:"
                        f" {case[2]:,} particles{' a rank' if kind == 'weak' else ''}, {case[3]} cells an"
                        f" axis, {case[4]} steps"
                    ),
                    results,
                )


if __name__ == "__main__":
    main()
