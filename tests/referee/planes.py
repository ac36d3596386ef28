# SPDX-License-Identifier: BSD-2-Clause
"""
Random studies of two axes, underdamped ones among them, and their reference: Fourier series along both axes
of a box that is a ring or at whose ends there is next to nothing, Runge and Kutta's classical method with
steps well below its limit of stability. Gradients are taken by complex steps.
"""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import studies
from reference import Array, NotConverged, Parameters
from studies import Drive, Study, log_uniform, number, signed

Field = Callable[[Any, Any], Any]  # of x and y
WALL = 1e-6  # mass that may lie at an end that is none of a ring; ten times as much counts as error


def formula(text: str) -> Callable[[Any, Any, Parameters], Any]:
    code = compile(text.replace("^", "**"), text, "eval")
    names: dict[str, Any] = {**studies.FUNCTIONS, "__builtins__": {}}
    return lambda x, y, theta: eval(code, names, {**theta, "x": x, "y": y, "v": y}) + 0 * x * y


@dataclasses.dataclass
class Shape:
    name: str
    draw: Callable[[np.random.Generator], Parameters]
    lower: tuple[float, float]
    upper: tuple[float, float]
    ring: tuple[bool, bool] = (False, False)
    builtin: str = ""
    axes: tuple[str, str] = ("x", "y")
    potential: str = ""
    extra: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    diffusion: tuple[str, ...] = ()
    driven: tuple[str, ...] = ()
    boltzmann: bool = True
    points: tuple[int, int] = (96, 96)  # of the reference


def warm(rng: np.random.Generator, low: float, high: float, **more: float) -> Parameters:
    return {"kT": log_uniform(rng, low, high), "mobility": log_uniform(rng, 0.3, 3), **more}


def kramers(wells: str) -> dict[str, Any]:
    slope = {
        "(x^2 - 1)^2": "4*x*(x^2 - 1)",
        "(x^8 + 0.8*exp(-80*x^2) + 0.2*exp(-80*(x - 0.5)^2) + 0.5*exp(-40*(x + 0.5)^2))": (
            "(8*x^7 - 128*x*exp(-80*x^2) - 32*(x - 0.5)*exp(-80*(x - 0.5)^2) - 40*(x + 0.5)*exp(-40*(x +"
            " 0.5)^2))"
        ),
    }[wells]
    return {
        "potential": f"0.5*mass*v^2 + height*{wells} - tilt*x",
        "drift": ("v", f"(tilt - height*{slope})/mass - friction*v"),
        "diffusion": ("0", "friction*kT/mass"),
    }


PI2 = (math.pi, math.pi)
SHAPES = [
    Shape(
        "torus",
        lambda r: warm(
            r,
            0.2,
            5,
            a=signed(r, 0.1, 1.5),
            b=signed(r, 0.1, 1.5),
            c=signed(r, 0.1, 1),
            f=r.uniform(-2, 2),
            g=r.uniform(-1, 1),
        ),
        (-math.pi, -math.pi),
        PI2,
        (True, True),
        potential="a*cos(x) + b*cos(y) + c*cos(x - y)",
        extra=("f", "g*sin(x)"),
        driven=("kT", "mobility", "a", "b", "c", "f", "g"),
    ),
    Shape(
        "torus_drift",
        lambda r: {
            "f": r.uniform(-2, 2),
            "c": r.uniform(-1, 1),
            "g": r.uniform(-2, 2),
            "d": r.uniform(-1, 1),
            "D0": log_uniform(r, 0.1, 3),
            "D1": log_uniform(r, 0.1, 3),
            "s": r.uniform(-0.7, 0.7),
        },
        (-math.pi, -math.pi),
        PI2,
        (True, True),
        drift=("f + c*sin(y)", "g + d*cos(x)"),
        diffusion=("D0*(1 + s*cos(x - y))", "D1*(1 + s*sin(x))"),
        driven=("f", "c", "g", "d", "D0", "D1", "s"),
        boltzmann=False,
    ),
    Shape(
        "wells",
        lambda r: warm(
            r,
            0.15,
            1,
            a=log_uniform(r, 0.7, 3),
            k=log_uniform(r, 1.5, 5),
            c=r.uniform(-0.7, 0.7),
            tilt=r.uniform(-0.5, 0.5),
            swirl=r.uniform(-1, 1),
        ),
        (-2.8, -4),
        (2.8, 4),
        potential="a*(x^2 - 1)^2 + 0.5*k*(y - c*x)^2 - tilt*x",
        extra=("-swirl*y", "swirl*x"),
        driven=("kT", "mobility", "a", "k", "c", "tilt", "swirl"),
    ),
    Shape(
        "tube",
        lambda r: warm(r, 0.15, 1, a=log_uniform(r, 0.3, 2), k=log_uniform(r, 2, 6), f=r.uniform(-2, 2)),
        (-math.pi, -3.5),
        (math.pi, 3.5),
        (True, False),
        potential="-a*cos(x) + 0.5*k*(y - 0.5*sin(x))^2",
        extra=("f", "0"),
        driven=("kT", "mobility", "a", "k", "f"),
    ),
    Shape(
        "rotational_ou",
        lambda r: warm(
            r,
            0.3,
            1.5,
            stiffness=log_uniform(r, 0.8, 3),
            rotation=r.uniform(-3, 3),
            tilt=r.uniform(-1, 1),
            tilt_y=r.uniform(-1, 1),
        ),
        (-8, -8),
        (8, 8),
        builtin="rotational_ou",
        potential="0.5*stiffness*(x^2 + y^2) - tilt*x - tilt_y*y",
        extra=("-rotation*y", "rotation*x"),
        driven=("kT", "mobility", "stiffness", "rotation", "tilt", "tilt_y"),
    ),
    Shape(
        "maier_stein",
        lambda r: {
            "alpha": log_uniform(r, 0.5, 5),
            "mu": log_uniform(r, 0.5, 3),
            "diffusion": log_uniform(r, 0.02, 0.12),
            "tilt": r.uniform(-0.2, 0.2),
            "tilt_y": r.uniform(-0.2, 0.2),
        },
        (-2.4, -2.4),
        (2.4, 2.4),
        builtin="maier_stein",
        drift=("x - x^3 - alpha*x*y^2 + tilt", "-mu*(1 + x^2)*y + tilt_y"),
        diffusion=("diffusion", "diffusion"),
        driven=("alpha", "mu", "tilt", "tilt_y", "diffusion"),
        boltzmann=False,
    ),
    Shape(
        "kramers_double_well",
        lambda r: {
            "kT": log_uniform(r, 0.3, 1.2),
            "mass": log_uniform(r, 0.7, 2),
            "friction": log_uniform(r, 0.3, 5),
            "height": log_uniform(r, 0.5, 3),
            "tilt": r.uniform(-0.5, 0.5),
        },
        (-2.6, -8),
        (2.6, 8),
        builtin="kramers_double_well",
        axes=("x", "v"),
        driven=("kT", "friction", "height", "tilt"),
        **kramers("(x^2 - 1)^2"),
    ),
    Shape(
        "kramers_prinz",
        lambda r: {
            "kT": log_uniform(r, 0.4, 1.2),
            "mass": log_uniform(r, 0.7, 2),
            "friction": log_uniform(r, 0.3, 5),
            "height": log_uniform(r, 1, 4),
            "tilt": r.uniform(-0.5, 0.5),
        },
        (-1.8, -8),
        (1.8, 8),
        builtin="kramers_prinz",
        axes=("x", "v"),
        driven=("kT", "friction", "height", "tilt"),
        points=(128, 112),
        **kramers("(x^8 + 0.8*exp(-80*x^2) + 0.2*exp(-80*(x - 0.5)^2) + 0.5*exp(-40*(x + 0.5)^2))"),
    ),
    Shape(
        "swing_equation",
        lambda r: {
            "power": r.uniform(-0.8, 0.8),
            "coupling": log_uniform(r, 0.3, 1.5),
            "inertia": log_uniform(r, 0.7, 2),
            "damping": log_uniform(r, 0.2, 1.5),
            "diffusion": log_uniform(r, 0.03, 0.3),
        },
        (-math.pi, -6),
        (math.pi, 7),
        (True, False),
        builtin="swing_equation",
        axes=("angle", "speed"),
        drift=("y", "(power - coupling*sin(x) - damping*y)/inertia"),
        diffusion=("0", "diffusion"),
        driven=("power", "coupling", "damping", "diffusion"),
        boltzmann=False,
    ),
]


@dataclasses.dataclass
class Plane:
    """The problem for the reference."""

    shape: Shape
    lower: tuple[float, float]
    upper: tuple[float, float]
    parameters: Callable[[float], Parameters]
    breaks: list[float]
    longest: float
    times: list[float]
    start: Field  # density, not normalised

    def __post_init__(self) -> None:
        self.potential = formula(self.shape.potential) if self.shape.potential else None
        self.extra, self.drift, self.diffusion = (
            [formula(t) for t in texts]
            for texts in (self.shape.extra, self.shape.drift, self.shape.diffusion)
        )

    def coefficients(self, x: Array, y: Array, t: float) -> tuple[list[Array], list[Array]]:
        """Drift and diffusion along both axes."""
        theta = self.parameters(t)
        if self.drift:
            return [f(x, y, theta) for f in self.drift], [D(x, y, theta) for D in self.diffusion]
        assert self.potential
        step = 1e-30j
        f = [
            -self.potential(x + step, y, theta).imag / 1e-30,
            -self.potential(x, y + step, theta).imag / 1e-30,
        ]
        for k, extra in enumerate(self.extra):
            f[k] = f[k] + extra(x, y, theta)
        return [theta["mobility"] * g for g in f], [theta["mobility"] * theta["kT"] + 0 * x * y] * 2


class Fourier:
    def __init__(self, problem: Plane, points: tuple[int, int]) -> None:
        self.problem, self.n = problem, points
        self.length = [b - a for a, b in zip(problem.lower, problem.upper)]
        axis = [a + l * np.arange(n) / n for a, l, n in zip(problem.lower, self.length, points)]
        self.x, self.y = axis[0][None, :], axis[1][:, None]
        kx, ky = (2j * math.pi * np.fft.fftfreq(n, l / n) for n, l in zip(points, self.length))
        kx[points[0] // 2] = ky[points[1] // 2] = 0
        self.kx, self.ky = kx[None, : points[0] // 2 + 1], ky[:, None]
        self.p = problem.start(self.x, self.y) + 0 * self.x * self.y
        self.p = self.p / self.p.sum()
        self.at: tuple[float, tuple[list[Array], list[Array]]] | None = None
        self.steps, self.wall = 0, 0.0

    def rates(self, t: float) -> tuple[list[Array], list[Array]]:
        if self.at is None or self.at[0] != t:
            self.at = (t, self.problem.coefficients(self.x, self.y, t))
        return self.at[1]

    def slope(self, t: float, p: Array) -> Array:
        (fx, fy), (Dx, Dy) = self.rates(t)
        hat = np.fft.rfft2(np.stack([fx * p, fy * p, Dx * p, Dy * p]))
        return np.fft.irfft2(
            self.kx * (self.kx * hat[2] - hat[0]) + self.ky * (self.ky * hat[3] - hat[1]), s=p.shape
        )

    def advance(self, t0: float, t1: float) -> None:
        step = 0.0
        for t in np.linspace(t0, t1, 5):
            f, D = self.problem.coefficients(
                self.x, self.y, min(max(t, t0 + 1e-12 * (t1 - t0)), t1 - 1e-12 * (t1 - t0))
            )
            k = [math.pi * n / l for n, l in zip(self.n, self.length)]
            step = max(
                step,
                sum(
                    np.max(np.abs(D[i])) * k[i] ** 2 / 2.2 + np.max(np.abs(f[i])) * k[i] / 2.2
                    for i in range(2)
                ),
            )
        steps = max(4, math.ceil((t1 - t0) * step), math.ceil((t1 - t0) / (self.problem.longest / 8)))
        self.steps += steps
        if self.steps > 40000:
            raise NotConverged("too many steps")
        h = (t1 - t0) / steps
        for i in range(steps):
            a, b = t0 + i * h, t0 + (i + 1) * h
            if i == 0:
                a += 1e-12 * h  # the side of a jump that is inside
            if i == steps - 1:
                b -= 1e-12 * h
            m = t0 + (i + 0.5) * h
            k1 = self.slope(a, self.p)
            k2 = self.slope(m, self.p + 0.5 * h * k1)
            k3 = self.slope(m, self.p + 0.5 * h * k2)
            k4 = self.slope(b, self.p + h * k3)
            self.p = self.p + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if not np.all(np.isfinite(self.p)):
            raise NotConverged("not stable")
        for axis, ring in enumerate(self.problem.shape.ring):
            edge = np.abs(np.take(self.p, [0, -1], axis=1 - axis)).sum()
            self.wall = max(self.wall, 0 if ring else edge)
            if self.wall > WALL:
                raise NotConverged(f"{edge:.0e} at an end")

    def masses(self, edges: list[Array]) -> Array:
        """Of cells, exactly for the series."""
        series = np.fft.fft2(self.p)
        parts = []
        for n, l, e, lower in zip(self.n, self.length, edges, (self.problem.lower)):
            k = 2 * math.pi * np.fft.fftfreq(n, l / n)
            wave = np.exp(1j * np.outer(e - lower, k))
            with np.errstate(divide="ignore", invalid="ignore"):
                part = np.diff(wave, axis=0) / (1j * k)
            part[:, 0] = np.diff(e)
            parts.append(part / l)
        masses: Array = (parts[1] @ series @ parts[0].T).real
        return masses


def run(problem: Plane, edges: list[Array], points: tuple[int, int]) -> tuple[Array, float]:
    solver = Fourier(problem, points)
    out = [solver.masses(edges).ravel()]
    for a, b in zip(problem.times[:-1], problem.times[1:]):
        marks = [a, *sorted(t for t in problem.breaks if a + 1e-11 * (b - a) < t < b - 1e-11 * (b - a)), b]
        for u, v in zip(marks[:-1], marks[1:]):
            if v - u > 1e-13 * max(abs(v), 1e-300):
                solver.advance(u, v)
        out.append(solver.masses(edges).ravel())
    return np.array(out), solver.wall


def reference(problem: Plane, edges: list[Array]) -> tuple[Array, Array]:
    """Masses, and the L1 error that they have at most, by fewer waves and longer steps."""
    x, y = problem.shape.points
    fine, wall = run(problem, edges, (x, y))
    rough, _ = run(problem, edges, (2 * round(0.4 * x), 2 * round(0.4 * y)))
    return fine, np.abs(fine - rough).sum(axis=1) + 10 * wall


def gaussian(mean: list[float], sd: list[float], length: list[float], ring: tuple[bool, bool]) -> Field:
    """One Gaussian, wrapped round rings."""

    def along(x: Any, m: float, s: float, l: float, round_: bool) -> Any:
        images = (-2, -1, 0, 1, 2) if round_ else (0,)
        return sum(np.exp(-0.5 * ((x - m + k * l) / s) ** 2) for k in images)

    return lambda x, y: along(x, mean[0], sd[0], length[0], ring[0]) * along(
        y, mean[1], sd[1], length[1], ring[1]
    )


def choose_start(rng: np.random.Generator, shape: Shape, boltzmann: Field) -> tuple[str, Field, str]:
    """Its YAML, its density, and its name."""
    kind = str(
        rng.choice(
            ["gaussian", "gaussian", "mixture"]
            + ["boltzmann"] * 2 * shape.boltzmann
            + ["uniform"] * all(shape.ring)
        )
    )
    if kind == "boltzmann":
        return "{density: boltzmann}", boltzmann, kind
    if kind == "uniform":
        return "{density: uniform}", lambda x, y: 1 + 0 * x * y, kind
    length = [b - a for a, b in zip(shape.lower, shape.upper)]
    count = 2 if kind == "mixture" else 1
    means = [
        [
            float((a + b) / 2 + l * rng.uniform(-0.4 if r else -0.18, 0.4 if r else 0.18))
            for a, b, l, r in zip(shape.lower, shape.upper, length, shape.ring)
        ]
        for _ in range(count)
    ]
    sds = [
        [
            float(l * math.exp(rng.uniform(math.log(2.6 / n), math.log(0.06))))
            for l, n in zip(length, shape.points)
        ]
        for _ in range(count)
    ]
    weights = [float(rng.uniform(0.3, 1)) for _ in range(count)]
    text = (
        "["
        + ", ".join(number(m) for one in means for m in one)
        + "], sd: ["
        + ", ".join(number(s) for one in sds for s in one)
        + "]"
    )
    parts = [gaussian(m, s, length, shape.ring) for m, s in zip(means, sds)]
    heights = [w / (s[0] * s[1]) for w, s in zip(weights, sds)]
    yaml = (
        f"{{density: {kind}, "
        + (f"weights: [{', '.join(map(number, weights))}], " if count > 1 else "")
        + f"mean: {text}}}"
    )
    return yaml, lambda x, y: sum(h * part(x, y) for h, part in zip(heights, parts)), kind


def system_yaml(shape: Shape, parameters: Parameters) -> str:
    values = ", ".join(f"{k}: {number(v)}" for k, v in parameters.items())
    if shape.builtin:
        return f"system: {{name: {shape.builtin}, parameters: {{{values}}}}}\n"
    lines = ["system:", "  expression:", f"    axes: [{', '.join(shape.axes)}]"]
    if shape.potential:
        lines.append(f'    potential: "{shape.potential}"')
    for key in ("extra", "drift", "diffusion"):
        texts = getattr(shape, key)
        if texts:
            lines.append(f"    {key}: [" + ", ".join(f'"{t}"' for t in texts) + "]")
    for key in ("lower", "upper"):
        lines.append(f"    {key}: [" + ", ".join(map(number, getattr(shape, key))) + "]")
    lines.append(f"    periodic: [{', '.join(str(r).lower() for r in shape.ring)}]")
    return "\n".join(lines) + f"\n  parameters: {{{values}}}\n"


def make(seed: int) -> Study:
    """The study of a seed."""
    rng = np.random.default_rng([2027, seed])
    shape = SHAPES[rng.integers(len(SHAPES))]
    parameters = {k: float(v) for k, v in shape.draw(rng).items()}
    cells = [
        (4 if seed % 8 else 2) * round(log_uniform(rng, 8, 48) / (2 if seed % 8 else 1)) for _ in range(2)
    ]
    end = log_uniform(rng, 0.05, 1.5)
    drives = [
        Drive(rng, str(p), parameters[p], end, shape)
        for p in rng.permutation(shape.driven)[: int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))]
    ]

    def theta(t: float) -> Parameters:
        now = dict(parameters)
        for d in drives:
            now[d.parameter] += d.at(t)
        return now

    def boltzmann(x: Any, y: Any) -> Any:
        now = theta(0.0)
        u = formula(shape.potential)(x, y, now) / now["kT"]
        return np.exp(-(u - u.min()))

    start, density, kind = choose_start(rng, shape, boltzmann)
    count, tolerance = int(rng.integers(2, 4)), 10.0 ** -float(rng.choice([4, 5, 6, 7]))
    yaml = (
        f"study: referee_plane_{seed}\n"
        + system_yaml(shape, parameters)
        + ("drive:\n" + "".join(d.yaml for d in drives) if drives else "")
    )
    yaml += f"initial: {start}\nsnapshots: {{start: 0.0, end: {number(end)}, count: {count}}}\n"
    yaml += (
        f"truth: {{cells: [{cells[0]}, {cells[1]}], lower: [{', '.join(map(number, shape.lower))}], upper:"
        f" [{', '.join(map(number, shape.upper))}], tolerance: {tolerance:.0e}}}\n"
    )
    problem = Plane(
        shape,
        shape.lower,
        shape.upper,
        theta,
        sorted({b for d in drives for b in d.breaks if 0 < b < end}),
        min([end] + [d.longest for d in drives]),
        [end * k / (count - 1) for k in range(count)],
        density,
    )
    tags = {
        "shape": shape.name,
        "ends": "ring" if all(shape.ring) else "box",
        "start": kind,
        "start_cells": math.inf,
        "cells": f"{cells[0]} x {cells[1]}",
        "tolerance": tolerance,
        "drive": "+".join(f"{d.kind}({d.parameter})" for d in drives) or "none",
        "kT": parameters.get("kT", 0),
        "end": end,
    }
    return Study(
        seed,
        yaml,
        problem,
        [np.linspace(a, b, n + 1) for a, b, n in zip(shape.lower, shape.upper, cells)],
        tags,
    )
