#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Splitting, steered paths, weighted ensembles and forward flux over many seeds: the mean of all is that of the chain
within its error, and what single seeds say of their error holds, by bounds that the number of seeds tells.
`test_rare_seeds.py 100` is the long version, in docs/rare_events.md; the seeds are names of rows, on which random
numbers depend.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import numpy as np
import scipy.stats

from checks import conclude, expect
from rare import run

EVENTS = (
    "{name: over, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.9]}",
    "{name: anew, a: {upper: [-1.2]}, b: {lower: [0.5]}, start: [-1.0]}",
    "{name: near, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.8]}",
)
BINS = "event: anew, walkers: 48, bins: 12, resample: 0.04, time: 25, burn: 10, dt: 4.0e-3"
METHODS = {
    "splitting": "method: splitting, event: over, walkers: 50, kill: 5, dt: 4.0e-3",
    "doob": "method: doob, event: over, paths: 100, dt: 2.0e-3",
    "weighted_ensemble": f"method: weighted_ensemble, {BINS}",
    "weighted_ensemble, learned": f"method: weighted_ensemble, {BINS}, allocation: learned, pilots: 2",
    "forward_flux": (
        "method: forward_flux, event: near, walkers: 8, time: 40, burn: 5, interfaces: 12, trials: 60, dt:"
        " 4.0e-3"
    ),
}
RUNS, KT = 8, 0.1
# Chances are those of a normal variable beyond 3. Seeds are within 2 of their errors as often as Student's
# variable of RUNS - 1 degrees of freedom is.
BEYOND_3, WITHIN_2 = 2 * scipy.stats.norm.sf(3), 1 - 2 * scipy.stats.t.sf(2, RUNS - 1)


def study(keys, seeds):
    rows = ", ".join(f"{{name: seed{k}, {keys}, runs: {RUNS}}}" for k in range(seeds))
    return (
        f"study: seeds\nsystem: {{name: double_well, parameters: {{kT: {KT}}}}}\n"
        "snapshots: {start: 0.0, end: 1.0e-6, count: 2}\ntruth: {cells: [256]}\n"
        f"events: [{', '.join(EVENTS)}]\nrare: [{rows}]\n"
    )


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    print(
        "| method | chain | mean of seeds | off by, in standard errors | seeds within 2 of theirs"
        " |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="fare-seeds-") as folder:
        for name, keys in METHODS.items():
            rows, _ = run(pathlib.Path(folder), study(keys, seeds), "seeds")
            found, chain = rows["estimate"], rows["chain"][0]
            error = np.sqrt(np.mean(rows["error"] ** 2) / seeds)
            off = (found.mean() - chain) / error
            within = np.mean(np.abs(found - chain) < 2 * rows["error"])
            print(
                f"| `{name}` | {chain:.6g} | {found.mean():.4g} +- {error:.1g} | {off:.1f} | {within:.0%} |",
                flush=True,
            )
            most = scipy.stats.t.isf(BEYOND_3 / 2, seeds * (RUNS - 1))
            fewest = scipy.stats.binom.ppf(BEYOND_3 / 2, seeds, WITHIN_2) / seeds
            expect(abs(off) < most, f"{name} has no bias", (off, most))
            # else a method that finds nothing would pass
            expect(most * error < chain, f"{name}: an error that tells 0 from the chain", error / chain)
            expect(within >= fewest, f"{name}: errors of single seeds hold", (within, fewest))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
