# SPDX-License-Identifier: BSD-2-Clause
"""Draws from posteriors, beside the Gaussian of estimate and standard error."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fare.plot.drawing import COLUMN, PALETTE, ROW, TRUTH, grid, legend_above
from fare.plot.inference import words
from fare.results import Study


def posteriors(study: Study) -> Figure | None:
    """A panel for each parameter: histograms of all fits that have draws."""
    rows = [(r, draws) for r, draws in zip(study.infer, study.draws()) if draws is not None and len(draws)]
    if not rows:
        return None
    names = list(dict.fromkeys(r.parameter for r, _ in rows))
    labels = list(dict.fromkeys((r.inference, r.method, r.lag) for r, _ in rows))
    top = 0.1 + ROW * (len(labels) // 2 + 2)
    fig, axes = grid(1, len(names), 2.0, width=COLUMN * len(names), top=top)
    for r, draws in rows:
        ax = axes[0, names.index(r.parameter)]
        k = labels.index((r.inference, r.method, r.lag))
        colour = PALETTE[k % len(PALETTE)]
        label = f"lag {r.lag:g}" if r.lag > 0 else words(r.method)
        ax.hist(draws, bins=40, density=True, histtype="stepfilled", color=colour, alpha=0.35, label=label)
        if np.isfinite(r.error):
            x = np.linspace(draws.min(), draws.max(), 200)
            y = np.exp(-0.5 * ((x - r.estimate) / r.error) ** 2) / (r.error * np.sqrt(2 * np.pi))
            ax.plot(x, y, color=colour, lw=1)
        if np.isfinite(r.truth):
            ax.axvline(r.truth, color=TRUTH, ls="--", lw=1)
        ax.set_xlabel(words(r.parameter))
        ax.set_yticks([])
    axes[0, 0].set_ylabel("density")
    legend_above(axes[0, 0])
    return fig
