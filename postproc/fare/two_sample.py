# SPDX-License-Identifier: BSD-2-Clause
"""Distances of samples from exact draws of the truth that need no bins: C2ST, kernel MMD and, in two
dimensions, the Wasserstein distance. `fare.score(..., extras=["c2st"])` puts them beside FARE's own measures.

All compare n samples with n exact draws. Their noise floor is what n exact draws show against these draws. There is
none for samples that are copies of each other or correlated: exact draws are neither.
"""
from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable

import h5py
import numpy as np

from fare.command import call
from fare.files import Array, FareError

REPLICATES = 40  # exact draws for a noise floor
DEPENDENT = 1.5  # the design effect, samples over independent ones, beyond which there is no noise floor


@dataclass(frozen=True)
class Cells:
    """The truth of a study on its cells, from which exact draws come: a cell by its mass, uniform within."""

    times: Array
    mass: Array
    """(T, nx, ny, nz)"""
    edges: tuple[Array, ...]
    periodic: Array

    @property
    def lengths(self) -> Array:
        """Of the box along each axis; infinite where it is not periodic."""
        return np.array([e[-1] - e[0] if p else np.inf for e, p in zip(self.edges, self.periodic)])

    def draw(self, k: int, count: int, rng: np.random.Generator) -> Array:
        """(count, d) draws at the k-th time; of what has survived where boundaries absorb."""
        mass = np.maximum(self.mass[k].ravel(), 0)
        chosen = np.unravel_index(rng.choice(mass.size, count, p=mass / mass.sum()), self.mass[k].shape)
        return np.stack([e[i] + rng.random(count) * np.diff(e)[i] for e, i in zip(self.edges, chosen)], 1)


def read_cells(directory: str | pathlib.Path) -> Cells:
    """By `fare export --grid`. Raises CommandError where the study has no truth."""
    with tempfile.TemporaryDirectory(prefix="fare-") as place:
        path = pathlib.Path(place) / "grid.h5"
        call("export", directory, "--grid", "--out", path)
        with h5py.File(path, "r") as file:
            mass = file["truth_mass"][:]
            return Cells(
                file["times"][:],
                mass.transpose(0, *range(mass.ndim - 1, 0, -1)),
                tuple(file["edges"][axis][:] for axis in "xyz"[: mass.ndim - 1]),
                file.attrs["periodic"].astype(bool),
            )


def _squares(x: Array, y: Array, lengths: Array) -> Array:
    """(n, m) squared distances, the shorter way round periodic axes."""
    total = np.zeros((len(x), len(y)))
    for axis, length in enumerate(lengths):
        apart = np.subtract.outer(x[:, axis], y[:, axis])
        if np.isfinite(length):
            apart -= length * np.rint(apart / length)
        total += np.square(apart, out=apart)
    return total


def c2st(x: Array, y: Array, lengths: Array, rng: np.random.Generator) -> float:
    """The accuracy of a classifier that tells x from y, on halves that it has not seen: 0.5 where it cannot, 1
    where it always can. The classifier is that of the k nearest neighbours, k the root of the number of
    training points (Lopez-Paz and Oquab, ICLR 2017, C2ST-KNN).
    """
    half = min(len(x), len(y)) // 2
    x, y = rng.permutation(x)[: 2 * half], rng.permutation(y)[: 2 * half]
    train, test = np.concatenate([x[:half], y[:half]]), np.concatenate([x[half:], y[half:]])
    label = np.repeat([0.0, 1.0], half)
    k = int(np.sqrt(2 * half)) | 1  # odd, so that there is no tie
    near = np.argpartition(_squares(test, train, lengths), k - 1, axis=1)[:, :k]
    return float(np.mean((label[near].mean(axis=1) > 0.5) == (label > 0.5)))


def mmd(x: Array, y: Array, lengths: Array, width: float) -> float:
    """The squared maximum mean discrepancy of a Gaussian kernel, unbiased: it may be negative (Gretton et al.,
    JMLR 2012, equation 3).
    """
    return _among(x, lengths, width) + _among(y, lengths, width) - 2 * _kernel(x, y, lengths, width)


def _kernel(x: Array, y: Array, lengths: Array, width: float) -> float:
    """The mean over all pairs."""
    return float(np.exp(_squares(x, y, lengths) / (-2 * width**2)).mean())


def _among(x: Array, lengths: Array, width: float) -> float:
    """The mean over pairs of different points."""
    n = len(x)
    return (n * _kernel(x, x, lengths, width) - 1) / (n - 1)


def median_width(y: Array, lengths: Array) -> float:
    """The median distance between exact draws, for `mmd`: the same for all samples."""
    return float(np.sqrt(np.median(_squares(y, y, lengths)[np.triu_indices(len(y), 1)])))


def wasserstein(x: Array, y: Array, lengths: Array) -> float:
    """The 2-Wasserstein distance of samples of equal weight, exactly, by POT (Flamary et al., JMLR 2021)."""
    try:
        import ot
    except ImportError:
        raise FareError("wasserstein_2_unbinned needs POT (pip install pot)") from None
    return float(np.sqrt(ot.emd2([], [], _squares(x, y, lengths))))


KNOWN = ("c2st", "mmd", "wasserstein_2_unbinned")


def _distance(name: str, y: Array, lengths: Array, seed: int) -> Callable[[Array], float]:
    """From the exact draws y. The classifier splits all samples by the same dice."""
    if name == "c2st":
        return lambda x: c2st(x, y, lengths, np.random.default_rng(seed))
    if name == "wasserstein_2_unbinned":
        return lambda x: wasserstein(x, y, lengths)
    width = median_width(y, lengths)
    return lambda x: mmd(x, y, lengths, width)


def rows(
    directory: str | pathlib.Path,
    times: Array,
    frames: Iterable[Any],
    independent: Iterable[float],
    extras: Sequence[str],
    most: int,
) -> Any:
    """A table with the columns of `fare.score` for the extras; `independent`: how many samples of each time are."""
    import pandas

    if unknown := [name for name in extras if name not in KNOWN]:
        raise FareError(f"unknown extra '{unknown[0]}'; there are: {', '.join(KNOWN)}")
    cells, found = read_cells(directory), []
    dimension = len(cells.edges)
    if "wasserstein_2_unbinned" in extras and dimension != 2:
        raise FareError(f"wasserstein_2_unbinned is for two dimensions, the study has {dimension}")
    for t, frame, number in zip(times, frames, independent):
        k = int(abs(cells.times - t).argmin())
        rng = np.random.default_rng([k, len(frame)])
        x = np.asarray(frame, float).reshape(len(frame), dimension)
        x = x[np.sort(rng.choice(len(x), most, replace=False))] if len(x) > most else x
        if len(x) < 2:
            raise FareError(f"extras need two samples or more, and there are {len(x)} at time {t:g}")
        y = cells.draw(k, len(x), rng)
        exact = [cells.draw(k, len(x), rng) for _ in range(REPLICATES)]
        effect = 1 + max(0.0, len(frame) / number - 1) * len(x) / len(frame)
        for name in extras:
            distance = _distance(name, y, cells.lengths, k)
            floor = np.array([distance(draw) for draw in exact])
            found.append(_row(float(cells.times[k]), name, distance(x), floor, len(x), effect))
    return pandas.DataFrame(found)


def _row(time: float, name: str, value: float, floor: Array, samples: int, effect: float) -> dict[str, Any]:
    if effect > DEPENDENT:
        floor = np.full_like(floor, np.nan)
    excess = value - floor.mean()
    return {
        "time": time,
        "measure": name,
        "value": value,
        "floor": floor.mean(),
        "floor_high": np.quantile(floor, 0.95),
        "excess": excess,
        "p_value": np.nan if effect > DEPENDENT else (1 + (floor >= value).sum()) / (1 + len(floor)),
        "significance": excess / floor.std(ddof=1),
        "samples": samples,
        "effective": round(samples / effect),
        "no_interval": (
            "samples are copies or correlated" if effect > DEPENDENT else "none is known for this measure"
        ),
    }
