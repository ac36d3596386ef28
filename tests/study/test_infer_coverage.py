#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Whether intervals hold what they promise: over many sets of data of an Ornstein-Uhlenbeck process, 95% intervals by
the profile, by draws from the posterior, and by the filter of noisy tracks hold the truth; estimates have no bias,
and scatter as their errors say. Takes the number of sets as an argument; docs/inference.md has the result of 200.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

STUDY = """
study: cover
seed: 12
system: {{name: ornstein_uhlenbeck, parameters: {{stiffness: 1.0, kT: 1.0}}}}
initial: {{density: boltzmann}}
snapshots: {{start: 0.0, end: 1.0, count: 2}}
truth: {{cells: [60], lower: [-5.5], upper: [5.5]}}
infer:
  - {{name: fit, parameters: {{stiffness: 0.8, kT: 1.2}}, dt: 1.0e-2, repeats: {repeats}, {more}}}
"""
PLAIN = "lag: [0.6], tracks: 1, transitions: 200, intervals: profile"
POSTERIOR = "lag: [0.6], tracks: 1, transitions: 200, posterior: {{draws: {draws}}}"
NOISY = "lag: [0.4], tracks: 4, transitions: 60, noise: 0.3"


def cover(where, repeats, more, column="covered"):
    (where / "study.yaml").write_text(STUDY.format(repeats=repeats, more=more))
    done = fare(where, "infer", "study.yaml", "--out", "out.h5")
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / "out.h5") as file:
        found = {key: item[()] for key, item in file["infer"].items() if isinstance(item, h5py.Dataset)}
    error = np.sqrt(0.05 * 0.95 / repeats)
    print(f"{more}: {100 * found[column]}% +- {100 * error:.1f}%")
    expect((abs(found[column] - 0.95) < 4 * error).all(), f"{more}: coverage", found[column])
    z = (found["estimate"] - 1) / (found["spread"] / np.sqrt(repeats))
    expect((abs(z) < 4.5).all(), f"{more}: bias, but for that of few data", z)
    ratio = np.log(found["spread"] / found["error"])
    expect((abs(ratio) < 4 / np.sqrt(2 * repeats)).all(), f"{more}: scatter", np.exp(ratio))


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        cover(where, repeats, PLAIN)
        cover(
            where,
            repeats,
            POSTERIOR.format(draws=2000 if repeats > 40 else 300),
            "posterior_covered",
        )
        cover(where, repeats, NOISY)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
