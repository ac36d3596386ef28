#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The cycle of most power of a Brownian particle in a trap, between two temperatures: against the equation of its
variance, which shares nothing with FARE, and the engine of Schmiedl and Seifert, EPL 81, 20003 (2008), whose
stiffness stays within the same bounds. The best drive, pasted into a study, gives that power; ranks do not matter.
Nor does it matter where in a panel of the quadrature a cycle jumps.
fare-test: labels=study timeout=120
"""
from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import h5py
import numpy as np
from scipy.optimize import minimize

from checks import conclude, expect, fare

PERIOD, HOT, COLD = 1.980218, 2.0, 1.0
LEAST, MOST = 1.2958191, 3.581640  # of the stiffness of Schmiedl and Seifert's engine
STIRLING = 0.0875089
STUDY = f"""study: %s
system: {{name: ornstein_uhlenbeck, parameters: {{kT: 1.5}}}}
drive:
  - {{parameter: kT, waveform: square, amplitude: 0.5, period: {PERIOD}}}
%s
truth: {{cells: [128], lower: [-5], upper: [5]}}
snapshots: {{start: 0.0, end: 0.1, count: 2}}
initial: {{density: gaussian, mean: [0], sd: [1]}}
%s
"""
SOUGHT = (
    f"control: [{{name: engine, aim: most_power, parameter: stiffness, lower: {LEAST}, upper: {MOST},"
    f" duration: {PERIOD}, knots: 9, steps: 60}}]"
)
FOUND = f"analysis: [{{name: engine, kind: periodic, period: {PERIOD}, energy: true}}]"


DUTY = 0.3  # of another engine, whose bath turns cold within a panel


def power(stiffness: Any, at: Any, steps: int = 20, duty: float = 0.5) -> float:
    """The variance w obeys dw/dt = -2 k w + 2 kT, the work is the integral of w/2 dk: both are linear in the first w,
    which a period brings back.
    """
    w, work = np.array([0.0, 1.0]), np.zeros(2)  # what does not depend on the first w, and what does
    one = np.array([1.0, 0.0])
    for i in range(len(at) - 1):
        length, rise = at[i + 1] - at[i], stiffness[i + 1] - stiffness[i]
        if length == 0:
            work += 0.5 * rise * w
            continue
        kT, h = HOT if at[i] < duty * PERIOD * (1 - 1e-9) else COLD, length / steps
        for n in range(steps):
            k = stiffness[i] + rise * (n + np.array([0.0, 0.5, 1.0])) / steps
            a = -2 * k[0] * w + 2 * kT * one
            b = -2 * k[1] * (w + h / 2 * a) + 2 * kT * one
            c = -2 * k[1] * (w + h / 2 * b) + 2 * kT * one
            d = -2 * k[2] * (w + h * c) + 2 * kT * one
            middle = w + h * (5 * a + 4 * b + 4 * c - d) / 24
            new = w + h * (a + 2 * b + 2 * c + d) / 6
            work += 0.5 * rise / steps * (w + 4 * middle + new) / 6
            w = new
    work += 0.5 * (stiffness[0] - stiffness[-1]) * w
    return -float(work[0] + work[1] * w[0] / (1 - w[1])) / PERIOD


def run(where: pathlib.Path, name: str, drive: str, what: str, ranks: int = 1) -> str:
    (where / f"{name}.yaml").write_text(STUDY % (name, drive, what))
    done = fare(where, "run", f"{name}.yaml", "--no-report", "--overwrite", ranks=ranks)
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    return done.stdout


def check_jump(where: pathlib.Path) -> None:
    at = PERIOD * np.array([0.0, DUTY, DUTY, 1.0])
    stiffness = np.array([3.5, 2.9, 1.3, 3.0])
    late = PERIOD * np.array([1e-6, 0, 1e-6, 0])  # a jump takes some time
    times = np.concatenate([at + late, PERIOD + at + late])
    values = np.concatenate([stiffness, stiffness]) - 1  # added to the system's own
    table = (
        f"  - {{parameter: stiffness, waveform: tabulated, times: {times.tolist()}, values:"
        f" {values.tolist()}}}"
    )
    text = STUDY % ("jump", table, FOUND.replace("energy", "panels: 16, energy"))
    (where / "jump.yaml").write_text(text.replace("amplitude: 0.5,", f"amplitude: 0.5, duty: {DUTY},"))
    done = fare(where, "run", "jump.yaml", "--no-report")
    expect(done.returncode == 0, "a cycle that jumps within a panel runs", done.stderr)
    with h5py.File(where / "out/jump/study.h5") as file:
        found, error = file["analysis/engine/power"][0], file["analysis/engine/power_error"][0]
    exact = power(stiffness, at, steps=100, duty=DUTY)
    print(f"jumping within a panel: {found:.6f} +- {error:.1e}, by the variance {exact:.6f}")
    expect(abs(found - exact) <= error < 5e-3 * exact, "jumps within panels", (found, error, exact))


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        check_jump(where)
        printed = run(where, "sought", "", SOUGHT)
        run(where, "ranks", "", SOUGHT, ranks=2)
        with h5py.File(where / "out/sought/study.h5") as file:
            group = file["control/engine"]
            found, error, checked, efficiency, carnot = (
                group.attrs[key] for key in ("optimum", "error", "checked", "efficiency", "carnot")
            )
            at, values = group["times"][:], group["drives/stiffness/values"][:]
        with h5py.File(where / "out/ranks/study.h5") as file:
            other = file["control/engine"].attrs["optimum"]
        drive = printed[printed.index("\ndrive:\n") + len("\ndrive:\n") :].split("\n\n")[0]
        run(where, "pasted", drive, FOUND)
        with h5py.File(where / "out/pasted/study.h5") as file:
            pasted = file["analysis/engine/power"][0], file["analysis/engine/power_error"][0]
    bounds = [(LEAST, MOST)] * len(at)
    best = -minimize(lambda k: -power(k, at), values, bounds=bounds, method="L-BFGS-B").fun
    ahead = power(values, at)
    print(f"power {found:.7f} +- {error:.1e}, by the variance {ahead:.7f}, the best one {best:.7f}; ", end="")
    print(f"pasted {pasted[0]:.7f} +- {pasted[1]:.1e}, efficiency {efficiency:.5f}", flush=True)
    expect(at.size == 10 and at[4] == at[5], "two knots where kT jumps", at)
    expect(abs(found - ahead) <= error < 5e-3 * found, "the power of that drive", (found, ahead))
    expect(best - ahead < 1e-5 * best, "no other drive does better", (best, ahead))
    expect(abs(checked - found) < 1e-4 * found, "the truth's own steps agree", (checked, found))
    expect(found > STIRLING, "more than an engine between given variances", found)
    expect(abs(pasted[0] - ahead) <= 2 * pasted[1] + 1e-5, "the pasted drive", (pasted, ahead))
    expect(carnot == 0.5 and 0.2 < efficiency < carnot, "less efficient than Carnot's", efficiency)
    expect(other == found, "the power depends on the number of ranks", other - found)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
