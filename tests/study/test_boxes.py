#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Particles begin where the truth does: on a box that the plan gives or that is found, evenly on it, round a
circle and in a narrow well, simulated and learned from.
fare-test: labels=study timeout=300
"""
import csv
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

WALK = "ensembles: [{name: walk, sampler: langevin, integrator: heun, particles: 100000, dt: 1.0e-4}]\n"
# (system and initial density, truth)
STUDIES = {
    "wide": (
        "system: {name: ornstein_uhlenbeck, parameters: {kT: 100}}\n",
        "{cells: [512], lower: [-60], upper: [60]}",
    ),
    "fitted": (
        "system: {name: ornstein_uhlenbeck, parameters: {kT: 10}}\n",
        "{cells: [512], fit_domain: true}",
    ),
    "even": (
        "system: {name: ornstein_uhlenbeck}\ninitial: {density: uniform}\n",
        "{cells: [512], lower: [-4], upper: [4]}",
    ),
    "narrow": (
        "system: {name: ornstein_uhlenbeck, dimension: 3, parameters: {stiffness: 400}}\n",
        "{cells: [24, 24, 24], lower: [-0.25, -0.25, -0.25], upper: [0.25, 0.25, 0.25], estimate: false}",
    ),
    "circle": (
        "system: {name: tilted_washboard}\ninitial: {density: gaussian, mean: [3.0], sd: [0.5]}\n",
        "{cells: [128]}",
    ),
    "point": (
        "system: {name: tilted_washboard}\ninitial: {density: point, mean: [3.14]}\n",
        "{cells: [512]}",
    ),
    "two turns": (
        "system: {name: tilted_washboard}\ninitial: {density: gaussian, mean: [9.2], sd: [0.5]}\n",
        "{cells: [256], lower: [-3.14159265359], upper: [9.42477796077]}",
    ),
    "other turn": (
        "system: {name: tilted_washboard}\ninitial: {density: gaussian, mean: [9.2], sd: [0.5]}\n",
        "{cells: [128]}",
    ),
}


def begins_alike(where, name, physics, truth):
    """KL at the start is no more than twenty draws of the truth in a row have, nearly."""
    directory = name.replace(" ", "_")
    (where / f"{directory}.yaml").write_text(
        f"study: {directory}\n{physics}snapshots: {{end: 2.0e-4, count: 2}}\ntruth: {truth}\n{WALK}measures:"
        " [kl]\n"
    )
    done = fare(where, "run", f"{directory}.yaml", "--no-report")
    expect(done.returncode == 0, f"{name}: {done.stderr}")
    if done.returncode:
        return
    with open(where / "out" / directory / "measures.csv", newline="") as file:
        row = next(row for row in csv.DictReader(file) if float(row["time"]) == 0 and row["measure"] == "kl")
    kl, floor = float(row["value"]), float(row["floor_high"])
    print(f"{name}: KL {kl:.3e} at the start, floor up to {floor:.3e}")
    expect(kl < 1.2 * floor, f"{name}: KL {kl} at the start, floor {floor}")


def learns_from_the_box(where):
    """The training set has the variance of the truth, kT/stiffness = 100, and not that of the system's own
    box, at most 64.
    """
    (where / "learns.yaml").write_text(
        "study: learns\nsystem: {name: ornstein_uhlenbeck, parameters: {kT: 100}}\nsnapshots: {end: 0.1,"
        " count: 3}\ntruth: {cells: [256], lower: [-60], upper: [60]}\nensembles: [{name: drawn, sampler:"
        " flow_matching, empirical: true, particles: 2000, train: {particles: 4000, dt: 0.01}}]\nmeasures:"
        " [kl]\n"
    )
    done = fare(where, "run", "learns.yaml", "--no-report")
    expect(done.returncode == 0, f"learns: {done.stderr}")
    if done.returncode:
        return
    with h5py.File(min((where / "out" / "learns" / "snapshots").glob("*.h5"))) as file:
        x = np.array(next(iter(file["data"].values()))["particles/drawn/position/x"])
    print(f"learns: variance {x.var():.2f}")
    expect(abs(x.var() / 100 - 1) < 0.25, f"learns: variance {x.var()}, expected 100")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-boxes-") as name:
        where = pathlib.Path(name)
        for study, (physics, truth) in STUDIES.items():
            begins_alike(where, study, physics, truth)
        learns_from_the_box(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
