# SPDX-License-Identifier: BSD-2-Clause
"""Estimators of rare events: what an error of 10% costs, against how rare the event is."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.files import Array
from fare.plot.drawing import COLUMN, PAGE, PALETTE, TRUTH, fitting, grid, legend, legend_above
from fare.results import Study
from fare.tables import Estimated

COLOURS = {
    "splitting": PALETTE[0],
    "doob": PALETTE[1],
    "weighted_ensemble": PALETTE[2],
    "forward_flux": PALETTE[3],
    "brute_force": "#767676",
}  # a method has the same colour and marker in all figures
MARKERS = {"splitting": "o", "doob": "s", "weighted_ensemble": "D", "forward_flux": "^", "brute_force": "x"}
TITLES = ("probability of an event", "events per time")  # by what a row estimates
LABELS = ("1/probability, exact", "1/rate, exact")
WIDENED = 3.0  # limits beyond the outermost points, by this factor


def known(rows: Iterable[Estimated]) -> list[Estimated]:
    """Rows that have a cost and a probability."""
    return [r for r in rows if np.isfinite(r.cost_10) and r.cost_10 > 0 and 0 < r.p < np.inf]


def styles(rows: Sequence[Estimated]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method."""
    methods = list(dict.fromkeys(r.method for r in rows))
    others = [method for method in methods if method not in COLOURS]
    style = {method: (COLOURS[method], MARKERS[method]) for method in methods if method in COLOURS}
    style.update({m: (PALETTE[(4 + k) % len(PALETTE)], "vP*X"[k % 4]) for k, m in enumerate(others)})
    return {method: style[method] for method in methods}


def _extended(x: Array, y: Array) -> tuple[Array, Array]:
    """A line on logarithmic axes through points, which goes on beyond them in proportion."""
    order = np.argsort(x)
    x, y = x[order], y[order]
    return (
        np.concatenate([[x[0] / WIDENED], x, [x[-1] * WIDENED]]),
        np.concatenate([[y[0] / WIDENED], y, [y[-1] * WIDENED]]),
    )


def _plain(ax: Axes, rows: Sequence[Estimated]) -> None:
    """What plain simulation costs, by the exact probability: that of the chain whose steps alone are looked at, where
    rows differ in that.
    """
    cost: dict[str, dict[float, float]] = {}
    for r in rows:
        if np.isfinite(r.plain_cost_10):
            cost.setdefault(r.estimator, {})[1 / r.p] = r.plain_cost_10
    longest: dict[float, float] = max(cost.values(), key=len, default={})
    if longest:
        ax.plot(*_extended(np.array([*longest]), np.array([*longest.values()])), color=TRUTH, ls="--", lw=1)


def _series(ax: Axes, rows: Sequence[Estimated], colour: str, marker: str) -> None:
    """One estimator, over all studies that have it; filled where its error may be taken as normal."""
    rows = sorted(rows, key=lambda r: 1 / r.p)
    x, cost = np.array([1 / r.p for r in rows]), np.array([r.cost_10 for r in rows])
    width = np.array([(r.variance_low / r.variance, r.variance_high / r.variance) for r in rows]).T
    bars = np.nan_to_num(np.abs(cost * (width - 1)), nan=0.0, posinf=0.0)
    ax.errorbar(x, cost, bars, color=colour, lw=1.2, elinewidth=0.8, marker="")
    for normal in (True, False):
        chosen = [bool(r.normal) == normal for r in rows]
        if any(chosen):
            face, label = colour if normal else "white", rows[0].method.replace("_", " ")
            ax.plot(x[chosen], cost[chosen], marker, color=colour, mfc=face, ms=4.5, zorder=3, label=label)
    best = {1 / r.p: r.cost_10 * r.of_optimum for r in rows if np.isfinite(r.of_optimum)}
    if len(best) > 1:
        ax.plot([*best], [*best.values()], color=colour, ls=":", lw=1.4)
    elif best:
        ax.plot([*best], [*best.values()], color=colour, ls="", marker="_", ms=9)


def cost_panel(ax: Axes, rows: Sequence[Estimated], style: dict[str, tuple[str, str]] | None = None) -> None:
    """Steps to a relative error of 10% against 1/p: plain simulation as a line, each method, and the least that
    it can cost where that is known.
    """
    rows = known(rows)
    _plain(ax, rows)
    for method, (colour, marker) in (style or styles(rows)).items():
        of = [r for r in rows if r.method == method]
        for name in dict.fromkeys(r.estimator for r in of):
            _series(ax, [r for r in of if r.estimator == name], colour, marker)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(matplotlib.ticker.LogLocator(numticks=7))
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
    ax.set_xlabel(LABELS[int(rows[0].rate != 0)], labelpad=1)
    ax.set_ylabel("steps to an error of 10%")


def keys(rows: Sequence[Estimated]) -> list[Line2D]:
    """What lines and markers mean."""
    rows = known(rows)
    found = [Line2D([], [], color=TRUTH, ls="--", lw=1, label="plain simulation, exact")]
    for method, (colour, marker) in styles(rows).items():
        found.append(Line2D([], [], color=colour, marker=marker, ms=4.5, label=method.replace("_", " ")))
    if any(np.isfinite(r.of_optimum) for r in rows):
        found.append(Line2D([], [], color="#555555", ls=":", label="least possible, same colour"))
    if not all(r.normal for r in rows):
        found.append(
            Line2D([], [], color="#555555", ls="", marker="o", mfc="white", ms=4.5, label="error not normal")
        )
    return found


def one_panel(ax: Axes, rows: Sequence[Estimated]) -> None:
    """All rows in one axes, with a legend."""
    cost_panel(ax, rows)
    legend_above(ax, 2, keys(rows))


def figure_of(rows: Sequence[Estimated]) -> Figure | None:
    """A panel for probabilities and one for rates: plain simulation costs another number of steps for each."""
    rows = known(rows)
    parts = [part for rate in (0, 1) if (part := [r for r in rows if (r.rate != 0) == bool(rate)])]
    if not parts:
        return None
    handles, style = keys(rows), styles(rows)
    width = PAGE if len(parts) > 1 else COLUMN
    fig, axes = grid(1, len(parts), 2.3, width=width, top=0.22 if len(parts) > 1 else 0.08)
    for ax, part in zip(axes[0], parts):
        cost_panel(ax, part, style)
        if len(parts) > 1:
            ax.set_title(TITLES[int(part[0].rate != 0)])
    limits = np.array([ax.get_ylim() for ax in axes[0]])
    for ax in axes[0]:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    legend(fig, handles, fitting(handles, 4, width))
    return fig


def rare(study: Study) -> Figure | None:
    """What an error of 10% costs each estimator."""
    return figure_of(study.rare)
