# SPDX-License-Identifier: BSD-2-Clause
"""
Random studies of one axis: what FARE reads, and the same as a problem for the reference. A study is a
function of its seed alone. Shapes of formulas are a fixed set, so that each is compiled once; their numbers,
and everything else, are random.
"""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference import Array, Density, Formula, Parameters, Problem

FUNCTIONS: dict[str, Any] = {
    name: getattr(np, name)
    for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "sinh", "cosh", "tanh", "abs", "sign")
}
FUNCTIONS |= {
    "atan": np.arctan,
    "pi": math.pi,
    "e": math.e,
    "max": np.maximum,
    "min": np.minimum,
    "step": lambda x: np.where(x < 0, 0.0, 1.0),
}


def formula(text: str) -> Formula:
    """A formula as a function of x and the parameters."""
    code = compile(text.replace("^", "**"), text, "eval")
    return lambda x, theta: eval(code, {"__builtins__": {}}, {**FUNCTIONS, **theta, "x": x}) + 0 * x


@dataclasses.dataclass
class Shape:
    """A family of systems: formulas or a system of the library, and how its numbers are drawn."""

    name: str
    draw: Callable[[np.random.Generator], Parameters]
    lower: float
    upper: float
    ring: bool = False
    builtin: str = ""
    potential: str = ""  # in formulas of x; also what a system of the library has
    extra: str = ""
    drift: str = ""
    diffusion: str = ""
    kinks: Callable[[Parameters], list[float]] | None = None  # places
    tags: tuple[str, ...] = ()
    driven: tuple[str, ...] = ()  # parameters that may be driven
    least: float = 0.0  # where starts are kept away from, as a part of the box


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def signed(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.choice([-1, 1])) * log_uniform(rng, low, high)


def parabolas(p: Parameters) -> list[float]:
    """Where (k/2)(x + 1)^2 and (q/2)(x - 1)^2 + g cross."""
    roots = np.roots([0.5 * p["k"] - 0.5 * p["q"], p["k"] + p["q"], 0.5 * p["k"] - 0.5 * p["q"] - p["g"]])
    return [float(r.real) for r in roots if abs(r.imag) < 1e-12]


def common(rng: np.random.Generator, **more: float) -> Parameters:
    return {"kT": log_uniform(rng, 0.03, 30), "mobility": log_uniform(rng, 0.3, 3), **more}


TILTS = ("kT", "mobility", "tilt")
PRINZ = "height*(x^8 + 0.8*exp(-80*x^2) + 0.2*exp(-80*(x - 0.5)^2) + 0.5*exp(-40*(x + 0.5)^2)) - tilt*x"
TRIPLE = "height*(5 - 24.82*x + 41.4251*x^2 - 27.5344*x^3 + 8.53128*x^4 - 1.24006*x^5 + 0.0684*x^6) - tilt*x"
SHAPES = [
    Shape(
        "quartic",
        lambda r: common(
            r, a=log_uniform(r, 0.3, 5), c=r.uniform(-1, 1), w=r.uniform(2, 9), tilt=r.uniform(-2, 2)
        ),
        -2.2,
        2.2,
        potential="a*(x^2 - 1)^2 + c*sin(w*x) - tilt*x",
        driven=TILTS + ("a", "c"),
        tags=("smooth",),
    ),
    Shape(
        "trap_with_bump",
        lambda r: common(
            r,
            k=log_uniform(r, 0.5, 8),
            centre=r.uniform(-1, 1),
            h=r.uniform(-3, 3),
            b=r.uniform(-1, 1),
            s=log_uniform(r, 0.1, 1),
        ),
        -3,
        3,
        potential="0.5*k*(x - centre)^2 + h*exp(-0.5*((x - b)/s)^2)",
        driven=("kT", "mobility", "k", "centre", "h"),
        tags=("smooth",),
    ),
    Shape(
        "log_cosh",
        lambda r: common(r, a=log_uniform(r, 0.5, 5), k=log_uniform(r, 0.5, 6), tilt=r.uniform(-1, 1)),
        -3,
        3,
        potential="a*log(cosh(k*x)) - tilt*x",
        driven=TILTS + ("a",),
        tags=("smooth",),
    ),
    Shape(
        "slope",
        lambda r: common(r, tilt=signed(r, 0.1, 10)),
        -1,
        1,
        potential="-tilt*x",
        driven=TILTS,
        tags=("smooth",),
    ),
    Shape(
        "vee",
        lambda r: common(
            r,
            k=log_uniform(r, 0.3, 5),
            c=r.uniform(-0.5, 0.5),
            q=log_uniform(r, 0.1, 2),
            tilt=r.uniform(-1, 1),
        ),
        -2.5,
        2.5,
        potential="k*abs(x - c) + 0.5*q*x^2 - tilt*x",
        kinks=lambda p: [p["c"]],
        driven=TILTS + ("k", "q"),
        tags=("kinked",),
    ),
    Shape(
        "tent",
        lambda r: common(
            r,
            h=r.uniform(-3, 5),
            c=r.uniform(-0.5, 0.5),
            w=log_uniform(r, 0.1, 0.8),
            q=log_uniform(r, 0.3, 4),
            tilt=r.uniform(-1, 1),
        ),
        -2.5,
        2.5,
        potential="h*max(0, 1 - abs(x - c)/w) + 0.5*q*x^2 - tilt*x",
        kinks=lambda p: [p["c"] - p["w"], p["c"], p["c"] + p["w"]],
        driven=TILTS + ("h", "q"),
        tags=("kinked",),
    ),
    Shape(
        "two_parabolas",
        lambda r: common(
            r, k=log_uniform(r, 1, 8), q=log_uniform(r, 1, 8), g=r.uniform(-1, 1), tilt=r.uniform(-1, 1)
        ),
        -3,
        3,
        potential="min(0.5*k*(x + 1)^2, 0.5*q*(x - 1)^2 + g) - tilt*x",
        kinks=parabolas,
        driven=TILTS,
        tags=("kinked",),
    ),
    Shape(
        "ring_fourier",
        lambda r: common(
            r,
            a=signed(r, 0.2, 3),
            b=signed(r, 0.1, 2),
            c=signed(r, 0.1, 2),
            d=signed(r, 0.05, 1),
            force=r.uniform(-3, 3),
        ),
        -math.pi,
        math.pi,
        ring=True,
        potential="a*cos(x) + b*sin(x) + c*cos(2*x) + d*sin(3*x)",
        extra="force",
        driven=("kT", "mobility", "a", "b", "force"),
        tags=("smooth",),
    ),
    Shape(
        "ring_vee",
        lambda r: common(r, a=signed(r, 0.3, 5), b=r.uniform(-1, 1), force=r.uniform(-3, 3)),
        -1,
        1,
        ring=True,
        potential="a*abs(x) + b*cos(pi*x)",
        extra="force",
        kinks=lambda p: [0.0],
        driven=("kT", "mobility", "a", "b", "force"),
        tags=("kinked", "seam"),
    ),
    Shape(
        "ring_restraint",
        lambda r: common(r, k=log_uniform(r, 0.2, 5), b=r.uniform(-1, 1)),
        -math.pi,
        math.pi,
        ring=True,
        potential="0.5*k*x^2 + b*cos(x)",
        driven=("kT", "mobility", "k", "b"),
        tags=("kinked", "seam"),
    ),
    Shape(
        "ring_sawtooth",
        lambda r: common(r, h=log_uniform(r, 0.3, 5), w=r.uniform(0.1, 0.9), force=r.uniform(-5, 5)),
        0,
        1,
        ring=True,
        potential="h*min(x/w, (1 - x)/(1 - w))",
        extra="force",
        kinks=lambda p: [p["w"]],
        driven=("kT", "mobility", "h", "force"),
        tags=("kinked", "seam"),
    ),
    Shape(
        "drift_wave",
        lambda r: {
            "k": log_uniform(r, 0.3, 5),
            "centre": r.uniform(-1, 1),
            "c": r.uniform(-2, 2),
            "w": r.uniform(1, 6),
            "D0": log_uniform(r, 0.03, 10),
            "s": r.uniform(-0.8, 0.8),
            "v": r.uniform(1, 6),
        },
        -3,
        3,
        drift="-k*(x - centre) + c*sin(w*x)",
        diffusion="D0*(1 + s*cos(v*x))",
        driven=("k", "centre", "c", "D0", "s"),
        tags=("smooth", "general"),
    ),
    Shape(
        "drift_parabola",
        lambda r: {"k": log_uniform(r, 0.3, 5), "D0": log_uniform(r, 0.03, 3), "s": log_uniform(r, 0.05, 2)},
        -4,
        4,
        drift="-k*x",
        diffusion="D0*(1 + s*x^2)",
        driven=("k", "D0", "s"),
        tags=("smooth", "general"),
    ),
    Shape(
        "drift_kink",
        lambda r: {
            "k": log_uniform(r, 0.3, 5),
            "D0": log_uniform(r, 0.05, 5),
            "s": log_uniform(r, 0.1, 3),
            "c": r.uniform(-0.7, 0.7),
            "f": r.uniform(-1, 1),
        },
        -2.5,
        2.5,
        drift="f - k*x",
        diffusion="D0*(1 + s*abs(x - c))",
        kinks=lambda p: [p["c"]],
        driven=("k", "D0", "s", "f"),
        tags=("kinked", "general"),
    ),
    Shape(
        "drift_sign",
        lambda r: {
            "k": log_uniform(r, 0.3, 5),
            "q": log_uniform(r, 0.1, 2),
            "c": r.uniform(-0.7, 0.7),
            "D0": log_uniform(r, 0.05, 5),
        },
        -2.5,
        2.5,
        drift="-k*sign(x - c) - q*x",
        diffusion="D0",
        kinks=lambda p: [p["c"]],
        driven=("k", "q", "D0"),
        tags=("kinked", "general"),
    ),
    Shape(
        "square_root",
        lambda r: {
            "rate": log_uniform(r, 0.3, 3),
            "m": log_uniform(r, 0.2, 2),
            "sigma": log_uniform(r, 0.3, 1.5),
        },
        0,
        6,
        drift="rate*(m - x)",
        diffusion="0.5*sigma^2*x",
        kinks=lambda p: [6 * 0.3**k for k in range(1, 26)],
        driven=("rate", "m", "sigma"),
        tags=("singular", "general"),
    ),
    Shape(
        "ring_drift",
        lambda r: {
            "f": r.uniform(-3, 3),
            "c": r.uniform(-2, 2),
            "D0": log_uniform(r, 0.05, 5),
            "s": r.uniform(-0.6, 0.6),
        },
        -math.pi,
        math.pi,
        ring=True,
        drift="f + c*cos(x)",
        diffusion="D0*(1 + s*cos(x))",
        driven=("f", "c", "D0", "s"),
        tags=("smooth", "general"),
    ),
    Shape(
        "ring_drift_kink",
        lambda r: {"f": r.uniform(-3, 3), "D0": log_uniform(r, 0.05, 5), "s": log_uniform(r, 0.1, 3)},
        -1,
        1,
        ring=True,
        drift="f",
        diffusion="D0*(1 + s*abs(x))",
        kinks=lambda p: [0.0],
        driven=("f", "D0", "s"),
        tags=("kinked", "seam", "general"),
    ),
    Shape(
        "ring_drift_parabola",
        lambda r: {
            "f": r.uniform(-3, 3),
            "c": r.uniform(-1, 1),
            "D0": log_uniform(r, 0.05, 5),
            "s": log_uniform(r, 0.1, 3),
        },
        -1,
        1,
        ring=True,
        drift="f + c*sin(pi*x)",
        diffusion="D0/(1 + s*x^2)",
        driven=("f", "c", "D0", "s"),
        tags=("kinked", "seam", "general"),
    ),
    Shape(
        "prinz",
        lambda r: common(r, height=log_uniform(r, 1, 8), tilt=r.uniform(-2, 2)),
        -2,
        2,
        builtin="prinz",
        potential=PRINZ,
        driven=TILTS + ("height",),
        tags=("smooth", "library"),
    ),
    Shape(
        "double_well",
        lambda r: common(r, height=log_uniform(r, 0.5, 6), tilt=r.uniform(-1, 1)),
        -3.5,
        3.5,
        builtin="double_well",
        potential="height*(x^2 - 1)^2 - tilt*x",
        driven=TILTS + ("height",),
        tags=("smooth", "library"),
    ),
    Shape(
        "triple_well_1d",
        lambda r: common(r, height=log_uniform(r, 0.3, 3), tilt=r.uniform(-0.5, 0.5)),
        -0.5,
        6.5,
        builtin="triple_well_1d",
        potential=TRIPLE,
        driven=TILTS + ("height",),
        tags=("smooth", "library"),
    ),
    Shape(
        "ornstein_uhlenbeck",
        lambda r: common(r, stiffness=log_uniform(r, 0.3, 5), centre=r.uniform(-2, 2), tilt=r.uniform(-1, 1)),
        -8,
        8,
        builtin="ornstein_uhlenbeck",
        potential="0.5*stiffness*(x - centre)^2 - tilt*x",
        driven=TILTS + ("stiffness", "centre"),
        tags=("smooth", "library"),
    ),
    Shape(
        "tilted_washboard",
        lambda r: common(r, height=signed(r, 0.2, 3), force=r.uniform(-3, 3)),
        -math.pi,
        math.pi,
        ring=True,
        builtin="tilted_washboard",
        potential="-height*cos(x)",
        extra="force",
        driven=("kT", "mobility", "height", "force"),
        tags=("smooth", "library"),
    ),
    Shape(
        "flashing_ratchet",
        lambda r: common(r, height=log_uniform(r, 0.5, 6), switch=0.5, force=r.uniform(-5, 5)),
        0,
        1,
        ring=True,
        builtin="flashing_ratchet",
        potential="height*switch*(sin(2*pi*x) + sin(4*pi*x)/4)",
        extra="force",
        driven=("kT", "mobility", "height", "switch", "force"),
        tags=("smooth", "library"),
    ),
    Shape(
        "geometric_brownian",
        lambda r: {"growth": r.uniform(-0.5, 0.5), "volatility": log_uniform(r, 0.1, 1)},
        0,
        8,
        builtin="geometric_brownian",
        drift="growth*x",
        diffusion="0.5*volatility^2*x^2",
        kinks=lambda p: [8 * 0.3**k for k in range(1, 10)],
        driven=("growth", "volatility"),
        tags=("singular", "library", "general"),
        least=0.1,
    ),
]
# Of these the density is known in closed form; every sixteenth study is one.
KNOWN = [
    Shape(
        "still",
        lambda r: {"a": r.uniform(-0.5, 0.5), "k": signed(r, 0.3, 3), "D0": 0.0},
        -5,
        5,
        drift="a - k*x",
        diffusion="D0",
        driven=("a", "k"),
        tags=("no diffusion", "general"),
    ),
    Shape(
        "linear",
        lambda r: {"a": r.uniform(-0.5, 0.5), "k": log_uniform(r, 0.3, 3), "D0": log_uniform(r, 0.003, 0.5)},
        -5,
        5,
        drift="a - k*x",
        diffusion="D0",
        driven=("a", "k", "D0"),
        tags=("smooth", "general"),
    ),
]
POSITIVE = {
    "kT",
    "mobility",
    "D0",
    "D1",
    "k",
    "q",
    "stiffness",
    "height",
    "sigma",
    "volatility",
    "rate",
    "m",
    "friction",
    "mass",
    "diffusion",
    "damping",
    "coupling",
    "mu",
    "alpha",
}


def number(x: float) -> str:
    return repr(float(x))


class Drive:
    """One waveform on one parameter, as YAML and as a function of time."""

    def __init__(self, rng: np.random.Generator, parameter: str, base: float, end: float, shape: Any) -> None:
        self.parameter = parameter
        self.kind = str(
            rng.choice(
                ["constant", "sine", "square", "ramp", "smoothstep", "tabulated"],
                p=[0.05, 0.25, 0.2, 0.15, 0.1, 0.25],
            )
        )
        room = 0.7 * abs(base) if parameter in POSITIVE else max(0.5 * abs(base), log_uniform(rng, 0.3, 4))
        if parameter == "s":
            room = 0.5 * abs(base)
        if parameter == "switch":
            room = 0.5
        if parameter == "a" and shape.name in ("quartic", "log_cosh", "wells", "tube"):
            room = 0.7 * abs(base)
        self.amplitude = float(rng.choice([-1, 1])) * room * rng.uniform(0.3, 1)
        text = [f"parameter: {parameter}", f"waveform: {self.kind}"]
        self.breaks: list[float] = []
        self.longest = math.inf
        self.at: Callable[[float], float]
        getattr(self, "_" + self.kind)(rng, end, text)
        self.yaml = "  - {" + ", ".join(text) + "}\n"

    def _constant(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        text.append(f"amplitude: {number(self.amplitude)}")
        self.at = lambda t: self.amplitude

    def _cycle(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        self.period = log_uniform(rng, 0.08 * end, 4 * end)
        self.phase = float(rng.choice([0.0, rng.uniform(-3, 3)]))
        text.extend(
            [
                f"amplitude: {number(self.amplitude)}",
                f"period: {number(self.period)}",
                f"phase: {number(self.phase)}",
            ]
        )

    def _sine(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        self._cycle(rng, end, text)
        self.longest = self.period / 6
        self.at = lambda t: self.amplitude * math.sin(2 * math.pi * t / self.period + self.phase)

    def _square(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        self._cycle(rng, end, text)
        duty = float(rng.choice([0.5, rng.uniform(0.02, 0.98)]))
        text.append(f"duty: {number(duty)}")
        shift = self.phase / (2 * math.pi)
        self.at = lambda t: self.amplitude * (1 if (t / self.period + shift) % 1 < duty else -1)
        turns = np.arange(math.floor(shift) - 1, math.ceil(end / self.period + shift) + 2)
        self.breaks = [float((k + part - shift) * self.period) for k in turns for part in (0, duty)]

    def _rise(self, rng: np.random.Generator, end: float, text: list[str]) -> Callable[[float], float]:
        start = rng.uniform(-0.1, 0.9) * end
        length = log_uniform(rng, 0.003, 1) * end
        text.extend(
            [
                f"amplitude: {number(self.amplitude)}",
                f"start: {number(start)}",
                f"end: {number(start + length)}",
            ]
        )
        self.breaks = [start, start + length]
        return lambda t: min(1.0, max(0.0, (t - start) / length))

    def _ramp(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        s = self._rise(rng, end, text)
        self.at = lambda t: self.amplitude * s(t)

    def _smoothstep(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        s = self._rise(rng, end, text)
        self.at = lambda t: self.amplitude * s(t) ** 2 * (3 - 2 * s(t))

    def _tabulated(self, rng: np.random.Generator, end: float, text: list[str]) -> None:
        if rng.random() < 0.5:
            # a pulse, narrow perhaps
            middle, width = rng.uniform(0.05, 0.9) * end, log_uniform(rng, 0.002, 0.2) * end
            times = [middle - width, middle - 0.5 * width, middle + 0.5 * width, middle + width]
            values = [0.0, 1.0, 1.0, 0.0]
        else:
            times = list(np.sort(rng.uniform(-0.05, 1.05, size=int(rng.integers(2, 9))) * end))
            values = list(rng.uniform(-1, 1, size=len(times)))
        if len(times) > 1 and min(np.diff(times)) < 1e-4 * end:
            times = list(np.linspace(0.1, 0.9, len(times)) * end)
        text.extend(
            [
                f"amplitude: {number(self.amplitude)}",
                f"times: [{', '.join(map(number, times))}]",
                f"values: [{', '.join(map(number, values))}]",
            ]
        )
        self.breaks = [float(t) for t in times]
        self.at = lambda t: self.amplitude * float(np.interp(t, times, values))


@dataclasses.dataclass
class Study:
    seed: int
    yaml: str
    problem: Any  # of one axis, or planes.Plane
    edges: Any  # of one axis, or of each
    tags: dict[str, Any]


def gaussians(
    weights: Sequence[float], means: Sequence[float], sds: Sequence[float], period: float
) -> Density:
    """A mixture, wrapped where there is a period."""
    images = (
        [0.0]
        if not period
        else [
            k * period
            for k in range(-math.ceil(9 * max(sds) / period) - 1, math.ceil(9 * max(sds) / period) + 2)
        ]
    )

    def density(x: Any) -> Any:
        return sum(
            w / s * np.exp(-0.5 * ((x - m - i) / s) ** 2)
            for w, m, s in zip(weights, means, sds)
            for i in images
        )

    return density


class Start:
    """The density at the beginning."""

    def __init__(
        self,
        rng: np.random.Generator,
        shape: Shape,
        lower: float,
        upper: float,
        spacing: float,
        boltzmann: Density,
    ) -> None:
        kinds = (
            ["gaussian", "uniform", "mixture", "point"]
            + (["boltzmann"] * 2 if shape.potential else [])
            + ["gaussian"]
        )
        if shape.least or shape in KNOWN:
            kinds = ["gaussian"]
        self.kind = str(rng.choice(kinds))
        self.narrow, width = [], upper - lower
        self.cells_wide = math.inf

        def place() -> float:
            low = 0.4 if shape in KNOWN else max(0.12, shape.least)
            return float(lower + width * rng.uniform(low, 1 - max(low, 0.12) if shape in KNOWN else 0.88))

        def spread() -> float:
            sd = log_uniform(rng, max(0.15 * spacing, 0.002 * width), 0.3 * width)
            return (
                0.3 * sd if shape in KNOWN else min(sd, 0.25 * shape.least * width / 4) if shape.least else sd
            )

        if self.kind == "boltzmann":
            self.yaml, self.density = "{density: boltzmann}", boltzmann
            return
        if self.kind == "uniform":
            self.yaml, self.density = "{density: uniform}", lambda x: 0 * x + 1.0
            return
        if self.kind == "mixture":
            n = int(rng.integers(2, 4))
            weights, means, sds = (
                [rng.uniform(0.2, 1) for _ in range(n)],
                [place() for _ in range(n)],
                [spread() for _ in range(n)],
            )
            self.yaml = (
                f"{{density: mixture, weights: [{', '.join(map(number, weights))}], mean:"
                f" [{', '.join(map(number, means))}], sd: [{', '.join(map(number, sds))}]}}"
            )
        elif self.kind == "point":
            weights, means, sds = [1.0], [place()], [0.01 * (shape.upper - shape.lower)]
            self.yaml = f"{{density: point, mean: [{number(means[0])}]}}"
        else:
            weights, means, sds = [1.0], [place()], [spread()]
            self.yaml = f"{{density: gaussian, mean: [{number(means[0])}], sd: [{number(sds[0])}]}}"
        self.density = gaussians(weights, means, sds, upper - lower if shape.ring else 0)
        self.narrow = list(zip(means, sds))
        if shape.ring:
            self.narrow += [(m + k * width, s) for m, s in self.narrow for k in (-1, 1)]
        self.cells_wide = min(sds) / spacing


def choose_ends(rng: np.random.Generator, shape: Shape) -> tuple[str, str]:
    if shape.ring:
        return "ring", ""
    if "singular" in shape.tags or shape in KNOWN or rng.random() < 0.6:
        return "rr", ""
    name, letters = [("absorbing", "aa"), ("absorbing_below", "ar"), ("absorbing_above", "ra")][
        rng.integers(3)
    ]
    return letters, name


def system_yaml(shape: Shape, parameters: Parameters) -> str:
    values = ", ".join(f"{k}: {number(v)}" for k, v in parameters.items())
    if shape.builtin:
        return f"system: {{name: {shape.builtin}, parameters: {{{values}}}}}\n"
    lines = ["system:", "  expression:", "    axes: [x]"]
    for key, text in (
        ("potential", shape.potential),
        ("extra", shape.extra),
        ("drift", shape.drift),
        ("diffusion", shape.diffusion),
    ):
        if text:
            lines.append(f"    {key}: " + (f'"{text}"' if key == "potential" else f'["{text}"]'))
    lines += [f"    lower: [{number(shape.lower)}]", f"    upper: [{number(shape.upper)}]"]
    if shape.ring:
        lines.append("    periodic: [true]")
    return "\n".join(lines) + f"\n  parameters: {{{values}}}\n"


def linear(problem: Problem, start: tuple[float, float], edges: Array) -> tuple[Array, Array]:
    """Masses at the snapshots, and what lies at the ends: drift a - k x keeps a Gaussian one, with m' = a - k
    m and v' = 2 D - 2 k v.
    """

    def slope(t: float, y: Array, low: float, high: float) -> Array:
        p = problem.parameters(min(max(t, low), high))
        return np.array([p["a"] - p["k"] * y[0], 2 * p["D0"] - 2 * p["k"] * y[1]])

    y, out = np.array([start[0], start[1] ** 2]), []
    marks = sorted({*problem.times, *problem.breaks})
    for a, b in zip([problem.times[0], *marks], marks):
        h = (b - a) / 200
        low, high = a + 1e-9 * (b - a), b - 1e-9 * (b - a)
        for i in range(200 if b > a else 0):
            t = a + i * h
            k1 = slope(t, y, low, high)
            k2 = slope(t + h / 2, y + h / 2 * k1, low, high)
            k3 = slope(t + h / 2, y + h / 2 * k2, low, high)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(t + h, y + h * k3, low, high))
        if b in problem.times:
            below = np.array([0.5 * math.erfc((y[0] - e) / math.sqrt(2 * y[1])) for e in edges])
            out.append((np.diff(below), below[0] + 1 - below[-1]))
    # what lies beyond the ends at first is cut off, and changes all that follows
    beyond = np.maximum.accumulate([lost for _, lost in out])
    return np.array([m for m, _ in out]), 1e-9 + 10 * beyond


def make(seed: int) -> Study:
    """The study of a seed."""
    rng = np.random.default_rng([2026, seed])
    shape = SHAPES[rng.integers(len(SHAPES))] if seed % 16 != 15 else KNOWN[rng.integers(len(KNOWN))]
    parameters = {k: float(v) for k, v in shape.draw(rng).items()}
    lower, upper = shape.lower, shape.upper
    if not shape.ring and "singular" not in shape.tags and shape not in KNOWN and rng.random() < 0.5:
        # another box, so that walls are felt
        middle, half = (lower + upper) / 2, (upper - lower) / 2
        lower, upper = middle - half * rng.uniform(0.3, 1), middle + half * rng.uniform(0.3, 1)
    # multiples of 4 in most, so that the truth has all its companions
    half = log_uniform(rng, 8, 256)
    cells = 4 * round(half / 2) if seed % 8 else 2 * round(half)
    spacing = (upper - lower) / cells
    scale = (
        1.0
        if shape in KNOWN
        else (
            parameters.get("mobility", 1) * parameters["kT"]
            if "kT" in parameters
            else parameters.get("D0", 1)
        )
    )
    end = log_uniform(rng, 0.05, 5) * (
        min(1.0, ((upper - lower) / 4) ** 2 / scale) if rng.random() < 0.5 else 1.0
    )
    drives = []
    for parameter in rng.permutation(shape.driven)[: int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))]:
        drives.append(Drive(rng, str(parameter), parameters[parameter], end, shape))

    def theta(t: float) -> Parameters:
        now = dict(parameters)
        for d in drives:
            now[d.parameter] += d.at(t)
        return now

    functions: dict[str, Any] = {
        key: formula(getattr(shape, key))
        for key in ("potential", "extra", "drift", "diffusion")
        if getattr(shape, key)
    }

    def boltzmann(x: Any) -> Any:
        now = theta(0.0)
        u = functions["potential"](x, now) / now["kT"]
        grid = functions["potential"](np.linspace(lower, upper, 20001), now) / now["kT"]
        return np.exp(-(u - grid.min()))

    ends, end_name = choose_ends(rng, shape)
    start = Start(rng, shape, lower, upper, spacing, boltzmann)
    count = int(rng.integers(2, 5))
    tolerance = 10.0 ** -float(rng.choice([5, 6, 7, 8, 9]))
    kinks = list(shape.kinks(parameters)) if shape.kinks else []
    at_ends = start.density(np.array([[lower, upper]]))[0] / max(
        start.density(np.linspace(lower, upper, 2001)[None]).max(), 1e-300
    )
    for side, letter in ((0, ends[0]), (1, ends[1])):
        if ends != "ring" and letter == "a" and at_ends[side] > 1e-12:
            kinks += [
                (lower, upper)[side] + (1, -1)[side] * (upper - lower) * 0.25**k for k in range(2, 14)
            ]
    yaml = f"study: referee_{seed}\n" + system_yaml(shape, parameters)
    if drives:
        yaml += "drive:\n" + "".join(d.yaml for d in drives)
    yaml += f"initial: {start.yaml}\nsnapshots: {{start: 0.0, end: {number(end)}, count: {count}}}\n"
    yaml += (
        f"truth: {{cells: [{cells}], lower: [{number(lower)}], upper: [{number(upper)}]"
        + (f", ends: [{end_name}]" if end_name else "")
        + f", tolerance: {tolerance:.0e}}}\n"
    )
    problem = Problem(
        lower,
        upper,
        ends,
        kinks,
        theta,
        sorted({b for d in drives for b in d.breaks if 0 < b < end}),
        min([end] + [d.longest for d in drives]),
        [end * k / (count - 1) for k in range(count)],
        start.density,
        narrow=start.narrow,
        **functions,
    )
    if shape in KNOWN:
        problem.exact = lambda edges: linear(problem, start.narrow[0], edges)
    tags = {
        "shape": shape.name,
        "form": "/".join(shape.tags),
        "ends": ends,
        "start": start.kind,
        "start_cells": start.cells_wide,
        "cells": cells,
        "tolerance": tolerance,
        "drive": "+".join(f"{d.kind}({d.parameter})" for d in drives) or "none",
        "kT": parameters.get("kT", scale),
        "end": end,
    }
    return Study(seed, yaml, problem, lower + (upper - lower) * np.arange(cells + 1) / cells, tags)
