#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
OpenBLAS gets kernels for the instructions of the processor, also where it is older than the processor; a
user's choice stands. Linux says what the processor has, OpenBLAS what it uses.
fare-test: labels=unit
"""
from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

from checks import ENVIRONMENT, FARE, conclude, expect

# All others stop at what processors had before AVX2.
MODERN = {"Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"}
CHOICE = "OPENBLAS_CORETYPE"


def kernels(choice: str | None) -> str | None:
    """What OpenBLAS says it takes; its last choice counts."""
    environment = {**ENVIRONMENT, "OPENBLAS_VERBOSE": "2", **({CHOICE: choice} if choice else {})}
    run = subprocess.run([FARE, "doctor"], env=environment, capture_output=True, text=True, check=False)
    said = re.findall(r"^Core: (\w+)$", run.stdout + run.stderr, re.MULTILINE)
    return said[-1] if said else None


def main() -> int:
    flags = set(pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    used = kernels(None)
    if not used or CHOICE in os.environ or not {"avx2", "fma"} <= flags:
        print("skipped: no OpenBLAS, or one whose kernels are chosen already, or a processor without AVX2")
        return 77
    print("OpenBLAS uses", used)
    expect(used in MODERN, "kernels that fit the processor", used)
    for choice in ("Prescott", "Haswell"):
        found = kernels(choice)
        expect(found == choice, f"the choice {choice} stands", found)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
