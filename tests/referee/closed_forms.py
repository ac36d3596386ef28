# SPDX-License-Identifier: BSD-2-Clause
"""What the references themselves are worth: densities that are known in closed form."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import planes
import reference
from reference import Array, Density, Parameters, Problem

Known = tuple[Problem, Array, list[Array]]  # what to solve, edges of cells, their masses at the times
ENOUGH = 1e-8  # L1


def normal(edges: Array, mean: float, sd: float, images: Iterable[float] = (0.0,)) -> Array:
    """Masses of cells."""
    erf = np.vectorize(math.erf)
    masses: Array = np.sum(
        [np.diff(0.5 * erf((edges - mean - i) / (sd * math.sqrt(2)))) for i in images], axis=0
    )
    return masses


def integrate(
    slope: Callable[[float, Array], Array], y: Array, t0: float, t1: float, steps: int = 4000
) -> Array:
    h = (t1 - t0) / steps
    for i in range(steps):
        t = t0 + i * h
        a = slope(t, y)
        b = slope(t + h / 2, y + h / 2 * a)
        c = slope(t + h / 2, y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + slope(t + h, y + h * c))
    return y


def dragged_trap() -> Known:
    """A trap whose centre swings and whose stiffness jumps."""

    def theta(t: float) -> Parameters:
        return {"k": 1.0 if t < 0.3 else 4.0, "c": math.sin(9 * t), "kT": 0.5, "mobility": 1.0}

    edges, y = np.linspace(-5, 5, 41), np.array([0.4, 0.04])
    exact: list[Array] = []
    for a, b in ((0, 0.3), (0.3, 0.8)):
        k = theta((a + b) / 2)["k"]

        def slope(t: float, y: Array, k: float = k) -> Array:
            return np.array([-k * (y[0] - math.sin(9 * t)), 1.0 - 2 * k * y[1]])

        y = integrate(slope, y, a, b)
        exact.append(normal(edges, y[0], math.sqrt(y[1])))
    problem = Problem(
        -5,
        5,
        "rr",
        [],
        theta,
        [0.3],
        0.1,
        [0, 0.3, 0.8],
        lambda x: np.exp(-0.5 * ((x - 0.4) / 0.2) ** 2),
        potential=lambda x, p: 0.5 * p["k"] * (x - p["c"]) ** 2,
        narrow=[(0.4, 0.2)],
    )
    return problem, edges, exact


def absorbing_ends() -> Known:
    """Brownian motion from an even density: a series of sines."""
    D, times, edges = 0.7, [0, 0.02, 0.3], np.linspace(0, 1, 31)
    k = np.pi * (2 * np.arange(400) + 1)
    exact = [
        (4 / k**2 * np.exp(-D * k**2 * t)) @ -np.diff(np.cos(np.outer(k, edges)), axis=1)
        for t in times[1:]
    ]
    problem = Problem(
        0,
        1,
        "aa",
        [s for j in range(2, 14) for s in (0.25**j, 1 - 0.25**j)],
        lambda t: {},
        [],
        0.3,
        times,
        lambda x: 0 * x + 1,
        drift=lambda x, p: 0 * x,
        diffusion=lambda x, p: 0 * x + D,
    )
    return problem, edges, exact


def drifting_ring() -> Known:
    """A wrapped Gaussian that drifts round."""
    D, f, t, edges = 0.05, 3.0, 0.9, np.linspace(0, 1, 25)
    exact = [normal(edges, 0.3 + f * t, math.sqrt(0.05**2 + 2 * D * t), np.arange(-8.0, 4.0))]
    start = sum_of_images(0.3, 0.05)
    problem = Problem(
        0,
        1,
        "ring",
        [],
        lambda t: {},
        [],
        t,
        [0, t],
        start,
        drift=lambda x, p: f + 0 * x,
        diffusion=lambda x, p: D + 0 * x,
        narrow=[(0.3, 0.05)],
    )
    return problem, edges, exact


def sum_of_images(mean: float, sd: float) -> Density:
    return lambda x: sum(np.exp(-0.5 * ((x - mean - k) / sd) ** 2) for k in range(-2, 3))


def kinked_diffusion() -> Known:
    """Without current round a ring D p is constant, kinks or not: from there nothing moves."""
    edges = np.linspace(-1, 1, 33)
    x, w = reference.legendre.leggauss(20)

    def density(x: Any) -> Any:
        return 1 / (1 + np.abs(x))

    half = np.diff(edges) / 2
    masses = (density((edges[1:] + edges[:-1])[:, None] / 2 + half[:, None] * x) * w).sum(axis=1) * half
    problem = Problem(
        -1,
        1,
        "ring",
        [0.0],
        lambda t: {},
        [],
        2.0,
        [0, 2.0],
        density,
        drift=lambda x, p: 0 * x,
        diffusion=lambda x, p: 1 + np.abs(x),
    )
    return problem, edges, [masses / masses.sum()]


def swirl() -> tuple[planes.Plane, list[Array], list[Array]]:
    """On two axes a round Gaussian that a trap with a swirl carries along a spiral."""
    shape = next(s for s in planes.SHAPES if s.name == "rotational_ou")
    k, w, D, sd, t = 1.5, 2.0, 0.6, 0.6, 0.5
    theta = {"kT": D, "mobility": 1.0, "stiffness": k, "rotation": w, "tilt": 0.0, "tilt_y": 0.0}
    edges = [np.linspace(-8, 8, 33), np.linspace(-8, 8, 41)]
    spread, at = math.sqrt(D / k + (sd**2 - D / k) * math.exp(-2 * k * t)), 1.2 * math.exp(-k * t)
    exact = np.outer(
        normal(edges[1], at * math.sin(w * t), spread), normal(edges[0], at * math.cos(w * t), spread)
    ).ravel()
    problem = planes.Plane(
        shape,
        shape.lower,
        shape.upper,
        lambda t: theta,
        [],
        t,
        [0, t],
        lambda x, y: np.exp(-0.5 * ((x - 1.2) ** 2 + y**2) / sd**2),
    )
    return problem, edges, [exact]


def check() -> bool:
    """Prints the errors; true where all are small and known to be."""
    good = True
    for make, solve in (
        (dragged_trap, reference),
        (absorbing_ends, reference),
        (drifting_ring, reference),
        (kinked_diffusion, reference),
        (swirl, planes),
    ):
        problem, edges, exact = make()
        masses, own = solve.reference(problem, edges)
        errors = [np.abs(m - e).sum() for m, e in zip(masses[1:], exact)]
        good &= max(errors) < ENOUGH
        print(f"{make.__name__}: L1 error {max(errors):.1e}, two resolutions apart by {own[1:].max():.1e}")
    return good
