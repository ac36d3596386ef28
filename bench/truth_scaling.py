#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Cost and memory of the truth as its grid and the ranks grow, beside what the machine's memory bandwidth
allows.

    bench/truth_scaling.py [--large | --largest] [--ranks 1 2] [--command build/bin/fare]
    bench/truth_scaling.py --memory [--write] [--command build/bin/fare]

The cases are the driven quadruple well in two dimensions and eight driven wells in three, tolerance 1e-6,
without companions. For each: nanoseconds per cell and step (times ranks), iterations per solve, bytes per
cell as fare_truth_bytes states them and as the process took them (peak resident size, less that of a tiny
grid), and the bound: the bytes that a step moves if each of its loops reads and writes its arrays once and
finds nothing in cache, divided by the bandwidth of a sum of two arrays into a third on as many cores,
measured just before. A grid that stays in cache can be faster than that bound. --memory compares bytes per
cell with the estimate and without it, on one rank; --write puts this table into docs/benchmarks.md. Nothing
is asserted.
"""
import argparse
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
STUDY = {
    2: (
        "study: two\nsystem: {name: quadruple_well}\ndrive: [{parameter: tilt, waveform: sine, amplitude:"
        " 0.5, period: 5.0}]\ninitial: {density: gaussian, mean: [-1, -1], sd: [0.2, 0.2]}\nsnapshots:"
        " {start: 0, end: 2, count: 2}\ntruth: {cells: [64, 64], lower: [-2.5, -2.5], upper: [2.5, 2.5],"
        " tolerance: 1.0e-6, estimate: false}\n"
    ),
    3: (
        "study: three\nsystem: {name: wells_3d}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 1.0,"
        " period: 1.0}]\ninitial: {density: gaussian, mean: [-1, -1, -1], sd: [0.3, 0.3, 0.3]}\nsnapshots:"
        " {start: 0, end: 0.5, count: 2}\ntruth: {cells: [16, 16, 16], tolerance: 1.0e-6, estimate: false}\n"
    ),
}


def doubles_moved(dim, iterations):
    """Per cell and step, read or written, a single as half: rates from kept exponentials, factors of lines,
    vectors of the method, and for each iteration a cycle over all grids, a product and its share of GMRES.
    """
    all_grids = 4 / 3 if dim == 2 else 8 / 7
    rates = (11 if dim == 2 else 13) + 2 + 2 * dim
    factors = 3 * dim + (2 * dim + (dim + 2) / 2) * all_grids + dim * (all_grids - 1)
    vectors = 8 + (3 + 2 * dim) + 3 + 8
    forth, back_restrict, prolong, forth_again, back_add = 3 * dim + 1, 4 + 2 * dim, 2, 3 * dim + 5, 5
    cycle = 3 + (forth + back_restrict + prolong + forth_again + back_add) / 2 * all_grids
    return rates + factors + vectors + iterations * (cycle + 3 + 2 * dim + 9)


def add_arrays(barrier, seconds):
    n = 8 << 20
    a, b, c = np.zeros(n), np.ones(n), np.ones(n)
    best = np.inf
    for _ in range(7):
        barrier.wait()
        began = time.perf_counter()
        np.add(b, c, out=a)
        best = min(best, time.perf_counter() - began)
    seconds.put(24 * n / best)


def bandwidth(ranks):
    """Bytes per second, of all ranks together."""
    barrier, results = multiprocessing.Barrier(ranks), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=add_arrays, args=(barrier, results)) for _ in range(ranks)]
    for worker in workers:
        worker.start()
    total = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


def resident_peak(process):
    """The largest VmHWM of the command's processes, summed over them; read while they run."""
    peaks = {}
    while process.poll() is None:
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                text, line = status.read_text(), status.with_name("cmdline").read_text()
            except OSError:
                continue
            if text.startswith("Name:\tfare\n") and str(process.marker) in line:
                peaks[status.parent.name] = 1024 * int(re.search(r"VmHWM:\s+(\d+)", text).group(1))
        time.sleep(0.01)
    return sum(peaks.values())


def run(command, study, place, dim, cells, ranks, estimate=False):
    out, log = place / f"out_{dim}_{cells}_{ranks}", place / "log"
    arguments = [
        command,
        "run",
        str(study),
        "--no-report",
        "--overwrite",
        "--set",
        f"output.directory={out}",
        "--set",
        f"truth.cells={[cells] * dim}",
        "--set",
        f"truth.estimate={str(estimate).lower()}",
        "--",
        "-log_view",
        f":{log}",
    ]
    if ranks > 1:
        arguments = ["mpirun", "--bind-to", "none", "--oversubscribe", "-n", str(ranks)] + arguments
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    process.marker = out
    peak = resident_peak(process)
    if process.returncode:
        raise SystemExit(f"the run failed: {' '.join(arguments)}")
    with h5py.File(out / "study.h5") as file:
        seconds, steps = (float(file["truth"].attrs[key]) for key in ("seconds", "steps"))
    counts = {
        event: int(count)
        for event, count in re.findall(r"^(KSPSolve|PCApply)\s+(\d+)", log.read_text(), re.MULTILINE)
    }
    return seconds, steps, counts["PCApply"] / counts["KSPSolve"], peak


def stated_bytes(command, study, dim, cells, place, estimate=False):
    text = subprocess.run(
        [
            command,
            "check",
            str(study),
            "--set",
            f"truth.cells={[cells] * dim}",
            "--set",
            f"output.directory={place / 'none'}",
            "--set",
            f"truth.estimate={str(estimate).lower()}",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    number, unit = re.search(r"about ([0-9.]+) ([KMG])iB", text).groups()
    return float(number) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]


def memory(command, place):
    """The table of bytes per cell, without the estimate and with it."""
    lines = [
        "| cells | bytes per cell, without the estimate | as stated | with it | as stated |",
        "|---" * 5 + "|",
    ]
    for dim, text in STUDY.items():
        study = place / f"{dim}.yaml"
        study.write_text(text)
        for cells in {2: [128, 256, 512], 3: [32, 64]}[dim]:
            row = [" x ".join([str(cells)] * dim)]
            for estimate in (False, True):
                tiny = run(command, study, place, dim, 16 if dim == 2 else 8, 1, estimate)[3]
                *_, peak = run(command, study, place, dim, cells, 1, estimate)
                stated = stated_bytes(command, study, dim, cells, place, estimate)
                row += [f"{(peak - tiny) / cells**dim:.0f}", f"{stated / cells**dim:.0f}"]
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    parser.add_argument("--command", default=ROOT / "build/bin/fare")
    parser.add_argument("--large", action="store_true", help="also 1024 x 1024 and 128 x 128 x 128 cells")
    parser.add_argument("--largest", action="store_true", help="2048 x 2048 cells alone")
    parser.add_argument(
        "--memory", action="store_true", help="bytes per cell, without the estimate and with it"
    )
    parser.add_argument("--write", action="store_true", help="the table of --memory into docs/benchmarks.md")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    command = str(arguments.command)
    sizes = {2: [128, 256, 512] + [1024] * arguments.large, 3: [32, 64] + [128] * arguments.large}
    if arguments.largest:
        sizes = {2: [2048], 3: []}
    os.environ.update(
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        OMPI_MCA_rmaps_base_oversubscribe="1",
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
    )
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        if arguments.memory:
            table = memory(command, place)
            if arguments.write:
                sys.path.append(str(ROOT / "docs"))
                import verification

                verification.write({"memory": table}, ROOT / "docs/benchmarks.md")
            return
        for ranks in arguments.ranks:
            speed = bandwidth(ranks)
            print(f"\n{ranks} rank{'s' * (ranks > 1)}, sum of arrays at {speed / 1e9:.1f} GB/s")
            print(
                f"{'cells':>14}{'steps':>7}{'ns/cell/step':>14}{'its/solve':>11}{'bound, ns':>11}{'distance':>10}{'bytes/cell':>12}{'stated':>8}"
            )
            for dim, text in STUDY.items():
                study = place / f"{dim}.yaml"
                study.write_text(text)
                tiny = run(command, study, place, dim, 16 if dim == 2 else 8, ranks)[3]
                for cells in sizes[dim]:
                    seconds, steps, iterations, peak = run(command, study, place, dim, cells, ranks)
                    total = cells**dim
                    cost, bound = 1e9 * seconds / steps / total, 8e9 * doubles_moved(dim, iterations) / speed
                    print(
                        (
                            f"{'x'.join([str(cells)] * dim):>14}{steps:7.0f}{cost * ranks:14.1f}{iterations:11.2f}{bound * ranks:11.1f}{cost / bound:10.2f}"
                            f"{(peak - tiny) / total:12.0f}{stated_bytes(command, study, dim, cells, place) / total:8.0f}"
                        ),
                        flush=True,
                    )


if __name__ == "__main__":
    main()
