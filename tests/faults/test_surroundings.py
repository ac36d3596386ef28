#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What surrounds a study: long paths, a byte order mark, limits on file sizes, an output that nobody reads or
that is full, and a cache of compiled formulas that was damaged or that others could write.
fare-test: labels=faults timeout=300
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import h5py

from checks import expect, failures
from launch import ALONE, ENVIRONMENT, FARE, execute, own_lines

STUDY = """\
study: around
system: {expression: {axes: [x], potential: "x^4/4 - depth*x^2", lower: [-3], upper: [3]}, parameters: {depth: 1}}
snapshots: {start: 0.0, end: 0.2, count: 3}
truth: {cells: [64], tolerance: 1.0e-4}
ensembles: [{name: walk, sampler: langevin, particles: 20000, dt: 1.0e-2}]
measures: [kl]
"""
LONGEST = 4096 - 65  # bytes of an output directory: its files need the rest


def run(where, *arguments, ranks=0, **environment):
    return execute(["run", "study.yaml", "--no-report", *arguments], where, ranks=ranks, **environment)


def long_path(where, length):
    """A path of so many bytes, in pieces that a file system takes."""
    path = (str(where) + ("/" + 99 * "d") * 60)[:length]
    return path[:-1] + "d" if path.endswith("/") else path


def check_paths(where):
    for length, ranks in ((225, 0), (226, 2), (256, 0), (1030, 0), (LONGEST, 0)):
        path = long_path(where, length)
        done = run(where, "--set", f"output.directory={path}", ranks=ranks)
        expect(
            done.returncode == 0 and (pathlib.Path(path) / "study.h5").exists(),
            f"a path of {length} bytes on {ranks} ranks: {done.returncode} {done.stderr[-300:]!r}",
        )
    for path in (long_path(where, LONGEST + 2), long_path(where, 5000), "n" * 256):
        done = run(where, "--set", f"output.directory={path}")
        lines = own_lines(done.stderr)
        expect(
            done.returncode == 2 and len(lines) == 1 and lines[0].startswith("fare: output.directory: "),
            f"a path of {len(path)} bytes: {done.returncode} {done.stderr[-300:]!r}",
        )


def check_mark(where):
    (where / "marked.yaml").write_bytes(b"\xef\xbb\xbf" + STUDY.encode())
    done = execute(["check", "marked.yaml"], where)
    expect(done.returncode == 0, f"a byte order mark: {done.returncode} {done.stderr!r}")
    for text, place in (
        ("study: x\nsistem: 1\n", "2:1"),
        ("\u00fcber: x\n", "1:1"),
        ("study: [", "2:1"),
        (STUDY.replace("study: around", "study: 'a b'"), "1:8"),
    ):
        (where / "marked.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
        (where / "plain.yaml").write_bytes(text.encode())
        marked, plain = (execute(["check", f"{name}.yaml"], where) for name in ("marked", "plain"))
        expect(
            marked.returncode == 2
            and marked.stderr.startswith(f"fare: marked.yaml:{place}: ".encode())
            and marked.stderr.replace(b"marked", b"plain") == plain.stderr,
            f"{text[:20]!r} behind a mark: {marked.stderr!r}, without: {plain.stderr!r}",
        )
    (where / "marked.yaml").write_bytes(b"study: x\n\xef\xbb\xbfsystem: 1\n")
    expect(execute(["check", "marked.yaml"], where).returncode == 2, "a mark in the middle")


def limited(where, kibibytes, *arguments):
    script = f'ulimit -f {kibibytes}; exec "$@" 2>errors'
    errors = where / "errors"
    done = subprocess.run(
        ["sh", "-c", script, "sh", FARE, "run", "study.yaml", "--no-report", *arguments],
        cwd=where,
        env={**ENVIRONMENT, **ALONE},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, own_lines(errors.read_bytes())


def check_limits(where):
    """Files may grow to a size that the first snapshot meets at many places, or a later one; what was there
    is whole, and the study goes on.
    """
    # blocks of 512 bytes, as POSIX counts; many particles: the second array does not fit
    for blocks, particles in (
        *((blocks, 20000) for blocks in (40, 600, 640, 700, 760, 840, 1100)),
        (3000, 100000),
    ):
        code, lines = limited(
            where,
            blocks,
            "--resume",
            "--set",
            "output.directory=limited",
            "--set",
            f"ensembles.walk.particles={particles}",
        )
        expect(
            code == 1
            and len(lines) == 1
            and "File too large" in lines[0]
            and "snapshot_000000.h5" in lines[0],
            f"{blocks} blocks, {particles} particles: {code} {lines}",
        )
    expect(
        [p for p in (where / "limited").rglob("*") if p.suffix in (".h5", ".tmp", ".lock")] == [],
        "nothing is left by halves",
    )
    done = run(
        where,
        "--set",
        "output.directory=limited",
        "--resume",
        "--set",
        "snapshots.count=2",
        "--set",
        "snapshots.end=0.1",
        "--set",
        "ensembles.walk.particles=4000",
    )
    code, lines = limited(
        where, 560, "--resume", "--set", "output.directory=limited", "--set", "ensembles.walk.particles=4000"
    )
    expect(
        done.returncode == 0 and code == 1 and len(lines) == 1 and "File too large" in lines[0],
        f"a limit met later: {done.returncode} {code} {lines}",
    )
    done = run(
        where, "--set", "output.directory=limited", "--resume", "--set", "ensembles.walk.particles=4000"
    )
    expect(
        done.returncode == 0 and b"2 of 3 snapshots are done" in done.stdout,
        f"without the limit it goes on: {done.returncode} {done.stdout[-500:]!r} {done.stderr!r}",
    )


def printing(where, to, *arguments):
    done = subprocess.run(
        [FARE, *arguments],
        cwd=where,
        env={**ENVIRONMENT, **ALONE, "TMPDIR": str(where)},
        stdout=to,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def check_output(where):
    """Into a closed pipe a command that only prints ends as any other does, and a study says where it was; on
    a full disk both say so.
    """
    study = ("run", "study.yaml", "--no-report", "--set", "output.directory=unread", "--overwrite")
    reader, writer = os.pipe()
    os.close(reader)
    for arguments in (("describe", "study"), ("list",), ("run", "--help")):
        code, said = printing(where, writer, *arguments)
        expect(code == -signal.SIGPIPE and not said, f"{arguments} into a closed pipe: {code} {said!r}")
    os.close(writer)
    with subprocess.Popen(
        [FARE, *study, "--set", "snapshots.count=100", "--set", "snapshots.end=50"],
        cwd=where,
        env={**ENVIRONMENT, **ALONE, "TMPDIR": str(where)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    lines = own_lines(said)
    expect(
        process.returncode == -signal.SIGPIPE
        and len(lines) == 1
        and lines[0].startswith("fare: rank 0: nobody reads the output any more, in "),
        f"a study into a closed pipe: {process.returncode} {said!r}",
    )
    with open("/dev/full", "wb") as full:
        for arguments in (("describe", "study"), ("list",), study):
            code, said = printing(where, full, *arguments)
            expect(
                code == 1 and len(own_lines(said)) == 1 and b"fare: standard output" in said,
                f"{arguments} onto a full disk: {code} {said!r}",
            )


def density(where, out):
    with h5py.File(where / out / "snapshots" / "snapshot_000002.h5") as file:
        return file["data/2/meshes/density"][()].tobytes()


def check_cache(where):
    cache = where / "cache"
    count = iter(range(100))

    def evolve():
        out = f"formulas{next(count)}"
        done = run(where, "--set", f"output.directory={out}", FARE_CACHE=str(cache))
        return done, density(where, out) if done.returncode == 0 else None

    done, whole = evolve()
    entry = next(cache.glob("formulas-*.so"))
    made, there = entry.read_bytes(), entry.stat().st_ino
    expect(
        done.returncode == 0 and list(cache.iterdir()) == [entry],
        f"the cache: {done.stderr!r} {list(cache.iterdir())}",
    )
    expect(evolve()[1] == whole and entry.stat().st_ino == there, "an entry that is whole is used")
    for what, damaged in (
        ("cut", made[:5000]),
        ("empty", b""),
        ("a bit", made[:3000] + bytes([made[3000] ^ 1]) + made[3001:]),
        ("without its seal", made[:-24]),
        ("text", b"no object at all" * 100),
        ("zeros", bytes(len(made))),
    ):
        entry.write_bytes(damaged)
        done, values = evolve()
        expect(
            done.returncode == 0
            and values == whole
            and entry.read_bytes()[-24:-16] == made[-24:-16]
            and len(entry.read_bytes()) == len(made),
            f"an entry that is {what}: {done.returncode} {done.stderr[-300:]!r}",
        )
    for mode in (0o775, 0o757):
        cache.chmod(mode)
        done, _ = evolve()
        expect(
            done.returncode == 1 and b"others may write there" in done.stderr,
            f"a cache of mode {mode:o}: {done.returncode} {done.stderr!r}",
        )
    cache.chmod(0o700)
    entry.chmod(0o722)
    there = entry.stat().st_ino
    expect(
        evolve()[1] == whole and entry.stat().st_ino != there,
        "an entry that others may write to is made again",
    )
    if os.geteuid() == 0:
        os.chown(entry, 12345, 12345)
        there = entry.stat().st_ino
        expect(
            evolve()[1] == whole and entry.stat().st_ino != there and entry.stat().st_uid == 0,
            "an entry of somebody else is made again",
        )
        os.chown(cache, 12345, 12345)
        done, _ = evolve()
        expect(
            done.returncode == 1 and b"others may write there" in done.stderr,
            f"a cache of somebody else: {done.returncode} {done.stderr!r}",
        )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-around-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        for check in (check_paths, check_mark, check_limits, check_output, check_cache):
            check(where)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
