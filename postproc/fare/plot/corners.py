# SPDX-License-Identifier: BSD-2-Clause
"""Figures of truths of many axes: marginal densities of single axes and of pairs, beside histograms of particles."""
from __future__ import annotations

import functools
import itertools

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.files import Array, FareError
from fare.plot.densities import (
    DIVERGING,
    OVERLAID,
    chosen_times,
    map_scale,
    moment,
    support,
    time_edges,
    top_of,
)
from fare.plot.drawing import COLUMN, PAGE, TRUTH, close_grid, colours, grid, legend, shown
from fare.results import Study

AXES = 5  # of a corner plot at most
BINS, COARSE = 64, 32  # of particles along an axis: alone, and of a pair


def _whole_mass(edges: list[Array], density: Array) -> Array:
    """Masses of cells."""
    for axis, edge in enumerate(edges):
        density = density * np.diff(edge).reshape([-1 if i == axis else 1 for i in range(density.ndim)])
    return density


def _moved(masses: Array, old: list[Array], new: list[Array]) -> Array:
    """Masses on other cells: within a cell they are even."""
    for axis, (before, after) in enumerate(zip(old, new)):
        summed = np.insert(np.cumsum(masses, axis=axis), 0, 0, axis=axis)
        at = functools.partial(np.interp, after, before)
        masses = np.diff(np.apply_along_axis(at, axis, summed), axis=axis)
    return masses


def span(study: Study, axis: int, times: list[int], bins: int) -> Array:
    """Edges of bins that hold all but the outermost 1e-4 of the truth along an axis at some times."""
    ends = []
    for k in times:
        (edges,), density = study.exact_marginal(k, (axis,))
        inside = support(_whole_mass([edges], density)[None])
        ends.append((edges[inside.start], edges[inside.stop]))
    return np.linspace(min(low for low, _ in ends), max(high for _, high in ends), bins + 1)


def density(study: Study, name: str, k: int, axes: tuple[int, ...], edges: list[Array]) -> Array:
    """On bins along one or two axes at the k-th time: of the truth, or of an ensemble's particles. NaN where the
    ensemble did not come.
    """
    if name == "truth":
        known, found = study.exact_marginal(k, axes)
        masses = _moved(_whole_mass(known, found), known, edges)
    else:
        masses = _histogram(study, study.members.get(name, [name])[0], k, axes, edges)
    return masses / _whole_mass(edges, np.ones([len(edge) - 1 for edge in edges]))


def _histogram(study: Study, name: str, k: int, axes: tuple[int, ...], edges: list[Array]) -> Array:
    then = study.snapshot(k)
    if name not in then.species:
        return np.full([len(edge) - 1 for edge in edges], np.nan)
    points = []
    for axis in axes:
        x, mesh = then.position(name, study.component(axis)), f"marginal_{study.component(axis)}"
        if then.periodic(mesh)[0]:  # a simulation counts whole turns
            cells = then.edges(0, mesh)
            x = cells[0] + (x - cells[0]) % (cells[-1] - cells[0])
        points.append(x)
    return np.histogramdd(points, bins=edges, weights=then.weights(name))[0]


def check_axes(study: Study, axes: tuple[int | str, ...] = ()) -> tuple[int, ...]:
    """Numbers of axes that may be named, of which there are marginals; without any, all of them."""
    if not study.marginal_axes:
        raise FareError(
            f"{study.path}: no marginals: they are stored of truths of many axes (record.truth, record.axes)"
        )
    numbers = {name: axis for axis, name in study.marginal_axes.items()}
    chosen = tuple(numbers.get(str(axis), axis) for axis in axes) or tuple(study.marginal_axes)
    for axis in chosen:
        if axis not in study.marginal_axes:
            raise FareError(f"{study.path}: no marginals of axis '{axis}'; there are: {', '.join(numbers)}")
    return tuple(sorted(set(map(int, chosen))))


def line_panel(ax: Axes, study: Study, names: list[str], k: int, axis: int) -> float:
    """One axis at the k-th time: the truth as a line, ensembles as histograms. The largest value."""
    top = 0.0
    edges = span(study, axis, [k], BINS)
    if "truth" in names:
        (cells,), exact = study.exact_marginal(k, (axis,))
        top = float(exact.max())
        ax.plot(0.5 * (cells[1:] + cells[:-1]), exact, color=TRUTH, lw=1.1, zorder=5)
    for name in names:
        if name != "truth":
            seen = density(study, name, k, (axis,), [edges])
            ax.stairs(seen, edges, color=colours(study).get(name, "#666666"), lw=0.9, alpha=0.9)
            top = max(top, float(np.nan_to_num(seen).max()))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1.05 * top or 1.0)
    return top


def corner(study: Study, name: str, k: int, axes: tuple[int, ...]) -> Figure:
    """Marginals of axes at the k-th time: on the diagonal each axis, the truth as a line and an ensemble as a
    histogram; below it pairs of the truth, and above it those of the ensemble, on the scale of the truth's.
    """
    count, labels = len(axes), study.marginal_axes
    wide = min(PAGE, 1.2 + 1.35 * count)
    height = (wide - 1.2 - 0.08 * (count - 1)) / count
    fig, panels = grid(count, count, height, width=wide, left=0.6, apart=0.08, gap=0.08, top=0.2, right=0.6)
    edges = [span(study, axis, [k], COARSE) for axis in axes]
    colour = colours(study).get(name, "#666666")
    for i, j in itertools.combinations(range(count), 2):
        pair, bins = (axes[i], axes[j]), [edges[i], edges[j]]
        exact = density(study, "truth", k, pair, bins)
        particles = density(study, name, k, pair, bins)
        top = map_scale({"truth": exact})
        kept = {"cmap": "viridis", "vmin": 0, "vmax": top, "rasterized": True}
        panels[j, i].pcolormesh(edges[i], edges[j], exact.T, **kept)
        panels[i, j].pcolormesh(edges[j], edges[i], particles, **kept)
    for i, axis in enumerate(axes):
        line_panel(panels[i, i], study, ["truth", name], k, axis)
        panels[i, i].set_xlim(edges[i][0], edges[i][-1])
        panels[i, i].tick_params(labelleft=False, left=False)
    for (i, j), ax in np.ndenumerate(panels):
        ax.grid(False)
        ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3, steps=[1, 2, 5, 10], prune="both"))
        ax.tick_params(labelbottom=i == count - 1)
        if i != j:
            ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3, steps=[1, 2, 5, 10], prune="both"))
            ax.tick_params(labelleft=j == 0, labelright=j == count - 1, right=j == count - 1, left=j == 0)
    for i, axis in enumerate(axes):
        panels[count - 1, i].set_xlabel(labels[axis])
        if i:
            panels[i, 0].set_ylabel(labels[axis])
        if i < count - 1:
            panels[i, count - 1].yaxis.set_label_position("right")
            panels[i, count - 1].set_ylabel(labels[axis])
    panels[0, 0].set_title(moment(study, k), loc="left")
    handles = [
        Line2D([], [], color=TRUTH, label="truth: line, and below the diagonal"),
        Line2D([], [], color=colour, label=f"{name}: steps, and above"),
    ]
    legend(fig, handles, 2)
    return fig


def corners(study: Study) -> list[str]:
    """Ensembles that have a corner plot."""
    if len(study.marginal_axes) < 2:
        return []
    there = study.snapshot(-1).species
    return [n for n in shown(study, OVERLAID) if study.members.get(n, [n])[0] in there]


def corner_of(study: Study, name: str) -> Figure | None:
    """At the last time, of the first axes."""
    return corner(study, name, len(study.times) - 1, tuple(study.marginal_axes)[:AXES])


def overlays(study: Study) -> Figure | None:
    """Each axis at a few times: the truth as a line, ensembles as histograms."""
    axes, times = tuple(study.marginal_axes)[:AXES], chosen_times(study, 4)
    if not axes:
        return None
    names = ["truth", *shown(study, OVERLAID)]
    wide = PAGE if len(times) > 1 else COLUMN
    fig, panels = grid(
        len(axes), len(times), 1.0, width=wide, left=0.5, apart=0.14, gap=0.36, top=0.2, sharey="row"
    )
    for row, axis in zip(panels, axes):
        edges = span(study, axis, times, BINS)
        tops = [line_panel(ax, study, names, k, axis) for ax, k in zip(row, times)]
        row[0].set_ylim(0, 1.05 * max(tops))
        for ax in row:
            ax.set_xlim(edges[0], edges[-1])
            ax.set_xlabel(study.marginal_axes[axis], labelpad=1)
        row[0].set_ylabel("density")
    for ax, k in zip(panels[0], times):
        ax.set_title(moment(study, k), loc="left")
    shades = {"truth": TRUTH, **colours(study)}
    handles = [Line2D([], [], color=shades[name], label=name) for name in names]
    legend(fig, handles, min(6, len(handles)))
    return fig


@functools.lru_cache(maxsize=64)
def course(study: Study, name: str, axis: int) -> tuple[Array, Array]:
    """Density (T, n) along an axis over time, and the edges of its bins."""
    edges = span(study, axis, list(range(len(study.times))), BINS)
    return np.array([density(study, name, k, (axis,), [edges]) for k in range(len(study.times))]), edges


def course_panel(ax: Axes, study: Study, name: str, axis: int, difference: bool, top: float = 0) -> object:
    """A density along an axis over time, or what differs from the truth; the image."""
    seen, edges = course(study, name, axis)
    if difference:
        seen = seen - course(study, "truth", axis)[0]
    top = top or top_of([seen])
    ax.grid(False)
    return ax.pcolormesh(
        time_edges(study.times),
        edges,
        seen.T,
        cmap=DIVERGING if difference else "viridis",
        vmin=-top if difference else 0,
        vmax=top,
        rasterized=True,
    )


def courses(study: Study) -> Figure | None:
    """Densities over time: a row for each axis, a column for the truth and for each ensemble."""
    axes = tuple(study.marginal_axes)[:AXES]
    if not axes or len(study.times) < 2:
        return None
    names, right = ["truth", *shown(study, OVERLAID - 1)], 0.7
    wide = min(PAGE, 0.6 + right + 1.6 * len(names))
    fig, panels = grid(
        len(axes),
        len(names),
        1.0,
        width=wide,
        left=0.6,
        apart=0.1,
        gap=0.1,
        top=0.22,
        right=right,
        sharex=True,
        sharey="row",
    )
    for row, axis in zip(panels, axes):
        top = top_of([course(study, "truth", axis)[0]])
        for ax, name in zip(row, names):
            image = course_panel(ax, study, name, axis, False, top)
        row[0].set_ylabel(study.marginal_axes[axis])
        place = row[-1].get_position()
        bar = fig.add_axes((place.x1 + 0.1 / wide, place.y0, 0.1 / wide, place.height))
        fig.colorbar(image, cax=bar, label="density", extend="max")
    shades = {"truth": TRUTH, **colours(study)}
    for ax, name in zip(panels[0], names):
        ax.set_title(name, color=shades[name], loc="left")
    close_grid(panels, panels.size, "time t")
    return fig
