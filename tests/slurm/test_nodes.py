#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The batch scripts on a SLURM of three nodes, each with a host name, a network and processes of its own: a study
over two of them, an array over all, a node that dies and a link that is cut. Such a job starts again on other
nodes and ends with the bits of one that nobody disturbed; nothing hangs.
fare-test: labels=slurm timeout=600
"""
import pathlib
import sys
import tempfile
import time

import cluster
import restart
from checks import expect, failures
from launch import ENVIRONMENT, FARE, SOURCE, processes

STUDY = """\
study: disturbed
seed: 7
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 9}
truth: {cells: [128], tolerance: 1.0e-5}
ensembles: [{name: walk, sampler: langevin, particles: 100000, dt: 5.0e-4}]
"""
SWEEP = """\
study: swept
system: {name: prinz}
snapshots: {start: 0.0, end: 0.1, count: 2}
truth: {cells: [64], tolerance: 1.0e-4}
ensembles: [{name: walk, sampler: langevin, particles: 1000, dt: 1.0e-3}]
output: {directory: swept}
sweep:
  - system.parameters.kT: [1.0, 1.5, 2.0]
"""
JOBS = SOURCE / "jobs" / "slurm"
TWO_NODES = ("--nodes=2", "--ntasks-per-node=1", "--exclusive")
WAITS = 120  # seconds that SLURM may take to notice a failure and to start the job again


def submit(slurm, where, name):
    """A study on two nodes that writes a checkpoint after each snapshot."""
    script = str(JOBS / "requeue.sh")
    setting = f"output.directory={name}"
    return slurm.submit(where, *TWO_NODES, script, "study.yaml", "--no-report", "--set", setting)


def until(what, ready, seconds=WAITS):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.1)
    expect(False, f"waited {seconds} s in vain: {what}")
    return False


def nodes_of(slurm, job):
    listed = slurm.show(job, "NodeList")
    return slurm.run("scontrol", "show", "hostnames", listed[0]).stdout.split() if listed else []


def begin(slurm, where, name):
    """The job, and its nodes, once the study is in its middle: the node that runs the script comes first."""
    job = submit(slurm, where, name)
    until(f"{name}: three snapshots", lambda: len(list(where.glob(f"{name}/snapshots/*.h5"))) > 2)
    nodes = nodes_of(slurm, job)
    host = slurm.show(job, "BatchHost")[0]
    return job, sorted(nodes, key=lambda node: node != host)


def check_end(slurm, where, name, job, lost):
    """It has started again, without the node that was lost, and ended with the same bits."""
    states = slurm.finish(job, seconds=WAITS)
    log = (where / f"fare-{job}.out").read_text(errors="replace")
    expect(states == ["COMPLETED"], f"{name}: {states}: {log[-1500:]}")
    expect(slurm.show(job, "Restarts") == ["1"], f"{name}: restarted {slurm.show(job, 'Restarts')} times")
    expect(lost not in nodes_of(slurm, job), f"{name}: ended on {lost}, which was lost")
    expect("resuming from" in log, f"{name} has not resumed: {log[-1500:]}")
    if states == ["COMPLETED"]:
        wrong = restart.differences(where / "whole", where / name)
        expect(not wrong, f"{name}: other bits than undisturbed: {wrong[:4]}")


def check_study(slurm, where):
    job = submit(slurm, where, "spread")
    states = slurm.finish(job)
    out = (where / f"fare-{job}.out").read_text(errors="replace")
    expect(states == ["COMPLETED"], f"a study on two nodes: {states}: {out[-1500:]}")
    expect(len(nodes_of(slurm, job)) == 2 and "on 2 ranks" in out, f"not on two nodes: {out[-500:]}")
    if states == ["COMPLETED"]:
        wrong = restart.differences(where / "whole", where / "spread")
        expect(not wrong, f"on two nodes other bits than on one: {wrong[:4]}")


def check_array(slurm, where):
    script = str(JOBS / "array.sh")
    job = slurm.submit(where, "--array=0-2", "--exclusive", script, "sweep.yaml", "--no-report")
    states = slurm.finish(job)
    out = "".join(path.read_text(errors="replace") for path in where.glob(f"fare-{job}_*.out"))
    expect(states == ["COMPLETED"] * 3, f"the array: {states}: {out[-1500:]}")
    used = sorted(slurm.show(job, "BatchHost"))
    expect(used == slurm.names, f"the array ran on {used}")


def check_cut(slurm, where):
    """The link of the node that runs the script: its ranks live on, cut off, and must not write again."""
    job, nodes = begin(slurm, where, "cut")
    slurm.cut(nodes[0])
    check_end(slurm, where, "cut", job, nodes[0])
    slurm.mend(nodes[0])
    until("the ranks that were cut off to end", lambda: not processes(f"SLURM_JOB_ID={job}"), 60)
    until("the node to come back", lambda: slurm.idle() == len(slurm.names), 60)


def check_death(slurm, where):
    """The other node: the script's own one survives and is told."""
    job, nodes = begin(slurm, where, "died")
    slurm.kill(nodes[1])
    check_end(slurm, where, "died", job, nodes[1])
    until("the ranks that survived to end", lambda: not processes(f"SLURM_JOB_ID={job}"), 60)


def main():
    why = cluster.missing() or cluster.isolate()
    if why:
        print("skipped:", why)
        return 77
    with tempfile.TemporaryDirectory(prefix="fare-nodes-") as name:
        where = pathlib.Path(name) / "shared"
        where.mkdir()
        (where / "study.yaml").write_text(STUDY)
        (where / "sweep.yaml").write_text(SWEEP)
        began = time.monotonic()
        whole = restart.run(where, 2, "--set", "output.directory=whole")
        expect(whole.returncode == 0, f"the study without SLURM: {whole.stderr}")
        print(f"the study alone: {time.monotonic() - began:.1f} s", flush=True)
        (where.parent / "slurm").mkdir()
        slurm = cluster.Cluster(where.parent / "slurm", nodes=3)
        slurm.environment.update(
            ENVIRONMENT, SLURM_CONF=slurm.environment["SLURM_CONF"], FARE=FARE, FARE_CHECKPOINT_SECONDS="0"
        )
        try:
            slurm.start()
            for check in (check_study, check_array, check_cut, check_death):
                began = time.monotonic()
                check(slurm, where)
                print(f"{check.__name__}: {time.monotonic() - began:.0f} s", flush=True)
        finally:
            slurm.stop()
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
