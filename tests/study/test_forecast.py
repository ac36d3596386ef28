#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
`fare check` says how long a study will take from pieces of its own work: it names all parts, leaves nothing behind,
says no word of what it tries, and lives with parts that fail. How right it is stands in docs/benchmarks.md.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import os
import pathlib
import re
import sys
import tempfile

from checks import conclude, expect, fare

STUDY = """\
study: told
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0.0, end: 0.4, count: 5}
initial: {density: gaussian, mean: [0.3], sd: [0.5]}
"""
TRUTH = "truth: {cells: [128]}\n"
WALK = "  - {name: walk, sampler: langevin, particles: 20000, dt: 1.0e-3}\n"
LEARNED = (
    "  - {name: learned, sampler: diffusion, particles: 2000, steps: 3000, width: 16, train: {particles:"
    " 4000}}\n"
)
FAILING = '  - {name: failing, sampler: {python: "broken:f"}, particles: 10}\n'
PYTHON = (
    '  - {name: python, sampler: {python: "broken:f", train: "broken:f"}, particles: 10, train: {particles:'
    " 90000}}\n"
)
ORACLE = "  - {name: oracle, sampler: diffusion, particles: 2000, oracle: true}\n"
ANALYSIS = "analysis: [{name: slow, kind: relaxation}]\n"
PARTS = ("truth", "training", "sampling", "measures", "disk")
NUMBER = r"([\d.]+(?:e[+-]\d+)?)"
TIME = re.compile(
    rf"^time +about {NUMBER} (s|min|h) on (\d+) ranks? without a report \(in all: truth {NUMBER} s, "
    rf"training {NUMBER}, sampling {NUMBER}, measures {NUMBER}, disk {NUMBER}\)(.*)$",
    re.MULTILINE,
)
RANKS = re.compile(
    rf"^ranks +(\d+) of (\d+) cores here are sensible: about {NUMBER} (s|min|h); tried", re.MULTILINE
)


def forecast(where: pathlib.Path, study: str, ranks: int = 1) -> tuple[dict[str, float], str]:
    """The parts of the time, and what comes on top."""
    (where / "study.yaml").write_text(study)
    before = sorted(where.rglob("*"))
    done = fare(where, "check", "study.yaml", ranks=ranks)
    expect(done.returncode == 0, "checks", done.stderr[-500:])
    expect(
        not done.stderr and "\n[" not in done.stdout, "no word of what is tried", (done.stderr, done.stdout)
    )
    now = [path for path in where.rglob("*") if "__pycache__" not in str(path)]
    expect(sorted(now) == before, "leaves nothing behind", now)
    found, sensible = TIME.search(done.stdout), RANKS.search(done.stdout)
    expect(found and sensible, "tells time and ranks", done.stdout[-600:])
    if not found or not sensible:
        return dict.fromkeys(PARTS, 0.0), ""
    expect(int(found[3]) == ranks, "of as many ranks as ask", found[0])
    expect(
        1 <= int(sensible[1]) <= max(ranks, os.cpu_count() or 1), "as many as there are cores", sensible[0]
    )
    return dict(zip(PARTS, map(float, found.groups()[3:8]))), found[9]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-") as name:
        where = pathlib.Path(name)
        (where / "broken.py").write_text("def f(time, count, seed):\n    raise ValueError('never')\n")
        parts, more = forecast(where, STUDY + TRUTH + "ensembles:\n" + WALK + LEARNED)
        expect(all(parts[part] > 0 for part in PARTS), "all parts take time", parts)
        expect(not more, "nothing is left out", more)
        for odd in (20002, 300002):  # no multiple of 4
            parts, more = forecast(where, STUDY + TRUTH.replace("128", str(odd)))
            expect((parts["truth"] > 0) == (not more) == (odd == 20002), "cells that cannot be halved", parts)
        parts, more = forecast(where, STUDY + TRUTH, ranks=2)
        expect(parts["truth"] > 0, "a truth alone", parts)
        expect(parts["training"] == parts["sampling"] == parts["measures"] == 0, "no more than that", parts)
        parts, more = forecast(where, STUDY + "ensembles:\n" + WALK)
        expect(parts["truth"] == parts["measures"] == 0 < parts["sampling"], "particles alone", parts)
        parts, more = forecast(where, STUDY + TRUTH + "ensembles:\n" + PYTHON)
        expect("learning in Python" in more, "says that what Python learns is left out", more)
        expect(parts["training"] > 0 == parts["sampling"], "its training set is not", parts)
        for extra in (ORACLE, FAILING):
            parts, more = forecast(where, STUDY + TRUTH + "ensembles:\n" + WALK + extra)
            expect("come on top" in more, "says that something is left out", (extra, more))
            expect(parts["sampling"] > 0, "the others are told", parts)
        _, more = forecast(where, STUDY + TRUTH + ANALYSIS)
        expect("come on top" in more, "analyses are not tried", more)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
