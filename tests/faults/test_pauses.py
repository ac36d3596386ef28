#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A snapshot that takes long does not hold up a request to stop: a study that is stopped between two steps of
its truth or of its particles, again and again, ends with the bits of one that nobody stopped.
fare-test: labels=faults timeout=900
"""
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import h5py

import restart
from checks import expect, failures
from launch import execute, processes, send

MAIN, HALF, QUARTER, TIGHTER = range(4)  # parts of a truth; the last that there is is the tighter one
TIME, LONGEST = (
    0,
    28,
)  # numbers of a part: where it is; the longest step of the way that it is on, 0 between two ways
STOPS_MOST = 200
SELDOM = "0.1"

# its own method in time, where the force is a gradient, and a drive that jumps between snapshots; two axes,
# so that ranks have the truth together
DRIVEN = """\
study: driven
seed: 3
system: {name: five_well}
drive: [{parameter: tilt, waveform: square, amplitude: 0.5, period: 0.9}]
snapshots: {start: 0.0, end: 0.5, count: 3}
truth: {cells: [32, 32], tolerance: 1.0e-2}
measures: [kl]
ensembles:
  - {name: walk, sampler: langevin, particles: 3000, dt: 1.0e-4, integrator: leimkuhler_matthews}
  - {name: frozen, sampler: boltzmann, particles: 500}
  - {name: coarse, sampler: langevin, particles: 3000, dt: 1.0e-2}
"""

# PETSc's method in time
SWIRL = """\
study: swirl
seed: 4
system: {name: maier_stein}
initial: {density: gaussian, mean: [-1.0, 0.0], sd: [0.2, 0.2]}
snapshots: {start: 0.0, end: 1.0, count: 3}
truth: {cells: [24, 24], tolerance: 1.0e-4, scheme: fitted}
measures: [kl]
ensembles:
  - {name: walk, sampler: langevin, particles: 2000, dt: 2.0e-4, integrator: heun}
"""

# explicit transport of a body with inertia, whose drive changes the length of its steps
FLOW = """\
study: flow
seed: 6
system: {name: kramers_double_well}
drive: [{parameter: tilt, waveform: square, amplitude: 2.0, period: 0.03}]
initial: {density: gaussian, mean: [-1.0, 0.0], sd: [0.3, 0.7]}
snapshots: {start: 0.0, end: 0.04, count: 3}
truth: {cells: [96, 64], scheme: high_order}
measures: [kl]
ensembles:
  - {name: walk, sampler: langevin, particles: 2000, dt: 2.0e-3, integrator: heun}
"""

# inertia; work along the truth, which then goes from snapshot to snapshot; a method that learns
WORK = """\
study: work
seed: 5
system: {name: double_well}
drive: [{parameter: tilt, waveform: sine, amplitude: 1.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 4}
truth: {cells: [128], tolerance: 1.0e-6}
thermodynamics: {}
measures: [kl]
ensembles:
  - {name: walk, sampler: langevin, particles: 2000, dt: 1.0e-4}
  - {name: learned, sampler: diffusion, particles: 500, steps: 100, batch: 256, train: {particles: 1000}}
"""


def run(where, ranks, out, *arguments):
    return execute(
        ["run", "study.yaml", "--no-report", "--set", f"output.directory={out}", *arguments],
        where,
        ranks,
        hangs=120,
    )


def newest(where, out):
    return max((where / out / "checkpoints").glob("checkpoint_*_*.h5"))


def look(path, seen):
    """Which parts of a study this checkpoint has in the middle of a way."""
    with h5py.File(path) as file:
        step = file.attrs["next"]
        parts = sorted(int(name) for name in file.get("truth", ()) if name.isdigit())
        for part in parts:
            if file[f"truth/{part}/numbers"][LONGEST] > 0:
                seen.add(("truth", TIGHTER if part == parts[-1] and part else part))
        for name, method in file["methods"].items():
            if "made" in method.attrs and method.attrs["made"] == step + 1:
                seen.add(("made", name))
            if "state" in method and method["state"].attrs.get("done", 0) > 0:
                seen.add(("done", name))


def same(where, whole, out, what):
    wrong = restart.differences(where / whole, where / out)
    expect(not wrong, f"{what}: {len(wrong)} things differ from a study that was not stopped: {wrong[:4]}")


def stop_again_and_again(where, ranks, what, grace, wanted, everywhere):
    """Stopped at once, or when a snapshot has taken so long: until it was stopped at every place that is
    wanted, and from there on once in a while; wherever it can be, where an argument asks for that.
    """
    seen = set()
    for stops in range(STOPS_MOST):  # each run makes one step or one run of steps
        done = run(
            where,
            ranks,
            "stopped",
            "--resume",
            "--max-seconds",
            "0.001",
            "--grace-seconds",
            grace if everywhere or not wanted <= seen else SELDOM,
            "--checkpoint-seconds",
            "1000",
        )
        if done.returncode != 75:
            break
        look(newest(where, "stopped"), seen)
    expect(done.returncode == 0, f"{what}, stopped {stops} times: {done.returncode} {done.stderr[-500:]!r}")
    expect(wanted <= seen, f"{what}: never stopped in {sorted(wanted - seen)}")
    same(where, "whole", "stopped", f"{what}, stopped {stops} times")
    return stops


def kill_in_the_middle(where, ranks, what):
    """Killed between two of the checkpoints that are written on the way to a snapshot, where each has one
    step less to do; those that are written change nothing themselves.
    """
    arguments = ["--resume", "--grace-seconds", "0", "--checkpoint-seconds", "0"]
    with tempfile.TemporaryDirectory(prefix="fare-") as session:
        study = subprocess.Popen(
            restart.command(ranks, *arguments, "--set", "output.directory=killed"),
            cwd=where,
            env={**restart.ENVIRONMENT, "TMPDIR": session},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while study.poll() is None and len(list((where / "killed" / "snapshots").glob("*.h5"))) < 2:
            time.sleep(0.002)
        expect(study.poll() is None, f"{what} is too fast to be killed")
        send(signal.SIGKILL, [*processes(session), study.pid])
        study.wait()
    seen = set()
    look(newest(where, "killed"), seen)
    done = run(where, ranks, "killed", "--resume")
    expect(done.returncode == 0, f"{what}, killed: {done.returncode} {done.stderr[-500:]!r}")
    same(where, "whole", "killed", f"{what}, killed with {sorted(seen)} in their middle")


def main():
    everywhere = "everywhere" in sys.argv[1:]
    studies = [
        (
            "driven",
            DRIVEN,
            0,
            "0",
            {
                ("truth", MAIN),
                ("truth", HALF),
                ("truth", TIGHTER),
                ("done", "walk"),
                ("made", "walk"),
                ("made", "frozen"),
            },
        ),
        ("driven on two ranks", DRIVEN, 2, "0.02", set()),
        ("swirl", SWIRL, 0, "0", {("truth", MAIN), ("truth", TIGHTER), ("done", "walk")}),
        ("flow", FLOW, 0, "0", {("truth", MAIN), ("truth", HALF), ("truth", TIGHTER)}),
        ("work", WORK, 0, "0", {("done", "walk"), ("made", "walk")}),
    ]
    if everywhere:
        studies.append(("flow on two ranks", FLOW, 2, "0.02", set()))
    for what, text, ranks, grace, wanted in studies:
        with tempfile.TemporaryDirectory(prefix="fare-pauses-") as name:
            where = pathlib.Path(name)
            (where / "study.yaml").write_text(text)
            done = run(where, ranks, "whole")
            expect(done.returncode == 0, f"{what}, which nobody stops: {done.stderr!r}")
            if done.returncode == 0:
                stops = stop_again_and_again(where, ranks, what, grace, wanted, everywhere)
                kill_in_the_middle(where, max(1, ranks), what)
                print(f"{what}: stopped {stops} times and killed once")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
