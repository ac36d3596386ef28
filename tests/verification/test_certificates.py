#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Estimated errors against true ones for some of the cases of docs/verification.md, which measures all of them.
fare-test: labels=verification timeout=300
"""
import importlib.util
import os
import sys
import tempfile

from launch import SOURCE

COMMAND = os.environ.get("FARE_COMMAND", str(SOURCE / "build" / "bin" / "fare"))
# one of each class: driven in one and two dimensions, periodic with jumps, multiplicative noise, a swirl,
# inertia
SUBSET = {
    "prinz": 1.9,
    "flashing_ratchet": 1.9,
    "geometric_brownian": 1.9,
    "quadruple_well": 1.9,
    "rotational_ou": 1.9,
    "swing_equation": 6.0,
}


def load():
    spec = importlib.util.spec_from_file_location("verification", SOURCE / "docs" / "verification.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    verification = load()
    listed = {case["system"]["name"] for case in verification.CERTIFICATES}
    failures = 0
    with tempfile.TemporaryDirectory(prefix="fare-certificates-") as place:
        runner = verification.Runner(COMMAND, place)
        for case in verification.CERTIFICATES:
            if case["system"]["name"] not in SUBSET:
                continue
            row = verification.certificate(runner, case)
            ratios = verification.ratios(row["estimate"], row["error"])
            # explicit: no bound; the tolerance decides on which cells hold too little, and on nothing else
            inertial = row["name"] == "swing_equation"
            bound = 1e-2 * min(row["error"]) if inertial else row["bound"]
            holds = (
                all(0.3 <= r <= 10 for r in ratios)
                and min(row["order"]) > SUBSET[row["name"]]
                and row["loose_error"][-1] <= bound
                and bound > 0
            )
            failures += not holds
            print(
                "ok  " if holds else "FAIL",
                (
                    f"{row['name']}: estimate / true error {verification.span(ratios, '{:.2f}')}, order"
                    f" {verification.span(row['order'], '{:.2f}')}, error in time"
                    f" {row['loose_error'][-1]:.1e} of at most {row['bound']:.1e}"
                ),
            )
    if not set(SUBSET) <= listed:
        sys.exit(f"no case for {sorted(set(SUBSET) - listed)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
