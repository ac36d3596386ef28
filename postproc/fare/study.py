# SPDX-License-Identifier: BSD-2-Clause
"""Studies and sweeps as labelled arrays (xarray) and tables (pandas), read when they are asked for.

    study = fare.open("out/prinz_driven")
    study.densities["truth"].sel(time=0.5, method="nearest").plot()
    study.measures.value.sel(measure="kl").to_pandas()
"""
from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Callable

import numpy as np

try:
    import pandas
    import xarray
    from xarray.backends import BackendArray
    from xarray.core import indexing
except ImportError as missing:
    raise ImportError(f"fare.open and fare.score need pandas and xarray ({missing})") from missing

from fare import results
from fare.controls import Rung
from fare.files import Array, FareError, Snapshot, open_file, text_of
from fare.tables import Comparison, Estimated, Measured, Ranked, Split

Read = Callable[[tuple[Any, ...]], Array]
TIME = {"units": "1", "long_name": "time"}


class _Lazy(BackendArray):  # type: ignore[misc]
    """An array of which xarray reads the parts that are used."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, read: Read):
        self.shape, self.dtype, self._read = shape, np.dtype(dtype), read

    def __getitem__(self, key: Any) -> Any:
        """xarray 2023.1 takes a slice of steps below -1 for another one, so it is to see none."""
        if isinstance(key, indexing.BasicIndexer):
            return self._read(key.tuple)
        if isinstance(key, indexing.OuterIndexer):
            pairs = zip(key.tuple, self.shape)
            rows = tuple(np.arange(size)[one] if isinstance(one, slice) else one for one, size in pairs)
            key = indexing.OuterIndexer(rows)
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)


def _lazy(
    dimensions: Iterable[str], shape: tuple[int, ...], read: Read, **attributes: object
) -> xarray.Variable:
    data = indexing.LazilyIndexedArray(_Lazy(shape, np.float64, read))
    return xarray.Variable(tuple(dimensions), data, attributes)


def _ahead(key: Any, size: int) -> tuple[Any, slice]:
    """A forward slice for HDF5, which knows no other, and how numpy takes the rest from what was read."""
    if not isinstance(key, slice):
        return key, slice(None)
    inside = range(size)[key]
    if not inside:
        return slice(0, 0), slice(None)
    low, high = min(inside[0], inside[-1]), max(inside[0], inside[-1])
    return slice(low, high + 1, abs(inside.step)), slice(None, None, -1 if inside.step < 0 else 1)


def _part(data: Any, key: tuple[Any, ...]) -> Array:
    """data[key] of an HDF5 dataset, for integers and slices of any direction."""
    pairs = [_ahead(one, size) for one, size in zip(key, data.shape)]
    part = np.asarray(data[tuple(ahead for ahead, _ in pairs)], dtype=float)
    return part[tuple(then for (_, then), one in zip(pairs, key) if isinstance(one, slice))]


def _turned(data: Any, key: tuple[Any, ...]) -> Array:
    """The same by axes in the order x, y, z of a dataset that has the slowest first."""
    return _part(data, key[::-1]).T


class Study:
    """What a study has left in its directory so far. Arrays and tables are read when they are used."""

    def __init__(self, directory: str | pathlib.Path):
        self.directory = pathlib.Path(directory)
        if not self.directory.is_dir():
            raise FareError(f"{self.directory}: no such directory")
        self.finished: bool = (self.directory / "study.h5").exists()
        self._files = sorted(self.directory.glob("snapshots/snapshot_??????.h5"))
        if not self.finished and not self._files:
            raise FareError(
                f"{self.directory}: not the directory of a FARE study (no study.h5, no snapshots)"
            )
        if self.finished:
            _ = self.results  # what is wrong with it is said at once

    def __repr__(self) -> str:
        state = "" if self.finished else ", unfinished"
        return f"<fare.Study {self.directory}: {len(self.times)} snapshots{state}>"

    @functools.cached_property
    def results(self) -> results.Study:
        """The tables as NumPy arrays, which figures are drawn from. Raises FareError of an unfinished study."""
        return results.Study(self.directory)

    @functools.cached_property
    def _first(self) -> Snapshot:
        if not self._files:
            raise FareError(f"{self.directory}: no snapshots are there")
        return Snapshot(self._files[0])

    @functools.cached_property
    def times(self) -> Array:
        """Of the snapshots that are there."""
        if self.finished:
            return self.results.times
        return np.array([Snapshot(file).time for file in self._files])

    @property
    def plan(self) -> str:
        """The resolved plan, as YAML. Raises FareError of an unfinished study."""
        return self.results.plan

    def _coordinates(self) -> dict[str, Any]:
        found: dict[str, Any] = {"time": ("time", self.times, TIME)}
        if self.finished:
            found["trained"] = ("time", self.results.trained, {"long_name": "some sampler learned from it"})
        return found

    @functools.cached_property
    def densities(self) -> xarray.Dataset:
        """Densities of the truth, of ensembles, and of E's model density, "E_density", on the fine bins:
        (time, x, ...). Of an unfinished study the truth alone, on its cells.
        """
        if not self.finished:
            return self.snapshots[["density"]].rename(density="truth")
        study, bins = self.results, self.results.bins
        if bins is None or not study.densities:
            return xarray.Dataset(coords=self._coordinates())
        with open_file(study.path) as file:
            axes = [text_of(label) for label in np.atleast_1d(file["bins"].attrs["axisLabels"])][::-1]
        volumes = bins.volumes
        shape = (len(study.times), *bins.extent)

        def read(name: str, key: tuple[Any, ...]) -> Array:
            with open_file(study.path) as file:
                masses = _part(file["binned"][name], (key[0], *key[:0:-1]))
            first = 1 if isinstance(key[0], slice) else 0
            order = (*range(first), *range(masses.ndim - 1, first - 1, -1))
            return masses.transpose(order) / volumes[key[1:]]

        variables = {
            name: _lazy(("time", *axes), shape, functools.partial(read, name), units="1", long_name="density")
            for name in study.densities
        }
        centres = {axis: (axis, bins.centres(i), {"units": "1"}) for i, axis in enumerate(axes)}
        return xarray.Dataset(variables, {**self._coordinates(), **centres}, {"study": study.name})

    @functools.cached_property
    def snapshots(self) -> xarray.Dataset:
        """The truth on its own cells, (time, x, ...): `density`, and `density_error`, its estimated error. Where
        it is extrapolated, `density_extrapolated` is what others are compared with.
        """
        coordinates = {"time": ("time", self._file_times, TIME)}
        meshes = [name for name in self._first.meshes if not name.startswith("marginal_")]
        if not meshes:  # marginals lie on cells of their own: fare.results.Study.exact_marginal
            return xarray.Dataset(coords=coordinates)
        with open_file(self._first.path) as file:
            mesh = file[f"data/{self._first.index}/meshes/density"]
            axes = [text_of(label) for label in mesh.attrs["axisLabels"]][::-1]
            cells = mesh.shape[::-1]
        for i, axis in enumerate(axes):
            edges = self._first.edges(i)
            coordinates[axis] = (axis, 0.5 * (edges[1:] + edges[:-1]), {"units": "1"})
        variables = {name: self._over_time(f"meshes/{name}", axes, cells, _turned) for name in meshes}
        return xarray.Dataset(variables, coordinates)

    @functools.cached_property
    def _file_times(self) -> Array:
        return np.array([Snapshot(file).time for file in self._files])

    def _over_time(
        self,
        path: str,
        axes: Iterable[str],
        shape: tuple[int, ...],
        part: Callable[[Any, tuple[Any, ...]], Array],
    ) -> xarray.Variable:
        """One dataset of every snapshot's file; `path` is below /data/N."""

        def read(key: tuple[Any, ...]) -> Array:
            chosen = np.arange(len(self._files))[key[0]]
            stacked = [self._read(int(k), path, key[1:], part) for k in np.atleast_1d(chosen)]
            return stacked[0] if np.ndim(chosen) == 0 else np.array(stacked)

        return _lazy(("time", *axes), (len(self._files), *shape), read, units="1")

    def _read(
        self, k: int, path: str, key: tuple[Any, ...], part: Callable[[Any, tuple[Any, ...]], Array]
    ) -> Array:
        with open_file(self._files[k]) as file:
            index = next(iter(file["data"]))
            return part(file[f"data/{index}/{path}"], key)

    @property
    def ensembles(self) -> tuple[str, ...]:
        """Names of those whose particles are in snapshots."""
        return self._first.species if self._files else ()

    def particles(self, ensemble: str) -> xarray.Dataset:
        """`position` (time, particle, axis) and `weight` (time, particle), which sums to 1 at each time."""
        if ensemble not in self.ensembles:
            known = ", ".join(self.ensembles) or "none"
            raise FareError(f"{self.directory}: no ensemble '{ensemble}' (there are: {known})")
        ids = self._first.ids(ensemble)
        with open_file(self._first.path) as file:
            position = file[f"data/{self._first.index}/particles/{ensemble}/position"]
            axes = [text_of(label) for label in position.attrs.get("axisLabels", list(position))]

        def take(kind: str, key: tuple[Any, ...]) -> Array:
            chosen = np.arange(len(self._files))[key[0]]
            found = [
                getattr(Snapshot(self._files[int(k)]), kind)(ensemble)[key[1:]] for k in np.atleast_1d(chosen)
            ]
            return found[0] if np.ndim(chosen) == 0 else np.array(found)

        shape = (len(self._files), len(ids), len(axes))
        return xarray.Dataset(
            {
                "position": _lazy(
                    ("time", "particle", "axis"), shape, functools.partial(take, "positions"), units="1"
                ),
                "weight": _lazy(
                    ("time", "particle"), shape[:2], functools.partial(take, "weights"), units="1"
                ),
            },
            {"time": ("time", self._file_times, TIME), "particle": ids, "axis": axes},
            {"ensemble": ensemble},
        )

    @functools.cached_property
    def measures(self) -> xarray.Dataset:
        """Every measure of every comparison: (comparison, measure, time). NaN where one is not defined."""
        comparisons = self.results.comparisons
        names = list(dict.fromkeys(name for c in comparisons.values() for name in c.measures))
        known = {name: c.measures[name] for c in comparisons.values() for name in c.measures}
        shape = (len(comparisons), len(names), len(self.times))
        data = {
            field.name: (("comparison", "measure", "time"), np.full(shape, np.nan))
            for field in fields(Measured)
            if field.name not in ("summary", "unit")
        }
        for i, c in enumerate(comparisons.values()):
            for name, measured in c.measures.items():
                for field, (_, values) in data.items():
                    column = getattr(measured, field)
                    if column is not None:
                        values[i, names.index(name)] = column
        coordinates = {
            **self._coordinates(),
            "comparison": list(comparisons),
            "measure": names,
            **_of_comparisons(comparisons),
            "unit": ("measure", [known[name].unit for name in names]),
            "summary": ("measure", [known[name].summary for name in names]),
        }
        return xarray.Dataset(data, coordinates, {"study": self.results.name})

    @functools.cached_property
    def ranking(self) -> pandas.DataFrame:
        """The lines of the study, the nearest to the truth first; empty where there is nothing to rank."""
        return _frame(Ranked, self.results.ranking)

    @functools.cached_property
    def splits(self) -> pandas.DataFrame:
        """Where the error of lines that learn comes from."""
        return _frame(Split, self.results.splits)

    @functools.cached_property
    def rare(self) -> pandas.DataFrame:
        """Estimators of rare events beside the exact answers; empty unless the plan asked for them."""
        return _frame(Estimated, self.results.rare)

    @functools.cached_property
    def control(self) -> pandas.DataFrame:
        """The ladder of each line of `control`: drives, the best one, and the bound of full control; empty unless the
        plan asked for it.
        """
        return _frame(Rung, (rung for line in self.results.controls for rung in line.ladder))

    @functools.cached_property
    def best_drives(self) -> dict[str, pandas.DataFrame]:
        """The best drive of each line of `control`: its parameters at the knots, linear between."""
        return {
            line.name: pandas.DataFrame(
                {course.parameter: course.values for course in line.courses},
                index=pandas.Index(line.times, name="time"),
            )
            for line in self.results.controls
            if not line.failure
        }

    @functools.cached_property
    def thermodynamics(self) -> xarray.Dataset:
        """What the drive costs, over time; empty unless the plan asked for it."""
        columns = dict(self.results.thermodynamics)
        columns.pop("time", None)
        data = {name: ("time", values, self._meaning(name)) for name, values in columns.items()}
        return xarray.Dataset(data, self._coordinates())

    @functools.cached_property
    def dynamics(self) -> xarray.Dataset:
        """The entropy production and Fokker-Planck residual of learned densities, beside the truth's, in the middle of
        each interval between snapshots; empty unless the plan asked for them (`thermodynamics: {learned: true}`).
        """
        of = self.results.dynamics
        first: dict[str, Array] = next(iter(of.values()), {})
        data = {
            name: (("ensemble", "time"), np.array([columns[name] for columns in of.values()]))
            for name in first
            if name != "time"
        }
        return xarray.Dataset(data, {"ensemble": list(of), "time": first["time"]} if of else {})

    def _meaning(self, column: str) -> dict[str, str]:
        with open_file(self.results.path) as file:
            said = file["thermodynamics"][column].attrs.get("meaning", b"")
        return {"long_name": text_of(said), "units": "1"}

    @functools.cached_property
    def truth(self) -> xarray.Dataset:
        """The truth's account of itself over time: its estimated error and what a right scheme keeps."""
        truth, joint = self.results.truth, self.results.joint
        if joint is not None:
            known = {name: ("time", values) for name, values in joint.series.items()}
            about = {"kind": joint.kind, "system": joint.system, "seconds": joint.seconds}
            return xarray.Dataset(known, self._coordinates(), about)
        if truth is None:
            return xarray.Dataset(coords=self._coordinates())
        values = asdict(truth)
        series = {name: ("time", v) for name, v in values.items() if isinstance(v, np.ndarray)}
        attributes = {name: v for name, v in values.items() if not isinstance(v, np.ndarray)}
        return xarray.Dataset(series, self._coordinates(), attributes)


def _of_comparisons(comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    return {
        name: ("comparison", [getattr(c, name) for c in comparisons.values()])
        for name in ("ensemble", "of", "against", "samples")
    }


def _frame(kind: type[Any], rows: Iterable[Any]) -> pandas.DataFrame:
    columns = [field.name for field in fields(kind)]
    return pandas.DataFrame([asdict(row) for row in rows], columns=columns).set_index(columns[0])


class Sweep:
    """The points of a sweep that are done, by their numbers."""

    def __init__(self, directory: str | pathlib.Path):
        self.results = results.Sweep(directory)
        self.directory = self.results.directory
        self.studies: dict[int, Study] = {n: Study(s.directory) for n, s in self.results.points.items()}

    def __repr__(self) -> str:
        count = len(self.studies) + len(self.results.lacking)
        return f"<fare.Sweep {self.directory}: {len(self.studies)} of {count} points>"

    def _value(self, key: str, point: int) -> float | str:
        numbers = self.results.numbers(key)
        return numbers[point] if numbers else self.results.points[point].swept.get(key, "")

    @functools.cached_property
    def points(self) -> pandas.DataFrame:
        """One row for each point: `state`, "done" or why it is not there, and what was swept."""
        rows: dict[int, dict[str, Any]] = {
            point: {"state": "done", **{key: self._value(key, point) for key in self.results.keys}}
            for point in self.studies
        }
        rows.update({point: {"state": why} for point, why in self.results.lacking.items()})
        table = pandas.DataFrame.from_dict(rows, orient="index").sort_index()
        table.index.name = "point"
        return table

    @functools.cached_property
    def measures(self) -> xarray.Dataset:
        """As of a study, with `point` before; what was swept are coordinates of it."""
        if not self.studies:
            raise FareError(f"{self.directory}: none of its points is done")
        parts = [self._by_snapshot(study) for study in self.studies.values()]
        together = xarray.concat(parts, pandas.Index(list(self.studies), name="point"))
        swept = {
            key: ("point", [self._value(key, point) for point in self.studies]) for key in self.results.keys
        }
        return together.assign_coords(swept)

    @staticmethod
    def _by_snapshot(study: Study) -> xarray.Dataset:
        """Times are no index: points may differ in them."""
        part = study.measures.assign_coords(snapshot=("time", np.arange(len(study.times))))
        return part.swap_dims(time="snapshot")


def open(directory: str | pathlib.Path) -> Study:
    """The study in a directory, finished or not. Raises FareError where there is none."""
    return Study(directory)


def sweep(directory: str | pathlib.Path) -> Sweep:
    """The sweep in a directory. Raises FareError where there is none."""
    return Sweep(directory)
