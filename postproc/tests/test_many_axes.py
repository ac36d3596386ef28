# SPDX-License-Identifier: BSD-2-Clause
"""Truths of many axes: marginals as files hold them, figures, scores from memory, and a sweep over axes."""
from __future__ import annotations

import copy
import pathlib
from typing import Any

import h5py
import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest
from matplotlib import pyplot

import fare
from fare import report
from fare.study import Study, Sweep

COPIES: dict[str, Any] = {
    "study": "copies",
    "seed": 3,
    "system": {"name": "product", "copies": 5, "unit": {"name": "ornstein_uhlenbeck"}},
    "initial": {"density": "gaussian", "mean": [1.0], "sd": [0.4]},
    "snapshots": {"start": 0.0, "end": 0.4, "count": 3},
    "truth": {"kind": "product", "cells": 64},
    "measures": ["reverse_kl_density", "marginals_2"],
    "record": {"axes": [1, 3, 5]},
    "ensembles": [
        {"name": "exact", "sampler": "exact", "particles": 1500},
        {"name": "walk", "sampler": "langevin", "particles": 1500, "dt": 4e-3},
    ],
}


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Study:
    where = tmp_path_factory.mktemp("five")
    done = fare.run(COPIES, output__directory=str(where / "five"))
    assert isinstance(done, Study)
    return done


def normal(x: Any, t: float) -> Any:
    """The density of one axis: stiffness, mobility and kT are 1."""
    variance = 0.4**2 * np.exp(-2 * t) + 1 - np.exp(-2 * t)
    return np.exp(-((x - np.exp(-t)) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def test_marginals_are_read(five: Study) -> None:
    tables = five.results
    assert tables.dimension == 5 and list(tables.marginal_axes) == [0, 2, 4]
    (edges,), density = tables.exact_marginal(2, (2,))
    assert np.allclose(density, normal(0.5 * (edges[1:] + edges[:-1]), 0.4), atol=0.01)
    (x, y), pair = tables.exact_marginal(2, (0, 4))
    centres = [0.5 * (e[1:] + e[:-1]) for e in (x, y)]
    assert np.allclose(pair, np.outer(*(normal(c, 0.4) for c in centres)), atol=0.01)
    with pytest.raises(fare.FareError, match="no exact marginal of the axes .1,."):
        tables.exact_marginal(2, (1,))
    assert not five.snapshots.data_vars and not five.densities.data_vars
    assert five.particles("walk").position.shape == (3, 1500, 5)
    assert set(five.truth.data_vars) >= {"error", "entropy"} and five.truth.attrs["kind"] == "product"
    assert five.measures.value.sel(measure="marginals_2", comparison="walk").notnull().all()


def test_a_corner_is_what_files_hold(five: Study) -> None:
    figure = fare.plot.corner(five, "walk", 0.2, axes=(0, 2, 4))
    panels = np.array(figure.axes[:9]).reshape(3, 3)
    (image,) = panels[0, 2].collections  # above the diagonal: particles, axis 5 along x, axis 1 along y
    corners = image.get_coordinates()
    x, y = corners[0, :, 0], corners[:, 0, 1]
    with h5py.File(five.directory / "snapshots/snapshot_000001.h5") as file:
        position = file["data/1/particles/walk/position"]
        seen = np.histogram2d(position["x1"][:], position["x5"][:], bins=[y, x])[0]
    drawn = np.asarray(image.get_array()).reshape(seen.shape)
    assert np.allclose(drawn, seen / 1500 / (x[1] - x[0]) / (y[1] - y[0])) and seen.sum() > 1490
    (exact,) = panels[2, 0].collections  # below it: the truth, axis 1 along x
    corners = exact.get_coordinates()
    x, y = (0.5 * (e[1:] + e[:-1]) for e in (corners[0, :, 0], corners[:, 0, 1]))
    drawn = np.asarray(exact.get_array()).reshape(len(y), len(x))
    assert np.allclose(drawn, np.outer(normal(y, 0.2), normal(x, 0.2)), atol=0.02)
    assert exact.norm.vmax == image.norm.vmax
    line = panels[1, 1].lines[0]
    assert np.allclose(line.get_ydata(), normal(line.get_xdata(), 0.2), atol=0.01)
    with pytest.raises(fare.FareError, match="no marginals of axis '1'"):
        fare.plot.corner(five, axes=(0, 1))
    with pytest.raises(fare.FareError, match="no ensemble 'run'"):
        fare.plot.corner(five, "run")


def test_panels_of_one_axis(five: Study) -> None:
    ax = fare.plot.snapshot(five, 0.4, axis="x3")
    assert ax.get_xlabel() == "x3" and len(ax.patches) == 2
    x, density = ax.lines[0].get_data()
    assert np.allclose(density, normal(x, 0.4), atol=0.01)
    ax = fare.plot.density(five, "walk", axis=4)
    assert ax.has_data() and ax.get_ylabel() == "x5"
    pyplot.close("all")


def test_the_report_has_them(five: Study, one: Study) -> None:
    assert report.main([str(five.directory)]) == 0
    text = (five.directory / "report.html").read_text()
    drawn = {path.stem for path in (five.directory / "figures").glob("*.png")}
    wanted = {"divergences", "marginals", "marginal_lines", "corner_walk", "corner_exact", "truth_error"}
    assert wanted <= drawn and all(f'<figure id="{name}">' in text for name in wanted)
    assert "by a truth of kind product" in text
    with pytest.raises(fare.FareError, match="no marginals: they are stored of truths of many axes"):
        fare.plot.corner(one)


def test_scores_of_many_axes(five: Study) -> None:
    data = fare.export(five.directory)
    assert data.samples.shape == (3, 1500, 5) and data.axes == ("x1", "x2", "x3", "x4", "x5")
    found = fare.score(five.directory, data.times, data.samples, measures=["marginals_2", "rosenblatt"])
    own = five.results.comparisons["walk"].measures["marginals_2"].value
    assert np.array_equal(found[found.measure == "marginals_2"].value, own)
    log_density = np.array([np.log(normal(x, t)).sum(axis=1) for x, t in zip(data.samples, data.times)])
    judged = fare.score(five.directory, data.times, data.samples, None, log_density, measures=["kl_density"])
    assert (abs(judged.value) < 0.01).all() and judged.attrs["dimension"] == 5
    with pytest.raises(fare.FareError, match="kind 'product'"):
        fare.score(five.directory, data.times, data.samples, extras=["c2st"])


def test_a_sweep_over_axes(tmp_path: pathlib.Path) -> None:
    swept = copy.deepcopy(COPIES)
    swept.update(sweep=[{"system.copies": [2, 4, 8]}], record={"axes": [1, 2]})
    swept["ensembles"] = [{"name": "apart", "sampler": "product_of_marginals", "particles": 600}]
    done = fare.run(swept, output__directory=str(tmp_path / "swept"))
    assert isinstance(done, Sweep) and [s.results.dimension for s in done.studies.values()] == [2, 4, 8]
    ax = fare.plot.sweep(done, "marginals_2")
    values = [float(s.measures.value.sel(measure="marginals_2").mean()) for s in done.studies.values()]
    line = next(line for line in ax.lines if list(line.get_xdata()) == [2, 4, 8])
    assert np.allclose(line.get_ydata(), values)
    assert ax.get_xlabel() == "copies"
    pyplot.close("all")
