# SPDX-License-Identifier: BSD-2-Clause
"""How tests of faults start the program, on one rank or several, with a watchdog; what it says; and what it
leaves.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterable
from typing import Any

SOURCE = pathlib.Path(os.environ.get("FARE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BINARY = pathlib.Path(os.environ.get("FARE_BINARY_DIR", SOURCE / "build"))
FARE = os.environ.get("FARE_COMMAND", str(BINARY / "bin" / "fare"))
MPIEXEC = os.environ.get("FARE_MPIEXEC", "mpiexec")
ENVIRONMENT = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_rmaps_base_oversubscribe="1",
    OMPI_MCA_hwloc_base_binding_policy="none",
    OMPI_MCA_mpi_yield_when_idle="1",
)
ALONE = {
    "OMPI_MCA_ess_singleton_isolated": "1",
    "OMPI_MCA_orte_create_session_dirs": "0",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self",
    "OMPI_MCA_mpi_yield_when_idle": "0",
}  # a process alone needs no network and no daemon, and starts four times as fast without looking for them
HANGS = 60  # seconds after which a command is taken to hang
LINGERS = 15  # seconds that ranks may live on when their launcher has ended


def send(number: int, pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def processes(mark: str) -> list[int]:
    """Ids of the processes that have this in their environment: all that a launcher has started, whoever is
    their parent by now.
    """
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def execute(
    arguments: Iterable[object], where: pathlib.Path, ranks: int = 0, hangs: float = HANGS, **environment: str
) -> Any:
    """The finished process, with bytes of stdout and stderr; a returncode of "hangs" where the watchdog had
    to end it, or where ranks live on.
    """
    launch = [MPIEXEC, "-n", str(ranks)] if ranks else []
    with tempfile.TemporaryDirectory(
        prefix="fare-"
    ) as session:  # Open MPI's own files: isolated processes would share them
        process = subprocess.Popen(
            [*launch, FARE, *map(str, arguments)],
            cwd=where,
            env={**ENVIRONMENT, **({} if ranks else ALONE), "TMPDIR": session, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            said = process.communicate(timeout=hangs)
            code: int | str = process.returncode
            deadline = time.monotonic() + LINGERS
            while ranks and processes(session) and time.monotonic() < deadline:
                time.sleep(0.05)
            code = "hangs" if ranks and processes(session) else code
        except subprocess.TimeoutExpired:
            code = "hangs"
        if code == "hangs":
            send(signal.SIGKILL, processes(session))
            said = process.communicate() if process.returncode is None else said
        return types.SimpleNamespace(args=arguments, returncode=code, stdout=said[0], stderr=said[1])


def own_lines(said: str | bytes) -> list[str]:
    """What FARE says on stderr, without what mpirun adds about an exit code and without warnings."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return [
        line
        for line in re.sub(r"^-{5,}\n(?:.*\n)*?-{5,}\n", "", text, flags=re.MULTILINE).splitlines()
        if line.startswith("fare: ")
    ]


def tree(where: pathlib.Path) -> dict[str, bytes | None]:
    """Everything below a directory: contents of files, None for directories."""
    return {
        str(path.relative_to(where)): path.read_bytes() if path.is_file() else None
        for path in sorted(where.rglob("*"))
    }


def refusal(done: Any, message: str, ranks: int) -> str | None:
    """What is wrong with how the program refused something, which is to take one line and exit code 2, or
    None.
    """
    said = done.stderr.decode(errors="replace")
    lines = [
        line
        for line in said.split("\n")
        if line
        and (not ranks or line.startswith("fare:") or "FARE" in line or "rror" in line and "mpi" not in line)
    ]
    if done.returncode == "hangs":
        return f"hangs for {HANGS} s"
    if done.returncode != 2:
        return (
            f"exit code {done.returncode}, not 2: {said[:1500]}{done.stdout.decode(errors='replace')[-300:]}"
        )
    if len(lines) != 1 or not lines[0].startswith("fare: "):
        return f"{len(lines)} lines: {said[:600]!r}"
    if message not in lines[0]:
        return f"said {lines[0]!r}, expected {message!r}"
    if len(lines[0]) > 2100:
        return f"a line of {len(lines[0])} characters"
    if not ranks and done.stdout:
        return f"stdout: {done.stdout[:300]!r}"
    return None


def compile_plugin(place: pathlib.Path, name: str, source: str) -> None:
    """place/name.so, built with the headers that FARE itself was built with."""
    commands = json.loads((BINARY / "compile_commands.json").read_text())
    command = next(c["command"] for c in commands if c["file"].endswith("src/system/system.c")).split()
    includes = [
        w
        for i, w in enumerate(command)
        if w.startswith("-I") or w == "-isystem" or command[i - 1] == "-isystem"
    ]
    file = place / f"{name}.c"
    file.write_text(source)
    done = subprocess.run(
        [command[0], "-w", "-fPIC", "-shared", *includes, "-o", str(place / f"{name}.so"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
