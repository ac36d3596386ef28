#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Times, probabilities and constants of rare events that are known by other means, each within its error bar: the table
of docs/rare_events.md. `ctest -V -R test_rare_numbers` prints them. With the argument `all`, those of two axes that
take longer, too.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

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
CORNER = passage("{lower: [0.0, 0.0]}", "[-1.0, -1.0]")
BOX = "cells: [256, 128], lower: [-1.6, -0.9], upper: [0.2, 0.9]"
FAR = passage("{lower: [0.0, -1.5]}", "[-1.0, 0.0]")
WIDE = "cells: [256, 128], lower: [-2.2, -1.5], upper: [0.2, 1.5]"

# system with its parameters, grid, what is asked, by whom it is known, the number, its relative error, and
# the largest bar that is of use, relative
KNOWN = (
    ("double_well, parameters: {kT: 1.0}", LINE, WELL, "quadrature", 2.703768682, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.25}", LINE, WELL, "quadrature", 65.92498421, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.15}", LINE, WELL, "quadrature", 925.3632343, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.1}", LINE, WELL, "quadrature", 25473.94676, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.07}", LINE, WELL, "quadrature", 1828298.999, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.05}", LINE, WELL, "quadrature", 549650969.6, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.04}", LINE, WELL, "quadrature", 8.123923509e10, 1e-9, 1e-5),
    ("double_well, parameters: {kT: 0.035}", LINE, WELL, "quadrature", 2.883595526e12, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 1.0}", LINE, PRINZ, "quadrature", 1.705702516, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.5}", LINE, PRINZ, "quadrature", 20.74050342, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.25}", LINE, PRINZ, "quadrature", 6613.340233, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.15}", LINE, PRINZ, "quadrature", 1.949754533e7, 1e-9, 1e-5),
    ("prinz, parameters: {kT: 0.12}", LINE, PRINZ, "quadrature", 3.022334165e9, 1e-9, 1e-5),
    ("quadruple_well, parameters: {kT: 0.18}", PLANE, RIGHT, "quadrature", 255.63444, 1e-8, 1e-3),
    ("quadruple_well, parameters: {kT: 0.18}", PLANE, LEAVE, "product of axes", 159.97268, 1e-5, 1e-3),
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
# the re-entrant corner of the last set leaves the number that it is compared with an error of some 1e-3
LONGER = (
    ("maier_stein, parameters: {diffusion: 0.1}", WIDE, FAR, "Chebyshev", 5.2232813, 1e-7, 2e-2),
    ("maier_stein, parameters: {diffusion: 0.05}", WIDE, FAR, "Chebyshev", 22.511462, 1e-7, 2e-2),
    ("maier_stein, parameters: {diffusion: 0.015}", BOX, OUT, "Chebyshev", 49455.4, 1e-5, 5e-2),
    ("maier_stein, parameters: {diffusion: 0.0125}", BOX, OUT, "Chebyshev", 483562, 1e-5, 1e-1),
    ("quadruple_well, parameters: {kT: 0.18}", PLANE, CORNER, "another grid", 1901.1, 2e-3, 1e-2),
    ("quadruple_well, parameters: {kT: 0.1}", PLANE, CORNER, "another grid", 1.05883e6, 2e-3, 1e-2),
    ("quadruple_well, parameters: {kT: 0.06}", PLANE, CORNER, "another grid", 2.0485e10, 2e-3, 1e-2),
)


def kramers(kT: float) -> float:
    """The rate of the double well of height 1 in the limit of a high barrier."""
    return np.sqrt(8 * 4) / (2 * np.pi) * np.exp(-1 / kT)


# Kramers' rate over the exact one, to three digits
KRAMERS = {
    1.0: 0.896,
    0.25: 1.087,
    0.15: 1.060,
    0.1: 1.041,
    0.07: 1.029,
    0.05: 1.020,
    0.04: 1.016,
    0.035: 1.014,
}


def main() -> int:
    lines_of = KNOWN + (LONGER if "all" in sys.argv[1:] else ())
    with tempfile.TemporaryDirectory(prefix="fare-numbers-") as name:
        where = pathlib.Path(name)
        for k, (system, truth, asked, means, known, uncertain, widest) in enumerate(lines_of):
            if k == 0 or (system, truth) != lines_of[k - 1][:2]:
                same = [line[2] for line in lines_of if line[:2] == (system, truth)]
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
            if asked is WELL:
                kT = float(system.split()[-1].rstrip("}"))
                ratio = kramers(kT) * value
                expect(abs(ratio - KRAMERS[kT]) <= 5.1e-4, f"Kramers' rate over that at kT {kT}", ratio)
            expect(bar <= widest * known, f"the bar of {kind} of {system} is too wide", bar)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
