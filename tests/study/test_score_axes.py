#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Samples of four axes against the truth of a finished study: divergences of Gaussians by their closed form, what
the study itself has measured, marginals in snapshots against the normal density, the same bits on two ranks,
and one line for what a truth without a grid cannot give.
fare-test: labels=study timeout=120
"""
import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect
from fare.files import Snapshot
from fare.results import Study
from launch import execute, refusal

AXES, COUNT, KT, SD, MEAN = 4, 6000, 0.7, 0.5, 0.4
MATRIX = -1.5 * np.eye(AXES) + 0.6 * (np.eye(AXES, k=1) + np.eye(AXES, k=-1))
STUDY = f"""\
study: four
seed: 4
system: {{name: linear, matrix: {MATRIX.tolist()}, offset: [0, 0, 0, 0], parameters: {{kT: {KT}}}}}
initial: {{density: gaussian, mean: [{MEAN}], sd: [{SD}]}}
snapshots: {{start: 0.0, end: 0.6, count: 3}}
truth: {{kind: gaussian}}
measures: [rosenblatt, marginals_1, marginals_2]
record: {{axes: [1, 3, 4]}}
ensembles:
  - {{name: langevin, sampler: langevin, particles: 4000, dt: 2.0e-3}}
  - {{name: apart, sampler: product_of_marginals, particles: 4000}}
"""


def moments(t):
    """Mean and covariance of the truth, by eigenvectors."""
    rates, vectors = np.linalg.eigh(MATRIX)
    gone = np.exp(rates * t)
    return (
        vectors @ (gone * (vectors.T @ np.full(AXES, MEAN))),
        (vectors * (gone**2 * SD**2 + KT * (gone**2 - 1) / rates)) @ vectors.T,
    )


def log_normal(x, mean, covariance):
    z = np.linalg.solve(np.linalg.cholesky(covariance), (x - mean).T)
    return -0.5 * (z**2).sum(axis=0) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]


def divergence(p, q):
    """D(p||q) of two normal densities."""
    (a, A), (b, B) = p, q
    inverse = np.linalg.inv(B)
    inner = np.trace(inverse @ A) + (b - a) @ inverse @ (b - a) - AXES
    return 0.5 * (inner + np.linalg.slogdet(B)[1] - np.linalg.slogdet(A)[1])


def score(where, *arguments, ranks=0):
    done = execute(["score", "out/four", *arguments, "--json"], where, ranks)
    expect(done.returncode == 0, f"score {arguments}: {done.stderr[-300:]}")
    return json.loads(done.stdout) if done.returncode == 0 else {"measures": []}


def check_closed_forms(where):
    """A normal density that lies aside, its own logarithm known, at two times in the wrong order."""
    rng, times = np.random.default_rng(5), np.array([0.6, 0.3])
    made = [(mean + 0.1, 1.2 * covariance) for mean, covariance in map(moments, times)]
    samples = np.array([rng.multivariate_normal(*q, size=COUNT) for q in made])
    with h5py.File(where / "aside.h5", "w") as file:
        file.update({"times": times, "samples": samples})
        file["log_density"] = [log_normal(x, *q) for x, q in zip(samples, made)]
    found = score(where, "aside.h5")
    for t, q in zip(times, made):
        here = {row["measure"]: row for row in found["measures"] if row["time"] == t}
        p = moments(t)
        for name, exact in (
            ("reverse_kl_density", divergence(q, p)),
            ("kl_density", divergence(p, q)),
            ("density_mass", 1.0),
        ):
            row = here[name]
            spread = (row["high"] - row["low"]) / 3.92
            expect(
                abs(row["value"] - exact) < 4.5 * spread and spread < 0.02,
                f"{name} at {t} is {row['value']:.4g}, should be {exact:.4g} +- {spread:.1g}",
            )
        for name in ("rosenblatt", "marginals_2", "log_density_shift", "energy_distance"):
            expect(here[name]["significance"] > 5, f"{name} at {t} sees nothing: {here[name]}")
        expect(here["rosenblatt"]["low"] <= divergence(q, p), "a lower bound lies above the divergence")
    expect(found["outside"] == 0 and found["dimension"] == AXES, f"outside {found['outside']}")
    few = ("aside.h5", "--measures", "rosenblatt,kl_density,marginals_1")
    expect(score(where, *few, ranks=2) == score(where, *few), "on two ranks the scores differ")
    alone = score(where, "aside.h5", "--replicates", "0", "--measures", "rosenblatt,kl_density")
    values = {(r["time"], r["measure"]): r["value"] for r in found["measures"]}
    for row in alone["measures"]:
        expect(row["value"] == values[row["time"], row["measure"]], "values alone are others")
        expect(row["floor"] is None and "not asked" in row["no_interval"], f"values alone have more: {row}")


def check_own_values(where):
    """Values that need no random numbers are those of the study, for the state is that of every snapshot."""
    done = execute(["export", "out/four", "--ensemble", "apart", "--out", "apart.h5"], where)
    expect(done.returncode == 0, f"export: {done.stderr}")
    with h5py.File(where / "apart.h5") as file:
        expect(file["samples"].shape == (3, 4000, AXES), "shape of the training set")
        axes = [name.decode() for name in file.attrs["axes"]]
        expect(axes == [f"x{i + 1}" for i in range(AXES)], f"axes {axes}")
        expect(len(file.attrs["lower"]) == AXES and "drive" in file, "box and drive of the training set")
    names = ("rosenblatt", "marginals_1", "marginals_2")
    rows = score(where, "apart.h5", "--measures", ",".join(names))["measures"]
    own = Study(where / "out/four").comparisons["apart"].measures
    for name in names:
        scored = [row["value"] for row in rows if row["measure"] == name]
        expect(np.array_equal(scored, own[name].value), f"{name}: {scored}, the study has {own[name].value}")


def check_marginals(where):
    """Against integrals of the normal density over cells, by the midpoint rule on four times as many."""
    snapshot = Snapshot(where / "out/four/snapshots/snapshot_000002.h5")
    wanted = {f"marginal_{name}" for name in ("x1", "x3", "x4", "x1_x3", "x1_x4", "x3_x4")}
    expect(set(snapshot.meshes) == wanted, f"meshes {snapshot.meshes}")
    mean, covariance = moments(0.6)
    for name in sorted(wanted):
        kept = [int(part[1:]) - 1 for part in name.split("_")[1:]]
        density = snapshot.mesh(name)
        edges = [snapshot.edges(i, name) for i in range(len(kept))]
        fine = [np.linspace(e[0], e[-1], 8 * len(e) - 7) for e in edges]
        middle = np.meshgrid(*(0.5 * (f[1:] + f[:-1]) for f in fine), indexing="ij")
        points = np.stack([m.ravel() for m in middle], axis=1)
        exact = np.exp(log_normal(points, mean[kept], covariance[np.ix_(kept, kept)]))
        exact = exact.reshape([n for e in edges for n in (len(e) - 1, 8)])
        exact = exact.mean(axis=tuple(range(1, 2 * len(kept), 2)))
        wrong = abs(density - exact).max() / exact.max()
        expect(density.shape == exact.shape and wrong < 2e-3, f"{name} is off by {wrong:.1e}")
        volume = np.prod([e[1] - e[0] for e in edges])
        expect(abs(density.sum() * volume - 1) < 1e-6, f"{name} has the mass {density.sum() * volume}")
        expect(len(kept) == 1 or 64 <= min(density.shape) <= max(density.shape) <= 128, f"{name} is large")


def check_plan(where):
    """The resolved plan names the measures, and others are measured when the study goes on."""
    study = Study(where / "out/four")
    expect("measures: [rosenblatt, marginals_1, marginals_2]" in study.plan, study.plan[-300:])
    more = ["--resume", "--set", "measures=[marginals_1, stein]"]
    done = execute(["run", "study.yaml", "--no-report", *more], where)
    expect(done.returncode == 0, f"going on: {done.stderr[-300:]}")
    found = Study(where / "out/four").comparisons["apart"].measures
    expect(list(found) == ["marginals_1", "stein"], f"measures after going on: {list(found)}")
    same = found["marginals_1"].value == study.comparisons["apart"].measures["marginals_1"].value
    expect(same.all(), "marginals_1 is another after going on")


def check_refusals(where):
    with h5py.File(where / "cells.h5", "w") as file:
        file.update({"times": [0.3], "cell_mass": np.ones((1, 4)) / 4})
    with h5py.File(where / "three.h5", "w") as file:
        file.update({"times": [0.3], "samples": np.ones((1, 50, 3))})
    for arguments, wanted in (
        (["aside.h5", "--measures", "kl"], "measure kl needs a truth on a grid"),
        (["apart.h5", "--measures", "kl_density"], "needs samples with their own ln q"),
        (["cells.h5"], "/cell_mass is a density on cells"),
        (["three.h5"], "/samples has 3 axes, the truth in out/four has 4"),
    ):
        wrong = refusal(execute(["score", "out/four", *arguments], where), wanted, 0)
        expect(not wrong, f"{arguments}: {wrong}")
    with h5py.File(where / "one.h5", "w") as file:
        file.update({"times": [0.3], "samples": np.zeros((1, 1, 4))})
    done = execute(["score", "out/four", "one.h5", "--measures", "stein,marginals_1"], where)
    lines = done.stdout.decode().splitlines()
    rows = [line.split() for line in lines if line.startswith(("stein", "marginals"))]
    expect(done.returncode == 0 and len(rows) == 2, f"a single sample: {done.stderr}")
    expect(rows and rows[0][2] == "-" and "nan" not in str(rows), f"a single sample has no pairs: {rows}")
    done = execute(
        ["run", "study.yaml", "--no-report", "--set", "record={truth: false}", "--set", "ensembles=[]"]
        + ["--set", "output.directory=bare"],
        where,
    )
    expect(done.returncode == 0, f"record.truth: false: {done.stderr}")
    expect(
        not Snapshot(where / "bare/snapshots/snapshot_000000.h5").meshes, "marginals are there all the same"
    )
    wrong = refusal(execute(["score", "bare", "aside.h5"], where), "do not keep the state of the truth", 0)
    expect(not wrong, f"without a state: {wrong}")


def main():
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place)
        (where / "study.yaml").write_text(STUDY)
        done = execute(["run", "study.yaml", "--no-report"], where)
        expect(done.returncode == 0, f"the study: {done.stderr[-400:]}")
        check_closed_forms(where)
        check_own_values(where)
        check_marginals(where)
        check_refusals(where)
        check_plan(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
