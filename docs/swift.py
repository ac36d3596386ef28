#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Draws the figure of docs/control.md, the density on a plane under a fast drive with and without the force that keeps
it at Boltzmann's:

    docs/swift.py [DIRECTORY]

Studies run in DIRECTORY (default: build/book), on one rank, for about a minute; those that are there are drawn again.
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import figures
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import fare

ROOT = figures.ROOT
FOUND = "swift_2d"
RUNS = {"with the force": ("swift_2d_run", 1), "without": ("swift_2d_alone", 0)}


def run(study: str, where: pathlib.Path, *settings: str) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    file = str(ROOT / f"input/control/{study}.yaml")
    subprocess.run([figures.FARE, "run", file, "--overwrite", *words], cwd=where, check=True)


def draw(runs: dict[str, fare.Study]) -> Figure:
    fig = Figure(figsize=(7.6, 5.0))
    axes = fig.subplots(2, 3, sharex=True, sharey=True)
    for row, (name, study) in zip(axes, runs.items()):
        density = study.snapshots.density
        for ax, time in zip(row, (0.0, 0.2, 0.4)):
            at = density.sel(time=time, method="nearest")
            ax.pcolormesh(at.x, at.y, np.asarray(at).T, cmap="viridis", rasterized=True, shading="nearest")
            ax.set(title=f"{name}, t = {time:g}", xlim=(-2, 2), ylim=(-2, 2))
            ax.grid(False)
    return fig


def main() -> None:
    where = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/book").resolve()
    where.mkdir(parents=True, exist_ok=True)
    found = where / "out" / FOUND / "study.h5"
    if not found.exists():
        run(FOUND, where)
    for directory, assist in RUNS.values():
        if not (where / "out" / directory / "study.h5").exists():
            output = os.path.join("out", directory)
            run(
                "swift_2d_run",
                where,
                f"system.file={found}",
                f"system.parameters.assist={assist}",
                f"output.directory={output}",
            )
    with rc_context(fare.plot.style()):
        fig = draw({name: fare.open(where / "out" / directory) for name, (directory, _) in RUNS.items()})
        fig.tight_layout()
    figures.save(fig, ROOT / "docs/images/gallery/swift_2d.png")


if __name__ == "__main__":
    main()
