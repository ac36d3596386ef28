#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
FARE's weighted ensemble beside that of WESTPA 2, on the same double well with the same chain, bins and walkers: cost
in steps, and error.

    bench/weighted_ensembles.py [--build build] [--runs 12] [--kT 0.05] [--jobs 2]

Run it with a Python that has WESTPA (pip install westpa h5py); without, it says so and ends. WESTPA's own driver
(westpa.core.we_driver.WEDriver) recycles, splits and merges; walkers are moved here, all at once, and nothing is
written. A walker that reaches the target stops there until the driver recycles it, so that no arrival is missed. Some
ten minutes of one core.

The rate that both should find is that of the chain, which FARE prints. `of optimum` compares with the least cost of
any weighted ensemble, by the analysis weighted_ensemble_optimum. Nothing is asserted.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import math
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
START, TARGET, DT = -1.0, 0.5, 4e-3
STUDY = """study: ensembles
system: {{name: double_well, parameters: {{kT: {kT}}}}}
snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}
truth: {{cells: [1024]}}
events: [{{name: over, a: {{upper: [-1.2]}}, b: {{lower: [{target}]}}, start: [{start}]}}]
rare:
"""
LINE = (
    "  - {{name: {name}, method: weighted_ensemble, event: over, score: x, bins: {bins}, walkers: {walkers},"
    " allocation: {allocation}, resample: {every}, time: {span}, burn: {burn}, dt: {dt}, runs: {runs}}}\n"
)


class Setting(typing.NamedTuple):
    bins: int  # between start and target, of equal width; the first and the last are open
    walkers: int  # of all bins
    every: float  # time between two times of resampling
    span: float
    burn: float


SETTINGS = (Setting(24, 240, 0.04, 50, 10), Setting(48, 240, 0.02, 25, 9))


class Row(typing.NamedTuple):
    method: str
    setting: Setting
    rate: float
    variance: float  # relative, of one run
    cost: float  # steps of one run
    seconds: float


def moved(x: np.ndarray, kT: float, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Walkers after so many steps of the chain, or in the target; and the steps that they took."""
    x, taken = x.copy(), 0
    going = np.flatnonzero(x < TARGET)
    for _ in range(steps):
        at = x[going]
        noise = math.sqrt(2 * kT * DT) * rng.standard_normal(len(at))
        x[going] = at - 4 * at * (at * at - 1) * DT + noise
        taken += len(going)
        going = going[x[going] < TARGET]
    return x, taken


def westpa_run(setting: Setting, kT: float, seed: int) -> tuple[float, float, float]:
    """The rate of one run of WESTPA's driver, its steps, and its processor time."""
    import westpa
    from westpa.core.binning import RectilinearBinMapper
    from westpa.core.segment import Segment
    from westpa.core.states import BasisState, InitialState, TargetState
    from westpa.core.systems import WESTSystem
    from westpa.core.we_driver import WEDriver

    inner = np.linspace(START, TARGET, setting.bins + 1)[1:]
    system = WESTSystem(westpa.rc)
    system.pcoord_ndim, system.pcoord_len, system.pcoord_dtype = 1, 2, np.float64
    system.bin_mapper = RectilinearBinMapper([[-math.inf, *inner, math.inf]])
    system.bin_target_counts = np.full(setting.bins + 1, setting.walkers // setting.bins)
    driver = WEDriver(westpa.rc, system)
    rng = np.random.default_rng(seed)
    driver.rng = rng
    basis = BasisState("start", 1.0, state_id=0, pcoord=np.array([START]))
    target = [TargetState("target", np.array([TARGET + 1]), state_id=0)]
    made, began = 0, time.process_time()

    def states(count: int) -> list[InitialState]:
        nonlocal made
        made += count
        at = np.array([START])
        return [
            InitialState(made - k, 0, 0, istate_type=1, istate_status=1, pcoord=at.copy(), basis_state=basis)
            for k in range(count)
        ]

    pool = states(1)  # few: the driver writes all of them into a message that nobody reads
    x = np.full(setting.walkers, START)
    weight = np.full(setting.walkers, 1 / setting.walkers)
    steps = round(setting.every / DT)
    arrived = cost = 0.0
    new_weights = None
    for iteration in range(1, round(setting.span / setting.every) + 1):
        to, taken = moved(x, kT, steps, rng)
        cost += taken
        segments = [
            Segment(
                n_iter=iteration,
                seg_id=k,
                parent_id=k,
                weight=float(weight[k]),
                pcoord=np.array([[x[k]], [to[k]]]),
                wtg_parent_ids={k},
                status=Segment.SEG_STATUS_COMPLETE,
            )
            for k in range(len(x))
        ]
        reached = to >= TARGET
        pool += states(max(0, int(reached.sum()) + 1 - len(pool)))
        driver.new_iteration(initial_states=pool, target_states=target, new_weights=new_weights)
        driver.assign(segments)
        driver.construct_next()
        new_weights = driver.new_weights
        pool = [*driver.avail_initial_states.values()]
        if iteration * setting.every > setting.burn + 1e-9:
            arrived += float(weight[reached].sum())
        following = list(driver.next_iter_segments)
        x = np.array([segment.pcoord[0, 0] for segment in following])
        weight = np.array([segment.weight for segment in following])
    return arrived / (setting.span - setting.burn), cost, time.process_time() - began


def westpa_row(setting: Setting, kT: float, runs: int, jobs: int) -> Row:
    with multiprocessing.Pool(jobs) as pool:
        found = np.array(pool.starmap(westpa_run, [(setting, kT, seed) for seed in range(1, runs + 1)], 1))
    rate = found[:, 0].mean()
    variance = found[:, 0].var(ddof=1) / rate**2 if rate else math.nan
    return Row("WESTPA, equal shares", setting, rate, variance, found[:, 1].mean(), found[:, 2].sum())


def fare_rows(fare: pathlib.Path, kT: float, runs: int) -> tuple[list[Row], float, float]:
    """FARE's rows, the rate of the chain, and the least cost times variance of any weighted ensemble, in steps."""
    text = STUDY.format(kT=kT, start=START, target=TARGET)
    asked = [(s, a) for s in SETTINGS for a in ("uniform", "optimal")]
    for k, (s, allocation) in enumerate(asked):
        text += LINE.format(name=f"row{k}", allocation=allocation, dt=DT, runs=runs, **s._asdict())
    with tempfile.TemporaryDirectory() as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(text)
        subprocess.run(
            [fare, "run", "study.yaml", "--no-report"], cwd=where, stdout=subprocess.DEVNULL, check=True
        )
        with h5py.File(where / "out/ensembles/study.h5") as file:
            rare = {key: value[()] for key, value in file["rare"].items()}
    said = {"uniform": "FARE, equal shares", "optimal": "FARE, optimal shares"}
    rows = [
        Row(
            said[allocation],
            s,
            *(float(rare[key][k]) for key in ("estimate", "variance", "cost", "seconds")),
        )
        for k, (s, allocation) in enumerate(asked)
    ]
    return rows, float(rare["chain"][0]), float((rare["variance"] * rare["cost"] * rare["of_optimum"])[0])


def main() -> int:
    parser = argparse.ArgumentParser(description="FARE's weighted ensemble beside that of WESTPA 2")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--kT", type=float, default=0.05)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs of WESTPA at a time")
    options = parser.parse_args()
    if importlib.util.find_spec("westpa") is None:
        print("skipped: WESTPA is not installed (pip install westpa)")
        return 0
    rows, chain, least = fare_rows((options.build / "bin/fare").resolve(), options.kT, options.runs)
    rows += [westpa_row(setting, options.kT, options.runs, options.jobs) for setting in SETTINGS]
    print(f"WESTPA {importlib.metadata.version('westpa')}; kT {options.kT:g}; the chain's rate {chain:.5g}\n")
    print("| bins | every | method | rate | V/run | steps/run | of optimum | ns per step |")
    print("|---|---|---|---|---|---|---|---|")
    for r in sorted(rows, key=lambda r: (r.setting, r.method)):
        error = r.rate * math.sqrt(r.variance / options.runs)
        print(
            f"| {r.setting.bins} | {r.setting.every:g} | {r.method} | {r.rate:.3g} ± {error:.1g} |"
            f" {r.variance:.2g} | {r.cost:.2g} | {least / (r.variance * r.cost):.2g} |"
            f" {1e9 * r.seconds / (r.cost * options.runs):.3g} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
