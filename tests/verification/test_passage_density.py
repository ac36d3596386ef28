#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The density of arrival times under a drive: its error tells what loose time steps change.
fare-test: labels=verification timeout=120
"""
import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

STUDY = {
    "study": "arrivals",
    "system": {"name": "double_well", "parameters": {"kT": 0.5}},
    "drive": [{"parameter": "tilt", "waveform": "sine", "amplitude": 2.0, "period": 1.0}],
    "snapshots": {"start": 0.0, "end": 1e-3, "count": 2},
    "truth": {"cells": [128]},
}
PASSAGE = {
    "kind": "driven_passage",
    "span": 2.0,
    "after": "over",
    "target": {"lower": [0.5]},
    "from": {"upper": [-0.5]},
    "survival": 20,
    "meshes": False,
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        both = [PASSAGE | {"name": name, "tolerance": t} for name, t in (("loose", 1e-2), ("tight", 1e-7))]
        (where / "study.yaml").write_text(json.dumps(STUDY | {"analysis": both}))
        done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=out")
        expect(done.returncode == 0, done.stderr)
        with h5py.File(where / "out/study.h5") as file:
            of = [
                {end: file[f"analysis/{name}/passage_density{end}"][()] for end in ("_plain", "_error")}
                for name in ("loose", "tight")
            ]
        change = np.abs(of[0]["_plain"] - of[1]["_plain"]).max()
        told = (of[0]["_error"] - of[1]["_error"]).min()
        print(f"steps change the density by {change:.3g}; its error grows by {told:.3g}")
        expect(change > 1e-5, "the loose steps are loose", change)
        expect(told >= change, "and the error tells of that", (told, change))
        expect(of[1]["_error"].max() < 0.1 * of[1]["_plain"].max(), "tight steps leave the density told")
    return conclude()


sys.exit(main())
