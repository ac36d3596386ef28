# SPDX-License-Identifier: BSD-2-Clause
"""The methods of peers.py. Each prepares a run, which gives the masses of cells at the end."""
from __future__ import annotations

import functools
import math
import typing
import warnings

import numpy as np
from peers_cases import Problem
from scipy.integrate import solve_ivp
from scipy.linalg import expm

Masses = typing.Callable[[], np.ndarray]


# Fourier series, with NumPy or what is like it


def cell_masses(problem: Problem, values: np.ndarray, cells: int) -> np.ndarray:
    """The integral of a Fourier series, given at points, over each cell; their sum is that of the values."""
    series = np.fft.fftn(values)
    for axis, (count, points) in enumerate(zip(problem.shape(cells), values.shape)):
        k = 2j * np.pi * np.fft.fftfreq(points, 1 / points)
        wave = np.exp(np.outer(np.arange(count + 1) / count, k))
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.diff(wave, axis=0) / k
        part[:, 0] = 1 / count
        series = np.moveaxis(np.tensordot(part, series, (1, axis)), 0, axis)
    return series.real


def waves(problem: Problem, points: int) -> list[np.ndarray]:
    """i k along each axis, as for the last axis of rfftn."""
    dim, out = len(problem.lower), []
    for axis, (n, h) in enumerate(zip(problem.shape(points), problem.widths(points))):
        k = np.fft.rfftfreq(n, h) if axis == dim - 1 else np.fft.fftfreq(n, h)
        out.append((2j * np.pi * k).reshape([-1 if a == axis else 1 for a in range(dim)]))
    return out


def fourier_slope(problem: Problem, points: int, xp) -> typing.Callable:
    """dp/dt of the values at points, flat, as a function of t and p."""
    shape, k = problem.shape(points), [xp.asarray(k) for k in waves(problem, points)]
    drift = [xp.asarray(f) for f in problem.drift(np, *problem.places(points, 0))]
    spread = sum(D * along**2 for D, along in zip(problem.diffusion, k))

    def slope(t, p):
        p = p.reshape(shape)
        tilt = problem.amplitude * xp.sin(2 * np.pi * t / problem.period)
        change = spread * xp.fft.rfftn(p)
        for axis, f in enumerate(drift):
            change = change - k[axis] * xp.fft.rfftn((f + tilt if axis == 0 else f) * p)
        return xp.fft.irfftn(change, s=shape, axes=range(len(shape))).ravel()

    return slope


def fourier_matrices(problem: Problem, points: int) -> tuple[np.ndarray, np.ndarray]:
    """L of one axis without its tilt, and what the tilt is multiplied by."""
    k = 2j * np.pi * np.fft.fftfreq(points, problem.widths(points)[0])[:, None]
    transform = np.fft.fft(np.eye(points), axis=0)
    second = np.fft.ifft(k**2 * transform, axis=0).real
    k[points // 2] = 0
    first = np.fft.ifft(k * transform, axis=0).real
    drift = problem.drift(np, problem.places(points, 0)[0])[0]
    return problem.diffusion[0] * second - first * drift, -first


def fourier_implicit(problem: Problem, points: int, rtol: float, method: str) -> np.ndarray:
    """Values at points of one axis, by an implicit method of SciPy."""
    still, tilted = fourier_matrices(problem, points)
    slope = lambda t, p: still @ p + problem.tilt(t) * (tilted @ p)
    jacobian = lambda t, p: still + problem.tilt(t) * tilted
    return ivp(problem, slope, problem.points(points), method, rtol, jac=jacobian)


def ivp(problem: Problem, slope, p: np.ndarray, method: str, rtol: float, **more) -> np.ndarray:
    """solve_ivp to the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = solve_ivp(
            slope, (0, problem.end), p.ravel(), method, [problem.end], rtol=rtol, atol=rtol / p.size, **more
        )
    return done.y[:, -1].reshape(p.shape)


def magnus(problem: Problem, points: int, steps: int) -> np.ndarray:
    """Values at points after whole periods, by the Magnus method of order four with so many steps in each."""
    still, tilted = fourier_matrices(problem, points)
    h, p = problem.period / steps, problem.points(points)
    twist = math.sqrt(3) / 12 * h**2 * (still @ tilted - tilted @ still)
    period = []
    for n in range(steps):
        a, b = (problem.tilt(h * (n + 0.5 + s * math.sqrt(3) / 6)) for s in (-1, 1))
        period.append(expm(h * (still + (a + b) / 2 * tilted) + (a - b) * twist))
    for _ in range(round(problem.end / problem.period)):
        for one in period:
            p = one @ p
    return p


def split_steps(problem: Problem, points: int, steps: int) -> np.ndarray:
    """Values at points: Strang's splitting into flight, kicks and friction, each solved exactly for the series."""

    def run(steps: int) -> np.ndarray:
        h, p = problem.end / steps, problem.points(points)
        (x, v), (nx, nv) = problem.places(points, 0), problem.shape(points)
        kx = 2j * np.pi * np.fft.rfftfreq(nx, problem.widths(points)[0])[:, None]
        kv = 2j * np.pi * np.fft.rfftfreq(nv, problem.widths(points)[1])[None, :]
        axis = problem._replace(
            lower=problem.lower[1:],
            upper=problem.upper[1:],
            diffusion=problem.diffusion[1:],
            drift=lambda xp, v: problem.drift(xp, 0.0, v)[1:],
        )
        friction = expm(h * fourier_matrices(axis, nv)[0]).T
        fly, half = np.exp(-kx * v[:1] * h), np.exp(-kx * v[:1] * h / 2)
        kick = np.exp(-kv * problem.drift(np, x, 0.0)[1][:, :1] * h / 2)
        p = np.fft.irfft(half * np.fft.rfft(p, axis=0), nx, axis=0)
        for n in range(steps):
            p = np.fft.irfft(kick * np.fft.rfft(p, axis=1), nv, axis=1) @ friction
            p = np.fft.irfft(kick * np.fft.rfft(p, axis=1), nv, axis=1)
            p = np.fft.irfft((half if n == steps - 1 else fly) * np.fft.rfft(p, axis=0), nx, axis=0)
        return p

    return (4 * run(2 * steps) - run(steps)) / 3


def reference(problem: Problem, cells: int) -> np.ndarray:
    """Masses of the Fourier method on its finest points. The quadruple well is a product of its axes."""
    points, accuracy = problem.reference
    if problem.potential is None:
        return cell_masses(problem, split_steps(problem, points, int(accuracy)), cells)
    middle = -1.0  # of the start along the others
    parts = []
    for axis, D in enumerate(problem.diffusion):
        one = problem._replace(
            lower=problem.lower[axis : axis + 1],
            upper=problem.upper[axis : axis + 1],
            diffusion=(D,),
            amplitude=0.0 if axis else problem.amplitude,
            drift=lambda xp, z, axis=axis: [problem.drift(xp, *insert(problem, axis, z, middle))[axis]],
            start=lambda z, axis=axis: problem.start(*insert(problem, axis, z, middle)),
        )
        parts.append(cell_masses(one, fourier_implicit(one, points, accuracy, "Radau"), cells))
    return functools.reduce(np.multiply.outer, parts)


def insert(problem: Problem, axis: int, z, middle: float) -> list:
    return [z if a == axis else middle for a in range(len(problem.lower))]


# What is run


def fitted_bdf(problem: Problem, cells: int, rtol: float) -> Masses:
    fluxes, p = problem.fluxes(cells), problem.masses(cells)
    return lambda: fluxes.solve(p.ravel(), problem.end, "BDF", rtol)[0].reshape(p.shape)


def fourier_bdf(problem: Problem, points: int, rtol: float) -> Masses:
    return lambda: finer(problem, fourier_implicit(problem, points, rtol, "BDF"))


def finer(problem: Problem, values: np.ndarray) -> np.ndarray:
    """Masses of a Fourier series, on as many cells as points or more."""
    finest = problem.sweeps["FARE"][-1][0]
    cells = [finest >> n for n in range(8) if finest >> n >= len(values)]
    return cell_masses(problem, values, cells[-1])


def fourier_magnus(problem: Problem, points: int, steps: float) -> Masses:
    return lambda: finer(problem, magnus(problem, points, int(steps)))


def fourier_split(problem: Problem, points: int, steps: float) -> Masses:
    return lambda: finer(problem, split_steps(problem, points, int(steps)))


def fourier_explicit(problem: Problem, points: int, rtol: float) -> Masses:
    slope, p = fourier_slope(problem, points, np), problem.points(points)
    return lambda: finer(problem, ivp(problem, slope, p, "DOP853", rtol))


def fitted_slope(problem: Problem, cells: int, jax) -> typing.Callable:
    jnp, fluxes, shape = jax.numpy, problem.fluxes(cells), problem.shape(cells)
    kT = problem.diffusion[0]
    rises = [jnp.asarray(np.diff(fluxes.V, axis=axis) / kT) for axis in range(len(shape))]

    def bernoulli(z):
        small = jnp.abs(z) < 1e-8
        return jnp.where(small, 1 - z / 2, z / jnp.expm1(jnp.where(small, 1.0, z)))

    def slope(t, p):
        p = p.reshape(shape)
        total = jnp.zeros_like(p)
        for axis, (rise, h) in enumerate(zip(rises, fluxes.h)):
            tilt = problem.amplitude * jnp.sin(2 * jnp.pi * t / problem.period) if axis == 0 else 0.0
            z = rise - tilt * h / kT
            low = jax.lax.slice_in_dim(p, 0, shape[axis] - 1, axis=axis)
            high = jax.lax.slice_in_dim(p, 1, shape[axis], axis=axis)
            flow = kT / h**2 * (bernoulli(z) * low - bernoulli(-z) * high)
            ends = [(1, 1) if a == axis else (0, 0) for a in range(len(shape))]
            total = total - jnp.diff(jnp.pad(flow, ends), axis=axis)
        return total.ravel()

    return slope


def by_diffrax(solver: str, fourier: bool, problem: Problem, cells: int, rtol: float) -> Masses:
    import diffrax
    import jax

    jax.config.update("jax_enable_x64", True)
    slope = fourier_slope(problem, cells, jax.numpy) if fourier else fitted_slope(problem, cells, jax)
    if fourier and len(problem.lower) == 1:
        still, tilted = map(jax.numpy.asarray, fourier_matrices(problem, cells))
        tilt = lambda t: problem.amplitude * jax.numpy.sin(2 * np.pi * t / problem.period)
        slope = lambda t, p: still @ p + tilt(t) * (tilted @ p)
    p = problem.points(cells) if fourier else problem.masses(cells)

    @jax.jit
    def solve(start):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, p, _: slope(t, p)),
            getattr(diffrax, solver)(),
            0.0,
            problem.end,
            1e-5,
            start,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=rtol / p.size),
            max_steps=None,
            adjoint=diffrax.ForwardMode(),
        ).ys[-1]

    start = jax.numpy.asarray(p.ravel())
    compiled = solve.lower(start).compile()

    def run() -> np.ndarray:
        end = np.asarray(compiled(start).block_until_ready()).reshape(p.shape)
        return finer(problem, end) if fourier else end

    return run


def by_pypde(implicit: bool, problem: Problem, cells: int, tolerance: float) -> Masses:
    import pde

    p, names = problem.masses(cells), "xy"[: len(problem.lower)]
    grid = pde.CartesianGrid(list(zip(problem.lower, problem.upper)), list(p.shape))
    drift = problem.drift(np, *problem.places(cells))
    terms = [f"- d_d{a}(f{a} * p) + {D} * d2_d{a}2(p)" for a, D in zip(names, problem.diffusion)]
    if problem.amplitude:
        terms.append(f"- {problem.amplitude} * sin({2 * math.pi / problem.period} * t) * d_dx(p)")
    fields = {f"f{a}": pde.ScalarField(grid, f) for a, f in zip(names, drift)}
    equation = pde.PDE(
        {"p": " ".join(terms)},
        bc={"derivative": 0},
        bc_ops={f"p:d_d{a}": {"value": 0} for a in names},
        consts=fields,
    )
    volume = math.prod(problem.widths(cells))
    state = pde.ScalarField(grid, p / volume)
    if implicit:
        solver = pde.ScipySolver(equation, method="BDF", backend="numpy", rtol=tolerance, atol=tolerance)
        step = None
    else:
        solver = pde.RungeKuttaSolver(equation, adaptive=True, tolerance=tolerance, backend="numba")
        step = 1e-6
    stepper = solver.make_stepper(state, dt=step)
    stepper(state.copy(), 0.0, 1e-6)  # compiles

    def run() -> np.ndarray:
        end = state.copy()
        result = stepper(end, 0.0, problem.end)
        return np.asarray((result if isinstance(result, pde.ScalarField) else end).data) * volume

    return run


def by_fipy(problem: Problem, cells: int, steps: float) -> Masses:
    import fipy

    p, widths, inertia = problem.masses(cells), problem.widths(cells), problem.potential is None
    counts = dict(zip(("nx", "ny"), p.shape)) | dict(zip(("dx", "dy"), widths))
    mesh = (fipy.Grid1D if p.ndim == 1 else fipy.Grid2D)(**counts) + [[a] for a in problem.lower]
    faces = np.asarray(mesh.faceCenters)
    drift = np.array(problem.drift(np, *faces))
    coefficient = [np.diag(problem.diffusion).tolist()] if inertia else problem.diffusion[0]
    convection = fipy.CentralDifferenceConvectionTerm if inertia else fipy.ExponentialConvectionTerm
    velocity = fipy.FaceVariable(mesh=mesh, rank=1, value=drift)
    equation = fipy.TransientTerm() + convection(velocity) == fipy.DiffusionTerm(coefficient)
    solver = fipy.LinearLUSolver()

    def euler(count: int) -> np.ndarray:
        density = fipy.CellVariable(mesh=mesh, value=p.T.ravel() / math.prod(widths), hasOld=True)
        dt = problem.end / count
        for step in range(count):
            moved = drift.copy()
            moved[0] += problem.tilt((step + 1) * dt)
            moved[:, np.asarray(mesh.exteriorFaces)] = 0
            velocity.setValue(moved)
            density.updateOld()
            equation.solve(var=density, dt=dt, solver=solver)
        return np.asarray(density.value).reshape(p.T.shape).T * math.prod(widths)

    return lambda: 2 * euler(2 * int(steps)) - euler(int(steps))


METHODS: dict[str, typing.Callable[[Problem, int, float], Masses]] = {
    "SciPy, fitted fluxes, BDF": fitted_bdf,
    "SciPy, Fourier, BDF": fourier_bdf,
    "SciPy, Fourier, Magnus": fourier_magnus,
    "SciPy, Fourier, split steps": fourier_split,
    "SciPy, Fourier, explicit": fourier_explicit,
    "diffrax, fitted fluxes, Kvaerno5": functools.partial(by_diffrax, "Kvaerno5", False),
    "diffrax, Fourier, Kvaerno5": functools.partial(by_diffrax, "Kvaerno5", True),
    "diffrax, fitted fluxes, Tsit5": functools.partial(by_diffrax, "Tsit5", False),
    "diffrax, Fourier, Tsit5": functools.partial(by_diffrax, "Tsit5", True),
    "py-pde, explicit": functools.partial(by_pypde, False),
    "py-pde, SciPy's BDF": functools.partial(by_pypde, True),
    "FiPy, implicit Euler, extrapolated": by_fipy,
}
