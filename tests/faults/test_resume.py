#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Stopping by the clock and going on, also on another number of ranks; damaged checkpoints; plans that go on and
plans that do not; output that is taken away or must not be written.
fare-test: labels=faults timeout=600
"""
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zlib

import h5py
import numpy as np

import restart
from checks import expect, failures


def stop_early(where, out, *arguments, seconds="0.01", ranks=1):
    """Stops at the first safe points until three snapshots are there, so that there are two checkpoints
    behind them.
    """
    for _ in range(20):
        done = restart.run(
            where,
            ranks,
            "--resume",
            "--max-seconds",
            seconds,
            "--checkpoint-seconds",
            "0",
            "--set",
            f"output.directory={out}",
            *arguments,
        )
        expect(done.returncode == 75, f"stopping {out}: exit code {done.returncode}: {done.stderr[-300:]}")
        expect("--resume continues in" in done.stderr, f"stopping {out} says {done.stderr[-300:]!r}")
        if done.returncode != 75 or len(list((where / out / "snapshots").iterdir())) >= 3:
            return


def go_on(where, out, *arguments, ranks=1):
    return restart.run(where, ranks, "--resume", "--set", f"output.directory={out}", *arguments)


def check_bits(where, whole, out, done):
    expect(done.returncode == 0, f"{out}: exit code {done.returncode}: {done.stderr[-400:]}")
    if done.returncode == 0:
        wrong = restart.differences(where / whole, where / out)
        expect(not wrong, f"{out}: {len(wrong)} things differ from a study that was not stopped: {wrong[:4]}")


def checkpoints(where, out):
    return sorted((where / out / "checkpoints").glob("checkpoint_*_*.h5"))


def damage(path):
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))


def check_damage(where):
    stop_early(where, "damaged")
    files = checkpoints(where, "damaged")
    expect(len(files) == 2, f"checkpoints kept: {[f.name for f in files]}")
    damage(files[-1])
    done = go_on(where, "damaged")
    expect(
        "is damaged" in done.stderr
        and files[-1].name in done.stderr
        and "using the previous one" in done.stderr,
        f"a damaged checkpoint: {done.stderr!r}",
    )
    check_bits(where, "whole", "damaged", done)

    stop_early(where, "ruined")
    for path in checkpoints(where, "ruined"):
        damage(path)
    (where / "ruined" / "checkpoints" / "checkpoint_000099.h5.tmp").write_bytes(b"half")
    done = go_on(where, "ruined")
    expect(
        done.stderr.count("is damaged") == 2 and "from the beginning" in done.stdout + done.stderr,
        f"two damaged checkpoints: {done.stderr!r}",
    )
    check_bits(where, "whole", "ruined", done)


def check_plans(where):
    stop_early(where, "changed")
    for setting, said in [
        ("truth.cells=512", "truth.cells was [256], now it is [512]"),
        ("seed=8", "seed was 7, now it is 8"),
        ("ensembles.walk.dt=2e-3", "ensembles.walk.dt was 0.001, now it is 0.002"),
        ("system.parameters.kT=1.1", "system.parameters.kT was 1, now it is 1.1"),
        ("snapshots.end=1.5", "trains on all of them"),
        ("snapshots.count=14", "trains on all of them"),
    ]:
        done = go_on(where, "changed", "--set", setting)
        lines = done.stderr.strip().split("\n")
        expect(
            done.returncode == 2
            and len(lines) == 1
            and lines[0].startswith("fare: --resume: ")
            and said in lines[0],
            f"going on with {setting}: {done.returncode} {done.stderr!r}",
        )
    check_bits(where, "whole", "changed", go_on(where, "changed"))
    done = go_on(where, "changed")
    expect(
        done.returncode == 0 and "nothing to do" in done.stdout + done.stderr,
        f"going on with what is finished: {done.returncode} {done.stdout[-300:]!r}",
    )


def changed(where, out, change):
    """A copy of a stopped study whose newest checkpoint is another, with a name that fits it."""
    shutil.rmtree(where / "another", ignore_errors=True)
    shutil.copytree(where / out, where / "another")
    path = checkpoints(where, "another")[-1]
    with h5py.File(path, "r+") as file:
        change(file)
    path.rename(path.with_name(f"{path.name[:-11]}{zlib.crc32(path.read_bytes()):08x}.h5"))
    return go_on(where, "another")


def expect_refusal(done, what, *said):
    lines = done.stderr.strip().split("\n")
    expect(
        done.returncode in (1, 2)
        and len(lines) == 1
        and lines[0].startswith("fare: ")
        and all(words in lines[0] for words in said),
        f"{what}: {done.returncode} {done.stderr!r}",
    )


def check_versions(where):
    """Plans of another version lack what is always written now, or have what is not known; they are not taken
    for a change by the user.
    """
    stop_early(where, "older")
    begun = h5py.File(checkpoints(where, "older")[-1])["plan"][()].decode()

    def with_plan(plan):
        def change(file):
            del file["plan"]
            file["plan"] = np.bytes_(plan)

        return change

    def without(line):
        expect(begun.count(line) == 1, f"{line!r} is in the plan once")
        return begun.replace(line, "")

    for plan, said in [
        (without("  extrapolate: true\n"), "whose plans have no truth.extrapolate"),
        (without("    steps: 200\n"), "whose plans have no ensembles.learned.steps"),
        (
            begun.replace("  tolerance:", "  novelty: 3\n  tolerance:"),
            "whose plans have truth.novelty, which this one does not know",
        ),
    ]:
        done = changed(where, "older", with_plan(plan))
        expect(done.returncode == 2, f"a plan of another version: {done.returncode}")
        expect_refusal(
            done,
            said,
            "--resume: the study was started with another version of FARE, ",
            said,
            "continue with that version, or restart the study with --overwrite",
        )
    done = changed(
        where, "older", with_plan(begun.replace("  tolerance:", "  ends: [periodic]\n  tolerance:"))
    )
    expect_refusal(
        done,
        "a list that is no longer given",
        "another plan",
        "truth.boundaries was [periodic], now it is []",
    )


def check_numbers(where):
    """Numbers behind a sound checksum that no truth and no training can have left."""
    stop_early(where, "hostile")
    time, order, count, since, step, points, residual, goal, longest, following = (
        0,
        10,
        11,
        12,
        13,
        14,
        20,
        27,
        28,
        29,
    )
    nan, inf = float("nan"), float("inf")
    for part, index, value in [
        (0, order, 6),
        (0, order, 0),
        (1, order, 1.5),
        (0, count, 0),
        (0, count, 1e9),
        (2, count, nan),
        (0, since, -1),
        (0, step, -1),
        (0, step, inf),
        (0, points, nan),
        (0, points + 1, 99),
        (0, points + 1, nan),
        (0, residual, 0),
        (0, residual, 7),
        (0, residual, 1e300),
        (0, residual + 1, inf),
        (0, 6, -1),
        (0, 9, 1e300),
        (0, time, -1e300),
        (1, time, nan),
        (0, goal, nan),
        (0, longest, -1),
        (0, longest, inf),
        (2, following, nan),
    ]:
        done = changed(
            where,
            "hostile",
            lambda file, part=part, index=index, value=value: file[f"truth/{part}/numbers"].__setitem__(
                index, value
            ),
        )
        expect_refusal(
            done,
            f"number {index} of the truth's part {part} being {value}",
            f"--resume: /truth/{part}/numbers of the checkpoint: ",
        )

    def earlier(file):
        for part in range(3):
            numbers = file[f"truth/{part}/numbers"][()]
            for number in (time, *range(points, points + 6), *range(residual + 1, residual + 7)):
                numbers[number] -= 2
            file[f"truth/{part}/numbers"][...] = numbers

    expect_refusal(
        changed(where, "hostile", earlier),
        "a truth at an earlier time",
        "the truth is at time -",
        ", the last snapshot at ",
    )


def check_other_measures(where):
    """Asked for in the middle, measures are the same as asked for from the beginning; so are more snapshots
    at the end, where nothing has learned.
    """
    simple = [
        "--set",
        (
            "ensembles=[{name: walk, sampler: langevin, particles: 20000, dt: 1.0e-3}, {name: frozen,"
            " sampler: boltzmann, particles: 5000}]"
        ),
    ]
    stop_early(where, "measured", "--set", "measures=[kl]")
    check_bits(where, "whole", "measured", go_on(where, "measured"))
    stop_early(where, "rounded", "--set", "measures=[kl]", "--set", "record.precision=single")
    done = go_on(where, "rounded", "--set", "record.precision=single")
    expect(
        done.returncode == 2 and "or rounded ones" in done.stderr,
        f"other measures of rounded snapshots: {done.returncode} {done.stderr!r}",
    )
    simple += [
        "--set",
        "snapshots.count=9",
    ]  # eighths, so that times are the same to the last bit in both schedules
    longer = ["--set", "snapshots.end=1.25", "--set", "snapshots.count=11"]
    done = restart.run(where, 1, "--set", "output.directory=long", *simple, *longer)
    expect(done.returncode == 0, f"the long study: {done.stderr}")
    for _ in range(2):
        done = go_on(where, "longer", *simple)
    check_bits(where, "long", "longer", go_on(where, "longer", *simple, *longer))
    done = go_on(where, "longer", *simple, "--set", "snapshots.end=0.5", "--set", "snapshots.count=5")
    expect(
        done.returncode == 2 and "snapshots can only be added at the end" in done.stderr,
        f"fewer snapshots: {done.stderr!r}",
    )


def check_ranks(where):
    """Ensembles that do not learn, and a truth of one axis, have the same bits on any number of ranks, so a
    study may go on with another.
    """
    simple = [
        "--set",
        (
            "ensembles=[{name: walk, sampler: langevin, particles: 20000, dt: 1.0e-3}, {name: frozen,"
            " sampler: boltzmann, particles: 5000}]"
        ),
    ]
    done = restart.run(where, 1, "--set", "output.directory=one", *simple)
    expect(done.returncode == 0, f"on one rank: {done.stderr}")
    stop_early(where, "moved", *simple, ranks=3)
    check_bits(where, "one", "moved", go_on(where, "moved", *simple, ranks=2))


def check_directories(where):
    """Output that is taken away while the study runs, and a directory that must not be written to."""
    study = subprocess.Popen(
        restart.command(
            1,
            "--set",
            "output.directory=taken",
            "--checkpoint-seconds",
            "0",
            "--set",
            "ensembles.learned.steps=3000",
        ),
        cwd=where,
        env=restart.ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while study.poll() is None and not (where / "taken" / "checkpoints").is_dir():
        time.sleep(0.01)
    shutil.rmtree(where / "taken", ignore_errors=True)
    _, said = study.communicate(timeout=200)
    lines = [line for line in said.strip().split("\n") if line.startswith("fare: ")]
    expect(
        study.returncode == 1 and len(lines) == 1 and "taken/" in lines[0],
        f"output taken away: {study.returncode} {said[-400:]!r}",
    )
    if os.geteuid() == 0:
        return
    (where / "locked").mkdir()
    (where / "locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = go_on(where, "locked")
    expect(
        done.returncode in (1, 2) and "locked" in done.stderr,
        f"a directory that must not be written to: {done.stderr!r}",
    )


def check_usage(where):
    for arguments, said in [
        (["--max-seconds"], "needs a number of seconds"),
        (["--max-seconds", "soon"], "expected a number of seconds"),
        (["--max-seconds=soon"], "--max-seconds: expected a number of seconds of at least 0.001, got 'soon'"),
        (["--point=x"], "--point: expected a non-negative integer, got 'x'"),
        (["--checkpoint-seconds", "-1"], "expected a number of seconds"),
        (["--grace-seconds"], "needs a number of seconds"),
        (["--resume", "--overwrite"], "choose one"),
        (["--overwrite", "--resume"], "choose one"),
    ]:
        done = restart.run(where, 1, *arguments)
        expect(
            done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1,
            f"{arguments}: {done.returncode} {done.stderr!r}",
        )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-resume-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(restart.STUDY)
        whole = restart.run(where, 1, "--set", "output.directory=whole")
        expect(whole.returncode == 0, f"the study that nobody stops: {whole.stderr}")
        for check in (
            check_usage,
            check_damage,
            check_plans,
            check_versions,
            check_numbers,
            check_other_measures,
            check_ranks,
            check_directories,
        ):
            check(where)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
