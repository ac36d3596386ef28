# SPDX-License-Identifier: BSD-2-Clause
"""Reads what a FARE study leaves in its directory (docs/format.md) as NumPy arrays.

    from fare.results import Study

    study = Study("out/prinz_driven")
    kl = study.comparisons["diffusion"].measures["kl"]
    print(study.times[study.held_out], kl.value[study.held_out], kl.floor_mean[study.held_out])

Time is always the first axis of an array. Whatever cannot be read raises FareError, whose text is one line.
"""
from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

import h5py
import numpy as np

from fare.controls import controls, sensitivities
from fare.files import Array, FareError, Snapshot, one_line, open_file, scalar_of, text_of
from fare.tables import (
    Bins,
    Comparison,
    Designed,
    Ensemble,
    Estimated,
    Inferred,
    Joint,
    Measured,
    Potential,
    Ranked,
    Split,
    Truth,
)

Row = TypeVar("Row")


def _rows(of: type[Row], group: h5py.Group) -> list[Row]:
    """Rows of a table whose columns are datasets, or of texts attributes in the plural."""
    columns: dict[str, list[Any]] = {}
    for f in fields(of):
        texts = group.attrs.get(f"{f.name}s")
        columns[f.name] = (
            group[f.name][:].tolist() if texts is None else [text_of(text) for text in np.atleast_1d(texts)]
        )
    return [of(**dict(zip(columns, row))) for row in zip(*columns.values())]


def _designs(group: h5py.Group) -> list[Designed]:
    found = []
    for name, of in group.items():
        if "designs" not in of.attrs:
            continue
        parameters = [text_of(text) for text in np.atleast_1d(of.attrs["parameters"])]
        numbers = {f.name: of[f.name][:].tolist() for f in fields(Designed) if f.name in of}
        for i, design in enumerate(np.atleast_1d(of.attrs["designs"])):
            row = {key: value[i] for key, value in numbers.items()}
            found.append(Designed(name, text_of(design), parameters, **row))
    return found


def _potentials(group: h5py.Group) -> list[Potential]:
    found = []
    for _, of in sorted(group.items(), key=lambda item: int(item[0])):
        values: dict[str, Any] = {f.name: of[f.name][:] for f in fields(Potential) if f.name in of}
        values.update((f.name, scalar_of(of.attrs[f.name])) for f in fields(Potential) if f.name in of.attrs)
        found.append(Potential(**values))
    return found


class Study:
    """A finished study. The tables are read at once; densities and snapshots when they are asked for."""

    def draws(self) -> list[Array | None]:
        """Of each row of `infer`, draws from the posterior; None where there are none."""
        found: list[Array | None] = [None] * len(self.infer)
        for first, draws in self._draws.items():
            for k in range(draws.shape[1]):
                found[first + k] = draws[:, k]
        return found

    def profiles(self) -> list[Array | None]:
        """Of each row of `infer`, the profile of the likelihood: values of the parameter, and the change of ln L from
        that of the estimate; None where there is none.
        """
        return [self._profiles.get(i) for i in range(len(self.infer))]

    def __init__(self, directory: str | pathlib.Path):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "study.h5"
        if not self.directory.is_dir():
            raise FareError(f"{self.directory}: no such directory")
        if not self.path.exists():
            written = len(list(self.directory.glob("snapshots/snapshot_*.h5")))
            if written:
                raise FareError(
                    f"{self.directory}: the study is unfinished ({written} snapshots, no study.h5)"
                )
            raise FareError(f"{self.directory}: not the directory of a FARE study (it has no study.h5)")
        with open_file(self.path) as file:
            try:
                self._read(file)
            except (KeyError, ValueError, TypeError) as reason:
                raise FareError(f"{self.path}: not a whole study: {one_line(reason)}") from None

    def _read(self, file: h5py.File) -> None:
        layout = text_of(file.attrs.get("format", ""))
        if not layout.startswith("fare-study 1."):
            raise FareError(f"{self.path}: not a FARE study of format 1 (its format is '{layout}')")
        self.provenance: dict[str, object] = {
            "software": f"{text_of(file.attrs['software'])} {text_of(file.attrs['softwareVersion'])}"
        }
        self.provenance.update((key, scalar_of(value)) for key, value in file["provenance"].attrs.items())
        if not self.provenance.get("finished"):
            raise FareError(f"{self.path}: the study is unfinished (its run was stopped)")
        self.name = text_of(file.attrs["study"])
        self.plan = text_of(file["plan"][()])
        """The resolved plan, as YAML."""
        self.dimension = int(file.attrs.get("dimension", 0))
        """Number of axes."""
        self.times: Array = file["snapshots/time"][:]
        self.trained: Array = file["snapshots/trained"][:].astype(bool)
        """True where learned samplers were trained on that time."""
        truth = file.get("truth")
        kind = text_of(truth.attrs.get("kind", "grid")) if truth is not None else ""
        self.truth = self._truth(truth) if kind == "grid" else None
        """The truth on a grid."""
        self.joint = self._joint(truth) if kind not in ("", "grid") else None
        """The truth of another kind."""
        self.bins = self._bins(file["bins"], file.get("binned", {})) if "bins" in file else None
        groups = file.get("ensembles", {})
        self.ensembles = {name: self._ensemble(name, groups[name]) for name in self._in_plan_order(groups)}
        groups, rank = file.get("comparisons", {}), list(self.ensembles)
        compared = [self._comparison(label, groups[label]) for label in groups]
        compared.sort(key=lambda c: (rank.index(c.ensemble), c.against == "target", c.of == "density"))
        self.comparisons = {comparison.label: comparison for comparison in compared}
        binned = file.get("binned", {})
        self.densities = tuple(name for name in binned if "CLASS" not in binned[name].attrs)  # but scales
        """Names that `masses` and `density` know."""
        group = file.get("ranking")
        self.ranking: list[Ranked] = []
        """Nearest to the truth first; empty where there is nothing to rank."""
        self.splits: list[Split] = []
        if group is not None:
            self.ranking = sorted(
                (_from_attributes(Ranked, name, lines) for name, lines in group["lines"].items()),
                key=lambda r: (not r.place, r.excess),
            )
            self.splits = [
                _from_attributes(Split, name, split) for name, split in group.get("splits", {}).items()
            ]
            self.ranked_by = text_of(group.attrs["measure"])
            self.baseline_converged = int(group.attrs.get("baseline_converged", -1))
            """Of the line that factors are relative to, as `converged` of each line."""
            self.ranked_over = (
                f"{int(group.attrs['times'])} {'held-out ' if group.attrs['held_out'] else ''}times"
            )
        self.rare = _rows(Estimated, file["rare"]) if "rare" in file else []
        """Estimators of rare events, row by row."""
        group = file.get("infer")
        self.infer = _rows(Inferred, group) if group is not None and "inferences" in group.attrs else []
        """Parameters inferred from data, row by row."""
        kept = group.get("profiles", {}) if group is not None else {}
        self._profiles = {int(k): v[:] for k, v in kept.items()}
        self._draws = {int(k): v[:] for k, v in group.get("draws", {}).items()} if group is not None else {}
        self.potentials = _potentials(group.get("potentials", {})) if group is not None else []
        """Potentials that were recovered without a formula."""
        self.designs = _designs(group) if group is not None else []
        """What designs of observations can tell, row by row."""
        self.controls = controls(file)
        """Best drives, line by line."""
        self.sensitivities = sensitivities(file)
        """Derivatives by a drive over time, of analyses."""
        self.swept: dict[str, str] = {}
        """Keys and values, as text, of a point of a sweep."""
        if "sweep" in file:
            keys, values = (
                map(text_of, np.atleast_1d(file["sweep"].attrs[name])) for name in ("keys", "values")
            )
            self.swept = dict(zip(keys, values))
            self.swept_points = int(file["sweep"].attrs["points"])
        group = file.get("thermodynamics", {})
        self.thermodynamics: dict[str, Array] = {
            name: group[name][:] for name in group if isinstance(group[name], h5py.Dataset)
        }
        """Columns over time, as in thermodynamics.csv; empty unless the plan asked for them."""
        self.work: dict[str, Any] = {}
        """Of particles both ways through the protocol: the estimates, and `density`, the histograms of W and of
        minus the reversed W.
        """
        learned = {name: file["ensembles"][name].get("dynamics") for name in self.ensembles}
        self.dynamics: dict[str, dict[str, Array]] = {
            name: {column: of[column][:] for column in of} for name, of in learned.items() if of is not None
        }
        """By ensemble, the columns of dynamics.csv: a number for each interval between snapshots; empty unless the plan
        asked for them.
        """
        self.mean_kl_to_equilibrium = (
            float(group.attrs["mean_kl_to_equilibrium"])
            if "kl_to_equilibrium" in self.thermodynamics
            else float("nan")
        )
        """Over time, by the quadrature between snapshots, too."""
        if "particles" in group:
            self.work = {
                key: scalar_of(value) if np.ndim(value) == 0 else value
                for key, value in group["particles"].attrs.items()
            }
            self.work.update(
                density=group["particles/density"][:],
                free_energy_change=float(group.attrs["free_energy_change"]),
            )

        self.members: dict[str, list[str]] = {}
        """Trainings that were taken together as one ensemble, by `fare.trainings.joined`."""
        self.rates = self._rates(file.get("analysis", {}))
        """Decay rates of the density, the slowest first, where the plan asks for an analysis `relaxation`."""

    @staticmethod
    def _rates(analyses: Mapping[str, h5py.Group]) -> Array:
        """A rate of 0 belongs to what is stationary; round-off leaves it a little off."""
        for group in analyses.values():
            if text_of(group.attrs["kind"]) == "relaxation" and "rate" in group:
                rates = np.sort(group["rate"][:])
                return rates[rates > 1e-9 * abs(rates).max()]
        return np.empty(0)

    def _bins(self, group: h5py.Group, scales: Mapping[str, h5py.Dataset]) -> Bins:
        # as in the datasets, the last axis comes first
        lower, upper, extent = (np.atleast_1d(group.attrs[key])[::-1] for key in ("lower", "upper", "extent"))
        cells = self.truth.cells if self.truth else extent
        edges = []
        for low, high, bins, n in zip(lower, upper, map(int, extent), map(int, cells)):
            block = -(-n // bins)  # cells in a bin
            edges.append(low + (high - low) / n * np.minimum(block * np.arange(bins + 1), n))
        names = [text_of(name) for name in np.atleast_1d(group.attrs.get("axisLabels", []))][::-1]
        units = [text_of(scales[name].attrs.get("units", b"")) if name in scales else "" for name in names]
        return Bins(tuple(edges), tuple(names), tuple("" if unit == "1" else unit for unit in units))

    @staticmethod
    def _truth(group: h5py.Group) -> Truth:
        series = {
            name: group[name][:]
            for name in ("error", "error_space", "error_time", "mass_drift", "minimum", "boundary_mass")
        }
        cells = tuple(int(n) for n in np.atleast_1d(group.attrs["cells"]))
        a = group.attrs
        return Truth(
            text_of(a["system"]),
            cells,
            float(a["tolerance"]),
            float(a["seconds"]),
            int(a["steps"]),
            **series,
            error_extrapolated=(
                group["error_extrapolated"][:] if "error_extrapolated" in group else series["error"]
            ),
            unresolved=text_of(a["unresolved"]) if "unresolved" in a else "",
        )

    @staticmethod
    def _joint(group: h5py.Group) -> Joint:
        a = group.attrs
        series = {name: group[name][:] for name in group if "CLASS" not in group[name].attrs}
        return Joint(text_of(a["kind"]), text_of(a["system"]), float(a["seconds"]), series)

    @staticmethod
    def _ensemble(name: str, group: h5py.Group) -> Ensemble:
        attributes = {key: scalar_of(value) for key, value in group.attrs.items()}
        wanted = {
            f.name: attributes[f.name] for f in fields(Ensemble) if f.name not in ("name", "loss", "failure")
        }
        loss = group["loss"][:] if "loss" in group else None
        return Ensemble(name=name, loss=loss, failure=attributes.get("failure", ""), **wanted)

    def _comparison(self, label: str, group: h5py.Group) -> Comparison:
        measures = {}
        for name in self._in_plan_order(group):
            series = {
                f.name: group[name][f.name][:]
                for f in fields(Measured)
                if f.name not in ("summary", "unit") and (f.default is MISSING or f.name in group[name])
            }
            measures[name] = Measured(
                text_of(group[name].attrs["summary"]), text_of(group[name].attrs["unit"]), **series
            )
        a = group.attrs
        return Comparison(
            label,
            text_of(a["ensemble"]),
            text_of(a["of"]),
            text_of(a["against"]),
            int(a["samples"]),
            measures,
        )

    def _in_plan_order(self, names: Iterable[str]) -> list[str]:
        """HDF5 lists names by the alphabet; people expect the order that they wrote."""

        def place(name: str) -> tuple[int, str]:
            line = re.sub(r"-\d+$", "", name)  # of a training, as NAME-1 of `seeds: 2`
            found = re.search(rf"(?<![\w-])({re.escape(name)}|{re.escape(line)})(?![\w-])", self._plan_lists)
            return (found.start() if found else len(self._plan_lists), name)

        return sorted(names, key=place)

    @property
    def _plan_lists(self) -> str:
        """The plan from its ensembles (and measures) on: earlier keys may hold the same words."""
        begin = re.search(r"^\s*\"?(ensembles|measures)\"?\s*:", self.plan, re.MULTILINE)
        return self.plan[begin.start() :] if begin else self.plan

    @property
    def trainings(self) -> dict[str, list[str]]:
        """Lines of the plan with several seeds, and the ensembles that are their trainings: NAME-1, ..."""
        found: dict[str, list[str]] = {}
        for name in self.ensembles:
            line = re.sub(r"-\d+$", "", name)
            if line != name and self._is_listed(line) and not self._is_listed(name):
                found.setdefault(line, []).append(name)
        return {line: names for line, names in found.items() if len(names) > 1}

    def _is_listed(self, name: str) -> bool:
        """Whether the plan has an ensemble of that name."""
        return bool(re.search(rf"\bname\"?:\s*['\"]?{re.escape(name)}(?![\w-])", self._plan_lists))

    @property
    def held_out(self) -> Array:
        """True at times that no sampler was trained on, in a study where one was trained; all false where
        nothing learns.
        """
        return ~self.trained if self.trained.any() else np.zeros(len(self.times), bool)

    @property
    def known_bins(self) -> Bins:
        """The bins of a study that has densities; raises FareError where there are none."""
        if self.bins is None:
            raise FareError(f"{self.path}: the study has no bins")
        return self.bins

    def masses(self, name: str) -> Array:
        """(T, nx, ny, nz): mass in each fine bin, of "truth", of an ensemble, or of E's model density,
        "E_density".
        """
        return self.marginal(name, self.bins.dimension if self.bins else 1)

    def density(self, name: str) -> Array:
        """(T, nx, ny, nz): as `masses`, divided by the volumes of the bins."""
        return self.masses(name) / self.known_bins.volumes

    def marginal(self, name: str, axes: int | tuple[int, ...] = 1) -> Array:
        """(T, nx, ...): masses summed over all but the first axes, or over all but the axes that are named, in
        rising order. Reads one time at a time, so that 3-D results fit in memory.
        """
        kept = tuple(range(axes)) if isinstance(axes, int) else axes
        if name not in self.densities:
            raise FareError(
                f"{self.path}: no density '{name}' (there are: {', '.join(self.densities) or 'none'})"
            )
        with open_file(self.path) as file:
            data = file["binned"][self.members.get(name, [name])[0]]
            if data.shape != (len(self.times), *self.known_bins.extent[::-1]):
                raise FareError(
                    f"{self.path}: /binned/{name} has extents {data.shape}, which are not those of /snapshots"
                    " and /bins"
                )
            others = tuple(axis for axis in range(self.known_bins.dimension) if axis not in kept)
            return np.array([data[k].T.sum(axis=others, dtype=float) for k in range(len(self.times))])

    def component(self, axis: int) -> str:
        """How snapshots call an axis, which is counted from 0."""
        return f"x{axis + 1}" if self.dimension > 3 else "xyz"[axis]

    @functools.cached_property
    def marginal_axes(self) -> dict[int, str]:
        """Axes, from 0, whose marginals a truth of many axes has stored, and their names; empty where it has
        none.
        """
        if self.joint is None:
            return {}
        first = self.snapshot(0)
        found = {axis: f"marginal_{self.component(axis)}" for axis in range(self.dimension)}
        return {axis: first.labels(mesh)[0] for axis, mesh in found.items() if mesh in first.meshes}

    def exact_marginal(self, index: int, axes: tuple[int, ...]) -> tuple[list[Array], Array]:
        """Edges of cells along one or two axes, and the truth's density there at self.times[index]. Axes count
        from 0, in rising order.
        """
        unknown = [axis for axis in axes if axis not in self.marginal_axes]
        if unknown or not 1 <= len(axes) <= 2 or list(axes) != sorted(set(axes)):
            known = ", ".join(map(str, self.marginal_axes)) or "none"
            raise FareError(
                f"{self.path}: no exact marginal of the axes {axes}; there are those of one or two, in rising"
                f" order, of: {known} (record.axes)"
            )
        mesh = "_".join(["marginal", *map(self.component, axes)])
        then = self.snapshot(index)
        return [then.edges(i, mesh) for i in range(len(axes))], then.mesh(mesh)

    def snapshot(self, index: int) -> Snapshot:
        """The snapshot of self.times[index]."""
        return Snapshot(self.directory / "snapshots" / f"snapshot_{range(len(self.times))[index]:06d}.h5")


def _from_attributes(kind: type[Any], line: str, group: h5py.Group) -> Any:
    """A dataclass whose fields are attributes of a group."""
    return kind(
        line=line,
        **{
            f.name: scalar_of(group.attrs[f.name])
            for f in fields(kind)
            if f.name != "line" and (f.default is MISSING or f.name in group.attrs)
        },
    )


@dataclass(frozen=True)
class Axis:
    """Keys that a sweep changes together."""

    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people: what all keys end in, or the first of them."""
        endings = {re.split(r"[.\[\]]+", key)[-1] for key in self.keys}
        return endings.pop() if len(endings) == 1 else self.keys[0]


class Sweep:
    """The points of a sweep that are done, by their numbers, and what became of the others."""

    def __init__(self, directory: str | pathlib.Path):
        self.directory = pathlib.Path(directory)
        if not self.directory.is_dir():
            raise FareError(f"{self.directory}: no such directory")
        self.points: dict[int, Study] = {}
        self.lacking: dict[int, str] = {}
        """Why a point is not among them."""
        folders = {
            int(path.name[6:]): path
            for path in self.directory.glob("point_*")
            if re.fullmatch(r"point_\d+", path.name) and path.is_dir()
        }
        if not folders:
            raise FareError(f"{self.directory}: no points of a sweep there (no point_0000, ...)")
        for number, folder in sorted(folders.items()):
            self._read(number, folder)
        count = max([max(folders) + 1] + [study.swept_points for study in self.points.values()])
        self.lacking.update((number, "missing") for number in range(count) if number not in folders)
        self.lacking = dict(sorted(self.lacking.items()))
        self.keys = list(dict.fromkeys(key for study in self.points.values() for key in study.swept))
        self.axes = self._axes()

    def _read(self, number: int, folder: pathlib.Path) -> None:
        try:
            study = Study(folder)
            if study.swept:
                self.points[number] = study
            else:
                self.lacking[number] = "not a point of a sweep (its study.h5 has no group sweep)"
        except FareError as reason:
            failed = folder / "failure.txt"
            text = failed.read_text(errors="replace").strip() if failed.exists() else ""
            self.lacking[number] = (
                f"failed: {text.splitlines()[0]}"
                if text
                else "unfinished" if not (folder / "study.h5").exists() else str(reason)
            )

    def _axes(self) -> list[Axis]:
        """Keys whose values are the same at the same points belong together; a key that never changes is no
        axis.
        """
        groups: dict[tuple[int, ...], list[str]] = {}
        for key in self.keys:
            values = [study.swept.get(key, "") for study in self.points.values()]
            order = list(dict.fromkeys(values))
            groups.setdefault(tuple(order.index(value) for value in values), []).append(key)
        return [Axis(tuple(keys)) for pattern, keys in groups.items() if len(set(pattern)) > 1]

    def numbers(self, key: str) -> dict[int, float] | None:
        """The value of a key at every point, or None where some are not numbers."""
        try:
            return {number: float(study.swept[key]) for number, study in self.points.items()}
        except (KeyError, ValueError):
            return None
