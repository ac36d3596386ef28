# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a FARE sweep, from its points and the rows of its tables. Each function returns None where
there is nothing to draw.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import matplotlib.colors
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.plot.drawing import (
    COLUMN,
    PAGE,
    PALETTE,
    TRUTH,
    close_grid,
    headline,
    legend,
    log_limits,
    measure_axis,
    quantity,
)
from fare.plot.rare import figure_of
from fare.results import Axis, Sweep

Row = dict[str, Any]
SAMPLES = 1e6  # whose noise floor the map is read against
NEAR = 0.01  # nats above the floor within which a sampler counts as following the truth

CAPTIONS = {
    "rare": (
        "Estimators of rare events: steps to a relative error of 10% against the rarity of the event, for all"
        " points. Dashed: plain simulation, from the exact probability; dotted: the lowest possible cost of a"
        " method. Bars: the 95% interval, from the scatter of runs."
    ),
    "measures": (
        "Distance from the truth, averaged over all times, against the swept key. Bars: the 95% interval,"
        " also averaged; band: the range over trainings; dashed, in the colour of the ensemble: its noise"
        " floor. A cross at the top: the ensemble ended early."
    ),
    "costs": "The same against cost.",
    "curves": (
        "The same as maps, as curves over one of the swept axes, one for each value of the other. Bars: the"
        " 95% interval, averaged over times; dashed: the noise floor."
    ),
    "maps": (
        "Distance from the truth, averaged over times, over both of the swept axes. Starred: within twice the"
        " noise floor."
    ),
    "regimes": (
        "Left: how far the truth is from the instantaneous Boltzmann density, averaged over the snapshots"
        f" after the first, and what {SAMPLES:,.0f} exact samples would show: below that line equilibrium"
        " sampling is right. Right: dissipated work by the end (lines) and the lag bound under it, kT times"
        " the divergence from equilibrium there (dotted)."
    ),
    "tracking": (
        f"Where each sampler stays within {NEAR:g} nats of its noise floor (filled) and where it does not"
        " (open); the number is its excess in nats. Grey: where equilibrium sampling is right, according to"
        " the truth."
    ),
}


def driven_period(sweep: Sweep) -> str | None:
    """The swept key that is the period of a drive."""
    return next(
        (key for key in sweep.keys if re.fullmatch(r"drive[.\[]\d+\]?\.period", key) and sweep.numbers(key)),
        None,
    )


def is_right(state: Row) -> bool:
    """Whether Boltzmann's density cannot be told from the exact one with a million samples."""
    return bool(state["kl_at_snapshots"] <= state["floor_of_a_million"])


def _own_key(axis: Axis, ensemble: str) -> str:
    """The key of an axis that is about this ensemble, where there is one."""
    return next((key for key in axis.keys if key.startswith(f"ensembles.{ensemble}.")), axis.keys[0])


def _samples(rows: list[Row], measure: str) -> dict[str, list[Row]]:
    """Rows of samples against the truth, by ensemble."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["measure"] == measure and (row["of"], row["against"]) == ("samples", "truth"):
            found.setdefault(str(row["ensemble"]), []).append(row)
    return found


def _places(sweep: Sweep, axis: Axis, key: str) -> tuple[dict[int, float], list[str] | None]:
    """Where each point stands along an axis; names to write there where values are not numbers."""
    numbers = sweep.numbers(key)
    if numbers is not None:
        return numbers, None
    names = list(dict.fromkeys(study.swept[key] for study in sweep.points.values()))
    return {point: float(names.index(study.swept[key])) for point, study in sweep.points.items()}, names


def _scale(ax: Axes, which: str, values: list[float], names: list[str] | None) -> None:
    if names is not None:
        getattr(ax, f"set_{which}ticks")(range(len(names)), names)
    elif min(values) > 0 and max(values) >= 8 * min(values):
        getattr(ax, f"set_{which}scale")("log")
        few = sorted(set(values))
        if len(few) <= 8:  # else powers of ten
            getattr(ax, f"set_{which}ticks")(few, [f"{v:g}" for v in few])
            getattr(ax, f"{which}axis").set_minor_locator(matplotlib.ticker.NullLocator())


def measures(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """Every measure against the one swept axis."""
    names = list(dict.fromkeys(str(row["measure"]) for row in rows))
    if len(sweep.axes) != 1 or not names:
        return None
    axis, shades = sweep.axes[0], shades_of(rows)
    columns = min(2, len(names))
    fig = Figure(figsize=(PAGE if columns > 1 else COLUMN, 2.0 * -(-len(names) // columns) + 0.45))
    axes = fig.subplots(-(-len(names) // columns), columns, squeeze=False)
    measured = {
        name: one
        for study in sweep.points.values()
        for comparison in study.comparisons.values()
        for name, one in comparison.measures.items()
    }
    for ax, name in zip(axes.flat, names):
        measure_panel(ax, sweep, axis, rows, name, shades)
        ax.set_ylabel(quantity(name, measured[name]))
    close_grid(axes, len(names), axis.name)
    legend(fig, panel_keys(rows, shades), 6)
    return fig


def measure_panel(
    ax: Axes, sweep: Sweep, axis: Axis, rows: list[Row], name: str, shades: dict[str, str]
) -> None:
    """A measure of each ensemble in some rows over an axis of the sweep."""
    failed = _scaled(ax, [row for lines in _samples(rows, name).values() for row in lines])
    for ensemble, lines in _samples(rows, name).items():
        places, labels = _places(sweep, axis, _own_key(axis, ensemble))
        at = [(places[row["point"]], row) for row in lines]
        _line(ax, at, shades[ensemble])
        if ensemble in failed:
            x = [x for x, row in at if row["failure"]]
            ax.plot(
                x,
                [1 - _apart(failed) * failed.index(ensemble)] * len(x),
                ls="",
                marker="x",
                ms=5,
                mew=1.4,
                color=shades[ensemble],
                transform=ax.get_xaxis_transform(),
                clip_on=False,
            )
        _scale(ax, "x", list(places.values()), labels)


def panel_keys(rows: list[Row], shades: dict[str, str]) -> list[Line2D]:
    """The legend of measure_panel."""
    return _keys(shades)[: None if any(row["failure"] for row in rows) else -1]


def shades_of(rows: list[Row]) -> dict[str, str]:
    return {
        name: PALETTE[i % len(PALETTE)]
        for i, name in enumerate(dict.fromkeys(str(row["ensemble"]) for row in rows))
    }


def _keys(shades: dict[str, str]) -> list[Line2D]:
    keys = [Line2D([], [], color=shade, marker="o", ms=3.5, label=name) for name, shade in shades.items()]
    return [
        *keys,
        Line2D([], [], color="#555555", ls=(0, (4, 2)), lw=1, label="noise floor"),
        Line2D([], [], color="#555555", ls="", marker="x", ms=5, mew=1.4, label="ended early"),
    ]


def _line(ax: Axes, at: list[tuple[float, Row]], shade: str) -> None:
    whole = sorted(((x, row) for x, row in at if not row["failure"]), key=lambda item: item[0])
    x = [place for place, _ in whole]
    average, low, high, least, most, floor = (
        np.array([row[of] for _, row in whole], float)
        for of in ("average", "low", "high", "least", "most", "floor")
    )
    bars = np.nan_to_num(np.array([np.maximum(average - low, 0), np.maximum(high - average, 0)]))
    ax.errorbar(x, average, bars, color=shade, marker="o", ms=3.5, capsize=2, elinewidth=0.8)
    if np.isfinite(least).any():
        ax.fill_between(x, least, most, color=shade, alpha=0.3, lw=0)
    ax.plot(x, floor, color=shade, ls=(0, (4, 2)), lw=0.9)


def _scaled(ax: Axes, rows: list[Row]) -> list[str]:
    """The axis of a measure, where it is positive, with room at the top for a row of crosses of each ensemble
    that ended early, which are returned.
    """
    failed = list(dict.fromkeys(str(row["ensemble"]) for row in rows if row["failure"]))
    whole = [row for row in rows if not row["failure"]]
    if any(row["average"] != 0 for row in whole):
        values = [row[of] for row in whole for of in ("average", "least", "most")]
        sizes = [max(abs(row["floor"]), row["floor_high"] - row["floor"]) for row in whole]
        low, high = measure_axis(ax, "y", values, sizes)
        base = max(low, 1e-3 * high)
        ax.set_ylim(low, base * (high / base) ** (1 / (1 - _apart(failed) * len(failed))))
    return failed


def curves(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """The headline measure over one of two axes, a curve for each value of the other; a panel for each ensemble."""
    first = headline(next(iter(sweep.points.values())))
    lines = _samples(rows, first) if first else {}
    if len(sweep.axes) != 2 or not lines:
        return None
    across, other = sorted(sweep.axes, key=lambda axis: -_count(sweep, axis))
    columns = min(2, len(lines))
    fig = Figure(figsize=(PAGE if columns > 1 else COLUMN, 2.0 * -(-len(lines) // columns) + 0.45))
    axes = fig.subplots(-(-len(lines) // columns), columns, squeeze=False, sharey=True)
    everything = [row for line in lines.values() for row in line]
    values = list(dict.fromkeys(study.swept[other.keys[0]] for study in sweep.points.values()))
    shades = [
        matplotlib.colors.to_hex(c)
        for c in matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(values)))
    ]
    for ax, (ensemble, line) in zip(axes.flat, lines.items()):
        places, labels = _places(sweep, across, _own_key(across, ensemble))
        _scaled(ax, everything)
        for value, shade in zip(values, shades):
            chosen = [row for row in line if sweep.points[row["point"]].swept[other.keys[0]] == value]
            _line(ax, [(places[row["point"]], row) for row in chosen], shade)
        _scale(ax, "x", list(places.values()), labels)
        ax.set_title(ensemble, loc="left")
    for row in axes:
        row[0].set_ylabel(first.replace("_", " "))
    close_grid(axes, len(lines), across.name)
    keys = [
        Line2D([], [], color=shade, marker="o", ms=3.5, label=f"{other.name} {value}")
        for value, shade in zip(values, shades)
    ]
    legend(fig, [*keys, *_keys({})[:1]], 6)
    return fig


def _count(sweep: Sweep, axis: Axis) -> int:
    return len({study.swept[axis.keys[0]] for study in sweep.points.values()})


def _apart(failed: list[str]) -> float:
    """How far apart rows of crosses are, as a share of the axis."""
    return min(0.05, 0.4 / max(1, len(failed)))


def costs(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """The headline measure against seconds and evaluations."""
    first = headline(next(iter(sweep.points.values())))
    if len(sweep.axes) != 1 or not first:
        return None
    axis, shades = sweep.axes[0], shades_of(rows)
    spent: dict[str, Callable[[Row], Any]] = {
        "training and sampling (s)": lambda row: max(row["train_seconds"] + row["sample_seconds"], 1e-4),
        "force evaluations": lambda row: row["force_evaluations"],
        "network evaluations": lambda row: row["network_evaluations"],
    }
    spent = {label: cost for label, cost in spent.items() if any(cost(row) > 0 for row in rows)}
    fig = Figure(figsize=(PAGE if len(spent) > 1 else COLUMN, 2.5))
    for ax, (label, cost) in zip(np.atleast_1d(fig.subplots(1, len(spent))), spent.items()):
        _scaled(ax, [row for lines in _samples(rows, first).values() for row in lines if not row["failure"]])
        for ensemble, lines in _samples(rows, first).items():
            places, _ = _places(sweep, axis, _own_key(axis, ensemble))
            lines = [
                row
                for row in sorted(lines, key=lambda row: places[row["point"]])
                if not row["failure"] and cost(row) > 0
            ]
            ax.plot(
                [cost(row) for row in lines],
                [row["average"] for row in lines],
                color=shades[ensemble],
                marker="o",
                ms=3.5,
            )
            ax.plot(
                [cost(row) for row in lines],
                [row["floor"] for row in lines],
                color=shades[ensemble],
                ls=(0, (4, 2)),
                lw=1,
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 3), numticks=5))
        ax.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        ax.set_xlabel(label)
        ax.set_ylabel(first.replace("_", " "))
    legend(fig, _keys(shades)[:-1], 6)
    return fig


def maps(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """The headline measure of every ensemble over two axes."""
    first = headline(next(iter(sweep.points.values())))
    lines = _samples(rows, first) if first else {}
    if len(sweep.axes) != 2 or not lines:
        return None
    values = [row["average"] for line in lines.values() for row in line if row["average"] > 0]
    if not values:
        return None
    low, high = log_limits(values)
    scale = matplotlib.colors.LogNorm(
        max(low, min(values)), max(min(high, max(values)), 1.0001 * max(low, min(values))), clip=True
    )
    fig = Figure(figsize=(PAGE if len(lines) > 1 else COLUMN, 2.6))
    axes = np.atleast_1d(fig.subplots(1, len(lines), sharey=True))
    for ax, (ensemble, line) in zip(axes, lines.items()):
        grids = [_places(sweep, axis, _own_key(axis, ensemble)) for axis in sweep.axes]
        ticks = [sorted(set(places.values())) for places, _ in grids]
        for row in line:
            x, y = (ticks[i].index(places[row["point"]]) for i, (places, _) in enumerate(grids))
            if not math.isfinite(row["average"]) or row["failure"]:
                ax.annotate("ended\nearly", (x, y), ha="center", va="center", color="#a00000")
                continue
            colour = matplotlib.colormaps["viridis"](scale(row["average"]))
            ax.bar(x, 1, 1, y - 0.5, color=colour, edgecolor="white", lw=0.5)
            ax.annotate(
                f"{row['average']:.2g}{'*' if row['average'] <= 2 * row['floor'] else ''}",
                (x, y),
                ha="center",
                va="center",
                fontsize=6.5,
                color="black" if sum(colour[:3]) > 1.5 else "white",
            )
        for i, which in enumerate("xy"):
            names = grids[i][1]
            getattr(ax, f"set_{which}ticks")(
                range(len(ticks[i])), [names[int(v)] if names else f"{v:.4g}" for v in ticks[i]]
            )
            getattr(ax, f"set_{which}lim")(-0.5, len(ticks[i]) - 0.5)
        ax.set_xlabel(sweep.axes[0].name)
        ax.set_title(ensemble, loc="left")
        ax.grid(False)
    axes[0].set_ylabel(sweep.axes[1].name)
    fig.colorbar(
        matplotlib.cm.ScalarMappable(scale, "viridis"),
        ax=list(axes),
        label=f"{first.replace('_', ' ')}, average over times",
    )
    return fig


def _families(sweep: Sweep, states: list[Row]) -> tuple[str, str, dict[tuple[str, ...], list[Row]]]:
    """The states in order of the drive's frequency, by the values of all that is swept besides the period;
    the key to plot against and its label.
    """
    period = driven_period(sweep)
    assert period is not None
    others = [axis.keys[0] for axis in sweep.axes if period not in axis.keys]
    families: dict[tuple[str, ...], list[Row]] = {}
    for state in sorted(states, key=lambda s: float(s[str(period)])):
        families.setdefault(tuple(f"{key.split('.')[-1]} {state[key]}" for key in others), []).append(state)
    if all(math.isfinite(s["omega_over_rate"]) for s in states):
        return "omega_over_rate", "angular frequency / slowest rate", families
    return period, "period", families


def regimes(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """Divergence from equilibrium, and dissipated work over the lag bound, against the drive's frequency."""
    if not driven_period(sweep) or not any(math.isfinite(s["kl_at_snapshots"]) for s in states):
        return None
    key, label, families = _families(sweep, states)
    fig = Figure(figsize=(PAGE, 2.8))
    left, right = fig.subplots(1, 2)
    handles = []
    for (family, line), shade in zip(families.items(), PALETTE * len(families)):
        x = [float(s[key]) for s in line]
        left.plot(x, [s["kl_at_snapshots"] for s in line], color=shade, marker="o", ms=3.5)
        left.plot(x, [s["floor_of_a_million"] for s in line], color=TRUTH, ls=(0, (4, 2)), lw=1)
        left.plot(
            [float(s[key]) for s in line if is_right(s)],
            [s["kl_at_snapshots"] for s in line if is_right(s)],
            ls="",
            marker="o",
            ms=7.5,
            mfc="none",
            mew=1.0,
            color=TRUTH,
        )
        right.plot(x, [s["dissipated_work"] for s in line], color=shade, marker="o", ms=3.5)
        right.plot(x, [s["kT_kl_at_end"] for s in line], color=shade, ls=(0, (1, 1.4)))
        handles.append(Line2D([], [], color=shade, marker="o", ms=3.5, label=", ".join(family) or "truth"))
    for ax, title in (
        (left, "KL from the instantaneous equilibrium, nats"),
        (right, "dissipated work by the end"),
    ):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(label)
        ax.set_title(title, loc="left")
    handles += [
        Line2D([], [], color=TRUTH, ls=(0, (4, 2)), lw=1, label="floor of a million samples"),
        Line2D([], [], color=TRUTH, ls="", marker="o", ms=7, mfc="none", label="equilibrium is right"),
        Line2D([], [], color="#555555", ls=(0, (1, 1.4)), label="lag bound, kT KL"),
    ]
    legend(fig, handles, 6)
    return fig


def tracking(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """Where each sampler follows the truth, over the drive's frequency and what else is swept."""
    lines = _samples(rows, "kl")
    if not driven_period(sweep) or not states or not lines:
        return None
    key, label, families = _families(sweep, states)
    height = {
        state["point"]: list(families).index(family) for family, line in families.items() for state in line
    }
    across = {state["point"]: float(state[key]) for state in states}
    fig = Figure(figsize=(PAGE if len(lines) > 1 else COLUMN, 0.4 * len(families) + 0.9))
    shades = shades_of(rows)
    for ax, (ensemble, line) in zip(np.atleast_1d(fig.subplots(1, len(lines), sharey=True)), lines.items()):
        right = [s["point"] for s in states if is_right(s)]
        ax.plot(
            [across[p] for p in right], [height[p] for p in right], ls="", marker="s", ms=22, color="#e2e2e2"
        )
        for row in line:
            near, at = row["excess"] <= NEAR and not row["failure"], (
                across[row["point"]],
                height[row["point"]],
            )
            ax.plot(
                *at,
                ls="",
                marker="o",
                ms=6.5,
                mew=1.1,
                color=shades[ensemble],
                mfc=shades[ensemble] if near else "white",
            )
            ax.annotate(
                f"{row['excess']:.1g}" if math.isfinite(row["excess"]) else "–",
                at,
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
            )
        ax.set_xscale("log")
        ax.margins(0.1)
        ax.set_ylim(-0.6, len(families) - 0.2)
        ax.set_yticks(range(len(families)), [", ".join(family) for family in families])
        ax.set_xlabel(label)
        ax.set_title(ensemble, loc="left", color=shades[ensemble])
    return fig


def rare(sweep: Sweep, rows: list[Row], states: list[Row]) -> Figure | None:
    """What an error of 10% costs each estimator, over all points."""
    return figure_of([row for study in sweep.points.values() for row in study.rare])


FIGURES = {
    "rare": rare,
    "regimes": regimes,
    "tracking": tracking,
    "measures": measures,
    "curves": curves,
    "costs": costs,
    "maps": maps,
}
