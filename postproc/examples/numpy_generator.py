#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A generator of one's own in NumPy alone, trained, sampled and handed back to FARE:

    fare export out/prinz_driven --out training.h5
    python3 postproc/examples/numpy_generator.py training.h5 mine.h5
    fare score out/prinz_driven mine.h5

At each time that may be learned from it fits a kernel density estimate, smoothed by Silverman's rule. Times
held out are never looked at: there it draws from the mixture of the fits before and after, weighted by how
near each is. Exact mixtures of marginals are no dynamics, and the score shows it.
"""
from __future__ import annotations

import sys
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from fare.samples import write_samples

Array = npt.NDArray[Any]


def bandwidth(x: Array) -> Any:
    """Silverman's rule for each axis; the smaller of spread measures, since wells make a distribution wide
    and its features narrow.
    """
    n, d = x.shape
    spread = np.minimum(
        x.std(axis=0),
        (np.quantile(x, 0.75, axis=0) - np.quantile(x, 0.25, axis=0)) / 1.349,
    )
    return spread * (4 / (n * (d + 2))) ** (1 / (d + 4))


def neighbours(times: Array, trained: Array, t: float) -> list[tuple[int, float]]:
    """Indices of the trained times around t, and the share of each."""
    known = np.flatnonzero(trained)
    after = min(int(np.searchsorted(times[known], t)), len(known) - 1)
    before = after if times[known[after]] <= t else max(after - 1, 0)
    a, b = known[before], known[after]
    share = (t - times[a]) / (times[b] - times[a]) if b > a else 0.0
    return [(a, 1 - share), (b, share)]


def draw(
    data: Array,
    widths: dict[int, Array],
    where: list[tuple[int, float]],
    n: int,
    rng: np.random.Generator,
) -> Any:
    """n draws from the mixture of kernel density estimates at the indices `where`."""
    counts = rng.multinomial(n, [share for _, share in where])
    parts = [
        data[k][rng.integers(len(data[k]), size=count)]
        + widths[k] * rng.normal(size=(count, data.shape[2]))
        for (k, _), count in zip(where, counts)
    ]
    return rng.permutation(np.concatenate(parts))


def main(training: str, out: str, n: int = 20000, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    with h5py.File(training) as file:
        times, trained, data = (
            file["times"][:],
            file["trained"][:].astype(bool),
            file["samples"][:],
        )
    widths = {k: bandwidth(data[k]) for k in np.flatnonzero(trained)}
    samples = np.stack(
        [draw(data, widths, neighbours(times, trained, t), n, rng) for t in times]
    )
    write_samples(out, times, samples.astype(np.float32))
    print(
        f"{out}: {n} samples at each of {len(times)} times, learned from {trained.sum()} of them"
    )


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit("usage: numpy_generator.py TRAINING.h5 SAMPLES.h5 [SAMPLES PER TIME]")
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
