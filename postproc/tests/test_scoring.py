# SPDX-License-Identifier: BSD-2-Clause
"""Scores from memory are those of files; the extras by closed forms."""
from __future__ import annotations

import itertools
import json
import pathlib
from typing import Any

import h5py
import numpy as np
import pandas
import pytest

import fare
from fare import two_sample
from fare.command import call
from fare.study import Study

LINE = np.array([np.inf])  # lengths of one axis that is not periodic


def test_training_set_has_the_protocol(one: Study) -> None:
    data = fare.export(one.directory)
    assert (
        data.samples.shape == (6, 2000, 1) and data.ensemble == "langevin" and data.units == "dimensionless"
    )
    assert np.allclose(data.drive["tilt"], 4 * np.sin(2 * np.pi * data.times), atol=1e-12)
    assert data.parameters["kT"] == 1 and data.parameters["tilt"] == 0
    assert data.axes == ("x",) and (data.lower[0], data.upper[0]) == (-2, 2) and not data.periodic[0]
    assert list(data.trained) == [True, False] * 3 and data.plan == one.plan


def scores_of_file(study: Study, path: pathlib.Path) -> pandas.DataFrame:
    found = json.loads(call("score", study.directory, path, "--json"))["measures"]
    return pandas.DataFrame(found).replace({None: np.nan})


def test_scores_are_those_of_a_file(one: Study, tmp_path: pathlib.Path) -> None:
    data = fare.export(one.directory)
    rng = np.random.default_rng(1)
    weights, log_density = rng.random((6, 2000)), rng.normal(size=(6, 2000))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.update({"times": data.times, "samples": data.samples, "weights": weights})
        file.update({"log_density": log_density, "trained": np.array([1, 1, 0, 0, 1, 0])})
    found = fare.score(one.directory, data.times, data.samples, weights, log_density, [1, 1, 0, 0, 1, 0])
    assert found.equals(scores_of_file(one, tmp_path / "m.h5"))
    assert found.attrs["split"] == "file" and set(found[found.held_out].time) == {0.2, 0.3, 0.5}
    frames = [data.samples[0], data.samples[1][:500]]
    ragged = fare.score(one.directory, data.times[:2], frames, measures=["kl"])
    whole = fare.score(one.directory, data.times[:1], data.samples[:1], measures=["kl"])
    assert list(ragged.samples) == [2000, 500] and ragged.value[0] == whole.value[0]


def test_torch_tensors(one: Study) -> None:
    torch = pytest.importorskip("torch")
    data = fare.export(one.directory)
    x = torch.tensor(data.samples, requires_grad=True)
    assert fare.score(one.directory, torch.tensor(data.times), x * 1, measures=["kl"]).equals(
        fare.score(one.directory, data.times, data.samples, measures=["kl"])
    )
    half = fare.score(one.directory, data.times[:1], [x[0].to(torch.bfloat16)], measures=["kl"])
    assert np.isfinite(half.value[0])


def test_errors_and_interrupts(one: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    data = fare.export(one.directory)
    bad = data.samples.copy()
    bad[2, 17, 0] = np.nan
    with pytest.raises(fare.CommandError, match=r"^/samples\[2, 17, 0\] is nan \(time 0.2, row 17\)$"):
        fare.score(one.directory, data.times, bad)
    with pytest.raises(fare.FareError, match="6 times, but samples at 5"):
        fare.score(one.directory, data.times, data.samples[:5])
    with pytest.warns(UserWarning, match="outside"):
        fare.score(one.directory, data.times[:1], data.samples[:1] + 3, measures=["kl"])

    import subprocess

    started: list[subprocess.Popen[Any]] = []

    def interrupted(process: subprocess.Popen[Any], *_: object, **__: object) -> None:
        started.append(process)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "communicate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fare.score(one.directory, data.times, data.samples)
    assert started[0].poll() is not None
    assert len(fare.score(one.directory, data.times, data.samples, measures=["kl"])) == 6


def test_exact_draws_follow_the_truth(two: Study) -> None:
    cells = two_sample.read_cells(two.directory)
    x = cells.draw(2, 200_000, np.random.default_rng(1))
    counts = np.histogramdd(x, cells.edges)[0].ravel()
    expected = 200_000 * cells.mass[2].ravel() / cells.mass[2].sum()
    often = expected > 20
    chi = ((counts - expected)[often] ** 2 / expected[often]).sum()
    assert abs(chi - often.sum()) < 5 * np.sqrt(2 * often.sum())


def test_c2st_of_gaussians() -> None:
    """The best classifier of N(0, 1) and N(2, 1) is right with probability Phi(1)."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2000, 1)), rng.normal(2, 1, (2000, 1))
    assert abs(two_sample.c2st(x, y, LINE, rng) - 0.8413) < 0.03
    assert abs(two_sample.c2st(x, rng.normal(size=(2000, 1)), LINE, rng) - 0.5) < 0.04


def test_mmd_of_gaussians() -> None:
    """Of kernels of width s: E k(x, y) = s / sqrt(s^2 + 2) exp(-d^2 / 2 (s^2 + 2)) for unit variances."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(3000, 1)), rng.normal(1, 1, (3000, 1))
    exact = 2 / np.sqrt(3) * (1 - np.exp(-1 / 6))
    assert abs(two_sample.mmd(x, y, LINE, 1.0) - exact) < 0.02
    pairs = [np.exp(-((a - b) ** 2) / 2) for a, b in itertools.permutations([0.0, 1.0, 3.0], 2)]
    three = np.array([[0.0], [1.0], [3.0]])
    cross = np.exp(-((three - three.T) ** 2) / 2).mean()
    assert np.isclose(two_sample.mmd(three, three, LINE, 1.0), 2 * np.mean(pairs) - 2 * cross)


def test_distances_go_the_shorter_way_round() -> None:
    ring = np.array([2 * np.pi])
    near, far = np.array([[0.1]]), np.array([[6.2]])
    assert np.isclose(two_sample._squares(near, far, ring)[0, 0], (0.1 + 2 * np.pi - 6.2) ** 2)


def test_unbinned_wasserstein() -> None:
    """A shift costs its length; three points by all pairings."""
    pytest.importorskip("ot")
    rng, plane = np.random.default_rng(4), np.array([np.inf, np.inf])
    x = rng.normal(size=(200, 2))
    assert np.isclose(two_sample.wasserstein(x, x + [0.3, 0.4], plane), 0.5)
    a, b = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    best = min(np.square(a - b[list(p)]).sum(axis=1).mean() for p in itertools.permutations(range(3)))
    assert np.isclose(two_sample.wasserstein(a, b, plane), np.sqrt(best))


def test_extras_stand_beside_the_others(two: Study) -> None:
    cells, rng = two_sample.read_cells(two.directory), np.random.default_rng(5)
    exact = np.stack([cells.draw(k, 300, rng) for k in range(3)])
    shifted = exact + 0.2
    extras = ["c2st", "mmd"]
    good, bad = (
        fare.score(two.directory, cells.times, x, measures=["kl"], extras=extras, extra_samples=200)
        for x in (exact, shifted)
    )
    assert list(good.measure.unique()) == ["kl", *extras] and len(good) == 9
    assert good[good.measure != "kl"].p_value.min() > 2.5 / (1 + two_sample.REPLICATES)
    assert set(good.time) == set(cells.times) and set(good[good.measure == "mmd"].held_out) == {False, True}
    assert (bad[bad.measure == "mmd"].p_value < 0.05).all()
    floors = good[good.measure == "mmd"]  # unbiased: 0 on average, here against draws of their own
    assert (abs(floors.floor) < floors.floor_high).all() and (floors.floor_high < 0.01).all()
    with pytest.raises(fare.FareError, match="unknown extra 'c2tt'"):
        fare.score(two.directory, cells.times, exact, extras=["c2tt"])
    with pytest.raises(fare.FareError, match="equal weight"):
        fare.score(two.directory, cells.times, exact, np.ones((3, 300)), extras=extras)


def test_extras_have_no_floor_for_dependent_samples(two: Study) -> None:
    """Each of 30 exact draws ten times is further from the truth than 300 are, and that is no error."""
    cells, rng = two_sample.read_cells(two.directory), np.random.default_rng(6)
    copies = np.repeat(cells.draw(2, 30, rng), 10, axis=0)[None]
    when, extras = cells.times[2:], ["c2st", "mmd"]
    found = fare.score(two.directory, when, copies, measures=["kl"], extras=extras)[1:]
    assert np.isfinite(found.value).all() and (found.effective <= 30).all()
    assert found[["floor", "floor_high", "excess", "p_value", "significance"]].isna().all(axis=None)
    assert set(found.no_interval) == {"samples are copies or correlated"}
    few = fare.score(two.directory, when, copies, measures=["kl"], extras=extras, extra_samples=10)[1:]
    assert few.p_value.notna().all()  # a few of them are hardly ever copies


def test_extras_match_times_as_others_do(two: Study) -> None:
    cells = two_sample.read_cells(two.directory)
    exact = np.stack([cells.draw(k, 50, np.random.default_rng(7)) for k in range(3)])[::-1]
    table = fare.score(two.directory, cells.times[::-1] + 1e-12, exact, measures=["kl"], extras=["c2st"])
    assert set(table.time) == set(cells.times)
    assert table.groupby("time").held_out.nunique().max() == 1
    with pytest.raises(fare.FareError, match="two samples or more, and there are 1 at time 0.2"):
        fare.score(two.directory, cells.times[2:], exact[:1, :1], measures=["kl"], extras=["mmd"])
