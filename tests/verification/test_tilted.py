#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Scaled cumulants against Fourier series and closed forms. On a ring, backward generators are small matrices in
exp(i k x): their eigenvalues, their exponentials over a while, and products of these over a period, in NumPy.
fare-test: labels=verification timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any, Callable

import h5py
import numpy as np

from checks import conclude, expect, fare

HEIGHT, FORCE, KT, MODES = 2.0, 1.0, 0.5, 20


def solve(
    where: pathlib.Path,
    system: str,
    cells: str,
    analysis: str,
    more: str = "",
    scheme: str = "auto",
    ranks: int = 1,
) -> Any:
    """The group of the one analysis `a` of a study that ends as soon as it begins."""
    (where / "study.yaml").write_text(
        f"study: tilted\nseed: 1\nsystem: {system}\n{more}initial: {{density: uniform}}\n"
        f"snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\ntruth: {{cells: [{cells}], estimate: false, "
        f"scheme: {scheme}}}\nanalysis: [{{name: a, kind: tilted, {analysis}}}]\n"
    )
    pauses = ("--checkpoint-seconds", "0.1") if ranks > 1 else ()  # with a checkpoint each, on all ranks
    run = fare(where, "run", "study.yaml", "--overwrite", "--no-report", *pauses, ranks=ranks)
    if run.returncode:
        raise SystemExit(run.stderr)
    with h5py.File(where / "out/tilted/study.h5") as file:
        group = file["analysis/a"]
        return {name: item[...] for name, item in group.items() if isinstance(item, h5py.Dataset)} | {
            name: item[...] for name, item in group.get("meshes", {}).items()
        }


def within(name: str, found: Any, key: str, expected: np.ndarray, absolute: float) -> None:
    """Values are as exact as `absolute` says; bars cover them and are no more than 30 times as wide."""
    for i, value in enumerate(np.ravel(found[key])):
        error, off = np.ravel(found[key + "_error"])[i], abs(value - np.ravel(expected)[i])
        print(f"{name}: {key} {i} {value:.12g}, off {off:.1e}, bar {error:.1e}", flush=True)
        expect(off <= absolute, f"{name}: {key} {i} is off by {off:.1e}", value)
        expect(
            off <= 1.5 * error + 2e-12, f"{name}: {key} {i}: the bar {error:.1e} is too small for {off:.1e}"
        )
        expect(error <= 30 * absolute, f"{name}: {key} {i}: the bar {error:.1e} is too wide")


def washboard(force: float = FORCE, height: float = HEIGHT) -> str:
    return f"{{name: tilted_washboard, parameters: {{height: {height}, force: {force}, kT: {KT}}}}}"


def times(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The matrix that multiplies by a function, of the coefficients of exp(i k x), |k| <= MODES."""
    x = np.linspace(0, 2 * np.pi, 8 * MODES, endpoint=False)
    c = np.fft.fft(function(x)) / len(x)
    k = np.arange(-MODES, MODES + 1)
    return c[(k[:, None] - k[None, :]) % len(x)]


def generator(s: float, of: str, height: float = HEIGHT, force: float = FORCE) -> np.ndarray:
    """D (d + s w)^2 + F (d + s w), w = 1 for displacement and F for heat."""
    d = np.diag(1j * np.arange(-MODES, MODES + 1))
    F = times(lambda x: force - height * np.sin(x))
    d = d + s * (F if of != "displacement" else np.eye(len(F)))
    return KT * d @ d + F @ d


def exponential(A: np.ndarray) -> np.ndarray:
    """exp(A) by its series, squared."""
    halvings = max(0, int(np.ceil(np.log2(np.abs(A).sum(0).max()))) + 2)
    term = result = np.eye(len(A), dtype=complex)
    for k in range(1, 13):
        term = term @ A / (2**halvings * k)
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result


def slope_of(psi: Callable[[float], float], s: float, h: float = 1e-2) -> float:
    d = [psi(s + k * h) - psi(s - k * h) for k in (1, 2, 3)]
    return (45 * d[0] - 9 * d[1] + d[2]) / (60 * h)


def stationary_coefficients() -> np.ndarray:
    """<p exp(i k x)> of the stationary density p: the left null vector."""
    value, vector = np.linalg.eig(generator(0, "displacement").T)
    p = vector[:, np.argmin(abs(value))]
    return p / p[MODES]


def steady(s: float, of: str) -> tuple[float, float]:
    """The largest eigenvalue, and its slope by left and right vectors: the generator is quadratic in s."""
    value, right = np.linalg.eig(generator(s, of))
    other, left = np.linalg.eig(generator(s, of).T)
    r, l = right[:, value.real.argmax()], left[:, other.real.argmax()]
    change = (generator(s + 1, of) - generator(s - 1, of)) / 2
    return value.real.max(), (l @ change @ r / (l @ r)).real


def steady_numbers(of: str, tilts: list[float]) -> tuple[np.ndarray, ...]:
    p, a = np.array([steady(s, of) for s in tilts]).T
    return p, a, np.array(tilts) * a - p


def numbers(psi: Callable[[float], float], tilts: list[float]) -> tuple[np.ndarray, ...]:
    p = np.array([psi(s) for s in tilts])
    a = np.array([slope_of(psi, s) for s in tilts])
    return p, a, np.array(tilts) * a - p


def all_within(name: str, found: Any, expected: tuple[np.ndarray, ...], absolute: float) -> None:
    for key, value in zip(("psi", "slope", "rate_function"), expected):
        within(name, found, key, value, absolute if key == "psi" else 5 * absolute)


def for_all_times(where: pathlib.Path) -> None:
    known = {-1.5: -0.015243992563, -1.0: -0.015906604435, -0.5: -0.015243992563, 0.5: 0.190853557804}
    tilts = [*known, 1.0]
    known[1.0] = 0.827497575160
    expected = steady_numbers("displacement", tilts)
    for k, s in enumerate(tilts):
        expect(abs(expected[0][k] - known[s]) < 2e-12, f"Fourier at {s}", expected[0][k])
    for scheme, cells, absolute in (("fitted", 512, 2e-5), ("high_order", 256, 1e-10)):
        found = solve(where, washboard(), str(cells), f"of: displacement, tilts: {tilts}", scheme=scheme)
        all_within(f"displacement, {scheme}", found, expected, absolute)
    expected = steady_numbers("heat", [-1.5, 0.5])
    for of, unit in (("heat", 1.0), ("work", 1.0), ("entropy", KT)):
        found = solve(
            where, washboard(), "256", f"of: {of}, tilts: [{-1.5 * unit}, {0.5 * unit}]", scheme="high_order"
        )
        within(of, found, "psi", expected[0], 1e-10)
        within(of, found, "slope", expected[1] / unit, 1e-9)


def the_driven_process(where: pathlib.Path) -> None:
    """Its drift f + 2D (s + r'/r): the mean of it in the tilted process is the slope."""
    found = solve(where, washboard(), "512", "of: displacement, tilts: [0.5], force: true")
    value, vector = np.linalg.eig(generator(0.5, "displacement"))
    r = vector[:, np.argmax(value.real)]
    k = np.arange(-MODES, MODES + 1)
    x = -np.pi + 2 * np.pi * (np.arange(512) + 0.5) / 512
    wave = np.exp(1j * np.outer(x, k))
    drift = FORCE - HEIGHT * np.sin(x) + 2 * KT * (0.5 + (wave @ (1j * k * r) / (wave @ r)).real)
    off = np.abs(found["force_x_0"] - drift).max()
    expect(off < 1e-3, f"the drift of the driven process is off by {off:.1e}")


def for_a_while(where: pathlib.Path) -> None:
    duration, tilts, begin = 2.0, [-0.8, 0.5], stationary_coefficients()
    places = np.array([-1.0, 2.0])
    waves = np.exp(1j * np.outer(places, np.arange(-MODES, MODES + 1)))

    def coefficients(s: float, of: str) -> np.ndarray:
        u = np.zeros(2 * MODES + 1, complex)
        u[MODES] = 1
        if of == "work":
            u = times(lambda x: np.exp(-s * HEIGHT * np.cos(x))) @ u
        u = exponential(duration * generator(s, of)) @ u
        return times(lambda x: np.exp(s * HEIGHT * np.cos(x))) @ u if of == "work" else u

    for of, more in (("displacement", f", points: {list(places)}"), ("heat", ""), ("work", "")):

        def psi(s: float, of: str = of) -> float:
            return np.log((begin @ coefficients(s, of)).real) / duration

        found = solve(where, washboard(), "256", f"of: {of}, tilts: {tilts}, duration: {duration}{more}")
        all_within(f"{of} for a while", found, numbers(psi, tilts), 2e-4)
        if more:
            expected = np.array([np.log((waves @ coefficients(s, of)).real) / duration for s in tilts])
            within(f"{of} for a while", found, "psi_from", expected, 2e-4)


def jarzynski(where: pathlib.Path) -> None:
    """<exp(-W/kT)> = Z(end)/Z(start), whatever the drive."""
    drive = "drive: [{parameter: stiffness, waveform: ramp, amplitude: 1.0, end: 1.5}]\n"
    system = "{name: ornstein_uhlenbeck, parameters: {kT: 0.7}}"
    found = solve(
        where, system, "512", f"of: work, tilts: [{-1 / 0.7}], duration: 1.5, weight: boltzmann", drive
    )
    within("Jarzynski", found, "psi", np.array([-0.5 * np.log(2.0) / 1.5]), 1e-3)


def for_a_drive(where: pathlib.Path) -> None:
    """The largest multiplier of a period, by midpoint exponentials of two widths, extrapolated."""
    period, tilts = 1.5, [-0.8, 0.5]
    drive = f"drive: [{{parameter: height, waveform: sine, amplitude: 1.0, period: {period}}}]\n"

    def product(s: float, of: str, steps: int) -> float:
        total = np.eye(2 * MODES + 1, dtype=complex)
        for n in range(steps):
            height = HEIGHT + np.sin(2 * np.pi * (n + 0.5) / steps)
            total = total @ exponential(period / steps * generator(s, of, height))
        return np.log(np.abs(np.linalg.eigvals(total)).max()) / period

    for of in ("displacement", "heat"):

        def psi(s: float, of: str = of) -> float:
            return (64 * product(s, of, 48) - 20 * product(s, of, 24) + product(s, of, 12)) / 45

        found = solve(where, washboard(), "256", f"of: {of}, tilts: {tilts}, period: {period}", drive)
        within(f"{of}, driven", found, "psi", np.array([psi(s) for s in tilts]), 2e-4)
        if of == "heat":
            all_within(f"{of}, driven", found, numbers(psi, tilts), 2e-4)


def closed_forms(where: pathlib.Path) -> None:
    tilts = np.array([-1.0, -0.25, 0.1, 0.2])
    root = np.sqrt(1 - 4 * tilts)
    found = solve(
        where, "{name: ornstein_uhlenbeck}", "512", f"of: moment, tilts: {list(tilts)}", scheme="fitted"
    )
    within("integral of x^2", found, "psi", (1 - root) / 2, 2e-4)
    within("integral of x^2", found, "slope", 1 / root, 5e-3)
    # activity of an Ornstein-Uhlenbeck process: x^2/4 - 1/2
    found = solve(where, "{name: ornstein_uhlenbeck}", "512", "of: activity, tilts: [0.4, -2.0]")
    s = np.array([0.4, -2.0])
    within("activity", found, "psi", (1 - np.sqrt(1 - s)) / 2 - s / 2, 1e-4)
    # symmetric wells: time on the right and on the left add up to all of it
    tilts = np.array([-0.1, -0.01, 0.01, 0.1])
    found = solve(
        where,
        "{name: double_well, parameters: {kT: 0.25}}",
        "512",
        f"of: occupation, region: {{lower: [0.0]}}, tilts: {list(tilts)}",
    )
    expected = np.array([0.087142504 - 0.1, 0.005812456 - 0.01, 0.005812456, 0.087142504])
    within("time on the right", found, "psi", expected, 1e-5)


def cloned(where: pathlib.Path) -> None:
    """Walkers that are cloned, beside the exact psi: steered they hardly err, 10 of them alone are biased."""
    more = "walkers: 50, resample: 0.1, burn: 4.0, runs: 8, control_cells: 48"
    well = "{name: double_well, parameters: {kT: 0.5}}"
    for system, dt, of, s, most in (
        (washboard(), 5e-3, "displacement", -1.5, 1e-3),
        (washboard(), 1e-3, "heat", 0.5, 5e-3),
        (well, 5e-3, "occupation, region: {lower: [0.0]}", 0.5, 5e-3),
        ("{name: ornstein_uhlenbeck}", 5e-3, "moment", -0.5, 5e-3),
    ):
        analysis = f"of: {of}, tilts: [{s}], clones: {{dt: {dt}, duration: {20 if dt > 1e-3 else 8}, {more}}}"
        found = solve(where, system, "256", analysis)
        z, error = found["clones_z"][0], found["clones_error"][0]
        print(f"cloned {of}: {found['clones'][0]:.6f} +- {error:.6f}, z {z:.2f}", flush=True)
        expect(abs(z) < 4, f"cloned {of}: z {z:.2f}", found["clones"])
        expect(0 < error < most, f"cloned {of}: a standard error of {error:.1e}")
        expect(found["families"][0] > 25, f"cloned {of}: few families", found["families"])
        off = found["clones_slope"][0] - found["slope"][0]
        expect(abs(off) < 5 * found["clones_slope_error"][0], f"cloned {of}: the slope is off by {off:.2e}")
        if of != "displacement":
            continue
        again = solve(where, system, "256", analysis, ranks=3)
        expect(again["clones"][0] == found["clones"][0], f"cloned {of}: the same on three ranks")
    keys = "walkers: 10, dt: 5.0e-3, resample: 0.1, duration: 200.0, burn: 10.0, runs: 10"
    found = solve(where, washboard(), "256", f"of: displacement, tilts: [-1.5], clones: {{{keys}}}")
    few, error = found["clones_few"][0], found["clones_few_error"][0]
    expect(abs(few + 0.0975) < 4 * np.hypot(error, 0.0028), f"10 walkers: {few:.4f} +- {error:.4f}")
    expect(few < found["psi"][0] - 5 * error, "10 walkers are biased, and it shows")


def the_chain_that_is_cloned(where: pathlib.Path) -> None:
    """Heun's chain of dx = -x dt + sqrt(2) dW and A = sum dt (x^2 + y^2)/2: exp(c x^2 + d) stays one of its kind."""
    s, dt, burn, duration, low, high = -0.8, 0.04, 0.4, 2.0, -8.0, 9.0
    keys = f"walkers: 10, runs: 2, dt: {dt}, burn: {burn}, duration: {duration}, resample: 0.08"
    analysis = f"of: moment, tilts: [{s}], clones: {{{keys}}}"
    box = f"64], lower: [{low}], upper: [{high}"
    found = solve(where, "{name: ornstein_uhlenbeck}", box, analysis)
    a, b2 = 1 - dt + dt * dt / 2, 2 * dt * (1 - dt / 2) ** 2
    x, c, d, logs = np.linspace(low, high, 100001), 0.0, 0.0, [0.0]
    for _ in range(round((burn + duration) / dt)):
        e = c + s * dt / 2
        c, d = s * dt / 2 + e * a * a / (1 - 2 * b2 * e), d - 0.5 * np.log(1 - 2 * b2 * e)
        logs.append(d + np.log(np.mean(np.exp(c * x * x))))
    expected = (logs[-1] - logs[round(burn / dt)]) / duration
    value, error = found["clones_chain"][0], found["clones_chain_error"][0]
    print(f"the chain: {value:.9f} +- {error:.1e}, {expected:.9f}", flush=True)
    expect(abs(value - expected) < 1e-7, "the chain that is cloned", (value, expected))
    expect(0 < error < 1e-6, "its error", error)
    expect(abs(value - found["psi"][0]) > 0.01, "it is not that of continuous time without end", found["psi"])

    s, force = -20.0, 1.0
    keys = "walkers: 10, runs: 2, dt: 0.1, duration: 1.0, resample: 0.1"
    found = solve(where, washboard(force, 0.0), "64", f"of: displacement, tilts: [{s}], clones: {{{keys}}}")
    value, error = found["clones_chain"][0], found["clones_chain_error"][0]
    off = value - (s * s * KT + s * force)
    print(f"free steps whose weights move them by six deviations: {value:.9f} +- {error:.1e}, off {off:.1e}")
    expect(abs(off) < 1e-8, "the chain of free steps under a strong tilt", (value, error))


def refusals(where: pathlib.Path) -> None:
    for analysis, system, said in (
        ("of: activity, activity: jumps, tilts: [0.1]", washboard(), "grows with the cells"),
        ("of: displacement, tilts: [0.1]", "{name: double_well}", "psi is 0 for all tilts"),
        ("of: heat, tilts: [0.1]", "{name: maier_stein}", "take 'entropy'"),
        ("of: entropy, tilts: [0.1]", "{name: kramers_double_well}", "no diffusion"),
        ("of: occupation, tilts: [0.1]", washboard(), "missing key 'region'"),
        ("of: displacement, tilts: [0.1], axis: q", washboard(), "no axis 'q'"),
        ("of: displacement, tilts: []", washboard(), "1 to 64 tilts"),
        ("of: displacement, tilts: [0.1], period: 1.0", washboard(), "no parameter is driven"),
        ("of: displacement, tilts: [0.1], points: [0.0]", washboard(), "a duration alone"),
        ("of: displacement, tilts: [0.1], duration: 1.0, force: true", washboard(), "without end"),
        ("of: displacement, tilts: [0.1], clones: {walkers: 50}", washboard(), "missing key 'dt'"),
        ("of: activity, tilts: [0.1], clones: {dt: 0.1, duration: 1.0}", washboard(), "divergence"),
    ):
        cells = "64, 64" if "maier" in system or "kramers" in system else "64"
        (where / "bad.yaml").write_text(
            f"study: bad\nsystem: {system}\ninitial: {{density: uniform}}\nsnapshots: {{start: 0.0, end: 1.0,"
            f" count: 2}}\ntruth: {{cells: [{cells}]}}\nanalysis: [{{name: a, kind: tilted, {analysis}}}]\n"
        )
        run = fare(where, "run", "bad.yaml", "--overwrite")
        expect(run.returncode == 2 and said in run.stderr, f"{analysis}: {run.returncode}", run.stderr)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        where = pathlib.Path(name)
        for_all_times(where)
        the_driven_process(where)
        for_a_while(where)
        jarzynski(where)
        for_a_drive(where)
        closed_forms(where)
        cloned(where)
        the_chain_that_is_cloned(where)
        refusals(where)
    sys.exit(conclude())


main()
