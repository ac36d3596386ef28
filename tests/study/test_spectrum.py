#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The study of all samplers, made small: each in every mode that it has. Oracles reach the floor, what is
learned leaves equilibrium behind, ranking and split say what measures.csv says, what was stopped in training
and between snapshots ends with the bits of what was not, and two ranks make what one makes where nothing is
learned.
fare-test: labels=study timeout=900
"""
import csv
import functools
import math
import pathlib
import re
import sys
import tempfile

import h5py
import numpy as np

from checks import bits, conclude, expect, failures, fare

SNAPSHOTS, PARTICLES, SEEDS = 9, 4096, 2
HEAD = f"""\
study: spectrum
seed: 17
system: {{name: prinz}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}}]
snapshots: {{start: 0.0, end: 0.5, count: {SNAPSHOTS}}}
truth: {{cells: [512], tolerance: 1.0e-6, extrapolate: false}}
measures: [kl, total_variation]
ensembles:
"""
# Options that all lines of a sampler share, and what its learned lines have besides. Every sampler that is
# registered is here.
SAMPLERS = {
    "langevin": ("dt: 1.0e-3, integrator: heun", None),
    "boltzmann": ("sweeps: 40", None),
    "replica_exchange": ("sweeps: 40", None),
    "annealed_importance": ("relaxations: 1", None),
    "diffusion": ("sampling_steps: 16", "steps: 1000, batch: 512"),
    "flow_matching": ("sampling_steps: 8", "steps: 1000, batch: 512"),
    "poisson_flow": ("sampling_steps: 16", "steps: 1000, batch: 512"),
    "normalizing_flow": ("bins: 32", "steps: 1000, batch: 1024, time_frequencies: 1"),
    "schrodinger_bridge": ("pairs: 8192, fit_steps: 16, tolerance: 1.0e-8", "steps: 500, batch: 1024"),
    "action_matching": ("transport_steps: 5", "steps: 600, batch: 512"),
    "ebm": ("sweeps: 5, burn_in: 60", "steps: 200, batch: 512"),
    "neq_ebm": ("walkers: 2048, start_steps: 60, protocol_steps: 5", "steps: 200, batch: 512"),
}
ORACLES = [
    "annealed_importance",
    "diffusion",
    "flow_matching",
    "poisson_flow",
    "normalizing_flow",
    "schrodinger_bridge",
    "action_matching",
    "ebm",
    "neq_ebm",
]
EMPIRICAL = ["diffusion", "flow_matching", "poisson_flow"]
LEARNED = [name for name, (_, learns) in SAMPLERS.items() if learns]
# Whose exact field is not the truth: what they are nearest to is one density for all times, and Brownian
# motion between densities. They beat equilibrium by less.
MODELS = {"ebm", "schrodinger_bridge"}
FAR, NEAR_MODEL, FLOOR = (
    5,
    3,
    1.4,
)  # least factors against boltzmann above the floor, and most of an oracle's distance in floors


def lines_of(sampler):
    """The lines of a sampler as {name: YAML}, and which of them learn."""
    shared, learns = SAMPLERS[sampler]
    start = f"sampler: {sampler}, particles: {PARTICLES}, {shared}"
    lines = {sampler: f"{start}, seeds: {SEEDS}, {learns}, train: {{particles: 8192}}" if learns else start}
    if sampler in ORACLES:
        lines[f"{sampler}_oracle"] = f"{start}, oracle: true"
    if sampler in EMPIRICAL:
        lines[f"{sampler}_empirical"] = f"{start}, empirical: true, train: {{particles: 8192}}"
    if sampler == "schrodinger_bridge":
        lines["dynamics_oracle"] = f"{start}, oracle: true, reference: dynamics"
    return lines


def study_of(lines):
    return HEAD + "".join(f"  - {{name: {name}, {options}}}\n" for name, options in lines.items())


def run(where, name, lines, *arguments, ranks=1):
    (where / f"{name}.yaml").write_text(study_of(lines))
    return fare(
        where,
        "run",
        f"{name}.yaml",
        "--no-report",
        "--set",
        f"output.directory={name}",
        *arguments,
        ranks=ranks,
    )


@functools.cache
def bits_of_whole(path, *parts):
    return bits(path, parts)


def compare(part, whole, what):
    """Whatever is in the study of some lines is in that of all of them, to the bit: an ensemble does not
    depend on its company.
    """
    for path in sorted((part / "snapshots").iterdir()):
        a, b = bits(path, ["data"]), bits_of_whole(whole / "snapshots" / path.name, "data")
        wrong = [key for key in a if a[key] != b.get(key)]
        expect(a and not wrong, f"{what}: {path.name}: {wrong[:3]}")
    a = bits(part / "study.h5", ["comparisons", "binned"])
    b = bits_of_whole(whole / "study.h5", "comparisons", "binned")
    wrong = [key for key in a if a[key] != b.get(key)]
    expect(a and not wrong, f"{what}: study.h5: {wrong[:3]}")


def measures(directory):
    """{comparison: {measure: rows in the order of time}} of measures.csv."""
    found = {}
    with open(directory / "measures.csv", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["comparison"], {}).setdefault(row["measure"], []).append(
                {key: float(row[key]) for key in ("time", "value", "floor_mean", "truth_error")}
            )
    return {
        name: {measure: sorted(rows, key=lambda row: row["time"]) for measure, rows in of.items()}
        for name, of in found.items()
    }


def column(rows, key, at=slice(1, None, 2)):
    """The mean over held-out times, which every second one is."""
    return float(np.mean([row[key] for row in rows][at]))


def summarise(found, lines):
    """Mean, spread, floor and excess of kl for every line."""
    summary = {}
    for line in lines:
        trainings = [f"{line}-{i + 1}" for i in range(SEEDS)] if line in LEARNED else [line]
        values = [column(found[name]["kl"], "value") for name in trainings]
        floors = [column(found[name]["kl"], "floor_mean") for name in trainings]
        summary[line] = {
            "mean": np.mean(values),
            "spread": np.std(values, ddof=1) if len(values) > 1 else math.nan,
            "floor": np.mean(floors),
            "excess": np.mean(values) - np.mean(floors),
        }
    return summary


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-6 * abs(b) + 1e-12


def check_ranking(directory, summary):
    with open(directory / "ranking.csv", newline="") as file:
        rows = {row["line"]: row for row in csv.DictReader(file)}
    expect(rows.keys() == summary.keys(), f"lines of the ranking: {sorted(rows.keys() ^ summary.keys())}")
    for name, row in rows.items():
        wrong = [key for key, value in summary[name].items() if not same(float(row[key]), value)]
        expect(not wrong, f"ranking.csv: {name}: {[(key, row[key], summary[name][key]) for key in wrong]}")
        expect(
            row["held_out"] == "1"
            and int(row["times"]) == SNAPSHOTS // 2
            and row["lost"] == "0"
            and int(row["seeds"]) == (SEEDS if name in LEARNED else 1),
            f"ranking.csv: {row}",
        )
        factor = summary["boltzmann"]["mean"] / summary[name]["mean"]
        expect(
            same(float(row["factor"]), factor), f"{name} is {row['factor']} times closer, expected {factor}"
        )
    order = list(rows)
    expect(order == sorted(order, key=lambda name: summary[name]["excess"]), f"order {order}")
    with h5py.File(directory / "study.h5") as study:
        splits = {name: dict(group.attrs) for name, group in study["ranking/splits"].items()}
    expect(set(splits) == set(LEARNED), f"errors are split of {sorted(splits)}")
    for name in LEARNED:
        split, learned, oracle = splits.get(name, {}), summary[name], summary[f"{name}_oracle"]
        expect(split.get("oracle") == f"{name}_oracle".encode(), f"{name} is split by {split.get('oracle')}")
        wanted = {
            "finite_samples": learned["floor"],
            "method": oracle["excess"],
            "learning": learned["excess"] - oracle["excess"],
            "training_set": (
                summary[f"{name}_empirical"]["excess"] - oracle["excess"] if name in EMPIRICAL else math.nan
            ),
        }
        for key, value in wanted.items():
            expect(
                same(float(split.get(key, math.inf)), value),
                f"{key} of {name}: {split.get(key)}, expected {value}",
            )


def check_pooled(directory, found):
    """The static energy at its best is the mean of the truth's densities over training times; its distance
    from the truth, by NumPy.
    """
    with h5py.File(directory / "study.h5") as study:
        p = study["binned/truth"][()]
    pooled = p[::2].mean(axis=0)
    kl = [float((q[q > 0] * np.log(q[q > 0] / pooled[q > 0])).sum()) for q in p]
    got = [row["value"] for row in found["ebm_oracle_density"]["kl"]]
    expect(np.allclose(got, kl, rtol=1e-6, atol=1e-9), f"kl of the pooled density {got}, expected {kl}")


def check_numbers(directory):
    lines = [name for sampler in SAMPLERS for name in lines_of(sampler)]
    found = measures(directory)
    summary = summarise(found, lines)
    check_ranking(directory, summary)
    check_pooled(directory, found)
    equilibrium = summary["boltzmann"]["excess"]
    expect(equilibrium > 0.2, f"boltzmann is off by {equilibrium}")
    for name, of in summary.items():
        print(
            f"{name:30s} kl {of['mean']:.4f} +- {of['spread']:.4f}, floor {of['floor']:.4f},"
            f" {equilibrium / max(of['excess'], 1e-3):.3g} times nearer than boltzmann above the floor"
        )
    for name in (
        *(f"{sampler}_oracle" for sampler in ORACLES if sampler not in MODELS),
        "dynamics_oracle",
        "langevin",
    ):
        expect(
            summary[name]["mean"] < FLOOR * summary[name]["floor"],
            f"{name} is {summary[name]['mean'] / summary[name]['floor']} floors away",
        )
    for sampler in LEARNED:
        least = NEAR_MODEL if sampler in MODELS else FAR
        expect(
            summary[sampler]["excess"] * least < equilibrium,
            (
                f"{sampler} beats boltzmann by a factor of {equilibrium / summary[sampler]['excess']},"
                f" expected {least}"
            ),
        )
    for sampler in MODELS:
        expect(
            summary[f"{sampler}_oracle"]["mean"] > 2 * summary[f"{sampler}_oracle"]["floor"],
            f"the oracle of {sampler} is at the floor, though its model is not the truth",
        )
    for sampler in EMPIRICAL:  # at training times its samples are as far off as samples of samples are
        rows, at = found[f"{sampler}_empirical"]["kl"], slice(0, None, 2)
        expect(
            column(rows, "value", at) < 2 * column(rows, "floor_mean", at),
            f"{sampler}_empirical is {column(rows, 'value', at)} away at training times",
        )
    for sampler in ("replica_exchange", "annealed_importance"):
        expect(
            0.8 < summary[sampler]["excess"] / equilibrium < 1.25,
            f"{sampler} is {summary[sampler]['excess']} away, boltzmann {equilibrium}",
        )


def interrupt(where, sampler, seconds):
    """Stops a study of one sampler at the first chance, twice after shares of the seconds that it takes, then
    after single snapshots; lets it end; returns where it was stopped.
    """
    lines, stops, limits = lines_of(sampler), [], [0.4 * seconds, 0.4 * seconds, 0.4 * seconds]
    limit = 0.001
    while True:
        done = run(where, sampler, lines, "--resume", *(["--max-seconds", str(limit)] if limit else []))
        if done.returncode != 75:
            break
        stops.append(
            re.search(r"stopped on request (?:while training ([^;\s]+)|with (\d+) of)", done.stderr).group(
                1, 2
            )
        )
        snapshots = [stop for stop in stops if int(stop[1] or 0)]  # 0: between two trainings
        limit = (
            0.001
            if 0 < len(snapshots) < 3 or not SAMPLERS[sampler][1] and not snapshots
            else limits.pop() if limits and not snapshots else 0
        )
    expect(done.returncode == 0, f"{sampler}: exit code {done.returncode}: {done.stderr[-600:]}")
    return stops


def check_interrupted(where, seconds):
    between = 0
    for sampler in SAMPLERS:
        stops = interrupt(where, sampler, seconds[sampler])
        trained, made = [stop[0] for stop in stops if stop[0]], [
            int(stop[1]) for stop in stops if int(stop[1] or 0)
        ]
        print(f"{sampler}: stopped in training of {trained}, after snapshots {made}")
        expect(
            bool(trained) if SAMPLERS[sampler][1] else len(made) >= 2, f"{sampler} was not stopped: {stops}"
        )
        between += len(made) if SAMPLERS[sampler][1] else 0
        compare(where / sampler, where / "whole", f"{sampler}, stopped {len(stops)} times")
    expect(between > 0, "nothing that learns was stopped between snapshots")


def seconds_of(directory):
    """What each sampler takes, all its lines together."""
    with h5py.File(directory / "study.h5") as study:
        cost = {
            name: group.attrs["train_seconds"] + group.attrs["sample_seconds"]
            for name, group in study["ensembles"].items()
        }
    return {
        sampler: sum(
            cost[name] for line in lines_of(sampler) for name in cost if re.fullmatch(rf"{line}(-\d)?", name)
        )
        for sampler in SAMPLERS
    }


def check_registered():
    """All but a user's own function, which has a test of its own."""
    known = set(re.findall(r"^(\w+)", fare(".", "list", "samplers").stdout, re.MULTILINE)[1:]) - {
        "python",
        "exact",
        "product_of_marginals",
    }
    expect(set(SAMPLERS) <= known, f"not registered: {set(SAMPLERS) - known}")
    expect(known <= set(SAMPLERS), f"registered and not tested here: {known - set(SAMPLERS)}")


def main():
    check_registered()
    with tempfile.TemporaryDirectory(prefix="fare-spectrum-") as name:
        where = pathlib.Path(name)
        done = run(
            where,
            "whole",
            {name: options for sampler in SAMPLERS for name, options in lines_of(sampler).items()},
        )
        expect(
            done.returncode == 0 and "continues without it" not in done.stderr,
            f"exit code {done.returncode}: {done.stderr[-1500:]}",
        )
        if not failures:
            check_numbers(where / "whole")
            still = {
                name: options
                for sampler in SAMPLERS
                for name, options in lines_of(sampler).items()
                if name not in LEARNED
            }
            pair = run(where, "pair", still, ranks=2)
            expect(pair.returncode == 0, f"on 2 ranks: exit code {pair.returncode}: {pair.stderr[-1500:]}")
            compare(where / "pair", where / "whole", "on 2 ranks")
            check_interrupted(where, seconds_of(where / "whole"))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
