#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What learned densities say of the dynamics: the truth's entropy production on the same stencil is a closed form in a
trap, and its own residual next to nothing; a flow that has learned many particles is near it, with a residual that
few particles make larger; an energy that does not know the time produces nothing; two ranks find the same truth;
the number of trainings is told; and what is said of mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import csv
import pathlib
import re
import sys
import tempfile

import numpy as np

from checks import conclude, expect, fare

K, D = 1.5, 0.7
STUDY = """\
study: learned
seed: 3
system: {{name: ornstein_uhlenbeck, parameters: {{stiffness: 1.5, kT: 0.7}}}}
initial: {{density: gaussian, mean: [-1.0], sd: [0.4]}}
snapshots: {{start: 0.0, end: 1.0, count: 6}}
truth: {{cells: [256], lower: [-4], upper: [4], tolerance: 1.0e-6}}
thermodynamics: {{learned: true}}
ensembles:
{}measures: [kl]
"""
FLOW = (
    "  - {{name: {}, sampler: normalizing_flow, bins: 8, width: 24, layers: 2, batch: 512, steps: {},"
    " particles: 1000, {}train: {{times: all, particles: {}}}}}\n"
)
STATIC = (
    "  - {name: static, sampler: ebm, width: 16, layers: 1, walkers: 512, batch: 512, steps: 100, particles:"
    " 1000, burn_in: 20, sweeps: 2, train: {times: all, particles: 1000}}\n"
)


def run(where, lines, directory, ranks=1):
    (where / "study.yaml").write_text(STUDY.format(lines))
    done = fare(
        where, "run", "study.yaml", "--no-report", "--set", f"output.directory={directory}", ranks=ranks
    )
    expect(done.returncode == 0, f"{directory} runs", done.stderr)
    found = {}
    with (where / directory / "dynamics.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row.pop("ensemble"), []).append(
                {name: float(value) for name, value in row.items()}
            )
    columns = {
        name: {key: np.array([row[key] for row in rows]) for key in rows[0]} for name, rows in found.items()
    }
    return done, columns


def production(t):
    """(m'^2 + sd'^2)/D of the Gaussian in the trap."""
    mean, variance = -np.exp(-K * t), D / K + (0.16 - D / K) * np.exp(-2 * K * t)
    return ((K * mean) ** 2 + (D - K * variance) ** 2 / variance) / D


def check_numbers(where):
    lines = (
        FLOW.format("many", 1500, "time_frequencies: 1, ", 20000)
        + FLOW.format("few", 300, "seeds: 2, ", 30)
        + STATIC
    )
    done, of = run(where, lines, "out")
    times = of["many"]["time"]
    expect(np.allclose(times, np.arange(0.1, 1, 0.2)), "it is the middle of each interval", times)
    exact = production(times)
    wrong = np.abs(of["many"]["production_truth"] / exact - 1).max()
    expect(wrong < 0.005, "the truth's production is a closed form", wrong)
    expect(
        of["many"]["residual_truth"].max() < 1e-3, "the truth has no residual", of["many"]["residual_truth"]
    )
    total = of["many"]["production"].sum() / exact.sum()
    expect(abs(total - 1) < 0.15, "many particles tell the production", total)
    expect(
        2 * of["many"]["residual"].mean() < of["few-1"]["residual"].mean(), "few leave more of a residual", of
    )
    expect(of["static"]["production"].max() == 0, "what knows no time produces nothing", of["static"])
    expect(of["static"]["residual"].min() > 0.1, "and does not obey the dynamics", of["static"])
    printed = re.search(r"few, 2 trainings +(\S+) \+- (\S+)", done.stdout)
    each = [0.2 * of[f"few-{seed}"]["production"].sum() for seed in (1, 2)]
    expect(
        printed
        and np.isclose(float(printed[1]), np.mean(each), rtol=6e-3)
        and np.isclose(float(printed[2]), np.std(each, ddof=1), rtol=0.5),
        "the spread over trainings is told",
        (each, done.stdout),
    )
    return of


def check_ranks(where, of):
    _, two = run(where, FLOW.format("many", 10, "", 1000), "two", ranks=2)
    for key in ("production_truth", "residual_truth"):
        expect(np.array_equal(two["many"][key], of["many"][key]), f"two ranks find the same {key}")


def check_jump(where):
    """A drive that jumps in the middle of an interval."""
    text = STUDY.replace(
        "initial:", "drive: [{{parameter: centre, waveform: square, amplitude: 1.0, period: 1.0}}]\ninitial:"
    ).replace("count: 6", "count: 2")
    (where / "jump.yaml").write_text(text.format(FLOW.format("net", 10, "", 1000)))
    done = fare(where, "run", "jump.yaml", "--no-report", "--set", "output.directory=jump")
    expect(done.returncode == 0, "a drive that jumps", done.stderr)
    with (where / "jump/dynamics.csv").open() as file:
        row = {name: float(value) for name, value in next(csv.DictReader(file)).items() if name != "ensemble"}
    t = row["time"]
    lag = 2 + -2 * np.exp(-K / 2)  # of the mean behind the centre when that jumps from 1 to -1
    variance = D / K + (0.16 - D / K) * np.exp(-2 * K * t)
    exact = ((K * lag * np.exp(-K * (t - 0.5))) ** 2 + (D - K * variance) ** 2 / variance) / D
    expect(abs(t - 0.51) < 1e-9, "it is beside the jump", row)
    expect(abs(row["production_truth"] / exact - 1) < 0.005, "the truth's production beside it", (row, exact))
    expect(row["residual_truth"] < 1e-3, "the truth has no residual there", row)


def check_circle(where):
    """Where current circulates, the truth's own production is of another kind, and the table says so."""
    text = re.sub(
        "system: .*\ninitial: .*",
        "system: {{name: tilted_washboard}}\ninitial: {{density: boltzmann}}",
        STUDY,
    )
    text = text.replace("count: 6", "count: 2").replace(
        "cells: [256], lower: [-4], upper: [4]", "cells: [64]"
    )
    (where / "circle.yaml").write_text(text.format(FLOW.format("net", 10, "", 1000)))
    done = fare(where, "run", "circle.yaml", "--no-report", "--set", "output.directory=circle")
    expect(", with that of circulation" in done.stdout, "circulation is said", done.stdout + done.stderr)


def check_failed(where):
    """A method that blows up has no density: it ends alone, without rows of zeros."""
    broken = (
        "  - {name: broken, sampler: flow_matching, width: 24, layers: 2, batch: 256, steps: 300, warmup: 0,"
        " learning_rate: 1000, particles: 1000, train: {times: all, particles: 1000}}\n"
    )
    text = STUDY.replace("count: 6", "count: 2").format(FLOW.format("net", 10, "", 1000) + broken)
    (where / "failed.yaml").write_text(text)
    done = fare(where, "run", "failed.yaml", "--no-report", "--set", "output.directory=failed")
    expect(done.returncode == 0, "a study goes on without a method that blows up", done.stderr)
    expect(
        "broken" in done.stderr + done.stdout and "continues without it" in done.stderr + done.stdout,
        "and says so",
        done.stderr,
    )
    with (where / "failed/dynamics.csv").open() as file:
        names = [row["ensemble"] for row in csv.DictReader(file)]
    expect(names == ["net"], "no rows of what failed", names)


def check_refusals(where):
    text = STUDY.format(FLOW.format("net", 10, "", 10))
    plane = re.sub("system: .*\ninitial: .*", "system: {name: rotational_ou}", text)
    for changed, said in (
        (re.sub("truth: .*", "truth: {cells: [16, 16]}", plane), "needs one axis"),
        (text.replace("learned: true", "learned: maybe"), "learned"),
        (text.replace("normalizing_flow, bins: 8", "diffusion"), "no ensemble learns a density"),
    ):
        (where / "study.yaml").write_text(changed)
        done = fare(where, "check", "study.yaml")
        lines = done.stderr.strip().splitlines()
        expect(done.returncode == 2 and len(lines) == 1 and said in lines[0], f"{said}: refused", lines)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-learned-") as name:
        where = pathlib.Path(name)
        of = check_numbers(where)
        check_ranks(where, of)
        check_jump(where)
        check_circle(where)
        check_failed(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
