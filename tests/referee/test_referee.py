#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Random studies of one axis against a reference that shares no code with FARE: no silent estimate below a third
of the true error; those that once were silent, each of a kind of its own; analyses of random systems: no number
off by more than three error bars; random pairs of distributions: intervals of scores hold the true value; and
closed forms for the reference itself. Many more: referee.py, analyses.py and scores.py.
fare-test: labels=referee arg=closed_forms
fare-test: labels=referee timeout=900 arg=truths
fare-test: labels=referee timeout=300 arg=found
fare-test: labels=referee timeout=900 arg=scores
fare-test: labels=referee timeout=300 arg=analyses
"""
from __future__ import annotations

import os
import pathlib
import sys

os.environ.setdefault(
    "FARE_CACHE",
    str(pathlib.Path(os.environ.get("FARE_BINARY_DIR", "build")).resolve() / "tests" / "formulas"),
)
import analyses
import closed_forms
import referee
import scores

FOUND = [
    416,
    7007,
    7051,
    8204,
    20181,
    20789,
    50284,
    50567,
    60663,
    100464,
    100784,
    101391,
    101427,
]  # docs/verification.md


def main() -> int:
    which = sys.argv.pop(1)
    if which == "closed_forms":
        return 0 if closed_forms.check() else 1
    if which == "analyses":
        return 0 if analyses.check([os.environ["FARE_COMMAND"]], 0, 30) else 1
    if which == "scores":
        sys.argv[1:] = ["--pairs", "8", "--replicates", "10"]
        return scores.main()
    sys.argv[1:] = ["--count", "150"] if which == "truths" else [f"--seed={seed}" for seed in FOUND]
    return referee.main()


if __name__ == "__main__":
    sys.exit(main())
