# SPDX-License-Identifier: BSD-2-Clause
"""What tests of rare events share: studies that are run, the numbers that they leave, and refusals."""
from __future__ import annotations

import pathlib
from typing import Any

import h5py
import numpy as np

from checks import expect, fare


def run(
    where: pathlib.Path, text: str, name: str = "study", ranks: int = 1, group: str = "rare"
) -> tuple[dict[str, Any], str]:
    """Numbers of one group of study.h5 by name, and what was printed."""
    path = where / f"{name}.yaml"
    path.write_text(text)
    output = f"output.directory={where / name}"
    done = fare(where, "run", path, "--no-report", "--overwrite", "--set", output, ranks=ranks)
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    return columns(where / name, group), done.stdout


def columns(directory: pathlib.Path, group: str = "rare") -> dict[str, Any]:
    """Those of a study that is finished."""
    with h5py.File(directory / "study.h5") as file:
        return {key: value[()] for key, value in file[group].items() if isinstance(value, h5py.Dataset)}


def expect_same_bits(one: dict[str, Any], other: dict[str, Any], where: str) -> None:
    """All numbers but the seconds that they took."""
    for key, value in one.items():
        same = key == "seconds" or np.array_equal(value, other[key], equal_nan=True)
        expect(same, f"{key} {where}", (value, other[key]))


def expect_refusal(where: pathlib.Path, text: str, message: str) -> None:
    """One line and exit code 2."""
    path = where / "mistake.yaml"
    path.write_text(text)
    done = fare(where, "check", path)
    expect(done.returncode == 2, f"exit code of: {message}", done.returncode)
    expect(message in done.stderr and done.stderr.count("\n") == 1, message, done.stderr)
