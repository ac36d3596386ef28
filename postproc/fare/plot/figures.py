# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a FARE study, as matplotlib figures. Each function returns None where the study has nothing
to draw.
"""
from __future__ import annotations

from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.files import Array
from fare.plot.densities import snapshots, space_time
from fare.plot.distances import costs, divergences, ranking
from fare.plot.drawing import PALETTE, TRUTH, colours, legend, shown
from fare.results import Study


def training(study: Study) -> Figure | None:
    """The training loss of each sampler that recorded one."""
    losses = {
        name: loss
        for name in shown(study)
        if (loss := study.ensembles[name].loss) is not None and len(loss)
    }
    if not losses:
        return None
    fig = Figure(figsize=(6.4, 3.2))
    ax = fig.subplots()
    for name, loss in losses.items():
        ax.plot(loss[:, 0], loss[:, 1], color=colours(study)[name], label=name)
    values = np.concatenate([loss[:, 1] for loss in losses.values()])
    if values.min() > 0:
        ax.set_yscale("log")
        if values.max() < 20 * values.min():
            ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    ax.set_xlabel("training step")
    ax.set_ylabel("loss, smoothed")
    legend(fig, ax.get_legend_handles_labels()[0], 4)
    return fig


def truth_error(study: Study) -> Figure | None:
    """The truth's estimate of its own error, and what a conservative, positive scheme must keep."""
    if study.truth is None:
        return None
    truth, t = study.truth, study.times
    fig = Figure(figsize=(11.0, 3.2))
    left, right = fig.subplots(1, 2)
    dot = "o" if len(t) == 1 else ""
    _logarithmic(
        left,
        t,
        {
            "total": (truth.error, TRUTH, "-"),
            "space": (truth.error_space, PALETTE[0], "--"),
            "time": (truth.error_time, PALETTE[1], "-."),
        },
        dot,
    )
    left.set_ylabel("L1 error of the density, estimated")
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
    return fig


def thermodynamics(study: Study) -> Figure | None:
    """What the drive costs over time, and where particles measured it, the work of each."""
    columns, dot = study.thermodynamics, "o" if len(study.times) == 1 else ""
    if not columns:
        return None
    balance = {
        "work": "work",
        "extra_work": "work of the nonconservative force",
        "heat": "heat",
        "dissipated_work": "dissipated work",
        "kl_to_equilibrium": "KL to equilibrium",
    }
    rates = {
        "production_total_rate": "total",
        "production_housekeeping_rate": "housekeeping",
        "production_excess_rate": "excess",
    }
    panels = [
        (balance, "energy, and KL in nats"),
        (rates, "entropy production per time"),
    ]
    panels = [
        ({name: label for name, label in shown.items() if name in columns}, axis)
        for shown, axis in panels
    ]
    panels = [panel for panel in panels if panel[0]]
    if not panels:
        panels = [({"entropy": "entropy"}, "entropy")]
    fig = Figure(figsize=(11.0, 3.2))
    axes = np.atleast_1d(fig.subplots(1, len(panels) + bool(study.work)))
    for ax, (lines, label) in zip(axes, panels):
        for (name, text), colour in zip(lines.items(), (TRUTH, *PALETTE)):
            ax.plot(
                columns["time"],
                columns[name],
                color=colour,
                marker=dot,
                label=text,
                ls="-"
                if colour == TRUTH
                else (0, (5, 2))
                if name.endswith("housekeeping_rate")
                else "-.",
            )
        ax.set(xlabel="time t", ylabel=label)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=0.2)
    if study.work:
        edges = np.linspace(
            study.work["lower"], study.work["upper"], study.work["density"].shape[1] + 1
        )
        for density, label, colour in zip(
            study.work["density"], ("W, forward", "−W, reversed"), PALETTE
        ):
            axes[-1].stairs(density, edges, color=colour, label=label)
        axes[-1].axvline(
            study.work["free_energy_change"],
            color=TRUTH,
            lw=1,
            label="free energy, exact",
        )
        axes[-1].set(xlabel="work", ylabel="density")
        axes[-1].legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=0.2
        )
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
    ax.set_xlabel("time t")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncol=len(series), borderaxespad=0.2
    )


FIGURES = {
    "density": space_time,
    "snapshots": snapshots,
    "divergences": divergences,
    "costs": costs,
    "ranking": ranking,
    "training": training,
    "truth_error": truth_error,
    "thermodynamics": thermodynamics,
}
