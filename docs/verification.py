#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures what docs/verification.md states and writes its tables and figures anew: docs/verification.py
[--command build/bin/fare]
"""
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
SINGLE = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
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
            self.analysis = {
                name: {key: data[...] for key, data in group.items() if isinstance(data, h5py.Dataset)}
                for name, group in file.get("analysis", {}).items()
            }

    def masses(self, k=-1):
        return self.density[k] * np.prod(self.spacing)

    def edges(self, axis=0):
        return self.lower[axis] + self.spacing[axis] * np.arange(self.density[0].shape[axis] + 1)


class Runner:
    """Runs studies that have a truth alone, each on one process unless told otherwise, in a directory that
    goes away.
    """

    def __init__(self, command, place):
        self.command, self.place, self.count = str(pathlib.Path(command).resolve()), pathlib.Path(place), 0

    def run(self, case, cells=None, options=(), ranks=0, **truth):
        self.count += 1
        name = f"study_{self.count}"
        plan = {key: case[key] for key in ("system", "drive", "initial", "analysis") if key in case}
        plan |= {
            "study": name,
            "snapshots": {"start": 0.0, "end": case["end"], "count": case.get("count", 4)},
            "output": {"directory": name},
        }
        plan["truth"] = case.get("truth", {}) | {"cells": cells or case["cells"]} | truth
        (self.place / f"{name}.yaml").write_text(json.dumps(plan))
        launch = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks else []
        done = subprocess.run(
            [
                *launch,
                self.command,
                "run",
                f"{name}.yaml",
                "--no-report",
                *(["--", *options] if options else []),
            ],
            cwd=self.place,
            env=os.environ | SINGLE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"{name}: exit code {done.returncode}\n{json.dumps(plan)}\n{done.stdout}{done.stderr}"
            )
        return Result(self.place / name)


def coarsen(masses, shape):
    """Sums over blocks of cells."""
    for axis, count in enumerate(shape):
        ratio = masses.shape[axis] // count
        masses = masses.reshape(*masses.shape[:axis], count, ratio, *masses.shape[axis + 1 :]).sum(
            axis=axis + 1
        )
    return masses


def distance(a, b):
    """L1 distance of masses, on the coarser of the two grids."""
    shape = min(a.shape, b.shape)
    return abs(coarsen(a, shape) - coarsen(b, shape)).sum()


# one driven or relaxing case for each system of the library
CERTIFICATES = [
    {"system": {"name": "prinz"}, "drive": [sine("tilt", 4.0, 1.0)], "end": 0.75, "cells": [256]},
    {
        "system": {"name": "ornstein_uhlenbeck"},
        "drive": [sine("centre", 2.0, 4.0)],
        "end": 3.0,
        "cells": [128],
    },
    {
        "system": {"name": "double_well", "parameters": {"height": 2.0}},
        "drive": [sine("tilt", 2.0, 3.0)],
        "end": 3.0,
        "cells": [128],
    },
    {
        "system": {"name": "triple_well_1d"},
        "drive": [square("tilt", 0.5, 4.0)],
        "end": 7.0,
        "count": 3,
        "cells": [256],
    },
    {"system": {"name": "tilted_washboard"}, "initial": gaussian([0.0], [0.4]), "end": 3.0, "cells": [128]},
    {
        "system": {"name": "flashing_ratchet", "parameters": {"switch": 0.5}},
        "drive": [square("switch", 0.5, 0.1)],
        "initial": gaussian([0.5], [0.15]),
        "end": 0.12,
        "cells": [128],
    },
    {"system": {"name": "geometric_brownian"}, "initial": gaussian([1.0], [0.1]), "end": 1.5, "cells": [512]},
    {
        "system": {"name": "triple_well_2d"},
        "drive": [sine("left", 1.0, 4.0), sine("right", -1.0, 4.0)],
        "end": 3.0,
        "cells": [64, 64],
    },
    {
        "system": {"name": "quadruple_well"},
        "drive": [sine("tilt", 0.6, 5.0), sine("tilt_y", 0.6, 5.0)],
        "end": 3.0,
        "cells": [64, 64],
    },
    {
        "system": {"name": "mueller_brown"},
        "initial": gaussian([0.62, 0.03], [0.15, 0.15]),
        "end": 0.6,
        "cells": [64, 64],
    },
    {
        "system": {"name": "five_well"},
        "drive": [ramp("phase", PI, 2.0), sine("radius", 0.5, 1.0)],
        "end": 0.75,
        "cells": [72, 72],
    },
    {
        "system": {"name": "rotational_ou"},
        "initial": gaussian([2.0, 0.0], [0.7, 0.7]),
        "end": 1.5,
        "cells": [64, 64],
        "truth": {"lower": [-6.0, -6.0], "upper": [6.0, 6.0]},
    },
    {
        "system": {"name": "maier_stein"},
        "initial": gaussian([-1.0, 0.0], [0.2, 0.2]),
        "end": 3.0,
        "cells": [64, 64],
    },
    {
        "system": {"name": "toggle_switch"},
        "drive": [ramp("production_y", 4.0, 2.0)],
        "initial": gaussian([3.8, 0.6], [0.4, 0.25]),
        "end": 1.5,
        "cells": [64, 64],
    },
    {"system": {"name": "kramers_prinz"}, "drive": [sine("tilt", 4.0, 1.0)], "end": 0.45, "cells": [96, 64]},
    {
        "system": {"name": "kramers_double_well"},
        "initial": gaussian([-1.2, 0.0], [0.3, 1.0]),
        "end": 1.5,
        "cells": [64, 64],
    },
    {
        "system": {"name": "swing_equation"},
        "initial": gaussian([0.5, 0.0], [0.5, 0.5]),
        "end": 2.25,
        "cells": [64, 64],
    },
    {
        "system": {"name": "wells_3d"},
        "drive": [sine("tilt", 2.0, 2.0), sine("tilt_y", 2.0, 2.0)],
        "end": 0.75,
        "cells": [24, 24, 24],
    },
    {
        "system": {"name": "lorenz63_noise"},
        "initial": gaussian([0.0, 0.0, 25.0], [6.0, 6.0, 6.0]),
        "end": 0.15,
        "cells": [32, 32, 32],
    },
]
USUAL, TIGHTER, LOOSE = {1: 1e-7, 2: 1e-5, 3: 1e-5}, 100, 1e-4


def certificate(runner, case):
    """Estimated and true errors at the snapshots after the first; `order` as seen between three grids, by
    which the finest is extrapolated.
    """
    dim, cells = len(case["cells"]), case["cells"]
    factors = (1, 2, 4) if dim < 3 else (0.5, 1, 2)
    grids = [
        runner.run(case, [int(factor * n) for n in cells], tolerance=USUAL[dim] / TIGHTER, estimate=False)
        for factor in factors
    ]
    usual, loose = runner.run(case, tolerance=USUAL[dim]), runner.run(case, tolerance=LOOSE)
    same = grids[factors.index(1)]
    row = {
        "name": case["system"]["name"],
        "cells": cells,
        "estimate": [],
        "error": [],
        "order": [],
        "loose_estimate": [],
        "loose_error": [],
        "bound": loose.bound,
    }
    for k in range(1, len(usual.times)):
        coarse, middle, fine = (grid.masses(k) for grid in grids)
        order = math.log2(
            distance(coarse, middle) / distance(coarsen(middle, coarse.shape), coarsen(fine, coarse.shape))
        )
        shape = usual.density[k].shape
        exact = coarsen(fine, shape) + (coarsen(fine, shape) - coarsen(middle, shape)) / (
            2 ** min(max(order, 0.8), 2.2) - 1
        )
        row["order"].append(order)
        row["estimate"].append(usual.status["error"][k])
        row["error"].append(abs(usual.masses(k) - exact).sum())
        row["loose_estimate"].append(loose.status["error_time"][k])
        row["loose_error"].append(distance(loose.masses(k), same.masses(k)))
    return row


def cell_means(result, k, density):
    """Masses of a density given at points, by five Gauss points per axis and cell, one axis after the other
    in memory.
    """
    nodes, weights = np.polynomial.legendre.leggauss(5)
    shape, total = result.density[k].shape, 0.0
    for index in np.ndindex(*[5] * len(shape)):
        x = [
            result.lower[a] + result.spacing[a] * (np.arange(n) + 0.5 + nodes[index[a]] / 2)
            for a, n in enumerate(shape)
        ]
        total = total + np.prod(weights[list(index)] / 2) * density(*np.meshgrid(*x, indexing="ij"))
    return total * np.prod(result.spacing)


def normal_cells(edges, mean, variance):
    cumulative = np.array([0.5 * math.erfc((mean - x) / math.sqrt(2 * variance)) for x in edges])
    return np.diff(cumulative)


def integrate(slope, y, end, steps=4000):
    """dy/dt = slope(t, y) from 0 to end, by the classical Runge-Kutta method."""
    y, h = np.array(y, float), end / steps
    for n in range(steps if end else 0):
        t = n * h
        a = slope(t, y)
        b = slope(t + h / 2, y + h / 2 * a)
        c = slope(t + h / 2, y + h / 2 * b)
        d = slope(t + h, y + h * c)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return y


def trap(dim):
    """A trap that is dragged to and fro and stiffens from 1 to 3; moments by their equations."""
    mean, sd = [0.5, -0.5, 0.3][:dim], [0.8, 0.6, 0.9][:dim]
    case = {
        "system": {"name": "ornstein_uhlenbeck", "dimension": dim},
        "drive": [sine("centre", 1.0, 2.0), ramp("stiffness", 2.0, 1.0)],
        "initial": gaussian(mean, sd),
        "end": 1.0,
        "truth": {"lower": [-5.0] * dim, "upper": [5.0] * dim},
    }

    def exact(result, k):
        product = np.ones(())
        for axis in range(dim):
            slope = lambda t, y, axis=axis: np.array(
                [-(1 + 2 * t) * (y[0] - (math.sin(PI * t) if axis == 0 else 0)), 2 - 2 * (1 + 2 * t) * y[1]]
            )
            product = np.multiply.outer(
                product,
                normal_cells(
                    result.edges(axis), *integrate(slope, [mean[axis], sd[axis] ** 2], result.times[k])
                ),
            )
        return product

    return case, exact


def rotation():
    case = {
        "system": {"name": "rotational_ou", "parameters": {"rotation": 2.0}},
        "initial": gaussian([1.5, 0.0], [0.7, 0.7]),
        "end": 1.5,
        "truth": {"lower": [-6.0, -6.0], "upper": [6.0, 6.0]},
    }

    def exact(result, k):
        t = result.times[k]
        mean, variance = 1.5 * math.exp(-t) * np.array([math.cos(2 * t), math.sin(2 * t)]), 1 + (
            0.49 - 1
        ) * math.exp(-2 * t)
        return np.multiply.outer(*(normal_cells(result.edges(axis), mean[axis], variance) for axis in (0, 1)))

    return case, exact


def normalised(masses):
    return masses / masses.sum()


def travelling():
    """The Prinz potential moves at speed 1, and the force 1 along with it keeps the density in its
    equilibrium.
    """
    well = "4*((x-s)^8 + 0.8*exp(-80*(x-s)^2) + 0.2*exp(-80*(x-s-0.5)^2) + 0.5*exp(-40*(x-s+0.5)^2))"
    case = {
        "system": {
            "expression": {"potential": well, "nonconservative": ["c"], "lower": [-1.6], "upper": [2.4]},
            "parameters": {"c": 1.0, "s": 0.0},
        },
        "drive": [ramp("s", 1.0, 1.0)],
        "end": 1.0,
    }

    def exact(result, k):
        s = result.times[k]
        return normalised(
            cell_means(
                result,
                k,
                lambda x: np.exp(
                    -4
                    * (
                        (x - s) ** 8
                        + 0.8 * np.exp(-80 * (x - s) ** 2)
                        + 0.2 * np.exp(-80 * (x - s - 0.5) ** 2)
                        + 0.5 * np.exp(-40 * (x - s + 0.5) ** 2)
                    )
                ),
            )
        )

    return case, exact


def counterdiabatic():
    """Two logistic bumps whose weights change; the force u = -dC/dt / p moves mass over the barrier exactly
    as fast as equilibrium wants.
    """
    near, far = "0.25/a/cosh((x+1)/(2*a))^2", "0.25/a/cosh((x-1)/(2*a))^2"
    density = f"((1-w)*{near} + w*{far})"
    force = f"0.5*rate*(tanh((x+1)/(2*a)) - tanh((x-1)/(2*a)))/{density}"
    case = {
        "system": {
            "expression": {
                "potential": f"-kT*log({density})",
                "nonconservative": [force],
                "lower": [-4.5],
                "upper": [4.5],
            },
            "parameters": {"a": 0.2, "w": 0.1, "rate": 0.7},
        },
        "drive": [ramp("w", 0.7, 1.0)],
        "end": 1.0,
    }

    def exact(result, k):
        w, x = 0.1 + 0.7 * result.times[k], result.edges()
        return np.diff((1 - w) / (1 + np.exp(-(x + 1) / 0.2)) + w / (1 + np.exp(-(x - 1) / 0.2)))

    return case, exact


def swirl():
    """F = -c S grad V across the slope of any potential leaves exp(-V/kT) at rest, with a current."""
    slope = ["(4*x*(x^2-1) + 0.5*y)", "(4*y + 0.5*x)"]
    expression = {
        "axes": ["x", "y"],
        "potential": "(x^2-1)^2 + 2*y^2 + 0.5*x*y",
        "nonconservative": [f"-c*{slope[1]}", f"c*{slope[0]}"],
        "lower": [-2.6, -2.6],
        "upper": [2.6, 2.6],
    }
    case = {"system": {"expression": expression, "parameters": {"c": 1.0}}, "end": 1.0}
    return case, lambda result, k: normalised(
        cell_means(result, k, lambda x, y: np.exp(-((x**2 - 1) ** 2 + 2 * y**2 + 0.5 * x * y)))
    )


def benes():
    """dX = tanh X dt + dW from a point stays a mixture of two Gaussians; the start is how it looks after a
    time of 0.2.
    """
    x0, t0 = 0.3, 0.2
    case = {
        "system": {
            "expression": {"potential": "-log(cosh(x))", "lower": [-9], "upper": [9]},
            "parameters": {"kT": 0.5, "mobility": 1.0},
        },
        "end": 1.5,
    }
    case["initial"] = {
        "density": "mixture",
        "mean": [x0 + t0, x0 - t0],
        "sd": [math.sqrt(t0)] * 2,
        "weights": [math.exp(x0), math.exp(-x0)],
    }

    def exact(result, k):
        t, x = t0 + result.times[k], result.edges()
        return (math.exp(x0) * normal_cells(x, x0 + t, t) + math.exp(-x0) * normal_cells(x, x0 - t, t)) / (
            2 * math.cosh(x0)
        )

    return case, exact


def growth():
    """Lognormal from every place of a Gaussian start."""
    g, volatility, mean, sd = 0.1, 0.3, 1.0, 0.1
    case = {"system": {"name": "geometric_brownian"}, "initial": gaussian([mean], [sd]), "end": 1.5}
    z, weight = np.polynomial.hermite_e.hermegauss(20)  # within 8 standard deviations, so at positive places

    def exact(result, k):
        t, x = result.times[k], result.edges()[1:]
        if t == 0:
            return normal_cells(result.edges(), mean, sd**2)
        logs = (np.log(x)[:, None] - np.log(mean + sd * z) - (g - volatility**2 / 2) * t) / (
            volatility * math.sqrt(t)
        )
        cumulative = (0.5 * np.vectorize(math.erfc)(-logs / math.sqrt(2)) * weight).sum(axis=1) / weight.sum()
        return np.diff(cumulative, prepend=0)

    return case, exact


def oscillator():
    """x' = v, v' = -x - g v + noise: a Gaussian with the moments of the linear equations."""
    g, kT, mean, sd = 0.8, 1.0, [1.0, 0.0], [0.6, 0.9]
    expression = {
        "axes": ["x", "v"],
        "drift": ["v", "-x - g*v"],
        "diffusion": ["0", "g*T"],
        "lower": [-6, -6],
        "upper": [6, 6],
    }
    case = {
        "system": {"expression": expression, "parameters": {"g": g, "T": kT}},
        "initial": gaussian(mean, sd),
        "end": 1.5,
    }

    def exact(result, k):
        slope = lambda t, y: np.array(
            [y[1], -y[0] - g * y[1], 2 * y[3], y[4] - y[2] - g * y[3], -2 * y[3] - 2 * g * y[4] + 2 * g * kT]
        )
        mx, mv, xx, xv, vv = integrate(slope, [*mean, sd[0] ** 2, 0, sd[1] ** 2], result.times[k])
        det = xx * vv - xv * xv
        form = lambda x, v: (vv * (x - mx) ** 2 - 2 * xv * (x - mx) * (v - mv) + xx * (v - mv) ** 2) / det
        return cell_means(result, k, lambda x, v: np.exp(-form(x, v) / 2) / (2 * PI * math.sqrt(det)))

    return case, exact


def absorbed():
    """Brownian motion between two ends that absorb, from a uniform start: a sine series."""
    case = {
        "system": {"expression": {"potential": "0*x", "lower": [0], "upper": [1]}},
        "initial": {"density": "uniform"},
        "end": 0.15,
        "truth": {"ends": ["absorbing"]},
    }

    def exact(result, k):
        n, x = np.arange(1, 400, 2), result.edges()
        return np.diff(
            -(
                4
                / (n * PI) ** 2
                * np.exp(-((n * PI) ** 2) * result.times[k])
                * np.cos(np.multiply.outer(x, n * PI))
            ).sum(axis=1)
        )

    return case, exact


# what, the closed form, and three grids, each half as coarse as the one before
CLOSED = [
    ("Ornstein-Uhlenbeck, dragged and stiffening", "1-D", trap(1), [64, 128, 256]),
    ("the same", "2-D", trap(2), [32, 64, 128]),
    ("the same", "3-D", trap(3), [12, 24, 48]),
    ("rotational Ornstein-Uhlenbeck", "2-D, `nonconservative`", rotation(), [32, 64, 128]),
    ("Prinz, travelling with a force", "1-D, `nonconservative`", travelling(), [128, 256, 512]),
    ("counterdiabatic force between two bumps", "1-D, `nonconservative`", counterdiabatic(), [128, 256, 512]),
    ("F = -cS grad V", "2-D, `nonconservative`", swirl(), [32, 64, 128]),
    ("Beneš, dX = tanh X dt + dW", "1-D", benes(), [64, 128, 256]),
    ("geometric Brownian motion", "1-D, multiplicative", growth(), [128, 256, 512]),
    ("underdamped oscillator", "2-D, underdamped", oscillator(), [48, 96, 192]),
    ("Brownian motion between absorbing ends", "1-D, absorbing", absorbed(), [32, 64, 128]),
]


def closed_form(runner, entry):
    """Largest L1 error over the snapshots after the first, on each grid, and the estimate on the finest."""
    label, kind, (case, exact), cells = entry
    dim = int(kind[0])
    errors = []
    for n in cells:
        result = runner.run(case, [n] * dim, tolerance=1e-8 if dim == 1 else 1e-6)
        errors.append(
            max(abs(result.masses(k) - exact(result, k)).sum() for k in range(1, len(result.times)))
        )
    return {
        "label": label,
        "kind": kind,
        "cells": cells,
        "errors": errors,
        "estimate": max(result.status["error"]),
    }


def moments(result, k):
    """Mean and variance of a density in one dimension, its masses spread evenly over the cells."""
    mass, h, edges = result.masses(k), result.spacing[0], result.edges()
    centre = (edges[1:] + edges[:-1]) / 2
    mean = (mass * centre).sum()
    return mean, (mass * (centre - mean) ** 2).sum() + h * h / 12


def numbers(runner):
    """Rows (what, expected, measured, how)."""
    breathing = {
        "system": {"name": "ornstein_uhlenbeck"},
        "drive": [ramp("stiffness", 3.0, 1.0)],
        "end": 1.0,
        "count": 2,
    }
    coarse, fine = (
        moments(runner.run(breathing, [n], tolerance=1e-10, estimate=False), -1)[1] for n in (1024, 2048)
    )
    rows = [
        (
            "variance in a trap that stiffens from 1 to 4 in unit time",
            "0.2891321879",
            fine + (fine - coarse) / 3,
            "moment equation; from 1024 and 2048 cells, extrapolated",
        )
    ]

    relaxation = {
        "system": {
            "expression": {"potential": "6*log(cosh(x))", "lower": [-9], "upper": [9]},
            "parameters": {"kT": 1.0},
        },
        "end": 1e-6,
        "count": 2,
        "analysis": [{"name": "rates", "kind": "relaxation", "count": 3}],
    }
    rates = runner.run(relaxation, [4096], estimate=False).analysis["rates"]["rate"]
    rows += [
        (f"rate {n} of V = 6 ln cosh x, n(6 - n)", str(n * (6 - n)), rates[n], "`relaxation`, 4096 cells")
        for n in (1, 2)
    ]

    omega, cycles, points = 0.1, 9, 64
    resonance = {
        "system": {"name": "double_well", "parameters": {"height": 0.25, "kT": 0.1}},
        "drive": [sine("tilt", 0.1, 2 * PI / omega)],
        "end": cycles * 2 * PI / omega,
        "count": cycles * points + 1,
        "truth": {"lower": [-2.5], "upper": [2.5]},
    }
    swing = []
    for n in (512, 1024):
        result = runner.run(resonance, [n], estimate=False)
        mean = np.array([moments(result, k)[0] for k in range(len(result.times) - points, len(result.times))])
        swing.append(2 / points * (mean * np.exp(-1j * omega * result.times[-points:])).sum())
    swing = swing[1] + (swing[1] - swing[0]) / 3
    rows.append(
        (
            "stochastic resonance: amplitude of the mean",
            "0.2880",
            abs(swing),
            "fundamental of the ninth period, extrapolated; expected as found before by another program",
        )
    )
    rows.append(
        (
            "stochastic resonance: lag behind the tilt",
            "1.1083",
            -PI / 2 - np.angle(swing),
            "as above, in radians",
        )
    )
    return rows


METHODS = [
    ("backward Euler", ["beuler"], 1),
    ("Crank-Nicolson", ["cn"], 2),
    ("ARKIMEX 3", ["arkimex", "-truth_ts_arkimex_type", "3"], 3),
    ("ARKIMEX 4", ["arkimex", "-truth_ts_arkimex_type", "4"], 4),
]


def time_orders(runner):
    """Errors in time alone, against the same grid at a tolerance of 1e-13: with fixed steps, and against the
    tolerance with the method that FARE chooses.
    """
    prinz = {
        "system": {"name": "prinz"},
        "drive": [sine("tilt", 4.0, 1.0)],
        "end": 0.5,
        "count": 2,
        "cells": [256],
    }
    ring = rotation()[0] | {"end": 0.5, "count": 2, "cells": [48, 48]}
    exact = {
        "prinz": runner.run(prinz, tolerance=1e-13, estimate=False),
        "ring": runner.run(ring, tolerance=1e-11, estimate=False),
    }
    counts = [10, 20, 40, 80, 160, 320]
    fixed = {}
    for label, method, _ in METHODS:
        fixed[label] = [
            distance(
                runner.run(
                    prinz,
                    options=[
                        "-truth_ts_type",
                        *method,
                        "-truth_ts_adapt_type",
                        "none",
                        "-truth_ts_dt",
                        repr(0.5 / n),
                    ],
                    estimate=False,
                ).masses(),
                exact["prinz"].masses(),
            )
            for n in counts
        ]
    tolerances = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
    chosen = {}
    for label, case, reference in (
        ("gradient: BDF of order 5", prinz, exact["prinz"]),
        ("with swirl: ARKIMEX 4", ring, exact["ring"]),
    ):
        runs = [runner.run(case, tolerance=tolerance) for tolerance in tolerances]
        chosen[label] = {
            "error": [distance(r.masses(), reference.masses()) for r in runs],
            "estimate": [r.status["error_time"][-1] for r in runs],
            "bound": [r.bound for r in runs],
        }
    return {"steps": [0.5 / n for n in counts], "fixed": fixed, "tolerances": tolerances, "chosen": chosen}


def rank_counts(runner):
    """Largest difference of the density from that of one rank, over all snapshots, relative to the largest
    density.
    """
    cases = [
        (
            "Prinz, driven, 1-D, 512 cells",
            {"system": {"name": "prinz"}, "drive": [sine("tilt", 4.0, 1.0)], "end": 0.75, "cells": [512]},
            1e-8,
        ),
        ("quadruple well, driven, 2-D, 64 x 64", CERTIFICATES[8] | {"end": 1.0}, 1e-6),
        ("eight wells, driven, 3-D, 24 x 24 x 24", CERTIFICATES[17] | {"end": 0.5}, 1e-6),
    ]
    rows = []
    for label, case, tolerance in cases:
        runs = [runner.run(case, ranks=ranks, tolerance=tolerance) for ranks in (1, 2, 3, 4)]
        largest = max(np.max(d) for d in runs[0].density)
        rows.append(
            (
                label,
                tolerance,
                [
                    max(np.max(abs(a - b)) for a, b in zip(run.density, runs[0].density)) / largest
                    for run in runs[1:]
                ],
            )
        )
    return rows


# of Okabe and Ito, told apart by all kinds of eyes
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = "os^Dvph"


def pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e4e4e4",
            "axes.axisbelow": True,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "savefig.dpi": 130,
        }
    )
    return plt


def slope(axes, x, y, order, text):
    """A grey line that falls with the given order of x, with its name at the end."""
    x = np.array(x, float)
    axes.loglog(x, y * (x / x[0]) ** order, color="#999999", lw=1, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        text,
        (x[-1], y * (x[-1] / x[0]) ** order),
        xytext=(4, 0),
        textcoords="offset points",
        color="#666666",
        fontsize=9,
        va="center",
    )


def figure_space(rows):
    plt = pyplot()
    chosen = [
        ("gradient, 1-D", 0),
        ("gradient, 2-D", 1),
        ("gradient, 3-D", 2),
        ("force without potential, 2-D", 3),
        ("multiplicative noise, 1-D", 8),
        ("underdamped, 2-D", 9),
    ]
    figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    for n, (label, which) in enumerate(chosen):
        row = rows[which]
        order = math.log2(row["errors"][-2] / row["errors"][-1])
        axes.loglog(
            row["cells"],
            row["errors"],
            color=COLOURS[n],
            marker=MARKERS[n],
            ms=6,
            lw=1.5,
            label=f"{label} (order {order:.2f})",
        )
    slope(axes, [60, 300], 0.25, -1, "first order")
    slope(axes, [100, 640], 0.025, -2, "second order")
    axes.set(xlabel="cells per axis", ylabel="L1 error of the density", xlim=(10, 1100), ylim=(6e-5, 0.5))
    ticks = [16, 32, 64, 128, 256, 512]
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.legend(loc="lower left")
    figure.savefig(IMAGES / "verification_space.png")


def figure_time(data):
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.3), layout="constrained")
    for n, (label, _, order) in enumerate(METHODS):
        left.loglog(
            data["steps"],
            data["fixed"][label],
            color=COLOURS[n],
            marker=MARKERS[n],
            ms=5,
            lw=1.5,
            label=label,
        )
        x = np.array(data["steps"][1:4])
        left.loglog(
            x,
            0.4 * data["fixed"][label][3] * (x / x[-1]) ** order,
            color="#999999",
            lw=1,
            ls=(0, (4, 3)),
            zorder=1,
        )
        left.annotate(
            str(order),
            (x[0], 0.4 * data["fixed"][label][3] * (x[0] / x[-1]) ** order),
            xytext=(3, -2),
            textcoords="offset points",
            color="#666666",
            fontsize=9,
            va="center",
        )
    left.set(xlabel="step", ylabel="L1 error in time", title="fixed steps, driven Prinz")
    left.set_xticks(data["steps"], [f"{step:.2g}" for step in data["steps"]])
    left.minorticks_off()
    left.legend(loc="lower right")
    for n, (label, values) in enumerate(data["chosen"].items()):
        right.loglog(
            data["tolerances"],
            values["bound"],
            color=COLOURS[n],
            lw=1.2,
            ls=":",
            label=f"{label}: proven bound",
        )
        right.loglog(
            data["tolerances"],
            values["error"],
            color=COLOURS[n],
            marker=MARKERS[n],
            ms=5,
            lw=1.5,
            label=f"{label}: error",
        )
        right.loglog(
            data["tolerances"],
            values["estimate"],
            color=COLOURS[n],
            marker=MARKERS[n],
            mfc="white",
            ms=7,
            lw=0,
            zorder=1,
            label=f"{label}: estimate",
        )
    right.loglog(data["tolerances"], data["tolerances"], color="#999999", lw=1, ls=(0, (4, 3)), zorder=1)
    right.annotate(
        "tolerance",
        (data["tolerances"][0], data["tolerances"][0]),
        xytext=(4, -3),
        textcoords="offset points",
        color="#666666",
        fontsize=9,
        va="center",
        annotation_clip=False,
    )
    right.set(xlabel="tolerance of a step", ylabel="L1 error in time", title="steps chosen by FARE")
    right.legend(loc="upper left", fontsize=8)
    figure.savefig(IMAGES / "verification_time.png")


def figure_certificates(rows):
    plt = pyplot()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.4, 5.4), layout="constrained", width_ratios=[1, 1.25]
    )
    sorts = [("1-D", COLOURS[0], "o"), ("2-D", COLOURS[1], "s"), ("3-D", COLOURS[2], "^")]
    ends = np.array([2e-5, 1.0])
    left.fill_between(ends, 0.3 * ends, 10 * ends, color="#f0f0f0", zorder=0)
    left.loglog(ends, ends, color="#999999", lw=1)
    for dim, (label, colour, marker) in enumerate(sorts, start=1):
        mine = [row for row in rows if len(row["cells"]) == dim]
        left.loglog(
            [e for row in mine for e in row["error"]],
            [e for row in mine for e in row["estimate"]],
            color=colour,
            marker=marker,
            ms=6,
            lw=0,
            alpha=0.8,
            label=label,
        )
    left.set(
        xlabel="true L1 error",
        ylabel="estimated L1 error",
        xlim=ends,
        ylim=ends,
        title="estimate against error",
    )
    left.legend(loc="upper left")
    right.axvspan(0.3, 10, color="#f0f0f0", zorder=0)
    right.axvline(1, color="#999999", lw=1)
    for n, row in enumerate(reversed(rows)):
        _, colour, marker = sorts[len(row["cells"]) - 1]
        total, time = (
            np.array(row[a]) / np.array(row[b])
            for a, b in (("estimate", "error"), ("loose_estimate", "loose_error"))
        )
        right.plot(
            time, [n - 0.2] * len(time), color=colour, marker=marker, mfc="white", ms=5, lw=1, alpha=0.7
        )
        right.plot(total, [n + 0.12] * len(total), color=colour, marker=marker, ms=6, lw=1.5)
    right.set_xscale("log")
    right.set_yticks(range(len(rows)), [row["name"] for row in reversed(rows)])
    right.grid(False, axis="y")
    ticks = [0.03, 0.1, 0.3, 1, 3, 10]
    right.set_xticks(ticks, [str(tick) for tick in ticks])
    right.minorticks_off()
    right.set(
        xlabel="estimate / true error",
        xlim=(0.025, 13),
        ylim=(-0.7, len(rows) - 0.3),
        title="filled: total; hollow: time alone, tolerance 1e-4",
    )
    figure.savefig(IMAGES / "verification_certificates.png")


def table(head, rows):
    return "\n".join(
        [
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows),
        ]
    )


def span(values, form="{:.1e}"):
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} … {high}"


def ratios(above, below):
    return [a / b for a, b in zip(above, below)]


def tables(closed, scalars, certificates, ranks):
    """Tables by the names of their places in the document."""
    result = {}
    result["closed_forms"] = table(
        ["case", "class", "cells per axis", "L1 error", "order", "estimate on the finest"],
        [
            [
                r["label"],
                r["kind"],
                ", ".join(map(str, r["cells"])),
                ", ".join(f"{e:.1e}" for e in r["errors"]),
                f"{math.log2(r['errors'][-2] / r['errors'][-1]):.2f}",
                f"{r['estimate']:.1e}",
            ]
            for r in closed
        ],
    )
    result["numbers"] = table(
        ["number", "expected", "measured", "how"],
        [
            [what, exact, f"{value:.10f}" if len(exact) > 8 else f"{value:.6f}", how]
            for what, exact, value, how in scalars
        ],
    )
    result["certificates"] = table(
        [
            "system",
            "cells",
            "order",
            "true error",
            "estimate",
            "estimate / true",
            "time alone: estimate / true",
            "proven bound / true",
        ],
        [
            [
                f"`{r['name']}`",
                " x ".join(map(str, r["cells"])),
                span(r["order"], "{:.2f}"),
                span(r["error"]),
                span(r["estimate"]),
                span(ratios(r["estimate"], r["error"]), "{:.2f}"),
                (
                    # explicit steps do not know a tolerance
                    span(ratios(r["loose_estimate"], r["loose_error"]), "{:.2f}")
                    if r["loose_error"][-1]
                    else ""
                ),
                f"{r['bound'] / r['loose_error'][-1]:.0f}" if r["loose_error"][-1] else "",
            ]
            for r in certificates
        ],
    )
    result["ranks"] = table(
        ["study", "tolerance", "2 ranks", "3 ranks", "4 ranks"],
        [
            [label, f"{tolerance:.0e}", *("same bits" if d == 0 else f"{d:.1e}" for d in differences)]
            for label, tolerance, differences in ranks
        ],
    )
    return result


def write(contents, document=DOCUMENT):
    """Puts each content between its marks in a page."""
    text = document.read_text()
    for name, content in contents.items():
        text, count = re.subn(
            rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)",
            lambda m, content=content: m.group(1) + content + "\n" + m.group(2),
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise SystemExit(f"{document}: expected one place for {name}, found {count}")
    document.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", default="build/bin/fare", help="the program to verify")
    command = parser.parse_args().command
    with tempfile.TemporaryDirectory(prefix="fare-verification-") as name:
        place = pathlib.Path(name)

        def apart(job, *arguments):
            """A job in a directory of its own, so that two can run at once."""
            return job(Runner(command, tempfile.mkdtemp(dir=place)), *arguments)

        with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count())) as pool:
            jobs = [pool.submit(apart, certificate, case) for case in CERTIFICATES]
            more = [pool.submit(apart, closed_form, entry) for entry in CLOSED]
            others = [pool.submit(apart, job) for job in (numbers, time_orders, rank_counts)]
            certificates, closed = [job.result() for job in jobs], [job.result() for job in more]
            scalars, times, ranks = (job.result() for job in others)
    IMAGES.mkdir(exist_ok=True)
    figure_space(closed)
    figure_time(times)
    figure_certificates(certificates)
    write(tables(closed, scalars, certificates, ranks))


if __name__ == "__main__":
    main()
