#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The batch scripts for PBS, which is not to be had in Debian: two programs stand in for qsub and qstat and do what
the manual of OpenPBS says. They run a copy of the script elsewhere, with the environment at submission and the
variables of PBS, as one job or an array; a dependent job comes after the one it waits for.
fare-test: labels=slurm timeout=300
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import restart
from checks import conclude, expect
from launch import ENVIRONMENT, FARE, SOURCE

JOBS = SOURCE / "jobs" / "pbs"
AGAIN = "FARE: stopped with a checkpoint; submitted again"
STUDY = """\
study: small
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 9}
truth: {cells: [128], tolerance: 1.0e-5}
ensembles: [{name: walk, sampler: langevin, particles: 2000, dt: 5.0e-4}]
"""
SWEEP = """\
study: swept
system: {name: prinz}
snapshots: {start: 0.0, end: 0.1, count: 2}
truth: {cells: [64], tolerance: 1.0e-4}
output: {directory: swept}
sweep: [{system.parameters.kT: [1.0, 1.5, 2.0]}]
"""
# Jobs run while they are submitted, and number themselves by files; a job that a job submits runs after it.
QSUB = """\
#!/usr/bin/env python3
import os, pathlib, re, shutil, subprocess, sys
where = pathlib.Path(os.environ["STANDIN"])
script, options = sys.argv[-1], sys.argv[1:-1]
for line in pathlib.Path(script).read_text().splitlines():
    options += line[5:].split() if line.startswith("#PBS") else []
value = lambda key: options[options.index(key) + 1] if key in options else ""
number = len(list(where.glob("job.*")))
copy = where / f"job.{number}"
shutil.copy(script, copy)
tasks = int(re.search("mpiprocs=([0-9]+)", " ".join(options))[1])
(where / "nodes").write_text("localhost\\n" * tasks)
points = re.match("([0-9]+)-([0-9]+)$", value("-J"))
if value("-J") and (not points or int(points[1]) >= int(points[2])):
    sys.exit(f"qsub: illegal -J value {value('-J')}")
name = f"{number}[].standin" if points else f"{number}.standin"
if value("-W"):
    assert value("-W").startswith("depend=afterany:"), options
    if re.search("[[][0-9]", value("-W")):
        sys.exit("qsub: dependencies are not supported for subjobs")
environment = dict(os.environ) if "-V" in options else {"PATH": os.environ["PATH"], "STANDIN": str(where)}
for key in [key for key in environment if key.startswith("PBS_")]:
    del environment[key]
for point in range(int(points[1]), int(points[2]) + 1) if points else [None]:
    own = dict(environment, PBS_JOBID=name, PBS_O_WORKDIR=os.getcwd(), PBS_NODEFILE=str(where / "nodes"))
    if point is not None:
        own |= {"PBS_ARRAY_INDEX": str(point), "PBS_JOBID": name.replace("[]", f"[{point}]")}
    with open(where / f"out.{number}", "ab") as out:
        subprocess.run(["bash", copy], cwd="/", env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
print(name)
"""
QSTAT = """\
#!/bin/sh
[ "$1" = -f ] && [ "$2" ] || exit 1
printf 'Job Id: %s\\n    Job_Name = fare\\n    Resource_List.walltime = %s\\n' "$2" 01:02:05
"""
# Between the scripts and the program: the time that they should ask for, two minutes before the limit, is
# over at once. So a study stops at its first chance on a machine of any speed.
SOON = f"""\
#!/bin/bash
for word in "$@"; do words+=("${{word/#3605/0.001}}"); done
exec {FARE} "${{words[@]}}"
"""


def submit(where, *command, **more):
    """Runs qsub or a script that calls it; the finished process, and the output of every job so far."""
    standin = where.parent / "standin"
    environment = dict(
        ENVIRONMENT,
        STANDIN=str(standin),
        PATH=f"{standin}:{os.environ['PATH']}",
        FARE=str(standin / "soon"),
        **more,
    )
    done = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    outs = sorted(standin.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    return done, [path.read_text() for path in outs]


def check_requeue(where):
    """Its time ends in the middle of the study: it submits itself again, until it is done."""
    done, outs = submit(
        where,
        "qsub",
        str(JOBS / "requeue.sh"),
        FARE_HOME=str(SOURCE),
        FARE_ARGUMENTS="study.yaml --no-report --set 'output.directory=again' -- -truth_ts_monitor",
    )
    expect(done.returncode == 0, f"qsub: {done.stderr}")
    again = [text for text in outs if AGAIN in text]
    expect(
        len(outs) > 1 and len(again) == len(outs) - 1,
        f"submitted again {len(again)} times: {outs[-1][-500:]}",
    )
    expect(
        "on 2 ranks" in outs[0] and "resuming from" in "".join(outs), f"has not gone on: {outs[-1][-500:]}"
    )
    expect(" TS dt " in "".join(outs), "PETSc's options are lost")
    wrong = restart.differences(where / "whole", where / "again")
    expect(not wrong, f"other bits than uninterrupted: {wrong[:4]}")


def check_sweep(where):
    """Points whose time ends submit themselves again. One that is missing is a job: PBS has no array of one."""
    before = "".join(submit(where, "true")[1]).count(AGAIN)
    done, outs = submit(where, "bash", str(JOBS / "sweep.sh"), "sweep.yaml")
    expect("points 0-2 are job" in done.stdout, f"submitting a sweep: {done.stdout} {done.stderr}")
    expect(
        "3 points: 3 done" in outs[-1] and (where / "swept" / "sweep.html").exists(),
        f"collecting: {outs[-1][-500:]}",
    )
    expect("".join(outs).count(AGAIN) - before == 3, f"points of an array, again: {outs[-1][-500:]}")
    shutil.rmtree(next(path for path in (where / "swept").iterdir() if path.is_dir()))
    jobs = len(outs)
    done, outs = submit(where, "bash", str(JOBS / "sweep.sh"), "sweep.yaml")
    expect(
        re.search(r"points \d are job", done.stdout),
        f"one point that is missing: {done.stdout} {done.stderr}",
    )
    again = "".join(outs[jobs:]).count(AGAIN)
    expect(len(outs) == jobs + 2 + again, f"more jobs than the point and what collects: {outs[jobs:]}")
    expect(again and "3 points: 3 done" in outs[-1], f"the missing point: {outs[jobs:]}")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-pbs-") as name:
        where = pathlib.Path(name) / "scratch"
        where.mkdir()
        (where.parent / "standin").mkdir()
        for program, text in (("qsub", QSUB), ("qstat", QSTAT), ("soon", SOON)):
            path = where.parent / "standin" / program
            path.write_text(text)
            path.chmod(0o755)
        (where / "study.yaml").write_text(STUDY)
        (where / "sweep.yaml").write_text(SWEEP)
        whole = restart.run(where, 2, "--set", "output.directory=whole")
        expect(whole.returncode == 0, f"the study without PBS: {whole.stderr}")
        check_requeue(where)
        check_sweep(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
