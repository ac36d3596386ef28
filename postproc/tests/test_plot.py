# SPDX-License-Identifier: BSD-2-Clause
"""What is drawn is what the files hold, on the axes that were given."""
from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, Callable

import h5py
import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest
from conftest import ONE
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg

import fare
from fare import results
from fare.plot import drawing
from fare.study import Study


def mesh(ax: Any) -> tuple[Any, Any, Any]:
    """Edges and values of the only image in the axes."""
    (image,) = [c for c in ax.collections if hasattr(c, "get_coordinates") and c.get_array() is not None]
    corners = image.get_coordinates()
    return corners[0, :, 0], corners[:, 0, 1], image.get_array().reshape(corners.shape[0] - 1, -1).T


def inside(edges: Any, low: float, high: float) -> slice:
    """The cells between two edges."""
    return slice(int(abs(edges - low).argmin()), int(abs(edges - high).argmin()))


def test_axes_go_in_and_out(one: Study, two: Study) -> None:
    draws: list[Callable[[Any], Any]] = [
        lambda ax: fare.plot.divergence(one, "kl", ax=ax),
        lambda ax: fare.plot.density(one, "langevin", difference=True, ax=ax),
        lambda ax: fare.plot.snapshot(one, 0.3, ax=ax),
        lambda ax: fare.plot.snapshot_map(two, 0.1, "langevin", difference=True, ax=ax),
        lambda ax: fare.plot.current(one, ax=ax),
        lambda ax: fare.plot.current(two, 0.1, ax=ax),
        lambda ax: fare.plot.cost(one, "kl", ax=ax),
        lambda ax: fare.plot.ranking(one, ax=ax),
        lambda ax: fare.plot.truth_error(one, ax=ax),
        lambda ax: fare.plot.thermodynamics(one, ax=ax),
    ]
    for draw in draws:
        figure, axes = pyplot.subplots(1, 2)
        assert draw(axes[1]) is axes[1]
        assert axes[1].has_data() and not axes[0].has_data()
        pyplot.close(figure)
        pyplot.close(draw(None).figure)


def test_lines_are_the_numbers(one: Study) -> None:
    ax = fare.plot.divergence(one.results, "kl")
    expected = one.measures.value.sel(measure="kl", comparison="boltzmann")
    assert any(np.array_equal(line.get_ydata(), expected) for line in ax.lines)
    ax = fare.plot.snapshot(one, 0.2)
    assert "0.2" in ax.get_title(loc="left")
    x, density = ax.lines[0].get_data()
    assert np.allclose(
        density, np.interp(x, one.densities.x, one.densities["truth"].sel(time=0.2)), rtol=1e-5
    )
    ax = fare.plot.thermodynamics(one)
    assert np.array_equal(ax.lines[0].get_ydata(), one.thermodynamics["work"])
    pyplot.close("all")


def test_figures_of_the_report(one: Study, two: Study) -> None:
    figure = fare.plot.figure(one, "divergences")
    assert figure is not None and len(figure.axes) == 2
    assert fare.plot.figure(two, "training") is None
    assert fare.plot.figure(one, "differences") is None  # of planes
    with pytest.raises(fare.FareError, match="no figure 'cost'"):
        fare.plot.figure(one, "cost")
    with pytest.raises(fare.FareError, match="nothing was measured by 'hellinger'"):
        fare.plot.divergence(one, "hellinger")


def test_rounding_of_the_mass_reads_as_rounding(one: Study) -> None:
    figure = fare.plot.figure(one, "truth_error")
    assert figure is not None
    axes = figure.axes[1]
    low, high = axes.get_ylim()
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    assert np.nanmax(drawn) < 1e-12, "else this study does not serve"
    assert low <= 1e-18 and high == 1e-6


def test_difference_maps_are_the_densities(two: Study) -> None:
    ax = fare.plot.snapshot_map(two, 0.2, "langevin", difference=True)
    x, y, seen = mesh(ax)
    with h5py.File(two.directory / "study.h5") as file:  # slowest axis first
        masses = (file["binned/langevin"][2] - file["binned/truth"][2]).astype(float).T
        high, low = (file["bins"].attrs[name][::-1] for name in ("upper", "lower"))
    edges = [np.linspace(low[i], high[i], masses.shape[i] + 1) for i in (0, 1)]
    expected = masses[inside(edges[0], x[0], x[-1]), inside(edges[1], y[0], y[-1])]
    width = [edge[1] - edge[0] for edge in edges]
    assert seen.shape == expected.shape and np.allclose(seen * np.prod(width), expected, atol=1e-9)
    assert abs(expected).sum() > 0.99 * abs(masses).sum()
    norm = next(c.norm for c in ax.collections)
    assert norm.vmin == -norm.vmax < 0
    whole = fare.plot.snapshot_map(two, 0.2, "truth", axes=("x", "y"))
    assert whole.get_xlabel() == "x" and mesh(whole)[2].min() >= 0
    with pytest.raises(fare.FareError, match="no axis 'z'; there are: x, y"):
        fare.plot.snapshot_map(two, 0.2, axes=("x", "z"))
    pyplot.close("all")


def test_currents_are_those_of_the_files(one: Study, two: Study) -> None:
    seen = mesh(fare.plot.current(one))[2]
    with h5py.File(one.directory / "snapshots/snapshot_000003.h5") as file:
        assert np.allclose(seen[3], file["data/3/meshes/current_x"][:])
        assert abs(seen[3]).max() > 0.1  # driven, so that something flows
    ax = fare.plot.current(two, 0.1)
    (arrows,) = [c for c in ax.collections if isinstance(c, matplotlib.quiver.Quiver)]
    with h5py.File(two.directory / "snapshots/snapshot_000001.h5") as file:
        meshes = file["data/1/meshes"]
        fields = [meshes[f"current_{axis}"][:].T for axis in "xy"]
        low, width = (meshes["density"].attrs[n][::-1] for n in ("gridGlobalOffset", "gridSpacing"))
    centres = [low[i] + width[i] * (np.arange(fields[0].shape[i]) + 0.5) for i in (0, 1)]
    columns = np.unique(arrows.X)
    half = np.diff(columns).max() / 2, np.diff(np.unique(arrows.Y)).max() / 2
    shown = 0
    for x, y, u, v, hidden in zip(arrows.X, arrows.Y, arrows.U, arrows.V, np.ravel(arrows.Umask)):
        if np.size(arrows.Umask) > 1 and hidden:
            continue
        block = np.ix_(*(abs(c - at) < h for c, at, h in zip(centres, (x, y), half)))
        assert fields[0][block].min() <= u <= fields[0][block].max()
        assert fields[1][block].min() <= v <= fields[1][block].max()
        shown += 1
    assert shown > 20
    pyplot.close("all")


def test_values_below_zero_are_drawn(one: Study) -> None:
    tables = results.Study(one.directory)
    comparison = tables.comparisons["langevin"]
    kl = comparison.measures["kl"]
    below = dataclasses.replace(
        kl,
        value=np.array([2e-4, -3e-4, 1e-2, -5e-5, 0.3, -1e-3]),
        floor_mean=np.zeros(6),
        floor_high=np.full(6, 4e-4),
    )
    tables.comparisons["langevin"] = dataclasses.replace(comparison, measures={"kl": below})
    ax = fare.plot.divergence(tables, "kl")
    assert ax.get_yscale() == "symlog" and ax.get_ylim()[0] < -1e-3
    assert any(np.array_equal(line.get_ydata(), below.value) for line in ax.lines)
    linear = ax.yaxis.get_transform().linthresh
    assert min(kl.floor_size.min(), 4e-4) <= linear <= max(kl.floor_size.max(), 4e-4)  # the noise floor's
    assert fare.plot.divergence(one, "kl").get_yscale() == "log"
    assert fare.plot.cost(tables, "kl").get_yscale() in ("log", "symlog")
    pyplot.close("all")


@pytest.mark.parametrize(
    "values, scale", [([1e-3, 1], "log"), ([1e-3, -1e-12], "log"), ([1, -1e-2], "symlog")]
)
def test_scales_of_measures(values: list[float], scale: str) -> None:
    ax = pyplot.subplots()[1]
    low, high = drawing.measure_axis(ax, "y", values, [1e-4])
    assert ax.get_yscale() == scale and low < high
    assert all(low < value < high for value in values if abs(value) > 1e-9)
    pyplot.close("all")


def test_legend_of_the_ranking(one: Study) -> None:
    figure = fare.plot.figure(one, "ranking")
    assert figure is not None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "not trained",
        "noise floor (left), training only (right)",
    ]
    assert figure.axes[1].get_xlabel() == "training and sampling (s)"


def test_curves_of_a_sweep(tmp_path: pathlib.Path) -> None:
    """A curve over what was swept, with bars, is what sweep.csv holds; over two axes one for each value."""
    plan: dict[str, Any] = {
        **ONE,
        "ensembles": [{"name": "langevin", "sampler": "langevin", "particles": 500, "dt": 5e-3}],
        "measures": ["kl"],
        "output": {"directory": str(tmp_path / "s")},
        "sweep": [{"system.parameters.kT": [0.5, 1.0, 2.0]}, {"drive.0.amplitude": [1, 4]}],
    }
    plan.pop("thermodynamics")
    sweep = fare.run(plan, snapshots__count=3)
    assert isinstance(sweep, fare.Sweep)
    figure = fare.plot.sweep_figure(sweep, "curves")
    assert figure is not None
    bars = figure.axes[0].containers
    assert len(bars) == 2
    for first, container in enumerate(bars):  # points are numbered with the last axis fastest
        kls = [sweep.studies[n].results.comparisons["langevin"].measures["kl"] for n in range(first, 6, 2)]
        line, _, (errors,) = container.lines
        assert line.get_xdata().tolist() == [0.5, 1.0, 2.0]
        assert np.allclose(line.get_ydata(), [kl.value.mean() for kl in kls])
        ends = np.array([segment[:, 1] for segment in errors.get_segments()])
        lows = [min(kl.low.mean(), kl.value.mean()) for kl in kls if kl.low is not None]
        highs = [max(kl.high.mean(), kl.value.mean()) for kl in kls if kl.high is not None]
        assert np.allclose(ends, np.transpose([lows, highs]))
    check_one_curve(sweep)


def check_one_curve(sweep: fare.Sweep) -> None:
    """fare.plot.sweep draws a measure over one key, at a value of the other, on the axes that it is given."""
    pyplot.close("all")
    _, given = pyplot.subplots()
    ax = fare.plot.sweep(sweep, "kl", over="drive.0.amplitude", at={"system.parameters.kT": "1.0"}, ax=given)
    assert ax is given and ax.get_xlabel() == "amplitude" and ax.get_ylabel() == "kl"
    (container,) = ax.containers
    line = container.lines[0]
    kls = [sweep.studies[n].results.comparisons["langevin"].measures["kl"] for n in (2, 3)]
    assert line.get_xdata().tolist() == [1, 4]
    assert np.allclose(line.get_ydata(), [kl.value.mean() for kl in kls])
    with pytest.raises(fare.FareError, match="no value of drive.0.amplitude"):
        fare.plot.sweep(sweep, over="system.parameters.kT")
    with pytest.raises(fare.FareError, match="no point has drive.0.amplitude = 3"):
        fare.plot.sweep(sweep, over="system.parameters.kT", at={"drive.0.amplitude": 3})
    with pytest.raises(fare.FareError, match="one of the swept keys: .*; got 'kT2'"):
        fare.plot.sweep(sweep, over="kT2")


@pytest.mark.parametrize("system", ["ornstein_uhlenbeck", "prinz"])
def test_nothing_of_the_density_figure_is_cut_off(tmp_path: pathlib.Path, system: str) -> None:
    """Small differences have long numbers at the colour bar, narrow systems beside the axis, and long times those
    of neighbours meet.
    """
    chains = [
        {"name": n, "sampler": "boltzmann", "particles": 20000, "sweeps": 4, "adaptation": 0}
        for n in ("many", "more")
    ]
    study = fare.run(
        {"study": "fit", "system": {"name": system}, "truth": {"cells": [64]}},
        snapshots={"end": 10.0, "count": 81},
        ensembles=chains,
        measures=["kl"],
        output__directory=str(tmp_path / "fit"),
    )
    assert isinstance(study, Study)
    with matplotlib.rc_context(fare.plot.style()):
        figure = fare.plot.figure(study, "density")
        assert figure is not None
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        box = figure.get_tightbbox()
        assert 0 <= box.x0 and box.x1 <= figure.get_figwidth(), box
        assert 0 <= box.y0 and box.y1 <= figure.get_figheight(), box
        rows: dict[float, list[Any]] = {}
        for ax in figure.axes:
            low, high = ax.get_xlim()
            for at, label in zip(ax.get_xticks(), ax.get_xticklabels()):
                if ax.get_visible() and low <= at <= high and label.get_visible() and label.get_text():
                    extent = label.get_window_extent(canvas.get_renderer())
                    rows.setdefault(round(extent.y0), []).append((extent.x0, extent.x1))
        for row in rows.values():
            ordered = sorted(row)
            assert all(left[1] + 2 < right[0] for left, right in zip(ordered, ordered[1:])), ordered
        assert max(map(len, rows.values())) > 5


def test_a_sweep_names_units_and_only_what_happened(tmp_path: pathlib.Path) -> None:
    sweep = fare.run(
        {"study": "warm", "system": {"name": "double_well"}, "truth": {"cells": [32]}},
        snapshots={"end": 0.1, "count": 2},
        ensembles=[{"name": "walk", "sampler": "langevin", "particles": 100, "dt": 1e-2}],
        measures=["wasserstein_1", "total_variation"],
        sweep=[{"system.parameters.kT": [1, 2]}],
        output__directory=str(tmp_path / "warm"),
    )
    assert isinstance(sweep, fare.Sweep)
    figure = fare.plot.sweep_figure(sweep, "measures")
    assert figure is not None
    assert [ax.get_ylabel() for ax in figure.axes] == ["wasserstein 1 (length)", "total variation"]
    said = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert said == ["walk", "noise floor"], said
    means = sweep.measures.value.sel(measure="wasserstein_1", comparison="walk").mean("snapshot")
    line = figure.axes[0].containers[0].lines[0]
    assert line.get_xdata().tolist() == [1, 2] and np.allclose(line.get_ydata(), means)
