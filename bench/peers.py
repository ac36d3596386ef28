#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The truth beside the packages that people would take instead, SciPy, diffrax, py-pde and FiPy, and particles beside
JAX and PyTorch: error against time, one core, one run.

    bench/peers.py [--build build] [--limit 10] [--write] [CASE ...]

Cases are prinz, fast, wells, kramers and particles; none means all, which takes some six minutes. Run it with a Python
that has the packages (pip install h5py matplotlib scipy diffrax py-pde fipy torch); those it lacks are left out.
bench_particles must be built for the particles. --write writes tables and figure of docs/benchmarks.md anew.

Errors are L1 distances of cell masses at the end from those of a Fourier method on many more points than it needs. FARE
on its finest cells must be within 1e-5 of it; smaller errors than their difference count as that difference. All runs
on one core. Times are without imports, compilation and what the drive does not change; memory is the peak of the
process beyond what it held before. FARE states the wall time of its steps; its processor time is taken to be that, or
that of the whole run where this is less. Of runs under a second, the least of three counts. Nothing is asserted of any
time.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import math
import multiprocessing
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time
import typing

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.update(
    FIPY_SOLVERS="scipy", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", JAX_PLATFORMS="cpu"
)

import h5py
import matplotlib
import numpy as np
import peers_particles
import truth_against_scipy as base
from peers_cases import PROBLEMS, Problem
from peers_methods import METHODS, reference

MIB = 1 << 20
PACKAGES = {"SciPy": "scipy", "diffrax": "diffrax", "py-pde": "pde", "FiPy": "fipy"}  # and their modules
COMPILATION = 120  # seconds that preparing a run may take


class Row(typing.NamedTuple):
    method: str
    setting: str
    error: float
    wall: float
    processor: float
    memory: float  # bytes


def resident(key: str) -> int:
    """Bytes: VmRSS now, VmHWM the peak."""
    found = re.search(rf"{key}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


def work(case: str, method: str, connection) -> None:
    """A process of its own: all runs of a sweep, as (masses, wall, processor, bytes)."""
    try:
        for cells, setting in PROBLEMS[case].sweeps[method]:
            run = METHODS[method](PROBLEMS[case], cells, setting)
            connection.send("prepared")
            pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
            before, best = resident("VmRSS"), (math.inf, math.inf)
            for _ in range(3):
                wall, processor = time.perf_counter(), time.process_time()
                masses = run()
                took = (time.process_time() - processor, time.perf_counter() - wall)
                best = min(best, took)
                if took[0] > 1:
                    break
            connection.send((masses, best[1], best[0], max(0, resident("VmHWM") - before)))
    except Exception as reason:  # noqa: BLE001 - of any package; the others go on
        connection.send(f"failed: {str(reason).splitlines()[:1]}")


def received(process: multiprocessing.process.BaseProcess, connection, limit: float = COMPILATION):
    """What a worker says, or None where that takes more seconds of the processor."""

    def used() -> float:
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    end = used() + limit
    try:
        while not connection.poll(0.1):
            if used() > end:
                return None
        return connection.recv()
    except (EOFError, OSError):
        return "failed: its process ended"


def sweep(case: str, method: str, exact: np.ndarray, limit: float) -> tuple[list[Row], str]:
    """Rows, and what is to be said of a run that did not end."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=work, args=(case, method, its))
    process.start()
    its.close()
    rows: list[Row] = []
    said = ""
    for cells, setting in PROBLEMS[case].sweeps[method]:
        label = describe(PROBLEMS[case], cells, setting)
        ready = received(process, mine)
        answer = received(process, mine, limit) if ready == "prepared" else ready
        if answer is None or isinstance(answer, str):
            said = f"{method}, {label}: {answer or f'more than {limit:.0f} s'}"
            print(said, flush=True)
            break
        masses, wall, processor, memory = answer
        rows.append(Row(method, label, base.error(masses, exact), wall, processor, memory))
        show(rows[-1])
        if processor > limit:
            break
    process.kill()
    process.join()
    return rows, said


def describe(problem: Problem, cells: int, setting: float) -> str:
    size = " x ".join(map(str, problem.shape(cells)))
    return f"{size}, {setting:g}" if setting < 1 else f"{size}, {setting:g} steps"


def show(row: Row) -> None:
    print(
        (
            f"{row.method:36}{row.setting:24}{row.error:9.1e}{row.wall:10.4f} s{row.processor:10.4f} s"
            f"{row.memory / MIB:8.1f} MiB"
        ),
        flush=True,
    )


def fare_run(command: str, place: str, settings: dict) -> tuple[float, float, int, np.ndarray]:
    """Seconds of the time steps by the wall and at most so many of the processor, peak bytes of the process, and
    what others would compare with, as masses.
    """
    out = pathlib.Path(place, "out")
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    words = [
        command,
        "run",
        f"{place}/study.yaml",
        "--no-report",
        "--overwrite",
        "--set",
        f"output.directory={out}",
    ]
    before = os.times()
    peak, process = 0, subprocess.Popen([*words, *sets], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        found = re.search(r"Name:\tfare\n[^$]*VmHWM:\s+(\d+)", status)
        peak = 1024 * int(found[1]) if found else peak
        time.sleep(0.005)
    if process.returncode:
        sys.exit(f"the run failed: {' '.join(map(str, [*words, *sets]))}")
    after = os.times()
    whole = after.children_user + after.children_system - before.children_user - before.children_system
    with h5py.File(out / "study.h5") as file:
        seconds = float(file["truth"].attrs["seconds"])
    with h5py.File(out / "snapshots/snapshot_000001.h5") as file:
        meshes = file["data/1/meshes"]
        mesh = meshes["density_extrapolated" if "density_extrapolated" in meshes else "density"]
        return seconds, min(seconds, whole), peak, mesh[()].T * np.prod(mesh.attrs["gridSpacing"])


def fare_rows(problem: Problem, command: str, exact: np.ndarray) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="fare-") as place:
        truth = (
            f"truth: {{cells: {list(problem.shape(96))}, lower: {list(problem.lower)}, upper:"
            f" {list(problem.upper)}}}"
        )
        pathlib.Path(place, "study.yaml").write_text(
            f"study: peers\n{problem.study}snapshots: {{start: 0, end: {problem.end!r}, count: 2}}\n{truth}\n"
        )
        for estimate in ("false", "true"):
            settings = {"truth.estimate": estimate}
            tiny = fare_run(command, place, settings | {"truth.cells": list(problem.shape(48))})[2]
            for cells, tolerance in problem.sweeps["FARE"]:
                if (
                    estimate == "true"
                    and problem.potential is None
                    and cells == problem.sweeps["FARE"][-1][0]
                ):
                    continue
                settings |= {"truth.cells": list(problem.shape(cells)), "truth.tolerance": tolerance}
                best = (math.inf, math.inf)
                for _ in range(3):
                    wall, processor, peak, masses = fare_run(command, place, settings)
                    best = min(best, (processor, wall))
                    if processor > 1:
                        break
                rows.append(
                    Row(
                        "FARE, with its estimate" if estimate == "true" else "FARE",
                        describe(problem, cells, tolerance),
                        base.error(masses, exact),
                        best[1],
                        best[0],
                        max(0, peak - tiny),
                    )
                )
                show(rows[-1])
    return rows


def particles(build: pathlib.Path, skip: set[str]) -> str:
    """The table."""
    print("\nparticles: Euler-Maruyama, driven Prinz potential, ns of the processor per step", flush=True)
    said = subprocess.run([build / "bin/bench_particles"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"^FARE, euler_maruyama\s+([0-9.]+)", said, re.MULTILINE)
    assert found
    rows = [("FARE", "float64", float(found[1]))]
    context = multiprocessing.get_context("spawn")
    for engine, (module, _, kinds) in peers_particles.ENGINES.items():
        if module in skip:
            continue
        for dtype in ("float64", "float32"):
            for kind in kinds:
                mine, its = context.Pipe()
                process = context.Process(target=peers_particles.measure, args=(engine, dtype, kind, its))
                process.start()
                its.close()
                answer = received(process, mine)
                process.kill()
                process.join()
                print(f"{engine}, {kind}, {dtype}: {answer}", flush=True)
                if isinstance(answer, float):
                    rows.append((f"{engine}, {kind}", dtype, answer))
    lines = ["| | numbers | ns a step | steps a second | times FARE |", "|---|---|---|---|---|"]
    for name, dtype, ns in rows:
        lines.append(f"| {name} | {dtype} | {ns:.1f} | {1e9 / ns:.1e} | {ns / rows[0][2]:.1f} |")
    return "\n".join(lines)


def short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


LARGEST = 2  # of an L1 distance of densities: what is farther blew up


def table(rows: list[Row], said: list[str], agreement: float) -> str:
    lines = [
        (
            "| method | cells or points, tolerance or steps | L1 error | wall [s] | processor [s] | memory"
            " [MiB] | FARE as near [s] | times FARE |"
        ),
        "|---" * 8 + "|",
    ]
    ours = [row for row in rows if row.method.startswith("FARE")]
    for row in rows:
        near = min((one.processor for one in ours if one.error <= row.error), default=math.nan)
        beside = (
            ["", ""]
            if row in ours
            else ["none", ""] if math.isnan(near) else [short(near), short(row.processor / near)]
        )
        if row.error > LARGEST:
            beside = ["none", ""]
        said_error = f"{row.error:.1e}" if row.error <= LARGEST else "unstable"
        cells = [row.method, row.setting, said_error, short(row.wall), short(row.processor)]
        lines.append("| " + " | ".join([*cells, f"{row.memory / MIB:.1f}", *beside]) + " |")
    lines += ["", f"FARE and the Fourier method agree to {agreement:.1e}; smaller errors count as this."]
    return "\n".join(lines + [f"Not in the table: {one}." for one in said])


def density(case: str, command: str, limit: float, skip: set[str]) -> tuple[list[Row], str]:
    problem = PROBLEMS[case]
    print(f"\n{problem.title}", flush=True)
    began = time.perf_counter()
    exact = reference(problem, problem.sweeps["FARE"][-1][0])
    print(f"reference: {time.perf_counter() - began:.1f} s")
    rows, said = fare_rows(problem, command, exact), []
    finest = min(row.error for row in rows)
    if finest > 1e-5:
        sys.exit(f"FARE and the Fourier method do not agree: {finest:.1e}")
    for method in problem.sweeps:
        package = method.split(",")[0]
        if package == "FARE" or PACKAGES[package] in skip:
            continue
        more, left = sweep(case, method, exact, limit)
        rows += more
        said += [left] * bool(left)
    rows = [row._replace(error=max(row.error, finest)) for row in rows]
    return rows, table(rows, said, finest)


def figure(results: dict[str, list[Row]], path: pathlib.Path) -> None:
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    fig, axes = plt.subplots(2, 2, figsize=(7.6, 6.4), layout="constrained")
    names = list(dict.fromkeys(row.method for rows in results.values() for row in rows))
    for ax, (case, rows) in zip(axes.flat, results.items()):
        for number, name in enumerate(names):
            some = [row for row in rows if row.method == name and row.error <= LARGEST]
            bold = name.startswith("FARE")
            ax.loglog(
                [row.processor for row in some],
                [row.error for row in some],
                "o-" if bold else "sv^D<>p*"[number % 8] + "--",
                color=plt.get_cmap("tab20").colors[(2 * number + number // 10) % 20],
                lw=2 if bold else 1,
                ms=4,
                label=name,
            )
        ax.set(title=PROBLEMS[case].title, xlabel="seconds", ylabel="L1 error")
        ax.title.set_size(9)
        ax.grid(alpha=0.3)
    handles = {label: h for ax in axes.flat for h, label in zip(*ax.get_legend_handles_labels())}
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=7)
    fig.savefig(path, dpi=80)
    Image.open(path).convert("RGB").quantize(32).save(path, optimize=True)


def machine(skip: set[str]) -> str:
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    names = [n for n, m in [*PACKAGES.items(), ("JAX", "jax"), ("PyTorch", "torch")] if m not in skip]
    versions = [f"{n} {importlib.metadata.version({'PyTorch': 'torch'}.get(n, n.lower()))}" for n in names]
    load = (
        ""
        if os.getloadavg()[0] < 1.2
        else f" Other programs kept the machine busy (load {os.getloadavg()[0]:.1f})."
    )
    missing = f" Not installed: {', '.join(sorted(skip))}." if skip else ""
    return (
        f"One core of {found[1] if found else platform.machine()}, Python {platform.python_version()},"
        f" {', '.join(versions)}.{missing}{load}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=pathlib.Path, default=base.ROOT / "build")
    parser.add_argument("--limit", type=float, default=10, help="processor seconds after which a sweep ends")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    chosen = parser.parse_args()
    build = chosen.build.resolve()
    skip = {m for m in [*PACKAGES.values(), "jax", "torch"] if importlib.util.find_spec(m) is None}
    contents = {"peers_machine": machine(skip)}
    print(contents["peers_machine"])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    results = {}
    for case in chosen.cases or [*PROBLEMS, "particles"]:
        if case == "particles":
            contents["peers_particles"] = particles(build, skip)
        else:
            results[case], contents[f"peers_{case}"] = density(
                case, str(build / "bin/fare"), chosen.limit, skip
            )
    if chosen.write:
        sys.path.append(str(base.ROOT / "docs"))
        import verification

        if len(results) == len(PROBLEMS):
            figure(results, base.ROOT / "docs/images/benchmarks_peers.png")
            contents["peers_figure"] = "![Error against processor time](images/benchmarks_peers.png)"
        verification.write(contents, base.ROOT / "docs/benchmarks.md")
    print("\n\n".join(contents.values()))


if __name__ == "__main__":
    main()
