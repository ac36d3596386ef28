#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
`truth.accuracy`: the cells that pilot runs choose keep the estimated error below it at every snapshot, also
where coarse grids converge faster than the scheme will go on to.
fare-test: labels=study timeout=300
"""
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

STUDY = """
study: accuracy
system: {{name: double_well, dimension: 1, parameters: {{height: {height}}}}}
drive:
  - {{parameter: tilt, waveform: sine, amplitude: 3.0, period: 4.0}}
initial: {{density: gaussian, mean: [-1.0], sd: [0.2]}}
snapshots: {{start: 0.0, end: 4.0, count: 17}}
truth: {{accuracy: {accuracy}}}
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as where:
        directory = pathlib.Path(where)
        for height, accuracy in [(3.0, 1e-4), (3.0, 1e-3), (1.0, 1e-4), (6.0, 3e-4)]:
            path = directory / "study.yaml"
            path.write_text(STUDY.format(height=height, accuracy=accuracy))
            out = directory / f"out_{height:g}_{accuracy:g}"
            done = fare(directory, "run", path, "--no-report", "--set", f"output.directory={out}")
            expect(done.returncode == 0, f"height {height:g}, accuracy {accuracy:g}: {done.stderr}")
            with h5py.File(out / "study.h5") as study:
                error = np.max(study["truth/error"])
            expect(
                error <= accuracy,
                f"height {height:g}: estimated error {error:.2e} is above the accuracy {accuracy:g}",
            )
            expect("misses its accuracy" not in done.stderr, f"height {height:g}: {done.stderr}")
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
