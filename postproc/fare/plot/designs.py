# SPDX-License-Identifier: BSD-2-Clause
"""What designs of observations can tell: relative standard deviations of each parameter."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fare.plot.drawing import COLUMN, PALETTE, ROW, grid, legend_above
from fare.plot.inference import MARKERS
from fare.results import Study


def identifiability(study: Study) -> Figure | None:
    """A row for each design; at the right edge, what no number of particles determines."""
    designs = study.designs
    if not designs:
        return None
    names = list(dict.fromkeys(name for d in designs for name in d.parameters))
    height = 0.4 + 0.28 * len(designs)
    fig, axes = grid(
        1, 1, height, width=2 * COLUMN, left=2.6, top=0.1 + ROW * (len(names) // 3 + 1), right=0.8
    )
    ax = axes[0, 0]
    known = np.array([v for d in designs for v in d.deviations if np.isfinite(v)] or [1.0])
    edge = 4 * known.max()
    for k, name in enumerate(names):
        points = [
            (min(d.deviations[d.parameters.index(name)], edge), i)
            for i, d in enumerate(designs)
            if name in d.parameters
        ]
        ax.plot(
            *zip(*points),
            ls="",
            marker=MARKERS[k % len(MARKERS)],
            ms=5,
            color=PALETTE[k % len(PALETTE)],
            label=name,
        )
    ax.set_xscale("log")
    ax.set_xlim(known.min() / 2, 2 * edge)
    ax.axvspan(edge / 2, 2 * edge, color="#eeeeee", zorder=0)
    ax.text(edge, -0.75, "undetermined", ha="center", va="bottom", fontsize=7)
    ax.set_ylim(len(designs) - 0.4, -0.8)
    ax.set_yticks(range(len(designs)), [d.design for d in designs])
    ax.set_xlabel("relative standard deviation")
    legend_above(ax, 3)
    return fig
