# SPDX-License-Identifier: BSD-2-Clause
"""The studies that come with FARE, by name, run once into a cache.

    fare.datasets.names()
    study = fare.datasets.load("double_well")
    small = fare.datasets.load("prinz_driven", truth__cells=512, ensembles__langevin__particles=5000)

The cache is FARE_CACHE, or fare/ in XDG_CACHE_HOME or ~/.cache. Another version of FARE, another study file or
other overrides make another entry.
"""
from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
from typing import TYPE_CHECKING, Any

from fare import command
from fare.files import FareError

if TYPE_CHECKING:
    from fare.study import Study, Sweep


def _folder() -> pathlib.Path:
    """input/ of the tree or of the installation that the program belongs to."""
    program = pathlib.Path(shutil.which(command.program()) or command.program()).resolve()
    home = os.environ.get("FARE_HOME")
    places = [
        *([pathlib.Path(home) / "input", pathlib.Path(home) / "share/fare/input"] if home else []),
        program.parents[2] / "input",
        program.parents[1] / "share/fare/input",
        pathlib.Path(__file__).resolve().parents[2] / "input",
    ]
    for place in places:
        if (place / "prinz_driven.yaml").exists():
            return place
    raise FareError(
        "the studies that come with FARE were not found; put the directory of FARE into FARE_HOME"
    )


def names() -> list[str]:
    """Of all that `load` knows."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def path(name: str) -> pathlib.Path:
    """The study file of that name."""
    found = _folder() / f"{name}.yaml"
    if not found.exists():
        raise FareError(f"no study '{name}' comes with FARE; there are: {', '.join(names())}")
    return found


def cache() -> pathlib.Path:
    """The directory of the cache."""
    usual = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "fare"
    return pathlib.Path(os.environ.get("FARE_CACHE", usual))


def load(
    name: str, ranks: int = 1, *, progress: bool | command.Progress = False, **overrides: Any
) -> Study | Sweep:
    """A study that comes with FARE, from the cache; it runs where it is not there. Two that run it at once do
    no harm: the first to end is taken.
    """
    from fare import study

    file = path(name)
    key = [command.call("--version"), file.read_text(), *command.assignments(overrides)]
    entry = cache() / f"{name}-{hashlib.sha256(chr(0).join(key).encode()).hexdigest()[:12]}"
    if not entry.exists():
        aside = entry.with_name(f"{entry.name}.{os.getpid()}.tmp")
        try:
            overrides["output.directory"] = str(aside)
            command.run(file, ranks, overwrite=True, progress=progress, **overrides)
            try:
                aside.rename(entry)
            except OSError:
                if not entry.exists():
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return study.Sweep(entry) if any(entry.glob("point_*")) else study.Study(entry)
