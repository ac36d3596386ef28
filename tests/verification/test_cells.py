#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Densities: cells are exported and compared without noise, in one and two dimensions and on any number of
ranks; a density at samples stays near its cell sums where the truth has empty cells.
fare-test: labels=verification timeout=240
"""
import csv
import io
import math
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import ENVIRONMENT, FARE, MPIEXEC

LINE = """\
study: line
system: {name: ornstein_uhlenbeck}
initial: {density: gaussian, mean: [1.0], sd: [0.5]}
snapshots: {start: 0, end: 1, count: 3}
truth: {cells: [150], lower: [-6], upper: [6], tolerance: 1e-6}
"""
FLAT = """\
study: flat
system: {name: quadruple_well}
initial: {density: gaussian, mean: [0.9, 0.9], sd: [0.15, 0.15]}
snapshots: {start: 0, end: 0.4, count: 3}
truth: {cells: [48, 64], lower: [-2.2, -2.2], upper: [2.2, 2.2], tolerance: 1e-4}
"""


def fare(*arguments, ranks=0, code=0):
    launch = [MPIEXEC, "-n", str(ranks)] if ranks else []
    done = subprocess.run(
        [*launch, FARE, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (
        done.returncode == code
    ), f"fare {' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}"
    return done.stderr if code else done.stdout


def study(where, name, text):
    (where / f"{name}.yaml").write_text(text)
    fare("run", where / f"{name}.yaml", "--no-report", "--set", f"output.directory={where / name}")
    return where / name


def score(directory, samples, *options, ranks=0):
    rows = csv.DictReader(io.StringIO(fare("score", directory, samples, "--csv", *options, ranks=ranks)))
    return {(round(float(row["time"]), 6), row["measure"]): row for row in rows}


def write(path, **datasets):
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def gaussian(x, mean, sd):
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))


def cells_of_a_line(where):
    directory = study(where, "line", LINE)
    grid = where / "grid.h5"
    fare("export", directory, "--grid", "--out", grid)
    with h5py.File(grid) as file:
        times, edges, centres, mass, error = (
            file[name][...] for name in ("times", "edges/x", "centres/x", "truth_mass", "truth_error")
        )
        expect(
            file.attrs["cell_volume"] == 0.08 or abs(file.attrs["cell_volume"] - 0.08) < 1e-15,
            "volume of a cell",
        )
        expect(
            list(file.attrs["lower"]) == [-6]
            and list(file.attrs["upper"]) == [6]
            and list(file.attrs["periodic"]) == [0],
            "box of the grid",
        )
    expect(
        np.allclose(edges, np.linspace(-6, 6, 151), atol=1e-14)
        and np.allclose(centres, 0.5 * (edges[1:] + edges[:-1]), atol=1e-14),
        "edges and middles",
    )
    expect(
        mass.shape == (3, 150) and error.shape == mass.shape and np.allclose(mass.sum(axis=1), 1, atol=1e-9),
        "masses sum to 1",
    )
    mean, sd = math.exp(-1), math.sqrt(0.25 * math.exp(-2) + 1 - math.exp(-2))
    exact = np.array([math.erf((e - mean) / sd / math.sqrt(2)) for e in edges])
    expect(np.abs(mass[2] - 0.5 * np.diff(exact)).sum() < 5e-3, "masses are those of the closed form")

    p = mass.clip(0) / mass.clip(0).sum(axis=1, keepdims=True)
    q = np.array([gaussian(centres, 0.3, 1.1)] * 3)
    shares = q * 0.08 / (q * 0.08).sum(axis=1, keepdims=True)
    sparse = np.where(p > 0, p, 1)
    unknown = mass <= 2 * np.abs(
        error
    )  # measured as one cell; masses there are round-off, but Hellinger's distance takes their square roots
    merged = np.sqrt((p * unknown).sum(axis=1) * (shares * unknown).sum(axis=1))
    expect((merged < 1e-8).all(), "only the tails are unknown")
    for name, values in (
        ("log_density_cells", np.log(q) + 0.7),
        ("cell_mass", shares),
    ):  # a density need not be normalised, masses are
        path = write(where / "cells.h5", times=times, **{name: values})
        found = score(directory, path, ranks=2)
        for k, time in enumerate(times):
            expected = {
                "kl": np.sum(p[k] * np.log(sparse[k] / shares[k])),
                "total_variation": 0.5 * np.abs(p[k] - shares[k]).sum(),
                "hellinger_squared": 1 - np.sqrt(p[k] * shares[k]).sum(),
            }
            for measure, value in expected.items():
                row = found[round(float(time), 6), measure]
                low = value - (merged[k] if measure == "hellinger_squared" else 0)
                expect(
                    low - 1e-11 < float(row["value"]) < value + 1e-11
                    and row["low"] == row["value"] == row["high"]
                    and float(row["floor"]) == 0,
                    f"{name}, {measure} at {time}: {row['value']}, expected {value}",
                )
    path = write(where / "cells.h5", times=times[:1], cell_mass=0.75 * shares[:1])
    found = score(directory, path, "--measures", "kl,total_variation")
    expect(
        abs(float(found[0, "kl"]["value"]) - (np.sum(p[0] * np.log(sparse[0] / shares[0])) - math.log(0.75)))
        < 1e-11,
        "a quarter outside costs -ln(3/4)",
    )
    return directory, times, shares


def refusals(where, directory, times, shares):
    bad = shares.copy()
    bad[1, 3] = -1e-3
    cases = [
        ({"cell_mass": bad}, "masses are not negative"),
        ({"cell_mass": 2 * shares}, "sum to at most 1"),
        ({"cell_mass": shares[:, :-1]}, "149 cells along x"),
        ({"cell_mass": shares[:2]}, "/times has 3"),
        ({"log_density_cells": np.where(bad < 0, np.nan, 0)}, "finite numbers"),
        ({"log_density_cells": np.full_like(shares, -np.inf)}, "0 in all cells"),
        ({"cell_mass": shares, "samples": np.zeros((3, 5, 1))}, "expected one"),
    ]
    for datasets, words in cases:
        said = fare("score", directory, write(where / "bad.h5", times=times, **datasets), code=2)
        expect(words in said and len(said.splitlines()) == 1, f"expected '{words}', got {said!r}")
    expect("no-such" in fare("export", where / "no-such", "--grid", code=2), "no study")
    expect("choose one" in fare("export", directory, "--grid", "--ensemble", "a", code=2), "grid or ensemble")
    expect(
        "exists already" in fare("export", directory, "--grid", "--out", where / "grid.h5", code=2),
        "a file is not replaced",
    )


def empty_cells(where):
    """A wide mixture against a truth that is narrow: most of its cells are empty, and the density of samples
    is compared with sums over cells.
    """
    directory = study(where, "flat", FLAT)
    grid = where / "flat.h5"
    fare("export", directory, "--grid", "--out", grid)
    with h5py.File(grid) as file:
        times, x, y, mass = (file[name][...] for name in ("times", "centres/x", "centres/y", "truth_mass"))
    expect(mass.shape == (3, 64, 48), "axes in the order y, x")
    expect((mass[1:] < 1e-24).mean() > 0.02, "some cells are empty")
    rng = np.random.default_rng(5)
    n, share, sd = 20000, 0.7, (0.3, 0.8)

    def density(x, y):
        return sum(w * gaussian(x, 0.8, s) * gaussian(y, 0.8, s) for w, s in zip((share, 1 - share), sd))

    width = np.where(rng.random((3, n)) < share, *sd)
    samples = 0.8 + width[..., None] * rng.normal(size=(3, n, 2))
    log_density = np.log(density(samples[..., 0], samples[..., 1]))
    path = write(where / "mixture.h5", times=times, samples=samples, log_density=log_density)
    found = score(directory, path, "--measures", "density_mass,kl_density,reverse_kl_density")
    q = density(x[None, :], y[:, None]) * (x[1] - x[0]) * (y[1] - y[0])
    for k in (1, 2):
        p = mass[k].clip(0)
        at = round(float(times[k]), 6)
        kl = np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / q), 0))
        for measure, value in (("density_mass", 1), ("kl_density", kl)):
            row = found[at, measure]
            reach = (float(row["high"]) - float(row["low"])) / 2
            expect(
                abs(float(row["value"]) - value) < 2 * reach + 0.02 * value and reach < 0.1,
                f"{measure} at {at}: {row['value']} +- {reach}, cells have {value}",
            )
        expect(
            float(found[at, "reverse_kl_density"]["value"]) < math.log(2 * n + 1),
            "D(q||p) is bounded by half a count",
        )
    edge = np.argwhere(
        mass[2][1:-1, 1:-1] < 1e-24
    )  # points all round empty cells, one at a time in mass: none may hold more than the cells beside it
    rows = edge[:: max(1, len(edge) // 500)] + 1
    points = np.stack([x[rows[:, 1]], y[rows[:, 0]]], axis=1)[:, None, :] + (
        rng.random((len(rows), 40, 2)) - 0.5
    ) * 3 * [x[1] - x[0], y[1] - y[0]]
    points = points.reshape(1, -1, 2)
    inside = (np.abs(points) < 2.2).all(axis=2)[0]
    points = points[:, inside]
    path = write(where / "edge.h5", times=times[2:], samples=points, log_density=np.zeros(points.shape[:2]))
    most = float(
        score(directory, path, "--measures", "density_mass")[round(float(times[2]), 6), "density_mass"][
            "value"
        ]
    )
    near = max(mass[2][max(0, j - 2) : j + 3, max(0, i - 2) : i + 3].max() for j, i in rows) / (
        (x[1] - x[0]) * (y[1] - y[0])
    )
    expect(
        most <= near, f"points beside empty cells have a mean density of {most}, cells there at most {near}"
    )


with tempfile.TemporaryDirectory() as folder:
    where = pathlib.Path(folder)
    refusals(where, *cells_of_a_line(where))
    empty_cells(where)
sys.exit(1 if failures else 0)
