"""What tests of whole studies share: the program as people start it, and a list of what is not as it should
be.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from launch import ALONE  # noqa: E402
from restart import (
    ENVIRONMENT,
    FARE,
    MPIEXEC,
    SOURCE,
    bits,
    differences,
)  # noqa: E402, F401: for tests of studies, which take all from here

failures = []


def expect(truth, message):
    if not truth:
        failures.append(message)
        print("FAILED", message)


def fare(where, *arguments, ranks=1):
    launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*launch, FARE, *map(str, arguments)],
        cwd=where,
        env={**ENVIRONMENT, **({} if launch else ALONE)},
        capture_output=True,
        text=True,
        timeout=600,
    )


def conclude():
    """The exit code of a test."""
    print(f"{len(failures)} failures")
    return 1 if failures else 0
