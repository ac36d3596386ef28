#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The mean velocity of a driven ring by a dense Fourier basis: bars hold it, and tell of loose time steps.
fare-test: labels=verification timeout=120
"""
import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare


def velocity(kT=0.5, force=0.3, swing=0.8, period=2.0, modes=20, steps=2000):
    """Of masses c_k exp(ikx): dc/dt = -ik (F(t) c - (c_{k-1} - c_{k+1})/2i) - kT k^2 c, by Runge and Kutta."""
    k = np.arange(-modes, modes + 1)
    shift = (np.eye(len(k), k=-1) - np.eye(len(k), k=1)) / 2j
    still = 1j * k[:, None] * shift - np.diag(kT * k**2 + 0j)
    h, moved = period / steps, np.zeros(len(k), complex)
    phi = np.eye(len(k), dtype=complex)

    def flow(t, c):
        pull = force + swing * np.sin(2 * np.pi * t / period)
        return still @ c - 1j * pull * k[:, None] * c

    middle = modes
    for i in range(steps):
        t = i * h
        moved += phi[middle + 1] / steps
        a = flow(t, phi)
        b = flow(t + h / 2, phi + h / 2 * a)
        c = flow(t + h / 2, phi + h / 2 * b)
        phi = phi + h / 6 * (a + 2 * b + 2 * c + flow(t + h, phi + h * c))
    rest = np.linalg.svd(phi - np.eye(len(k)))[2][-1].conj()
    return force + (moved @ rest / rest[middle]).imag  # <sin x> is -Im c_1


def main():
    exact = velocity()
    expect(abs(exact - velocity(modes=14, steps=1500)) < 1e-9, "the reference converges")
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        bars = {}
        # the drive limits the longest steps; of the shortest, rounding is what is left to tell
        for tolerance in (1e-2, 1e-4, 5e-6, 1e-7, 6e-10):
            analysis = {"name": "cycle", "kind": "periodic", "period": 2.0, "tolerance": tolerance}
            study = {
                "study": "ring",
                "system": {
                    "name": "tilted_washboard",
                    "parameters": {"kT": 0.5, "height": 1.0, "force": 0.3},
                },
                "drive": [{"parameter": "force", "waveform": "sine", "amplitude": 0.8, "period": 2.0}],
                "initial": {"density": "uniform"},
                "snapshots": {"start": 0.0, "end": 1e-6, "count": 2},
                "truth": {"cells": [256]},
                "analysis": [analysis | {"panels": 8}],
            }
            (where / "ring.yaml").write_text(json.dumps(study))
            done = fare(
                where, "run", "ring.yaml", "--no-report", "--overwrite", "--set", "output.directory=ring"
            )
            expect(done.returncode == 0, done.stderr)
            with h5py.File(where / "ring/study.h5") as file:
                group = file["analysis/cycle"]
                value, bars[tolerance] = (float(group[f"velocity{end}"][0]) for end in ("", "_error"))
            print(tolerance, value, bars[tolerance], exact)
            expect(abs(value - exact) <= bars[tolerance], "the bar holds it", (value, bars[tolerance], exact))
        study["analysis"] = [analysis | {"panels": 1}]
        (where / "ring.yaml").write_text(json.dumps(study))
        done = fare(where, "run", "ring.yaml", "--no-report", "--overwrite", "--set", "output.directory=ring")
        with h5py.File(where / "ring/study.h5") as file:
            value, bar = (float(file[f"analysis/cycle/velocity{end}"][0]) for end in ("", "_error"))
        expect(abs(value - exact) <= bar, "the bar holds one panel", (value, bar, exact))
        study["drive"][0] |= {"parameter": "kT", "amplitude": 0.6, "period": 4.0}
        study["analysis"] = [analysis | {"period": 4.0}]
        (where / "cold.yaml").write_text(json.dumps(study))
        done = fare(where, "check", "cold.yaml")
        expect(
            done.returncode == 2 and "analysis[0]: kT reaches" in done.stderr,
            "a drive below 0 is refused",
            done.stderr,
        )
        expect(bars[5e-6] > 1.3 * bars[1e-7], "and tells of time steps", bars)
    return conclude()


sys.exit(main())
