#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The batch scripts as they are, under a real SLURM and from a scratch directory: one study, a sweep as an array
with what collects behind it, and a job that is signalled, requeued, and ends with the same bits.
fare-test: labels=slurm timeout=900
"""
import pathlib
import sys
import tempfile
import time

import cluster
import restart
from checks import expect, failures
from launch import ENVIRONMENT, FARE, SOURCE

SWEEP = """\
study: swept
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 3}
truth: {cells: [128], tolerance: 1.0e-5}
ensembles: [{name: walk, sampler: langevin, particles: 2000, dt: 1.0e-3}]
output: {directory: swept}
sweep:
  - drive.0.amplitude: [1.0, 4.0]
"""
JOBS = SOURCE / "jobs" / "slurm"
PETSC = ("--", "-truth_ts_monitor")  # stands behind everything, whatever the scripts add


def said(where, pattern):
    return "".join(path.read_text(errors="replace") for path in sorted(where.glob(pattern)))


def check_study(slurm, where, whole):
    site = where / "site.sh"
    site.write_text("echo set up for $SLURM_JOB_ID\n")
    for launcher in ("srun", "mpirun"):
        job = slurm.submit(
            where,
            JOBS / "study.sh",
            "study.yaml",
            "--no-report",
            "--max-seconds",
            "3600",
            "--set",
            f"output.directory=by_{launcher}",
            *PETSC,
            FARE_SITE=site,
            FARE_LAUNCHER=launcher,
        )
        states = slurm.finish(job)
        out = said(where, f"fare-{job}.out")
        expect(states == ["COMPLETED"], f"a study by {launcher}: {states}: {out[-1500:]}")
        expect(f"set up for {job}" in out, f"a study by {launcher}: no set-up of the site: {out[-500:]}")
        expect(" TS dt " in out, f"a study by {launcher}: PETSc's options are lost")
        expect("on 2 ranks" in out, f"a study by {launcher} ran otherwise than on 2 ranks: {out[-500:]}")
        if states == ["COMPLETED"]:
            wrong = restart.differences(whole, where / f"by_{launcher}")
            expect(not wrong, f"a study by {launcher} differs from one without SLURM: {wrong[:4]}")


def check_singletons(slurm, where):
    done = slurm.run("srun", "--mpi=none", "-n", "2", FARE, "list", "systems", cwd=where)
    expect(
        done.returncode != 0 and "ornstein_uhlenbeck" not in done.stdout,
        f"srun without a PMI: {done.returncode} {done.stderr[-300:]}",
    )


def check_doctor(slurm, where):
    said = slurm.run(FARE, "doctor", cwd=where).stdout
    expect("srun --mpi=pmix is available" in said, f"doctor does not find SLURM: {said}")


def check_mistake(slurm, where):
    job = slurm.submit(where, JOBS / "requeue.sh", "study.yaml", "--set", "truth.cells=-5")
    states = slurm.finish(job)
    expect(
        states == ["FAILED"] and "truth.cells" in said(where, f"fare-{job}.out"),
        f"a mistake in the study: {states}",
    )


def check_requeue(slurm, where, whole):
    """Signalled as SLURM does before the time limit, twice at moments of the study's middle."""
    job = slurm.submit(
        where,
        JOBS / "requeue.sh",
        "study.yaml",
        "--no-report",
        "--set",
        "output.directory=requeued",
        *PETSC,
    )
    log, signalled = f"fare-{job}.out", 0
    deadline = time.monotonic() + 300
    while signalled < 2 and time.monotonic() < deadline:
        states = slurm.states(job)
        started = said(where, log).count("results in requeued")
        if states == ["RUNNING"] and started > signalled:
            time.sleep(0.4)
            slurm.run("scancel", "--batch", "--signal=USR1", job)
            signalled += 1
        time.sleep(0.1)
    states = slurm.finish(job)
    out = said(where, log)
    expect(states == ["COMPLETED"], f"the requeued job: {states}: {out[-1500:]}")
    expect(
        out.count("FARE: stopped with a checkpoint; requeued") == 2,
        f"the job was to be requeued twice: {out[-1500:]}",
    )
    if states == ["COMPLETED"] and not failures:
        wrong = restart.differences(whole, where / "requeued")
        expect(not wrong, f"the requeued study differs from one that nobody stopped: {wrong[:4]}")


def check_sweep(slurm, where):
    done = slurm.run("bash", JOBS / "sweep.sh", "sweep.yaml", *PETSC, cwd=where)
    expect(
        done.returncode == 0 and "points 0-1 are job" in done.stdout,
        f"submitting a sweep: {done.stdout} {done.stderr}",
    )
    if done.returncode:
        return
    array, collect = (word.rstrip(";") for word in done.stdout.split(" job ")[1:3])
    array, collect = array.split()[0].rstrip(";"), collect.split()[0]
    expect(
        slurm.finish(array) == ["COMPLETED"] * 2, f"the array: {said(where, f'fare-{array}_*.out')[-1500:]}"
    )
    states = slurm.finish(collect)
    out = said(where, f"fare-collect-{collect}.out")
    expect(states == ["COMPLETED"] and "2 points: 2 done" in out, f"collecting: {states} {out[-1500:]}")
    expect((where / "swept" / "sweep.csv").exists(), "no swept/sweep.csv")
    done = slurm.run("bash", JOBS / "sweep.sh", "sweep.yaml", *PETSC, cwd=where)
    expect("are done" in done.stdout, f"submitting a sweep that is done: {done.stdout} {done.stderr}")


def main():
    why = cluster.missing()
    if why:
        print("skipped:", why)
        return 77
    with tempfile.TemporaryDirectory(prefix="fare-slurm-") as name:
        base = pathlib.Path(name)
        where = base / "scratch"
        where.mkdir()
        (where / "study.yaml").write_text(restart.STUDY)
        (where / "sweep.yaml").write_text(SWEEP)
        whole = restart.run(where, 2, "--set", "output.directory=whole")
        expect(whole.returncode == 0, f"the study without SLURM: {whole.stderr}")
        (base / "slurm").mkdir()
        slurm = cluster.Cluster(base / "slurm")
        slurm.environment.update(ENVIRONMENT, SLURM_CONF=slurm.environment["SLURM_CONF"], FARE=FARE)
        try:
            slurm.start()
            check_study(slurm, where, where / "whole")
            check_singletons(slurm, where)
            check_doctor(slurm, where)
            check_mistake(slurm, where)
            check_requeue(slurm, where, where / "whole")
            check_sweep(slurm, where)
        finally:
            slurm.stop()
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
