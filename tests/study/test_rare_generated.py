#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Ensembles on the condition of a rare event: the density of paths on their way to it against plain paths that get there,
a model that learns from splitting, the same particles on any number of ranks, and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

KT, A, B, START, SPAN, DT = 0.4, -1.3, 0.5, -0.8, 1.0, 4.0e-3
TIMES = (0.2, 0.4, 0.6)
STUDY = f"""\
study: generated
seed: 3
system: {{name: double_well, parameters: {{kT: {KT}}}}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 0.5, period: 1.0}}]
snapshots: {{start: {TIMES[0]}, end: {TIMES[-1]}, count: {len(TIMES)}}}
truth: {{cells: [128]}}
measures: [kl, wasserstein_1]
events: [{{name: over, a: {{upper: [{A}]}}, b: {{lower: [{B}]}}, start: [{START}], deadline: {SPAN}}}]
rare:
  - {{name: split, method: splitting, event: over, walkers: 50, kill: 5, runs: 2, dt: {DT}, crossing: bridge}}
condition: split
ensembles:
  - {{name: flow, sampler: normalizing_flow, particles: 4000, train: {{particles: 4000, times: all}}, steps: 300}}
  - {{name: plain, sampler: langevin, particles: 4000, dt: {DT}}}
"""


def run(where, text, name, ranks=1):
    path = where / f"{name}.yaml"
    path.write_text(text)
    output = f"output.directory={where / name}"
    done = fare(where, "run", path, "--no-report", "--overwrite", "--set", output, ranks=ranks)
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    return where / name, done.stdout


def plain_paths(count=150000, steps=250, seed=7):
    """Where paths are at the times that get from the start to b before a and the deadline, with bridges over steps."""
    random, dt = np.random.default_rng(seed), SPAN / steps
    x, goes, arrived = np.full(count, START), np.ones(count, bool), np.zeros(count, bool)
    end, at = np.full(count, np.inf), {}
    for k in range(steps):
        if round(k * dt, 9) in TIMES:
            at[round(k * dt, 9)] = x.copy()
        force = -4 * x * (x * x - 1) + 0.5 * np.sin(2 * np.pi * k * dt)
        new = x + force * dt + np.sqrt(2 * KT * dt) * random.standard_normal(count)
        u = random.random(count)
        b = np.exp(-np.maximum(B - x, 0) * np.maximum(B - new, 0) / (KT * dt))
        a = np.exp(-np.maximum(x - A, 0) * np.maximum(new - A, 0) / (KT * dt))
        hit, lost = u < b, (u >= b) & (u < a + b)
        arrived |= goes & hit
        end[goes & hit] = (k + 1) * dt
        goes &= ~(hit | lost)
        x = new
    return {t: x[arrived & (end > t + 1e-9)] for t, x in at.items()}


def densities_are_those_of_paths(where, folder):
    known = plain_paths()
    for k, t in enumerate(TIMES):
        with h5py.File(where / folder / "snapshots" / f"snapshot_{k:06d}.h5") as file:
            density, error = (file[f"density_reactive{of}"][:] for of in ("", "_error"))
            centres = file["x"][:]
        width = centres[1] - centres[0]
        expect(abs(density.sum() * width - 1) < 1e-9, f"time {t}: a density", density.sum() * width)
        expect(abs(error).sum() * width < 0.02, f"time {t}: its error is small", abs(error).sum() * width)
        inside = np.append(0, np.cumsum(density) * width)
        share = np.interp(np.sort(known[t]), np.append(centres - width / 2, centres[-1] + width / 2), inside)
        ranks = (np.arange(len(share)) + 0.5) / len(share)
        off, noise = abs(share - ranks).max(), 1.63 / np.sqrt(len(share))
        print(f"time {t}: {len(share)} paths, distance {off:.4f}, noise {noise:.4f}", flush=True)
        expect(off < noise + 0.01, f"time {t}: the density is that of paths", (off, noise))


def kl(where, folder, name):
    with h5py.File(where / folder / "study.h5") as file:
        return file[f"comparisons/{name}/kl/value"][:]


def models_learn_it(where, folder):
    flow, plain = kl(where, folder, "flow"), kl(where, folder, "plain")
    print("KL of a flow", flow, "and without the condition", plain, flush=True)
    expect((flow < 0.06).all(), "a flow learns the condition", flow)
    expect((plain > 0.5).all(), "plain particles do not meet it", plain)


def ranks_find_the_same_paths(where):
    """The optimum for the training set is a function of its particles alone."""
    text = STUDY.replace("sampler: normalizing_flow, particles: 4000", "sampler: diffusion, particles: 1000")
    # in haste, and half of the walkers killed: these were far behind, and no branch may keep anything of them
    text = text.replace("steps: 300", "empirical: true").replace(
        "walkers: 50, kill: 5", "walkers: 10, kill: 5"
    )
    text = text.replace(f"deadline: {SPAN}", "deadline: 0.4").replace("end: 0.6", "end: 0.32")
    one, two = (kl(where, run(where, text, f"ranks{ranks}", ranks)[0].name, "flow") for ranks in (1, 2))
    print("KL of the training set", one, two, flush=True)
    expect((one < 0.1).all(), "paths by splitting have the density", one)
    expect(np.allclose(one, two, rtol=1e-6), "two ranks find the same paths", (one, two))


def mistakes_are_told(where):
    path = where / "wrong.yaml"
    for old, new, message in (
        ("condition: split", "condition: spilt", "there is no estimator 'spilt'"),
        ("method: splitting", "method: doob", "splitting"),
        ("start: 0.2", "start: 0.0", "there is a snapshot at 0"),
        ("dt: 0.004, crossing", "dt: 0.03, crossing", "no multiple of the step"),
        ("steps: 300", "steps: 300, oracle: true", "oracle"),
    ):
        expect(old in STUDY, f"'{old}' is in the study", STUDY)
        text = STUDY.replace(old, new)
        if "doob" in new:
            text = text.replace("walkers: 50, kill: 5, ", "")
        path.write_text(text)
        done = fare(where, "check", path)
        expect(done.returncode == 2 and message in done.stderr, f"'{new}' is refused", done.stderr)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        at, _ = run(where, STUDY, "generated")
        densities_are_those_of_paths(where, "generated")
        models_learn_it(where, "generated")
        done = fare(where, "score", at, at / "snapshots/snapshot_000000.h5")
        expect(done.returncode == 2 and "condition" in done.stderr, "scores know no condition", done.stderr)
        ranks_find_the_same_paths(where)
        mistakes_are_told(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
