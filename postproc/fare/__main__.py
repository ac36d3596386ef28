# SPDX-License-Identifier: BSD-2-Clause
"""`python3 -m fare report DIR` and `python3 -m fare collect DIR`: what the command `fare` leaves to Python.

    report DIR [--figures-only]  report.html and figures/*.png of a finished study
    collect DIR                  sweep.csv, sweep.html and their like from the points of a sweep
"""
from __future__ import annotations

import importlib
import sys

COMMANDS = ("report", "collect")


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed, 2 bad input. Modules load when their command is asked for."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    return int(importlib.import_module(f"fare.{words[0]}").main(words[1:]))


if __name__ == "__main__":
    sys.exit(main())
