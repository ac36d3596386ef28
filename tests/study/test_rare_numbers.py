#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Times, probabilities and constants of rare events that are known by other means, each within its error bar: the table
of docs/rare_events.md. `ctest -V -R test_rare_numbers` prints them.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py

from checks import conclude, expect, fare


def passage(target: str, start: str) -> str:
    return f"kind: passage, meshes: false, target: {target}, points: [{start}]"


def committor(a: str, b: str, start: str) -> str:
    return f"kind: committor, meshes: false, a: {a}, b: {b}, points: [{start}]"


WELL, PRINZ = passage("{lower: [0.5]}", "-1.0"), passage("{lower: [0.5]}", "-0.7")
RIGHT = passage("{lower: [0.0, -2.5]}", "[-1.0, -1.0]")
LEAVE = passage("[{lower: [0.0, -2.5]}, {lower: [-2.5, 0.0]}]", "[-1.0, -1.0]")
OUT = passage("{lower: [0.0, -0.9]}", "[-1.0, 0.0]")
OVER = committor("{upper: [-1.0, 0.9]}", "{lower: [0.0, -0.9]}", "[-0.8, 0.0]")
LINE, PLANE = "cells: [1024]", "cells: [128, 128]"
BOX = "cells: [256, 128], lower: [-1.6, -0.9], upper: [0.2, 0.9]"

# system with its parameters, grid, what is asked, by whom it is known, the number, its relative error, and
# the largest bar that is of use, relative
KNOWN = (
    ("double_well, parameters: {kT: 1.0}", LINE, WELL, "quadrature", 2.703768682, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.1}", LINE, WELL, "quadrature", 25473.94676, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.05}", LINE, WELL, "quadrature", 549650969.6, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.035}", LINE, WELL, "quadrature", 2.883595526e12, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.25}", LINE, PRINZ, "quadrature", 6613.340233, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.12}", LINE, PRINZ, "quadrature", 3.022334165e9, 1e-9, 1e-5),
    ("quadruple_well, parameters: {kT: 0.1}", PLANE, RIGHT, "quadrature", 34663.0689, 1e-9, 1e-3),
    ("quadruple_well, parameters: {kT: 0.06}", PLANE, RIGHT, "quadrature", 5.8136156e7, 1e-8, 1e-3),
    ("quadruple_well, parameters: {kT: 0.1}", PLANE, LEAVE, "product of axes", 25531.63, 1e-5, 1e-3),
    ("quadruple_well, parameters: {kT: 0.06}", PLANE, LEAVE, "product of axes", 5.0026e7, 1e-4, 1e-3),
    ("maier_stein, parameters: {alpha: 1, diffusion: 0.05}", BOX, OUT, "Chebyshev", 270.6103, 1e-6, 1e-3),
    ("maier_stein, parameters: {diffusion: 0.02}", BOX, OUT, "Chebyshev", 2868.144, 1e-6, 2e-2),
    ("maier_stein, parameters: {diffusion: 0.01}", BOX, OUT, "Chebyshev", 1.46822e7, 1e-5, 1.5e-1),
    ("maier_stein, parameters: {diffusion: 0.02}", BOX, OVER, "another grid", 6.25824e-4, 2e-4, 2e-2),
    ("maier_stein, parameters: {diffusion: 0.01}", BOX, OVER, "another grid", 1.53826e-7, 2e-3, 1e-1),
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-numbers-") as name:
        where = pathlib.Path(name)
        for k, (system, truth, asked, means, known, uncertain, widest) in enumerate(KNOWN):
            if k == 0 or (system, truth) != KNOWN[k - 1][:2]:
                same = [line[2] for line in KNOWN if line[:2] == (system, truth)]
                lines = ", ".join(f"{{name: n{i}, {text}}}" for i, text in enumerate(same))
                (where / "study.yaml").write_text(
                    f"study: numbers\nsystem: {{name: {system}}}\ntruth: {{{truth}}}\n"
                    + ("initial: {density: uniform}\n" if "maier" in system else "")
                    + f"snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\nanalysis: [{lines}]\n"
                )
                done = fare(where, "run", "study.yaml", "--no-report", "--overwrite")
                expect(done.returncode == 0, f"{system} runs", done.stderr)
            kind = "committor" if asked is OVER else "time"
            with h5py.File(where / "out/numbers/study.h5") as file:
                group = file[f"analysis/n{same.index(asked)}"]
                value, bar = (float(group[key][0]) for key in (kind, f"{kind}_error"))
            print(
                f"{system:55} {kind:12} {means:15} {known:.10g}  FARE {value:.10g} +- {bar:.1g}", flush=True
            )
            expect(abs(value - known) <= 1.5 * bar + uncertain * known, f"{kind} of {system}", (value, known))
            expect(bar <= widest * known, f"the bar of {kind} of {system} is too wide", bar)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
