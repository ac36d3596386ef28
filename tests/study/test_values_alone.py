#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
`fare score --replicates 0` gives the values of a score to the last bit, and says nothing of noise.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

STUDY = """\
study: alone
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0.0, end: 0.4, count: 3}
initial: {density: gaussian, mean: [0.3], sd: [0.5]}
truth: {cells: [128]}
"""
OF_NOISE = ("floor", "floor_high", "low", "high", "excess", "significance", "p_value", "corrected")


def score(where: pathlib.Path, replicates: int) -> tuple[dict, str]:
    arguments = ("score", "out/alone", "mine.h5", "--replicates", replicates)
    done = fare(where, *arguments, "--json")
    expect(done.returncode == 0, f"scores with {replicates} replicates", done.stderr[-300:])
    return json.loads(done.stdout), fare(where, *arguments).stdout


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        expect(fare(where, "run", "study.yaml", "--no-report").returncode == 0, "runs")
        with h5py.File(where / "mine.h5", "w") as file:
            file["times"] = [0.0, 0.2, 0.4]
            file["samples"] = np.random.default_rng(1).normal(0.2, 0.6, (3, 5000, 1))
        full, _ = score(where, 60)
        alone, table = score(where, 0)
        expect(alone["replicates"] == 0, "says how many draws there were", alone["replicates"])
        for whole, bare in zip(full["measures"], alone["measures"]):
            what = f"{whole['measure']} at {whole['time']:g}"
            expect(
                whole["value"] == bare["value"], f"{what}: the same value", (whole["value"], bare["value"])
            )
            expect(all(bare[key] is None for key in OF_NOISE), f"{what}: nothing of noise", bare)
            expect(bare["no_interval"] == "not asked for", f"{what}: says why", bare["no_interval"])
        expect(len(full["measures"]) == len(alone["measures"]) > 20, "all measures at all times")
        expect(any(at["floor"] for at in full["measures"]), "with replicates there are floors")
        expect("Values alone" in table and "nan" not in table, "a table of values", table)
        for bad in ("-1", "39", "1e3"):
            done = fare(where, "score", "out/alone", "mine.h5", "--replicates", bad)
            expect(
                done.returncode == 2 and "0 for values alone" in done.stderr, f"refuses {bad}", done.stderr
            )
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
