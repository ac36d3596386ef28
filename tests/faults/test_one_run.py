#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Whose a directory is: a second run is refused by host and process, locks of runs that are gone are taken over,
a study is done only where its results are its own, and snapshots that were lost are made again.
fare-test: labels=faults timeout=300
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import restart
from checks import expect, failures
from launch import ALONE, ENVIRONMENT, FARE, execute, own_lines

STUDY = """\
study: one
seed: 3
system: {name: ornstein_uhlenbeck}
drive: [{parameter: tilt, waveform: tabulated, times: [TIMES], values: [VALUES]}]
initial: {density: mixture, weights: [WEIGHTS], mean: [MEANS], sd: [0.5]}
snapshots: {start: 0.0, end: 1.0, count: 6}
truth: {cells: [64], tolerance: 1.0e-4}
ensembles:
  - {name: first, sampler: langevin, particles: 500, dt: 1.0e-2}
  - {name: second, sampler: langevin, particles: 300, dt: 1.0e-2}
measures: [kl]
"""
TABLE, COMPONENTS = 401, 90


def study(last=0.25, weight=2.0, **changes):
    """Values and weights that stand far behind the first 511 characters of their lines."""
    text = STUDY.replace("TIMES", ", ".join(f"{i / TABLE:.6f}" for i in range(TABLE))).replace(
        "VALUES", ", ".join(["0.5"] * (TABLE - 1) + [str(last)])
    )
    text = (
        text.replace("WEIGHTS", ", ".join(["1"] * (COMPONENTS - 1) + [str(weight)]))
        .replace("MEANS", ", ".join(f"{-1 + i / 45:.5f}" for i in range(COMPONENTS)))
        .replace("[0.5]", "[" + ", ".join(["0.5"] * COMPONENTS) + "]")
    )
    for old, new in changes.values():
        assert old in text, old
        text = text.replace(old, new)
    return text


def fare(where, text, *arguments, command="run", **environment):
    (where / "study.yaml").write_text(text)
    return execute(
        [command, "study.yaml", *(["--no-report"] if command == "run" else []), *arguments],
        where,
        **environment,
    )


def begin(where, text, **environment):
    (where / "study.yaml").write_text(text)
    slow = [
        "--set",
        "ensembles.first.particles=3e6",
        "--set",
        "ensembles.first.dt=1e-4",
        "--grace-seconds",
        "0",
    ]
    process = subprocess.Popen(
        [FARE, "run", "study.yaml", "--no-report", "--resume", *slow],
        cwd=where,
        env={**ENVIRONMENT, **ALONE, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while (
        not (where / "out" / "one" / "snapshots" / "snapshot_000000.h5").exists() and process.poll() is None
    ):
        time.sleep(0.01)
    return process


def refused(done, *said):
    lines = own_lines(done.stderr)
    expect(
        done.returncode == 2 and len(lines) == 1 and all(words in lines[0] for words in said),
        f"expected to be refused with {said}: {done.returncode} {done.stderr[-600:]!r}",
    )


def state(where, text):
    done = fare(where, text, command="status")
    word = done.stdout.split()[0].decode() if done.stdout else ""
    expect((done.returncode == 0) == (word == "done"), f"status {word} with exit code {done.returncode}")
    return word


def check_plans(where):
    """What differs anywhere is found, and named; what is the same in other words is the same."""
    done = fare(where, study(), "--max-seconds", "0.001", "--checkpoint-seconds", "0")
    expect(done.returncode == 75, f"stopping: {done.returncode} {done.stderr!r}")
    others = [
        (study(last=0.5), "drive[0].values[400] was 0.25, now it is 0.5"),
        (study(weight=3.0), "initial.weights[89] was 2, now it is 3"),
        (
            study(a=("dt: 1.0e-2}\nmeasures", "dt: 1.0e-2, integrator: heun}\nmeasures")),
            "ensembles.second.integrator was euler_maruyama, now it is heun",
        ),
        (study(a=("name: second", "name: third")), "ensembles.third"),
        (study(a=("cells: [64]", "cells: [128]")), "truth.cells was [64], now it is [128]"),
        (
            study(a=("{name: ornstein_uhlenbeck}", "{name: ornstein_uhlenbeck, parameters: {stiffness: 2}}")),
            "system.parameters.stiffness was 1, now it is 2",
        ),
        (
            study(a=("waveform: tabulated", "amplitude: 2, waveform: tabulated")),
            "drive[0].amplitude was 1, now it is 2",
        ),
        (
            study(a=("measures", "record: {precision: single}\nmeasures")),
            "record.precision was double, now it is single",
        ),
        (
            study(a=("measures", "thermodynamics: {}\nmeasures")),
            "thermodynamics was absent, now it is present",
        ),
    ]
    for text, said in others:
        refused(fare(where, text, "--resume"), "--resume: the study was started with another plan: ", said)
        expect(state(where, text) == "other", f"the state of a study with {said}")
    first = "  - {name: first, sampler: langevin, particles: 500, dt: 1.0e-2}\n"
    same = study(
        a=(
            "dt: 1.0e-2}\nmeasures",
            "dt: 0.010, integrator: INTEGRATOR}\nmeasures".replace("INTEGRATOR", "euler_maruyama"),
        ),
        b=("end: 1.0", "end: 1"),
        c=(first, ""),
        d=("measures: [kl]", first + "measures: [kl]"),
        e=("waveform: tabulated", "amplitude: 1, waveform: tabulated"),
    )
    expect(state(where, same) == "unfinished", "the state of the same study in other words")
    done = fare(where, same, "--resume")
    expect(done.returncode == 0, f"the same study in other words: {done.returncode} {done.stderr[-400:]!r}")
    expect(state(where, same) == state(where, study()) == "done", "both are done")
    for text, said in others:
        expect(state(where, text) == "other", f"results of another plan: {said}")
        refused(fare(where, text, "--resume"), said)
    shutil.rmtree(where / "out" / "one" / "checkpoints")
    refused(
        fare(where, others[0][0], "--resume"), others[0][1]
    )  # without checkpoints results would have been replaced
    for longer in (
        study(a=("end: 1.0, count: 6", "end: 1.2, count: 7")),
        study(a=("[kl]", "[kl, wasserstein_1]")),
    ):
        expect(state(where, longer) == "unfinished", "more is asked for")
    done = fare(where, study(), "--set", "output.directory=whole")
    wrong = restart.differences(where / "whole", where / "out" / "one")
    rows = [
        sorted((directory / "measures.csv").read_text().splitlines())
        for directory in (where / "whole", where / "out" / "one")
    ]
    expect(
        done.returncode == 0 and wrong in ([], ["measures.csv"]) and rows[0] == rows[1],
        f"ensembles in another order: {wrong}",
    )


def check_snapshots(where):
    """One that is missing, one that is changed, on one and three ranks; also where the study is finished."""
    out = where / "out" / "one"
    for ranks, change in (
        (0, lambda path: path.unlink()),
        (2, flip),
        (0, lambda path: shutil.copy(out / "snapshots" / "snapshot_000001.h5", path)),
    ):
        for finished in (True, False):
            shutil.rmtree(out, ignore_errors=True)
            done = fare(where, study(), *([] if finished else ["--max-seconds", "0.2"]))
            expect(
                done.returncode == 0 if finished else done.returncode in (0, 75),
                f"a whole study: {done.returncode} {done.stderr[-300:]!r}",
            )
            snapshot = out / "snapshots" / f"snapshot_00000{4 if finished else 0}.h5"
            change(snapshot)
            done = execute(["run", "study.yaml", "--no-report", "--resume"], where, ranks=ranks)
            said = done.stderr.decode()
            expect(
                done.returncode == 0
                and snapshot.name[:15].replace("_", " ")[:8] in said
                and "are recomputed" in said,
                f"a snapshot that was lost: {done.returncode} {said!r}",
            )
            wrong = restart.differences(where / "whole", out)
            expect(wrong == [], f"made again: {wrong}")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def check_two_runs(where):
    out = where / "out" / "one"
    shutil.rmtree(out, ignore_errors=True)
    one = begin(where, study())
    try:
        for arguments in (["--resume"], ["--resume", "--set", "seed=2"], ["--overwrite"]):
            refused(
                fare(where, study(), *arguments),
                f"process {one.pid} on {socket.gethostname()}",
                "out/one/run.lock",
            )
        expect((out / "snapshots" / "snapshot_000000.h5").exists(), "what is refused removes nothing")
        one.kill()
        one.wait()
        expect((out / "run.lock").exists(), "a run that is killed leaves its lock")
        done = fare(where, study(), "--overwrite")
        expect(done.returncode == 0, f"after a kill: {done.returncode} {done.stderr!r}")
        expect(not (out / "run.lock").exists(), "a run that ends leaves no lock")
    finally:
        one.kill()
        one.communicate()


def lock_of(where, **changes):
    fields = {
        "host": "elsewhere",
        "process": str(os.getpid()),
        "started": "1",
        "machine": "another/pid:[1]",
        "job": "-",
        "restart": "0",
    }
    fields.update(changes)
    path = where / "out" / "one" / "run.lock"
    path.write_text("".join(f"{key} {value}\n" for key, value in fields.items()))
    return path


def check_locks_of_others(where):
    """Another host's: it lives while it is touched, or is gone when nobody does so for a minute; a job that
    was requeued knows its own.
    """
    path = lock_of(where)
    ended = threading.Event()
    heart = threading.Thread(target=lambda: [os.utime(path) for _ in iter(lambda: ended.wait(0.1), True)])
    heart.start()
    refused(fare(where, study(), "--resume"), f"process {os.getpid()} on elsewhere", "out/one/run.lock")
    ended.set()
    heart.join()
    for age, changes, environment in (
        (58, {}, {}),
        (3600, {}, {}),
        (0, {"job": "SLURM_JOB_ID=7"}, {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}),
    ):
        path = lock_of(where, **changes)
        os.utime(path, (time.time() - age, time.time() - age))
        began = time.monotonic()
        done = fare(where, study(), "--resume", **environment)
        expect(
            done.returncode == 0 and not path.exists(),
            (
                f"a lock of age {age} with {changes}: {done.returncode} {done.stderr!r} after"
                f" {time.monotonic() - began:.1f} s"
            ),
        )
    path = lock_of(
        where, host=socket.gethostname(), machine=machine(), process="1", started="99999999999"
    )  # the number is another process's by now
    done = fare(where, study(), "--resume")
    expect(done.returncode == 0, f"a process id that was given again: {done.returncode} {done.stderr!r}")


def machine():
    return (
        pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        + "/"
        + os.readlink("/proc/self/ns/pid")
    )


def check_taken_over(where):
    """A run whose lock is another's by now writes nothing more."""
    shutil.rmtree(where / "out" / "one")
    one = begin(where, study())
    lock_of(where)
    one.send_signal(signal.SIGUSR1)
    _, said = one.communicate(timeout=120)
    lines = own_lines(said)
    expect(
        one.returncode == 1 and len(lines) == 1 and "has taken over the directory" in lines[0],
        f"taken over: {one.returncode} {said!r}",
    )
    expect(
        not list((where / "out" / "one" / "checkpoints").iterdir())
        and not (where / "out" / "one" / "failure.txt").exists(),
        "nothing more is written",
    )


def main():
    if not sys.platform.startswith("linux"):
        return 77
    with tempfile.TemporaryDirectory(prefix="fare-one-run-") as name:
        where = pathlib.Path(name)
        for check in (check_plans, check_snapshots, check_two_runs, check_locks_of_others, check_taken_over):
            began = time.monotonic()
            check(where)
            print(f"{check.__name__}: {time.monotonic() - began:.1f} s")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
