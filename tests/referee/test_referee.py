#!/usr/bin/env python3
"""
Random studies of one axis against a reference that shares no code with FARE: no silent estimate below a third of the true error; and random pairs of distributions: intervals of scores hold
the true value. Many more: referee.py and scores.py.
fare-test: labels=referee timeout=900 arg=truths
fare-test: labels=referee timeout=900 arg=scores
"""
import os
import pathlib
import sys

os.environ.setdefault("FARE_CACHE", str(pathlib.Path(os.environ.get("FARE_BINARY_DIR", "build")).resolve() / "tests" / "formulas"))
import referee
import scores

if __name__ == "__main__":
    which = sys.argv.pop(1)
    sys.argv[1:] = ["--count", "150"] if which == "truths" else ["--pairs", "8", "--replicates", "10"]
    sys.exit(referee.main() if which == "truths" else scores.main())
