# SPDX-License-Identifier: BSD-2-Clause
"""Labelled arrays against the files, read with h5py alone."""
from __future__ import annotations

import pathlib
import shutil
from typing import Any

import h5py
import numpy as np
import pandas
import pytest
import xarray
from conftest import ONE

import fare
from fare.findings import findings
from fare.study import Study


def test_densities_are_masses_per_volume(two: Study) -> None:
    with h5py.File(two.directory / "study.h5") as file:
        masses, bins = file["binned/truth"][:], file["bins"].attrs
        extent, lower, upper = bins["extent"], bins["lower"], bins["upper"]
    volume = np.prod((upper - lower) / extent)  # bins are cells here, slowest axis first
    truth = two.densities["truth"]
    assert truth.dims == ("time", "x", "y") and truth.shape == (3, 48, 40)
    assert np.allclose(truth.values, masses.transpose(0, 2, 1) / volume)
    part = truth.isel(time=slice(None, None, -2), x=slice(40, 3, -5), y=7)
    assert np.array_equal(part.values, truth.values[::-2, 40:3:-5, 7])
    part = truth.isel(time=[2, 0], x=slice(40, 3, -5), y=[3, 1, 30])
    assert np.array_equal(part.values, truth.values[[2, 0]][:, 40:3:-5][:, :, [3, 1, 30]])
    assert np.allclose(truth.integrate(["x", "y"]), 1, atol=0.02)
    step = (upper[1] - lower[1]) / 48  # x comes last in the file
    assert np.allclose(truth.x, lower[1] + step * (0.5 + np.arange(48)))


def test_arrays_are_read_when_they_are_used(two: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = fare.open(two.directory)
    fresh.densities, fresh.snapshots, fresh.particles("langevin")
    from fare import study as module

    def no(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(module, "open_file", no)
    with pytest.raises(AssertionError):
        fresh.densities["truth"].load()
    with pytest.raises(AssertionError):
        fresh.snapshots["density"].load()


def test_snapshots_and_particles(two: Study) -> None:
    with h5py.File(two.directory / "snapshots/snapshot_000001.h5") as file:
        density = file["data/1/meshes/density"][:]
        y = file["data/1/particles/langevin/position/y"][:]
    assert np.array_equal(two.snapshots.density.isel(time=1), density.T)
    particles = two.particles("langevin")
    assert np.array_equal(particles.position.isel(time=1).sel(axis="y"), y)
    assert np.allclose(particles.weight.sum("particle"), 1)
    with pytest.raises(fare.FareError, match="no ensemble 'langeving'"):
        two.particles("langeving")


def test_measures_and_tables(one: Study) -> None:
    table = pandas.read_csv(one.directory / "measures.csv")
    for (comparison, measure), rows in table.groupby(["comparison", "measure"]):
        found = one.measures.sel(comparison=comparison, measure=measure)
        for name in ("value", "floor_mean", "p_value", "low"):
            assert np.allclose(found[name], rows[name], equal_nan=True), name
    assert one.measures.unit.sel(measure="kl") == "nats"
    ranking = pandas.read_csv(one.directory / "ranking.csv", index_col="line")
    assert list(one.ranking.index) == list(ranking.index)
    assert np.allclose(one.ranking.excess, ranking.excess)
    thermodynamics = pandas.read_csv(one.directory / "thermodynamics.csv")
    assert np.allclose(one.thermodynamics["work"], thermodynamics["work"])
    assert np.all(one.truth.error < 0.05)


def test_dynamics(one: Study, tmp_path: pathlib.Path) -> None:
    flow: dict[str, Any] = {
        "sampler": "normalizing_flow",
        "width": 8,
        "layers": 1,
        "steps": 5,
        "batch": 64,
        "particles": 500,
    }
    lines = [
        {"name": "z", "train": {"particles": 200}, **flow},
        {"name": "a", "sampler": "boltzmann", "particles": 500},
        {"name": "b", "train": {"particles": 200}, **flow},
    ]
    plan = {**ONE, "thermodynamics": {"learned": True}, "measures": ["kl"], "ensembles": lines}
    study = fare.run(plan, output__directory=str(tmp_path / "learned"))
    assert isinstance(study, Study)
    table = pandas.read_csv(study.directory / "dynamics.csv").set_index(["ensemble", "time"])
    found = study.dynamics
    assert list(found.ensemble) == ["z", "b"] and found.sizes["time"] == 5
    for name in ("production", "production_truth", "residual", "residual_truth"):
        assert np.allclose(found[name].stack(row=["ensemble", "time"]), table[name]), name
    assert not one.dynamics


def test_unfinished_study(one: Study, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "unfinished"
    shutil.copytree(one.directory, place)
    (place / "study.h5").unlink()
    (place / "snapshots/snapshot_000005.h5").unlink()
    study = fare.open(place)
    assert not study.finished and np.allclose(study.times, [0, 0.1, 0.2, 0.3, 0.4])
    assert np.allclose(study.densities["truth"], one.snapshots.density[:5])
    assert study.particles("langevin").sizes["time"] == 5
    with pytest.raises(fare.FareError, match="unfinished"):
        _ = study.measures
    with pytest.raises(fare.FareError, match="not the directory"):
        fare.open(tmp_path)


def test_axes_are_labelled_in_every_file(two: Study, tmp_path: pathlib.Path) -> None:
    """By xarray and h5netcdf alone, without FARE."""
    pytest.importorskip("h5netcdf")
    snapshot = xarray.open_dataset(two.directory / "snapshots/snapshot_000002.h5", engine="h5netcdf")
    assert snapshot.density.dims == ("y", "x") and snapshot.attrs["time"] == 0.2
    assert np.allclose(snapshot.density.transpose("x", "y"), two.snapshots.density[2])
    assert np.allclose(snapshot.x, two.snapshots.x)
    kl = xarray.open_dataset(two.directory / "study.h5", group="comparisons/langevin/kl", engine="h5netcdf")
    assert np.allclose(kl.value.sel(time=0.1), two.measures.value.sel(time=0.1).squeeze())
    fare.export(two.directory, path=tmp_path / "t.h5")
    training = xarray.open_dataset(tmp_path / "t.h5", engine="h5netcdf")
    assert training.samples.dims == ("times", "particle", "axis")
    for path in [*two.directory.glob("snapshots/*.h5"), two.directory / "study.h5", tmp_path / "t.h5"]:
        with h5py.File(path) as file:
            assert _labelled(file) > 0, path


def _labelled(file: h5py.File) -> int:
    """Datasets with a scale on the first axis; scales have the extent of their axis."""
    count = 0

    def look(_: str, item: object) -> None:
        nonlocal count
        if isinstance(item, h5py.Dataset):
            for axis, dim in enumerate(item.dims):
                for scale in dim.values():
                    assert scale.shape == (item.shape[axis],)
                    count += 1

    file.visititems(look)
    return count


def test_ensemble_named_as_an_axis(tmp_path: pathlib.Path) -> None:
    ensembles = [{"name": "x", "sampler": "langevin", "particles": 100, "dt": 2e-3}]
    changed = {**ONE, "ensembles": ensembles, "output": {"directory": str(tmp_path / "x")}}
    changed.pop("thermodynamics")
    study = fare.run(changed, snapshots__count=2)
    assert isinstance(study, Study)
    assert {"truth", "x"} == set(study.results.densities)
    assert study.results.masses("x").shape == (2, 128)


def test_sweep(tmp_path: pathlib.Path) -> None:
    changed = {
        **ONE,
        "sweep": [{"system.parameters.kT": [0.5, 1.0]}],
        "output": {"directory": str(tmp_path / "s")},
    }
    changed.pop("thermodynamics")
    sweep = fare.run(changed, snapshots__count=3)
    assert isinstance(sweep, fare.Sweep)
    assert list(sweep.points["system.parameters.kT"]) == [0.5, 1.0] and set(sweep.points.state) == {"done"}
    assert sweep.measures.value.dims == ("point", "comparison", "measure", "snapshot")
    second = sweep.studies[1].measures.value.sel(comparison="langevin", measure="kl")
    assert np.array_equal(sweep.measures.value.sel(point=1, comparison="langevin", measure="kl"), second)
    shutil.rmtree(tmp_path / "s/point_0000")
    assert fare.sweep(tmp_path / "s").points.state[0] == "missing"


def test_a_finding_tells_what_its_measure_does_not_see(tmp_path: pathlib.Path) -> None:
    """Long steps shift the mean: too little for `kl`, enough for the energy distance."""
    walk = {"sampler": "langevin", "integrator": "euler_maruyama", "particles": 10000}
    study = fare.run(
        {
            "study": "shift",
            "system": {"expression": {"potential": "x^2/2", "lower": [-7], "upper": [7]}},
            "initial": {"density": "gaussian", "mean": [1.5], "sd": [0.3]},
            "snapshots": {"start": 0.0, "end": 2.0, "count": 11},
            "truth": {"cells": [256]},
            "ensembles": [{"name": "long", "dt": 0.07, **walk}, {"name": "short", "dt": 2e-3, **walk}],
            "measures": ["kl", "energy_distance"],
            "output": {"directory": str(tmp_path / "shift")},
        }
    )
    assert isinstance(study, fare.Study)
    long, short = (s for s in findings(study.results) if "</b> tracks" in s)
    assert "cannot be distinguished from exact draws by kl, but energy_distance can (" in long, long
    assert "cannot be distinguished from exact draws (" in short, short
