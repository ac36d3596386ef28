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

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Union

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fare import results
from fare.files import FareError
from fare.plot import corners, currents, densities, distances, figures
from fare.plot.drawing import COLUMN, ROW, STYLE, TRUTH, colours, fitting, headline, legend_above, shown
from fare.plot.rare import figure_of, known, one_panel
from fare.plot.rare import styles as rare_styles
from fare.tables import Estimated
from fare.trainings import joined

if TYPE_CHECKING:
    from fare.study import Study, Sweep

    AnyStudy = Union[Study, results.Study]
    WithRare = Union[Study, results.Study, Sweep, results.Sweep]

__all__ = [
    "corner",
    "cost",
    "current",
    "density",
    "divergence",
    "figure",
    "ranking",
    "rare",
    "rare_figure",
    "rare_styles",
    "snapshot",
    "snapshot_map",
    "style",
    "sweep",
    "sweep_figure",
    "thermodynamics",
    "training",
    "truth_error",
]


def style() -> dict[str, Any]:
    """The report's settings, for matplotlib.rc_context."""
    return dict(STYLE)


def _tables(study: AnyStudy) -> results.Study:
    """With the trainings of a line taken together."""
    return joined(study if isinstance(study, results.Study) else study.results)


def _axes(ax: Axes | None, width: float = COLUMN, height: float = 2.5) -> Axes:
    """Without any, those of a figure as wide as a column of a paper."""
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
    tables = _tables(study)
    name = measure or headline(tables)
    comparisons = [c for c in distances.compared(tables) if name in c.measures]
    if not comparisons:
        raise FareError(f"{tables.path}: nothing was measured by '{name}'")
    handles = distances.keys(tables)
    rows = -(-len(handles) // fitting(handles, 2, 0.8 * COLUMN))
    ax = _axes(ax, height=2.2 + ROW * rows * legend)
    distances.course(ax, tables, comparisons, name)
    ax.set_xlabel("time t")
    if legend:
        legend_above(ax, 2, handles)
    return ax


def _axis(tables: results.Study, axis: int | str) -> int:
    """The number of an axis that may be named."""
    names = [tables.known_bins.name(i) for i in range(tables.known_bins.dimension)]
    if axis in names:
        return names.index(str(axis))
    if not isinstance(axis, int) or not 0 <= axis < len(names):
        raise FareError(f"{tables.path}: no axis '{axis}'; there are: {', '.join(names)}")
    return axis


def _plane(tables: results.Study, axes: tuple[int | str, int | str]) -> tuple[int, int]:
    first, second = (_axis(tables, axis) for axis in axes)
    if first >= second:
        raise FareError(f"axes of a plane are two, in the order of the study: not {axes}")
    return first, second


def density(
    study: AnyStudy,
    name: str = "truth",
    *,
    difference: bool = False,
    axis: int | str = 0,
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Axes:
    """The density of the truth or of an ensemble along an axis over time; with `difference` what differs from the
    truth.
    """
    tables, ax = _tables(study), _axes(ax)
    if tables.joint is not None:
        (place,) = corners.check_axes(tables, (axis,))
        image = corners.course_panel(ax, tables, name, place, difference)
        ax.set_title(f"{name} − truth" if difference else name, loc="left")
        ax.set(xlabel="time t", ylabel=tables.marginal_axes[place])
        if colorbar:
            ax.figure.colorbar(image, ax=ax, label="density − truth" if difference else "density")
        return ax
    densities.space_time_panel(ax, tables, name, difference, colorbar, _axis(tables, axis))
    return ax


def snapshot(
    study: AnyStudy,
    time: float,
    *,
    names: list[str] | None = None,
    axis: int | str = 0,
    ax: Axes | None = None,
    legend: bool = True,
) -> Axes:
    """Densities along an axis at the snapshot next to `time`: the truth as a line, ensembles as histograms."""
    tables, ax = _tables(study), _axes(ax)
    chosen = names or ["truth", *shown(tables)]
    if tables.joint is not None:
        (place,) = corners.check_axes(tables, (axis,))
        corners.line_panel(ax, tables, chosen, _time(tables, time), place)
        ax.set_title(densities.moment(tables, _time(tables, time)), loc="left")
        ax.set(xlabel=tables.marginal_axes[place], ylabel="density")
    else:
        chosen = names or [name for name in chosen if name in tables.densities]
        densities.overlay_panel(ax, tables, chosen, _time(tables, time), _axis(tables, axis))
    if legend:
        shades = {"truth": TRUTH, **colours(tables)}
        legend_above(ax, 3, [Patch(color=shades.get(name, "#666666"), label=name) for name in chosen])
    return ax


def corner(
    study: AnyStudy, ensemble: str = "", time: float | None = None, *, axes: tuple[int | str, ...] = ()
) -> Figure:
    """Marginals of a truth of many axes beside an ensemble, at the snapshot next to `time`, by default the last. On
    the diagonal single axes, the truth as a line and the ensemble as a histogram; below it pairs of the truth, above
    it those of the ensemble, on one scale. `axes`: of those that snapshots hold (record.axes), from 0 or by name.
    """
    tables = _tables(study)
    chosen = corners.check_axes(tables, axes)
    if len(chosen) < 2:
        raise FareError(f"{tables.path}: a corner plot needs two axes")
    name = ensemble or next(iter(tables.ensembles), "")
    if name not in tables.ensembles:
        raise FareError(f"{tables.path}: no ensemble '{name}'; there are: {', '.join(tables.ensembles)}")
    k = _time(tables, time) if time is not None else len(tables.times) - 1
    with matplotlib.rc_context(STYLE):
        return corners.corner(tables, name, k, chosen)


def snapshot_map(
    study: AnyStudy,
    time: float,
    name: str = "truth",
    *,
    difference: bool = False,
    axes: tuple[int | str, int | str] = (0, 1),
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Axes:
    """The density of the truth or of an ensemble on a plane at the snapshot next to `time`, other axes summed; with
    `difference` what differs from the truth, in colours centred on 0.
    """
    tables, ax = _tables(study), _axes(ax)
    plane = _plane(tables, axes)
    densities.map_panel(ax, tables, name, _time(tables, time), plane, difference, colorbar)
    return ax


def current(
    study: AnyStudy,
    time: float | None = None,
    *,
    axes: tuple[int | str, int | str] = (0, 1),
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Axes:
    """The probability current of the truth, of a study with `thermodynamics: {currents: true}`. In one dimension
    over time; in more, arrows on a plane at the snapshot next to `time`, by default the last.
    """
    tables, ax = _tables(study), _axes(ax)
    if tables.known_bins.dimension == 1:
        currents.course_panel(ax, tables, colorbar)
        return ax
    k = _time(tables, time) if time is not None else len(tables.times) - 1
    currents.moment_panel(ax, tables, k, _plane(tables, axes))
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
    legend_above(ax, 3)
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
    ax = _axes(ax, COLUMN, 0.7 + 0.18 * len(placed))
    distances.ranking_panel(ax, tables, placed)
    return ax


def _estimated(study: WithRare | Iterable[WithRare]) -> list[Estimated]:
    """Rows of the tables of rare events of studies and sweeps."""
    rows: list[Estimated] = []
    for one in study if isinstance(study, Iterable) else [study]:
        tables = one if isinstance(one, (results.Study, results.Sweep)) else one.results
        points = tables.points.values() if isinstance(tables, results.Sweep) else [tables]
        rows += [row for point in points for row in point.rare]
    if not known(rows):
        raise FareError("there are no estimators of rare events in what is to be drawn")
    return rows


def rare_figure(study: WithRare | Iterable[WithRare]) -> Figure:
    """What a relative error of 10% costs each estimator of rare events, against 1/p, of studies and sweeps: with an axis
    for probabilities and one for rates, where there are both.
    """
    with matplotlib.rc_context(STYLE):
        return figure_of(_estimated(study))


def rare(study: WithRare | Iterable[WithRare], *, ax: Axes | None = None) -> Axes:
    """The same on one axis, of either probabilities or rates."""
    rows = _estimated(study)
    if len({row.rate for row in known(rows)}) > 1:
        raise FareError("these are probabilities and rates, which cannot share one axis: take rare_figure()")
    ax = _axes(ax)
    one_panel(ax, rows)
    return ax


def figure(study: AnyStudy, name: str) -> Figure | None:
    """A figure of the report with all its panels, as a matplotlib Figure: divergences, density, snapshots,
    differences, currents, ranking, costs, rare, inference, posteriors, potentials, profiles,
    identifiability, control, control_durations,
    sensitivity, thermodynamics, training,
    truth_error or other_divergences; in three dimensions snapshots_axes_1_2 and so on; of truths of many axes
    marginals, marginal_lines and corner_NAME of
    each ensemble. None where the study has nothing to draw.
    """
    tables = _tables(study)
    return _drawn(figures.figures(tables), name, tables)


def sweep(
    studies: Sweep | results.Sweep,
    measure: str = "",
    *,
    over: str = "",
    at: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    legend: bool = True,
) -> Axes:
    """A measure, averaged over times, over a swept key: a curve for each ensemble, with its noise floor. Without a
    name the first that the plan lists. Of a sweep over two or more keys, `over` is the one along the axis, and `at`
    has a value for each other: {"system.parameters.kT": 0.5}.
    """
    from fare import collect
    from fare.plot import sweeps

    tables = studies if isinstance(studies, results.Sweep) else studies.results
    axis = _swept_axis(tables, over)
    points = _points_at(tables, [other for other in tables.axes if other is not axis], at or {})
    rows = [row for row in collect.measured_rows(tables, together=True) if row["point"] in points]
    name = measure or headline(next(iter(tables.points.values())))
    if not any(row["measure"] == name for row in rows):
        raise FareError(f"{tables.directory}: nothing was measured by '{name}'")
    shades = sweeps.shades_of(rows)
    keys = sweeps.panel_keys([row for row in rows if row["measure"] == name], shades)
    ax = _axes(ax, height=2.2 + ROW * -(-len(keys) // 3) * legend)
    sweeps.measure_panel(ax, tables, axis, rows, name, shades)
    ax.set(xlabel=axis.name, ylabel=name.replace("_", " "))
    if legend:
        legend_above(ax, 3, keys)
    return ax


def _swept_axis(tables: results.Sweep, over: str) -> results.Axis:
    found = [axis for axis in tables.axes if not over or over in (axis.name, *axis.keys)]
    if len(found) != 1:
        names = ", ".join(key for axis in tables.axes for key in axis.keys)
        raise FareError(
            f"{tables.directory}: expected `over` as one of the swept keys: {names}; got '{over}'"
        )
    return found[0]


def _points_at(tables: results.Sweep, others: list[results.Axis], at: Mapping[str, Any]) -> set[int]:
    """The points where each of the other keys has its value."""
    chosen = set(tables.points)
    for axis in others:
        given = [key for key in axis.keys if key in at]
        if not given:
            raise FareError(f"{tables.directory}: `at` has no value of {axis.keys[0]}, which is swept, too")
        chosen = {point for point in chosen if _equal(tables.points[point].swept[given[0]], at[given[0]])}
        if not chosen:
            raise FareError(f"{tables.directory}: no point has {given[0]} = {at[given[0]]}")
    return chosen


def _equal(told: Any, wanted: Any) -> bool:
    """As numbers, where they are."""
    try:
        return float(told) == float(wanted)
    except (TypeError, ValueError):
        return str(told) == str(wanted)


def sweep_figure(sweep: Sweep | results.Sweep, name: str) -> Figure | None:
    """A figure of a sweep: measures, costs, maps, regimes or tracking."""
    from fare import collect
    from fare.plot import sweeps

    tables = sweep if isinstance(sweep, results.Sweep) else sweep.results
    rows, states = collect.measured_rows(tables, together=True), collect.thermodynamic_rows(tables)
    known = {key: lambda t, make=make: make(t, rows, states) for key, make in sweeps.FIGURES.items()}
    return _drawn(known, name, tables)


def _drawn(known: Mapping[str, Callable[[Any], Figure | None]], name: str, tables: Any) -> Figure | None:
    if name not in known:
        raise FareError(f"no figure '{name}'; there are: {', '.join(known)}")
    with matplotlib.rc_context(STYLE):
        return known[name](tables)
