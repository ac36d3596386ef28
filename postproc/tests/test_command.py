# SPDX-License-Identifier: BSD-2-Clause
"""Running from Python: plans, errors with their place, progress, and jobs that are ended."""
from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from conftest import ONE

import fare
from fare import command
from fare.study import Study

LONG = {**ONE, "study": "long", "snapshots": {"start": 0.0, "end": 400.0, "count": 801}}
LONG.pop("thermodynamics")


def test_version_is_that_of_the_program() -> None:
    assert command.call("--version").split() == ["fare", fare.__version__]


def test_check_and_describe() -> None:
    plan = fare.check(ONE, truth__cells=[64])
    assert plan.sound and "cells: [64]" in plan.plan and "64 cells" in plan.estimate
    assert "Kullback-Leibler" in fare.describe("measure", "kl")


def test_errors_have_a_place(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "study: s\nsystem: {name: prinz}\ntruth: {cells: [-5]}\nsnapshots: {end: 1.0, count: 3}\n"
    )
    with pytest.raises(fare.CommandError) as wrong:
        fare.check(path)
    assert wrong.value.code == 2 and wrong.value.file == str(path)
    assert (wrong.value.line, wrong.value.source) == (3, "truth: {cells: [-5]}")
    assert wrong.value.text.startswith("truth.cells[0]: expected") and wrong.value.column == 17
    with pytest.raises(fare.CommandError, match="unknown key 'cels'"):
        fare.run(ONE, truth__cels=3)
    with pytest.raises(fare.CommandError) as wrong:
        fare.check({**ONE, "truth": {"cells": [-5]}})
    assert wrong.value.source.strip() == "-5"


def test_progress(tmp_path: pathlib.Path) -> None:
    seen: list[float] = []
    place = str(tmp_path / "long")
    job = fare.start(LONG, progress=lambda fraction, text: seen.append(fraction), output__directory=place)
    deadline = time.monotonic() + 60
    while not seen and time.monotonic() < deadline:
        time.sleep(0.05)
    job.cancel()
    assert seen and 0 <= seen[-1] < 1


def ranks_of(place: pathlib.Path) -> list[int]:
    """Processes that have this directory among their words."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(place).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def begun(place: pathlib.Path) -> bool:
    """Whether a second snapshot came within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (place / "snapshots/snapshot_000001.h5").exists():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ranks", [1, 2])
def test_cancel_ends_the_job(tmp_path: pathlib.Path, ranks: int) -> None:
    place = tmp_path / "long"
    job = fare.start(LONG, ranks, output__directory=str(place))
    assert begun(place) and ranks_of(place)
    job.cancel()
    assert not job.running and not ranks_of(place)
    with pytest.raises(fare.Cancelled):
        job.wait()
    assert not fare.open(place).finished


def test_cancelled_whatever_the_launcher_says(tmp_path: pathlib.Path) -> None:
    """As that of mpirun, which is 1 where it had to kill its ranks."""
    deaf = ["sh", "-c", 'trap "exit 1" USR1; echo ready; while :; do sleep 0.1; done']
    job = fare.start(LONG, launcher=deaf, output__directory=str(tmp_path / "long"))
    while "ready" not in job.log:
        time.sleep(0.01)
    job.cancel()
    with pytest.raises(fare.Cancelled):
        job.wait()


def test_interrupt_ends_the_job(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "long"
    words = f"import fare; fare.run({LONG!r}, 2, output__directory={str(place)!r})"
    with subprocess.Popen([sys.executable, "-c", words], stderr=subprocess.PIPE, text=True) as python:
        assert begun(place)
        python.send_signal(signal.SIGINT)
        said = python.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in said and python.returncode != 0
    assert not ranks_of(place)


def test_dict_and_file_give_the_same(one: Study, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(one.plan)
    again: Any = fare.run(path, ranks=2, output__directory=str(tmp_path / "again"))
    kinds = {"comparison": ["langevin", "boltzmann"]}
    assert again.measures.value.sel(kinds).equals(one.measures.value.sel(kinds))


def test_datasets(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARE_CACHE", str(tmp_path))
    assert "prinz_driven" in fare.datasets.names()
    small: dict[str, Any] = {"snapshots__count": 2, "ensembles__langevin__particles": 500}
    small["ensembles__boltzmann__particles"] = 500
    first = fare.datasets.load("ornstein_uhlenbeck", **small)
    assert not list(tmp_path.glob("*.tmp"))
    with monkeypatch.context() as patch:
        patch.setattr(command, "run", None)  # it is not run again
        assert fare.datasets.load("ornstein_uhlenbeck", **small).directory == first.directory
    with pytest.raises(fare.FareError, match="no study 'prins'"):
        fare.datasets.load("prins")


def test_import_is_light() -> None:
    """Figures need h5py, numpy and matplotlib alone."""
    code = (
        "import sys, fare, fare.report, fare.collect; print(sorted(m for m in sys.modules if '.' not in m))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not re.search("'(xarray|pandas|torch|scipy)'", loaded)


def test_pip_installs_it_without_network(tmp_path: pathlib.Path) -> None:
    if missing := [name for name in ("pip", "setuptools", "wheel") if not importlib.util.find_spec(name)]:
        pytest.skip(f"this Python has no {', '.join(missing)}")
    source, place = tmp_path / "postproc", tmp_path / "site"
    shutil.copytree(pathlib.Path(__file__).parents[1], source)
    words = ["install", "-q", "--no-index", "--no-build-isolation", "--no-deps", "--target", str(place)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True, cwd=tmp_path)
    code = "import fare, fare.plot; print(fare.__file__, fare.check('study.yaml').sound)"
    (tmp_path / "study.yaml").write_text(json.dumps(ONE))
    environment = {**os.environ, "PYTHONPATH": str(place)}
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == [str(place / "fare/__init__.py"), "True"]
    assert (place / "fare/py.typed").exists() and not (place / "tests").exists()
