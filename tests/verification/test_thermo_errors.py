#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The error bars of thermodynamics against moment equations. The density of a driven harmonic trap is Gaussian,
so its mean and variance give every quantity exactly. The true error of each must lie within three bars on
every grid, and bars must not be useless; extrapolated or not. Extrapolated numbers must be better.
fare-test: labels=verification timeout=300
"""
import csv
import json
import math
import pathlib
import sys
import tempfile

import numpy as np

from checks import conclude, expect, fare

ROUND_OFF = 1e-9
NAMES = [
    "energy",
    "entropy",
    "free_energy",
    "equilibrium_free_energy",
    "kl_to_equilibrium",
    "work",
    "heat",
    "dissipated_work",
    "production_total",
    "production_total_rate",
    "velocity_1",
]


def waveform(drive, t, before):
    """The shape of a drive at t, or just before t."""
    start, amplitude = drive.get("start", 0.0), drive["amplitude"]
    if drive["waveform"] == "sine":
        return amplitude * math.sin(2 * math.pi * (t - start) / drive["period"] + drive.get("phase", 0.0))
    if drive["waveform"] == "smoothstep":
        s = min(1.0, max(0.0, (t - start) / (drive["end"] - start)))
        return amplitude * s * s * (3 - 2 * s)
    turn = ((t - start) / drive["period"]) % 1
    edge = 1e-9
    if before and turn < edge:
        return -amplitude
    if before and abs(turn - drive["duty"]) < edge:
        return amplitude
    return amplitude if turn < drive["duty"] - edge or turn > 1 - edge else -amplitude


def parameters(study, t, before=False):
    values = dict(study["system"]["parameters"])
    for drive in study["drive"]:
        values[drive["parameter"]] += waveform(drive, t, before)
    return values


def jumps(study):
    times = []
    for drive in study["drive"]:
        if drive["waveform"] == "square":
            for cycle in range(-2, 50):
                times += [drive["period"] * (cycle + part) for part in (0, drive["duty"])]
    return sorted(t for t in set(times) if 0 < t <= study["snapshots"]["end"])


def energy(p, mean, variance):
    return 0.5 * p["stiffness"] * ((mean - p["centre"]) ** 2 + variance) - p["tilt"] * mean


def state(study, t, mean, variance, work, first):
    p = parameters(study, t)
    kT, k, mobility = p["kT"], p["stiffness"], p["mobility"]
    rest = p["centre"] + p["tilt"] / k
    E, S = energy(p, mean, variance), 0.5 * math.log(2 * math.pi * math.e * variance)
    F = -0.5 * kT * math.log(2 * math.pi * kT / k) - p["tilt"] * p["centre"] - p["tilt"] ** 2 / (2 * k)
    velocity = -mobility * k * (mean - rest)
    local = (kT / variance - k) * mobility  # the current over the density is velocity + local (x - mean)
    row = {
        "energy": E,
        "entropy": S,
        "free_energy": E - kT * S,
        "equilibrium_free_energy": F,
        "kl_to_equilibrium": (E - kT * S - F) / kT,
        "work": work,
        "velocity_1": velocity,
        "production_total_rate": (velocity**2 + local**2 * variance) / (mobility * kT),
    }
    first = first or row
    row["heat"] = E - first["energy"] - work
    row["dissipated_work"] = work - (F - first["equilibrium_free_energy"])
    row["production_total"] = S - first["entropy"] - row["heat"] / kT
    return row


def exact(study):
    """Rows at the snapshots, by Runge and Kutta's method between jumps of the drive."""
    times = np.linspace(0, study["snapshots"]["end"], study["snapshots"]["count"])
    edges = jumps(study)
    small = 1e-6

    def slope(t, y, before):
        p = parameters(study, t, before)
        later, earlier = parameters(study, t + small), parameters(study, t - small)
        if any(abs(t - edge) < 2 * small for edge in [0.0, *edges]):  # one-sided at a jump
            later, earlier = (
                (parameters(study, t, True), parameters(study, t - 2 * small))
                if before
                else (parameters(study, t + 2 * small), parameters(study, t))
            )
        rate = (energy(later, y[0], y[1]) - energy(earlier, y[0], y[1])) / (2 * small)
        k = p["mobility"] * p["stiffness"]
        return np.array(
            [
                -k * (y[0] - p["centre"]) + p["mobility"] * p["tilt"],
                -2 * k * y[1] + 2 * p["mobility"] * p["kT"],
                rate,
            ]
        )

    p = parameters(study, 0.0)
    y = np.array([p["centre"] + p["tilt"] / p["stiffness"], p["kT"] / p["stiffness"], 0.0])
    rows = [state(study, 0.0, *y, None)]
    stops = sorted(set(times[1:]) | set(edges))
    now = 0.0
    for stop in stops:
        steps = max(4, math.ceil((stop - now) / 2e-3))
        h = (stop - now) / steps
        for i in range(steps):
            t, last = now + i * h, i == steps - 1
            a = slope(t, y, False)
            b = slope(t + h / 2, y + h / 2 * a, False)
            c = slope(t + h / 2, y + h / 2 * b, False)
            d = slope(now + (i + 1) * h if not last else stop, y + h * c, last and stop in edges)
            y = y + h / 6 * (a + 2 * b + 2 * c + d)
        if stop in edges:
            y[2] += energy(parameters(study, stop), y[0], y[1]) - energy(
                parameters(study, stop, True), y[0], y[1]
            )
        now = stop
        if any(abs(stop - t) < 1e-12 for t in times):
            rows.append(state(study, stop, *y, rows[0]))
    return rows


def random_study(draw, name, cells, tolerance):
    kT, stiffness = 10 ** draw.uniform(-0.7, 0.3), draw.uniform(1, 4)
    half = 5.5 * math.sqrt(kT / (0.4 * stiffness)) + 2.5
    drives = [
        {
            "parameter": "stiffness",
            "waveform": "smoothstep",
            "amplitude": float(draw.uniform(-0.6, 1.5) * stiffness),
            "start": 0.1,
            "end": 0.7,
        },
        {
            "parameter": "centre",
            "waveform": "sine",
            "amplitude": 0.7,
            "period": float(draw.uniform(0.5, 2)),
            "phase": float(draw.uniform(0, 6)),
        },
        {
            "parameter": "tilt",
            "waveform": "square",
            "amplitude": float(draw.uniform(0.2, 1)),
            "period": float(draw.uniform(0.4, 0.9)),
            "duty": float(draw.uniform(0.2, 0.8)),
        },
    ]
    kept = [drive for drive in drives if draw.random() < 0.7] or drives[1:2]
    return {
        "study": name,
        "system": {
            "name": "ornstein_uhlenbeck",
            "parameters": {
                "kT": float(kT),
                "mobility": float(draw.uniform(0.5, 2)),
                "stiffness": float(stiffness),
                "centre": 0.1,
                "tilt": 0.2,
            },
        },
        "drive": kept,
        "initial": {"density": "boltzmann"},
        "snapshots": {"start": 0.0, "end": 1.2, "count": 7},
        "truth": {"cells": [cells], "lower": [float(-half)], "upper": [float(half)], "tolerance": tolerance},
        "thermodynamics": {},
    }


def run(where, study, extrapolate):
    """Rows of a study, none if it fails."""
    study = study | {"truth": study["truth"] | {"extrapolate": extrapolate}}
    (where / "trap.yaml").write_text(json.dumps(study))
    arguments = ("trap.yaml", "--no-report", "--overwrite", "--set", "output.directory=trap")
    done = fare(where, "run", *arguments)
    expect(done.returncode == 0, f"{study['study']}: {done.stderr}")
    if done.returncode:
        return []
    with open(where / "trap" / "thermodynamics.csv", newline="") as file:
        return list(csv.DictReader(file))


def main():
    draw = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 2026)  # another seed: other traps
    ratios, better, gains = [], [], []
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place)
        for number, (cells, tolerance) in enumerate(
            [(64, 1e-8), (128, 1e-8), (128, 1e-4), (256, 1e-8), (512, 1e-6), (1024, 1e-8), (2048, 1e-5)]
        ):
            study = random_study(draw, f"trap{number}", cells, tolerance)
            right = exact(study)
            for extrapolate in (True, False):
                rows = run(where, study, extrapolate)
                expect(len(rows) == len(right), f"study {number}: a row for each snapshot")
                for k, (row, true) in enumerate(zip(rows, right)):
                    for name in NAMES:
                        error, bar = abs(float(row[name]) - true[name]), float(row[f"{name}_error"])
                        expect(
                            error <= 3 * bar + ROUND_OFF,
                            (
                                f"study {number} ({cells} cells), row {k}, {name}: {row[name]} +- {bar:.2g},"
                                f" exact {true[name]:.12g}"
                            ),
                        )
                        if not extrapolate:
                            if error > 1e3 * ROUND_OFF:
                                ratios.append(bar / error)
                        elif row[name] != row[f"{name}_plain"]:
                            before = abs(float(row[f"{name}_plain"]) - true[name])
                            if before > 1e3 * ROUND_OFF:
                                gains.append(before / max(error, ROUND_OFF))
                                better.append(bar / max(error, ROUND_OFF))
    ratios = np.array(ratios)
    print(
        f"bar over error, {len(ratios)} numbers: median {np.median(ratios):.2f}, least {ratios.min():.2f},"
        f" 95% below {np.quantile(ratios, 0.95):.1f}"
    )
    print(
        f"{len(gains)} extrapolated numbers: error smaller by {np.median(gains):.1f} (median; smaller in"
        f" {np.mean(np.array(gains) > 1):.0%}), bar over error {np.median(better):.1f}"
    )
    expect(len(ratios) > 200 and np.median(ratios) < 5, "bars are of the size of errors")
    expect(len(gains) > 200 and np.median(gains) > 10, "extrapolated numbers are better")
    expect(np.median(better) < 100, "and their bars are of use")
    return conclude()


sys.exit(main())
