# SPDX-License-Identifier: BSD-2-Clause
"""The cases of peers.py: what is to be solved, and how finely each method tries."""
from __future__ import annotations

import math
import typing

import numpy as np
import truth_against_scipy as base


class Problem(typing.NamedTuple):
    """dp/dt = -div(f p) + sum of D_a d2p/da2, where f = drift + (tilt, 0), and the sweeps of each method."""

    title: str
    study: str  # YAML, without snapshots and truth
    drift: typing.Callable[..., list]  # of numpy or alike, and places
    diffusion: tuple[float, ...]
    potential: typing.Callable[..., np.ndarray] | None  # drift is its slope, without inertia
    amplitude: float
    period: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    end: float
    start: typing.Callable[..., np.ndarray]  # up to a factor
    sweeps: dict[str, list[tuple[int, float]]]  # cells or points along the first axis; tolerance, or steps
    reference: tuple[int, float]
    aspect: float = 1.0  # cells along the second axis for one along the first

    def tilt(self, t):
        return self.amplitude * math.sin(2 * math.pi * t / self.period)

    def shape(self, cells: int) -> tuple[int, ...]:
        return (cells, round(cells * self.aspect))[: len(self.lower)]

    def widths(self, cells: int) -> list[float]:
        return [(b - a) / n for a, b, n in zip(self.lower, self.upper, self.shape(cells))]

    def places(self, cells: int, offset: float = 0.5) -> list[np.ndarray]:
        """The centres of cells; with offset 0, the points of a Fourier series."""
        axes = [
            a + h * (np.arange(n) + offset)
            for a, h, n in zip(self.lower, self.widths(cells), self.shape(cells))
        ]
        return np.meshgrid(*axes, indexing="ij")

    def masses(self, cells: int) -> np.ndarray:
        """At the start, from eight points along each axis of a cell."""
        p = self.start(*self.places(8 * cells))
        for axis, n in enumerate(self.shape(cells)):
            p = p.reshape(p.shape[:axis] + (n, 8) + p.shape[axis + 1 :]).sum(axis=axis + 1)
        return p / p.sum()

    def points(self, count: int) -> np.ndarray:
        p = self.start(*self.places(count, 0))
        return p / p.sum()

    def fluxes(self, cells: int) -> base.ScharfetterGummel:
        assert self.potential
        return base.ScharfetterGummel(
            self.potential, self.diffusion[0], self.tilt, self.lower, self.upper, self.shape(cells)
        )


def prinz(x):
    """Over the height."""
    wells = (
        0.8 * np.exp(-80 * x**2) + 0.2 * np.exp(-80 * (x - 0.5) ** 2) + 0.5 * np.exp(-40 * (x + 0.5) ** 2)
    )
    return x**8 + wells


def prinz_slope(xp, x):
    left, right = x + 0.5, x - 0.5
    wells = (
        128 * x * xp.exp(-80 * x**2)
        + 32 * right * xp.exp(-80 * right**2)
        + 40 * left * xp.exp(-40 * left**2)
    )
    return 8 * x**7 - wells


def gaussian(mean: tuple[float, ...], sd: tuple[float, ...]) -> typing.Callable[..., np.ndarray]:
    return lambda *x: np.exp(-0.5 * sum(((at - m) / s) ** 2 for at, m, s in zip(x, mean, sd)))


def quartic(x, asymmetry):
    return x**4 - asymmetry * x**3 - 2 * x**2 + 3 * asymmetry * x


PROBLEMS = {
    "prinz": Problem(
        title="driven Prinz potential, t in [0, 1]",
        study=(
            "system: {name: prinz}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]\n"
        ),
        drift=lambda xp, x: [-4 * prinz_slope(xp, x)],
        diffusion=(1.0,),
        potential=lambda x: 4 * prinz(x),
        amplitude=4.0,
        period=1.0,
        lower=(-1.6,),
        upper=(1.6,),
        end=1.0,
        start=lambda x: np.exp(-4 * prinz(x)),
        sweeps={
            "FARE": [(128, 1e-5), (256, 1e-6), (512, 1e-6), (1024, 1e-7), (2048, 1e-8), (8192, 1e-9)],
            "SciPy, fitted fluxes, BDF": [(256, 1e-6), (512, 1e-6), (2048, 1e-8), (8192, 1e-9)],
            "SciPy, Fourier, BDF": [(96, 1e-5), (128, 1e-7), (160, 1e-9)],
            "SciPy, Fourier, Magnus": [(96, 32), (128, 64), (160, 128)],
            "diffrax, fitted fluxes, Kvaerno5": [(128, 1e-5), (256, 1e-5)],
            "diffrax, Fourier, Kvaerno5": [(96, 1e-5), (128, 1e-7)],
            "py-pde, explicit": [(256, 1e-4)],
            "py-pde, SciPy's BDF": [(128, 1e-5), (256, 1e-6)],
            "FiPy, implicit Euler, extrapolated": [(128, 25), (256, 50), (512, 100)],
        },
        reference=(224, 1e-11),
    ),
    "fast": Problem(
        title="double well, fast drive: 64 periods of 0.628",
        study=(
            "system: {name: double_well}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period:"
            " 0.628}]\ninitial: {density: gaussian, mean: [-1.0], sd: [0.3]}\n"
        ),
        drift=lambda xp, x: [-4 * x * (x**2 - 1)],
        diffusion=(1.0,),
        potential=lambda x: (x**2 - 1) ** 2,
        amplitude=4.0,
        period=0.628,
        lower=(-3.0,),
        upper=(3.0,),
        end=64 * 0.628,
        start=gaussian((-1.0,), (0.3,)),
        sweeps={
            "FARE": [(128, 1e-5), (256, 1e-6), (512, 1e-6), (2048, 1e-7), (8192, 1e-8)],
            "SciPy, fitted fluxes, BDF": [(256, 1e-5), (1024, 1e-6)],
            "SciPy, Fourier, BDF": [(64, 1e-5), (96, 1e-7)],
            "SciPy, Fourier, Magnus": [(48, 16), (64, 32), (96, 64)],
            "diffrax, fitted fluxes, Kvaerno5": [(128, 1e-4)],
            "diffrax, Fourier, Kvaerno5": [(48, 1e-4), (64, 1e-6)],
            "py-pde, explicit": [(128, 1e-4)],
            "py-pde, SciPy's BDF": [(128, 1e-5)],
            "FiPy, implicit Euler, extrapolated": [(128, 320)],
        },
        reference=(96, 1e-8),
    ),
    "wells": Problem(
        title="driven quadruple well, t in [0, 2]",
        study=(
            "system: {name: quadruple_well}\ndrive: [{parameter: tilt, waveform: sine, amplitude: 0.5,"
            " period: 2.0}]\ninitial: {density: gaussian, mean: [-1.0, -1.0], sd: [0.2, 0.2]}\n"
        ),
        drift=lambda xp, x, y: [
            -4 * x**3 + 3 / 16 * x**2 + 4 * x - 3 / 16 + 0 * y,
            -4 * y**3 + 3 / 8 * y**2 + 4 * y - 3 / 8 + 0 * x,
        ],
        diffusion=(0.18, 0.18),
        potential=lambda x, y: quartic(x, 1 / 16) + quartic(y, 1 / 8),
        amplitude=0.5,
        period=2.0,
        lower=(-2.2, -2.2),
        upper=(2.2, 2.2),
        end=2.0,
        start=gaussian((-1.0, -1.0), (0.2, 0.2)),
        sweeps={
            "FARE": [(32, 1e-4), (64, 1e-5), (128, 1e-6), (256, 1e-6), (512, 1e-7)],
            "SciPy, fitted fluxes, BDF": [(64, 1e-5), (128, 1e-6)],
            "SciPy, Fourier, explicit": [(64, 1e-4), (96, 1e-6)],
            "diffrax, fitted fluxes, Tsit5": [(64, 1e-5), (128, 1e-6)],
            "diffrax, Fourier, Tsit5": [(64, 1e-4), (96, 1e-6)],
            "py-pde, explicit": [(128, 1e-4)],
            "FiPy, implicit Euler, extrapolated": [(32, 12), (64, 25)],
        },
        reference=(128, 1e-11),
    ),
    "kramers": Problem(
        title="double well with inertia, t in [0, 6]",
        study=(
            "system: {name: kramers_double_well, parameters: {friction: 0.5}}\n"
            "initial: {density: gaussian, mean: [-1.2, 0.0], sd: [0.2, 1.0]}\n"
        ),
        drift=lambda xp, x, v: [v + 0 * x, -8 * x * (x**2 - 1) - 0.5 * v],
        diffusion=(0.0, 0.5),
        potential=None,
        amplitude=0.0,
        period=1.0,
        lower=(-2.4, -9.0),
        upper=(2.4, 9.0),
        end=6.0,
        start=gaussian((-1.2, 0.0), (0.2, 1.0)),
        sweeps={
            "FARE": [(96, 1e-5), (144, 1e-5), (288, 1e-5), (576, 1e-5)],
            "SciPy, Fourier, explicit": [(72, 1e-4), (96, 1e-6)],
            "SciPy, Fourier, split steps": [(72, 100), (96, 200), (144, 400)],
            "diffrax, Fourier, Tsit5": [(72, 1e-4), (96, 1e-6)],
            "py-pde, explicit": [(144, 1e-4)],
            "FiPy, implicit Euler, extrapolated": [(72, 50)],
        },
        reference=(192, 1200),
        aspect=1 / 3,
    ),
}
