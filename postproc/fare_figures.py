"""The figures of a FARE study, as matplotlib figures. Each function returns None where the study has nothing to draw."""
from __future__ import annotations

import matplotlib.colors
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fare_results import Comparison, Measured, Study

# Okabe and Ito's colours, which are told apart by colour-blind readers too; black is kept for the truth.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00")
MORE = ("#332288", "#882255", "#117733", "#8c8c8c", "#661100")  # Tol's muted ones, where there are more ensembles than that
MANY = len(PALETTE) + len(MORE)  # as many as one figure can show
OVERLAID = 6  # as many histograms as can be told apart in one plot
TRUTH = "#000000"
AXES = ("x", "y", "z")
STYLE = {
    "figure.dpi": 150,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "fare",
}
# What is drawn of one ensemble shares its colour; the line says which of its comparisons it is.
LINES = {("samples", "truth"): "-", ("density", "truth"): (0, (5, 2)), ("samples", "target"): (0, (1, 1.4))}

MARKERS = {"none": "o", "learned": "D", "oracle": "*", "empirical": "s"}  # where a method's field comes from
KINDS = dict(zip(MARKERS, ("#555555", *PALETTE)))


def shown(study: Study, most: int = MANY) -> list[str]:
    """Ensembles that figures show. Where all are too many: one training of each line; where these are, without oracles and empirical optima; where these are, what is nearest to the truth, and the baseline."""
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


def compared(study: Study) -> list[Comparison]:
    """Comparisons of the ensembles that are shown; of many, only that of samples with the truth."""
    names, few = set(shown(study)), len(study.ensembles) <= MANY
    return [c for c in study.comparisons.values() if c.ensemble in names and (few or (c.of == "samples" and c.against == "truth"))]


def colours(study: Study) -> dict[str, str]:
    """One colour per ensemble that is shown, the same in every figure."""
    return dict(zip(shown(study), (*PALETTE, *MORE)))


def headline(study: Study) -> str | None:
    """The measure that sums up the study: the first that the plan lists."""
    return next((name for c in study.comparisons.values() for name in c.measures), None)


def _legend(fig: Figure, handles: list, columns: int) -> None:
    """Above the axes, in a strip that the layout leaves free; in fewer columns where the labels are long."""
    columns = max(1, min(columns, int(fig.get_figwidth() / (0.65 + 0.085 * max(len(h.get_label()) for h in handles)))))
    strip = 0.24 * -(-len(handles) // columns) + 0.1
    fig.set_figheight(fig.get_figheight() + max(0.0, strip - 0.6))  # figures are made with room for two rows
    fig.get_layout_engine().set(rect=(0, 0, 1, 1 - strip / fig.get_figheight()))
    fig.legend(handles=handles, loc="upper center", ncol=columns, borderaxespad=0.2)


def describe(comparison: Comparison) -> str:
    if comparison.against == "target":
        return f"{comparison.ensemble} against its own target"
    return f"{comparison.ensemble}, exact target density" if comparison.of == "density" else comparison.ensemble


def mean(values: np.ndarray) -> float:
    """Over what is a number (an infinite divergence is one); NaN when nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _shown(study: Study, most: int = MANY) -> list[str]:
    """Densities to show: the truth, then the ensembles."""
    return [name for name in ("truth", *shown(study, most)) if name in study.densities]


def _rebinned(masses: np.ndarray, edges: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Density on about `bins` unions of the fine bins along the last axis, and the edges of these."""
    cut = np.unique(np.linspace(0, len(edges) - 1, min(bins, len(edges) - 1) + 1).round().astype(int))
    return np.add.reduceat(masses, cut[:-1], axis=-1) / np.diff(edges[cut]), edges[cut]


def _support(study: Study, axis_masses: dict[str, np.ndarray]) -> slice:
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


def _time_edges(times: np.ndarray) -> np.ndarray:
    if len(times) == 1:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    middle = 0.5 * (times[1:] + times[:-1])
    return np.concatenate([[times[0] - (middle[0] - times[0])], middle, [times[-1] + (times[-1] - middle[-1])]])


def space_time(study: Study) -> Figure | None:
    """Density over time along the first axis: truth and ensembles on one colour scale, and below, what differs from the truth."""
    names = _shown(study)
    if not names:
        return None
    marginals = {name: study.marginal(name) for name in names}
    inside = _support(study, marginals)
    fine = study.bins.edges[0][inside.start : inside.stop + 1]
    edges = _rebinned(marginals[names[0]][:1, inside], fine, 256)[1]
    images = {name: _rebinned(masses[:, inside], fine, 256)[0] for name, masses in marginals.items()}
    for name, masses in marginals.items():
        images[name][masses.sum(axis=1) == 0] = np.nan  # times that an ensemble did not reach
    differences = {name: image - images["truth"] for name, image in images.items() if name != "truth"} if "truth" in images else {}
    fig, axes = _panels(len(names), 2 if differences else 1)
    t, colour = _time_edges(study.times), {"truth": TRUTH, **colours(study)}
    kinds = [("{}", images, "viridis", 0, "density")]
    if differences:
        kinds.append(("{} − truth", differences, "RdBu_r", -1, "density − truth"))
    for step, (title, shown, palette, low, label) in enumerate(kinds):
        top = max((np.nanquantile(abs(image), 0.999) for image in shown.values() if np.isfinite(image).any()), default=0) or 1.0
        for i, name in enumerate(names):
            if name not in shown:
                continue
            block, column = divmod(i, axes.shape[1])
            ax = axes[block * len(kinds) + step, column]
            image = ax.pcolormesh(t, edges, shown[name].T, cmap=palette, vmin=low * top, vmax=top, rasterized=True)
            ax.set_visible(True)
            ax.set_title(title.format(name), color=colour[name], loc="left")
            ax.set_xlim(t[0], t[-1])
        for row in axes[step :: len(kinds)]:
            place = row[-1].get_position()
            bar = fig.add_axes((place.x1 + 0.15 / fig.get_figwidth(), place.y0, 0.13 / fig.get_figwidth(), place.height))
            fig.colorbar(image, cax=bar, label=label, extend="max" if low == 0 else "both")
    for (row, column), ax in np.ndenumerate(axes):
        below = row + 1 < len(axes) and axes[row + 1, column].get_visible()
        beside = column > 0 and axes[row, column - 1].get_visible()
        ax.tick_params(labelbottom=not below, labelleft=not beside)
        ax.set_xlabel("" if below else "time t")
        ax.set_ylabel("" if beside else "x" if study.bins.dimension == 1 else "x (other axes summed)")
    return fig


def _panels(count: int, kinds: int) -> tuple[Figure, np.ndarray]:
    """Invisible axes in rows of at most four, `kinds` rows for each; margins in inches, with room for colour bars at the right."""
    columns = min(count, 4)
    rows = -(-count // columns) * kinds
    left, right, top, bottom, width, height, apart, above = 0.7, 1.05, 0.3, 0.55, 2.3, 2.1, 0.28, 0.45
    across = left + columns * width + (columns - 1) * apart + right
    down = top + rows * height + (rows - 1) * above + bottom
    fig = Figure(figsize=(across, down), layout="none")
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    fig.subplots_adjust(left / across, bottom / down, 1 - right / across, 1 - top / down, apart / width, above / height)
    for ax in axes.flat:
        ax.set_visible(False)
        ax.grid(False)
    return fig, axes


def chosen_times(study: Study, count: int = 6) -> list[int]:
    """Indices spread over the study; every second one is held out where the study has held-out times."""
    indices = np.unique(np.linspace(0, len(study.times) - 1, min(count, len(study.times))).round().astype(int)).tolist()
    held_out = np.flatnonzero(study.held_out)
    if held_out.size:
        indices[1::2] = [int(held_out[abs(held_out - k).argmin()]) for k in indices[1::2]]
    return sorted(set(indices))


def _moment(study: Study, k: int) -> str:
    note = "" if not study.held_out.any() else " (held out)" if study.held_out[k] else " (trained on)"
    return f"t = {study.times[k]:.4g}{note}"


def snapshots(study: Study) -> Figure | None:
    """Densities overlaid at a few times; as images in two and three dimensions."""
    if not _shown(study):
        return None
    return _overlays(study) if study.bins.dimension == 1 else _images(study)


def _overlays(study: Study) -> Figure:
    times, colour = chosen_times(study), colours(study)
    marginals = {name: study.masses(name) for name in _shown(study, OVERLAID)}
    inside = _support(study, marginals)
    edges = study.bins.edges[0][inside.start : inside.stop + 1]
    columns = min(3, len(times))
    rows = -(-len(times) // columns)
    fig = Figure(figsize=(3.5 * columns + 0.6, 2.5 * rows + 0.6))
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, k in zip(axes.flat, times):
        for name, masses in marginals.items():
            if name == "truth":
                density, cut = _rebinned(masses[k, inside], edges, 1024)
                ax.plot(0.5 * (cut[1:] + cut[:-1]), density, color=TRUTH, lw=1.3, zorder=5)
            elif masses[k].any():
                density, cut = _rebinned(masses[k, inside], edges, 128)
                ax.stairs(density, cut, color=colour[name], lw=1.2, alpha=0.9)
        ax.set_title(_moment(study, k), loc="left")
        ax.set_xlim(edges[0], edges[-1])
    axes[0, 0].set_ylim(bottom=0)
    for ax in list(axes.flat)[len(times) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    handles = [Line2D([], [], color=TRUTH if name == "truth" else colour[name], label=name) for name in marginals]
    _legend(fig, handles, min(6, len(handles)))
    return fig


def _images(study: Study) -> Figure:
    times, names, bins = chosen_times(study, 5), _shown(study), study.bins
    planes = {name: study.marginal(name, 2)[times] for name in names}
    seen = [_support(study, {name: plane.sum(axis=2 - axis) for name, plane in planes.items()}) for axis in (0, 1)]
    x, y = (bins.edges[axis][inside.start : inside.stop + 1] for axis, inside in enumerate(seen))
    densities = {name: plane[:, seen[0], seen[1]] / np.outer(np.diff(x), np.diff(y)) for name, plane in planes.items()}
    scale = [densities["truth"]] if "truth" in densities else densities.values()  # what is much denser than the truth leaves the scale, not all the others in the dark
    top = 1.2 * max(np.quantile(density, 0.9995) for density in scale)
    fig = Figure(figsize=(2.1 * len(times) + 1.2, 2.1 * len(names) + 0.4))
    axes = fig.subplots(len(names), len(times), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(axes, names):
        for ax, density in zip(row, densities[name]):
            image = ax.pcolormesh(x, y, density.T, cmap="viridis", vmin=0, vmax=top, rasterized=True)
            ax.grid(False)
        row[0].set_ylabel("y")
        row[0].annotate(_broken(name), (-0.42, 0.5), xycoords="axes fraction", rotation=90, va="center", ha="right", weight="bold",
                        color=TRUTH if name == "truth" else colours(study)[name])
    for above, below, k in zip(axes[0], axes[-1], times):
        above.set_title(_moment(study, k).replace(" (", "\n("), loc="left")
        below.set_xlabel("x")
    fig.colorbar(image, ax=axes, label="density" if bins.dimension == 2 else "density (third axis summed)", aspect=max(40, 9 * len(names)), extend="max", extendfrac=0.02)
    return fig


def _broken(name: str) -> str:
    """In two lines where it is long."""
    breaks = [i for i, c in enumerate(name) if c == "_"]
    if len(name) <= 16 or not breaks:
        return name
    at = min(breaks, key=lambda i: abs(i - len(name) // 2))
    return f"{name[:at]}\n{name[at + 1 :]}"


def _learns(study: Study, comparison: Comparison) -> bool:
    ensemble = study.ensembles.get(comparison.ensemble)
    return bool(ensemble and study.trained.any() and (ensemble.train_seconds > 0 or ensemble.loss is not None or ensemble.family == "generative"))


def divergences(study: Study) -> Figure | None:
    """Every measure over time, with the floor that exact draws would have."""
    comparisons = compared(study)
    if not comparisons:
        return None
    names = list(dict.fromkeys(name for c in comparisons for name in c.measures))
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    fig = Figure(figsize=(5.4 * columns + 0.2, 2.75 * rows + 0.9))
    axes = fig.subplots(rows, columns, sharex=True, squeeze=False)
    for ax, name in zip(axes.flat, names):
        for comparison in comparisons:
            if name in comparison.measures:
                _course(ax, study, comparison, comparison.measures[name])
        measured = next(c.measures[name] for c in comparisons if name in c.measures)
        ax.set_title(name.replace("_", " "), loc="left")
        ax.set_ylabel(_unit(measured))
        ax.set_yscale("log")
        _limits(ax, [c.measures[name] for c in comparisons if name in c.measures])
    for ax in list(axes.flat)[len(names) :]:
        ax.set_visible(False)
    for column in range(columns):
        lowest = [row[column] for row in axes if row[column].get_visible()][-1]
        lowest.set_xlabel("time t")
        lowest.tick_params(labelbottom=True)
    _legend(fig, _keys(study), 3)
    return fig


def _shade(study: Study, comparison: Comparison) -> tuple[float, ...]:
    """The ensemble's colour; darker for its exact density, which lies on the samples' line where the sampler has converged."""
    colour = matplotlib.colors.to_rgb(colours(study).get(comparison.ensemble, "#666666"))
    return tuple(0.5 * c for c in colour) if comparison.of == "density" else colour


def _unit(measured: Measured) -> str:
    return "" if measured.unit in ("1", "none", "-") else measured.unit


def _course(ax, study: Study, comparison: Comparison, measured: Measured) -> None:
    colour = _shade(study, comparison)
    value = np.where(measured.value > 0, measured.value, np.nan)
    ax.plot(study.times, value, color=colour, ls=LINES.get((comparison.of, comparison.against), "-"), lw=1.5, marker="" if len(value) > 1 else "o")
    if comparison.samples and not (measured.floor_mean <= 1e-3 * measured.floor_high).any():
        if len(value) > 1:
            ax.fill_between(study.times, measured.floor_mean, measured.floor_high, color=colour, alpha=0.25, lw=0)
        else:
            ax.vlines(study.times, measured.floor_mean, measured.floor_high, color=colour, alpha=0.25, lw=12)
    if _learns(study, comparison) and comparison.against == "truth":
        ax.plot(study.times[study.trained], value[study.trained], ls="", marker="o", ms=4, color=colour)
        ax.plot(study.times[study.held_out], value[study.held_out], ls="", marker="o", ms=4, mfc="white", mew=1.1, color=colour)


def _limits(ax, measured: list[Measured]) -> None:
    """Keeps floors and what rises above them in view; densities that agree to round-off leave at the bottom."""
    floors = np.concatenate([m.floor_size[m.floor_size > 0] for m in measured])
    values = np.concatenate([m.value[np.isfinite(m.value) & (m.value > 0)] for m in measured])
    if not values.size:
        return
    low = floors.min() / 4 if floors.size else max(values.min() / 2, values.max() * 1e-9)
    ax.set_ylim(low, 2 * max(values.max(), low * 10))


def _keys(study: Study) -> list:
    keys: list = []
    for comparison in compared(study):
        keys.append(Line2D([], [], color=_shade(study, comparison), ls=LINES.get((comparison.of, comparison.against), "-"), label=describe(comparison)))
    if any(_learns(study, c) for c in compared(study)):
        keys.append(Line2D([], [], color="#555555", ls="", marker="o", ms=4.5, label="trained on"))
        keys.append(Line2D([], [], color="#555555", ls="", marker="o", ms=4.5, mfc="white", label="held out"))
    if any(c.samples for c in compared(study)):
        keys.append(Patch(color="#777777", alpha=0.35, lw=0, label="noise floor, mean to 95%"))
    return keys


def costs(study: Study) -> Figure | None:
    """What each ensemble has cost against how far it is from the truth."""
    against = {c.ensemble: c for c in compared(study) if c.against == "truth" and c.of == "samples"}
    first = headline(study)
    names = [name for name in dict.fromkeys((first, "wasserstein_1")) if any(name in c.measures for c in against.values())]
    if not names:
        return None
    fig = Figure(figsize=(5.4 * len(names) + 0.2, 3.6 if len(against) <= len(PALETTE) else 4.8))
    axes = fig.subplots(1, len(names), squeeze=False)[0]
    labels = []
    for ax, name in zip(axes, names):
        points = {}
        for ensemble, comparison in against.items():
            if name in comparison.measures and np.isfinite(mean(comparison.measures[name].value)):
                points[ensemble] = _point(ax, study, ensemble, comparison.measures[name])
        if study.truth and study.truth.seconds > 0:
            ax.axvline(study.truth.seconds, color=TRUTH, lw=1, ls=(0, (4, 3)), zorder=0)
            ax.annotate("truth", (study.truth.seconds, 1), xycoords=("data", "axes fraction"), xytext=(3, -3), textcoords="offset points", va="top")
        ax.set_xscale("log")
        ax.set_yscale("log")
        _room(ax.set_xlim, ax.dataLim.intervalx)
        _room(ax.set_ylim, ax.dataLim.intervaly)
        labels.append((ax, points))
        ax.set_xlabel("training and sampling (s, slowest rank)")
        unit = _unit(next(c.measures[name] for c in against.values() if name in c.measures))
        ax.set_ylabel(f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " "))
        ax.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    keys = [Line2D([], [], color="#555555", ls="", marker="o", ms=7, label="average over times")]
    if study.held_out.any():
        keys.append(Line2D([], [], color="#555555", ls="", marker="o", ms=10, mfc="none", mew=1.4, label="average over held-out times"))
    keys.append(Line2D([], [], color="#555555", ls="", marker="_", ms=11, mew=2, label="noise floor"))
    _legend(fig, keys, 3)
    fig.draw_without_rendering()  # the layout decides where points are
    for ax, points in labels:
        _names(ax, colours(study), points)
    return fig


def _point(ax, study: Study, ensemble: str, measured: Measured) -> tuple[float, float]:
    colour, seconds = colours(study)[ensemble], max(study.ensembles[ensemble].seconds, 1e-3)
    average, floor = mean(measured.value), mean(measured.floor_mean)
    ax.plot([seconds, seconds], [floor, average], color=colour, lw=1, alpha=0.6)
    ax.plot(seconds, floor, ls="", marker="_", ms=13, mew=2, color=colour)
    ax.plot(seconds, average, ls="", marker="o", ms=8, color=colour)
    if study.held_out.any() and study.ensembles[ensemble].train_seconds > 0:
        ax.plot(seconds, mean(measured.value[study.held_out]), ls="", marker="o", ms=12, mfc="none", mew=1.5, color=colour)
    return seconds, average


def _names(ax, shades: dict[str, str], points: dict[str, tuple[float, float]]) -> None:
    """A name near every point, in the first place around it that covers neither names nor points; offsets are in points of 1/72 inch."""
    where = {name: ax.transData.transform(point) * 72 / ax.figure.dpi for name, point in points.items()}
    (left, bottom), (right, _) = ax.get_window_extent().get_points() * 72 / ax.figure.dpi
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in where.values()]
    for name, (x, y) in sorted(where.items(), key=lambda item: -item[1][1]):
        width, height = 6.3 * len(name), 11.0
        around = [(side, up) for up in (5, -7, 17, -19, 29, -31, 41, -43, *range(53, 180, 12)) for side in (9, -9 - width) if left < x + side and x + side + width < right and bottom < y + up] or [(9, 5)]
        boxes = [(x + side, y + up - 2, x + side + width, y + up + height - 2) for side, up in around]
        free = [i for i, box in enumerate(boxes) if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        ax.annotate(name, points[name], xytext=around[best], textcoords="offset points", color=shades[name], weight="bold",
                    arrowprops={"arrowstyle": "-", "color": shades[name], "lw": 0.5, "alpha": 0.6, "shrinkB": 4} if abs(around[best][1]) > 10 else None)


def _room(set_limits, interval) -> None:
    """At least a decade, with room for the names."""
    low, high = (float(v) for v in interval)
    if not (0 < low <= high < np.inf):
        return
    grow = max(1.0, (10 / (high / low)) ** 0.5)
    set_limits(low / 1.6 / grow, high * 2.4 * grow)


def ranking(study: Study) -> Figure | None:
    """A row for each line in the order of the ranking: its distance and floor, and what one training and its samples cost; bars are standard deviations over trainings, or the standard error of a single one."""
    placed = [line for line in study.ranking if line.place]
    if not placed:
        return None
    fig = Figure(figsize=(9.0, 1.3 + 0.235 * len(placed)))
    left, right = fig.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    for row, r in enumerate(placed):
        colour, bar = KINDS[r.mode], r.spread if np.isfinite(r.spread) else r.error
        left.plot([r.floor, r.mean], [row, row], color=colour, lw=1, alpha=0.6)
        left.plot(r.floor, row, ls="", marker="|", ms=9, mew=2, color=colour)
        left.errorbar(r.mean, row, xerr=[[min(bar, 0.9 * r.mean)], [bar]], fmt=MARKERS.get(r.mode, "o"), ms=6, capsize=3, color=colour)
        train, sample = max(r.train_seconds, 0.0), max(r.train_seconds + r.sample_seconds, 1e-2)
        right.plot(sample, row, ls="", marker=MARKERS.get(r.mode, "o"), ms=6, color=colour)
        if train > 1e-2:
            right.plot([train, sample], [row, row], color=colour, lw=1, alpha=0.6)
            right.plot(train, row, ls="", marker="|", ms=9, mew=2, color=colour)
    left.set_yticks(range(len(placed)), [f"{r.line}  {r.place}" for r in placed])
    left.set_ylim(len(placed) - 0.4, -0.6)
    for ax, label in ((left, f"{study.ranked_by.replace('_', ' ')}, over {study.ranked_over}"), (right, "seconds: training, with samples")):
        ax.set_xscale("log")
        ax.set_xlabel(label)
    kinds = [mode for mode in MARKERS if any(r.mode == mode for r in placed)]
    keys = [Line2D([], [], color=KINDS[mode], ls="", marker=MARKERS[mode], ms=7, label="nothing is learned" if mode == "none" else mode) for mode in kinds]
    _legend(fig, [*keys, Line2D([], [], color="#555555", ls="", marker="|", ms=11, mew=2, label="noise floor; training alone")], 5)
    return fig


def training(study: Study) -> Figure | None:
    """The training loss of each sampler that recorded one."""
    losses = {name: study.ensembles[name].loss for name in shown(study) if study.ensembles[name].loss is not None and len(study.ensembles[name].loss)}
    if not losses:
        return None
    fig = Figure(figsize=(6.4, 3.2))
    ax = fig.subplots()
    for name, loss in losses.items():
        ax.plot(loss[:, 0], loss[:, 1], color=colours(study)[name], label=name)
    values = np.concatenate([loss[:, 1] for loss in losses.values()])
    if values.min() > 0:
        ax.set_yscale("log")
        if values.max() < 20 * values.min():
            ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    ax.set_xlabel("training step")
    ax.set_ylabel("loss, smoothed")
    _legend(fig, ax.get_legend_handles_labels()[0], 4)
    return fig


def truth_error(study: Study) -> Figure | None:
    """The truth's estimate of its own error, and what a conservative, positive scheme must keep."""
    if study.truth is None:
        return None
    truth, t = study.truth, study.times
    fig = Figure(figsize=(11.0, 3.2))
    left, right = fig.subplots(1, 2)
    dot = "o" if len(t) == 1 else ""
    _logarithmic(left, t, {"total": (truth.error, TRUTH, "-"), "space": (truth.error_space, PALETTE[0], "--"), "time": (truth.error_time, PALETTE[1], "-.")}, dot)
    left.set_ylabel("L1 error of the density, estimated")
    _logarithmic(right, t, {"|mass − 1|": (abs(truth.mass_drift), PALETTE[2], "-"), "boundary mass": (truth.boundary_mass, PALETTE[3], "--")}, dot)
    right.set_ylabel("mass")
    return fig


def thermodynamics(study: Study) -> Figure | None:
    """What the drive costs over time, and where particles measured it, the work of each."""
    columns, dot = study.thermodynamics, "o" if len(study.times) == 1 else ""
    if not columns:
        return None
    balance = {"work": "work", "extra_work": "work of the extra force", "heat": "heat", "dissipated_work": "dissipated work", "kl_to_equilibrium": "KL to equilibrium"}
    rates = {"production_total_rate": "total", "production_housekeeping_rate": "housekeeping", "production_excess_rate": "excess"}
    panels = [(balance, "energy, and KL in nats"), (rates, "entropy production per time")]
    panels = [({name: label for name, label in shown.items() if name in columns}, axis) for shown, axis in panels]
    panels = [panel for panel in panels if panel[0]]
    if not panels:
        panels = [({"entropy": "entropy"}, "entropy")]
    fig = Figure(figsize=(11.0, 3.2))
    axes = np.atleast_1d(fig.subplots(1, len(panels) + bool(study.work)))
    for ax, (shown, label) in zip(axes, panels):
        for (name, text), colour in zip(shown.items(), (TRUTH, *PALETTE)):
            ax.plot(columns["time"], columns[name], color=colour, marker=dot, label=text, ls="-" if colour == TRUTH else (0, (5, 2)) if name.endswith("housekeeping_rate") else "-.")
        ax.set(xlabel="time t", ylabel=label)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=0.2)
    if study.work:
        edges = np.linspace(study.work["lower"], study.work["upper"], study.work["density"].shape[1] + 1)
        for density, label, colour in zip(study.work["density"], ("W, forward", "−W, reversed"), PALETTE):
            axes[-1].stairs(density, edges, color=colour, label=label)
        axes[-1].axvline(study.work["free_energy_change"], color=TRUTH, lw=1, label="free energy, exact")
        axes[-1].set(xlabel="work", ylabel="density")
        axes[-1].legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=0.2)
    return fig


def _logarithmic(ax, t: np.ndarray, series: dict, marker: str) -> None:
    """Lines on a logarithmic axis; below 1e-20 there is nothing worth a decade."""
    seen = False
    for label, (values, colour, style) in series.items():
        shown = np.where(values > 1e-20, values, np.nan)
        seen = seen or bool(np.isfinite(shown).any())
        label = label if np.isfinite(shown).any() else f"{label} (< 1e-20)"
        ax.plot(t, shown, color=colour, ls=style, marker=marker, label=label)
    if seen:
        ax.set_yscale("log")
    ax.set_xlabel("time t")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=len(series), borderaxespad=0.2)


FIGURES = {
    "density": space_time,
    "snapshots": snapshots,
    "divergences": divergences,
    "costs": costs,
    "ranking": ranking,
    "training": training,
    "truth_error": truth_error,
    "thermodynamics": thermodynamics,
}
