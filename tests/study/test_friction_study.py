#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The drive along a geodesic, pasted into a study and read from the file: what the evolution of the truth dissipates
under it is length^2/duration in the slow limit, and less than under a ramp.
fare-test: labels=study timeout=200
"""
from __future__ import annotations

import csv
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

DURATION = 40.0
METRIC = f"""study: metric
system: {{name: prinz, parameters: {{tilt: 0.5}}}}
snapshots: {{start: 0.0, end: 0.01, count: 2}}
truth: {{cells: [256]}}
analysis: [{{name: metric, kind: friction, parameters: [tilt], from: [0.0], to: [2.0], duration: {DURATION}}}]
"""
STUDY = f"""study: slow
system: {{name: prinz, parameters: {{tilt: %s}}}}
%s
snapshots: {{start: 0.0, end: {DURATION}, count: 41}}
truth: {{cells: [128]}}
thermodynamics: {{}}
"""


def run(where, name, text):
    path = where / f"{name}.yaml"
    path.write_text(text)
    done = fare(where, "run", path, "--no-report", "--set", f"output.directory={where / name}")
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    return done.stdout


def dissipated(where, name, base, drive):
    run(where, name, STUDY % (base, drive))
    with open(where / name / "thermodynamics.csv", newline="") as file:
        return float(list(csv.DictReader(file))[-1]["dissipated_work"])


def main():
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        printed = run(where, "metric", METRIC)
        with h5py.File(where / "metric" / "study.h5") as file:
            found = {
                name: np.array(value) for name, value in file["analysis/metric"].items() if name != "meshes"
            }
        expect(found["drive_tilt"].shape == (41, 2), "a table of times and values", found["drive_tilt"].shape)
        expect(np.allclose(found["drive_tilt"][[0, -1]], [[0, -0.5], [DURATION, 1.5]]), "its ends")
        expect(
            found["nodes"].shape == (17, 1) and found["tensors"].shape == (17, 1), "the curve of the friction"
        )
        drive = printed[printed.index("\ndrive:") :].split("\n\n")[0]
        pasted = dissipated(where, "pasted", 0.5, drive)
        from_file = (
            f"drive: [{{parameter: tilt, waveform: tabulated, file: {where / 'metric' / 'study.h5'}, "
            "dataset: /analysis/metric/drive_tilt}]"
        )
        read = dissipated(where, "read", 0.5, from_file)
        ramp = f"drive: [{{parameter: tilt, waveform: ramp, amplitude: 2.0, start: 0.0, end: {DURATION}}}]"
        linear = dissipated(where, "linear", 0.0, ramp)
    slow, straight = found["excess_work"].item(), found["straight"].item()
    expect(abs(slow * DURATION - 0.456811) < 1e-4, "length^2 of another program", slow * DURATION)
    expect(abs(pasted - read) < 1e-6, "printed and kept drives are the same", (pasted, read))
    expect(abs(pasted / slow - 1) < 0.02, "the slow limit along the geodesic", (pasted, slow))
    expect(abs(linear / straight - 1) < 0.02, "the slow limit of a ramp", (linear, straight))
    expect(abs(pasted / linear - slow / straight) < 0.01, "what the geodesic gains", (pasted, linear))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
