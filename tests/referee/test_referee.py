#!/usr/bin/env python3
"""
Random studies of one axis against a reference that shares no code with FARE: no silent estimate below a third of the true error. More of them: referee.py.
fare-test: labels=referee timeout=600
"""
import os
import pathlib
import sys

os.environ.setdefault("FARE_CACHE", str(pathlib.Path(os.environ.get("FARE_BINARY_DIR", "build")).resolve() / "tests" / "formulas"))
import referee

COUNT = 200

if __name__ == "__main__":
    referee.sys.argv[1:] = ["--count", str(COUNT)]
    sys.exit(referee.main())
