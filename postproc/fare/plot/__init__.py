# SPDX-License-Identifier: BSD-2-Clause
"""The figures of the report as functions, with matplotlib axes in and out.

    study = fare.open("out/prinz_driven")
    ax = fare.plot.divergence(study, "kl")
    ax = fare.plot.snapshot(study, 0.5, ax=axes[1])
    figure = fare.plot.figure(study, "costs")  # as in the report, with all its panels

A function without `ax` makes a figure of its own by pyplot, in the report's style. All draw a study or a sweep
as `fare.open`, `fare.results.Study` or `fare.sweep` give it, and return the axes.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Union

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fare import results
from fare.files import FareError
from fare.plot import densities, distances, figures
from fare.plot.drawing import STYLE, TRUTH, colours, headline, shown

if TYPE_CHECKING:
    from fare.study import Study, Sweep

    AnyStudy = Union[Study, results.Study]

__all__ = [
    "cost",
    "density",
    "divergence",
    "figure",
    "ranking",
    "snapshot",
    "style",
    "sweep_figure",
    "thermodynamics",
    "training",
    "truth_error",
]


def style() -> dict[str, Any]:
    """The report's settings, for matplotlib.rc_context."""
    return dict(STYLE)


def _tables(study: AnyStudy) -> results.Study:
    return study if isinstance(study, results.Study) else study.results


def _axes(ax: Axes | None, width: float = 6.4, height: float = 3.2) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE):
        return pyplot.subplots(figsize=(width, height))[1]


def _time(study: results.Study, time: float) -> int:
    return int(abs(study.times - time).argmin())


def divergence(study: AnyStudy, measure: str = "", *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """A measure over time, of every ensemble, with the floor that exact draws would have. Without a name the
    first that the plan lists.
    """
    tables, ax = _tables(study), _axes(ax)
    name = measure or headline(tables)
    comparisons = [c for c in distances.compared(tables) if name in c.measures]
    if not comparisons:
        raise FareError(f"{tables.path}: nothing was measured by '{name}'")
    distances.course(ax, tables, comparisons, name)
    ax.set_xlabel("time t")
    if legend:
        _legend(ax, distances.keys(tables))
    return ax


def _legend(ax: Axes, handles: list[Any]) -> None:
    """At the right of the axes: figures of one's own have room nowhere else for sure."""
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)


def density(
    study: AnyStudy,
    name: str = "truth",
    *,
    difference: bool = False,
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Axes:
    """The density of the truth or of an ensemble along the first axis over time; with `difference` what
    differs from the truth.
    """
    tables, ax = _tables(study), _axes(ax)
    densities.space_time_panel(ax, tables, name, difference, colorbar)
    return ax


def snapshot(
    study: AnyStudy,
    time: float,
    *,
    names: list[str] | None = None,
    ax: Axes | None = None,
    legend: bool = True,
) -> Axes:
    """Densities along the first axis at the snapshot next to `time`: the truth as a line, ensembles as
    histograms.
    """
    tables, ax = _tables(study), _axes(ax, 4.2, 3.0)
    chosen = names or [name for name in ("truth", *shown(tables)) if name in tables.densities]
    densities.overlay_panel(ax, tables, chosen, _time(tables, time))
    ax.set(xlabel="x", ylabel="density")
    if legend:
        shades = {"truth": TRUTH, **colours(tables)}
        _legend(ax, [Patch(color=shades.get(name, "#666666"), label=name) for name in chosen])
    return ax


def cost(study: AnyStudy, measure: str = "", *, ax: Axes | None = None) -> Axes:
    """What each ensemble has cost against how far it is from the truth; the stem ends at the noise floor."""
    tables, ax = _tables(study), _axes(ax)
    distances.cost_panel(ax, tables, measure or headline(tables))
    return ax


def training(study: AnyStudy, *, ax: Axes | None = None) -> Axes:
    """The training loss of each sampler that recorded one."""
    tables, ax = _tables(study), _axes(ax)
    figures.training_panel(ax, tables)
    _legend(ax, ax.get_legend_handles_labels()[0])
    return ax


def truth_error(study: AnyStudy, *, ax: Axes | None = None) -> Axes:
    """The truth's estimate of its own error over time, and its parts."""
    tables, ax = _tables(study), _axes(ax)
    figures.error_panel(ax, tables)
    return ax


def thermodynamics(study: AnyStudy, *, ax: Axes | None = None) -> Axes:
    """What the drive costs over time: work, heat, dissipation and the distance from equilibrium."""
    tables, ax = _tables(study), _axes(ax)
    figures.balance_panel(ax, tables)
    return ax


def ranking(study: AnyStudy, *, ax: Axes | None = None) -> Axes:
    """The lines of the study in the order of the ranking: distance, and noise floor."""
    tables = _tables(study)
    placed = [line for line in tables.ranking if line.place]
    if not placed:
        raise FareError(f"{tables.path}: the study has no ranking")
    ax = _axes(ax, 6.4, 1.3 + 0.235 * len(placed))
    distances.ranking_panel(ax, tables, placed)
    return ax


def figure(study: AnyStudy, name: str) -> Figure | None:
    """A figure of the report with all its panels, as a matplotlib Figure: density, snapshots, divergences, costs,
    ranking, training, truth_error or thermodynamics. None where the study has nothing to draw.
    """
    return _drawn(figures.FIGURES, name, _tables(study))


def sweep_figure(sweep: Sweep | results.Sweep, name: str) -> Figure | None:
    """A figure of a sweep: measures, costs, maps, regimes or tracking."""
    from fare import collect
    from fare.plot import sweeps

    tables = sweep if isinstance(sweep, results.Sweep) else sweep.results
    rows, states = collect.measured_rows(tables), collect.thermodynamic_rows(tables)
    known = {key: lambda t, make=make: make(t, rows, states) for key, make in sweeps.FIGURES.items()}
    return _drawn(known, name, tables)


def _drawn(known: Mapping[str, Callable[[Any], Figure | None]], name: str, tables: Any) -> Figure | None:
    if name not in known:
        raise FareError(f"no figure '{name}'; there are: {', '.join(known)}")
    with matplotlib.rc_context(STYLE):
        return known[name](tables)
