# SPDX-License-Identifier: BSD-2-Clause
"""What the figures of a study and of a sweep share: sizes, colours, which ensembles are shown, legends, and the
scales and limits of axes that hold measures.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.files import Array
from fare.results import Study
from fare.tables import Comparison, Measured

# Okabe and Ito's colours, which are told apart by colour-blind readers too; black is kept for the truth.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00")
MORE = (
    "#332288",
    "#882255",
    "#117733",
    "#8c8c8c",
    "#661100",
)  # Tol's muted ones, where there are more ensembles than that
MANY = len(PALETTE) + len(MORE)  # as many as one figure can show
TRUTH = "#000000"
COLUMN, PAGE = 3.4, 7.0  # widths in inches of one column of a paper, and of both
STYLE = {
    "figure.dpi": 200,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "fare",
    "pdf.fonttype": 42,
}
OF_SAMPLES = ("rosenblatt", "block_rosenblatt", "marginals_2", "log_density_shift")
OF_MANY_AXES = ("kl_density", "reverse_kl_density", *OF_SAMPLES[:3], "sliced_wasserstein")
DECADES = 9  # that a logarithmic axis shows at the most
ROW = 0.155  # inches of a row of a legend
EXTREME = 1e290  # beyond it, and below its inverse, the ticks of an axis would overflow


def shown(study: Study, most: int = MANY) -> list[str]:
    """Ensembles that figures show. Where all are too many: one training of each line; where these are,
    without oracles and empirical optima; where these are, what is nearest to the truth, and the baseline.
    """
    if len(study.ensembles) <= most:
        return list(study.ensembles)
    first = {line.line if line.line in study.ensembles else f"{line.line}-1": line for line in study.ranking}
    chosen = [name for name in study.ensembles if name in first] or list(study.ensembles)
    if len(chosen) > most and first:
        chosen = [name for name in chosen if first[name].mode in ("none", "learned")] or chosen
    if len(chosen) > most:
        baseline = [name for name in chosen if study.ensembles[name].sampler == "boltzmann"][:1]
        nearest = [name for name in first if name in chosen and name not in baseline] or chosen
        kept = {*nearest[: most - len(baseline)], *baseline}
        chosen = [name for name in chosen if name in kept]
    return chosen


def colours(study: Study) -> dict[str, str]:
    """One colour per ensemble that is shown, the same in every figure."""
    return dict(zip(shown(study), (*PALETTE, *MORE)))


def headline(study: Study) -> str:
    """The measure that sums up the study: the first that the plan lists, or of many axes the one that ranks,
    which samples alone have; empty where there is none.
    """
    names = measured_by(study)
    ranks = OF_SAMPLES if study.joint is not None else ()
    return next((name for name in ranks if name in names), next(iter(names), ""))


def measured_by(study: Study) -> list[str]:
    """All measures, in the plan's order."""
    return list(dict.fromkeys(name for c in study.comparisons.values() for name in c.measures))


def principal(study: Study) -> list[str]:
    """The measures that are shown at once: the headline, the Kullback-Leibler divergence and a Wasserstein
    distance; of many axes what has a density or sees how axes move together.
    """
    names = measured_by(study)
    if study.joint is not None:
        return [name for name in names if name in (headline(study), *OF_MANY_AXES)]
    transport = next((n for n in ("wasserstein_1", "sliced_wasserstein") if n in names), "")
    return [name for name in names if name in (headline(study), "kl", transport)]


def fitting(handles: list[Any], columns: int, width: float) -> int:
    """As many columns of a legend, at most, as so many inches hold."""
    widest = max((len(h.get_label()) for h in handles), default=0)
    return max(1, min(columns, int(width / (0.42 + 0.057 * widest))))


def legend(fig: Figure, handles: list[Any], columns: int) -> None:
    """Above the axes, in a strip that the layout leaves free; in fewer columns where the labels are long."""
    columns = fitting(handles, columns, fig.get_figwidth())
    strip = ROW * -(-len(handles) // columns) + 0.08
    if not fig.get_constrained_layout():
        before, after = fig.get_figheight(), fig.get_figheight() + strip
        margins = fig.subplotpars
        fig.set_figheight(after)
        fig.subplots_adjust(bottom=margins.bottom * before / after, top=margins.top * before / after)
        fig.legend(handles=handles, loc="upper center", ncol=columns, borderaxespad=0.2)
        return
    fig.set_figheight(fig.get_figheight() + max(0.0, strip - 0.42))  # figures are made with room for two rows
    fig.get_layout_engine().set(rect=(0, 0, 1, 1 - strip / fig.get_figheight()))
    fig.legend(handles=handles, loc="upper center", ncol=columns, borderaxespad=0.2)


def grid(
    rows: int,
    columns: int,
    height: float,
    *,
    width: float = PAGE,
    left: float = 0.62,
    apart: float = 0.64,
    gap: float = 0.14,
    top: float = 0.08,
    right: float = 0.12,
    **options: Any,
) -> tuple[Figure, Array]:
    """Axes of one height in rows and columns, with margins in inches: room for ticks and a label at the left of each
    column, `gap` between rows and `top` above them. matplotlib's layouts look for margins by drawing everything
    once or twice more, which is half of the work of a report.
    """
    bottom = 0.4
    across = (width - left - right - (columns - 1) * apart) / columns
    down = top + rows * height + (rows - 1) * gap + bottom
    fig = Figure(figsize=(width, down), layout="none")
    axes = fig.subplots(rows, columns, squeeze=False, **options)
    fig.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / down,
        top=1 - top / down,
        wspace=apart / across,
        hspace=gap / height,
    )
    return fig, axes


def legend_above(ax: Axes, columns: int = 2, handles: list[Any] | None = None) -> None:
    """Above one axes, clear of its title."""
    handles = handles or ax.get_legend_handles_labels()[0]
    width = ax.get_position().width * ax.figure.get_figwidth()
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.1 if ax.get_title(loc="left") else 1.0),
        ncol=fitting(handles, columns, width),
        borderaxespad=0.2,
    )


def describe(comparison: Comparison) -> str:
    if comparison.against == "target":
        return f"{comparison.ensemble} against its model density"
    return f"{comparison.ensemble}, model density" if comparison.of == "density" else comparison.ensemble


def mean(values: Array) -> float:
    """Over what is a number (an infinite divergence is one); NaN when nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def unit(measured: Measured) -> str:
    return "" if measured.unit in ("1", "none", "-") else measured.unit


def quantity(name: str, measured: Measured) -> str:
    """A measure and its unit, as axes are labelled."""
    said = unit(measured)
    return f"{name.replace('_', ' ')} ({said})" if said else name.replace("_", " ")


def log_limits(values: Sequence[float] | Array, floors: Sequence[float] | Array = ()) -> tuple[float, float]:
    """Of a logarithmic axis, over DECADES at the most: from below the floors, or where there are none so as
    to hold most of the values. What lies beyond leaves the axis.
    """
    values, floors = (
        np.sort(numbers[(numbers > 1 / EXTREME) & (numbers < EXTREME)])
        for numbers in (np.asarray(values, float), np.asarray(floors, float))
    )
    if not values.size:
        return 0.1, 1.0
    low = floors[0] / 4 if floors.size else 0.5 * values[-1 - np.argmax(_held(values)[::-1])]
    return low, min(2 * max(values[-1], 10 * low), low * 10**DECADES)


def _held(values: Array) -> Array:
    """How many of the sorted values lie within DECADES above each."""
    return np.searchsorted(values, values * 10**DECADES, side="right") - np.arange(len(values))


def measure_axis(
    ax: Axes, which: str, values: Sequence[float] | Array, floors: Sequence[float] | Array = ()
) -> tuple[float, float]:
    """Scales the axis "x" or "y" of a measure, and returns its limits: logarithmic; where a measure without bias
    has fallen below 0, linear within the noise floor and logarithmic beyond it on either side.
    """
    values, floors = np.asarray(values, float), np.asarray(floors, float)
    low, high = log_limits(values, floors)
    sizes = floors[(floors > 1 / EXTREME) & (floors < EXTREME)]
    width = float(np.median(sizes)) if sizes.size else max(1e-3 * high, 1e-12)
    below = values[(values < -1e-3 * width) & (values > -EXTREME)]  # by more than round-off
    if below.size:
        lowest, width = -2 * float(abs(below).max()), min(width, high)
        low = max(lowest, -width * 10 ** (DECADES // 2))
        high = max(high, width)
        getattr(ax, f"set_{which}scale")("symlog", linthresh=width, linscale=1.0)
        (ax.axhline if which == "y" else ax.axvline)(0, color="#999999", lw=0.7, zorder=0.5)
    else:
        getattr(ax, f"set_{which}scale")("log")
        plain_ticks(ax, which, high / low < 50)
    getattr(ax, f"set_{which}lim")(low, high)
    return low, high


def plain_ticks(ax: Axes, which: str, short: bool) -> None:
    """Powers of ten of a logarithmic axis; where it is short 2 and 5 times them, too. Minor ticks would take 40% of
    the time of a figure.
    """
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5) if short else (1,), numticks=9))
    axis.set_minor_locator(matplotlib.ticker.NullLocator())
    if short:
        axis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))


def close_grid(axes: Array, used: int, label: str) -> None:
    """Hides what is not used of a grid of axes, row by row, and labels the lowest of each column."""
    for ax in axes.flat[used:]:
        ax.set_visible(False)
    for column in axes.T:
        lowest = [ax for ax in column if ax.get_visible()][-1:]
        for ax in lowest:
            ax.set_xlabel(label)
            ax.tick_params(labelbottom=True)
