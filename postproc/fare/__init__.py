# SPDX-License-Identifier: BSD-2-Clause
"""FARE in Python: run studies, read and draw their results, and score one's own generator.

    import fare

    study = fare.open("out/prinz_driven")
    fare.score(study.directory, times, samples)

The C program does the work; docs/python.md has the whole of it. Modules load when they are used: figures need
h5py, numpy and matplotlib, labelled arrays and tables xarray and pandas too.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from fare import datasets as datasets
    from fare import plot as plot
    from fare import two_sample as two_sample
    from fare.command import Cancelled as Cancelled
    from fare.command import CommandError as CommandError
    from fare.command import check as check
    from fare.command import describe as describe
    from fare.command import run as run
    from fare.command import start as start
    from fare.files import FareError as FareError
    from fare.samples import write_samples as write_samples
    from fare.scoring import score as score
    from fare.study import Study as Study
    from fare.study import Sweep as Sweep
    from fare.study import open as open
    from fare.study import sweep as sweep
    from fare.tracks import read_tracks as read_tracks
    from fare.tracks import write_tracks as write_tracks
    from fare.training import TrainingSet as TrainingSet
    from fare.training import export as export

_NAMES = {  # and the modules that they are in
    "Cancelled": "command",
    "CommandError": "command",
    "FareError": "files",
    "TrainingSet": "training",
    "check": "command",
    "describe": "command",
    "export": "training",
    "run": "command",
    "score": "scoring",
    "start": "command",
    "Study": "study",
    "Sweep": "study",
    "open": "study",
    "sweep": "study",
    "read_tracks": "tracks",
    "write_samples": "samples",
    "write_tracks": "tracks",
}
_MODULES = {"datasets", "plot", "two_sample"}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"fare.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"fare.{name}")
    raise AttributeError(f"module 'fare' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
