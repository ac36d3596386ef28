# SPDX-License-Identifier: BSD-2-Clause
"""Merges the points of a FARE sweep: sweep.csv, sweep_thermodynamics.csv where the points have
thermodynamics, and sweep.html with figures in figures/sweep_*.png.

    fare collect DIR      DIR holds point_0000, point_0001, ...

Points that are missing, unfinished or failed are named, and the others merged.
"""
from __future__ import annotations

import argparse
import base64
import csv
import functools
import html
import io
import math
import pathlib
import sys
from typing import NoReturn

try:
    import matplotlib
    import numpy as np

    from fare.files import FareError
    from fare.page import PAGE, folded, highest, number, table, write_aside
    from fare.plot.drawing import STYLE, headline, mean
    from fare.plot.sweeps import CAPTIONS, FIGURES, NEAR, SAMPLES, Row, driven_period, is_right
    from fare.report import as_png, attempt, rare
    from fare.results import Study, Sweep
    from fare.tables import Measured, OverTrainings
    from fare.trainings import joined
except ImportError as missing:
    sys.exit(f"fare collect: needs Python with h5py, numpy and matplotlib 3.6 or later ({missing})")

# most bins along an axis that plug-in divergences look at, in one, two, three dimensions (docs/measures.md)
COARSE = (256, 64, 24)


def measured_rows(sweep: Sweep, together: bool = False) -> list[Row]:
    """One for every point, comparison and measure; averages are over the times that the ensemble reached. Trainings
    of a line may be taken together; `least` and `most` are then their range.
    """
    rows = []
    for number_, study in sweep.points.items():
        study = joined(study) if together else study
        for comparison in study.comparisons.values():
            ensemble = study.ensembles[comparison.ensemble]
            nothing = np.full(len(study.times), math.nan)
            for name, m in comparison.measures.items():
                rows.append(
                    {
                        "point": number_,
                        **study.swept,
                        "comparison": comparison.label,
                        "ensemble": comparison.ensemble,
                        "sampler": ensemble.sampler,
                        "of": comparison.of,
                        "against": comparison.against,
                        "measure": name,
                        "average": mean(m.value),
                        "maximum": highest(m.value),
                        "held_out_average": mean(m.value[study.held_out]),
                        "floor": mean(m.floor_mean),
                        "floor_high": mean(m.floor_high),
                        "excess": mean(m.excess),
                        "low": mean(nothing if m.low is None else m.low),
                        "high": mean(nothing if m.high is None else m.high),
                        **_range(m, together),
                        "truth_error": highest(m.truth_error),
                        "times": int(np.isfinite(m.value).sum()),
                        "train_seconds": ensemble.train_seconds,
                        "sample_seconds": ensemble.sample_seconds,
                        "force_evaluations": ensemble.force_evaluations,
                        "network_evaluations": ensemble.network_evaluations,
                        "failure": ensemble.failure,
                    }
                )
    return rows


def _range(measured: Measured, together: bool) -> Row:
    """Averages over times of each training, of which the lowest and the highest."""
    if not together:
        return {}
    values = (measured.averages if isinstance(measured, OverTrainings) else ()) or (math.nan,)
    return {"least": min(values), "most": max(values)}


def floor_of(study: Study, samples: float) -> float:
    """What kl shows of so many exact samples, averaged over times: (m - 1)/2n for the m bins in which 5 or
    more of them are expected (docs/measures.md).
    """
    if study.bins is None or "truth" not in study.densities:
        return math.nan
    masses = study.masses("truth")
    for axis, n in enumerate(study.bins.extent):
        block = -(-n // COARSE[study.bins.dimension - 1])
        masses = np.add.reduceat(masses, np.arange(0, n, block), axis=axis + 1)
    filled = (samples * masses >= 5).reshape(len(masses), -1).sum(axis=1)
    return float(np.mean(np.maximum(filled - 1, 0)) / (2 * samples))


def thermodynamic_rows(sweep: Sweep) -> list[Row]:
    """One for every point; what is not defined for its system is not a number."""
    rows: list[Row] = []
    period = driven_period(sweep)
    for number_, study in sweep.points.items():
        columns = study.thermodynamics
        if not columns:
            continue
        nothing = np.full(len(study.times), math.nan)
        kl, dissipated = columns.get("kl_to_equilibrium", nothing), columns.get("dissipated_work", nothing)
        lag = (
            columns["free_energy"] - columns["equilibrium_free_energy"]
            if "free_energy" in columns
            else nothing
        )
        rate = float(study.rates[0]) if study.rates.size else math.nan
        rows.append(
            {
                "point": number_,
                **study.swept,
                "mean_kl_to_equilibrium": study.mean_kl_to_equilibrium,
                "kl_at_snapshots": mean(kl[1:]),
                "kl_error": highest(columns.get("kl_to_equilibrium_error", nothing)),
                "floor_of_a_million": floor_of(study, SAMPLES),
                "work": float(columns.get("work", nothing)[-1]),
                "dissipated_work": float(dissipated[-1]),
                "kT_kl_at_end": float(lag[-1]),
                "lag_margin": float(np.min((dissipated - lag + lag[0])[1:], initial=math.inf)),
                **{
                    name: float(columns.get(name, nothing)[-1])
                    for name in ("production_total", "production_housekeeping", "production_excess")
                },
                "slowest_rate": rate,
                "omega_over_rate": 2 * math.pi / float(study.swept[period]) / rate if period else math.nan,
                "truth_seconds": study.truth.seconds if study.truth else math.nan,
                "unresolved": int(bool(study.truth and study.truth.unresolved)),
            }
        )
    return rows


def write_csv(path: pathlib.Path, rows: list[Row]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text,
        fieldnames=list(dict.fromkeys(key for row in rows for key in row)),
        lineterminator="\n",
        restval="",
    )
    writer.writeheader()
    writer.writerows(
        {key: f"{value:.9g}" if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    write_aside(path, lambda aside: aside.write_text(text.getvalue(), encoding="utf-8"))


def draw(sweep: Sweep, rows: list[Row], states: list[Row]) -> list[str]:
    """Saves every figure that there is something for as PNG; returns them as HTML."""
    folder, blocks = sweep.directory / "figures", []
    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name, make in FIGURES.items():
            figure = make(sweep, rows, states)
            if figure is None:
                continue
            png = as_png(figure)
            write_aside(folder / f"sweep_{name}.png", functools.partial(pathlib.Path.write_bytes, data=png))
            image = (
                f'<img alt="{html.escape(CAPTIONS[name])}"'
                f' src="data:image/png;base64,{base64.b64encode(png).decode()}">'
            )
            blocks.append(
                f'<figure id="{name}">{image}<figcaption>{html.escape(CAPTIONS[name])}</figcaption></figure>'
            )
    return blocks


def regimes(sweep: Sweep, rows: list[Row], states: list[Row]) -> list[str]:
    """What the map says, in sentences that follow from the numbers alone; nothing where no period is swept."""
    if not driven_period(sweep) or not any(math.isfinite(s["kl_at_snapshots"]) for s in states):
        return []
    right = [s for s in states if is_right(s)]
    text = [
        f"<b>Equilibrium sampling is right at {len(right)} of {len(states)} points</b>: there the exact"
        f" density is nearer to the instantaneous Boltzmann density than {SAMPLES:,.0f} exact samples could"
        " show."
    ]
    if right:
        text.append("It is at " + "; ".join(html.escape(_point(sweep, s)) for s in right) + ".")
        text += _cheaper(rows, [s["point"] for s in right])
    text += _slopes(sweep, states)
    margins = [s["lag_margin"] for s in states if math.isfinite(s["lag_margin"])]
    if margins:
        broken = sum(margin < -1e-9 for margin in margins)
        text.append(
            "The lag bound, dissipated work ≥ kT (KL − KL at the start), holds at every snapshot of"
            f" {len(margins) - broken} of {len(margins)} points, by {number(min(margins))} or more after the"
            " first."
        )
    text += _tracking(sweep, rows)
    return [f'<p class="summary">{" ".join(text)}</p>']


def _point(sweep: Sweep, row: Row) -> str:
    period = driven_period(sweep)
    return ", ".join(
        f"{axis.name.split('.')[-1]} {row[period if period and period in axis.keys else axis.keys[0]]}"
        for axis in sweep.axes
    )


def _cheaper(rows: list[Row], points: list[int]) -> list[str]:
    """Where equilibrium is right, what it costs beside a simulation of the same study."""

    def spent(sampler: str) -> list[float]:
        return [
            row["train_seconds"] + row["sample_seconds"]
            for row in rows
            if row["point"] in points
            and row["sampler"] == sampler
            and (row["of"], row["against"]) == ("samples", "truth")
        ]

    still, simulated = spent("boltzmann"), spent("langevin")
    if not still or not simulated:
        return []
    ratio = mean(np.array(simulated)) / max(mean(np.array(still)), 1e-3)
    return [
        f"There boltzmann took {number(mean(np.array(still)))} s on average, langevin"
        f" {number(mean(np.array(simulated)))} s: equilibrium is"
        f" {'cheaper' if ratio > 1 else 'not cheaper'} by a factor of {number(max(ratio, 1 / ratio), 2)}."
    ]


def _slopes(sweep: Sweep, states: list[Row]) -> list[str]:
    """How the divergence falls with the period between the two slowest, along each value of the other keys."""
    period, found = driven_period(sweep), []
    assert period is not None
    others = [key for axis in sweep.axes if period not in axis.keys for key in axis.keys]
    for group in dict.fromkeys(tuple(s[key] for key in others) for s in states):
        line = sorted(
            (float(s[period]), s["kl_at_snapshots"])
            for s in states
            if tuple(s[key] for key in others) == group
        )
        if len(line) > 1 and line[-2][1] > 0 and line[-1][1] > 0:
            found.append(math.log(line[-1][1] / line[-2][1]) / math.log(line[-1][0] / line[-2][0]))
    return (
        [
            "On the slow side it falls like the period to the power"
            f" {' to '.join(sorted({f'{slope:.2f}' for slope in (min(found), max(found))}))}."
        ]
        if found
        else []
    )


def _tracking(sweep: Sweep, rows: list[Row]) -> list[str]:
    text = []
    for ensemble in dict.fromkeys(row["ensemble"] for row in rows):
        mine = [
            row
            for row in rows
            if row["ensemble"] == ensemble
            and row["measure"] == "kl"
            and (row["of"], row["against"]) == ("samples", "truth")
        ]
        near = [row for row in mine if row["excess"] <= NEAR]
        if mine:
            text.append(
                f"<b>{html.escape(ensemble)}</b> stays within {NEAR:g} nats of its noise floor at"
                f" {len(near)} of {len(mine)} points."
            )
    return text


def results(sweep: Sweep, rows: list[Row]) -> str:
    """The headline measure of samples at every point."""
    first = headline(next(iter(sweep.points.values())))
    keys = [axis.keys[0] for axis in sweep.axes]
    heads = [
        "point",
        *keys,
        "",
        f"{first}, average",
        "maximum",
        "held-out average",
        "noise floor",
        "excess",
        "training and sampling (s)",
        "force evaluations",
        "",
    ]
    body = []
    for row in rows:
        if row["measure"] != first or (row["of"], row["against"]) != ("samples", "truth"):
            continue
        cells = [str(row["point"]), *[row[key] for key in keys], row["ensemble"]]
        cells += [
            number(row[name]) for name in ("average", "maximum", "held_out_average", "floor", "excess")
        ] + [
            number(row["train_seconds"] + row["sample_seconds"]),
            number(float(row["force_evaluations"])),
            row["failure"],
        ]
        body.append(
            f'<tr data-point="{row["point"]}"'
            f' data-ensemble="{html.escape(row["ensemble"])}">{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>'
        )
    return table([(h, False) for h in heads], body)


def states_table(sweep: Sweep, states: list[Row]) -> str:
    keys = [axis.keys[0] for axis in sweep.axes]
    names = [
        "mean_kl_to_equilibrium",
        "kl_at_snapshots",
        "floor_of_a_million",
        "work",
        "dissipated_work",
        "kT_kl_at_end",
        "production_total",
        "omega_over_rate",
    ]
    heads = [
        "point",
        *keys,
        "KL to equilibrium, over time",
        "at snapshots after the first",
        "floor of a million samples",
        "work",
        "dissipated work",
        "kT KL at the end",
        "entropy production",
        "omega / slowest rate",
        "",
    ]
    body = [
        f'<tr data-state="{s["point"]}">{"".join(f"<td>{html.escape(cell)}</td>" for cell in [str(s["point"]), *[s[key] for key in keys], *[number(s[name]) for name in names], "UNRESOLVED" if s["unresolved"] else ""])}</tr>'
        for s in states
    ]
    return table([(h, False) for h in heads], body)


def page(sweep: Sweep, rows: list[Row], states: list[Row], figures: list[str]) -> str:
    study = next(iter(sweep.points.values()))
    body = [
        f"<h1>{html.escape(study.name)}</h1>",
        (
            f'<p class="summary">A sweep of {len(sweep.points) + len(sweep.lacking)} points over'
            f' {html.escape(", ".join(sweep.keys))}; {len(sweep.points)} are done.</p>'
        ),
    ]
    body += regimes(sweep, rows, states)
    if sweep.lacking:
        body.append(
            "<p>Not among them: "
            + "; ".join(f"point {point}, {html.escape(why)}" for point, why in sweep.lacking.items())
            + ".</p>"
        )
    if figures:
        body += figures
    body.append("<h2>Numbers</h2>")
    if rows:
        body.append(folded("Results", results(sweep, rows)))
    if states:
        body.append(folded("Thermodynamics", states_table(sweep, states)))
    for one in sweep.points.values():
        if one.rare:
            swept = ", ".join(f"{key} = {value}" for key, value in one.swept.items())
            body.append(folded(f"Rare events, {html.escape(swept)}", rare(one)))
    return PAGE.format(title=html.escape(study.name), body="\n".join(body))


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fare collect: {message} (usage: fare collect DIR)\n")


def write(sweep: Sweep) -> list[str]:
    """Writes all files; returns their names."""
    rows, states = measured_rows(sweep), thermodynamic_rows(sweep)
    joined_rows, written = measured_rows(sweep, together=True), []
    for name, table_ in (("sweep.csv", rows), ("sweep_thermodynamics.csv", states)):
        if table_:
            write_csv(sweep.directory / name, table_)
            written.append(name)
    figures = draw(sweep, joined_rows, states)
    write_aside(
        sweep.directory / "sweep.html",
        lambda path: path.write_text(page(sweep, joined_rows, states, figures), encoding="utf-8"),
    )
    return [*written, "sweep.html"]


def collect(directory: pathlib.Path) -> None:
    """Writes all files, and says which points they hold."""
    sweep = Sweep(directory)
    for point, why in sweep.lacking.items():
        print(f"point {point}: {why}")
    if not sweep.points:
        raise FareError(f"{sweep.directory}: none of its points is done")
    written = write(sweep)
    print(
        f"Sweep: {len(sweep.points)} of {len(sweep.points) + len(sweep.lacking)} points in"
        f" {', '.join(str(sweep.directory / name) for name in written)}"
    )


def main(words: list[str] | None = None) -> int:
    parser = Parser(
        description=(
            "Merges the points of a FARE sweep in DIR: sweep.csv, sweep_thermodynamics.csv, sweep.html and"
            " figures/sweep_*.png."
        )
    )
    parser.add_argument("directory", metavar="DIR", type=pathlib.Path)
    arguments = parser.parse_args(words)
    return attempt("collect", arguments.directory, collect)


if __name__ == "__main__":
    sys.exit(main())
