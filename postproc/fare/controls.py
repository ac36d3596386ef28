# SPDX-License-Identifier: BSD-2-Clause
"""Best drives and sensitivities to a drive, as study.h5 holds them."""
from __future__ import annotations

from dataclasses import dataclass, field

import h5py
import numpy as np

from fare.files import Array, text_of


@dataclass(frozen=True)
class Rung:
    """A drive of a ladder, the best one and the bound of full control included."""

    control: str
    aim: str
    quantity: str
    """What the value is."""
    drive: str
    value: float
    error: float
    """NaN: not known."""


@dataclass(frozen=True)
class Course:
    """What one parameter does in the best drive: linear between knots, with a jump at both ends."""

    parameter: str
    before: float
    after: float
    values: Array


@dataclass(frozen=True)
class Control:
    """A line of the section `control`."""

    name: str
    aim: str
    quantity: str
    failure: str
    """Why there is no best drive; empty where there is one."""
    ladder: list[Rung] = field(default_factory=list)
    times: Array = field(default_factory=lambda: np.empty(0))
    courses: list[Course] = field(default_factory=list)
    density: Array | None = None
    """[knot, cell], under the best drive; None where it is not kept."""
    edges: Array = field(default_factory=lambda: np.empty(0))
    """Of the cells."""


@dataclass(frozen=True)
class Sensitivity:
    """An analysis `sensitivity`."""

    name: str
    value: float
    """What is differentiated; NaN: a density."""
    times: Array
    by: dict[str, tuple[Array, Array]]
    """Derivatives by each driven parameter at these times, per time, and their errors: of a density, a row for each
    bin."""
    edges: Array = field(default_factory=lambda: np.empty(0))
    """Of the bins, of a density; empty: a number is differentiated."""


def _control(name: str, group: h5py.Group) -> Control:
    numbers = group.attrs
    aim, quantity = text_of(numbers["aim"]), text_of(numbers["quantity"])
    if "failure" in numbers:
        return Control(name, aim, quantity, text_of(numbers["failure"]))
    ladder = [
        Rung(name, aim, quantity, drive, float(rung.attrs["value"]), float(rung.attrs["error"]))
        for drive, rung in group["ladder"].items()
    ]
    ladder.sort(key=lambda rung: rung.value, reverse=aim not in ("most_likely", "observable"))
    other = abs(numbers["checked"] - numbers["optimum"])
    error = np.nansum([numbers["step_error"], numbers["grid_error"], other])
    ladder.append(Rung(name, aim, quantity, "optimum", float(numbers["optimum"]), float(error)))
    if np.isfinite(numbers["bound"]):
        bound = float(numbers["bound"]), float(numbers["bound_error"])
        ladder.append(Rung(name, aim, quantity, "bound", *bound))
    courses = [
        Course(parameter, float(of.attrs["from"]), float(of.attrs["to"]), of["values"][:])
        for parameter, of in group["drives"].items()
    ]
    density, edges = None, np.empty(0)
    if "density" in group:
        density = group["density"][:]
        edges = np.linspace(numbers["lower"], numbers["upper"], density.shape[1] + 1)
    return Control(name, aim, quantity, "", ladder, group["times"][:], courses, density, edges)


def controls(file: h5py.File) -> list[Control]:
    """All lines of the section `control`."""
    return [_control(name, group) for name, group in file.get("control", {}).items()]


def sensitivities(file: h5py.File) -> list[Sensitivity]:
    """Analyses `sensitivity` that have not failed, and have a driven parameter."""
    found = []
    for name, group in file.get("analysis", {}).items():
        if text_of(group.attrs["kind"]) != "sensitivity" or "times" not in group:
            continue
        edges = np.ravel(group["edges"][:]) if "edges" in group else np.empty(0)
        shape = (-1, len(np.ravel(group["times"][:]))) if edges.size else (-1,)
        by = {
            key[3:]: (np.reshape(group[key][:], shape), np.reshape(group[f"{key}_error"][:], shape))
            for key in group
            if key.startswith("by_") and f"{key}_error" in group
        }
        if by:
            value = float("nan") if edges.size else float(np.ravel(group["value"][()])[0])
            found.append(Sensitivity(name, value, np.ravel(group["times"][:]), by, edges))
    return found
