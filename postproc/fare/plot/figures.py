# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a FARE study, as matplotlib figures. Each function returns None where the study has nothing
to draw.
"""
from __future__ import annotations

import functools
from typing import Any, Callable, Optional

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.files import Array, FareError
from fare.plot import corners
from fare.plot.control import control, control_durations, sensitivity
from fare.plot.currents import currents
from fare.plot.densities import differences, images, planes, snapshots, space_time
from fare.plot.designs import identifiability
from fare.plot.distances import costs, divergences, other_divergences, ranking
from fare.plot.drawing import (
    COLUMN,
    PAGE,
    PALETTE,
    ROW,
    TRUTH,
    colours,
    grid,
    legend,
    legend_above,
    plain_ticks,
    shown,
)
from fare.plot.inference import inference
from fare.plot.posteriors import posteriors
from fare.plot.potentials import potentials
from fare.plot.profiles import profiles
from fare.plot.rare import rare
from fare.results import Study


def _losses(study: Study) -> dict[str, Array]:
    return {
        name: loss for name in shown(study) if (loss := study.ensembles[name].loss) is not None and len(loss)
    }


def training_panel(ax: Axes, study: Study) -> None:
    """Losses over steps, on one axis."""
    losses = _losses(study)
    for name, loss in losses.items():
        ax.plot(loss[:, 0], loss[:, 1], color=colours(study)[name], label=name)
    values = np.concatenate([np.empty(0), *(loss[:, 1] for loss in losses.values())])
    if values.size and values.min() > 0:
        ax.set_yscale("log")
        if values.max() < 20 * values.min():
            ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    ax.set_xlabel("training step")
    ax.set_ylabel("loss, smoothed")


def training(study: Study) -> Figure | None:
    """The training loss of each sampler that recorded one."""
    if not _losses(study):
        return None
    fig, axes = grid(1, 1, 1.6, width=COLUMN)
    ax = axes[0, 0]
    training_panel(ax, study)
    legend(fig, ax.get_legend_handles_labels()[0], 3)
    return fig


def error_panel(ax: Axes, study: Study) -> None:
    """The estimated error of the truth and its parts, over time."""
    if study.joint is not None:
        _joint_error_panel(ax, study)
        return
    if study.truth is None:
        raise FareError(f"{study.path}: the study has no truth")
    parts = {
        "total": (study.truth.error, TRUTH, "-"),
        "space": (study.truth.error_space, PALETTE[0], "--"),
        "time": (study.truth.error_time, PALETTE[1], "-."),
    }
    if (study.truth.error_extrapolated < study.truth.error).any():
        parts["extrapolated"] = (study.truth.error_extrapolated, PALETTE[2], ":")
    _logarithmic(ax, study.times, parts, "o" if len(study.times) == 1 else "")
    ax.set_ylabel("estimated L1 error of the density")


WORTH_SEEING = 1e-6  # of the mass


def truth_error(study: Study) -> Figure | None:
    """The truth's estimate of its own error, and what a conservative, positive scheme must keep."""
    if study.joint is not None:
        return _joint_error(study)
    if study.truth is None:
        return None
    truth, t = study.truth, study.times
    fig, axes = grid(1, 2, 1.6, top=0.08 + 2 * ROW)
    left, right = axes[0]
    dot = "o" if len(t) == 1 else ""
    error_panel(left, study)
    _logarithmic(
        right,
        t,
        {
            "|mass − 1|": (abs(truth.mass_drift), PALETTE[2], "-"),
            "boundary mass": (truth.boundary_mass, PALETTE[3], "--"),
        },
        dot,
    )
    right.set_ylabel("mass")
    low, high = right.get_ylim()
    if right.get_yscale() == "log" and high < WORTH_SEEING:  # round-off reads as such, far below what matters
        right.set_ylim(min(low, 1e-18), WORTH_SEEING)
        plain_ticks(right, "y", False)
    return fig


ERRORS = {
    "error": ("total", TRUTH, "-"),
    "error_space": ("cells", PALETTE[0], "--"),
    "error_time": ("time", PALETTE[1], "-."),
    "error_rank": ("rank", PALETTE[2], ":"),
}


def _joint_error_panel(ax: Axes, study: Study) -> None:
    series = study.joint.series if study.joint is not None else {}
    parts = {
        label: (series[name], colour, style)
        for name, (label, colour, style) in ERRORS.items()
        if name in series
    }
    _logarithmic(ax, study.times, parts, "o" if len(study.times) == 1 else "")
    ax.set_ylabel("estimated L1 error")


def _joint_error(study: Study) -> Figure | None:
    """Of a truth of many axes: its own error, its entropy, and how far it is from equilibrium."""
    series = study.joint.series if study.joint is not None else {}
    known = {"entropy": "entropy (nats)", "equilibrium": "KL from equilibrium (nats)"}
    told = [(name, label) for name, label in known.items() if name in series]
    if not told and "error" not in series:
        return None
    fig, axes = grid(1, 1 + len(told), 1.6, top=0.08 + 2 * ROW, width=PAGE if told else COLUMN)
    _joint_error_panel(axes[0, 0], study)
    for ax, (name, label) in zip(axes[0, 1:], told):
        width = series.get(f"{name}_error", np.zeros(len(study.times)))
        ax.errorbar(study.times, series[name], width, color=TRUTH, capsize=1.5)
        ax.set(xlabel="time t", ylabel=label)
    return fig


BALANCE = {
    "work": "work",
    "extra_work": "work of the nonconservative force",
    "heat": "heat",
    "dissipated_work": "dissipated work",
    "kl_to_equilibrium": "KL to equilibrium",
}


def _columns(ax: Axes, study: Study, lines: dict[str, str], label: str) -> None:
    columns, dot = study.thermodynamics, "o" if len(study.times) == 1 else ""
    for (name, text), colour in zip(lines.items(), (TRUTH, *PALETTE)):
        ax.plot(
            columns["time"],
            columns[name],
            color=colour,
            marker=dot,
            label=text,
            ls="-" if colour == TRUTH else (0, (5, 2)) if name.endswith("housekeeping_rate") else "-.",
        )
    ax.set(xlabel="time t", ylabel=label)
    legend_above(ax)


def balance_panel(ax: Axes, study: Study) -> None:
    """Work, heat and what follows from them, over time."""
    lines = {name: text for name, text in BALANCE.items() if name in study.thermodynamics}
    if not lines:
        raise FareError(f"{study.path}: the study has no thermodynamics (its plan does not ask for them)")
    _columns(ax, study, lines, "energy, and KL in nats")


def thermodynamics(study: Study) -> Figure | None:
    """What the drive costs over time, and where particles measured it, the work of each."""
    columns = study.thermodynamics
    if not columns:
        return None
    rates = {
        "production_total_rate": "total",
        "production_housekeeping_rate": "housekeeping",
        "production_excess_rate": "excess",
        "production_geometric_rate": "geometric",
    }
    panels = [(BALANCE, "energy, and KL in nats"), (rates, "entropy production per time")]
    panels = [
        ({name: label for name, label in shown.items() if name in columns}, axis) for shown, axis in panels
    ]
    panels = [panel for panel in panels if panel[0]]
    if not panels:
        panels = [({"entropy": "entropy"}, "entropy")]
    count = len(panels) + bool(study.work)
    rows = max(3 * bool(study.work), *(len(lines) for lines, _ in panels))  # of legends
    wide = PAGE if count > 1 else COLUMN
    fig, drawn = grid(1, count, 1.7, width=wide, top=0.08 + ROW * rows)
    axes = drawn[0]
    for ax, (lines, label) in zip(axes, panels):
        _columns(ax, study, lines, label)
    if study.work:
        edges = np.linspace(study.work["lower"], study.work["upper"], study.work["density"].shape[1] + 1)
        for density, label, colour in zip(study.work["density"], ("W, forward", "−W, reversed"), PALETTE):
            axes[-1].stairs(density, edges, color=colour, label=label)
        axes[-1].axvline(study.work["free_energy_change"], color=TRUTH, lw=1, label="ΔF, exact")
        axes[-1].set(xlabel="work", ylabel="density")
        legend_above(axes[-1])
    return fig


def _logarithmic(ax: Axes, t: Array, series: dict[str, Any], marker: str) -> None:
    """Lines on a logarithmic axis; below 1e-20 there is nothing worth a decade."""
    seen = False
    for label, (values, colour, style) in series.items():
        shown = np.where(values > 1e-20, values, np.nan)
        seen = seen or bool(np.isfinite(shown).any())
        label = label if np.isfinite(shown).any() else f"{label} (< 1e-20)"
        ax.plot(t, shown, color=colour, ls=style, marker=marker, label=label)
    if seen:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        plain_ticks(ax, "y", high / low < 50)
    ax.set_xlabel("time t")
    legend_above(ax, len(series))


Make = Callable[[Study], Optional[Figure]]

FIGURES: dict[str, Make] = {
    "divergences": divergences,
    "density": space_time,
    "snapshots": snapshots,
    "differences": differences,
    "currents": currents,
    "ranking": ranking,
    "costs": costs,
    "rare": rare,
    "inference": inference,
    "posteriors": posteriors,
    "profiles": profiles,
    "potentials": potentials,
    "identifiability": identifiability,
    "control": control,
    "control_durations": control_durations,
    "sensitivity": sensitivity,
    "thermodynamics": thermodynamics,
    "training": training,
    "truth_error": truth_error,
    "other_divergences": other_divergences,
}
ON_PLANES: dict[str, Callable[[Study, tuple[int, int]], Figure | None]] = {
    "snapshots": images,
    "differences": differences,
    "currents": currents,
}


def _of_many_axes(study: Study) -> dict[str, Make]:
    """Where the truth has no grid: marginals of the axes that snapshots hold, and a corner plot of each
    ensemble.
    """
    found = {name: make for name, make in FIGURES.items() if name not in ON_PLANES and name != "density"}
    first = {"divergences": found.pop("divergences"), "marginals": corners.courses}
    first["marginal_lines"] = corners.overlays
    for name in corners.corners(study):
        first[f"corner_{name}"] = functools.partial(corners.corner_of, name=name)
    return {**first, **found}


def figures(study: Study, wanted: str = "") -> dict[str, Make]:
    """All figures by name. In three dimensions those on planes come once for each pair of axes, NAME_axes_1_2; `wanted`
    chooses pairs, as in "x:y,x:z".
    """
    if study.joint is not None:
        return _of_many_axes(study)
    pairs = planes(study, wanted)
    if study.bins is None or study.bins.dimension < 3:
        return FIGURES
    found: dict[str, Make] = {}
    for name, make in FIGURES.items():
        if name not in ON_PLANES:
            found[name] = make
            continue
        for plane in pairs:
            found[f"{name}_axes_{plane[0] + 1}_{plane[1] + 1}"] = functools.partial(
                ON_PLANES[name], plane=plane
            )
    return found
