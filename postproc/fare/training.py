# SPDX-License-Identifier: BSD-2-Clause
"""The training set of a study, with the protocol that made it (docs/scoring.md)."""
from __future__ import annotations

import os
import pathlib
import tempfile
from dataclasses import dataclass

import h5py
import numpy as np

from fare.command import call
from fare.files import Array, scalar_of, text_of


@dataclass(frozen=True)
class TrainingSet:
    """Particles of one ensemble over all times, and all that a conditional generator may want to know."""

    times: Array
    """(T,)"""
    samples: Array
    """(T, N, d), axes in the order of `axes`; a particle keeps its row."""
    weights: Array | None
    """(T, N), or None where all are equal."""
    trained: Array
    """(T,): True for times to learn from, False for those held out."""
    split: str
    """How that was decided."""
    drive: dict[str, Array]
    """(T,) of each driven parameter: its value at each time."""
    parameters: dict[str, float]
    """All parameters of the system, without the drive."""
    axes: tuple[str, ...]
    lower: Array
    """(d,), of the box of the truth."""
    upper: Array
    periodic: Array
    """(d,): True for periodic axes."""
    units: str
    plan: str
    """The resolved plan, as YAML."""
    study: str
    system: str
    ensemble: str
    sampler: str
    seed: int


def scratch(size: int) -> str | None:
    """A directory in memory where one has room for so many bytes twice, else None: the usual place."""
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK):
        return None
    about = os.statvfs(memory)
    return memory if about.f_bavail * about.f_frsize > 2 * size else None


def export(
    directory: str | pathlib.Path, ensemble: str | None = None, *, path: str | pathlib.Path | None = None
) -> TrainingSet:
    """The particles of one ensemble of a finished study: without a name, of the one that was simulated. With
    `path` the file of `fare export` is kept there. Raises CommandError.
    """
    with tempfile.TemporaryDirectory(prefix="fare-") as place:
        out = str(path or pathlib.Path(place) / "training.h5")
        call("export", directory, "--out", out, *(["--ensemble", ensemble] if ensemble else []))
        return read_training_set(out)


def read_training_set(path: str | pathlib.Path) -> TrainingSet:
    """What `fare export` has written."""
    with h5py.File(path, "r") as file:
        a, dimension = file.attrs, file["samples"].shape[2]
        known = "lower" in a  # else the system could not be made where the file was written
        return TrainingSet(
            times=file["times"][:],
            samples=file["samples"][:],
            weights=file["weights"][:] if "weights" in file else None,
            trained=file["trained"][:].astype(bool),
            split=text_of(a["split"]),
            drive={name: file["drive"][name][:] for name in file.get("drive", {}) if name != "times"},
            parameters={name: float(v) for name, v in file["parameters"].attrs.items()} if known else {},
            axes=tuple(text_of(axis) for axis in a["axes"]) if known else tuple("xyz"[:dimension]),
            lower=np.array(a["lower"]) if known else np.full(dimension, np.nan),
            upper=np.array(a["upper"]) if known else np.full(dimension, np.nan),
            periodic=a["periodic"].astype(bool) if known else np.zeros(dimension, bool),
            units="dimensionless",
            plan=text_of(file["plan"][()]),
            study=text_of(a["study"]),
            system=text_of(a["system"]),
            ensemble=text_of(a["ensemble"]),
            sampler=text_of(a["sampler"]),
            seed=int(scalar_of(a["seed"])),
        )
