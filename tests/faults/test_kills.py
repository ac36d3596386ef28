#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A study on three ranks is killed at twelve random instants, or as many as an argument says, in every way that
clusters know, and goes on each time: in the end it has the bits of one that nobody stopped.
fare-test: labels=faults timeout=900
"""
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import restart
from launch import send

RANKS, SEED, PATIENCE = 3, 20, 120
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
WAYS = [
    "one rank is killed",
    "all ranks are killed",
    "the launcher is killed",
    "asked by SIGUSR1",
    "asked by SIGTERM",
]


def ranks_of(launcher):
    """Process ids of the ranks that a launcher has started."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split() if entry.name.isdigit() else []
            if fields and int(fields[1]) == launcher and b"run" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


def interrupt(launcher, way, dice):
    ranks = ranks_of(launcher.pid)
    if way == WAYS[0] and ranks:
        send(signal.SIGKILL, [dice.choice(ranks)])
    elif way == WAYS[1]:
        send(signal.SIGKILL, ranks)
    elif way == WAYS[2]:
        launcher.kill()
        send(signal.SIGKILL, ranks)
    elif way == WAYS[3]:
        send(signal.SIGUSR1, ranks)
    else:
        send(signal.SIGTERM, ranks)


def once(where, way, wait, dice):
    """Runs on and interrupts after `wait` seconds; the exit code, 0 where the study was faster."""
    launcher = subprocess.Popen(
        restart.command(RANKS, "--resume", "--checkpoint-seconds", "0"),
        cwd=where,
        env=restart.ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + wait
    while launcher.poll() is None and (time.monotonic() < deadline or len(ranks_of(launcher.pid)) < RANKS):
        time.sleep(0.01)
    if launcher.poll() is None:
        interrupt(launcher, way, dice)
    try:
        _, said = launcher.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        send(signal.SIGKILL, [*ranks_of(launcher.pid), launcher.pid])
        return "hangs", ""
    return launcher.returncode, said


def main():
    dice = random.Random(SEED)
    failures, kills, rounds, counts = [], 0, 0, dict.fromkeys(WAYS, 0)
    with tempfile.TemporaryDirectory(prefix="fare-kills-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(restart.STUDY)
        whole = restart.run(where, RANKS, "--set", "output.directory=whole")
        if whole.returncode:
            print("FAILED: the study that nobody stops:", whole.stderr)
            return 1
        while kills < KILLS and not failures:
            rounds += 1
            (where / "study.yaml").write_text(restart.STUDY + f"output: {{directory: out{rounds}}}\n")
            code = None
            while code != 0 and not failures:
                way = WAYS[dice.randrange(len(WAYS))] if kills < KILLS else WAYS[0]
                wait = dice.uniform(0.3, 2.0) if kills < KILLS else PATIENCE
                code, said = once(where, way, wait, dice)
                if code == 0:
                    break
                kills += 1
                counts[way] += 1
                if code == "hangs" or (
                    way == WAYS[3]
                    and code not in (75, -signal.SIGUSR1, 128 + signal.SIGUSR1)
                    and "signal 10" not in said
                ):
                    failures.append(f"{way}: {code}: {said[-600:]}")
            if code == 0:
                failures += restart.differences(where / "whole", where / f"out{rounds}")
    for failure in failures[:10]:
        print("FAILED:", failure)
    print(
        f"{kills} interruptions in {rounds} studies"
        f" ({', '.join(f'{n} times {way}' for way, n in counts.items())}), {len(failures)} differences"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
