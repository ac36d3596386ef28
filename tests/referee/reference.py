# SPDX-License-Identifier: BSD-2-Clause
"""
The density of a diffusion on an interval or a ring, by means that share nothing with FARE: spectral elements
in space (Legendre polynomials on elements that end at every kink and are halved where the density could be
steep), Radau IIA collocation in time, intervals that end at every corner of the drive. Solved by static
condensation, elements in pairs.

The equation is dp/dt = -(f p)' + (D p)'', in the sense of Ito, with f(x, t) and D(x, t) given at nodes.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Parameters = dict[str, float]
Formula = Callable[[Any, Parameters], Any]  # of places and parameters
Density = Callable[[Any], Any]  # of places
legendre: Any = np.polynomial.legendre
STAGES = 4  # of Radau IIA: order 7
ELEMENTS_MOST = 500
STEPS_MOST = 4000


class NotConverged(Exception):
    """The reference could not be had."""


def lobatto(n: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss, Legendre and Lobatto, n + 1 of them."""
    inner = np.sort(legendre.legroots(legendre.legder([0] * n + [1])).real)
    x = np.concatenate([[-1.0], inner, [1.0]])
    w = 2 / (n * (n + 1) * legendre.legval(x, [0] * n + [1]) ** 2)
    return x, w


def derivative(x: Array) -> Array:
    """Matrix of the derivative at nodes of the polynomial through its values there."""
    c = np.array([np.prod(x[i] - np.delete(x, i)) for i in range(len(x))])
    m: Array = (c[:, None] / c[None, :]) / (x[:, None] - x[None, :] + np.eye(len(x)))
    np.fill_diagonal(m, 0)
    np.fill_diagonal(m, -m.sum(axis=1))
    return m


def radau(s: int) -> tuple[Array, Array]:
    """Nodes of Radau on the right, and the matrix of collocation."""
    c = (np.sort(legendre.legroots([0] * (s - 1) + [-1, 1]).real) + 1) / 2
    powers = np.vander(c, s, increasing=True)
    return c, (powers * c[:, None] / np.arange(1, s + 1)) @ np.linalg.inv(powers)


@dataclasses.dataclass
class Problem:
    """drift(x, theta) and diffusion(x, theta), or potential(x, theta) and extra with mobility and kT;
    theta(t) a dict. ends: 'ring' or two letters of 'r' and 'a'.
    """

    lower: float
    upper: float
    ends: str
    kinks: list[float]  # where a derivative of a formula jumps
    parameters: Callable[[float], Parameters]
    breaks: list[float]  # times where a drive has a corner or a jump
    longest: float  # step that sees all turns of the drive
    times: list[float]  # of the snapshots; the first is the start
    start: Density  # at the start, not normalised
    potential: Formula | None = None
    extra: Formula | None = None  # force beside it
    drift: Formula | None = None
    diffusion: Formula | None = None
    narrow: list[tuple[float, float]] = dataclasses.field(
        default_factory=list
    )  # (place, width) that elements must resolve
    exact: Callable[[Array], tuple[Array, Array]] | None = (
        None  # what `reference` returns, where that is known in closed form
    )


class Mesh:
    """Elements of degree n."""

    def __init__(self, edges: Array, degree: int, problem: Problem) -> None:
        self.degree, self.problem, self.edges = degree, problem, edges
        self.xi, self.w = lobatto(degree)
        self.d = derivative(self.xi)
        self.half = np.diff(edges) / 2
        self.x = (edges[:-1] + edges[1:])[:, None] / 2 + self.half[:, None] * self.xi
        # a jump at an end of an element has the value of the side that is inside
        self.inside = (edges[:-1] + edges[1:])[:, None] / 2 + self.half[:, None] * self.xi * (1 - 1e-13)
        self.mass = self.half[:, None] * self.w

    def coefficients(self, t: float) -> tuple[Array, Array]:
        return coefficients(self.problem, self.inside, self.half, self.d, t)

    def rates(self, t: float) -> Array:
        """R of M dp/dt = R p, element by element."""
        f, D = self.coefficients(t)
        flux = -self.d * (D / self.half[:, None])[:, None, :]
        k = np.arange(self.degree + 1)
        flux[:, k, k] += f
        rates: Array = (self.d.T * self.w) @ flux
        return rates


def coefficients(problem: Problem, x: Array, half: Array, d: Array, t: float) -> tuple[Array, Array]:
    theta = problem.parameters(t)
    if problem.drift is not None and problem.diffusion is not None:
        f, D = problem.drift(x, theta) + 0 * x, problem.diffusion(x, theta) + 0 * x
    else:
        f = 0 * x
        if problem.potential is not None:
            f = -((problem.potential(x, theta) + 0 * x) @ d.T) / half[:, None]
        if problem.extra is not None:
            f = f + problem.extra(x, theta)
        f, D = theta["mobility"] * f, theta["mobility"] * theta["kT"] + 0 * x
    if not (np.all(np.isfinite(f)) and np.all(np.isfinite(D)) and np.all(D >= 0)):
        raise NotConverged("coefficients are not finite")
    return f, D


def make_mesh(problem: Problem, degree: int, steepness: float, first: int = 8) -> Array:
    """Edges, by halving: what drift does to a density over an element is at most exp(steepness), and the
    start is resolved.
    """
    ends = np.unique(
        np.concatenate(
            [[problem.lower, problem.upper], [k for k in problem.kinks if problem.lower < k < problem.upper]]
        )
    )
    edges: Array = np.unique(
        np.concatenate(
            [
                np.linspace(a, b, 1 + max(1, round(first * (b - a) / (problem.upper - problem.lower))))
                for a, b in zip(ends[:-1], ends[1:])
            ]
        )
    )
    span = problem.times[0], problem.times[-1]
    times = np.unique(
        np.concatenate([np.linspace(*span, 9), [t for t in problem.breaks if span[0] <= t <= span[1]][:40]])
    )
    xi, _ = lobatto(degree)
    d = derivative(xi)
    modes = np.linalg.inv(legendre.legvander(xi, degree))
    for _ in range(40):
        half = np.diff(edges) / 2
        centre = (edges[1:] + edges[:-1]) / 2
        x = centre[:, None] + half[:, None] * xi * (1 - 1e-13)
        steep = np.zeros(len(half))
        for t in times:
            f, D = coefficients(problem, x, half, d, t)
            Dp = (D @ d.T) / half[:, None]
            highest, lowest = D.max(axis=1), D.min(axis=1)
            now = 2 * half * np.max(np.abs(f - Dp) / np.maximum(D, 0.2 * highest[:, None] + 1e-300), axis=1)
            now = np.maximum(now, steepness * np.log(highest / np.maximum(lowest, 1e-300)) / np.log(30.0))
            # where D vanishes at an end, elements are graded towards it (kinks), and powers of the distance
            # are what is to be resolved
            steep = np.maximum(
                steep,
                np.where((lowest < 1e-6 * highest) & (half < 1e-3 * (problem.upper - problem.lower)), 0, now),
            )
        p = problem.start(x)
        tail = np.abs(p @ modes.T)[:, -2:].max(axis=1)
        rough = tail > 1e-9 * max(np.max(np.abs(p)), 1e-300)
        for place, width in problem.narrow:
            near = np.abs(centre - place) < half + 6 * width
            rough |= near & (half > 3 * width)
        halve = (steep > steepness) | (rough & (half > 1e-7 * (problem.upper - problem.lower)))
        if not halve.any():
            return edges
        if len(edges) + halve.sum() > ELEMENTS_MOST:
            raise NotConverged("too many elements")
        edges = np.sort(np.concatenate([edges, centre[halve]]))
    raise NotConverged("elements do not end")


def trim(problem: Problem, drop: float = 42.0, points: int = 4001) -> tuple[float, float]:
    """
    The ends of the part of the interval that matters: where drift has pushed inward all the way from a closed
    end, at all times, the density falls outward as exp(-integral of f/D), and beyond a drop of e^-42 there is
    nothing.
    """
    lower, upper = problem.lower, problem.upper
    if problem.ends == "ring":
        return lower, upper
    x = np.linspace(lower, upper, points)[None, :]
    middle = (x[0, 1:] + x[0, :-1]) / 2
    times = np.unique(np.concatenate([np.linspace(problem.times[0], problem.times[-1], 33), problem.breaks]))
    push = np.empty((len(times), points - 1))
    width = x[0, 1] - x[0, 0]
    for i, t in enumerate(times):
        theta = problem.parameters(t)
        if problem.drift is not None and problem.diffusion is not None:
            D = problem.diffusion(x, theta)[0] + 0 * x[0]
            if D.min() <= 0:
                return lower, upper
            push[i] = problem.drift(middle[None], theta)[0] / problem.diffusion(middle[None], theta)[
                0
            ] * width - np.diff(np.log(D))
        else:
            V = problem.potential(x, theta)[0] if problem.potential is not None else 0 * x[0]
            F = problem.extra(middle[None], theta)[0] if problem.extra is not None else 0
            push[i] = (-np.diff(V) + F * width) / theta["kT"]
    p = problem.start(x)[0] + 0 * x[0]
    mattering = p > 1e-18 * p.max()
    if not np.all(np.isfinite(push)) or not mattering.any():
        return lower, upper
    if problem.ends[0] == "r":
        inward = np.logical_and.accumulate((push > 0).all(axis=0) & ~mattering[1:])
        last = np.count_nonzero(inward)
        rise = np.cumsum(push[:, :last][:, ::-1], axis=1).min(axis=0) if last else np.zeros(0)
        enough = np.nonzero(rise > drop)[0]
        if len(enough):
            lower = x[0, last - 1 - enough[0]]
    if problem.ends[1] == "r":
        inward = np.logical_and.accumulate(((push < 0).all(axis=0) & ~mattering[:-1])[::-1])
        last = np.count_nonzero(inward)
        rise = np.cumsum(-push[:, points - 1 - last :], axis=1).min(axis=0) if last else np.zeros(0)
        enough = np.nonzero(rise > drop)[0]
        if len(enough):
            upper = x[0, points - 1 - last + enough[0] + 1]
    return lower, upper


def solve_ends(S: Array, r: Array, ends: str) -> Array:
    """What is left when all elements are one: unknowns at its two ends."""
    s = len(r) // 2
    if ends == "ring":
        one = np.linalg.solve(S[:s, :s] + S[:s, s:] + S[s:, :s] + S[s:, s:], r[:s] + r[s:])
        return np.concatenate([one, one])
    free = np.concatenate(
        [np.arange(s) if ends[0] == "r" else [], np.arange(s, 2 * s) if ends[1] == "r" else []]
    ).astype(int)
    u = np.zeros(2 * s)
    if len(free):
        u[free] = np.linalg.solve(S[free[:, None], free], r[free])
    return u


def solve_elements(K: Array, rhs: Array, s: int, ends: str) -> Array:
    """K y = rhs, both element by element and to be added up where elements meet: condensed to the ends of
    elements, which are then joined in pairs until one is left.
    """
    n = K.shape[1] // s
    last = s * (n - 1)
    # of K: the interior, then from and to the ends; the last column is the right-hand side, here and below
    to_ends = np.concatenate([K[:, s:last, :s], K[:, s:last, last:], rhs[:, s:last, None]], axis=2)
    from_ends = np.concatenate([K[:, :s, s:last], K[:, last:, s:last]], axis=1)
    G = np.linalg.solve(K[:, s:last, s:last], to_ends)
    S = -from_ends @ G
    S[:, :s, :s] += K[:, :s, :s]
    S[:, :s, s:-1] += K[:, :s, last:]
    S[:, s:, :s] += K[:, last:, :s]
    S[:, s:, s:-1] += K[:, last:, last:]
    S[:, :s, -1] += rhs[:, :s]
    S[:, s:, -1] += rhs[:, last:]
    levels = []
    while S.shape[0] > 1:
        pairs = S.shape[0] // 2
        a, b, rest = S[0 : 2 * pairs : 2], S[1 : 2 * pairs : 2], S[2 * pairs :]
        right = np.concatenate([a[:, s:, :s], b[:, :s, s : 2 * s], a[:, s:, -1:] + b[:, :s, -1:]], axis=2)
        g = np.linalg.solve(a[:, s:, s : 2 * s] + b[:, :s, :s], right)
        merged = -np.concatenate([a[:, :s, s : 2 * s], b[:, s:, :s]], axis=1) @ g
        merged[:, :s, :s] += a[:, :s, :s]
        merged[:, s:, s : 2 * s] += b[:, s:, s : 2 * s]
        merged[:, :s, -1] += a[:, :s, -1]
        merged[:, s:, -1] += b[:, s:, -1]
        levels.append(g)
        S = np.concatenate([merged, rest])
    u = solve_ends(S[0, :, :-1], S[0, :, -1], ends)[None]
    for g in reversed(levels):
        pairs = g.shape[0]
        here, rest = u[:pairs], u[pairs:]
        middle = g[:, :, -1] - (g[:, :, :-1] @ here[:, :, None])[:, :, 0]
        both = np.stack(
            [np.concatenate([here[:, :s], middle], axis=1), np.concatenate([middle, here[:, s:]], axis=1)],
            axis=1,
        )
        u = np.concatenate([both.reshape(2 * pairs, 2 * s), rest])
    return np.concatenate([u[:, :s], G[:, :, -1] - (G[:, :, :-1] @ u[:, :, None])[:, :, 0], u[:, s:]], axis=1)


class Solver:
    def __init__(
        self, problem: Problem, degree: int, steepness: float, tolerance: float, first: int = 8
    ) -> None:
        lower, upper = trim(problem)
        problem = dataclasses.replace(problem, lower=lower, upper=upper)
        self.problem, self.tolerance = problem, tolerance
        self.mesh = Mesh(make_mesh(problem, degree, steepness, first), degree, problem)
        self.c, A = radau(STAGES)
        self.inverse = np.linalg.inv(A)
        points = np.concatenate([[0.0], self.c])
        vander = legendre.legvander(2 * points - 1, STAGES)
        self.last_mode = np.linalg.inv(vander)[-1]
        self.steps = 0
        p = problem.start(self.mesh.x) + 0 * self.mesh.x
        if problem.ends[0] == "a":
            p[0, 0] = 0
        if problem.ends[1] == "a" and problem.ends != "ring":
            p[-1, -1] = 0
        total = (self.mesh.mass * p).sum()
        if not total > 0:
            raise NotConverged("the start has no mass")
        self.p = p / total

    def _step(self, t: float, h: float, low: float, high: float) -> tuple[Array, float]:
        mesh, s = self.mesh, STAGES
        e, n = mesh.x.shape
        # (A^-1 x M - h R) Y = A^-1 1 x M p, Y the stages
        K = np.zeros((e, n, s, n, s))
        for i in range(s):
            K[:, :, i, :, i] = -h * mesh.rates(min(max(t + self.c[i] * h, low), high))
        k = np.arange(n)
        K[:, k, :, k, :] += mesh.mass.T[:, :, None, None] * self.inverse[None, None]
        K = K.reshape(e, n * s, n * s)
        rhs = ((mesh.mass * self.p)[:, :, None] * self.inverse.sum(axis=1)).reshape(e, n * s)
        y = solve_elements(K, rhs, s, self.problem.ends).reshape(e, n, s)
        both = np.concatenate([self.p[:, :, None], y], axis=2)
        return y[:, :, -1], (mesh.mass * np.abs(both @ self.last_mode)).sum()

    def advance(self, t0: float, t1: float, h: float) -> float:
        """Over an interval without corners."""
        tiny = 1e-12 * (t1 - t0)
        low, high = t0 + tiny, t1 - tiny
        t, h = t0, min(h, self.problem.longest, t1 - t0)
        while t1 - t > 1e-12 * max(abs(t1), t1 - t0):
            h = min(h, t1 - t, self.problem.longest)
            if t1 - t < 1.5 * h:
                h = t1 - t if t1 - t <= h else (t1 - t) / 2
            p, error = self._step(t, h, low, high)
            self.steps += 1
            if self.steps > STEPS_MOST or not np.isfinite(error):
                raise NotConverged("too many steps")
            if error <= self.tolerance:
                t, self.p = t + h, p
            h *= min(4, max(0.15, 0.8 * (self.tolerance / max(error, 1e-300)) ** (1 / (STAGES + 1))))
        return h

    def masses(self, edges: Array) -> Array:
        """Of cells with these edges, exactly for the polynomials."""
        mesh, n = self.mesh, self.mesh.degree
        modes = self.p @ np.linalg.inv(legendre.legvander(mesh.xi, n)).T
        whole = np.concatenate([[0], np.cumsum(2 * modes[:, 0] * mesh.half)])
        e = np.clip(np.searchsorted(mesh.edges, edges, side="right") - 1, 0, len(mesh.half) - 1)
        xi = np.clip((edges - mesh.edges[e]) / mesh.half[e] - 1, -1, 1)
        v = legendre.legvander(xi, n + 1)
        k = np.arange(1, n + 1)
        integral = np.concatenate([(xi + 1)[:, None], (v[:, 2:] - v[:, :-2]) / (2 * k + 1)], axis=1)
        return np.diff(whole[e] + mesh.half[e] * (integral * modes[e]).sum(axis=1))


def run(
    problem: Problem,
    edges: Array,
    degree: int = 8,
    steepness: float = 4.0,
    tolerance: float = 1e-06,
    first: int = 8,
) -> tuple[Array, Solver]:
    """Cell masses at every snapshot after the first, and at the first: [snapshot][cell]."""
    solver = Solver(problem, degree, steepness, tolerance, first)
    out = [solver.masses(edges)]
    h = (problem.times[-1] - problem.times[0]) * 1e-4
    for a, b in zip(problem.times[:-1], problem.times[1:]):
        inside = [t for t in problem.breaks if a + 1e-11 * (b - a) < t < b - 1e-11 * (b - a)]
        marks = [a, *sorted(inside), b]
        for u, v in zip(marks[:-1], marks[1:]):
            if v - u > 1e-13 * max(abs(v), 1e-300):
                h = solver.advance(u, v, h)
                if problem.breaks:
                    h = min(h, (problem.times[-1] - problem.times[0]) * 0.01)
        out.append(solver.masses(edges))
    return np.array(out), solver


def reference(problem: Problem, edges: Array) -> tuple[Array, Array]:
    """Masses, and the L1 error that they have at each snapshot at most, by another resolution in space and
    time.
    """
    if problem.exact:
        return problem.exact(edges)
    fine, _ = run(problem, edges)
    rough, _ = run(problem, edges, degree=6, steepness=3.0, tolerance=6e-6, first=11)
    return fine, np.abs(fine - rough).sum(axis=1)
