# SPDX-License-Identifier: BSD-2-Clause
"""Figures of how far each ensemble is from the truth: over time, against what it has cost, and in the order
of the ranking.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import matplotlib.colors
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fare.files import Array
from fare.plot.drawing import (
    EXTREME,
    MANY,
    PAGE,
    PALETTE,
    TRUTH,
    close_grid,
    colours,
    describe,
    grid,
    headline,
    legend,
    mean,
    measure_axis,
    measured_by,
    plain_ticks,
    principal,
    quantity,
    shown,
)
from fare.results import Study
from fare.tables import Comparison, Measured, OverTrainings, Ranked

# What is drawn of one ensemble shares its colour; the line says which of its comparisons it is.
LINES = {("samples", "truth"): "-", ("density", "truth"): (0, (5, 2)), ("samples", "target"): (0, (1, 1.4))}

MARKERS = {"none": "o", "learned": "D", "oracle": "*", "empirical": "s"}  # where a method's field comes from
KINDS = dict(zip(MARKERS, ("#555555", *PALETTE)))


def compared(study: Study) -> list[Comparison]:
    """Comparisons of the ensembles that are shown; of many, only that of samples with the truth."""
    names, few = set(shown(study)), len(study.ensembles) <= MANY
    return [
        c
        for c in study.comparisons.values()
        if c.ensemble in names and (few or (c.of == "samples" and c.against == "truth"))
    ]


def _learns(study: Study, comparison: Comparison) -> bool:
    ensemble = study.ensembles.get(comparison.ensemble)
    return bool(
        ensemble
        and study.trained.any()
        and (ensemble.train_seconds > 0 or ensemble.loss is not None or ensemble.family == "generative")
    )


def divergences(study: Study) -> Figure | None:
    """The principal measures over time, with the floor that exact draws would have."""
    return _courses(study, principal(study))


def other_divergences(study: Study) -> Figure | None:
    """As `divergences`, of all other measures."""
    return _courses(study, [name for name in measured_by(study) if name not in principal(study)])


def _courses(study: Study, names: list[str]) -> Figure | None:
    comparisons = compared(study)
    names = [name for name in names if any(name in c.measures for c in comparisons)]
    if not names:
        return None
    fig, axes = grid(-(-len(names) // 2), 2, 1.5, sharex=True)
    for ax, name in zip(axes.flat, names):
        course(ax, study, [c for c in comparisons if name in c.measures], name)
    close_grid(axes, len(names), "time t")
    legend(fig, keys(study), 3)
    return fig


def course(ax: Axes, study: Study, comparisons: list[Comparison], name: str) -> None:
    """One measure over time, of comparisons that have it."""
    measured = [c.measures[name] for c in comparisons]
    ax.set_ylabel(quantity(name, measured[0]))
    values = [each for m in measured for each in (m.value, *_range(m))]
    measure_axis(ax, "y", np.concatenate(values), np.concatenate([m.floor_size for m in measured]))
    if not any(np.nan_to_num(m.value).any() for m in measured):
        ax.text(0.5, 0.5, "0 at all times", transform=ax.transAxes, ha="center", color="#555555")
    for comparison in comparisons:
        _course(ax, study, comparison, comparison.measures[name])


def _range(measured: Measured) -> list[Array]:
    """The smallest and the largest value over trainings, where there are several."""
    if isinstance(measured, OverTrainings) and measured.least is not None and measured.most is not None:
        return [measured.least, measured.most]
    return []


def _shade(study: Study, comparison: Comparison) -> tuple[float, ...]:
    """The ensemble's colour; darker for its model density, which lies on the samples' line where the sampler
    has converged.
    """
    colour = matplotlib.colors.to_rgb(colours(study).get(comparison.ensemble, "#666666"))
    return tuple(0.5 * c for c in colour) if comparison.of == "density" else colour


def _course(ax: Axes, study: Study, comparison: Comparison, measured: Measured) -> None:
    colour = _shade(study, comparison)
    logarithmic = ax.get_yscale() == "log"
    value = np.where(abs(measured.value) < EXTREME, measured.value, np.nan)  # an axis can show no more
    value = np.where((value > 0) | (not logarithmic), value, np.nan)
    ax.plot(
        study.times,
        value,
        color=colour,
        ls=LINES.get((comparison.of, comparison.against), "-"),
        marker="" if len(value) > 1 else "o",
    )
    if comparison.samples:
        floor = measured.floor_mean
        if logarithmic:  # of a measure without bias it is about 0
            floor = np.where(floor > 1e-3 * measured.floor_high, floor, ax.get_ylim()[0])
        _band(ax, study.times, floor, measured.floor_high, colour, 0.25)
    if limits := _range(measured):
        _band(ax, study.times, limits[0], limits[1], colour, 0.4)
    if _learns(study, comparison) and comparison.against == "truth":
        ax.plot(study.times[study.trained], value[study.trained], ls="", marker="o", ms=3, color=colour)
        ax.plot(
            study.times[study.held_out],
            value[study.held_out],
            ls="",
            marker="o",
            ms=3,
            mfc="white",
            mew=0.9,
            color=colour,
        )


def _band(ax: Axes, t: Array, low: Array, high: Array, colour: tuple[float, ...], alpha: float) -> None:
    """From low to high over time; a bar at a single time."""
    if len(t) > 1:
        ax.fill_between(t, low, high, color=colour, alpha=alpha, lw=0)
    else:
        ax.vlines(t, low, high, color=colour, alpha=alpha, lw=8)


def keys(study: Study) -> list[Any]:
    found: list[Any] = []
    for comparison in compared(study):
        found.append(
            Line2D(
                [],
                [],
                color=_shade(study, comparison),
                ls=LINES.get((comparison.of, comparison.against), "-"),
                label=describe(comparison),
            )
        )
    if any(_learns(study, c) for c in compared(study)):
        found.append(Line2D([], [], color="#555555", ls="", marker="o", ms=3.5, label="trained on"))
        found.append(
            Line2D([], [], color="#555555", ls="", marker="o", ms=3.5, mfc="white", label="held out")
        )
    if any(c.samples for c in compared(study)):
        found.append(Patch(color="#777777", alpha=0.3, lw=0, label="noise floor, mean to 95%"))
    if any(_range(m) for c in compared(study) for m in c.measures.values()):
        found.append(Patch(color="#777777", alpha=0.6, lw=0, label="range over trainings"))
    return found


def _finite(study: Study) -> dict[str, Comparison]:
    """Samples against the truth, of ensembles that have an average."""
    against = {c.ensemble: c for c in compared(study) if c.against == "truth" and c.of == "samples"}
    return {
        ensemble: c
        for ensemble, c in against.items()
        if any(np.isfinite(mean(m.value)) for m in c.measures.values())
    }


def _cost_axes(
    ax: Axes, study: Study, against: dict[str, Comparison], name: str, named: bool
) -> list[_Point]:
    measured = {ensemble: c.measures[name] for ensemble, c in against.items() if name in c.measures}
    points = _points(ax, study, measured, named)
    ax.set_ylabel(quantity(name, next(iter(measured.values()))))
    ax.set_xlabel("training and sampling (s, slowest rank)")
    return points


def cost_panel(ax: Axes, study: Study, name: str) -> None:
    """One measure, with names beside the points."""
    points = _cost_axes(ax, study, _finite(study), name, True)
    ax.figure.draw_without_rendering()  # the layout decides where points are
    _names(ax, study, points)


def costs(study: Study) -> Figure | None:
    """What each ensemble has cost against how far it is from the truth."""
    against = _finite(study)
    first = headline(study)
    names = [
        name
        for name in dict.fromkeys((first, *principal(study)))
        if any(name in c.measures for c in against.values())
    ][:2]
    if not names:
        return None
    crowded = len(against) > len(PALETTE)  # so that names find no room beside their points
    wide = PAGE if len(names) > 1 else 0.6 * PAGE
    fig, panels = grid(1, len(names), 2.9 if crowded else 2.0, width=wide)
    axes = panels[0]
    points = [_cost_axes(ax, study, against, name, not crowded) for ax, name in zip(axes, names)]
    keys = (
        [Line2D([], [], color=colours(study)[name], ls="", marker="o", ms=5, label=name) for name in against]
        if crowded
        else []
    )
    keys.append(Line2D([], [], color="#555555", ls="", marker="o", ms=5, label="average over times"))
    if study.held_out.any():
        keys.append(
            Line2D(
                [],
                [],
                color="#555555",
                ls="",
                marker="o",
                ms=10,
                mfc="none",
                mew=1.4,
                label="average over held-out times",
            )
        )
    keys.append(Line2D([], [], color="#555555", ls="", marker="_", ms=11, mew=2, label="noise floor"))
    if any(point.beyond for some in points for point in some):
        keys.append(Line2D([], [], color="#555555", ls="", marker="^", ms=7, label="beyond the axis"))
    legend(fig, keys, 4)
    for ax, some in zip(axes, points):
        if not crowded:
            _names(ax, study, some)
    return fig


@dataclass(frozen=True)
class _Point:
    """Where an ensemble stands in a figure of costs."""

    name: str
    seconds: float
    average: float
    floor: float
    held_out: float  # NaN where nothing was learned
    beyond: str = ""  # the marker of what lies above or below the axis


def _points(ax: Axes, study: Study, measured: dict[str, Measured], named: bool) -> list[_Point]:
    """Draws each ensemble that has an average, and the truth's own cost; with room for names beside them."""
    found = []
    for name, m in measured.items():
        learned = study.held_out.any() and study.ensembles[name].train_seconds > 0
        found.append(
            _Point(
                name,
                max(study.ensembles[name].seconds, 1e-3),
                mean(m.value),
                mean(m.floor_mean),
                mean(m.value[study.held_out]) if learned else np.nan,
            )
        )
    found = [point for point in found if np.isfinite(point.average)]
    seconds = [point.seconds for point in found] + (
        [study.truth.seconds] if study.truth and study.truth.seconds > 0 else []
    )
    ax.set_xscale("log")
    ax.set_xlim(
        _room(
            min(seconds, default=1),
            max(seconds, default=1),
            max((len(point.name) for point in found if named), default=0),
        )
    )
    marks = np.array([value for point in found for value in (point.average, point.held_out, point.floor)])
    low, high = measure_axis(
        ax, "y", marks, np.array([measured[point.name].floor_size.mean() for point in found])
    )
    if ax.get_yscale() == "log":
        low = max(low, marks[marks > low].min(initial=high) / 2)
        high = max(1.5 * high, 10 * low)
        ax.set_ylim(low, high)
    ax.xaxis.set_major_locator(
        matplotlib.ticker.LogLocator(
            subs=(1, 2, 5) if np.ptp(np.log10(ax.get_xlim())) < 3 else (1,), numticks=20
        )
    )
    ax.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    found = [
        replace(
            p,
            average=min(max(p.average, low), high),
            beyond="v" if p.average < low else "^" if p.average > high else "",
        )
        for p in found
    ]
    for point in found:
        _mark(ax, point, colours(study)[point.name])
    if study.truth and study.truth.seconds > 0:
        ax.axvline(study.truth.seconds, color=TRUTH, lw=1, ls=(0, (4, 3)), zorder=0)
        ax.annotate(
            "truth",
            (study.truth.seconds, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            va="top",
        )
    return found


def _mark(ax: Axes, point: _Point, colour: str) -> None:
    ax.plot([point.seconds, point.seconds], [point.floor, point.average], color=colour, lw=1, alpha=0.6)
    ax.plot(point.seconds, point.floor, ls="", marker="_", ms=10, mew=1.6, color=colour)
    ax.plot(
        point.seconds, point.average, ls="", marker=point.beyond or "o", ms=5.5, color=colour, clip_on=False
    )
    ax.plot(point.seconds, point.held_out, ls="", marker="o", ms=9, mfc="none", mew=1.1, color=colour)


Box = tuple[float, float, float, float]  # left, bottom, right, top, in points of 1/72 inch


def _covered(box: Box, others: list[Box]) -> int:
    return sum(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)


def _place(ax: Axes, seconds: float, value: float) -> tuple[float, float]:
    x, y = ax.transData.transform((seconds, value)) * 72 / ax.figure.dpi
    return x, y


def _obstacles(ax: Axes, study: Study, points: list[_Point]) -> tuple[list[Box], list[Box]]:
    """The marks that no name may cover, and the lines that it had better not."""
    bottom, top = ax.get_window_extent().extents[[1, 3]] * 72 / ax.figure.dpi
    marks, lines = [], []
    if study.truth and study.truth.seconds > 0:
        x = _place(ax, study.truth.seconds, 1)[0]
        lines.append((x - 1, bottom, x + 1, top))
        marks.append((x, top - 16, x + 34, top))  # its name
    for p in points:
        x, y = _place(ax, p.seconds, p.average)
        marks.append((x - 5, y - 5, x + 5, y + 5))
        if p.floor > 0 or ax.get_yscale() != "log":
            floor = _place(ax, p.seconds, p.floor)[1]
            lines += [(x - 1, min(y, floor), x + 1, max(y, floor)), (x - 7, floor - 2, x + 7, floor + 2)]
        if p.held_out > 0 or (np.isfinite(p.held_out) and ax.get_yscale() != "log"):
            ring = _place(ax, p.seconds, p.held_out)[1]
            marks.append((x - 7, ring - 7, x + 7, ring + 7))
    return marks, lines


def _names(ax: Axes, study: Study, points: list[_Point]) -> None:
    """A name near every point: where it covers neither names nor marks, and if that can be, no line either."""
    left, bottom, right, top = ax.get_window_extent().extents * 72 / ax.figure.dpi
    (marks, lines), shades = _obstacles(ax, study, points), colours(study)
    for p in sorted(points, key=lambda p: -p.average):
        x, y = _place(ax, p.seconds, p.average)
        width, height = 5.0 * len(p.name), 9.0
        around = [
            (side, up)
            for up in (-4, 5, -13, 16, -25, 28, -37, 40, -49, *range(52, 180, 12))
            for side in (9, -9 - width)
        ] + [(-0.5 * width, up) for up in (9, -19, 21, -31)]
        around = [
            (side, up)
            for side, up in around
            if left < x + side and x + side + width < right and bottom < y + up and y + up + height < top
        ] or [(9, -4)]
        boxes = [(x + side, y + up - 1, x + side + width, y + up + height - 1) for side, up in around]
        best = min(
            range(len(boxes)),
            key=lambda i: 10 * _covered(boxes[i], marks)
            + 3 * _covered(boxes[i], lines)
            + abs(around[i][1]) / 20,
        )
        marks.append(boxes[best])
        far = abs(around[best][1] + 4) > 12
        ax.annotate(
            p.name,
            (p.seconds, p.average),
            xytext=around[best],
            textcoords="offset points",
            color=shades[p.name],
            weight="bold",
            arrowprops=(
                {"arrowstyle": "-", "color": shades[p.name], "lw": 0.5, "alpha": 0.6, "shrinkB": 4}
                if far
                else None
            ),
        )


def _room(low: float, high: float, letters: int) -> tuple[float, float]:
    """At least a decade, and at the right a name of so many letters."""
    lower, upper = np.log10(low), np.log10(high)
    spare, name = max(0.0, 1 - (upper - lower)) / 2, min(0.4, (12 + 5.0 * letters) / 200)
    whole = (upper - lower + 2 * spare) / (0.94 - name)
    return 10 ** (lower - spare - 0.06 * whole), 10 ** (upper + spare + name * whole)


def ranking_panel(ax: Axes, study: Study, placed: list[Ranked]) -> None:
    """A row for each line: its distance and floor."""
    ax.set_xlabel(f"{study.ranked_by.replace('_', ' ')}, over {study.ranked_over}")
    low, high = measure_axis(ax, "x", [r.mean for r in placed], [abs(r.floor) for r in placed])
    for row, r in enumerate(placed):
        colour, bar = KINDS[r.mode], r.spread if np.isfinite(r.spread) else r.error
        at = min(max(r.mean, low), high)
        ax.plot([r.floor, at], [row, row], color=colour, lw=1, alpha=0.6)
        ax.plot(r.floor, row, ls="", marker="|", ms=7, mew=1.6, color=colour)
        if at == r.mean:
            ax.errorbar(
                at,
                row,
                xerr=[[min(bar, 0.9 * at) if ax.get_xscale() == "log" else bar], [bar]],
                fmt=MARKERS[r.mode],
                ms=4.5,
                capsize=2,
                color=colour,
            )
        else:
            ax.plot(
                at, row, ls="", marker="<" if r.mean < low else ">", ms=7, color=colour, clip_on=False
            )  # beyond the axis
    ax.set_yticks(range(len(placed)), [f"{r.line}  {r.place}" for r in placed])
    ax.set_ylim(len(placed) - 0.4, -0.6)


def ranking(study: Study) -> Figure | None:
    """A row for each line in the order of the ranking: its distance and floor, and what one training and its
    samples cost; bars are standard deviations over trainings, or the standard error of a single one.
    """
    placed = [line for line in study.ranking if line.place]
    if not placed:
        return None
    fig = Figure(figsize=(PAGE, 1.0 + 0.18 * len(placed)))
    left, right = fig.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    right.set_xscale("log")
    right.set_xlabel("training and sampling (s)")
    ranking_panel(left, study, placed)
    for row, r in enumerate(placed):
        colour = KINDS[r.mode]
        train, sample = max(r.train_seconds, 0.0), max(r.train_seconds + r.sample_seconds, 1e-2)
        right.plot(sample, row, ls="", marker=MARKERS[r.mode], ms=4.5, color=colour)
        if train > 1e-2:
            right.plot([train, sample], [row, row], color=colour, lw=1, alpha=0.6)
            right.plot(train, row, ls="", marker="|", ms=7, mew=1.6, color=colour)
    low_end, high_end = right.get_xlim()
    plain_ticks(right, "x", high_end < 50 * low_end)
    kinds = [mode for mode in MARKERS if any(r.mode == mode for r in placed)]
    keys = [
        Line2D(
            [],
            [],
            color=KINDS[mode],
            ls="",
            marker=MARKERS[mode],
            ms=7,
            label="not trained" if mode == "none" else mode,
        )
        for mode in kinds
    ]
    legend(
        fig,
        [
            *keys,
            Line2D(
                [],
                [],
                color="#555555",
                ls="",
                marker="|",
                ms=11,
                mew=2,
                label="noise floor (left), training only (right)",
            ),
        ],
        5,
    )
    return fig
