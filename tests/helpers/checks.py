# SPDX-License-Identifier: BSD-2-Clause
"""Shared by tests of whole studies: the program as users start it, and the list of failed expectations."""
from __future__ import annotations

import pathlib
import subprocess

from launch import ALONE, ENVIRONMENT, FARE, MPIEXEC, SOURCE
from restart import bits, differences

__all__ = [
    "ENVIRONMENT",
    "FARE",
    "MPIEXEC",
    "SOURCE",
    "bits",
    "conclude",
    "differences",
    "expect",
    "failures",
    "fare",
]
failures: list[str] = []


def expect(truth: object, message: str, detail: object = "") -> None:
    """Records and prints a failure, with what was found instead, unless the first argument is true."""
    if not truth:
        failures.append(message)
        print("FAILED:", message, detail, flush=True)


def fare(where: pathlib.Path, *arguments: object, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    """The finished command, on one rank without mpiexec."""
    launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*launch, FARE, *map(str, arguments)],
        cwd=where,
        env={**ENVIRONMENT, **({} if launch else ALONE)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def conclude() -> int:
    """The exit code of a test."""
    print(f"{len(failures)} failures")
    return 1 if failures else 0
