#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A small study from end to end, on one rank and on three: what it leaves is complete, the same on both, and
right by an independent computation.
fare-test: labels=study timeout=300
"""
import csv
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

from checks import ENVIRONMENT, FARE, MPIEXEC, conclude, expect, failures
from restart import bits

CELLS, SNAPSHOTS, END, AMPLITUDE = 512, 5, 0.5, 4.0
PARTICLES = {"langevin": 3000, "boltzmann": 2000}
MEASURES = ["kl", "reverse_kl", "total_variation", "wasserstein_1"]
STUDY = f"""\
study: small
seed: 11
system: {{name: prinz}}
drive: [{{parameter: tilt, waveform: sine, amplitude: {AMPLITUDE}, period: 1.0}}]
snapshots: {{start: 0.0, end: {END}, count: {SNAPSHOTS}}}
truth: {{cells: [{CELLS}], tolerance: 1.0e-7}}
ensembles:
  - {{name: langevin, sampler: langevin, particles: {PARTICLES['langevin']}, dt: 1.0e-3}}
  - {{name: boltzmann, sampler: boltzmann, particles: {PARTICLES['boltzmann']}}}
measures: [{', '.join(MEASURES)}]
"""


def command(ranks, *arguments):
    return [MPIEXEC, "-n", str(ranks), FARE, *arguments]


def run(where, ranks, *arguments):
    return subprocess.run(
        command(ranks, "run", "study.yaml", *arguments),
        cwd=where,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def snapshots_of(directory):
    return sorted((directory / "snapshots").glob("*.h5"))


def check_files(directory, done, ranks):
    expect(done.returncode == 0, f"on {ranks} ranks: exit code {done.returncode}: {done.stderr}")
    expect(not done.stderr.strip(), f"on {ranks} ranks: stderr {done.stderr!r}")
    names = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}
    checkpoints = {
        name for name in names if re.fullmatch(r"checkpoints/checkpoint_\d{6}_[0-9a-f]{8}\.h5", name)
    }
    expect(len(checkpoints) == 1, f"on {ranks} ranks: checkpoints {sorted(checkpoints)}")
    names -= checkpoints
    expected = {"study.h5", "measures.csv", "ranking.csv", "ends.csv", "tables.txt"} | {
        f"snapshots/snapshot_{k:06d}.h5" for k in range(SNAPSHOTS)
    }
    expect(names == expected, f"on {ranks} ranks: files {sorted(names ^ expected)}")
    with h5py.File(directory / "study.h5") as file:
        provenance = file["provenance"].attrs
        expect(
            provenance["ranks"] == ranks and provenance["seed"] == 11 and provenance["finished"] == 1,
            f"provenance on {ranks} ranks",
        )
        expect(np.allclose(file["snapshots/time"], np.linspace(0, END, SNAPSHOTS), rtol=1e-15), "times")


def compare_runs(one, three):
    """Particles, the density of one axis, and all that is measured: the same bits."""
    pairs = [(a, b, ["data"]) for a, b in zip(snapshots_of(one), snapshots_of(three))]
    parts = ["comparisons", "binned", "snapshots", "bins"]
    for a, b, groups in [*pairs, (one / "study.h5", three / "study.h5", parts)]:
        da, db = bits(a, groups), bits(b, groups)
        expect(da and da.keys() == db.keys(), f"{a.name}: {sorted(da.keys() ^ db.keys())}")
        for name in da.keys() & db.keys():
            expect(da[name] == db[name], f"{a.name}: {name} differs between 1 and 3 ranks")
    expect(
        (one / "measures.csv").read_bytes() == (three / "measures.csv").read_bytes(),
        "measures.csv differs between 1 and 3 ranks",
    )


def boltzmann_masses(edges, tilt):
    """exp(-V) over each cell by Gauss-Legendre quadrature of NumPy's, V written here a second time."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    x = (edges[:-1, None] + edges[1:, None]) / 2 + nodes * (edges[1:, None] - edges[:-1, None]) / 2
    potential = (
        4
        * (
            x**8
            + 0.8 * np.exp(-80 * x**2)
            + 0.2 * np.exp(-80 * (x - 0.5) ** 2)
            + 0.5 * np.exp(-40 * (x + 0.5) ** 2)
        )
        - tilt * x
    )
    masses = (np.exp(-potential) * weights).sum(1)
    return masses / masses.sum()


def wasserstein_1(edges, p, q):
    """Integral of |F - G|, both linear within cells."""
    difference = np.concatenate([[0], np.cumsum(p - q)])
    a, b, width = difference[:-1], difference[1:], np.diff(edges)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = np.where(a * b < 0, (a**2 + b**2) / (2 * (abs(a) + abs(b))), (abs(a) + abs(b)) / 2)
    return (crossing * width).sum()


def check_numbers(directory):
    with h5py.File(directory / "study.h5") as study:
        value = {
            name: {m: study[f"comparisons/{name}/{m}/value"][()] for m in MEASURES}
            for name in ("langevin", "boltzmann", "boltzmann_density")
        }
        for k, path in enumerate(snapshots_of(directory)):
            with h5py.File(path) as file:
                step = file[f"data/{k}"]
                t = step.attrs["time"]
                mesh = step["meshes/density_extrapolated"]
                spacing, lower = mesh.attrs["gridSpacing"][0], mesh.attrs["gridGlobalOffset"][0]
                p = mesh[()] * spacing
                x = {name: step[f"particles/{name}/position/x"][()] for name in PARTICLES}
            edges = lower + spacing * np.arange(CELLS + 1)
            expect(abs(p.sum() - 1) < 1e-12, f"snapshot {k}: the density sums to {p.sum()}")
            q = boltzmann_masses(edges, AMPLITUDE * math.sin(2 * math.pi * t))
            inside = p > 0
            kl = (p[inside] * np.log(p[inside] / q[inside])).sum()
            reverse = (q[inside] * np.log(q[inside] / p[inside])).sum()
            total = abs(p - q).sum() / 2
            for name, expected in (
                ("kl", kl),
                ("reverse_kl", reverse),
                ("total_variation", total),
                ("wasserstein_1", wasserstein_1(edges, p, q)),
            ):
                got = value["boltzmann_density"][name][k]
                expect(
                    abs(got - expected) < 1e-9 * (1 + abs(expected)),
                    f"snapshot {k}: {name} of boltzmann's density {got}, NumPy has {expected}",
                )
            for name, where in x.items():
                expect(
                    len(where) == PARTICLES[name] and np.all((where > edges[0]) & (where < edges[-1])),
                    f"snapshot {k}: particles of {name}",
                )
                samples = np.histogram(where, edges)[0] / len(where)
                got, expected = value[name]["wasserstein_1"][k], wasserstein_1(edges, p, samples)
                expect(
                    abs(got - expected) < 1e-9,
                    f"snapshot {k}: wasserstein_1 of {name} {got}, NumPy has {expected}",
                )
                # the mean of n samples lies within 5 standard errors of its density's
                centres = (edges[1:] + edges[:-1]) / 2
                density = q if name == "boltzmann" else p
                mean = (density * centres).sum()
                sd = math.sqrt((density * centres**2).sum() - mean**2)
                expect(
                    abs(where.mean() - mean) < 5 * sd / math.sqrt(len(where)),
                    f"snapshot {k}: mean of {name} {where.mean()}, expected {mean}",
                )
        # at t = 0 all are in equilibrium, later the frozen density is left behind
        kl = value["boltzmann_density"]["kl"]
        expect(kl[0] < 1e-9 and kl[2] > 0.1, f"KL of boltzmann's density: {kl}")


def check_csv(directory):
    with h5py.File(directory / "study.h5") as study, open(directory / "measures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
        comparisons = study["comparisons"]
        expect(len(rows) == len(comparisons) * len(MEASURES) * SNAPSHOTS, f"{len(rows)} rows in measures.csv")
        times = study["snapshots/time"][()]
        for row in rows:
            k = int(np.argmin(abs(times - float(row["time"]))))
            group = comparisons[row["comparison"]][row["measure"]]
            for column in ("value", "floor_mean", "floor_high", "p_value", "excess", "truth_error"):
                expect(
                    abs(float(row[column]) - group[column][k]) <= 1e-8 * abs(group[column][k]),
                    f"measures.csv: {row} against {group[column][k]} in study.h5",
                )


def check_table(directory, printed):
    """The table that the run ends with says what study.h5 says."""
    labels = {
        "langevin": "langevin",
        "boltzmann": "boltzmann",
        "boltzmann, model density": "boltzmann_density",
    }
    with h5py.File(directory / "study.h5") as study:
        for measure in MEASURES:
            block = re.search(rf"^{measure}: .*\n.*\n((?:.+\n)+)", printed, re.MULTILINE)
            expect(block is not None, f"no table of {measure}")
            for label, name in labels.items():
                row = (
                    re.search(rf"^{label}  +(?=[-\d])(.*)$", block.group(1), re.MULTILINE) if block else None
                )
                expect(row is not None, f"no row '{label}' of {measure}")
                if not row:
                    continue
                group = study[f"comparisons/{name}/{measure}"]
                expected = [
                    f"{group['value'][()].mean():.3e}",
                    f"{group['value'][()].max():.3e}",
                    f"{group['floor_mean'][()].mean():.3e}" if name != "boltzmann_density" else "-",
                    f"{group['excess'][()].mean():.3e}",
                    f"{group['truth_error'][()].max():.1e}",
                ]
                got = row.group(1).split()
                close = len(got) == len(expected) and all(
                    a == b or (b != "-" and abs(float(a) - float(b)) <= 1.01e-3 * abs(float(b)))
                    for a, b in zip(got, expected)
                )
                expect(close, f"{measure} of {label}: printed {got}, study.h5 has {expected}")


def check_averages(directory, printed):
    """The averages that a run prints are those of study.h5; the file of tables is named."""
    block = re.search(r"^Distance from the truth, averaged over .*\n(.*)\n((?:.+\n)+)", printed, re.MULTILINE)
    expect(
        block is not None and f"{directory.name}/tables.txt" in printed, "averages, and where the tables are"
    )
    if not block:
        return
    names = block.group(1).split()
    with h5py.File(directory / "study.h5") as study:
        for line in block.group(2).splitlines():
            cells = line.split()
            row = " ".join(cells[: -len(names)])
            label = row.replace(", model density", "_density")
            for name, cell in zip(names, cells[-len(names) :]):
                value = study[f"comparisons/{label}/{name}"]["value"][()].mean()
                expect(
                    abs(float(cell.rstrip("*")) - value) <= 1.01e-3 * abs(value),
                    f"{row}, {name}: {cell}, {value}",
                )


def children(parent):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(
                parent
            ):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def kill_in_the_middle(where, ranks):
    """kill -9 of one rank: what has a name is whole, and the study can be begun again."""
    directory = where / f"killed{ranks}"
    process = subprocess.Popen(
        command(
            ranks,
            "run",
            "study.yaml",
            "--no-report",
            "--set",
            f"output.directory={directory}",
            "--set",
            "snapshots.count=100001",
        ),
        cwd=where,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and len(snapshots_of(directory)) < 4:
        time.sleep(0.01)
    expect(process.poll() is None, f"on {ranks} ranks the run ended before it was killed")
    ranks_running = children(process.pid)
    expect(len(ranks_running) == ranks, f"{len(ranks_running)} processes, not {ranks}")
    os.kill(ranks_running[-1], signal.SIGKILL)
    expect(process.wait(60) != 0, "a run that was killed claims success")
    left = snapshots_of(directory)
    expect(
        [p.name for p in left] == [f"snapshot_{k:06d}.h5" for k in range(len(left))] and len(left) >= 4,
        f"snapshots {left[:3]}... {left[-1:]}",
    )
    for k, path in enumerate(left):
        with h5py.File(path) as file:
            step = file[f"data/{k}"]
            whole = step["meshes/density"].shape == (CELLS,) and all(
                np.all(np.isfinite(step[f"particles/{name}/position/x"][()]))
                and len(step[f"particles/{name}/id"]) == n
                for name, n in PARTICLES.items()
            )
            mass = step["meshes/density"][()].sum() * step["meshes/density"].attrs["gridSpacing"][0]
            expect(
                whole and abs(mass - 1) < 1e-6, f"{path.name} is not whole: mass {mass}"
            )  # a part that is missing takes more than the solver
    aside = [p.name for p in directory.rglob("*") if p.is_file() and p not in left]
    aside = [
        name for name in aside if name != "run.lock"
    ]  # which a killed run leaves; the next takes it over
    expect(aside in ([], [f"snapshot_{len(left):06d}.h5.tmp"]), f"also there: {aside}")
    info = subprocess.run(
        [FARE, "info", str(directory)], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    expect(
        info.returncode == 2 and "no finished study" in info.stderr,
        f"fare info of an unfinished study: {info}",
    )
    again = run(where, ranks, "--no-report", "--overwrite", "--set", f"output.directory={directory}")
    check_files(directory, again, ranks)
    return len(left)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-study-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        done = {
            ranks: run(where, ranks, "--no-report", "--set", f"output.directory=out{ranks}")
            for ranks in (1, 3)
        }
        for ranks in (1, 3):
            check_files(where / f"out{ranks}", done[ranks], ranks)
        if not failures:
            compare_runs(where / "out1", where / "out3")
            check_numbers(where / "out1")
            check_csv(where / "out1")
            check_table(where / "out1", (where / "out1" / "tables.txt").read_text())
            check_averages(where / "out1", done[1].stdout)
            check_table(where / "out3", (where / "out3" / "tables.txt").read_text())
        for ranks in (1, 3):
            print(
                f"killed on {ranks} rank{'s' if ranks > 1 else ''} after"
                f" {kill_in_the_middle(where, ranks)} whole snapshots"
            )
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
