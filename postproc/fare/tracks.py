# SPDX-License-Identifier: BSD-2-Clause
"""Tracks for `fare infer` (docs/inference.md): positions of particles over time, in HDF5 or CSV. Needs h5py and
numpy alone.

    from fare.tracks import write_tracks
    write_tracks("tracks.h5", ids, times, positions)  # (R,), (R,), (R, d): a row for each observation
"""
from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

AXES = "xyz"


@dataclass(frozen=True)
class Tracks:
    """Observations, row by row, as they stand in the file."""

    id: npt.NDArray[Any]
    time: npt.NDArray[Any]
    position: npt.NDArray[Any]
    """One column for each axis."""
    noise: npt.NDArray[Any]
    """Standard deviation of an observation along each axis; 0: none is told."""


def _is_hdf5(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).endswith((".h5", ".hdf5"))


def write_tracks(
    path: str | os.PathLike[str], ids: Any, times: Any, positions: Any, noise: Any = None
) -> None:
    """HDF5 where the name ends in .h5 or .hdf5, else CSV. Rows may be in any order; along one axis, positions may
    be (R,). `noise`: standard deviation of observations, one number or one for each axis.
    """
    given, times = np.asarray(ids), np.asarray(times, dtype=np.float64)
    ids = given.astype(np.int64)
    if not np.array_equal(ids, given):
        raise ValueError("ids are integers of 64 bits")
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim == 1:
        positions = positions[:, None]
    if times.shape != ids.shape or ids.ndim != 1:
        raise ValueError(f"ids and times of one length are expected, got {ids.shape} and {times.shape}")
    if positions.ndim != 2 or len(positions) != len(ids):
        raise ValueError(f"positions of the shape ({len(ids)}, axes) are expected, got {positions.shape}")
    if not 1 <= positions.shape[1] <= len(AXES):
        raise ValueError(f"1 to {len(AXES)} axes are expected, got {positions.shape[1]}")
    rows = np.flatnonzero(~(np.isfinite(times) & np.isfinite(positions).all(axis=1)))
    if len(rows):
        raise ValueError(f"finite times and positions are expected, row {rows[0]} has another")
    level = None if noise is None else np.broadcast_to(np.asarray(noise, float), positions.shape[1:])
    part = f"{os.fspath(path)}.tmp"
    if _is_hdf5(path):
        with h5py.File(part, "w") as file:
            file.attrs["format"] = "fare-tracks 1.0"
            if level is not None:
                file.attrs["noise"] = level if len(level) > 1 else float(level[0])
            file["id"], file["time"], file["position"] = ids, times, positions
    else:
        with open(part, "w", encoding="ascii") as text:
            if level is not None:
                text.write("# noise: " + " ".join(f"{value:.17g}" for value in level) + "\n")
            text.write(",".join(["id", "time", *AXES[: positions.shape[1]]]) + "\n")
            text.writelines(
                ",".join([str(i), *(f"{value:.17g}" for value in (t, *x))]) + "\n"
                for i, t, x in zip(ids, times, positions)
            )
    os.replace(part, path)


def _read_csv(path: str | os.PathLike[str]) -> Tracks:
    with open(path, encoding="utf-8-sig") as text:
        lines = [line.strip() for line in text if line.strip()]
    notes = [line[1:].strip() for line in lines if line.startswith("#") and "noise" in line.lower()]
    for note in notes:
        if not re.fullmatch(r"noise:[-+.\w\s]+", note):
            raise ValueError(f"{path}: expected '# noise: 0.05', got '# {note}'")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    names = [name.strip() for name in rows[0]] if rows else []
    axes = [axis for axis in AXES if axis in names]
    if "id" not in names or "time" not in names or not axes:
        raise ValueError(f"{path}: columns id, time and x are expected, got {', '.join(names)}")
    for row in rows[1:]:
        if len(row) != len(names):
            raise ValueError(
                f"{path}: expected {len(names)} columns as in the first line, got {','.join(row)}"
            )
    column = {name: [row[k] for row in rows[1:]] for k, name in enumerate(names)}
    noise = np.array(notes[-1][6:].split(), dtype=float) if notes else np.zeros(1)
    return Tracks(
        np.array(column["id"], dtype=np.int64),
        np.array(column["time"], dtype=float),
        np.array([column[axis] for axis in axes], dtype=float).T,
        np.broadcast_to(noise, (len(axes),)).copy(),
    )


def read_tracks(path: str | os.PathLike[str]) -> Tracks:
    """Reads either form; what is wrong in a file is told in more detail by `fare infer`."""
    if not _is_hdf5(path):
        return _read_csv(path)
    with h5py.File(path) as file:
        position = np.asarray(file["position"], dtype=float)
        position = position.reshape(len(position), -1)
        level = file.attrs.get("noise", file["position"].attrs.get("noise", 0.0))
        noise = np.broadcast_to(np.asarray(level, float), position.shape[1:]).copy()
        return Tracks(np.asarray(file["id"]), np.asarray(file["time"], dtype=float), position, noise)
