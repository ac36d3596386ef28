# SPDX-License-Identifier: BSD-2-Clause
"""Estimators of rare events: what an error of 10% costs, against how rare the event is."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.plot.drawing import COLUMN, PALETTE, ROW, TRUTH, grid, legend_above
from fare.results import Study
from fare.tables import Estimated

MARKERS = "osD^vP*"


def known(rows: Sequence[Estimated]) -> list[Estimated]:
    """Rows that have a cost and a probability."""
    return [r for r in rows if np.isfinite(r.cost_10) and 0 < r.p < 1]


def cost_panel(ax: Axes, rows: Sequence[Estimated]) -> None:
    """Steps to a relative error of 10% against 1/p: plain simulation as a line, each method, and the least that
    it can cost where that is known.
    """
    rows = sorted(known(rows), key=lambda r: 1 / r.p)
    plain = [r for r in rows if np.isfinite(r.path_cost)]
    if plain:
        rarity = np.array([1 / r.p for r in plain])
        around = np.geomspace(rarity.min() / 3, rarity.max() * 3, 3) if np.ptp(rarity) == 0 else rarity
        cost = np.interp(np.log(around), np.log(rarity), np.log([r.plain_cost_10 for r in plain]))
        if np.ptp(rarity) == 0:
            cost = cost + np.log(around / rarity[0])
        ax.plot(around, np.exp(cost), color=TRUTH, ls="--", label="plain simulation, exact")
    for k, method in enumerate(dict.fromkeys(r.method for r in rows)):
        of = [r for r in rows if r.method == method]
        colour = PALETTE[k % len(PALETTE)]
        ax.plot(
            [1 / r.p for r in of],
            [r.cost_10 for r in of],
            color=colour,
            ls="",
            marker=MARKERS[k % len(MARKERS)],
            ms=4,
            label=method.replace("_", " "),
        )
        best = [r for r in of if np.isfinite(r.of_optimum)]
        if best:
            ax.plot(
                [1 / r.p for r in best],
                [r.cost_10 * r.of_optimum for r in best],
                color=colour,
                ls=":" if len({r.p for r in best}) > 1 else "",
                marker="_",
                ms=9,
                label=f"{method.replace('_', ' ')}, optimum",
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("1/p, exact")
    ax.set_ylabel("steps to an error of 10%")
    legend_above(ax)


def rare(study: Study) -> Figure | None:
    """What an error of 10% costs each estimator."""
    if not known(study.rare):
        return None
    methods = len({r.method for r in study.rare})
    fig, axes = grid(1, 1, 2.4, width=COLUMN, top=0.1 + ROW * (2 * methods + 1))
    cost_panel(axes[0, 0], study.rare)
    return fig
