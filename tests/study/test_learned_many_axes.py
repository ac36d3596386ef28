#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Samplers that learn in six axes, and the same as oracles: means and covariances of a driven linear system, all
of whose axes are correlated, against those that NumPy computes; the same bits after a stop; and what is
refused.
fare-test: labels=study timeout=300
"""
import csv
import pathlib
import re
import sys
import tempfile

import numpy as np

import restart
from checks import conclude, expect
from fare.files import Snapshot
from launch import execute, refusal

AXES, KT, END, DRAWS = 6, 0.7, 0.5, 8000
PULL, NEIGHBOUR, SHIFT = -2.0, 0.9, 3.0


def chain(axes):
    return PULL * np.eye(axes) + NEIGHBOUR * (np.eye(axes, k=1) + np.eye(axes, k=-1))


MATRIX = chain(AXES)
OFFSET = np.linspace(-1, 2, AXES)
NETWORK = "frequencies: 0, time_frequencies: 2, width: 32, layers: 2, batch: 512"
TRAIN = "train: {particles: 8000, dt: 5.0e-3, times: all}"
LEARNED = {
    "diffusion": "steps: 1000, ",
    "poisson_flow": "steps: 1000, dimensions: 128, ",
    "flow_matching": "steps: 1000, ",
    "normalizing_flow": "steps: 300, bins: 8, ",
    "action_matching": "steps: 500, ",
    "ebm": "steps: 1000, conditioned: true, ",
    "neq_ebm": "steps: 1000, ",
    "schrodinger_bridge": "steps: 500, pairs: 2048, ",
}
ORACLES = list(LEARNED)[:3]
STUDY = (
    f"""\
study: learned
seed: 4
system: {{name: linear, matrix: {MATRIX.tolist()}, offset: {OFFSET.tolist()}, parameters: {{kT: {KT}}}}}
drive: [{{parameter: shift, waveform: sine, amplitude: {SHIFT}, period: 1.0}}]
initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: {END}, count: 3}}
truth: {{kind: gaussian}}
measures: [density_mass, rosenblatt]
ensembles:
"""
    + "".join(
        f"  - {{name: {name}, sampler: {name}, particles: {DRAWS}, {keys}{NETWORK}, {TRAIN}}}\n"
        for name, keys in LEARNED.items()
    )
    + "".join(
        f"  - {{name: {name}_oracle, sampler: {name}, particles: {DRAWS}, {LEARNED[name]}oracle: true}}\n"
        for name in ORACLES
    )
)
FREE = 0.07  # the same of an oracle: 5 standard errors and little more
LEARNT = 0.12  # of a standard deviation or variance: what so short a training leaves, and 5 standard errors

LOOSE = {"neq_ebm": 0.45}  # its weights leave fewer particles; the drive moves means by more than 1


def moments(t):
    """It begins in equilibrium, and the drive moves the mean alone: by Simpson's rule."""
    rates, vectors = np.linalg.eigh(MATRIX)
    times = np.linspace(0, t, 2001)
    weights = np.ones(2001) * (times[1] - times[0]) / 3
    weights[1:-1:2] *= 4
    weights[2:-1:2] *= 2
    drive = 1 + SHIFT * np.sin(2 * np.pi * times)
    pushed = (weights * drive * np.exp(np.outer(rates, t - times))).sum(axis=1) if t else 0
    begun = vectors.T @ np.linalg.solve(-MATRIX, OFFSET)
    return vectors @ (np.exp(rates * t) * begun + pushed * (vectors.T @ OFFSET)), KT * np.linalg.inv(-MATRIX)


def check_moments(where, name, slack):
    for k in range(3):
        snapshot = Snapshot(where / f"out/learned/snapshots/snapshot_{k:06d}.h5")
        x, weights = snapshot.positions(name), snapshot.weights(name)
        mean, covariance = moments(k * END / 2)
        wide = np.sqrt(np.diag(covariance))
        off = np.abs(np.average(x, axis=0, weights=weights) - mean) / wide
        expect(off.max() < slack, f"{name}, snapshot {k}: means off by {off.round(3)} standard deviations")
        off = np.abs(np.cov(x.T, aweights=weights) - covariance) / np.outer(wide, wide)
        expect(off.max() < slack, f"{name}, snapshot {k}: a covariance is off by {off.max():.3f}")


WIDE = f"""\
study: wide
seed: 5
system: {{name: linear, matrix: {chain(12).tolist()}, parameters: {{kT: {KT}}}}}
initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: {END}, count: 2}}
truth: {{kind: gaussian}}
measures: [reverse_kl_density, density_mass]
ensembles:
""" + "".join(
    f"  - {{name: {name}, sampler: flow_matching, particles: 2000, sampling_steps: 8, probes: {probes},"
    " steps: 300, frequencies: 0, width: 24, layers: 2, batch: 512, train: {particles: 4000, dt: 1.0e-2,"
    " times: all}}\n"
    for name, probes in (("summed", 12), ("probed", 11))
)


def measured(where, name, measure):
    """Mean and standard error over snapshots."""
    with open(where / "measures.csv", newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["comparison"] == name and r["measure"] == measure]
    value = np.array([float(r["value"]) for r in rows])
    half = np.array([float(r["high"]) - float(r["low"]) for r in rows]) / 2
    return value.mean(), np.sqrt((half**2).sum()) / len(half) / 1.96


def check_density(where):
    for name in ("flow_matching", "normalizing_flow"):
        mass, error = measured(where / "out/learned", name, "density_mass")
        expect(abs(mass - 1) < 5 * error + 2e-3, f"{name}, six axes: mass {mass:.4f} +- {error:.4f}")
        expect(error < 0.02, f"{name}, six axes: a mass with an error of {error:.4f} says nothing")
    done = execute(["run", "study.yaml", "--no-report"], where / "wide", hangs=240)
    expect(done.returncode == 0, f"twelve axes: {done.stderr[-400:]}")
    said = re.findall(
        r"ensemble (\w+) .*standard error of (\S+) per point", (done.stdout + done.stderr).decode()
    )
    expect([name for name, _ in said] == ["probed"], f"warnings of {said}, not of the probed one alone")
    mass, _ = measured(where / "wide/out/wide", "summed", "density_mass")
    expect(abs(mass - 1) < 0.08, f"twelve axes: mass {mass:.4f}")  # 4000 values that spread by less than 1
    mass, _ = measured(where / "wide/out/wide", "probed", "density_mass")
    noise = np.exp(0.5 * float(said[0][1]) ** 2)
    expect(noise > 1.05, f"probes: so small a noise, {noise:.3f}, shows nothing")
    expect(
        abs(mass / noise - 1) < 0.5 * (noise - 1) + 0.05, f"probes: mass {mass:.3f}, by its noise {noise:.3f}"
    )
    one, two = (
        measured(where / "wide/out/wide", name, "reverse_kl_density") for name in ("summed", "probed")
    )
    expect(abs(one[0] - two[0]) < 6 * np.hypot(one[1], two[1]), f"twelve axes: {one} summed, {two} probed")


REFUSED = (
    ("{name: e, sampler: diffusion, particles: 10, empirical: true}", "is known in up to 3 axes"),
    ("{name: e, sampler: normalizing_flow, particles: 10, oracle: true}", "takes its field from a grid"),
    ("{name: e, sampler: schrodinger_bridge, particles: 10, oracle: true}", "takes its field from a grid"),
)


CHAIN = """\
study: chain
system: {name: chain, sites: 4, unit: {name: double_well}}
initial: {density: gaussian, mean: -1, sd: 0.35}
snapshots: {start: 0.0, end: 0.5, count: 2}
truth: {kind: tensor_train}
ensembles:
  - {name: e, sampler: diffusion, particles: 10, oracle: true}
"""


def check_refusals(where):
    for ensemble, wanted in REFUSED:
        done = execute(["check", "study.yaml", "--set", f"ensembles.0={ensemble}"], where)
        wrong = refusal(done, wanted, 0)
        expect(not wrong, f"{ensemble}: {wrong}")
    (where / "chain.yaml").write_text(CHAIN)
    done = execute(["check", "chain.yaml"], where)
    wrong = refusal(done, "needs the density with noise, which a truth of kind 'tensor_train' does not", 7)
    expect(not wrong, f"an oracle on a chain: {wrong}")


def main():
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place)
        (where / "study.yaml").write_text(STUDY)
        check_refusals(where)
        done = restart.run(where, 1)
        expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-400:]}")
        for name in LEARNED:
            check_moments(where, name, LOOSE.get(name, LEARNT))
        for name in ORACLES:
            check_moments(where, f"{name}_oracle", FREE)
        (where / "wide").mkdir()
        (where / "wide/study.yaml").write_text(WIDE)
        check_density(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
