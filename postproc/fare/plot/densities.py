# SPDX-License-Identifier: BSD-2-Clause
"""Figures of densities: over time, and at single instants."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.files import Array
from fare.plot.drawing import MANY, TRUTH, close_grid, colours, legend, shown
from fare.results import Study

OVERLAID = 6  # as many histograms as can be told apart in one plot


def _drawn(study: Study, most: int = MANY) -> list[str]:
    """Densities to show: the truth, then the ensembles."""
    return [name for name in ("truth", *shown(study, most)) if name in study.densities]


def _rebinned(masses: Array, edges: Array, bins: int) -> tuple[Array, Array]:
    """Density on about `bins` unions of the fine bins along the last axis, and the edges of these."""
    cut = np.unique(
        np.linspace(0, len(edges) - 1, min(bins, len(edges) - 1) + 1)
        .round()
        .astype(int)
    )
    return np.add.reduceat(masses, cut[:-1], axis=-1) / np.diff(edges[cut]), edges[cut]


def _support(study: Study, axis_masses: dict[str, Array]) -> slice:
    """The fine bins that hold all but the outermost 1e-4 of any of the densities, with a margin."""
    first, last = [], []
    for masses in axis_masses.values():
        cumulative = np.cumsum(masses.mean(axis=0))
        if not cumulative[-1] > 0:
            continue
        first.append(np.searchsorted(cumulative, 1e-4 * cumulative[-1]))
        last.append(np.searchsorted(cumulative, (1 - 1e-4) * cumulative[-1]) + 1)
    n = masses.shape[1]
    if not first:
        return slice(0, n)
    margin = max(1, (max(last) - min(first)) // 30)
    return slice(max(0, min(first) - margin), min(n, max(last) + margin))


def _time_edges(times: Array) -> Array:
    if len(times) == 1:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    middle = 0.5 * (times[1:] + times[:-1])
    return np.concatenate(
        [
            [times[0] - (middle[0] - times[0])],
            middle,
            [times[-1] + (times[-1] - middle[-1])],
        ]
    )


def space_time(study: Study) -> Figure | None:
    """Density over time along the first axis: truth and ensembles on one colour scale, and below, what
    differs from the truth.
    """
    names = _drawn(study)
    if not names:
        return None
    marginals = {name: study.marginal(name) for name in names}
    inside = _support(study, marginals)
    fine = study.known_bins.edges[0][inside.start : inside.stop + 1]
    edges = _rebinned(marginals[names[0]][:1, inside], fine, 256)[1]
    images = {
        name: _rebinned(masses[:, inside], fine, 256)[0]
        for name, masses in marginals.items()
    }
    for name, masses in marginals.items():
        images[name][
            masses.sum(axis=1) == 0
        ] = np.nan  # times that an ensemble did not reach
    differences = (
        {
            name: image - images["truth"]
            for name, image in images.items()
            if name != "truth"
        }
        if "truth" in images
        else {}
    )
    fig, axes = _panels(len(names), 2 if differences else 1)
    t, colour = _time_edges(study.times), {"truth": TRUTH, **colours(study)}
    kinds = [("{}", images, "viridis", 0, "density")]
    if differences:
        kinds.append(("{} − truth", differences, "RdBu_r", -1, "density − truth"))
    for step, (title, panel_images, palette, low, label) in enumerate(kinds):
        top = (
            max(
                (
                    np.nanquantile(abs(image), 0.999)
                    for image in panel_images.values()
                    if np.isfinite(image).any()
                ),
                default=0,
            )
            or 1.0
        )
        for i, name in enumerate(names):
            if name not in panel_images:
                continue
            block, column = divmod(i, axes.shape[1])
            ax = axes[block * len(kinds) + step, column]
            image = ax.pcolormesh(
                t,
                edges,
                panel_images[name].T,
                cmap=palette,
                vmin=low * top,
                vmax=top,
                rasterized=True,
            )
            ax.set_visible(True)
            ax.set_title(title.format(name), color=colour[name], loc="left")
            ax.set_xlim(t[0], t[-1])
        for row in axes[step :: len(kinds)]:
            place = row[-1].get_position()
            bar = fig.add_axes(
                (
                    place.x1 + 0.15 / fig.get_figwidth(),
                    place.y0,
                    0.13 / fig.get_figwidth(),
                    place.height,
                )
            )
            fig.colorbar(
                image, cax=bar, label=label, extend="max" if low == 0 else "both"
            )
    for (row, column), ax in np.ndenumerate(axes):
        below = row + 1 < len(axes) and axes[row + 1, column].get_visible()
        beside = column > 0 and axes[row, column - 1].get_visible()
        ax.tick_params(labelbottom=not below, labelleft=not beside)
        ax.set_xlabel("" if below else "time t")
        ax.set_ylabel(
            ""
            if beside
            else "x"
            if study.known_bins.dimension == 1
            else "x (other axes summed)"
        )
    return fig


def _panels(count: int, kinds: int) -> tuple[Figure, Array]:
    """Invisible axes in rows of at most four, `kinds` rows for each; margins in inches, with room for colour
    bars at the right.
    """
    columns = min(count, 4)
    rows = -(-count // columns) * kinds
    left, right, top, bottom, width, height, apart, above = (
        0.7,
        1.05,
        0.3,
        0.55,
        2.3,
        2.1,
        0.28,
        0.45,
    )
    across = left + columns * width + (columns - 1) * apart + right
    down = top + rows * height + (rows - 1) * above + bottom
    fig = Figure(figsize=(across, down), layout="none")
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    fig.subplots_adjust(
        left / across,
        bottom / down,
        1 - right / across,
        1 - top / down,
        apart / width,
        above / height,
    )
    for ax in axes.flat:
        ax.set_visible(False)
        ax.grid(False)
    return fig, axes


def chosen_times(study: Study, count: int = 6) -> list[int]:
    """Indices spread over the study; every second one is held out where the study has held-out times."""
    indices = np.unique(
        np.linspace(0, len(study.times) - 1, min(count, len(study.times)))
        .round()
        .astype(int)
    ).tolist()
    held_out = np.flatnonzero(study.held_out)
    if held_out.size:
        indices[1::2] = [
            int(held_out[abs(held_out - k).argmin()]) for k in indices[1::2]
        ]
    return sorted(set(indices))


def _moment(study: Study, k: int) -> str:
    note = (
        ""
        if not study.held_out.any()
        else " (held out)"
        if study.held_out[k]
        else " (trained on)"
    )
    return f"t = {study.times[k]:.4g}{note}"


def snapshots(study: Study) -> Figure | None:
    """Densities overlaid at a few times; as images in two and three dimensions."""
    if not _drawn(study):
        return None
    return _overlays(study) if study.known_bins.dimension == 1 else _images(study)


def _overlays(study: Study) -> Figure:
    times, colour = chosen_times(study), colours(study)
    marginals = {name: study.masses(name) for name in _drawn(study, OVERLAID)}
    inside = _support(study, marginals)
    edges = study.known_bins.edges[0][inside.start : inside.stop + 1]
    columns = min(3, len(times))
    rows = -(-len(times) // columns)
    fig = Figure(figsize=(3.5 * columns + 0.6, 2.5 * rows + 0.6))
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, k in zip(axes.flat, times):
        for name, masses in marginals.items():
            if name == "truth":
                density, cut = _rebinned(masses[k, inside], edges, 1024)
                ax.plot(
                    0.5 * (cut[1:] + cut[:-1]), density, color=TRUTH, lw=1.3, zorder=5
                )
            elif masses[k].any():
                density, cut = _rebinned(masses[k, inside], edges, 128)
                ax.stairs(density, cut, color=colour[name], lw=1.2, alpha=0.9)
        ax.set_title(_moment(study, k), loc="left")
        ax.set_xlim(edges[0], edges[-1])
    axes[0, 0].set_ylim(bottom=0)
    close_grid(axes, len(times), "x")
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    handles = [
        Line2D([], [], color=TRUTH if name == "truth" else colour[name], label=name)
        for name in marginals
    ]
    legend(fig, handles, min(6, len(handles)))
    return fig


def _images(study: Study) -> Figure:
    times, names, bins = chosen_times(study, 5), _drawn(study), study.known_bins
    planes = {name: study.marginal(name, 2)[times] for name in names}
    seen = [
        _support(
            study, {name: plane.sum(axis=2 - axis) for name, plane in planes.items()}
        )
        for axis in (0, 1)
    ]
    x, y = (
        bins.edges[axis][inside.start : inside.stop + 1]
        for axis, inside in enumerate(seen)
    )
    densities = {
        name: plane[:, seen[0], seen[1]] / np.outer(np.diff(x), np.diff(y))
        for name, plane in planes.items()
    }
    scale = (
        [densities["truth"]] if "truth" in densities else densities.values()
    )  # what is much denser than the truth leaves the scale, not all the others in the dark
    top = 1.2 * max(np.quantile(density, 0.9995) for density in scale)
    fig = Figure(figsize=(2.1 * len(times) + 1.2, 2.1 * len(names) + 0.4))
    axes = fig.subplots(len(names), len(times), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(axes, names):
        for ax, density in zip(row, densities[name]):
            image = ax.pcolormesh(
                x, y, density.T, cmap="viridis", vmin=0, vmax=top, rasterized=True
            )
            ax.grid(False)
        row[0].set_ylabel("y")
        row[0].annotate(
            _broken(name),
            (-0.42, 0.5),
            xycoords="axes fraction",
            rotation=90,
            va="center",
            ha="right",
            weight="bold",
            color=TRUTH if name == "truth" else colours(study)[name],
        )
    for above, below, k in zip(axes[0], axes[-1], times):
        above.set_title(_moment(study, k).replace(" (", "\n("), loc="left")
        below.set_xlabel("x")
    fig.colorbar(
        image,
        ax=axes,
        label="density" if bins.dimension == 2 else "density (third axis summed)",
        aspect=max(40, 9 * len(names)),
        extend="max",
        extendfrac=0.02,
    )
    return fig


def _broken(name: str) -> str:
    """In two lines where it is long."""
    breaks = [i for i, c in enumerate(name) if c == "_"]
    if len(name) <= 16 or not breaks:
        return name
    at = min(breaks, key=lambda i: abs(i - len(name) // 2))
    return f"{name[:at]}\n{name[at + 1 :]}"
