# SPDX-License-Identifier: BSD-2-Clause
"""Potentials that were recovered without a formula, with their bands."""
from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.files import Array
from fare.plot.drawing import COLUMN, PALETTE, ROW, TRUTH, grid, legend_above
from fare.results import Study
from fare.tables import Potential

MOST = 4  # that one figure shows
BAND = 1.959963984540054
SEEN = 1e-3  # of the largest density: where there are data


def _span(values: Array, seen: Array) -> tuple[float, float]:
    """Limits that hold what is seen, with room for the density below."""
    low, high = float(values[..., seen].min()), float(values[..., seen].max())
    width = (high - low) or 1.0
    return low - 0.35 * width, high + 0.1 * width


def _panel(ax: Axes, p: Potential, middle: Array, error: Array, truth: Array) -> None:
    """An estimate with its band over the truth, and the density of the observations at the bottom."""
    seen = p.density > SEEN * p.density.max()
    low, high = middle - BAND * error, middle + BAND * error
    known = truth[None, :] if np.isfinite(truth).all() else middle[None, :]
    floor, top = _span(np.concatenate([low[None, :], high[None, :], known]), seen)
    height = floor + 0.25 * (top - floor) * p.density / p.density.max()
    ax.fill_between(p.x, floor, height, color="#bbbbbb", lw=0, label="data")
    ax.fill_between(p.x, low, high, color=PALETTE[0], alpha=0.3, lw=0, label="95% band")
    ax.plot(p.x, middle, color=PALETTE[0], label="estimate")
    ax.plot(p.x, truth, color=TRUTH, ls="--", lw=1, label="truth")
    ax.set_ylim(floor, top)
    ax.set_xlim(p.x[0], p.x[-1])


def potentials(study: Study) -> Figure | None:
    """A column for each of the first recovered potentials: potential, and drift."""
    found = study.potentials[:MOST]
    if not found:
        return None
    fig, axes = grid(2, len(found), 1.9, width=COLUMN * max(len(found), 1.3), top=0.3 + 2 * ROW, sharex="col")
    for k, p in enumerate(found):
        lag = f", lag {p.lag:g}" if p.lag > 0 else ""
        axes[0, k].set_title(f"{p.inference}{lag}", loc="left")
        _panel(axes[0, k], p, p.potential, p.potential_error, p.true_potential)
        _panel(axes[1, k], p, p.drift, p.drift_error, p.true_drift)
        axes[1, k].set_xlabel("x")
    axes[0, 0].set_ylabel("potential")
    axes[1, 0].set_ylabel("drift")
    legend_above(axes[0, 0], 4 if len(found) > 1 else 2)
    return fig
