#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Makes the figures, the printed output and the costs in docs/tutorial and docs/gallery.md anew:

    docs/figures.py [--runs DIRECTORY] [NAME ...]

A name is that of a file in docs/tutorial or input, without .yaml, as in rare/double_well. None means all, about half an hour of one core, but
generator_spectrum: its figure is that of docs/generators.md. Each study runs on one rank in DIRECTORY (default:
build/book). One that has run there before is only drawn again.
"""
from __future__ import annotations

import argparse
import csv
import functools
import io
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any, Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "postproc"))

import h5py
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import fare

FARE = os.environ.get("FARE_COMMAND", str(ROOT / "build/bin/fare"))
LARGEST = 60_000  # bytes of a figure
COST = "Cost: {seconds} on one core, {memory:.0f} MiB of memory."


SHORTER = {
    "prinz_driven_large": [
        "ensembles.langevin.particles=1e6",
        "ensembles.langevin.dt=1.0e-3",
        "ensembles.boltzmann.particles=2e4",
        "ensembles.diffusion.particles=5000",
        "ensembles.diffusion.steps=500",
    ],
    "spectrum_2d": [
        (
            "ensembles=[{name: langevin, sampler: langevin, particles: 100000, dt: 5.0e-3, integrator: heun},"
            " {name: boltzmann, sampler: boltzmann, particles: 100000, sweeps: 160}]"
        ),
        "record.particles=100000",
    ],
}  # what gallery.md says of a study that would take more than five minutes
BEFORE = {"swift_2d_run": "swift_2d"}  # a study whose results another one reads, as `system.file`
BESIDE = {
    "swift_2d_run": {"system.parameters.assist": 0.0, "output.directory": "out/swift_2d_alone"}
}  # the same with other values, drawn beside it


def panels(count: int, width: float = 7.6, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    fig = Figure(figsize=(width, height))
    return fig, list(np.atleast_1d(fig.subplots(1, count)))


def measure_panel(ax: Axes, study: fare.Study) -> None:
    """The first measure of each ensemble's samples over time, above the noise floor in grey."""
    measures, shades = study.measures, fare.plot.colours(study.results)
    name = fare.plot.headline(study.results)
    for ensemble in study.ensembles:
        one = measures.sel(measure=name, comparison=ensemble)
        ax.plot(one.time, one.value.where(one.value > 0), color=shades[ensemble], label=ensemble)
        ax.plot(one.time, one.floor_mean, color="#888888", ls=":", lw=1)
    ax.plot([], [], color="#888888", ls=":", lw=1, label="noise floor")
    ax.set(xlabel="time t", yscale="log", ylabel=name)
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, fontsize=8, columnspacing=1, handlelength=1.3
    )


def of_report(name: str) -> Callable[[fare.Study], Figure]:
    """A figure as the report has it."""
    return lambda study: fare.plot.figure(study, name)


def over_time(study: fare.Study) -> Figure:
    """One axis: the truth over time, and how far the ensembles are from it."""
    fig, axes = panels(2)
    fare.plot.density(study, ax=axes[0])
    measure_panel(axes[1], study)
    return fig


def truth_and_model(study: fare.Study) -> Figure:
    """One axis: the truth and equilibrium sampling over time, and how far the ensembles are from the truth."""
    fig, axes = panels(3, 9.6, 2.6)
    fare.plot.density(study, ax=axes[0], colorbar=False)
    fare.plot.density(study, "boltzmann", ax=axes[1], colorbar=False)
    limits = np.array([ax.get_ylim() for ax in axes[:2]])
    for ax in axes[:2]:
        ax.set(ylim=(limits.min(), limits.max()), facecolor=matplotlib.colormaps["viridis"](0.0))
    measure_panel(axes[2], study)
    return fig


def planes(study: fare.Study, times: tuple[float, ...] = ()) -> Figure:
    """Two axes, or the first two of three: the truth at three times, and how far the ensembles are from it."""
    fig, axes = panels(4, 9.6, 2.4)
    density = study.snapshots.density
    names = [str(name) for name in density.dims[1:]]
    for name in names[2:]:
        density = density.sum(name) * float(density[name][1] - density[name][0])
    if not times:
        last = float(density.time[-1])
        times = (0.0, 0.5 * last, last)
    for ax, time in zip(axes, times):
        at = density.sel(time=time, method="nearest")
        values = np.asarray(at)
        seen = [np.flatnonzero(values.max(1 - axis) > 1e-4 * values.max()) for axis in (0, 1)]
        x, y = (np.asarray(density[name]) for name in names[:2])
        ax.pcolormesh(x, y, values.T, cmap="viridis", rasterized=True, shading="nearest")
        ax.set(
            xlabel=names[0],
            ylabel=names[1] if ax is axes[0] else "",
            title=f"t = {float(at.time):.3g}",
        )
        ax.grid(False)
        ax.seen = x[seen[0][[0, -1]]], y[seen[1][[0, -1]]]
    for axis, limits in enumerate(zip(*(ax.seen for ax in axes[:3]))):
        for ax in axes[:3]:
            (ax.set_xlim, ax.set_ylim)[axis](min(low for low, _ in limits), max(high for _, high in limits))
    measure_panel(axes[3], study)
    return fig


def cloud(study: fare.Study) -> Figure:
    """Particles of the only ensemble, without a truth."""
    fig, axes = panels(4, 9.6, 2.4)
    places = study.particles("langevin").position
    for ax, time in zip(axes, (0.0, 0.4, 1.0, 4.0)):
        at = places.sel(time=time, method="nearest")[:4000]
        ax.plot(at.sel(axis="x"), at.sel(axis="z"), ",", color="#4477aa", rasterized=True)
        ax.set(xlim=(-25, 25), ylim=(-2, 55), xlabel="x", title=f"t = {float(at.time):.3g}")
    axes[0].set_ylabel("z")
    return fig


def curve(ax: Axes, study: fare.Study, path: str, **style: Any) -> None:
    """A quantity of an analysis along the first axis."""
    with h5py.File(study.results.path) as file:
        mesh = file[f"analysis/{path}"]
        x = mesh.attrs["gridGlobalOffset"][0] + mesh.attrs["gridSpacing"][0] * (np.arange(len(mesh)) + 0.5)
        ax.plot(x, mesh[...], **style)
    ax.set_xlabel("x")


def analyses(study: fare.Study) -> Figure:
    fig, axes = panels(3, 9.6, 2.5)
    curve(axes[0], study, "reaction/meshes/committor")
    axes[0].set(title="committor", xlim=(-1.2, 1.2))
    curve(axes[1], study, "over/meshes/passage_time")
    axes[1].set(title="mean first-passage time", xlim=(-1.2, 1.2))
    curve(axes[2], study, "cycle/meshes/density")
    axes[2].set(title="periodic state, start of a period", xlim=(-1.2, 1.2))
    return fig


def committors(study: fare.Study) -> Figure:
    fig, axes = panels(3, 9.6, 2.5)
    for k, shade in enumerate(matplotlib.colormaps["turbo"](np.linspace(0.05, 0.95, 8))):
        curve(axes[0], study, f"driven/meshes/committor_{k}", color=shade, lw=1, label=f"t = {k / 8:.3g}")
    curve(axes[0], study, "frozen/meshes/committor", color="k", ls="--", lw=1, label="frozen")
    axes[0].set(title="committor, by start time", xlim=(-0.7, 0.7))
    axes[0].legend(fontsize=6, handlelength=1)
    with h5py.File(study.results.path) as file:
        over = file["analysis/over"]
        axes[1].plot(over["starts"][...], over["mean"][...], "o-")
        axes[1].set(title="mean first-passage time", xlabel="start time")
        axes[2].plot(over["survival_times"][...], over["passage_density"][...])
        axes[2].set(title="density of passage times", xlabel="t")
    return fig


def steering(study: fare.Study) -> Figure:
    """Density and control over time, and what other controls lose."""
    fig, axes = panels(3, 9.6, 2.7)
    with h5py.File(study.results.path) as file:
        found = file["analysis/steer"]
        times, meshes = found["moments"][...], found["meshes"]
        lower, width = (meshes["value_0"].attrs[key][0] for key in ("gridGlobalOffset", "gridSpacing"))
        density, value = (
            np.array([meshes[f"{name}_{k}"][...] for k in range(len(times))]) for name in ("density", "value")
        )
        excess = {
            kind: (found[f"excess_{kind}"][...], found[f"excess_{kind}_error"][...])
            for kind in ("zero", "linear", "learned", "exact")
        }
    x = lower + width * (np.arange(density.shape[1]) + 0.5)
    seen = (x > -1.8) & (x < 1.8)
    push = -2 * np.gradient(value[:-1], width, axis=1)
    for ax, values, shades, limit in ((axes[0], density, "viridis", None), (axes[1], push, "RdBu_r", 15)):
        at = times[: len(values)]
        drawn = ax.pcolormesh(
            at,
            x[seen],
            values[:, seen].T,
            cmap=shades,
            vmin=limit and -limit,
            vmax=limit,
            rasterized=True,
            shading="nearest",
        )
        fig.colorbar(drawn, ax=ax)
        ax.grid(False)
        ax.set(xlabel="time t", ylabel="x", title="density" if limit is None else "control u")
    for place, (kind, (values, errors)) in enumerate(excess.items()):
        at = place + np.linspace(-0.1, 0.1, len(values)) * (len(values) > 1)
        axes[2].errorbar(at, abs(values), errors, fmt="o", color="#4477aa")
    axes[2].set(
        yscale="log", xticks=range(4), xticklabels=list(excess), title="lost beyond the least cost, nats"
    )
    return fig


def force_found(study: fare.Study) -> Figure:
    """The friction against the parameter, and what the potential of the force is where it is 0."""
    fig, axes = panels(2)
    with h5py.File(study.results.path) as file:
        found = file["analysis/swift"]
        axes[0].plot(found["values"][...], found["friction"][...], "o-", ms=3)
        cells = [int(n) for n in found["cells"][...]]
        lower, upper = found["lower"][...], found["upper"][...]
        coefficients = found["field_push"][...].reshape(-1, *reversed(cells))
    middle = sum(value * np.cos(k * np.pi / 2) for k, value in enumerate(coefficients))
    edges = [np.linspace(lower[axis], upper[axis], cells[axis] + 1) for axis in range(2)]
    axes[0].set(xlabel="push", ylabel="friction")
    axes[0].set_ylim(bottom=0)
    shown = axes[1].pcolormesh(*edges, middle, cmap="RdBu_r", rasterized=True)
    axes[1].set(xlabel="x", ylabel="y", title="φ at push = 0")
    axes[1].grid(False)
    fig.colorbar(shown, ax=axes[1])
    return fig


def followed(study: fare.Study) -> Figure:
    """Two axes: the density under a fast drive, with the force and without."""
    fig = Figure(figsize=(7.6, 5.0))
    axes = fig.subplots(2, 3, sharex=True, sharey=True)
    alone = fare.open(pathlib.Path(study.results.path).parent.with_name("swift_2d_alone"))
    for row, name, one in zip(axes, ("with the force", "without"), (study, alone)):
        density = one.snapshots.density
        for ax, time in zip(row, (0.0, 0.2, 0.4)):
            at = density.sel(time=time, method="nearest")
            ax.pcolormesh(at.x, at.y, np.asarray(at).T, cmap="viridis", rasterized=True, shading="nearest")
            ax.set(title=f"{name}, t = {time:g}", xlim=(-2, 2), ylim=(-2, 2))
            ax.grid(False)
    fig.tight_layout()
    return fig


def work(study: fare.Study) -> Figure:
    fig, axes = panels(2, 9.0, 2.6)
    fare.plot.density(study, ax=axes[0])
    fare.plot.thermodynamics(study, ax=axes[1])
    axes[1].legend(fontsize=7)
    return fig


def swept(name: str) -> Callable[[fare.Sweep], Figure]:
    return lambda sweep: fare.plot.sweep_figure(sweep, name)


def error(study: fare.Study) -> Figure:
    fig, axes = panels(1, 5.6, 2.8)
    fare.plot.truth_error(study, ax=axes[0])
    axes[0].set(ylim=(1e-7, 1e-3), ylabel="estimated L1 error")
    return fig


LEAST_MASS = 1e-6  # of a bin whose current counts


def dissipation(masses: np.ndarray, width: float, times: np.ndarray, D: float) -> float:
    """Entropy production along one axis, by differences between snapshots: the sum of J^2/(D p) over faces and time,
    J from the mass that has crossed a face.
    """
    current = -np.diff(np.cumsum(masses, 1), axis=0)[:, :-1] / np.diff(times)[:, None]
    both = masses[1:] + masses[:-1]
    faces = 0.25 * (both[:, 1:] + both[:, :-1]) / width
    held = faces * width > LEAST_MASS
    rate = (current**2 / (D * np.where(held, faces, np.inf))).sum(1) * width
    return float(rate @ np.diff(times))


def dissipations(study: fare.Study, coarse: int = 8, D: float = 0.7) -> dict[str, float]:
    """Of the truth and of all ensembles, over the same bins."""
    with h5py.File(study.directory / "study.h5") as file:
        binned = file["binned"]
        x, times = binned["x"][()], binned["time"][()]
        found = {name: binned[name][()] for name in binned if name not in ("x", "time")}
    said = {}
    for name, of in found.items():
        masses = of.reshape(len(times), -1, coarse).sum(2)
        said[name] = dissipation(masses / masses.sum(1, keepdims=True), coarse * float(x[1] - x[0]), times, D)
    return said


def learned_dissipations(study: fare.Study) -> dict[str, float]:
    """Of learned densities, over the truth's on the same stencil between snapshots."""
    sums: dict[str, list[float]] = {}
    with (study.directory / "dynamics.csv").open() as file:
        for row in csv.DictReader(file):
            of = sums.setdefault(row["ensemble"], [0.0, 0.0])
            of[0] += float(row["production"])
            of[1] += float(row["production_truth"])
    return {name: learned / exact for name, (learned, exact) in sums.items()}


def prior_panels(name: str) -> tuple[tuple[int, ...], str, str]:
    """Which panels an ensemble is in, its kind of prior, and its line."""
    if name.startswith("ceiling"):
        return (0, 1, 2), name.replace("ceiling_", "").replace("ceiling", "right"), "--"
    if name.startswith("ebm"):
        return (1, 2), name.replace("ebm_", "").replace("ebm", "none"), "-"
    return (0,), name, "-"


def data_efficiency(sweep: fare.Sweep) -> Figure:
    """Error against the number of training particles, and the dissipation of what was learned."""
    fig, axes = panels(3, 12.0, 3.4)
    key = "ensembles.0.train.particles"
    shades = {"none": "#888888", "noise": "C2", "right": "C0", "wrong": "C3", "learned": "C4", "least": "C1"}
    found: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for point, study in sweep.studies.items():
        count = float(sweep.points[key][point])
        said = dissipations(study)
        truth = said.pop("truth")
        ratios = {name: value / truth for name, value in said.items()} | learned_dissipations(study)
        for name, value in ratios.items():
            if f"{name}_density" in said:  # which has no noise
                continue
            one = study.measures.sel(measure="kl", comparison=name)
            excess = float((one.value - one.floor_mean.fillna(0)).mean())
            name = name.replace("_density", "")
            found.setdefault(name, {}).setdefault(count, []).append((excess, ratios.get(name, value)))
    for name, of in found.items():
        where, kind, line = prior_panels(name)
        for k in where:
            column = 1 if k == 2 else 0
            for count, pairs in of.items():
                axes[k].plot(
                    [count] * len(pairs), [pair[column] for pair in pairs], "o", ms=3, color=shades[kind]
                )
            means = [np.mean([pair[column] for pair in of[count]]) for count in sorted(of)]
            label = f"ceiling, {kind}" if line == "--" else kind
            axes[k].plot(sorted(of), means, label=label, color=shades[kind], ls=line)
    axes[2].axhline(1, color="k", lw=1)
    axes[2].set_ylim(0.3, 6)
    titles = ("diffusion: KL above its floor", "energies: KL", "energies: entropy production / truth's")
    for ax, title in zip(axes, titles):
        ax.set(xscale="log", yscale="log", title=title, xlabel="training particles per snapshot")
        ax.legend(fontsize=7)
    return fig


def estimates(study: fare.Study) -> Figure:
    """Rare events: estimates over the chain's exact probability, and what an error of 10% costs each."""
    rows, fig = study.results.rare, Figure(figsize=(8.4, 0.9 + 0.24 * len(study.results.rare)))
    axes = fig.subplots(1, 2, sharey=True)
    for k, row in enumerate(rows):
        shade, marker = fare.plot.rare_styles(rows)[row.method]
        exact = row.p  # or as well as it is known
        low, high = (row.low, row.high) if np.isfinite(row.low) else (row.estimate, row.estimate)
        width = [[(row.estimate - low) / exact], [(high - row.estimate) / exact]]
        face = shade if row.normal else "white"
        axes[0].errorbar(row.estimate / exact, k, xerr=width, color=shade, marker=marker, mfc=face, capsize=2)
        axes[0].plot(row.continuum / exact, k, "|", color="k", ms=11)
        axes[1].plot(row.cost_10, k, marker, color=shade, mfc=face)
        axes[1].plot(row.plain_cost_10, k, "|", color="k", ms=11)
        if np.isfinite(row.of_optimum):
            axes[1].plot(row.cost_10 * row.of_optimum, k, "|", color=shade, ms=11)
    axes[0].axvline(1, color="#888888", lw=1)
    axes[0].set_yticks(
        range(len(rows)), [f"{row.estimator} ({row.method.replace('_', ' ')})" for row in rows]
    )
    axes[0].set(xlabel="estimate over the exact number", ylim=(len(rows) - 0.5, -0.5))
    axes[1].set(xscale="log", xlabel="steps to an error of 10%")
    return fig


def way_out(study: fare.Study) -> Figure:
    """The most likely path of an instanton, in the plane of two axes."""
    fig, axes = panels(1, 4.6, 2.4)
    with h5py.File(study.results.path) as file:
        path = file["analysis/path/path"][...]
    for side, style in ((1, "-"), (-1, "--")):
        axes[0].plot(path[:, 0], side * path[:, 1], style, color="#d55e00")
    axes[0].plot([-1, 0], [0, 0], ":", color="#888888", lw=1)
    axes[0].plot(-1, 0, "ko", ms=5)
    axes[0].plot(0, 0, "kx", ms=6)
    axes[0].set(xlabel="x", ylabel="y")
    return fig


def deviations(study: fare.Study) -> Figure:
    """Scaled cumulants of the displacement, and the rate function that follows."""
    fig, axes = panels(2, 7.6, 2.4)
    with h5py.File(study.results.path) as file:
        bias = file["analysis/bias"]
        tilts, psi, slope, rate = (bias[k][...] for k in ("tilts", "psi", "slope", "rate_function"))
    axes[0].plot(tilts, psi, "o-")
    axes[0].set(xlabel="tilt s", ylabel="psi(s)")
    axes[1].plot(slope, rate, "o-", color="#d55e00")
    axes[1].set(xlabel="displacement per time a", ylabel="rate function I(a)")
    return fig


def truth_alone(study: fare.Study) -> Figure:
    fig, axes = panels(2)
    fare.plot.density(study, ax=axes[0])
    for time, shade in ((0.0, "#222222"), (2.0, "#4477aa"), (8.0, "#cc6677")):
        values = study.snapshots.density.sel(time=time)
        axes[1].plot(values.x, values, color=shade, label=f"t = {time:g}")
    axes[1].set(xlabel="x", ylabel="density", xlim=(-1.8, 1.8))
    axes[1].legend(fontsize=8)
    return fig


TUTORIAL = {
    "step1": truth_alone,
    "step2": truth_alone,
    "step3": error,
    "step4": over_time,
    "step5": over_time,
    "step6": swept("measures"),
}
GALLERY = {
    "double_well": truth_and_model,
    "spline": truth_and_model,
    "triple_well_1d": truth_and_model,
    "flashing_ratchet": truth_and_model,
    "tilted_washboard": truth_and_model,
    "ornstein_uhlenbeck": truth_and_model,
    "geometric_brownian": over_time,
    "quickstart": truth_and_model,
    "prinz_driven": truth_and_model,
    "prinz_driven_large": truth_and_model,
    "expression": planes,
    "five_well": planes,
    "maier_stein": planes,
    "many_well": planes,
    "mueller_brown": planes,
    "quadruple_well": functools.partial(planes, times=(0.0, 3.0, 9.0)),
    "rotational_ou": planes,
    "toggle_switch": functools.partial(planes, times=(0.0, 6.0, 12.0)),
    "triple_well_2d": functools.partial(planes, times=(0.0, 1.5, 3.5)),
    "spectrum_2d": functools.partial(planes, times=(0.0, 1.0, 1.8)),
    "wells_3d": planes,
    "lorenz63_noise": cloud,
    "pendulum": planes,
    "kramers_double_well": planes,
    "kramers_prinz": planes,
    "swing_equation": functools.partial(planes, times=(0.0, 7.0, 16.0)),
    "prinz_analysis": analyses,
    "driven_committor": committors,
    "bridge": steering,
    "thermodynamics": work,
    "regimes": swept("regimes"),
    "regimes_samplers": swept("tracking"),
    "timestep": swept("costs"),
    "infer/prior": data_efficiency,
    "rare/double_well": estimates,
    "rare/headline": fare.plot.rare_figure,
    "rare/maier_stein": estimates,
    "rare/maier_stein_path": way_out,
    "rare/prinz_cold": estimates,
    "rare/prinz_driven": estimates,
    "rare/prinz_generated": over_time,
    "rare/quadruple_well": estimates,
    "rare/swing_equation": estimates,
    "rare/tilted_washboard": deviations,
    "infer/dissipation": of_report("inference"),
    "infer/double_well": of_report("inference"),
    "infer/few_data": of_report("profiles"),
    "infer/noisy_tracks": of_report("posteriors"),
    "infer/potential": of_report("potentials"),
    "infer/prinz_snapshots": of_report("identifiability"),
    "infer/rotational_ou": of_report("identifiability"),
    "infer/snapshots": of_report("inference"),
    "infer/underdamped": of_report("inference"),
    "prinz_tilt": of_report("control"),
    "prinz_event": of_report("control"),
    "prinz_durations": of_report("control_durations"),
    "trap": of_report("control"),
    "engine": over_time,
    "engine_power": of_report("control"),
    "swift_2d": force_found,
    "swift_2d_run": followed,
    "prinz_sensitivity": of_report("sensitivity"),
    "my_system": over_time,
    "my_sampler": truth_and_model,
}


AFTERWARDS = {
    "step6": "grep samples,truth out/tutorial_6/sweep.csv | cut -d, -f2,4,10,13",
}  # a command that reads the results; shown with what it prints


def build_plugins(where: pathlib.Path) -> None:
    """The plugins of input/plugin in `where`/build, against FARE installed from its build directory."""
    installed = where / "installed"
    for words in (
        ["--install", pathlib.Path(FARE).parents[1], "--prefix", installed],
        ["-S", ROOT / "input/plugin", "-B", where / "build", f"-DCMAKE_PREFIX_PATH={installed}"],
        ["--build", where / "build"],
    ):
        subprocess.run(["cmake", *map(str, words)], stdout=subprocess.DEVNULL, check=True)


def command_of(file: pathlib.Path, name: str, where: pathlib.Path) -> list[str]:
    """What runs a study, after those whose results it reads."""
    settings = list(SHORTER.get(name, []))
    if before := BEFORE.get(name):
        if not (where / f"{before}.json").exists():
            run(file.with_name(f"{before}.yaml"), before, where)
        settings.append(f"system.file={where}/out/{before}/study.h5")
    return [
        FARE,
        "run",
        str(file),
        "--overwrite",
        *(word for setting in settings for word in ("--set", setting)),
    ]


def run(file: pathlib.Path, name: str, where: pathlib.Path) -> None:
    """Runs a study in `where`, and keeps what it printed and what it cost."""
    if file.parent.name == "plugin":
        build_plugins(where)
    command = command_of(file, name, where)
    if name in BESIDE:
        other = [word for key, value in BESIDE[name].items() for word in ("--set", f"{key}={value}")]
        subprocess.run([*command, *other], cwd=where, stdout=subprocess.DEVNULL, check=True)
    with open(where / f"{name}.txt", "w+") as said:
        process = subprocess.Popen(command, cwd=where, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            said.seek(0)
            sys.exit(f"{name}: {said.read()}")
    if name in AFTERWARDS:
        printed = subprocess.run(
            AFTERWARDS[name], shell=True, cwd=where, capture_output=True, text=True, check=True
        )
        with open(where / f"{name}.txt", "a") as said:
            said.write(f"\n$ {AFTERWARDS[name]}\n{printed.stdout}")
    cost = {"seconds": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}
    (where / f"{name}.json").write_text(json.dumps(cost))


def save(fig: Figure, path: pathlib.Path) -> None:
    """A PNG of 128 colours, so that the repository stays small."""
    path.parent.mkdir(exist_ok=True)
    with io.BytesIO() as buffer:
        fig.savefig(buffer, dpi=100)
        Image.open(buffer).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        sys.exit(f"{path}: {path.stat().st_size} bytes are too many")


def rounded(seconds: float) -> str:
    if seconds >= 90:
        return f"{seconds / 60:.1f} minutes" if seconds < 600 else f"{seconds / 60:.0f} minutes"
    return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1g} s"


def write_cost(name: str, where: pathlib.Path) -> None:
    """The line below the picture of a study in gallery.md."""
    page = ROOT / "docs/gallery.md"
    cost = json.loads((where / f"{name}.json").read_text())
    said = COST.format(seconds=rounded(cost["seconds"]), memory=cost["memory"])
    said += " This is the cost of the shorter run." * (name in SHORTER)
    pattern = re.compile(rf"(\(images/gallery/{name}\.png\)\n\n(?:.*\n)*?)Cost: .*")
    text, changed = pattern.subn(lambda found: found[1] + said, page.read_text())
    if changed != 1:
        sys.exit(f"{page}: the picture of {name} is followed by {changed} costs")
    page.write_text(text)


def make(study: str, where: pathlib.Path) -> None:
    tutorial, name = study in TUTORIAL, study.replace("/", "_")
    folders = ("docs/tutorial",) if tutorial else ("input", "input/plugin", "input/control")
    file = next(
        ROOT / folder / f"{study}.yaml" for folder in folders if (ROOT / folder / f"{study}.yaml").exists()
    )
    if not (where / f"{name}.json").exists():
        run(file, name, where)
    results = where / "out" / re.match(r"(?:#.*\n)*study: (\w+)", file.read_text())[1]
    opened = fare.sweep(results) if (results / "sweep.html").exists() else fare.open(results)
    with matplotlib.rc_context(fare.plot.style()):
        fig = (TUTORIAL if tutorial else GALLERY)[study](opened)
    save(fig, ROOT / (f"docs/tutorial/{name}.png" if tutorial else f"docs/images/gallery/{name}.png"))
    if tutorial:
        (ROOT / f"docs/tutorial/{name}.txt").write_text((where / f"{name}.txt").read_text())
    else:
        write_cost(name, where)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=pathlib.Path, default=ROOT / "build/book")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    where = options.runs.resolve()
    where.mkdir(parents=True, exist_ok=True)
    for name in options.names or [*TUTORIAL, *GALLERY]:
        print(name, flush=True)
        make(name, where)


if __name__ == "__main__":
    main()
