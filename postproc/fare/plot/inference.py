# SPDX-License-Identifier: BSD-2-Clause
"""Parameters from data: estimates against the time between observations, with what infinitely many data give."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.plot.drawing import COLUMN, PALETTE, ROW, TRUTH, grid, legend_above
from fare.results import Study
from fare.tables import Inferred

MARKERS = "osD^vP*"
UNITS = {"entropy_production": "entropy production [nats per time]"}


def words(name: str) -> str:
    """A name of a study as words for people, with its unit where it has one."""
    return UNITS.get(name, name.replace("_", " "))


def _known(rows: Sequence[Inferred]) -> list[Inferred]:
    return [r for r in rows if np.isfinite(r.estimate) and not np.isfinite(r.knot)]


def estimate_panel(ax: Axes, rows: Sequence[Inferred], methods: Sequence[str]) -> None:
    """Estimates of one parameter at several lags, with standard errors; lines are the limits of infinitely many
    data, dashed the truth.
    """
    truths = {r.truth for r in rows if np.isfinite(r.truth)}
    for value in truths:
        ax.axhline(value, color=TRUTH, ls="--", label="truth" if value == min(truths) else None)
    for k, method in enumerate(methods):
        of = sorted((r for r in rows if r.method == method), key=lambda r: r.lag)
        colour = PALETTE[k % len(PALETTE)]
        lags = np.array([r.lag for r in of]) * (1 + 0.04 * (k - 0.5 * (len(methods) - 1)))
        ax.errorbar(
            lags,
            [r.estimate for r in of],
            [r.error if np.isfinite(r.error) else 0.0 for r in of],  # none where it was held, or left out
            color=colour,
            ls="",
            marker=MARKERS[k % len(MARKERS)],
            ms=4,
            label=words(method),
        )
        if any(r.limit != r.truth for r in of if np.isfinite(r.limit)):
            ax.plot([r.lag for r in of], [r.limit for r in of], color=colour, lw=1)
    if all(r.lag > 0 for r in rows):
        ax.set_xscale("log")
        ticks = sorted({r.lag for r in rows})
        ax.set_xticks(ticks, [f"{lag:g}" for lag in ticks])
        ax.minorticks_off()
    ax.set_xlabel("lag [time between observations]")
    ax.set_ylabel(words(rows[0].parameter))


def inference(study: Study) -> Figure | None:
    """A panel for each parameter."""
    rows = _known(study.infer)
    if not rows:
        return None
    names = list(dict.fromkeys(r.parameter for r in rows))
    methods = list(dict.fromkeys(r.method for r in rows))
    columns = 1 if max(map(len, methods)) > 17 else 2
    top = 0.1 + ROW * (len(methods) // columns + 1)
    fig, axes = grid(1, len(names), 2.2, width=COLUMN * len(names), top=top)
    for ax, name in zip(axes[0], names):
        estimate_panel(ax, [r for r in rows if r.parameter == name], methods)
    legend_above(axes[0, 0], columns)
    return fig
