# SPDX-License-Identifier: BSD-2-Clause
"""Best drives with their jumps, the ladder of drives that they are compared with, and the density under them; and
derivatives by a drive over time.
"""
from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from fare.controls import Control, Sensitivity
from fare.plot.drawing import PAGE, PALETTE, TRUTH, grid, legend_above
from fare.results import Study

EDGE = 0.06  # of the duration, that is shown before the start and after the end


def protocol_panel(ax: Axes, control: Control) -> None:
    """Parameters over time, with what they are before and after; linear ramps are dashed."""
    end = control.times[-1]
    around = EDGE * end
    for k, course in enumerate(control.courses):
        colour = PALETTE[k % len(PALETTE)]
        t = [-around, 0, *control.times, end, end + around]
        values = [course.before, course.before, *course.values, course.after, course.after]
        ax.plot(t, values, color=colour, label=course.parameter)
        ax.plot(control.times, course.values, color=colour, ls="", marker="o", ms=2)
        if course.before != course.after and control.aim != "most_power":
            ax.plot([0, end], [course.before, course.after], color=colour, ls="--", lw=0.8)
    ax.set_xlabel("time t")
    ax.set_ylabel("best drive" if len(control.courses) > 1 else control.courses[0].parameter)
    ax.set_title(control.name.replace("_", " "), loc="left")
    if len(control.courses) > 1:
        legend_above(ax)


def ladder_panel(ax: Axes, control: Control) -> None:
    """A bar for each drive; the best one is blue, the bound of full control black."""
    rungs = control.ladder
    colours = {"optimum": PALETTE[0], "bound": TRUTH}
    values = np.array([rung.value for rung in rungs])
    ax.barh(
        range(len(rungs)), values, color=[colours.get(rung.drive, "#b8b8b8") for rung in rungs], height=0.6
    )
    ax.set_yticks(range(len(rungs)), [rung.drive.replace("_", " ") for rung in rungs])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_xlabel(control.quantity)
    if values.min() > 0 and values.max() / values.min() > 20:
        low = values.min()
        ax.set_xscale("log")
        ax.set_xlim(values.min() / 3, values.max() * 6)
    else:
        low, high = min(0, values.min()), max(0, values.max())
        ax.set_xlim(low, high + 0.35 * (high - low or 1))
    for k, rung in enumerate(rungs):
        ax.annotate(
            f"{rung.value if abs(rung.value) > 1e-6 * abs(values).max() else 0:.4g}",
            (max(rung.value, 0) if low < 0 else rung.value, k),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )


def density_panel(ax: Axes, control: Control) -> None:
    """The density under the best drive, dark where there is much."""
    assert control.density is not None
    seen = np.flatnonzero(control.density.max(axis=0) > 1e-3 * control.density.max())
    half = 0.5 * (control.times[1] - control.times[0])
    t = np.append(control.times - half, control.times[-1] + half)
    ax.pcolormesh(t, control.edges, control.density.T, cmap="Greys", rasterized=True)
    ax.set_xlim(0, control.times[-1])
    ax.set_ylim(control.edges[seen[0]], control.edges[seen[-1] + 1])
    ax.set_xlabel("time t")
    ax.set_ylabel("x")
    ax.grid(False)


def sensitivity_panel(ax: Axes, sensitivity: Sensitivity) -> None:
    """Derivatives by each driven parameter over time, with bands of their errors."""
    for k, (parameter, (values, errors)) in enumerate(sensitivity.by.items()):
        colour = PALETTE[k % len(PALETTE)]
        ax.plot(sensitivity.times, values, color=colour, label=parameter)
        ax.fill_between(sensitivity.times, values - errors, values + errors, color=colour, alpha=0.3, lw=0)
    ax.axhline(0, color=TRUTH, lw=0.6)
    ax.set_xlabel("time t")
    ax.set_ylabel("derivative per time")
    ax.set_title(sensitivity.name.replace("_", " "), loc="left")
    legend_above(ax)


def map_panel(ax: Axes, sensitivity: Sensitivity, parameter: str) -> None:
    """Derivatives of a density: red where more of the drive at that time brings more there, blue where less."""
    values = sensitivity.by[parameter][0]
    most = float(np.abs(values).max()) or 1.0
    seen = np.flatnonzero(np.abs(values).max(axis=1) > 1e-2 * most)
    half = 0.5 * (sensitivity.times[1] - sensitivity.times[0])
    t = np.append(sensitivity.times - half, sensitivity.times[-1] + half)
    scale = SymLogNorm(0.03 * most, vmin=-most, vmax=most)  # what comes last outshines the rest
    image = ax.pcolormesh(t, sensitivity.edges, values, cmap="RdBu_r", norm=scale, rasterized=True)
    ax.set_xlim(sensitivity.times[0], sensitivity.times[-1])
    if seen.size:
        ax.set_ylim(sensitivity.edges[seen[0]], sensitivity.edges[seen[-1] + 1])
    ax.set_xlabel("time t of the drive")
    ax.set_ylabel("x at the end")
    ax.set_title(f"{sensitivity.name.replace('_', ' ')}, by {parameter}", loc="left")
    ax.grid(False)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)


def same_but_duration(lines: list[Control]) -> list[list[Control]]:
    """Lines about work between the same two states, three or more of them that differ in duration, in its order."""
    found: dict[tuple[object, ...], dict[float, Control]] = {}
    for line in lines:
        if line.quantity == "dissipated work" and not line.failure:
            states = tuple((course.parameter, course.before, course.after) for course in line.courses)
            found.setdefault(states, {}).setdefault(float(line.times[-1]), line)
    return [[lines[t] for t in sorted(lines)] for lines in found.values() if len(lines) >= 3]


def durations_panel(ax: Axes, lines: list[Control]) -> None:
    """The ladder against the duration of the drive; what lies below the bound is grey."""
    duration = np.array([line.times[-1] for line in lines])
    styles = {
        "switch": {"color": "#888888", "ls": ":"},
        "linear": {"color": PALETTE[1], "ls": "--"},
        "geodesic": {"color": PALETTE[2], "ls": "-."},
        "optimum": {"color": PALETTE[0], "marker": "o", "ms": 3},
        "bound": {"color": TRUTH},
    }
    floor = 0.5 * min(rung.value for line in lines for rung in line.ladder if rung.value > 0)
    for drive, style in styles.items():
        values = [[rung.value for rung in line.ladder if rung.drive == drive] for line in lines]
        if not all(values):
            continue
        each = np.array([value[0] for value in values])
        ax.plot(duration, each, label=drive, **style)
        if drive == "bound":
            ax.fill_between(duration, floor, np.maximum(each, floor), color="#dddddd", lw=0)
    ax.set(xscale="log", yscale="log", xlabel="duration", ylabel=lines[0].quantity)
    ax.set_ylim(bottom=floor)
    ax.set_xlim(duration[0], duration[-1])
    legend_above(ax, 3)


def control_durations(study: Study) -> Figure | None:
    """A panel for each two states between which drives of several durations are sought."""
    groups = same_but_duration(study.controls)
    if not groups:
        return None
    fig, axes = grid(len(groups), 1, 2.3, width=PAGE / 2 + 0.6, gap=0.9, top=0.6)
    for ax, lines in zip(axes.flat, groups):
        durations_panel(ax, lines)
    return fig


def control(study: Study) -> Figure | None:
    """A row for each line of `control`: the best drive, the ladder, and the density where that is kept."""
    lines = [line for line in study.controls if not line.failure]
    if not lines:
        return None
    columns = 3 if any(line.density is not None for line in lines) else 2
    room = 0.7 if len(lines[0].courses) > 1 else 0.35  # for a legend above the first row
    fig, axes = grid(len(lines), columns, 1.8, apart=1.0, gap=0.75, top=room, right=0.25)
    for row, line in zip(axes, lines):
        protocol_panel(row[0], line)
        ladder_panel(row[1], line)
        if columns == 3 and line.density is not None:
            density_panel(row[2], line)
        elif columns == 3:
            row[2].set_axis_off()
    return fig


def sensitivity(study: Study) -> Figure | None:
    """A panel for each analysis `sensitivity`; of a density, one for each parameter."""
    panels = [
        (found, parameter)
        for found in sorted(study.sensitivities, key=lambda found: found.edges.size > 0)
        for parameter in (found.by if found.edges.size else [""])
    ]
    count = len(panels)
    if not count:
        return None
    columns = min(count, 2)
    rows = -(-count // columns)
    fig, axes = grid(rows, columns, 2.0, width=PAGE if columns > 1 else PAGE / 2, gap=0.9, top=0.5)
    for ax, (found, parameter) in zip(axes.flat, panels):
        if parameter:
            map_panel(ax, found, parameter)
        else:
            sensitivity_panel(ax, found)
    for ax in list(axes.flat)[count:]:
        ax.set_axis_off()
    return fig
