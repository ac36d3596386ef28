# SPDX-License-Identifier: BSD-2-Clause
"""Two small studies, run once for all tests: a driven particle in one dimension, and wells in two."""
from __future__ import annotations

import pathlib
from typing import Any

import pytest

import fare
from fare.study import Study

ONE: dict[str, Any] = {
    "study": "one",
    "seed": 7,
    "system": {"name": "prinz", "parameters": {"kT": 1.0}},
    "drive": [{"parameter": "tilt", "waveform": "sine", "amplitude": 4.0, "period": 1.0}],
    "initial": {"density": "boltzmann"},
    "snapshots": {"start": 0.0, "end": 0.5, "count": 6},
    "truth": {"cells": [128], "tolerance": 1e-6},
    "ensembles": [
        {"name": "langevin", "sampler": "langevin", "particles": 2000, "dt": 2e-3},
        {"name": "boltzmann", "sampler": "boltzmann", "particles": 2000},
    ],
    "measures": ["kl", "wasserstein_1"],
    "thermodynamics": {"steps": 20, "currents": True},
}
TWO: dict[str, Any] = {
    "study": "two",
    "seed": 8,
    "system": {"name": "quadruple_well"},
    "initial": {"density": "gaussian", "mean": [-1, -1], "sd": [0.2, 0.2]},
    "snapshots": {"start": 0.0, "end": 0.2, "count": 3},
    "truth": {"cells": [48, 40], "tolerance": 1e-6},
    "ensembles": [{"name": "langevin", "sampler": "langevin", "particles": 2000, "dt": 2e-3}],
    "measures": ["kl"],
    "thermodynamics": {"currents": True},
}


def _run(study: dict[str, Any], place: pathlib.Path) -> Study:
    done = fare.run(study, output__directory=str(place / study["study"]))
    assert isinstance(done, Study)
    return done


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return _run(ONE, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return _run(TWO, tmp_path_factory.mktemp("two"))
