# SPDX-License-Identifier: BSD-2-Clause
"""Profiles of likelihoods, beside the parabola of estimate and standard error."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fare.plot.drawing import COLUMN, PALETTE, ROW, TRUTH, grid, legend_above
from fare.plot.inference import words
from fare.results import Study

DROP = 3.841458820694124  # twice the logarithm at the ends of a 95% interval
TOP = 6.0


def profiles(study: Study) -> Figure | None:
    """A panel for each parameter: twice what ln L loses where it is held; points are those that were computed. The
    root of the loss is nearly linear, so that it is drawn as straight lines between points.
    """
    rows = [(r, profile) for r, profile in zip(study.infer, study.profiles()) if profile is not None]
    if not rows:
        return None
    names = list(dict.fromkeys(r.parameter for r, _ in rows))
    labels = list(dict.fromkeys((r.inference, r.method, r.lag) for r, _ in rows))
    several = len({label[0] for label in labels}) > 1
    top = 0.1 + ROW * ((len(labels) + 3) // 2 + 1)
    fig, axes = grid(1, len(names), 2.2, width=COLUMN * len(names), top=top)
    for r, (value, change) in rows:
        ax = axes[0, names.index(r.parameter)]
        k = labels.index((r.inference, r.method, r.lag))
        colour = PALETTE[k % len(PALETTE)]
        label = (f"{r.inference}, " if several else "") + (f"lag {r.lag:g}" if r.lag > 0 else words(r.method))
        root = np.sign(value - r.estimate) * np.sqrt(-2 * change)
        fine = np.union1d(value, np.linspace(value[0], value[-1], 200))
        ax.plot(fine, np.interp(fine, value, root) ** 2, color=colour, label=label)
        ax.plot(value, root**2, color=colour, ls="", marker="o", ms=3)
        if np.isfinite(r.error):
            x = np.linspace(value[0], value[-1], 100)
            ax.plot(x, ((x - r.estimate) / r.error) ** 2, color=colour, lw=0.8, ls=":")
    for ax, name in zip(axes[0], names):
        for truth in {r.truth for r, _ in rows if r.parameter == name and np.isfinite(r.truth)}:
            ax.axvline(truth, color=TRUTH, ls="--", lw=1, label="truth" if ax is axes[0, 0] else None)
        ax.axhline(DROP, color="#8c8c8c", lw=0.8, label="95%" if ax is axes[0, 0] else None)
        ax.set_ylim(0, TOP)
        ax.set_xlabel(words(name))
    axes[0, 0].set_ylabel(r"$2\,(\ln L_{\max} - \ln L)$")
    legend_above(axes[0, 0])
    return fig
