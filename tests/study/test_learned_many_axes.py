#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Samplers that learn in six axes: means and covariances of a driven linear system, all of whose axes are
correlated, against those that NumPy computes; the same bits after a stop; and what is refused.
fare-test: labels=study timeout=300
"""
import pathlib
import sys
import tempfile

import numpy as np

import restart
from checks import conclude, expect
from fare.files import Snapshot
from launch import execute, refusal

AXES, KT, END, DRAWS = 6, 0.7, 0.5, 8000
PULL, NEIGHBOUR, SHIFT = -2.0, 0.9, 3.0
MATRIX = PULL * np.eye(AXES) + NEIGHBOUR * (np.eye(AXES, k=1) + np.eye(AXES, k=-1))
OFFSET = np.linspace(-1, 2, AXES)
NETWORK = "steps: 1000, frequencies: 0, time_frequencies: 2, width: 32, layers: 2, batch: 512"
TRAIN = "train: {particles: 8000, dt: 5.0e-3, times: all}"
LEARNED = {
    "diffusion": "",
    "poisson_flow": "dimensions: 128, ",
    "flow_matching": "",
}
STUDY = f"""\
study: learned
seed: 4
system: {{name: linear, matrix: {MATRIX.tolist()}, offset: {OFFSET.tolist()}, parameters: {{kT: {KT}}}}}
drive: [{{parameter: shift, waveform: sine, amplitude: {SHIFT}, period: 1.0}}]
initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: {END}, count: 3}}
truth: {{kind: gaussian}}
ensembles:
""" + "".join(
    f"  - {{name: {name}, sampler: {name}, particles: {DRAWS}, {keys}{NETWORK}, {TRAIN}}}\n"
    for name, keys in LEARNED.items()
)
LEARNT = 0.12  # of a standard deviation or variance: what so short a training leaves, and 5 standard errors


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
        x = Snapshot(where / f"out/learned/snapshots/snapshot_{k:06d}.h5").positions(name)
        mean, covariance = moments(k * END / 2)
        wide = np.sqrt(np.diag(covariance))
        off = np.abs(x.mean(axis=0) - mean) / wide
        expect(off.max() < slack, f"{name}, snapshot {k}: means off by {off.round(3)} standard deviations")
        off = np.abs(np.cov(x.T) - covariance) / np.outer(wide, wide)
        expect(off.max() < slack, f"{name}, snapshot {k}: a covariance is off by {off.max():.3f}")


REFUSED = (
    ("{name: e, sampler: diffusion, particles: 10, empirical: true}", "is known in up to 3 axes"),
    ("{name: e, sampler: normalizing_flow, particles: 10}", "runs in up to 3 axes"),
)


def check_refusals(where):
    for ensemble, wanted in REFUSED:
        done = execute(["check", "study.yaml", "--set", f"ensembles.0={ensemble}"], where)
        wrong = refusal(done, wanted, 0)
        expect(not wrong, f"{ensemble}: {wrong}")


def main():
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place)
        (where / "study.yaml").write_text(STUDY)
        check_refusals(where)
        done = restart.run(where, 1)
        expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-400:]}")
        for name in LEARNED:
            check_moments(where, name, LEARNT)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
