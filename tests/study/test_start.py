#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What is no work is not done: what only prints does without MPI, and a process alone starts Open MPI without a network.
Neither happens to a rank of a launcher, and what the user has set stays.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from checks import conclude, expect
from launch import FARE, MPIEXEC

STUDY = """\
study: started
system:
  expression: {potential: "x^4/4 - x^2/2", lower: [-3], upper: [3]}
snapshots: {start: 0.0, end: 0.1, count: 2}
truth: {cells: [32]}
"""
# what compiles the formulas is a process of FARE's own, and notes the environment that it finds
COMPILER = """\
#!/bin/sh
env > "$NOTES"
exec cc "$@"
"""
ALONE = {
    "OMPI_MCA_ess_singleton_isolated": "1",
    "OMPI_MCA_orte_create_session_dirs": "0",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self",
}
YIELD = "OMPI_MCA_mpi_yield_when_idle"
CLEAN = {
    key: value
    for key, value in os.environ.items()
    if key not in (*ALONE, YIELD) and not key.startswith(("SLURM_", "PMI"))
}
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def start(
    where: pathlib.Path, *arguments: str, ranks: int = 0, **more: str
) -> subprocess.CompletedProcess[str]:
    launch = [MPIEXEC, "-n", str(ranks), "--oversubscribe"] if ranks else []
    return subprocess.run(
        [*launch, FARE, *arguments],
        cwd=where,
        env={**CLEAN, **ROOT, **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def environment(where: pathlib.Path, name: str, ranks: int = 0, **more: str) -> dict[str, str]:
    """What FARE has in its environment once MPI was started."""
    notes = where / f"{name}.txt"
    told = {"CC": str(where / "cc.sh"), "NOTES": str(notes), "FARE_CACHE": str(where / name), **more}
    done = start(where, "check", "study.yaml", ranks=ranks, **told)
    expect(done.returncode == 0, f"{name}: checks a study", done.stderr[-500:])
    lines = notes.read_text().splitlines() if notes.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def check_environment(where: pathlib.Path) -> None:
    alone = environment(where, "alone")
    expect(all(alone.get(key) == value for key, value in ALONE.items()), "a process alone is isolated", alone)
    told = environment(where, "told", OMPI_MCA_btl="self,tcp")
    expect(told.get("OMPI_MCA_btl") == "self,tcp", "what is set stays", told.get("OMPI_MCA_btl"))
    for name, found in (
        ("launched", environment(where, "launched", ranks=2)),
        ("one_rank", environment(where, "one_rank", ranks=1)),
        ("step", environment(where, "step", SLURM_STEP_ID="0")),
    ):
        forced = [key for key in ALONE if key in found]
        expect(found and not forced, f"{name}: no rank is cut off from others", forced)
        expect(found.get(YIELD) == "1", f"{name}: ranks that wait yield", found.get(YIELD))
    # isolated processes would share the directory of their session, and the first to end removes it
    nowhere = environment(where, "nowhere", TMPDIR="/dev/null")
    expect(nowhere.get("TMPDIR") == "/dev/null", "a process alone needs no directory of its session", nowhere)
    spin = environment(where, "spin", ranks=2, **{YIELD: "0"})
    expect(spin.get(YIELD) == "0", "unless they are told to spin", spin.get(YIELD))


def check_without_mpi(where: pathlib.Path) -> None:
    """An MPI that cannot start is not missed."""
    broken = {"OMPI_MCA_pml": "no_such_component"}
    expect(start(where, "check", "study.yaml", **broken).returncode != 0, "this MPI does not start")
    for arguments in (
        ["help"],
        ["help", "run"],
        ["--version"],
        ["list"],
        ["list", "systems"],
        ["describe", "study"],
        ["describe", "sampler", "langevin"],
        ["completion", "bash"],
        ["run", "--help"],
    ):
        done = start(where, *arguments, **({} if arguments[0] == "run" else broken))
        sound = done.returncode == 0 and done.stdout and not done.stderr
        expect(sound, f"{' '.join(arguments)} needs no MPI", (done.returncode, done.stderr[-300:]))
    for arguments in (["describe", "system", "prinzz"], ["lists"], ["help", "nothing"]):
        done = start(where, *arguments, **broken)
        lines = done.stderr.splitlines()
        sound = done.returncode == 2 and len(lines) == 1 and lines[0].startswith("fare: ")
        expect(sound, f"{' '.join(arguments)} is refused in one line", (done.returncode, lines))


def check_session(where: pathlib.Path) -> None:
    """Processes alone share Open MPI's directory of the session, and the first to end removes it."""
    few = ["run", "study.yaml", "--no-report", "--set", "snapshots.count=100", "--overwrite"]
    place = where / "session"
    place.mkdir()
    process = subprocess.Popen(
        [FARE, *few],
        cwd=where,
        env={**CLEAN, **ROOT, "TMPDIR": str(place)},
        stderr=subprocess.PIPE,
        text=True,
    )
    removed = False
    while process.poll() is None:
        removed = removed or any(where.glob("out/started/snapshots/*1.h5"))
        for session in place.glob("ompi*/jf.*") if removed else ():
            shutil.rmtree(session, ignore_errors=True)
        time.sleep(0.01)
    said = process.stderr.read() if process.stderr else ""
    expect(removed, "the session is removed while the study runs")
    expect(process.returncode == 0 and "mca_" not in said, "a study goes on without the session", said[:300])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        (where / "cc.sh").write_text(COMPILER)
        (where / "cc.sh").chmod(0o755)
        check_environment(where)
        check_without_mpi(where)
        check_session(where)
        done = start(where, "list", "systems", ranks=2)
        expect(done.stdout.count("ornstein_uhlenbeck") == 1, "two ranks print once", done.stdout[:300])
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
