#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Ctrl-C: the first stops a study with a checkpoint that it resumes from, a second ends it at once, and a study in
the background of a shell does not hear it. The request is confirmed on the screen, once.
fare-test: labels=faults timeout=120
"""
from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from checks import ENVIRONMENT, FARE, conclude, expect, fare
from launch import ALONE

STUDY = """
study: {name}
system: {{name: double_well, parameters: {{kT: 0.5}}}}
snapshots: {{start: 0, end: {end}, count: {count}}}
truth: {{cells: [64]}}
ensembles: [{{name: walk, sampler: langevin, particles: {particles}, dt: 1.0e-3}}]
"""
SHORT = STUDY.format(
    name="short", end=4000, count=40001, particles=512
)  # a safe point every few milliseconds
LONG = STUDY.format(name="long", end=10000, count=2, particles=100000)  # no safe point for an hour
SAID = "fare: stops at the next safe point, with a checkpoint"


def start(where: pathlib.Path, name: str, *options: str, **how: Any) -> subprocess.Popen[str]:
    """A study under way: its first checkpoint is written."""
    process = subprocess.Popen(
        [FARE, "run", f"{name}.yaml", "--no-report", "--overwrite", "--checkpoint-seconds", "0", *options],
        cwd=where,
        env={**ENVIRONMENT, **ALONE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )
    checkpoints = where / "out" / name / "checkpoints"
    while process.poll() is None and not list(checkpoints.glob("checkpoint_*.h5")):
        time.sleep(0.05)
    return process


def check_once(where: pathlib.Path) -> None:
    process = start(where, "short")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    expect(process.returncode == 75, "Ctrl-C stops a study with a checkpoint", process.returncode)
    expect(said.count(SAID) == 1 and "Ctrl-C again" in said, "it is confirmed once", said)
    resumed = fare(where, "run", "short.yaml", "--no-report", "--resume", "--max-seconds", "0.5")
    expect("resum" in resumed.stdout + resumed.stderr, "the study resumes", resumed.stdout)
    expect(resumed.returncode == 75, "and stops by the clock", resumed.returncode)


def check_twice(where: pathlib.Path) -> None:
    process = start(where, "long", "--grace-seconds", "3600")
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    expect(process.poll() is None, "it goes on to a safe point", process.returncode)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    expect(process.returncode == -signal.SIGINT, "a second Ctrl-C ends it", process.returncode)


def check_behind(where: pathlib.Path) -> None:
    """As a shell starts programs behind it: SIGINT is ignored from the start."""
    process = start(where, "short", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    expect(process.poll() is None, "Ctrl-C is not for what runs behind", process.returncode)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    expect(process.returncode == 75 and SAID not in said, "SIGTERM stops it without that line", said)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-keyboard-") as name:
        where = pathlib.Path(name)
        (where / "short.yaml").write_text(SHORT, encoding="utf-8")
        (where / "long.yaml").write_text(LONG, encoding="utf-8")
        for check in (check_once, check_twice, check_behind):
            check(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
