#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The particle engine: its speed beside the usual way and beside its bound, and what each integrator costs to
come near the truth.

    bench/particles.py [--build build] [--particles 1000000] [--speed]

The first table is that of build/bin/bench_particles (made by `cmake --build build --target bench_particles`).
The second is of a study of the driven Prinz potential with one ensemble per integrator and step: the distance
from the truth beyond what exact draws of the same size show, averaged over four instants of a period, and
seconds on one core from the speeds of the first table. The third reads off, between the steps, the seconds
that bring a million particles within a given distance over one unit of time. Nothing is asserted.
"""
import argparse
import math
import os
import pathlib
import re
import subprocess
import tempfile

import h5py

ROOT = pathlib.Path(__file__).resolve().parent.parent
INTEGRATORS = ("euler_maruyama", "leimkuhler_matthews", "heun")
STEPS = (500, 1000, 2000, 4000, 8000)  # in a unit of time
TARGETS = {"kl": (1e-2, 3e-3, 1e-3, 3e-4, 1e-4), "wasserstein_1": (1e-2, 3e-3, 1e-3)}


def speeds(build):
    """ns a step, by integrator."""
    output = subprocess.run(
        [build / "bin" / "bench_particles"], check=True, capture_output=True, text=True
    ).stdout
    print(output)
    return {
        name: float(re.search(rf"^FARE, {name}\s+([0-9.]+)", output, re.MULTILINE)[1]) for name in INTEGRATORS
    }


def distances(build, particles):
    """distance[measure][integrator][steps], beyond the floor."""
    with tempfile.TemporaryDirectory() as place:
        study = pathlib.Path(place) / "study.yaml"
        ensembles = "\n".join(
            f"  - {{name: {name}_{steps}, sampler: langevin, integrator: {name}, dt: {1 / steps:.17g},"
            f" particles: {particles}}}"
            for name in INTEGRATORS
            for steps in STEPS
        )
        study.write_text(
            "study: steps\nseed: 1\nsystem: {name: prinz}\ndrive: [{parameter: tilt, waveform: sine,"
            " amplitude: 4.0, period: 1.0}]\nsnapshots: {start: 0, end: 1, count: 5}\ntruth: {cells:"
            f" [4096], tolerance: 1.0e-8}}\nensembles:\n{ensembles}\nmeasures: [kl, wasserstein_1]\noutput:"
            f" {{directory: {place}/out}}\n"
        )
        subprocess.run(
            [build / "bin" / "fare", "run", study, "--no-report"],
            check=True,
            stdout=subprocess.DEVNULL,
            env=dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"),
        )
        with h5py.File(f"{place}/out/study.h5") as file:
            return {
                measure: {
                    name: {
                        steps: float(file[f"comparisons/{name}_{steps}/{measure}/excess"][1:].mean())
                        for steps in STEPS
                    }
                    for name in INTEGRATORS
                }
                for measure in TARGETS
            }


def seconds_to(target, distance, cost):
    """By straight lines between logarithms; None where the finest step is not fine enough."""
    steps = sorted(distance)
    if distance[steps[0]] <= target:
        return cost * steps[0], "<"
    for coarse, fine in zip(steps, steps[1:]):
        if distance[fine] <= target:
            above, below = math.log(distance[coarse] / target), math.log(target / max(distance[fine], 1e-300))
            share = above / (above + below)
            return cost * coarse * (fine / coarse) ** share, ""
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--particles", type=int, default=1_000_000)
    parser.add_argument("--speed", action="store_true", help="the first table alone")
    arguments = parser.parse_args()
    cost = {
        name: 1e-9 * 1e6 * ns for name, ns in speeds(arguments.build).items()
    }  # seconds of a million particles in one step
    if arguments.speed:
        return
    found = distances(arguments.build, arguments.particles)
    for measure, by_name in found.items():
        print(f"\n{measure} beyond the floor; a million particles over one unit of time\n")
        print("| dt | " + " | ".join(f"{name} | seconds" for name in INTEGRATORS) + " |\n" + "|---" * 7 + "|")
        for steps in STEPS:
            print(
                f"| 1/{steps} | "
                + " | ".join(f"{by_name[name][steps]:.2e} | {cost[name] * steps:.2f}" for name in INTEGRATORS)
                + " |"
            )
        print("\n| distance | " + " | ".join(INTEGRATORS) + " |\n" + "|---" * 4 + "|")
        for target in TARGETS[measure]:
            cells = [seconds_to(target, by_name[name], cost[name]) for name in INTEGRATORS]
            print(
                f"| {target:g} | "
                + " | ".join(
                    "not reached" if cell is None else f"{cell[1]} {cell[0]:.2f} s".strip() for cell in cells
                )
                + " |"
            )


if __name__ == "__main__":
    main()
