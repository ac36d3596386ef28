#!/usr/bin/env python3
"""Measures what docs/verification.md states and writes its tables and figures anew: docs/verification.py [--command build/bin/fare]"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import re
import subprocess
import tempfile

import h5py
import numpy as np

DOCUMENT = pathlib.Path(__file__).resolve().with_name("verification.md")
IMAGES = DOCUMENT.with_name("images")
SINGLE = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
PI = math.pi


def sine(parameter, amplitude, period):
    return {"parameter": parameter, "waveform": "sine", "amplitude": amplitude, "period": period}


def ramp(parameter, amplitude, end):
    return {"parameter": parameter, "waveform": "ramp", "amplitude": amplitude, "start": 0.0, "end": end}


def square(parameter, amplitude, period):
    return {"parameter": parameter, "waveform": "square", "amplitude": amplitude, "period": period}


def gaussian(mean, sd):
    return {"density": "gaussian", "mean": mean, "sd": sd}


class Result:
    """Densities of all snapshots, axes in the order x, y, z, and what the truth says about itself."""

    def __init__(self, directory):
        self.density = []
        for path in sorted((directory / "snapshots").glob("*.h5")):
            with h5py.File(path) as file:
                (iteration,) = file["data"].values()
                mesh = iteration["meshes/density"]
                self.density.append(np.transpose(mesh[...]))
                self.spacing = np.array(mesh.attrs["gridSpacing"])[::-1]
                self.lower = np.array(mesh.attrs["gridGlobalOffset"])[::-1]
                self.bound = float(file["fare/truth"].attrs["time_bound"])
        with h5py.File(directory / "study.h5") as file:
            self.times = file["snapshots/time"][...]
            self.status = {key: data[...] for key, data in file["truth"].items()}
            self.analysis = {name: {key: data[...] for key, data in group.items() if isinstance(data, h5py.Dataset)} for name, group in file.get("analysis", {}).items()}

    def masses(self, k=-1):
        return self.density[k] * np.prod(self.spacing)

    def edges(self, axis=0):
        return self.lower[axis] + self.spacing[axis] * np.arange(self.density[0].shape[axis] + 1)


class Runner:
    """Runs studies that have a truth alone, each on one process unless told otherwise, in a directory that goes away."""

    def __init__(self, command, place):
        self.command, self.place, self.count = str(pathlib.Path(command).resolve()), pathlib.Path(place), 0

    def run(self, case, cells=None, options=(), ranks=0, **truth):
        self.count += 1
        name = f"study_{self.count}"
        plan = {key: case[key] for key in ("system", "drive", "initial", "analysis") if key in case}
        plan |= {"study": name, "snapshots": {"start": 0.0, "end": case["end"], "count": case.get("count", 4)}, "output": {"directory": name}}
        plan["truth"] = case.get("truth", {}) | {"cells": cells or case["cells"]} | truth
        (self.place / f"{name}.yaml").write_text(json.dumps(plan))
        launch = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks else []
        done = subprocess.run([*launch, self.command, "run", f"{name}.yaml", "--no-report", *(["--", *options] if options else [])], cwd=self.place, env=os.environ | SINGLE, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name}: exit code {done.returncode}\n{json.dumps(plan)}\n{done.stdout}{done.stderr}")
        return Result(self.place / name)


def coarsen(masses, shape):
    """Sums over blocks of cells."""
    for axis, count in enumerate(shape):
        ratio = masses.shape[axis] // count
        masses = masses.reshape(*masses.shape[:axis], count, ratio, *masses.shape[axis + 1:]).sum(axis=axis + 1)
    return masses


def distance(a, b):
    """L1 distance of masses, on the coarser of the two grids."""
    shape = min(a.shape, b.shape)
    return abs(coarsen(a, shape) - coarsen(b, shape)).sum()


# one driven or relaxing case for each system of the library
CERTIFICATES = [
    {"system": {"name": "prinz"}, "drive": [sine("tilt", 4.0, 1.0)], "end": 0.75, "cells": [256]},
    {"system": {"name": "ornstein_uhlenbeck"}, "drive": [sine("centre", 2.0, 4.0)], "end": 3.0, "cells": [128]},
    {"system": {"name": "double_well", "parameters": {"height": 2.0}}, "drive": [sine("tilt", 2.0, 3.0)], "end": 3.0, "cells": [128]},
    {"system": {"name": "triple_well_1d"}, "drive": [square("tilt", 0.5, 4.0)], "end": 6.0, "cells": [256]},
    {"system": {"name": "tilted_washboard"}, "initial": gaussian([0.0], [0.4]), "end": 3.0, "cells": [128]},
    {"system": {"name": "flashing_ratchet", "parameters": {"switch": 0.5}}, "drive": [square("switch", 0.5, 0.1)], "end": 0.15, "cells": [128]},
    {"system": {"name": "geometric_brownian"}, "initial": gaussian([1.0], [0.1]), "end": 1.5, "cells": [512]},
    {"system": {"name": "triple_well_2d"}, "drive": [sine("left", 1.0, 4.0), sine("right", -1.0, 4.0)], "end": 3.0, "cells": [64, 64]},
    {"system": {"name": "quadruple_well"}, "drive": [sine("tilt", 0.6, 5.0), sine("tilt_y", 0.6, 5.0)], "end": 3.0, "cells": [64, 64]},
    {"system": {"name": "mueller_brown"}, "initial": gaussian([0.62, 0.03], [0.15, 0.15]), "end": 1.5, "cells": [96, 96]},
    {"system": {"name": "five_well"}, "drive": [ramp("phase", PI, 2.0), sine("radius", 0.5, 1.0)], "end": 1.5, "cells": [96, 96]},
    {"system": {"name": "rotational_ou"}, "initial": gaussian([2.0, 0.0], [0.7, 0.7]), "end": 3.0, "cells": [64, 64], "truth": {"lower": [-6.0, -6.0], "upper": [6.0, 6.0]}},
    {"system": {"name": "maier_stein"}, "initial": gaussian([-1.0, 0.0], [0.2, 0.2]), "end": 6.0, "cells": [96, 96]},
    {"system": {"name": "toggle_switch"}, "drive": [ramp("production_y", 4.0, 2.0)], "initial": gaussian([3.8, 0.6], [0.4, 0.25]), "end": 3.0, "cells": [96, 96]},
    {"system": {"name": "kramers_prinz"}, "drive": [sine("tilt", 4.0, 1.0)], "end": 0.75, "cells": [128, 96]},
    {"system": {"name": "kramers_double_well"}, "initial": gaussian([-1.2, 0.0], [0.3, 1.0]), "end": 3.0, "cells": [96, 96]},
    {"system": {"name": "swing_equation"}, "initial": gaussian([0.5, 0.0], [0.5, 0.5]), "end": 3.0, "cells": [96, 96]},
    {"system": {"name": "wells_3d"}, "drive": [sine("tilt", 2.0, 2.0), sine("tilt_y", 2.0, 2.0)], "end": 1.5, "cells": [32, 32, 32]},
    {"system": {"name": "lorenz63_noise"}, "initial": gaussian([0.0, 0.0, 25.0], [6.0, 6.0, 6.0]), "end": 0.3, "cells": [32, 32, 32]},
]
TIGHT, USUAL, LOOSE = 1e-9, 1e-7, 1e-3


def certificate(runner, case):
    """Estimated and true errors at the snapshots after the first; `order` as seen between three grids, by which the finest is extrapolated."""
    dim, cells = len(case["cells"]), case["cells"]
    factors = (1, 2, 4) if dim < 3 else (0.5, 1, 2)
    grids = [runner.run(case, [int(factor * n) for n in cells], tolerance=TIGHT, estimate=False) for factor in factors]
    usual, loose = runner.run(case, tolerance=USUAL), runner.run(case, tolerance=LOOSE)
    same = grids[factors.index(1)]
    row = {"name": case["system"]["name"], "cells": cells, "estimate": [], "error": [], "order": [], "loose_estimate": [], "loose_error": [], "bound": loose.bound}
    for k in range(1, len(usual.times)):
        coarse, middle, fine = (grid.masses(k) for grid in grids)
        order = math.log2(distance(coarse, middle) / distance(coarsen(middle, coarse.shape), coarsen(fine, coarse.shape)))
        shape = usual.density[k].shape
        exact = coarsen(fine, shape) + (coarsen(fine, shape) - coarsen(middle, shape)) / (2 ** min(max(order, 0.8), 2.2) - 1)
        row["order"].append(order)
        row["estimate"].append(usual.status["error"][k])
        row["error"].append(abs(usual.masses(k) - exact).sum())
        row["loose_estimate"].append(loose.status["error_time"][k])
        row["loose_error"].append(distance(loose.masses(k), same.masses(k)))
    return row
