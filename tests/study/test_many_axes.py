#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A study in 32 axes from end to end: particles of every integrator, and chains, against moments that NumPy
computes; the truth's status in snapshots, tables and study.h5; the same bits on one rank and on three, and
after a kill; what is exported and read back; and one line for everything that cannot be there.
fare-test: labels=study timeout=300
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import restart
from checks import conclude, expect
from fare.files import Snapshot
from fare.results import Study
from launch import execute, refusal

AXES, END, START, KT = 32, 0.5, 0.2, 0.7
MEAN, SD = 0.4, 0.5
PULL, NEIGHBOUR, SHIFT = -1.5, 0.4, 1.0
MATRIX = PULL * np.eye(AXES) + NEIGHBOUR * (np.eye(AXES, k=1) + np.eye(AXES, k=-1))
OFFSET = np.linspace(-1, 1, AXES)
STUDY = f"""\
study: many
seed: 4
system:
  name: linear
  matrix: {MATRIX.tolist()}
  offset: {OFFSET.tolist()}
  parameters: {{kT: {KT}}}
drive: [{{parameter: shift, waveform: sine, amplitude: 3.0, period: 1.0}}]
initial: {{density: gaussian, mean: [{MEAN}], sd: [{SD}]}}
snapshots: {{start: {START}, end: {START + END}, count: 4}}
truth: {{kind: gaussian}}
measures: [log_density_shift]
ensembles:
  - {{name: euler, sampler: langevin, particles: 4000, dt: 2.0e-3}}
  - {{name: lm, sampler: langevin, particles: 4000, dt: 5.0e-3, integrator: leimkuhler_matthews}}
  - {{name: heun, sampler: langevin, particles: 4000, dt: 1.0e-2, integrator: heun}}
  - {{name: frozen, sampler: boltzmann, particles: 1500, sweeps: 60, adaptation: 10}}
  - {{name: ladder, sampler: replica_exchange, particles: 1500, temperatures: 8, sweeps: 40, adaptation: 10}}
"""
RANDOM_DRAWS = 8 * (AXES + 2)  # of a sweep of the ladder: more than a stream of random numbers has


def drive(t):
    return SHIFT + 3 * np.sin(2 * np.pi * t)


def moments(t):
    """Mean and covariance of the simulated density: by eigenvectors, and Simpson's rule for the drive."""
    rates, vectors = np.linalg.eigh(MATRIX)
    times = np.linspace(START, t, 2001)
    weights = np.ones(2001) * (times[1] - times[0]) / 3
    weights[1:-1:2] *= 4
    weights[2:-1:2] *= 2
    pushed = (weights * drive(times) * np.exp(np.outer(rates, t - times))).sum(axis=1)
    gone = np.exp(rates * (t - START))
    mean = vectors @ (gone * (vectors.T @ np.full(AXES, MEAN)) + pushed * (vectors.T @ OFFSET))
    spread = gone**2 * SD**2 + KT * (gone**2 - 1) / rates
    return mean, vectors * spread @ vectors.T


def equilibrium(t):
    return np.linalg.solve(-MATRIX, drive(t) * OFFSET), KT * np.linalg.inv(-MATRIX)


def check_particles(snapshot, t):
    for name in ("euler", "lm", "heun", "frozen", "ladder"):
        x = snapshot.positions(name)
        mean, covariance = (moments if name in ("euler", "lm", "heun") else equilibrium)(t)
        slack = 0.01 if name == "euler" else 0  # its own error of first order
        off = (x.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / len(x))
        expect(
            np.abs(x.mean(axis=0) - mean).max() < slack + 5 * np.sqrt(covariance.max() / len(x)),
            f"{name}: means are off by {off.round(1)} standard errors",
        )
        seen, root = np.cov(x.T), np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        error = np.sqrt((root**2 + covariance**2) / len(x))
        worst = np.abs((seen - covariance) / (error + slack * root)).max()
        expect(worst < 5.5, f"{name}: a covariance is off by {worst:.1f} standard errors")


def check_study(where, done):
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-400:]}")
    expect(f"Truth (gaussian, {AXES} axes): largest estimated L1 error" in done.stdout, done.stdout[-900:])
    t = START + END
    _, covariance = moments(t)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    path = where / "out/many/snapshots/snapshot_000003.h5"
    check_particles(Snapshot(path), t)
    with h5py.File(path) as file:
        said = file["fare/truth"].attrs
        expect(abs(said["entropy"] - entropy) < 1e-6, f"entropy {said['entropy']}, should be {entropy}")
        position = file["data/3/particles/heun/position"]
        names = [f"x{axis + 1}" for axis in range(AXES)]
        expect(sorted(position) == sorted(names), f"components {list(position)}")
        expect([n.decode() for n in position.attrs["axisLabels"]] == names, "labels of axes")
    with h5py.File(where / "out/many/study.h5") as file:
        expect(file["truth"].attrs["kind"] in (b"gaussian", "gaussian"), "kind of truth in study.h5")
        expect("bins" not in file and "binned" not in file, "there are bins, but no grid")
    study = Study(where / "out/many")
    expect(study.truth is None and study.joint.kind == "gaussian", "the package reads another truth")
    expect(abs(study.joint.series["entropy"][-1] - entropy) < 1e-6, "entropy in study.h5")


def differences(where, other):
    wrong = restart.differences(where / "out/many", where / other)
    one, two = (restart.bits(where / out / "study.h5", ["truth"]) for out in ("out/many", other))
    return wrong + [key for key in one if one[key] != two.get(key)]


def check_ranks(where):
    done = restart.run(where, 3, "--set", "output.directory=three")
    expect(done.returncode == 0, f"three ranks: {done.stderr[-400:]}")
    expect(not differences(where, "three"), f"on three ranks {differences(where, 'three')[:4]} differ")


def check_kill(where):
    """Ended by a signal that nobody can catch, once two checkpoints are there, and taken up on two ranks."""
    process = subprocess.Popen(
        restart.command(1, "--checkpoint-seconds", "0", "--set", "output.directory=killed"),
        cwd=where,
        env=restart.ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and len(list(where.glob("killed/checkpoints/checkpoint_*_*.h5"))) < 2:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    expect(not (where / "killed/study.h5").exists(), "the study was over before it was killed")
    done = restart.run(where, 2, "--resume", "--set", "output.directory=killed")
    expect(done.returncode == 0, f"after a kill: {done.stderr[-400:]}")
    expect("resuming from" in done.stdout, f"after a kill: {done.stdout[:400]}")
    expect(not differences(where, "killed"), f"after a kill {differences(where, 'killed')[:4]} differ")
    for key, wanted in (
        ("truth.tolerance=1e-9", "truth.tolerance was 1e-10, now it is 1e-09"),
        ("truth={kind: grid, cells: [4]}", "a grid has up to 3 axes, the system has 32"),
    ):
        done = restart.run(where, 1, "--resume", "--set", "output.directory=killed", "--set", key)
        expect(done.returncode == 2 and wanted in done.stderr, f"--resume with {key}: {done.stderr[-300:]!r}")


def check_export(where):
    wrong = refusal(execute(["export", "out/many", "--grid"], where), "the truth is of kind 'gaussian'", 0)
    expect(not wrong, f"export --grid: {wrong}")
    done = execute(["export", "out/many", "--ensemble", "heun"], where)
    expect(done.returncode == 0, f"export: {done.stderr}")
    with h5py.File(where / "many_training.h5") as file:
        last = Snapshot(where / "out/many/snapshots/snapshot_000003.h5").positions("heun")
        expect(np.array_equal(file["samples"][-1], last), "exported samples are others")


REFUSED = (
    ("truth.kind=gausssian", "unknown kind of truth 'gausssian' (did you mean 'gaussian'?)"),
    ("truth.kind=[1]", "truth.kind: expected one of"),
    ("truth.cells=[8]", "truth: unknown key 'cells'"),
    ("truth={cells: [8, 8]}", "a grid has up to 3 axes, the system has 32: set 'kind'"),
    (
        "analysis=[{name: a, kind: stationary}]",
        "analyses need a grid, which a truth of kind 'gaussian' is not",
    ),
    ("thermodynamics={}", "thermodynamics needs a grid, which a truth of kind 'gaussian' is not"),
    ("events=[]", "rare events need a grid, which a truth of kind 'gaussian' is not"),
    ("rare=[]", "rare events need a grid, which a truth of kind 'gaussian' is not"),
    ("measures=[kl]", "unknown measure 'kl'"),
    ("record={densities: true}", "need a grid"),
    ("record={axes: [1, 33]}", "record.axes: there is no axis 33, the system has 32"),
    ("record={axes: [3, 2]}", "record.axes: expected axes in increasing order, got 2 after 3"),
    ("record={axes: [0]}", "record.axes"),
    ("initial={density: gaussian, mean: [1, 2], sd: [1]}", "needs 32 numbers in 'mean', got 2"),
    ("initial={density: snapshot, file: x.h5}", "a snapshot holds a density of up to 3 axes"),
    ("ensembles.0={name: e, sampler: langevin, particles: 10, dt: 0.1, integrator: baoab}", "baoab"),
    ("ensembles.0={name: e, sampler: annealed_importance, particles: 10}", "begins in equilibrium"),
)


PRODUCT = """\
study: two
system: {name: product, copies: 2, unit: {name: double_well}, FRAME}
snapshots: {end: 0.1, count: 2}
truth: TRUTH
"""
EVENT = "events: [{name: e, a: {upper: [-1, 3]}, b: {lower: [1, -3]}, start: [0, 0]}]\n"
RARE = EVENT + "rare: [{name: r, method: brute_force, event: e, dt: 0.1}]\n"
STATIONARY = "analysis: [{name: a, kind: stationary}]\n"
NO_LIFT = "a grid knows the forces of a product before its lift alone"
NO_GRID = "a grid, which a truth of kind 'product' is not"


def check_products(where):
    """In few axes a grid serves, too: of what is turned, not of what is lifted."""
    for frame, truth, more, wanted in (
        ("rotation: haar", "{cells: [16, 16]}", RARE + STATIONARY, ""),
        ("lift: 0.3", "{cells: [16, 16]}", "", NO_LIFT),
        ("lift: 0.3", "{kind: grid, cells: [16, 16]}", RARE, NO_LIFT),
        ("lift: 0.3, rotation: haar", "{cells: [16, 16]}", STATIONARY, NO_LIFT),
        ("lift: 0.3", "{kind: product, cells: [16]}", "", ""),
        ("lift: 0.3", "{kind: product, cells: [16]}", STATIONARY, "analyses need " + NO_GRID),
        ("lift: 0.3", "{kind: product, cells: [16]}", RARE, "rare events need " + NO_GRID),
        ("rotation: haar", "{kind: product, cells: [16]}", EVENT, "rare events need " + NO_GRID),
    ):
        text = PRODUCT.replace("FRAME", frame).replace("TRUTH", truth) + more
        (where / "two.yaml").write_text(text)
        done = execute(["check", "two.yaml"], where)
        wrong = refusal(done, wanted, 0) if wanted else done.returncode and done.stderr
        expect(not wrong, f"{frame}, {truth}, {more}: {wrong}")


def check_refusals(where):
    text = (where / "study.yaml").read_text()
    bare = text.replace("truth: {kind: gaussian}\n", "").replace(
        "initial: {density: gaussian", "initial: {density: boltzmann} #"
    )
    (where / "bare.yaml").write_text(bare)
    wrong = refusal(execute(["check", "bare.yaml"], where), "an initial Boltzmann density of 32 axes", 0)
    expect(not wrong, f"Boltzmann without a truth: {wrong}")
    for key, wanted in REFUSED:
        wrong = refusal(execute(["check", "study.yaml", "--set", key], where), wanted, 0)
        expect(not wrong, f"{key}: {wrong}")


COARSE = """\
study: coarse
system: {name: product, copies: 4, unit: {name: prinz}}
snapshots: {end: 0.1, count: 2}
truth: {kind: product, cells: [24]}
"""
TIGHT = """\
study: tight
system: {name: chain, sites: 4, unit: {name: double_well}}
initial: {density: gaussian, mean: [-1.0], sd: [0.2]}
snapshots: {end: 0.1, count: 2}
truth: {kind: tensor_train, cells: 16, rank: 4, step: 0.05, lower: -1.5, upper: 1.5, tolerance: 1.0}
"""
WIDE = TIGHT.replace("-1.5", "-3.2").replace("1.5", "3.2").replace("cells: 16", "cells: 24")
STEEP = WIDE.replace("{name: double_well}", "{name: double_well, parameters: {height: 1.0e5}}").replace(
    "mean: [-1.0], sd: [0.2]", "mean: [0], sd: [0.5]"
)
APART = (
    STEEP
    + """\
measures: [log_density_shift, sliced_wasserstein, energy_distance]
ensembles: [{name: exact, sampler: exact, particles: 500}]
"""
)
UNRESOLVED = "the truth is not resolved in space at time 0"
SMALL = "the box is small: a mass of"


def check_outside(where):
    """A start that a box would squeeze into its last cells; under a rotation, as the blocks see it."""
    for text, wanted in (
        (WIDE.replace("mean: [-1.0]", "mean: [-3.3]"), "a site would begin at -3.3, outside of its cells"),
        (
            COARSE + "initial: {density: gaussian, mean: [0, 9, 0, 0], sd: [0.1]}\n",
            "block 2 would begin at 9 along its axis 1, outside of its box, [-2, 2]",
        ),
        (
            COARSE.replace("{name: prinz}", "{name: prinz}, rotation: haar")
            + "initial: {density: gaussian, mean: [3], sd: [0.1]}\n",
            "outside of its box, [-2, 2]",
        ),
    ):
        (where / "outside.yaml").write_text(text)
        wrong = refusal(execute(["check", "outside.yaml"], where), wanted, 0)
        expect(not wrong, f"{wanted}: {wrong}")


def check_doubts(where):
    """What a grid says of itself, truths that are made of grids say, too; and only where it is so."""
    for text, wanted in (
        (COARSE, [UNRESOLVED, "in unit 'prinz', the cells are too coarse", "UNRESOLVED in space at 2 of 2"]),
        (COARSE.replace("[24]", "[512]"), []),
        (TIGHT, [SMALL]),
        (WIDE, []),
        # versions of the truth that have nothing in common: no draw has weight in another
        (APART.replace("tolerance: 1.0", "tolerance: 2"), ["cells of 0.267 are too wide"]),
        (WIDE.replace("sd: [0.2]", "sd: [0.1]"), [UNRESOLVED, "narrower than a cell"]),
    ):
        (where / "doubt.yaml").write_text(text)
        done = execute(["run", "doubt.yaml", "--overwrite", "--no-report"], where)
        said = (done.stdout + done.stderr).decode()
        expect(done.returncode == 0 and all(w in said for w in wanted), f"{wanted}: {said[-900:]}")
        expect(wanted or (UNRESOLVED not in said and SMALL not in said), f"nothing is wrong: {said[:900]}")


def main():
    expect(RANDOM_DRAWS > 256, "the ladder has streams of random numbers of its own")
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place)
        (where / "study.yaml").write_text(STUDY)
        check_refusals(where)
        check_products(where)
        check_outside(where)
        check_study(where, restart.run(where, 1))
        check_ranks(where)
        check_kill(where)
        check_export(where)
        check_doubts(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
