#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Draws the divergence of every family against the number of axes, and writes figure and table into
docs/many_axes.md and docs/gallery.md:

    mpirun -n 2 build/bin/fare run input/high/spectrum.yaml      # about 30 minutes on two cores
    docs/spectrum.py out/spectrum_axes

With --out DIRECTORY it writes figure and table there and leaves docs as they are.
"""
from __future__ import annotations

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "postproc"))

import matplotlib
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fare

PICTURE = "images/spectrum_axes.png"
MARKS = "<!-- spectrum of generators: docs/spectrum.py writes from here -->", "<!-- to here -->"
BASELINES = {"boltzmann": "-", "marginals": "--", "langevin": ":"}
DENSITY = "reverse_kl_density"


def judged(study: fare.Study) -> pandas.DataFrame:
    """Of each line, over its trainings: the bound that ranks with its error, and D(q||p) where ln q is known,
    both averaged over the times that are held out from training."""
    rows = study.ranking[["sampler", "mode", "mean", "error"]].copy()
    order = [re.sub(r"-\d+$", "", str(name)) for name in study.measures.comparison.values]
    rows = rows.loc[list(dict.fromkeys(order))]
    rows.index.name = "line"
    values = study.measures.value.sel(measure=DENSITY)
    held_out = values.isel(time=slice(1, None, 2))
    for line in rows.index:
        names = [str(name) for name in values.comparison.values if re.fullmatch(rf"{line}(-\d+)?", str(name))]
        each = np.asarray(held_out.sel(comparison=names).mean("time"))
        rows.loc[line, "density"] = each.mean()
        rows.loc[line, "density_error"] = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return rows


def collect(sweep: fare.Sweep) -> pandas.DataFrame:
    parts = []
    for number, study in sorted(sweep.studies.items()):
        part = judged(study)
        part["axes"] = int(sweep.points["system.copies"][number])
        parts.append(part.reset_index())
    return pandas.concat(parts)


def curve(ax: Axes, rows: pandas.DataFrame, column: str, **style: object) -> None:
    """Values with their standard errors. What lies within two of them of zero is an upper limit: an arrow."""
    rows = rows.sort_values("axes")
    error = rows["error" if column == "mean" else "density_error"].fillna(0)
    limit = rows[column] < 2 * error
    highest = np.where(limit, np.maximum(rows[column], 0) + 2 * error, rows[column])
    length = np.where(limit, 0.3 * highest, error)
    ax.errorbar(rows["axes"], highest, yerr=length, uplims=limit, capsize=2, elinewidth=0.9, **style)


def bounds(ax: Axes, data: pandas.DataFrame, colours: dict[str, str]) -> None:
    for line, rows in data.groupby("line", sort=False):
        first = rows.iloc[0]
        if line in BASELINES:
            curve(ax, rows, "mean", color="#555555", ls=BASELINES[str(line)], lw=1.2, label=line)
        elif first["mode"] == "learned":
            curve(ax, rows, "mean", color=colours[first["sampler"]], marker="o", ms=3, label=line)
        elif first["mode"] == "oracle":
            curve(ax, rows, "mean", color=colours[first["sampler"]], ls="--", lw=1)
    ax.plot([], [], "k--", lw=1, label="oracle of the same colour")
    ax.set(ylabel="lower bound of D(q||p), nats", title="from samples: block_rosenblatt")


def densities(ax: Axes, data: pandas.DataFrame, colours: dict[str, str]) -> None:
    known = data[data["density"].notna() & (data["line"] != "exact")]
    for line, rows in known.groupby("line", sort=False):
        shade = colours.get(rows.iloc[0]["sampler"], "#555555")
        curve(ax, rows, "density", color=shade, ls=BASELINES.get(str(line), "-"), marker="o", ms=3)
    ax.set(ylabel="D(q||p), nats", title=f"where ln q is known: {DENSITY}")


def draw(data: pandas.DataFrame) -> Figure:
    fig = Figure(figsize=(9.6, 5.4))
    axes = fig.subplots(1, 2, width_ratios=[3, 2])
    families = list(dict.fromkeys(data[data["mode"] == "learned"]["sampler"]))
    shades = [shade for i, shade in enumerate(matplotlib.colormaps["tab10"].colors) if i != 7]  # no grey
    colours = {family: matplotlib.colors.to_hex(shades[i]) for i, family in enumerate(families)}
    bounds(axes[0], data, colours)
    densities(axes[1], data, colours)
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel="axes d")
        ticks = sorted(set(data["axes"]))
        ax.set_xticks(ticks, [str(d) for d in ticks])
        ax.minorticks_off()
    fig.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncol=6, fontsize=8)
    fig.subplots_adjust(left=0.08, right=0.98, top=0.94, bottom=0.2, wspace=0.22)
    return fig


def number(mean: float, error: float) -> str:
    if not np.isfinite(mean):
        return ""
    return f"{mean:.3f}" + (f" ± {error:.3f}" if np.isfinite(error) else "")


def table(data: pandas.DataFrame) -> str:
    """Means and standard errors over trainings; D(q||p) in rows of its own."""
    dimensions = sorted(set(data["axes"]))
    lines = [
        "| Nats, by $d$ | " + " | ".join(map(str, dimensions)) + " |",
        "|---|" + "---|" * len(dimensions),
    ]
    for column, error, said in (("mean", "error", ""), ("density", "density_error", ", $D(q \\Vert p)$")):
        for line, rows in data.groupby("line", sort=False):
            by = rows.set_index("axes")
            if column == "density" and (line == "exact" or by[column].isna().all()):
                continue
            cells = [number(by[column].get(d, np.nan), by[error].get(d, np.nan)) for d in dimensions]
            lines.append(f"| `{line}`{said} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(page: pathlib.Path, text: str) -> None:
    """Between the marks of a page."""
    before, rest = page.read_text().split(MARKS[0])
    page.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    data = collect(fare.sweep(options.results))
    with matplotlib.rc_context({**fare.plot.style(), "figure.constrained_layout.use": False}):
        fig = draw(data)
    to = options.out or ROOT / "docs"
    (to / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(to / PICTURE, dpi=100)
    if options.out:
        (to / "table.md").write_text(table(data) + "\n")
        return
    picture = f"![Divergence of every family against the number of axes]({PICTURE})"
    write(to / "many_axes.md", f"{picture}\n\n{table(data)}")
    write(to / "gallery.md", picture)


if __name__ == "__main__":
    main()
