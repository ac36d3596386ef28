# SPDX-License-Identifier: BSD-2-Clause
"""HDF5 files of FARE: how they are opened, what their attributes say, and snapshots, which follow openPMD."""
from __future__ import annotations

import pathlib
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class FareError(Exception):
    """Says in one line what is wrong with a result."""


def open_file(path: pathlib.Path) -> h5py.File:
    if not path.exists():
        raise FareError(f"{path}: no such file")
    try:
        return h5py.File(path, "r")
    except OSError as reason:
        raise FareError(f"{path}: not a whole HDF5 file ({one_line(reason)})") from None


def text_of(value: object) -> str:
    return value.decode(errors="replace").rstrip("\0 ") if isinstance(value, bytes) else str(value)


def scalar_of(value: object) -> Any:
    return text_of(value) if isinstance(value, (bytes, str)) else np.asarray(value).item()


def one_line(reason: BaseException) -> str:
    return " ".join(str(reason.args[0] if reason.args else reason).split())


class Snapshot:
    """One openPMD file: meshes and particles of one instant. Arrays are read when they are asked for."""

    def __init__(self, path: str | pathlib.Path):
        self.path = pathlib.Path(path)
        with open_file(self.path) as file:
            try:
                iterations = list(file["data"])
                self._group = f"data/{iterations[0]}"
                self.index = int(iterations[0])
                self.time = float(file[self._group].attrs["time"]) * float(
                    file[self._group].attrs["timeUnitSI"]
                )
                self.meshes = tuple(file[self._group].get("meshes", {}))
                self.species = tuple(file[self._group].get("particles", {}))
            except (KeyError, IndexError, ValueError) as reason:
                raise FareError(f"{self.path}: not an openPMD snapshot: {one_line(reason)}") from None

    def mesh(self, name: str = "density") -> Array:
        """(nx, ny, nz): cell averages; "density_error" is the truth's own estimate of how wrong they are.
        "density_extrapolated" is what others are compared with, where a study extrapolates.
        """
        with open_file(self.path) as file:
            data = self._member(file, "meshes", name, self.meshes)
            return data[()].transpose(_axes(data)) * data.attrs["unitSI"]

    def edges(self, axis: int = 0, mesh: str = "density") -> Array:
        """Boundaries of the cells of a mesh along x, y or z."""
        with open_file(self.path) as file:
            data = self._member(file, "meshes", mesh, self.meshes)
            i, a = _axes(data)[axis], data.attrs
            return (a["gridGlobalOffset"][i] + a["gridSpacing"][i] * np.arange(data.shape[i] + 1)) * a[
                "gridUnitSI"
            ]

    def labels(self, mesh: str) -> list[str]:
        """Names of the axes of a mesh, as `edges` counts them."""
        with open_file(self.path) as file:
            data = self._member(file, "meshes", mesh, self.meshes)
            return [text_of(name) for name in data.attrs["axisLabels"]][::-1]

    def periodic(self, mesh: str) -> list[bool]:
        """Of each axis of a marginal density."""
        with open_file(self.path) as file:
            data = self._member(file, "meshes", mesh, self.meshes)
            return [bool(axis) for axis in np.atleast_1d(data.attrs["periodic"])][::-1]

    def position(self, species: str, component: str) -> Array:
        """(n,): along x, y or z; x1, x2, ... of more than three axes."""
        with open_file(self.path) as file:
            group = self._member(file, "particles", species, self.species)
            return _component(group["position"][component]) + _component(group["positionOffset"][component])

    def positions(self, species: str) -> Array:
        """(n, dimension)"""
        with open_file(self.path) as file:
            group = self._member(file, "particles", species, self.species)
            return np.stack(
                [
                    _component(group["position"][x]) + _component(group["positionOffset"][x])
                    for x in sorted(group["position"], key=lambda x: (len(x), x))  # x2 before x10
                ],
                axis=1,
            )

    def weights(self, species: str) -> Array:
        """(n,): normalised to the sum 1"""
        with open_file(self.path) as file:
            weights = _component(self._member(file, "particles", species, self.species)["weighting"])
            return weights / weights.sum()

    def ids(self, species: str) -> Array:
        """(n,): the same particle has the same id in every snapshot"""
        with open_file(self.path) as file:
            return _component(self._member(file, "particles", species, self.species)["id"])

    def _member(
        self, file: h5py.File, kind: str, name: str, known: tuple[str, ...]
    ) -> h5py.Group | h5py.Dataset:
        if name not in known:
            raise FareError(f"{self.path}: no {kind} '{name}' (there are: {', '.join(known) or 'none'})")
        return file[self._group][kind][name]


def _axes(mesh: h5py.Dataset) -> list[int]:
    """Where x, y, z stand among the axes of a mesh, whose order is slowest first."""
    return list(range(mesh.ndim))[::-1]


def _component(of: h5py.Group | h5py.Dataset) -> Array:
    """A component of a record; openPMD stores a constant one as an empty group with its value and shape."""
    if isinstance(of, h5py.Group):
        return np.full(tuple(of.attrs["shape"]), of.attrs["value"]) * of.attrs["unitSI"]
    unit = of.attrs["unitSI"]
    return of[()] if unit == 1 else of[()] * unit
