# SPDX-License-Identifier: BSD-2-Clause
"""Figures of the probability currents that snapshots hold where the plan says `thermodynamics: {currents: true}`."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fare.files import Array, FareError
from fare.plot.densities import DIVERGING, chosen_times, moment, support, time_edges
from fare.plot.drawing import COLUMN, PAGE, grid
from fare.results import Study

ARROWS = 16  # along each axis


@dataclass(frozen=True)
class Current:
    """A current at one instant; other axes are summed."""

    edges: tuple[Array, ...]
    """Of the cells, along the axes that are kept."""
    density: Array
    components: tuple[Array, ...]
    """Along the axes that are kept, each with the shape of the density."""


def recorded(study: Study) -> bool:
    """Whether the snapshots hold currents."""
    try:
        return bool(study.times.size) and _mesh(study, 0) in study.snapshot(0).meshes
    except FareError:  # snapshots may have been removed
        return False


def _mesh(study: Study, axis: int) -> str:
    return f"current_{study.known_bins.name(axis)}" if study.bins else ""


def read(study: Study, k: int, axes: tuple[int, ...]) -> Current:
    """The current of the k-th snapshot along the axes. Raises FareError where none is recorded."""
    snapshot = study.snapshot(k)
    if _mesh(study, 0) not in snapshot.meshes:
        raise FareError(
            f"{study.path}: its snapshots hold no currents (ask for them: `thermodynamics: {{currents:"
            " true}`)"
        )
    edges = [snapshot.edges(axis) for axis in range(study.known_bins.dimension)]
    others = tuple(axis for axis in range(len(edges)) if axis not in axes)
    width = float(np.prod([np.diff(edges[axis])[0] for axis in others]))

    def kept(mesh: str) -> Array:
        return snapshot.mesh(mesh).sum(axis=others) * width

    components = tuple(kept(_mesh(study, axis)) for axis in axes)
    return Current(tuple(edges[axis] for axis in axes), kept("density"), components)


def course_panel(ax: Axes, study: Study, colorbar: bool) -> None:
    """The current along the only axis, over time."""
    found = [read(study, k, (0,)) for k in range(len(study.times))]
    image = np.array([current.components[0] for current in found])
    top = float(abs(image).max()) or 1.0
    drawn = ax.pcolormesh(
        time_edges(study.times),
        found[0].edges[0],
        image.T,
        cmap=DIVERGING,
        vmin=-top,
        vmax=top,
        rasterized=True,
    )
    ax.grid(False)
    ax.set(xlabel="time t", ylabel=study.known_bins.label(0))
    if colorbar:
        ax.figure.colorbar(drawn, ax=ax, label="probability current")


def _inside(found: list[Current]) -> tuple[slice, ...]:
    """The cells that hold all but the outermost 1e-4 of the mass at any of the times, along each axis."""
    density = np.array([current.density for current in found])
    return tuple(support(density.sum(axis=2 - axis)) for axis in (0, 1))


def blocks(current: Current, inside: tuple[slice, ...]) -> tuple[Array, ...]:
    """Centres of at most ARROWS blocks of cells along each axis, and the mean current in each."""
    edges, fields = [], list(current.components)
    for axis, cells in enumerate(inside):
        count = cells.stop - cells.start
        cut = cells.start + np.linspace(0, count, min(count, ARROWS) + 1).round().astype(int)
        edges.append(current.edges[axis][cut])
        fields = [np.add.reduceat(field.take(np.arange(cut[-1]), axis), cut[:-1], axis) for field in fields]
        shape = (-1, 1) if axis == 0 else (1, -1)
        fields = [field / np.diff(cut).reshape(shape) for field in fields]
    return (*(0.5 * (e[1:] + e[:-1]) for e in edges), *fields)


def arrows_panel(ax: Axes, current: Current, inside: tuple[slice, ...], top: float) -> float:
    """Arrows over the density in grey: means of the current over blocks of cells. Returns the size of the longest,
    which is drawn a block and a half long; arrows below a fiftieth of it are left out.
    """
    ax.pcolormesh(*current.edges, current.density.T, cmap="Greys", vmin=0, vmax=1.3 * top, rasterized=True)
    x, y, u, v = blocks(current, inside)
    size = np.hypot(u, v)
    longest = float(size.max()) or 1.0
    hidden = size < longest / 50
    ax.quiver(
        x,
        y,
        np.where(hidden, np.nan, u).T,
        np.where(hidden, np.nan, v).T,
        color="#c04000",
        angles="xy",
        scale=longest * ARROWS / 1.5,
        scale_units="width",
        width=0.008,
    )
    for axis, limits in enumerate((ax.set_xlim, ax.set_ylim)):
        limits(current.edges[axis][inside[axis].start], current.edges[axis][inside[axis].stop])
    ax.grid(False)
    return longest


def moment_panel(ax: Axes, study: Study, k: int, plane: tuple[int, int]) -> None:
    """The current on a plane at the k-th time."""
    found = read(study, k, plane)
    longest = arrows_panel(ax, found, _inside([found]), float(found.density.max()))
    ax.set_title(f"{moment(study, k)}, longest arrow {longest:.2g}", loc="left")
    ax.set(xlabel=study.known_bins.label(plane[0]), ylabel=study.known_bins.label(plane[1]))


def currents(study: Study, plane: tuple[int, int] = (0, 1)) -> Figure | None:
    """In one dimension the current over time; in more, arrows over the density at a few times."""
    if not recorded(study):
        return None
    if study.known_bins.dimension == 1:
        fig = Figure(figsize=(COLUMN, 2.2))
        course_panel(fig.subplots(), study, True)
        return fig
    times = chosen_times(study, 3)
    found = [read(study, k, plane) for k in times]
    wide = PAGE if len(times) > 1 else COLUMN
    fig, panels = grid(
        1, len(times), 1.8, width=wide, left=0.6, apart=0.14, top=0.36, sharex=True, sharey=True
    )
    axes = panels[0]
    top, inside = max(float(current.density.max()) for current in found), _inside(found)
    for ax, current, k in zip(axes, found, times):
        longest = arrows_panel(ax, current, inside, top)
        ax.set_title(f"{moment(study, k)}\nlongest arrow {longest:.2g}", loc="left")
        ax.set_xlabel(study.known_bins.label(plane[0]))
    axes[0].set_ylabel(study.known_bins.label(plane[1]))
    return fig
