# SPDX-License-Identifier: BSD-2-Clause
"""What is drawn is what the files hold, on the axes that were given."""
from __future__ import annotations

from typing import Any, Callable

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest
from matplotlib import pyplot

import fare
from fare.study import Study


def test_axes_go_in_and_out(one: Study) -> None:
    draws: list[Callable[[Any], Any]] = [
        lambda ax: fare.plot.divergence(one, "kl", ax=ax),
        lambda ax: fare.plot.density(one, "langevin", difference=True, ax=ax),
        lambda ax: fare.plot.snapshot(one, 0.3, ax=ax),
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
    assert fare.plot.figure(two, "thermodynamics") is None
    with pytest.raises(fare.FareError, match="no figure 'cost'"):
        fare.plot.figure(one, "cost")
    with pytest.raises(fare.FareError, match="nothing was measured by 'hellinger'"):
        fare.plot.divergence(one, "hellinger")
