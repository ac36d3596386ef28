#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The regime map of input/regimes.yaml at eight of its points: how far the driven Prinz potential is from its
instantaneous equilibrium against an independent solution, what that costs in work, and what the map
concludes.
fare-test: labels=study timeout=600
"""
import csv
import math
import pathlib
import re
import sys
import tempfile

import h5py
import numpy as np

from checks import SOURCE, conclude, expect, failures, fare

# KL(p_t || Boltzmann at t), mean over the 40 snapshots after the start: Crank and Nicolson's method on 2048
# Scharfetter-Gummel cells of [-1.5, 1.5] with SciPy's banded solver.
EXPECTED = {
    (4, 0.1): 0.8381,
    (4, 1): 0.6685,
    (4, 10): 0.08926,
    (4, 100): 1.330e-3,
    (0.5, 0.1): 1.604e-2,
    (0.5, 1): 1.373e-2,
    (0.5, 10): 2.854e-3,
    (0.5, 100): 3.937e-5,
}
SLOWEST = 1.19899  # relaxation rate of the potential at rest


def on_a_grid(amplitude, period, cells, steps=60):
    """The same mean by Crank and Nicolson's method and NumPy's dense solver, on a grid and with rates written
    here.
    """
    edges = np.linspace(-1.5, 1.5, cells + 1)
    x, h = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    still = 4 * (
        x**8
        + 0.8 * np.exp(-80 * x**2)
        + 0.2 * np.exp(-80 * (x - 0.5) ** 2)
        + 0.5 * np.exp(-40 * (x + 0.5) ** 2)
    )

    def potential(t):
        return still - amplitude * np.sin(2 * np.pi * t / period) * x

    def generator(t):
        drop = np.diff(potential(t))
        up, down = drop / np.expm1(drop) / h**2, -drop / np.expm1(-drop) / h**2
        rates = np.diag(up, -1) + np.diag(down, 1)
        return rates - np.diag(rates.sum(axis=0))

    def boltzmann(t):
        weights = np.exp(-potential(t))
        return weights / weights.sum()

    p, found, dt = boltzmann(0), [], period / 20 / steps
    for k in range(40):
        for s in range(steps):
            half = dt / 2 * generator(period / 20 * k + (s + 0.5) * dt)
            p = np.linalg.solve(np.eye(cells) - half, p + half @ p)
        found.append(float((p * np.log(np.maximum(p, 1e-300) / boltzmann(period / 20 * (k + 1)))).sum()))
    return float(np.mean(found))


def second_method(amplitude, period):
    """Extrapolated to cells of no width; the rates are of second order."""
    return (4 * on_a_grid(amplitude, period, 300) - on_a_grid(amplitude, period, 150)) / 3


def run(where):
    sweep = (
        "sweep=[{drive.0.period: [0.1, 1, 10, 100], snapshots.end: [0.2, 2, 20, 200]}, {drive.0.amplitude:"
        " [0.5, 4]}]"
    )
    settings = [
        sweep,
        "truth.cells=512",
        "truth.extrapolate=false",  # thermodynamics are of the plain density
        "output.directory=map",
        "ensembles.boltzmann.particles=2000",
        "measures=[kl]",
    ]
    done = fare(
        where, "run", SOURCE / "input" / "regimes.yaml", *(f"--set={setting}" for setting in settings)
    )
    expect(
        done.returncode == 0
        and "8 of 8 points in map/sweep.csv, map/sweep_thermodynamics.csv, map/sweep.html" in done.stdout,
        f"exit code {done.returncode}: {done.stdout[-200:]!r} {done.stderr!r}",
    )


def check_divergences(rows):
    for (amplitude, period), expected in EXPECTED.items():
        found = rows[amplitude, period]["kl_at_snapshots"]
        expect(
            abs(found - expected) < 1e-3 * expected,
            f"amplitude {amplitude}, period {period}: {found}, expected {expected}",
        )
    for amplitude, period in ((4, 1), (0.5, 10)):
        found, expected = rows[amplitude, period]["kl_at_snapshots"], second_method(amplitude, period)
        print(f"amplitude {amplitude}, period {period}: {found:.6g}, a second method {expected:.6g}")
        expect(
            abs(found - expected) < 1e-3 * expected,
            f"amplitude {amplitude}, period {period}: {found}, a second method says {expected}",
        )


def check_work(where, rows):
    """Dissipated work is at least kT KL at every snapshot of every point; kT is 1, and the divergence from
    the density that was recorded.
    """
    for point in range(8):
        with h5py.File(where / "map" / f"point_{point:04d}" / "study.h5") as study:
            columns = {
                name: study[f"thermodynamics/{name}"][:]
                for name in ("dissipated_work", "kl_to_equilibrium", "production_total")
            }
            recorded = study["comparisons/boltzmann_density/kl/value"][:]
        expect(
            np.allclose(columns["kl_to_equilibrium"], recorded, rtol=1e-6, atol=1e-13),
            f"point {point}: divergences of thermodynamics and of the comparison",
        )
        margin = columns["dissipated_work"] - recorded
        expect(
            (margin[1:] > 0).all() and margin.min() > -1e-12,
            f"point {point}: the lag bound is broken by {margin.min()}",
        )
        produced = columns["production_total"]
        expect(
            abs(margin - produced).max() < 2e-3 * produced[-1],
            (
                f"point {point}: what dissipated work exceeds the lag by is the entropy produced, but for"
                f" {abs(margin - produced).max() / produced[-1]}"
            ),
        )
    for row in rows.values():
        expect(row["lag_margin"] > 0, f"the margin in the table: {row['lag_margin']}")


def check_map(where, rows):
    """Equilibrium is right where the divergence lies under a million samples' noise: only for the slowest and
    weakest drive; and its own samples tell that floor.
    """
    for (amplitude, period), row in rows.items():
        right = row["kl_at_snapshots"] <= row["floor_of_a_million"]
        expect(
            right == ((amplitude, period) == (0.5, 100)),
            (
                f"amplitude {amplitude}, period {period}: {row['kl_at_snapshots']} and a floor of"
                f" {row['floor_of_a_million']}"
            ),
        )
        expect(3e-5 < row["floor_of_a_million"] < 3e-4, f"a floor of {row['floor_of_a_million']}")
        expect(
            row["unresolved"] == 0
            and abs(row["slowest_rate"] - SLOWEST) < 1e-3
            and abs(row["omega_over_rate"] - 2 * math.pi / period / SLOWEST) < 1e-3 * row["omega_over_rate"],
            f"rate {row['slowest_rate']}, ratio {row['omega_over_rate']}",
        )
    page = re.sub("<[^>]*>", "", (where / "map" / "sweep.html").read_text())
    expect(
        "Equilibrium sampling is right at 1 of 8 points" in page
        and "It is at period 100, amplitude 0.5." in page,
        "what the page says of equilibrium",
    )
    expect("holds at every snapshot of 8 of 8 points" in page, "what the page says of the lag bound")
    with open(where / "map" / "sweep.csv", newline="") as file:
        near = [
            row
            for row in csv.DictReader(file)
            if row["comparison"] == "boltzmann" and float(row["excess"]) <= 0.01
        ]
    expect(
        f"boltzmann stays within 0.01 nats of its noise floor at {len(near)} of 8 points" in page
        and {row["drive.0.period"] for row in near} >= {"100"},
        f"where boltzmann follows: {len(near)}",
    )
    for name in ("regimes", "tracking", "maps"):
        expect((where / "map" / "figures" / f"sweep_{name}.png").stat().st_size > 5000, f"figure {name}")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-regimes-") as name:
        where = pathlib.Path(name)
        run(where)
        if not failures:
            with open(where / "map" / "sweep_thermodynamics.csv", newline="") as file:
                found = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
            rows = {(row["drive.0.amplitude"], row["drive.0.period"]): row for row in found}
            expect(set(rows) == set(EXPECTED), f"points {sorted(rows)}")
            check_divergences(rows)
            check_work(where, rows)
            check_map(where, rows)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
