#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Estimators of rare events: the exact answers beside them, splitting without bias for the chain that it
simulates, the same bits on any number of ranks, and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import math
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

from checks import conclude, expect, fare
from fare import open as open_study
from fare import plot, report
from fare import sweep as open_sweep
from launch import ALONE, ENVIRONMENT, FARE
from rare import columns, expect_refusal, expect_same_bits, run

OVER = "{name: over, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.9]}"
DRIVE = "drive: [{parameter: tilt, waveform: sine, amplitude: 2, period: 1}]\n"
DRIVEN = "{name: over, Ab: {lower: [0.5]}, start: [-0.9], deadline: 0.4}"
SPLIT = "{name: split, method: splitting, event: over, walkers: 20, kill: 5, dt: 4.0e-3"


def study(kT=0.1, events=OVER, rare="", drive="", system="double_well", more=""):
    return (
        f"study: rare\nsystem: {{name: {system}, parameters: {{kT: {kT}{more}}}}}\n{drive}"
        "snapshots: {start: 0.0, end: 0.01, count: 2}\ntruth: {cells: [512]}\n"
        f"events: [{events}]\nrare: [{rare}]\n"
    )


def quadrature(kT, start=-0.9, a=-1.0, b=0.5, points=20000):
    """The committor of the double well in continuous time."""

    def integral(low, high):
        x = low + (np.arange(points) + 0.5) * (high - low) / points
        return np.sum(np.exp(((x * x - 1) ** 2 - 1) / kT)) * (high - low)

    return integral(a, start) / integral(a, b)


def simulated(kT, dt, steps, bridge=False, tilt=0.0, start=-0.9, a=-1.0, b=0.5, panels=60):
    """
    The probability that the chain is in b, or has been there between two steps, within so many steps; by
    Gauss's rule in panels between a, which may be so low that nobody comes there, and b. The tilt is `tilt` sin 2 pi t.
    """
    nodes, weights = np.polynomial.legendre.leggauss(10)
    half = 0.5 * (b - a) / panels
    x = (a + half * (2 * np.arange(panels)[:, None] + 1 + nodes)).ravel()
    w = np.tile(half * weights, panels)
    sd = math.sqrt(2 * kT * dt)

    def step(at, t):
        mean = (at + (tilt * math.sin(2 * math.pi * t) - 4 * at * (at * at - 1)) * dt)[:, None]
        inside = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi)) * w
        hit = np.array([0.5 * math.erfc((b - m) / (sd * math.sqrt(2))) for m in mean[:, 0]])
        if bridge:
            to_b = np.exp(-np.outer(b - at, b - x) / (kT * dt))
            to_a = np.minimum(1 - to_b, np.exp(-np.outer(at - a, x - a) / (kT * dt)))
            hit = hit + (inside * to_b).sum(axis=1)
            inside = inside * (1 - to_a - to_b)
        return inside, hit

    K, hit = step(x, 0)
    q = np.zeros(len(x))
    for k in range(steps - 1, 0, -1):
        if tilt:
            K, hit = step(x, k * dt)
        q = hit + K @ q
    first, now = step(np.array([start]), 0)
    return float(now[0] + first[0] @ q)


def check_chain(where):
    # independently: Nystroem's method in dense algebra, and quadrature
    for kT, chain, known in (
        (0.1, 1.439697e-5, 1.27914402e-5),
        (0.07, 2.456655e-7, 2.24449309e-7),
        (0.05, 1.020452e-9, 9.55358315e-10),
        (0.04, 8.183448e-12, 7.77959589e-12),
    ):
        rare, _ = run(where, study(kT, rare=SPLIT + ", runs: 2}"), "chain")
        off, bar = abs(rare["continuum"][0] / known - 1), rare["continuum_error"][0] / known
        expect(off < 1.5 * bar < 2e-3, f"of continuous time at kT {kT}, by quadrature", (off, bar))
        expect(abs(rare["chain"][0] / chain - 1) < 1e-6, f"exact chain at kT {kT}", rare["chain"])
        expect(rare["chain_error"][0] < 1e-6 * chain, f"its error at kT {kT}", rare["chain_error"])
        error = abs(rare["continuum"][0] - quadrature(kT))
        expect(
            error < rare["continuum_error"][0], f"continuum at kT {kT}", (rare["continuum"], quadrature(kT))
        )
        expect(error < 1e-3 * rare["continuum"][0], f"continuum at kT {kT}, to 0.1%")
    for crossing in ("step", "bridge"):
        event = OVER[:-1] + ", deadline: 0.4}"
        rare, _ = run(where, study(events=event, rare=f"{SPLIT}, runs: 2, crossing: {crossing}}}"), "late")
        exact = simulated(0.1, 4e-3, 100, crossing == "bridge")
        expect(abs(rare["chain"][0] / exact - 1) < 1e-5, f"deadline, {crossing}", (rare["chain"], exact))
    for a in ("a: {upper: [-1.0]}, ", ""):
        rare, _ = run(
            where,
            study(0.25, events=DRIVEN.replace("A", a), rare=SPLIT + ", runs: 2}", drive=DRIVE),
            "driven",
        )
        exact = simulated(0.25, 4e-3, 100, tilt=2.0, a=-1.0 if a else -2.2)
        expect(abs(rare["chain"][0] / exact - 1) < 1e-5, f"driven, {a or 'no a'}", (rare["chain"], exact))


def check_sets(where):
    """Sets beyond the box count within it, and nothing twice."""
    plain = "{name: plain, method: brute_force, event: over, paths: 10, dt: 4.0e-3, runs: 2}"
    wide = "{name: over, a: {lower: [-10], upper: [-1]}, b: {lower: [0.5], upper: [10]}, start: [-0.9]}"
    twice = OVER.replace("b: {lower: [0.5]}", "b: [{lower: [0.5]}, {lower: [0.6], upper: [1.5]}]")
    found = [run(where, study(0.25, events=events, rare=plain), "sets")[0] for events in (OVER, wide, twice)]
    for rare in found[1:]:
        expect(math.isclose(rare["chain"][0], found[0]["chain"][0], rel_tol=1e-12), "the same sets", found)
    turns = []
    for b in ("{lower: [2.9], upper: [3.6]}", "{lower: [2.9]}"):
        event = f"{{name: over, b: {b}, start: [0.0], deadline: 1.0}}"
        turns.append(run(where, study(1.0, events=event, rare=plain, system="tilted_washboard"), "turn")[0])
    expect(turns[0]["chain"][0] == turns[1]["chain"][0], "nothing wraps around the seam", turns)
    coarse, _ = run(where, study(0.25, rare=plain.replace("4.0e-3", "100")), "coarse")
    expect(np.isnan(coarse["chain_error"][0]) or coarse["predicted"][0] == 1, "not solved by mirrors", coarse)


def check_certain(where):
    """What cannot be told is a dash and a line."""
    near = "{name: over, a: {upper: [-1.5]}, b: {lower: [-0.97]}, start: [-1.0]}"
    plain = "{name: plain, method: brute_force, event: over, paths: 10, dt: 1.0e-3, runs: 8}"
    rare, said = run(where, study(0.25, events=near, rare=plain), "certain")
    expect(rare["estimate"][0] == 1, "all paths reach b", rare["estimate"])
    for key in ("error", "z", "cost_10", "gain", "low", "high"):
        expect(np.isnan(rare[key][0]), f"{key} is not known", rare[key])
    expect("all runs found the same number: no error is known" in said, "it is said", said)
    few, said = run(where, study(0.25, rare=SPLIT + ", runs: 7}"), "few")
    expect(few["normal"][0] == 0 and "fewer than 8 runs" in said, "seven runs are too few", said)
    eight, _ = run(
        where,
        study(0.25, rare=SPLIT.replace("walkers: 20, kill: 5", "walkers: 500, kill: 50") + ", runs: 8}"),
        "eight",
    )
    half = (eight["high"][0] - eight["estimate"][0]) / eight["error"][0]
    expect(eight["normal"][0] == 1 and abs(half - 2.3646) < 1e-3, "Student's interval", half)


def check_doubts(where):
    """What the grid refuses leaves a gap, and later warnings are printed; so are those of a drive and of a box."""
    thin = OVER.replace("b: {lower: [0.5]}", "b: {lower: [0.53], upper: [0.56]}").replace("over", "thin")
    plain = "{name: E, method: brute_force, event: E, paths: 10, dt: 4.0e-3, runs: 2}"
    text = study(0.25, events=thin, rare=plain.replace("E", "thin")).replace("512", "256")
    path = where / "thin.yaml"
    for name, yaml, message, code in (
        ("thin", text, "warning: event thin: the grid cannot tell it: the event", 0),
        (
            "pulse",
            study(
                0.25,
                events=DRIVEN.replace("A", ""),
                rare=plain.replace("E", "over").replace("4.0e-3", "0.05"),
                drive="drive: [{parameter: tilt, waveform: square, amplitude: 1, period: 0.04}]\n",
            ),
            "warning: estimator over: the drive has a pulse of",
            0,
        ),
        (
            "far",
            study(
                0.25, events=DRIVEN.replace("A", "").replace("-0.9", "-6"), rare=plain.replace("E", "over")
            ).replace("truth: {cells: [512]}", "truth: {cells: [256], fit_domain: true}"),
            "event over: the start, -6, lies outside the truth's fitted box",
            2,
        ),
    ):
        path.write_text(yaml)
        output = f"output.directory={where / name}"
        done = fare(where, "run", path, "--no-report", "--overwrite", "--set", output)
        expect(done.returncode == code and message in done.stderr, message, done.stderr)


def check_inertia(where):
    """Nothing diffuses across a face in space: how far steps are from the continuum is not predicted."""
    text = study(
        0.5,
        events="{name: over, a: {upper: [-1.2, 9]}, b: {lower: [0.0, -9]}, start: [-0.8, 0.0]}",
        rare="{name: plain, method: brute_force, event: over, paths: 10, dt: 0.02, runs: 2}",
        system="kramers_double_well",
    ).replace("[512]", "[32, 32]")
    rare, _ = run(where, text, "inertia")
    expect(np.isnan(rare["chain"][0]) and rare["predicted"][0] == 0, "no chain is claimed", rare["chain"])
    # steps so long that drift alone throws a path over: the shift of faces means nothing
    plain = "{name: plain, method: brute_force, event: over, paths: 100, runs: 8, dt: 1.0}"
    late = "{name: over, b: {lower: [0.5]}, start: [-0.9], deadline: 5.0}"
    rare, _ = run(where, study(0.2, events=late, rare=plain).replace("[512]", "[64]"), "long")
    expect(rare["estimate"][0] > 0.5, "paths are thrown over", rare["estimate"])
    expect(np.isnan(rare["chain"][0]) and rare["predicted"][0] == 0, "nor of long steps", rare["chain"])


def check_tiny(where):
    """What is too small for a number is not printed as 0, nor what the grid cannot tell from 0."""
    events = f"{OVER}, {OVER.replace('over', 'late')[:-1]}, deadline: 0.4}}"
    brute = "{name: brute, method: brute_force, event: late, paths: 10, dt: 4.0e-3, runs: 2}"
    rare, said = run(where, study(1e-3, events=events, rare=f"{SPLIT}, runs: 2}}, {brute}"), "tiny")
    bounds = [re.findall("~?< ([^ ]*)", line) for line in said.splitlines() if "  < " in line]
    expect(len(bounds) == 2 and all(len(each) == 2 for each in bounds), "both answers are bounds", said)
    expect(bounds[:1] == [["1.0e-308", "1.0e-308"]], "below what numbers can be", bounds)
    expect(rare["continuum"][1] <= rare["continuum_error"][1] < 1e-5, "the grid cannot tell it", rare)
    expect(said.count("no run found anything") == 2 and "nan" not in said, "no interval is told", said)
    view = open_study(where / "tiny")
    expect(report.exact(0.0, 0.0) == "< 1.0e-308", "the report says so, too")
    expect(all(r.plain_cost_10 == math.inf for r in view.results.rare), "nor is a cost of plain paths")


def check_bias(where):
    """Small populations, where every mistake of the algorithm shows."""
    rare, said = run(where, study(rare=SPLIT + ", runs: 3000}"), "bias")
    expect(rare["normal"][0] == 1, "3000 runs are normal")
    expect(abs(rare["z"][0]) < 3, "splitting has no bias", rare["z"])
    expect(
        abs(rare["z"][0] - (rare["estimate"] - rare["chain"])[0] / rare["error"][0]) < 1e-3, "z", rare["z"]
    )
    expect(rare["error"][0] < 0.02 * rare["chain"][0], "its error is small enough to tell", rare["error"])
    expect("exact chain" in said and "of optimum" in said, "the table is printed")
    rare, _ = run(
        where,
        study(
            0.25,
            events=OVER[:-1] + ", deadline: 1}",
            rare=SPLIT + ", runs: 3000, crossing: bridge}",
        ),
        "late_bias",
    )
    expect(abs(rare["z"][0]) < 3, "nor with a deadline and bridges", rare["z"])
    text = study(
        0.25, events=DRIVEN.replace("A", ""), rare=SPLIT + ", runs: 1500, score: committor}", drive=DRIVE
    )
    rare, _ = run(where, text, "driven_bias")
    expect(abs(rare["z"][0]) < 3, "nor with a drive and the committor as score", rare["z"])


def check_ranks(where):
    text = study(
        rare=SPLIT
        + ", runs: 7}, {name: plain, method: brute_force, event: over, paths: 1000, runs: 5, dt: 0.01}"
    )
    one, _ = run(where, text, "ranks_1")
    for ranks in (2, 4):
        many, _ = run(where, text, f"ranks_{ranks}", ranks)
        expect_same_bits(one, many, f"on {ranks} ranks")


def runs_made(folder):
    """Of the newest checkpoint; 0 where none can be read."""
    for path in sorted(folder.glob("checkpoint_*_*.h5"), reverse=True):
        try:
            with h5py.File(path) as file:
                return int(file["rare/0"].attrs["done"])
        except (OSError, KeyError):
            continue
    return 0


def check_kill(where):
    """Runs that a checkpoint holds are not made again, and nothing differs in the end."""
    text = study(rare=SPLIT.replace("walkers: 20", "walkers: 200") + ", runs: 320}")
    whole, _ = run(where, text, "whole")
    path, output = where / "killed.yaml", f"output.directory={where / 'killed'}"
    path.write_text(text)
    command = [FARE, "run", path, "--no-report", "--checkpoint-seconds", "0", "--set", output]
    with subprocess.Popen(command, env={**ENVIRONMENT, **ALONE}, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not runs_made(where / "killed/checkpoints"):
            time.sleep(0.01)
        process.kill()
    made = runs_made(where / "killed/checkpoints")
    expect(0 < made < 320, "some runs are in the checkpoint", made)
    done = fare(where, "run", path, "--no-report", "--resume", "--set", output, ranks=2)
    expect(done.returncode == 0, "the study goes on", done.stderr)
    expect_same_bits(whole, columns(where / "killed"), "after a kill")


def check_python(where):
    """What Python reads and draws of a study with two estimators, of which one has no normal error."""
    opened = open_study(where / "ranks_1")
    table = opened.rare
    expect(list(table.index) == ["split", "plain"], "rows of the table", table.index)
    with h5py.File(where / "ranks_1/study.h5") as file:
        expect(table.estimate["split"] == file["rare/estimate"][0], "its numbers", table.estimate)
    expect(table.method["plain"] == "brute_force" and table.event["plain"] == "over", "its words", table)
    row = opened.results.rare[0]
    plain = 100 * row.path_cost * (1 - row.chain) / row.chain
    expect(math.isclose(row.plain_cost_10, plain), "cost of plain simulation", row.plain_cost_10)
    expect(math.isclose(row.gain, plain / row.cost_10, rel_tol=1e-9), "gain", row.gain)
    drawn = plot.rare([opened, opened])
    points = [line for line in drawn.lines if line.get_label() == "splitting"]
    expect(len(points) == 1 and list(points[0].get_ydata()) == [row.cost_10] * 2, "points of the figure")
    done = fare(where, "report", where / "ranks_1")
    page = where / "ranks_1/report.html"
    expect(done.returncode == 0 and "Rare events" in page.read_text(), "the report has them", done.stderr)


def check_skewed(where):
    """Some runs with a heavy tail, none of which stands out: their spread is no normal error."""
    rare, said = run(where, study(rare=SPLIT + ", runs: 20}"), "skewed")
    expect(rare["largest"][0] < 0.3 and rare["zeros"][0] == 0, "no run stands out", rare["largest"])
    expect(rare["skewness"][0] > 0.4 and rare["normal"][0] == 0, "skewed, and not normal", rare["skewness"])
    expect(np.isnan(rare["z"][0]) and rare["low"][0] < rare["estimate"][0] < rare["high"][0], "an interval")
    expect("the skewness of the mean may be" in said, "it is said", said)


def check_sweep(where):
    """Probabilities and rates of all points of a sweep, in axes of their own."""
    flow = "{name: flow, method: weighted_ensemble, event: over, resample: 0.04, time: 2, burn: 1, dt: 0.01"
    text = (
        study(rare=f"{SPLIT}, runs: 3}}, {flow}, runs: 3}}")
        + "sweep: [{system.parameters.kT: [0.3, 0.25]}]\n"
    )
    (where / "sweep.yaml").write_text(text)
    done = fare(where, "run", where / "sweep.yaml", "--set", f"output.directory={where / 'sweep'}")
    expect(done.returncode == 0, "the sweep runs", done.stderr)
    expect((where / "sweep/figures/sweep_rare.png").stat().st_size > 0, "its figure")
    expect("Rare events, system.parameters.kT = 0.25" in (where / "sweep/sweep.html").read_text(), "its page")
    opened = open_sweep(where / "sweep")
    rows = [row for one in opened.results.points.values() for row in one.rare]
    left, right = plot.rare_figure(opened).axes
    for ax, method in ((left, "splitting"), (right, "weighted_ensemble")):
        drawn = {
            tuple(at)
            for line in ax.lines
            if line.get_label() == method.replace("_", " ")
            for at in zip(line.get_xdata(), line.get_ydata())
        }
        expect(
            drawn == {(1 / row.p, row.cost_10) for row in rows if row.method == method},
            f"points of {method}",
            drawn,
        )


def check_mistakes(where):
    for text, message in (
        (study(events=OVER.replace("-0.9", "-1.5")), "the start lies in a: nothing is left to happen"),
        (study(events=OVER.replace("-0.9", "0.9")), "the start lies in b already"),
        (study(events="{name: over, b: {lower: [0.5]}, start: [-0.9]}"), "expected a set 'a' to avoid, or"),
        (study(events=OVER.replace("upper: [-1.0]", "upper: [0.7]")), "the sets a and b overlap"),
        (study(rare=SPLIT.replace("over", "ever") + "}"), "there is no event 'ever' (did you mean 'over'?)"),
        (
            study(rare=SPLIT.replace("kill: 5", "kill: 20") + "}"),
            "expected fewer than the 20 walkers, got 20",
        ),
        (study(rare=SPLIT + ", score: z}"), "unknown score 'z'"),
        (study(rare=SPLIT.replace("splitting", "splittting") + "}"), "did you mean 'splitting'?"),
        (
            study(drive="drive: [{parameter: tilt, waveform: sine, amplitude: 1, period: 1}]\n"),
            "the event needs a 'deadline'",
        ),
        (study(events=OVER[:-1] + ", deadline: -1}"), "the deadline must lie after the time of the start"),
    ):
        expect_refusal(where, text, message)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-rare-") as name:
        where = pathlib.Path(name)
        check_chain(where)
        check_sets(where)
        check_certain(where)
        check_doubts(where)
        check_inertia(where)
        check_tiny(where)
        check_bias(where)
        check_ranks(where)
        check_python(where)
        check_skewed(where)
        check_sweep(where)
        check_kill(where)
        check_mistakes(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
