#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The best drive of a study, pasted into another: the evolution of the truth, by steps and quadrature of its own,
needs the work that was promised. And what a failure says, and a request to stop does.
fare-test: labels=study timeout=200
"""
from __future__ import annotations

import csv
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import h5py

from checks import conclude, expect, fare
from launch import ENVIRONMENT, FARE, SOURCE

CONTROL = "control=[{name: ramp, parameter: tilt, from: 0.0, to: 2.0, duration: 1.0, knots: 10}]"
STUDY = """study: pasted
system: {name: prinz}
%s
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [256]}
thermodynamics: {steps: 400}
"""


def optimise(where, name, *sets):
    words = [word for text in (f"output.directory={where / name}", *sets) for word in ("--set", text)]
    return fare(where, "run", SOURCE / "input/control/prinz_tilt.yaml", "--no-report", "--overwrite", *words)


def dissipated(where, drive):
    path = where / "pasted.yaml"
    path.write_text(STUDY % drive)
    done = fare(where, "run", path, "--no-report", "--set", f"output.directory={where / 'pasted'}")
    expect(done.returncode == 0, "the pasted drive runs", done.stderr)
    with open(where / "pasted" / "thermodynamics.csv", newline="") as file:
        return float(list(csv.DictReader(file))[-1]["dissipated_work"])


def pasted(where):
    done = optimise(where, "best", "truth.cells=[256]", CONTROL)
    expect(done.returncode == 0, "the best drive is found", done.stderr)
    drive = done.stdout[done.stdout.index("\ndrive:") :].split("\n\n")[0]
    work = dissipated(where, drive)
    with h5py.File(where / "best" / "study.h5") as file:
        found = file["control/ramp"]
        best = found.attrs["optimum"]
        expect(abs(best - 0.2234) < 2e-4, "the optimum of another program", best)
        expect(abs(work - best) < 2e-4, "the pasted drive dissipates what was promised", (work, best))
        ladder = [found[f"ladder/{name}"].attrs["value"] for name in ("linear", "switch")]
        expect(best < ladder[0] < ladder[1], "the ladder is ordered", ladder)
        expect(
            abs(found.attrs["checked"] - best) < 1e-5, "it was run with its own steps", found.attrs["checked"]
        )
        values = found["drives/tilt/values"]
        expect(values.shape == (10,) and found["times"][-1] == 1.0, "knots are kept")
        mass = found["density"][:].sum(axis=1) * (found.attrs["upper"] - found.attrs["lower"]) / 256
        expect(found["density"].shape == (10, 256), "densities at the knots are kept")
        expect(abs(mass - 1).max() < 1e-9, "and have mass 1", mass)


def refused(where):
    wild = "control=[{name: wild, parameter: tilt, from: 0.0, to: 20.0, duration: 10.0, knots: 2, steps: 8}]"
    done = optimise(where, "wild", "truth.cells=[128]", wild)
    expect(done.returncode == 0, "the rest of the study goes on", done.stderr)
    expect("it exploits the time steps" in done.stderr, "a warning says why", done.stderr)
    expect("Control wild failed" in done.stdout, "and so do the tables", done.stdout)
    with h5py.File(where / "wild" / "study.h5") as file:
        expect("optimum" not in file["control/wild"].attrs, "no number is kept")


def stopped(where):
    command = [FARE, "run", SOURCE / "input/control/prinz_tilt.yaml", "--no-report"]
    sets = [f"output.directory={where / 'stopped'}", "truth.cells=[512]", CONTROL.replace("10", "80")]
    command += [word for text in sets for word in ("--set", text)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        while "checkpoints" not in (line := process.stdout.readline()) and line:
            pass
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        process.stdout.read()
    expect(process.returncode == 75, "a search stops on request", process.returncode)
    expect(time.monotonic() - asked < 10, "soon")
    expect(any((where / "stopped/checkpoints").iterdir()), "with a checkpoint")
    run = [*command[1:], "--resume"]
    done = fare(where, *run, "--max-seconds", "0.001")
    expect(done.returncode == 75, "it goes on with the same plan", (done.returncode, done.stderr))
    done = fare(where, *run, "--set", "control[0].from=-1.5")
    expect(done.returncode == 2 and "control.ramp.from was" in done.stderr, "not with another", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        pasted(where)
        refused(where)
        stopped(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
