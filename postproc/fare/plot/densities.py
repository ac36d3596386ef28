# SPDX-License-Identifier: BSD-2-Clause
"""Figures of densities: over time, and at single instants."""
from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.files import Array, FareError
from fare.plot.drawing import COLUMN, MANY, PAGE, TRUTH, close_grid, colours, grid, legend, shown
from fare.results import Study

DIVERGING = "RdBu_r"
KEPT = 16_000_000  # bytes of a marginal that several figures need, so that it is read once
_SEEN: weakref.WeakKeyDictionary[Study, dict[tuple[str, tuple[int, ...]], Array]] = (
    weakref.WeakKeyDictionary()
)
OVERLAID = 6  # as many histograms as can be told apart in one plot


def shown_densities(study: Study, most: int = MANY) -> list[str]:
    """Densities to show: the truth, then the ensembles."""
    return [name for name in ("truth", *shown(study, most)) if name in study.densities]


def marginal(study: Study, name: str, axes: tuple[int, ...]) -> Array:
    """As `study.marginal`; what is small is kept. Not to be changed."""
    known = _SEEN.setdefault(study, {})
    if (name, axes) in known:
        return known[name, axes]
    masses = study.marginal(name, axes)
    if masses.nbytes <= KEPT:
        known[name, axes] = masses
    return masses


def _rebinned(masses: Array, edges: Array, bins: int) -> tuple[Array, Array]:
    """Density on about `bins` unions of the fine bins along the last axis, and the edges of these."""
    cut = np.unique(np.linspace(0, len(edges) - 1, min(bins, len(edges) - 1) + 1).round().astype(int))
    return np.add.reduceat(masses, cut[:-1], axis=-1) / np.diff(edges[cut]), edges[cut]


def support(masses: Array) -> slice:
    """The bins that hold all but the outermost 1e-4 of masses (T, n), with a margin; all where there is no mass."""
    n, cumulative = masses.shape[1], np.cumsum(np.nan_to_num(masses).mean(axis=0))
    if not cumulative[-1] > 0:
        return slice(0, n)
    first = int(np.searchsorted(cumulative, 1e-4 * cumulative[-1]))
    last = int(np.searchsorted(cumulative, (1 - 1e-4) * cumulative[-1])) + 1
    margin = max(1, (last - first) // 30)
    return slice(max(0, first - margin), min(n, last + margin))


def _support(axis_masses: dict[str, Array]) -> slice:
    """What any of the densities needs."""
    full = [support(masses) for masses in axis_masses.values() if masses.any()]
    n = next(iter(axis_masses.values())).shape[1]
    return slice(min((s.start for s in full), default=0), max((s.stop for s in full), default=n))


def time_edges(times: Array) -> Array:
    if len(times) == 1:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    middle = 0.5 * (times[1:] + times[:-1])
    return np.concatenate(
        [[times[0] - (middle[0] - times[0])], middle, [times[-1] + (times[-1] - middle[-1])]]
    )


def space_time(study: Study) -> Figure | None:
    """Density over time along the first axis: truth and ensembles on one colour scale, and below, what
    differs from the truth.
    """
    names = shown_densities(study)
    if not names:
        return None
    images, edges = line_courses(study, names, 0)
    truth = images.get("truth")
    differences = {n: image - truth for n, image in images.items() if truth is not None and n != "truth"}
    fig, axes = _panels(len(names), 2 if differences else 1)
    t, colour = time_edges(study.times), {"truth": TRUTH, **colours(study)}
    kinds = [("{}", images, "viridis", 0, "density")]
    if differences:
        kinds.append(("{} − truth", differences, DIVERGING, -1, "density − truth"))
    for step, (title, panel_images, palette, low, label) in enumerate(kinds):
        top = top_of(panel_images.values())
        for i, name in enumerate(names):
            if name not in panel_images:
                continue
            block, column = divmod(i, axes.shape[1])
            ax = axes[block * len(kinds) + step, column]
            image = ax.pcolormesh(
                t, edges, panel_images[name].T, cmap=palette, vmin=low * top, vmax=top, rasterized=True
            )
            ax.set_visible(True)
            ax.set_title(title.format(name), color=colour[name], loc="left")
            ax.set_xlim(t[0], t[-1])
        for row in axes[step :: len(kinds)]:
            place = row[-1].get_position()
            bar = fig.add_axes(
                (place.x1 + 0.1 / fig.get_figwidth(), place.y0, 0.1 / fig.get_figwidth(), place.height)
            )
            fig.colorbar(image, cax=bar, label=label, extend="max" if low == 0 else "both")
    for (row, column), ax in np.ndenumerate(axes):
        below = row + 1 < len(axes) and axes[row + 1, column].get_visible()
        beside = column > 0 and axes[row, column - 1].get_visible()
        ax.tick_params(labelbottom=not below, labelleft=not beside)
        ax.set_xlabel("" if below else "time t")
        ax.set_ylabel("" if beside else along(study, 0))
    return fig


def line_courses(
    study: Study, names: list[str], axis: int, most: int = 256
) -> tuple[dict[str, Array], Array]:
    """Densities (T, n) along an axis on at most `most` bins, NaN where an ensemble did not come; the bins' edges."""
    marginals = {name: marginal(study, name, (axis,)) for name in names}
    inside = _support(marginals)
    fine = study.known_bins.edges[axis][inside.start : inside.stop + 1]
    edges = _rebinned(marginals[names[0]][:1, inside], fine, most)[1]
    images = {name: _rebinned(masses[:, inside], fine, most)[0] for name, masses in marginals.items()}
    for name, masses in marginals.items():
        images[name][masses.sum(axis=1) == 0] = np.nan
    return images, edges


def top_of(images: Iterable[Array]) -> float:
    """The end of a colour scale that all but a thousandth of each image lies below."""
    tops = [np.nanquantile(abs(image), 0.999) for image in images if np.isfinite(image).any()]
    return float(max(tops, default=0) or 1.0)


def along(study: Study, axis: int) -> str:
    """Label of the axis of a marginal."""
    label = study.known_bins.label(axis)
    return label if study.known_bins.dimension == 1 else f"{label}, other axes summed"


def _panels(count: int, kinds: int) -> tuple[Figure, Array]:
    """Invisible axes in rows of at most four, `kinds` rows for each; margins in inches, with room for colour
    bars at the right.
    """
    columns = min(count, 4)
    rows = -(-count // columns) * kinds
    left, right, top, bottom, height, apart, above = 0.62, 0.95, 0.22, 0.4, 1.35, 0.28, 0.28
    width = min(2.2, (PAGE - left - right - (columns - 1) * apart) / columns)
    across = left + columns * width + (columns - 1) * apart + right
    down = top + rows * height + (rows - 1) * above + bottom
    fig = Figure(figsize=(across, down), layout="none")
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    fig.subplots_adjust(
        left / across, bottom / down, 1 - right / across, 1 - top / down, apart / width, above / height
    )
    for ax in axes.flat:
        ax.set_visible(False)
        ax.grid(False)
    return fig, axes


def chosen_times(study: Study, count: int = 6) -> list[int]:
    """Indices spread over the study; every second one is held out where the study has held-out times."""
    indices = np.unique(
        np.linspace(0, len(study.times) - 1, min(count, len(study.times))).round().astype(int)
    ).tolist()
    held_out = np.flatnonzero(study.held_out)
    if held_out.size:
        indices[1::2] = [int(held_out[abs(held_out - k).argmin()]) for k in indices[1::2]]
    return sorted(set(indices))


def moment(study: Study, k: int) -> str:
    note = "" if not study.held_out.any() else " (held out)" if study.held_out[k] else " (trained on)"
    return f"t = {study.times[k]:.4g}{note}"


def snapshots(study: Study) -> Figure | None:
    """Densities overlaid at a few times; as images in two and three dimensions."""
    if not shown_densities(study):
        return None
    return _overlays(study) if study.known_bins.dimension == 1 else images(study)


def _overlay(ax: Axes, study: Study, masses: dict[str, Array], edges: Array) -> None:
    """The truth as a line, ensembles as histograms."""
    for name, at in masses.items():
        if name == "truth":
            density, cut = _rebinned(at, edges, 1024)
            ax.plot(0.5 * (cut[1:] + cut[:-1]), density, color=TRUTH, lw=1.1, zorder=5)
        elif at.any():
            density, cut = _rebinned(at, edges, 128)
            ax.stairs(density, cut, color=colours(study).get(name, "#666666"), lw=0.9, alpha=0.9)


def overlay_panel(ax: Axes, study: Study, names: list[str], k: int, axis: int = 0) -> None:
    """Densities along an axis at the k-th time."""
    marginals = {name: marginal(study, name, (axis,)) for name in names}
    inside = _support(marginals)
    edges = study.known_bins.edges[axis][inside.start : inside.stop + 1]
    _overlay(ax, study, {name: masses[k, inside] for name, masses in marginals.items()}, edges)
    ax.set_title(moment(study, k), loc="left")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0)
    ax.set(xlabel=along(study, axis), ylabel="density")


def space_time_panel(
    ax: Axes, study: Study, name: str, difference: bool, colorbar: bool, axis: int = 0
) -> None:
    """A density along an axis over time, or what differs from the truth."""
    images, edges = line_courses(study, ["truth", name] if difference and name != "truth" else [name], axis)
    image = images[name] - images["truth"] if difference else images[name]
    top = top_of([image])
    drawn = ax.pcolormesh(
        time_edges(study.times),
        edges,
        image.T,
        cmap=DIVERGING if difference else "viridis",
        vmin=-top if difference else 0,
        vmax=top,
        rasterized=True,
    )
    ax.grid(False)
    ax.set_title(f"{name} − truth" if difference else name, loc="left")
    ax.set(xlabel="time t", ylabel=along(study, axis))
    if colorbar:
        ax.figure.colorbar(drawn, ax=ax, label="density − truth" if difference else "density")


def _overlays(study: Study) -> Figure:
    times, colour = chosen_times(study), colours(study)
    marginals = {name: marginal(study, name, (0,)) for name in shown_densities(study, OVERLAID)}
    inside = _support(marginals)
    edges = study.known_bins.edges[0][inside.start : inside.stop + 1]
    columns = min(3, len(times))
    rows = -(-len(times) // columns)
    wide = PAGE if columns > 1 else COLUMN
    fig, axes = grid(
        rows, columns, 1.2, width=wide, left=0.5, apart=0.14, gap=0.3, top=0.2, sharex=True, sharey=True
    )
    for ax, k in zip(axes.flat, times):
        _overlay(ax, study, {name: masses[k, inside] for name, masses in marginals.items()}, edges)
        ax.set_title(moment(study, k), loc="left")
        ax.set_xlim(edges[0], edges[-1])
    axes[0, 0].set_ylim(bottom=0)
    close_grid(axes, len(times), study.known_bins.label(0))
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    handles = [
        Line2D([], [], color=TRUTH if name == "truth" else colour[name], label=name) for name in marginals
    ]
    legend(fig, handles, min(6, len(handles)))
    return fig


def planes(study: Study, wanted: str = "") -> list[tuple[int, int]]:
    """Pairs of axes, as "x:y,x:z" names them; all without a word. Raises FareError of what is no pair of axes."""
    if study.bins is None or study.bins.dimension < 2:
        return []
    names = [study.bins.name(i) for i in range(study.bins.dimension)]
    every = list(itertools.combinations(range(len(names)), 2))
    if not wanted:
        return every
    pairs = []
    for word in wanted.split(","):
        pair = word.strip().split(":")
        if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(names):
            known = ", ".join(f"{names[i]}:{names[j]}" for i, j in every)
            raise FareError(f"'{word.strip()}' is no pair of axes; there are: {known}")
        i, j = sorted((names.index(pair[0]), names.index(pair[1])))
        pairs.append((i, j))
    return list(dict.fromkeys(pairs))


@dataclass(frozen=True)
class Maps:
    """Densities on a plane, of several names: (T, nx, ny) each, with the other axes summed."""

    x: Array
    """Edges of the bins."""
    y: Array
    densities: dict[str, Array]


def maps(study: Study, names: list[str], plane: tuple[int, int], times: list[int], most: int) -> Maps:
    """Densities on at most `most` bins along each axis, over what holds the mass."""
    masses = {name: marginal(study, name, plane)[times] for name in names}
    seen = [_support({n: m.sum(axis=2 - i) for n, m in masses.items()}) for i in (0, 1)]
    edges = [study.known_bins.edges[axis][s.start : s.stop + 1] for axis, s in zip(plane, seen)]
    densities, cut = {}, edges
    for name, each in masses.items():
        rows, y = _rebinned(each[:, seen[0], seen[1]], edges[1], most)
        columns, x = _rebinned(rows.transpose(0, 2, 1), edges[0], most)
        densities[name], cut = columns.transpose(0, 2, 1), [x, y]
        densities[name][each.sum(axis=(1, 2)) == 0] = np.nan  # times that it did not reach
    return Maps(cut[0], cut[1], densities)


def map_scale(densities: dict[str, Array]) -> float:
    """What is much denser than the truth leaves the scale, not all the others in the dark."""
    scale = [densities["truth"]] if "truth" in densities else list(densities.values())
    return 1.2 * max(float(np.nanquantile(density, 0.9995)) for density in scale) or 1.0


def images(study: Study, plane: tuple[int, int] = (0, 1)) -> Figure | None:
    """Densities on a plane at a few times: a row for the truth and for each ensemble."""
    names, times = shown_densities(study), chosen_times(study, 5)
    if not names or study.known_bins.dimension < 2:
        return None
    found = maps(study, names, plane, times, 256)
    top = map_scale(found.densities)
    return _rows(study, found, found.densities, plane, times, ("viridis", 0, top), _density_on(study))


def _density_on(study: Study) -> str:
    return "density" if study.known_bins.dimension == 2 else "marginal density"


def differences(study: Study, plane: tuple[int, int] = (0, 1)) -> Figure | None:
    """What differs from the truth on a plane at a few times, on bins coarse enough to see more than noise."""
    names, times = shown_densities(study), chosen_times(study, 5)
    if len(names) < 2 or names[0] != "truth" or study.known_bins.dimension < 2:
        return None
    found = maps(study, names, plane, times, 48)
    shown_maps = {name: found.densities[name] - found.densities["truth"] for name in names[1:]}
    top = top_of(shown_maps.values())
    label = f"{_density_on(study)} − truth"
    return _rows(study, found, shown_maps, plane, times, (DIVERGING, -top, top), label)


def _rows(
    study: Study,
    found: Maps,
    densities: dict[str, Array],
    plane: tuple[int, int],
    times: list[int],
    scale: tuple[str, float, float],
    label: str,
) -> Figure:
    palette, low, high = scale
    right = 0.85
    wide = 0.75 + right + 1.08 * len(times)
    fig, axes = grid(
        len(densities),
        len(times),
        1.0,
        width=wide,
        left=0.75,
        apart=0.1,
        gap=0.1,
        top=0.32,
        right=right,
        sharex=True,
        sharey=True,
    )
    for row, (name, over_time) in zip(axes, densities.items()):
        for ax, density in zip(row, over_time):
            image = ax.pcolormesh(
                found.x, found.y, density.T, cmap=palette, vmin=low, vmax=high, rasterized=True
            )
            ax.grid(False)
        row[0].set_ylabel(
            f"{_broken(name)}\n{study.known_bins.label(plane[1])}",
            color=TRUTH if name == "truth" else colours(study)[name],
        )
    for above, below, k in zip(axes[0], axes[-1], times):
        above.set_title(moment(study, k).replace(" (", "\n("), loc="left")
        below.set_xlabel(study.known_bins.label(plane[0]))
    ends = "both" if low < 0 else "max"
    axes[0, 0].xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, prune="both"))
    low_end, high_end = axes[-1, -1].get_position(), axes[0, -1].get_position()
    place = (high_end.x1 + 0.12 / wide, low_end.y0, 0.11 / wide, high_end.y1 - low_end.y0)
    fig.colorbar(image, cax=fig.add_axes(place), label=label, extend=ends, extendfrac=0.03)
    return fig


def map_panel(
    ax: Axes,
    study: Study,
    name: str,
    k: int,
    plane: tuple[int, int],
    difference: bool,
    colorbar: bool,
) -> None:
    """A density on a plane at the k-th time, or what differs from the truth."""
    wanted = ["truth", name] if difference and name != "truth" else [name]
    found = maps(study, wanted, plane, [k], 48 if difference else 256)
    image = found.densities[name][0] - (found.densities["truth"][0] if difference else 0)
    top = top_of([image]) if difference else map_scale(found.densities)
    drawn = ax.pcolormesh(
        found.x,
        found.y,
        image.T,
        cmap=DIVERGING if difference else "viridis",
        vmin=-top if difference else 0,
        vmax=top,
        rasterized=True,
    )
    ax.grid(False)
    ax.set_title(f"{name}{' − truth' if difference else ''}, {moment(study, k)}", loc="left")
    ax.set(xlabel=study.known_bins.label(plane[0]), ylabel=study.known_bins.label(plane[1]))
    if colorbar:
        label = _density_on(study) + (" − truth" if difference else "")
        ax.figure.colorbar(drawn, ax=ax, label=label, extend="both" if difference else "max")


def _broken(name: str) -> str:
    """In two lines where it is long."""
    breaks = [i for i, c in enumerate(name) if c == "_"]
    if len(name) <= 16 or not breaks:
        return name
    at = min(breaks, key=lambda i: abs(i - len(name) // 2))
    return f"{name[:at]}\n{name[at + 1 :]}"
