# SPDX-License-Identifier: BSD-2-Clause
"""Samples in memory against the truth of a study.

Each call starts `fare score` anew, on a file in memory. That costs 0.1 s of processor time before the work
begins. A process that stays, or the library inside Python, would save it; but after an error or an interrupt
neither is in a known state, and MPI may end the Python that has started it.
"""
from __future__ import annotations

import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from fare.command import CommandError, call
from fare.files import Array, FareError
from fare.samples import write_samples
from fare.training import scratch

try:
    import pandas
except ImportError as missing:
    raise ImportError(f"fare.score needs pandas ({missing})") from missing


def as_array(values: Any) -> Array:
    """A NumPy array of what may be a torch tensor, with a gradient, on a device, or of half precision."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        try:
            return np.asarray(values.numpy())
        except TypeError:  # bfloat16
            return np.asarray(values.float().numpy())
    return np.asarray(values)


def _frames(values: Any) -> Any:
    """An array over all times, or a list of arrays that differ in length."""
    if values is None:
        return None
    if isinstance(values, (list, tuple)) and any(np.ndim(as_array(one)) for one in values):
        frames = [as_array(one) for one in values]
        return np.stack(frames) if len({frame.shape for frame in frames}) == 1 else frames
    return as_array(values)


def score(
    directory: str | pathlib.Path,
    times: Any,
    samples: Any,
    weights: Any = None,
    log_density: Any = None,
    trained: Any = None,
    *,
    measures: Sequence[str] = (),
    replicates: int = 200,
    extras: Sequence[str] = (),
    extra_samples: int = 500,
    ranks: int = 1,
) -> pandas.DataFrame:
    """How far samples are from the truth of a finished study: one row for each time and measure, as `fare score
    --csv` has them (docs/scoring.md). Times are those of snapshots; some are enough.

    times: (T,). samples: (T, N, d), (T, N) in one dimension, or a list of T arrays (N_k, d). weights and
    log_density, the generator's own: as samples without the last axis. trained: (T,), true for times that were
    learned from. All may be NumPy arrays, torch tensors or lists.
    measures: some of them; without, all that are defined. replicates: exact draws for each noise floor.
    extras: "c2st", "mmd" and "wasserstein_2_unbinned" (fare.two_sample), of at most `extra_samples` samples.

    The table's `attrs` hold the summary over times and what was compared. Raises CommandError.
    """
    columns = {name: _frames(v) for name, v in (("weights", weights), ("log_density", log_density))}
    frames, when = _frames(samples), np.atleast_1d(as_array(times))
    size = sum(frame.nbytes for frame in frames) if isinstance(frames, list) else frames.nbytes
    if extras and weights is not None:
        raise FareError("extras compare samples of equal weight: resample yours, or leave extras out")
    with tempfile.TemporaryDirectory(prefix="fare-", dir=scratch(4 * size)) as place:
        path = pathlib.Path(place) / "samples.h5"
        _write(path, when, frames, columns, trained)
        words = ["--measures", ",".join(measures)] if measures else []
        try:
            said = call("score", directory, path, "--json", "--replicates", replicates, *words, ranks=ranks)
        except CommandError as wrong:
            raise CommandError(str(wrong).replace(f"{path}: ", ""), wrong.code) from None
    found = json.loads(said)
    table = pandas.DataFrame(found.pop("measures")).replace({None: np.nan})
    if extras:
        from fare.two_sample import rows

        # of each time, in the order of `when`: all measures of a time agree in these
        known = table.groupby("time")[["held_out", "effective", "independent"]].first()
        known = known.iloc[[abs(known.index - t).argmin() for t in when]]
        independent = known[["effective", "independent"]].min(axis=1)
        more = rows(directory, when, frames, independent, extras, extra_samples)
        more["held_out"] = list(known.held_out.repeat(len(extras)))
        table = pandas.concat([table, more], ignore_index=True)
    found["samples"] = "in memory"
    table.attrs.update(found)
    return table


def _write(path: pathlib.Path, times: Array, frames: Any, columns: dict[str, Any], trained: Any) -> None:
    if len(frames) != len(times):
        raise FareError(f"{len(times)} times, but samples at {len(frames)}")
    for name, column in columns.items():
        if isinstance(column, list) and not isinstance(frames, list):
            raise FareError(f"{name} differ in number from time to time, samples do not")
        if isinstance(frames, list) and column is not None and not isinstance(column, list):
            columns[name] = list(column)
    split = None if trained is None else as_array(trained).astype(np.uint8)
    write_samples(path, times, frames, trained=split, **columns)
