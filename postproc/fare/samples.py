# SPDX-License-Identifier: BSD-2-Clause
"""Writes samples for `fare score TRUTH_DIR SAMPLES.h5` (docs/scoring.md). Needs h5py and numpy alone; copy it
into your own project if you like.

    from fare.samples import write_samples
    write_samples("mine.h5", times, samples)  # times (T,), samples (T, N, d), or a list of T arrays (N_k, d)
"""
from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np


def write_samples(
    path: str | os.PathLike[str],
    times: Any,
    samples: Any,
    weights: Any = None,
    log_density: Any = None,
) -> None:
    """One axis may be left out: (T, N) and (N_k,) are samples in one dimension. `weights` and `log_density`,
    shaped as samples without their last axis, may be absent.
    """
    times = np.asarray(times, dtype=np.float64)
    if len(times) != len(samples):
        raise ValueError(f"{len(times)} times, but samples at {len(samples)}")
    columns = {"weights": weights, "log_density": log_density}
    with h5py.File(f"{path}.tmp", "w") as file:
        if isinstance(samples, np.ndarray):
            file["times"] = times
            file["samples"] = samples.reshape(len(times), samples.shape[1], -1)
            file.update(
                {
                    name: np.asarray(column)
                    for name, column in columns.items()
                    if column is not None
                }
            )
        for k, at in enumerate([] if isinstance(samples, np.ndarray) else samples):
            group = file.create_group(f"time_{k:06d}")
            group.attrs["time"] = times[k]
            group["samples"] = np.asarray(at).reshape(len(at), -1)
            group.update(
                {
                    name: np.asarray(column[k])
                    for name, column in columns.items()
                    if column is not None
                }
            )
    os.replace(f"{path}.tmp", path)
