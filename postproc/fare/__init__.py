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
    from fare import plot as plot
    from fare.command import Cancelled as Cancelled
    from fare.command import CommandError as CommandError
    from fare.command import check as check
    from fare.command import describe as describe
    from fare.command import run as run
    from fare.command import start as start
    from fare.files import FareError as FareError
    from fare.samples import write_samples as write_samples
    from fare.study import Study as Study
    from fare.study import Sweep as Sweep
    from fare.study import open as open
    from fare.study import sweep as sweep

_NAMES = {  # and the modules that they are in
    "Cancelled": "command",
    "CommandError": "command",
    "FareError": "files",
    "check": "command",
    "describe": "command",
    "run": "command",
    "start": "command",
    "Study": "study",
    "Sweep": "study",
    "open": "study",
    "sweep": "study",
    "write_samples": "samples",
}
_MODULES = {"plot"}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"fare.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"fare.{name}")
    raise AttributeError(f"module 'fare' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
