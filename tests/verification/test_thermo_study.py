#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Thermodynamics in whole studies: tables and file agree and close the first law, resuming changes nothing, and
what a system does not define is absent or refused.
fare-test: labels=verification timeout=300
"""
import csv
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import FARE, SOURCE


def run(where, study, out, *arguments):
    sets = [
        word
        for assignment in (f"output.directory={out}", *arguments)
        for word in (("--set", assignment) if "=" in assignment else (assignment,))
    ]
    return subprocess.run(
        [FARE, "run", str(SOURCE / "input" / study), *sets],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )


def table(directory):
    with open(directory / "thermodynamics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def whole(where):
    done = run(where, "thermodynamics.yaml", "whole")
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    columns = table(where / "whole")
    change = columns["energy"] - columns["energy"][0]
    expect(len(columns["time"]) == 21 and columns["time"][-1] == 1.0, "a row for each snapshot")
    expect(abs(change - columns["work"] - columns["heat"]).max() < 1e-10, "first law")
    expect((columns["dissipated_work"] - columns["kl_to_equilibrium"] > -1e-10).all(), "lag bound")
    expect(
        abs(columns["free_energy"] - columns["equilibrium_free_energy"] - columns["kl_to_equilibrium"]).max()
        < 1e-10,
        "free energy above equilibrium is kT KL",
    )
    expect(
        (columns["production_total_rate"] >= 0).all()
        and (columns["production_housekeeping_rate"] == 0).all(),
        "a gradient has nothing to keep",
    )
    expect(
        abs(columns["dissipated_work"] - columns["kl_to_equilibrium"] - columns["production_total"])[-1]
        < 2 * abs(columns["entropy_balance"][-1]) + 1e-9,
        "closure",
    )
    expect("extra_work" not in columns and "velocity_2" not in columns, "columns that are not defined")
    with h5py.File(where / "whole" / "study.h5") as file:
        group = file["thermodynamics"]
        for name, values in columns.items():
            expect(
                np.allclose(group[name][:], values, rtol=1e-11, atol=1e-14),
                f"{name} in study.h5 and in thermodynamics.csv",
            )
        exact, on_grid = (group.attrs[f"free_energy_change{end}"] for end in ("", "_plain"))
        expect(group.attrs["extrapolated"] == 1 and exact != on_grid, "numbers are extrapolated")
        kl = (
            np.trapezoid(columns["kl_to_equilibrium"], columns["time"])
            if hasattr(np, "trapezoid")
            else np.trapz(columns["kl_to_equilibrium"], columns["time"])
        )
        expect(abs(group.attrs["mean_kl_to_equilibrium"] - kl) < 1e-3 * kl, "time average of the divergence")
        chain, particles = group["chain"].attrs, group["particles"].attrs
        expect(
            abs(chain["jarzynski"] - on_grid) < 1e-10
            and chain["first_law"] < 1e-10
            and chain["lag_margin"] > -1e-10,
            "identities of the chain",
        )
        expect(
            abs(chain["mean"][0] - columns["work"][-1]) < 1e-3,
            "the chain's work is the truth's, to first order in its step",
        )
        expect(
            abs(particles["bennett"] - exact) < 4 * particles["bennett_error"] < 0.03, "Bennett's estimate"
        )
        expect(
            (abs(particles["jarzynski"] - exact) < 4 * particles["jarzynski_error"]).all(),
            "Jarzynski's estimates",
        )
        width = (particles["upper"] - particles["lower"]) / group["particles/density"].shape[1]
        expect(abs(group["particles/density"][:].sum(axis=1) * width - 1).max() < 1e-9, "histograms of work")
    for k, name in enumerate(sorted((where / "whole" / "snapshots").glob("*.h5"))):
        with h5py.File(name) as file:
            current = next(iter(file["data"].values()))["meshes/current_x"]
            expect(
                abs(current[:].sum() * 4.0 / current.shape[0] - columns["velocity_1_plain"][k]) < 1e-9,
                f"the current of snapshot {k} sums to the velocity",
            )
    expect((where / "whole" / "figures" / "thermodynamics.png").stat().st_size > 1000, "figure")
    expect("Thermodynamics of the truth" in done.stdout and "Bennett" in done.stdout, "printed tables")


def resumed(where):
    half = run(where, "thermodynamics.yaml", "half", "snapshots.count=11", "snapshots.end=0.5")
    expect(half.returncode == 0, f"exit code {half.returncode}: {half.stderr}")
    done = run(where, "thermodynamics.yaml", "half", "--resume")
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    expect(
        (where / "half" / "thermodynamics.csv").read_bytes()
        == (where / "whole" / "thermodynamics.csv").read_bytes(),
        "the same bits after going on",
    )


def overwritten(where):
    """What thermodynamics left goes with the rest when another study takes the directory."""
    done = run(
        where,
        "rotational_ou.yaml",
        "half",
        "--overwrite",
        "ensembles=[]",
        "measures=[]",
        "truth.cells=[16, 16]",
        "snapshots.count=2",
        "snapshots.end=0.1",
    )
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    expect(
        not (where / "half" / "thermodynamics.csv").exists()
        and not (where / "half" / "figures" / "thermodynamics.png").exists(),
        "nothing is left by --overwrite",
    )


def not_defined(where):
    arguments = (
        "ensembles=[]",
        "measures=[]",
        "snapshots.count=3",
        "snapshots.end=0.5",
        "truth.tolerance=1e-5",
    )
    done = run(where, "rotational_ou.yaml", "swirl", "thermodynamics={}", "truth.cells=[64, 64]", *arguments)
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    columns = table(where / "swirl")
    expect(
        {"extra_work", "production_housekeeping", "velocity_2"} <= set(columns)
        and "dissipated_work" not in columns,
        "columns of a swirl",
    )
    expect(
        abs(
            columns["production_total_rate"]
            - columns["production_housekeeping_rate"]
            - columns["production_excess_rate"]
        ).max()
        < 1e-10 * columns["production_total_rate"].max(),
        "productions add up",
    )
    expect(
        abs(
            columns["energy"]
            - columns["energy"][0]
            - columns["work"]
            - columns["extra_work"]
            - columns["heat"]
        ).max()
        < 1e-10,
        "first law of a swirl",
    )
    done = run(where, "maier_stein.yaml", "drift", "thermodynamics={}", "truth.cells=[32, 32]", *arguments)
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    expect(
        not {"energy", "work", "heat", "kl_to_equilibrium", "free_energy"} & set(table(where / "drift"))
        and "entropy" in table(where / "drift"),
        "columns without a potential",
    )
    for message, *arguments in (
        ("thermodynamics.steps", "thermodynamics.steps=10"),
        ("thermodynamics.particles", "thermodynamics.particles=10"),
        (
            "a box without absorbing ends",
            "thermodynamics={}",
            "truth.boundaries=[absorbing, absorbing]",
            "ensembles=[]",
        ),
        ("unknown key 'step'", "thermodynamics.step=10"),
    ):
        done = run(where, "rotational_ou.yaml", "refused", *arguments)
        expect(
            done.returncode == 2 and message in done.stderr and not (where / "refused").exists(),
            f"{arguments} is refused with '{message}': {done.returncode} {done.stderr}",
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        whole(where)
        resumed(where)
        overwritten(where)
        not_defined(where)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
