# SPDX-License-Identifier: BSD-2-Clause
"""A movie of the densities over time: GIF by matplotlib's Pillow, MP4 by ffmpeg."""
from __future__ import annotations

import pathlib
import shutil
from typing import Callable

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fare.files import FareError
from fare.plot.densities import (
    line_courses,
    map_scale,
    maps,
    moment,
    planes,
    shown_densities,
)
from fare.plot.drawing import COLUMN, PAGE, STYLE, TRUTH, colours
from fare.results import Study

FRAMES, RATE = 200, 8  # at most, and per second


def lines(study: Study) -> tuple[Figure, Callable[[int], None]]:
    """One dimension: a figure, and what draws the k-th time in it."""
    names = shown_densities(study)
    found, edges = line_courses(study, names, 0, 200)
    shades = {"truth": TRUTH, **colours(study)}
    figure = Figure(figsize=(COLUMN * 1.4, 2.6))
    ax = figure.subplots()
    steps = {
        name: ax.stairs(np.zeros(len(edges) - 1), edges, color=shades.get(name, "#666666"), lw=1.0)
        for name in names
        if name != "truth"
    }
    (line,) = ax.plot([], [], color=TRUTH, zorder=5)
    top = max(float(np.nanmax(density, initial=0)) for density in found.values())
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * top or 1), ylabel="density")
    ax.set_xlabel(study.known_bins.label(0))
    handles = [Line2D([], [], color=shades.get(name, "#666666"), label=name) for name in names]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    def draw(k: int) -> None:
        for name, patch in steps.items():
            patch.set_data(np.nan_to_num(found[name][k]))
        if "truth" in found:
            line.set_data(0.5 * (edges[1:] + edges[:-1]), found["truth"][k])
        ax.set_title(moment(study, k), loc="left")

    return figure, draw


def pictures(study: Study, plane: tuple[int, int]) -> tuple[Figure, Callable[[int], None]]:
    """Two and three dimensions, likewise: a map of the truth and of each ensemble on a plane."""
    names = shown_densities(study, 4)
    found = maps(study, names, plane, list(range(len(study.times))), 128)
    top, shades = map_scale(found.densities), {"truth": TRUTH, **colours(study)}
    figure = Figure(figsize=(min(PAGE, 1.9 * len(names) + 0.9), 2.3))
    axes = figure.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0]
    meshes = {}
    for ax, name in zip(axes, names):
        blank = np.zeros((len(found.y) - 1, len(found.x) - 1))
        meshes[name] = ax.pcolormesh(found.x, found.y, blank, cmap="viridis", vmin=0, vmax=top)
        ax.set_title(name, loc="left", color=shades.get(name, "#666666"))
        ax.set_xlabel(study.known_bins.label(plane[0]))
        ax.grid(False)
    axes[0].set_ylabel(study.known_bins.label(plane[1]))
    figure.colorbar(meshes[names[0]], ax=axes, label="density", extend="max")

    def draw(k: int) -> None:
        for name, mesh in meshes.items():
            mesh.set_array(found.densities[name][k].T)
        figure.suptitle(moment(study, k), x=0.01, ha="left", fontsize=8)

    return figure, draw


def check(study: Study, kind: str) -> None:
    """Raises FareError where there is nothing to show or no ffmpeg."""
    if not shown_densities(study):
        raise FareError(f"{study.path}: no densities, so no movie")
    if kind == "mp4" and not shutil.which("ffmpeg"):
        raise FareError("an MP4 needs the program ffmpeg, which was not found; --movie=gif does without it")


def write(study: Study, kind: str, wanted: str = "") -> pathlib.Path:
    """figures/density.gif or .mp4; raises as `check`."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    check(study, kind)
    target = study.directory / "figures" / f"density.{kind}"
    target.parent.mkdir(exist_ok=True)
    aside = target.with_name(f"density.tmp.{kind}")
    pairs = planes(study, wanted)
    with matplotlib.rc_context(STYLE):
        figure, draw = pictures(study, pairs[0]) if pairs else lines(study)
        draw(0)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the same in every frame
        writer = FFMpegWriter(RATE) if kind == "mp4" else PillowWriter(RATE)
        count = min(len(study.times), FRAMES)
        try:
            with writer.saving(figure, str(aside), 150):
                for k in np.linspace(0, len(study.times) - 1, count).round().astype(int):
                    draw(int(k))
                    writer.grab_frame()
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    return target
