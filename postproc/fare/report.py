# SPDX-License-Identifier: BSD-2-Clause
"""Draws report.html, one file that needs nothing else, and figures/*.png in the directory of a finished FARE
study.

    fare report DIR                            both
    fare report --vector DIR                   figures as SVG and PDF, too
    fare report --movie=gif DIR                a movie of the densities, too
    python3 -m fare report --figures-only DIR  the figures alone
"""
from __future__ import annotations

import argparse
import base64
import copy
import functools
import html
import io
import math
import pathlib
import sys
from dataclasses import dataclass
from typing import Callable, NoReturn

try:
    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from fare import slider
    from fare.files import Array, FareError
    from fare.findings import findings, is_noise
    from fare.page import PAGE, count, folded, highest, measured, number, table, unit_of, write_aside
    from fare.plot.densities import planes
    from fare.plot.drawing import STYLE, describe, mean, measured_by, principal, shown
    from fare.plot.figures import figures
    from fare.results import Study
    from fare.tables import Comparison, Measured
    from fare.trainings import joined
except ImportError as missing:
    sys.exit(f"fare report: needs Python with h5py, numpy and matplotlib 3.6 or later ({missing})")

DISTANCE = (
    "Distance from the truth over time. The bands, in the colours of the ensembles, are noise floors: what"
    " the same number of exact samples would score (mean to 95% quantile). An ensemble within its band cannot"
    " be distinguished from the truth. If an unbiased measure falls below 0, its axis is linear within the"
    " noise floor."
)
CAPTIONS = {
    "divergences": DISTANCE,
    "density": (
        "Density over time on one colour scale: the truth and each ensemble. Below: the difference from the"
        " truth, too much (red) or too little (blue)."
    ),
    "snapshots": "Snapshots: the truth as a line, each ensemble as a histogram of its particles.",
    "differences": "Each ensemble minus the truth, on one scale: too much (red), too little (blue).",
    "marginals": (
        "Marginal densities of single axes over time: the truth, and histograms of each ensemble's particles,"
        " on the scale of the truth."
    ),
    "marginal_lines": (
        "Marginal densities of single axes: the truth as a line, each ensemble as a histogram of its"
        " particles."
    ),
    "corner": (
        "Marginal densities at the last time. On the diagonal single axes, the truth as a line and the"
        " ensemble as a histogram; below it pairs of axes of the truth, above it those of the ensemble's"
        " particles, on the scale of the truth. These marginals do not show correlations of more than two"
        " axes."
    ),
    "currents": (
        "Probability current of the truth: in one dimension over time; otherwise as arrows over the density"
        " (grey), averaged over blocks of cells. The scale of the arrows differs from time to time; the"
        " length of the longest is written above."
    ),
    "ranking": (
        "Ensembles in the order of the ranking, with their ranks. Left: the distance from the truth, as the"
        " mean over trainings with their standard deviation (for a single one, its standard error), and the"
        " noise floor. Right: the cost of one training, and of training and sampling together."
    ),
    "costs": (
        "Cost of each ensemble and its distance from the truth, averaged over times; the stem reaches down to"
        " its noise floor. Lower left is better."
    ),
    "rare": (
        "Estimators of rare events: steps to a relative error of 10% against the rarity of the event. The"
        " dashed line is the exact cost of plain simulation; dashes are the lowest possible cost of a method."
    ),
    "inference": (
        "Parameters from data, against the time between observations. Bars are standard errors. Lines are the"
        " limits of each method for infinitely many data; the distance of a line from the truth is its bias."
    ),
    "posteriors": (
        "Draws from the posterior of each fit; lines are the Gaussian of estimate and standard error, dashed"
        " the truth."
    ),
    "profiles": (
        "Profile likelihoods: the fall of 2 ln L if one parameter is fixed and the others are optimised."
        " Points were computed. Dotted: the parabola of estimate and standard error; dashed: the truth. A"
        " profile is below the grey line within its 95% interval."
    ),
    "potentials": (
        "Potentials without a formula, estimated by likelihood, and the drift: the estimate with its 95%"
        " band, the truth (dashed) and the density of the observations (grey). The mean of the potential over"
        " that density is 0."
    ),
    "identifiability": (
        "What designs of observations can determine: relative standard deviations of the parameters from all"
        " particles, by the Fisher information. Parameters at the right edge are not determined by any number"
        " of particles."
    ),
    "control": (
        "The best drive of each entry: its parameters with their jumps at both ends, and linear ramps"
        " (dashed); its result compared with other drives and with the lower bound for any control (black);"
        " and the density under it."
    ),
    "control_durations": (
        "Dissipation of drives between the same two states, against their duration. No control, with any"
        " potential, can be below the black line."
    ),
    "sensitivity": (
        "By how much a result changes with the value of a driven parameter at each time, per time: a drive"
        " that differs by a small function of time changes it by the integral of both. A map shows the"
        " density at the end: red where a larger value at that time increases it, blue where it decreases it."
    ),
    "thermodynamics": (
        "Work, heat and entropy production of the truth. If the work of particles was measured, its"
        " distributions forward and reversed: they cross at the change of the free energy (Crooks)."
    ),
    "training": "Training loss.",
    "truth_error": (
        "The truth's own error, estimated from companions that are coarser in space and time; the error of"
        " the density extrapolated from them, with which ensembles are compared; and quantities that the"
        " scheme must conserve."
    ),
    "other_divergences": DISTANCE,
}
FOLDED = {
    "training": "Training",
    "truth_error": "Error of the truth",
    "other_divergences": "Other measures over time",
}
MOVIES = ("gif", "mp4")


@dataclass(frozen=True)
class Options:
    """What a report is made of beside its page."""

    figures_only: bool = False
    vector: bool = False
    """SVG and PDF beside each PNG."""
    movie: str = ""
    """"gif" or "mp4"."""
    planes: str = ""
    """Pairs of axes for pictures in three dimensions, as in "x:y,x:z"; all where it is empty."""


def results(study: Study, at: Array, names: list[str]) -> str:
    """Averages and maxima over the times chosen, one block for each measure."""
    heads = [
        "",
        "average",
        "maximum",
        "at t",
        "noise floor",
        "its 95%",
        "average excess",
        "within noise",
        "largest truth error",
        "average without bias",
    ]
    rows = []
    for name in names:
        shown = [(c, c.measures[name]) for c in study.comparisons.values() if name in c.measures]
        first = shown[0][1]
        rows.append(
            "<tr><th"
            f' colspan="{len(heads)}">{html.escape(name)} <span>{html.escape(first.summary)} ({html.escape(unit_of(first))})</span></th></tr>'
        )
        rows += [_result(study, at, name, c, measured) for c, measured in shown]
    return table([(h, i == 0) for i, h in enumerate(heads)], rows)


def _result(study: Study, at: Array, name: str, comparison: Comparison, measured: Measured) -> str:
    value, noisy = measured.value[at], comparison.samples > 0
    top, known = highest(value), int((~np.isnan(value)).sum())
    cells = [number(mean(value)), number(top), f"{study.times[at][np.argmax(value == top)]:.4g}"]
    cells += [
        number(mean(series[at])) if noisy else "–"
        for series in (measured.floor_mean, measured.floor_high, measured.excess)
    ]
    cells += [f"{measured.within_noise[at].sum()} of {at.sum()}", number(highest(measured.truth_error[at]))]
    cells.append(number(mean(measured.corrected[at])) if noisy and measured.corrected is not None else "–")
    kind = ' class="noise"' if noisy and is_noise(measured, at) else ""
    body = "".join(f"<td{kind}>{cell}</td>" for cell in cells)
    trainings = study.members.get(comparison.ensemble, [])
    line = describe(comparison) + (f" (mean of {len(trainings)})" if trainings else "")
    line += f" ({known} of {value.size})" if known < value.size else ""  # a method that ended early
    return (
        f'<tr data-comparison="{html.escape(comparison.label)}"'
        f' data-measure="{html.escape(name)}"><td>{html.escape(line)}</td>{body}</tr>'
    )


def costs(study: Study) -> str:
    heads = [
        ("", True),
        ("sampler", True),
        ("family", True),
        ("particles", False),
        ("training (s)", False),
        ("sampling (s)", False),
        ("force evaluations", False),
        ("network evaluations", False),
    ]
    rows = []
    if study.truth:
        rows.append(
            f'<tr><td>truth</td><td class="text">grid, {study.truth.steps} time'
            f" steps</td><td></td><td></td><td></td><td>{number(study.truth.seconds)}</td><td></td><td></td></tr>"
        )
    if study.joint:
        rows.append(
            "<tr><td>truth</td><td"
            f' class="text">{html.escape(study.joint.kind)}</td><td></td><td></td><td></td>'
            f"<td>{number(study.joint.seconds)}</td><td></td><td></td></tr>"
        )
    for e in study.ensembles.values():
        cells = [
            count(e.particles),
            number(e.train_seconds),
            number(e.sample_seconds),
            count(e.force_evaluations),
            count(e.network_evaluations),
        ]
        texts = "".join(f'<td class="text">{html.escape(text)}</td>' for text in (e.sampler, e.family))
        rows.append(
            f'<tr data-ensemble="{html.escape(e.name)}"><td>{html.escape(e.name)}</td>{texts}{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        )
    return table(heads, rows)


def exact(value: float, error: float, mark: str = "") -> str:
    """An exact answer, or what it is below where its error hides it or it is too small for a number."""
    known = error if error > 0 else 0.0
    if value > known or not math.isfinite(value):
        return mark + measured(value, error)
    return f"{mark}< {max(1.05 * (value + known), 1e-308):.1e}"


def rare(study: Study) -> str:
    """Estimators of rare events beside the exact answers."""
    heads = ["", "method", "event", "p", "std. error", "exact chain", "exact continuum", "z", "V per run"]
    heads += ["steps per run", "steps to 10%", "gain", "of the optimum"]
    rows = []
    for r in study.rare:
        error = number(r.error) if r.normal else f"{number(r.low)} … {number(r.high)}"
        values = (r.z, r.variance, r.cost, r.cost_10, r.gain, r.of_optimum)
        cells = [r.method, r.event, f"{r.estimate:.4g}", r.failure or error]
        cells += [
            exact(r.chain, r.chain_error, "~" if r.predicted else ""),
            exact(r.continuum, r.continuum_error),
        ]
        cells += map(number, values)
        rows.append(
            f"<tr><td>{html.escape(r.estimator)}</td>"
            f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        )
    note = (
        "<p class=note>z compares with the chain that is simulated. ~: predicted. An interval in place of an"
        " error is a bootstrap's: runs are too uneven for a normal one.</p>"
    )
    return note + table([(head, head in ("", "method", "event")) for head in heads], rows)


def inference(study: Study) -> str:
    """Estimates of parameters beside truth and limit."""
    heads = ["", "method", "parameter", "lag", "pairs", "truth", "limit", "estimate", "std. error"]
    heads += ["95% interval", "cells"]
    rows = []
    for r in study.infer:
        numbers = (r.lag or float("nan"), r.pairs, r.truth, r.limit, r.estimate)
        name = r.parameter if np.isnan(r.knot) else f"{r.parameter} ({r.knot:.4g})"
        cells = [r.method, name, *(number(value, 5) for value in numbers)]
        cells += [r.failure or number(r.error), f"{number(r.low)} … {number(r.high)}", number(r.grid)]
        rows.append(
            f"<tr><td>{html.escape(r.inference)}</td>"
            f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        )
    note = "<p class=note>Limit: for infinitely many data at that lag. Cells: error due to the grid.</p>"
    return note + table([(head, head in ("", "method", "parameter")) for head in heads], rows)


def potentials(study: Study) -> str:
    """Recovered potentials: how far the drift is from the true one."""
    heads = ["", "method", "lag", "knots", "smoothness", "effective", "drift error", "std. dev.", "expected"]
    heads += ["spline alone", "cells", "V covered", "drift covered"]
    rows = []
    for p in study.potentials:
        numbers = [p.lag or float("nan"), p.knots, p.smoothness, p.effective, p.error, p.error_sd, p.expected]
        numbers += [p.alone, p.grid, p.covered_potential, p.covered_drift]
        cells = [p.method, *(number(value) for value in numbers)]
        rows.append(
            f"<tr><td>{html.escape(p.inference)}</td>"
            f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        )
    note = (
        "<p class=note>Drift error: root mean square over the density, relative to the true drift. Spline"
        " alone: the least possible with these knots. Covered: fraction of the density where 95% bands"
        " contain the truth.</p>"
    )
    return note + table([(head, head in ("", "method")) for head in heads], rows)


def identifiability(study: Study) -> str:
    """Designs with what they can tell of each parameter."""
    rows = []
    for d in study.designs:
        for k, name in enumerate(d.parameters):
            known = d.eigenvalues[k] > d.errors[k]
            deviation = (
                number(d.deviations[k] * d.scales[k]) if np.isfinite(d.variances[k]) else "undetermined"
            )
            cells = [
                d.design,
                number(d.eigenvalues[k]) if known else "0",
                number(d.errors[k]),
                name,
                deviation,
            ]
            rows.append(
                f"<tr><td>{html.escape(d.inference)}</td>"
                f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
            )
    heads = [("", True), ("design", True), ("eigenvalue", False), ("error", False), ("parameter", True)]
    return table([*heads, ("std. dev.", False)], rows)


def control(study: Study) -> str:
    """What best drives lead to beside others."""
    rows = []
    for line in study.controls:
        cells = [(r.drive, r.quantity, f"{r.value:.7g}", number(r.error)) for r in line.ladder]
        for cell in cells or [("", line.quantity, line.failure, "")]:
            rows.append(
                f"<tr><td>{html.escape(line.name)}</td>"
                f"{''.join(f'<td>{html.escape(text)}</td>' for text in cell)}</tr>"
            )
    return table([("control", True), ("drive", True), ("of", True), ("value", False), ("error", False)], rows)


def ranking(study: Study) -> str:
    """The lines of the study in order of their distance, and where the error of those comes from that ran as
    an oracle, too.
    """
    heads = [
        "",
        "rank",
        "field",
        "seeds",
        study.ranked_by.replace("_", " "),
        "std. dev.",
        "noise floor",
        "excess",
        "std. error",
        "× closer than boltzmann",
        "training (s)",
        "sampling (s)",
        "force evaluations",
        "network evaluations",
    ]
    places = [r.place for r in study.ranking]
    rows = []
    for r in study.ranking:
        cells = [
            f"{r.place}{'=' if places.count(r.place) > 1 else ''}" if r.place else "–",
            "–" if r.mode == "none" else r.mode,
            f"{r.seeds}{f' ({r.lost} lost)' if r.lost else ''}",
        ]
        relative = (
            f"{number(r.factor)}{' !' if study.baseline_converged == 0 and math.isfinite(r.factor) else ''}"
        )
        cells += (
            [number(v) for v in (r.mean, r.spread, r.floor, r.excess, r.error)]
            + [relative]
            + [number(v) for v in (r.train_seconds, r.sample_seconds)]
            + [
                count(round(v)) if math.isfinite(v) else "–"
                for v in (r.force_evaluations, r.network_evaluations)
            ]
        )
        kind = ' class="noise"' if r.noise else ""
        rows.append(
            f'<tr data-line="{html.escape(r.line)}"><td>{html.escape(r.line)}{" !" if r.converged == 0 else ""}</td>{"".join(f"<td{kind}>{cell}</td>" for cell in cells)}</tr>'
        )
    note = (
        f"<p class=note>By {html.escape(study.ranked_by)} above its noise floor, averaged over"
        f" {study.ranked_over}. Means over trainings; ensembles share a rank if two standard errors and the"
        " truth's own error do not separate them, and all that cannot be distinguished from exact samples"
        " (grey) share one.</p>"
    )
    if any(r.converged == 0 for r in study.ranking):
        note += (
            "<p class=note>! marks samples that have not converged to the density that their method aims at,"
            " and factors relative to them.</p>"
        )
    blocks = [note, table([(h, i == 0) for i, h in enumerate(heads)], rows)]
    if study.splits:
        heads = [
            "",
            "truth error",
            "finite samples",
            "method error",
            "learning error",
            "of which training set",
            "±",
        ]
        rows = [
            f'<tr data-split="{html.escape(s.line)}"><td>{html.escape(s.line)}</td>{"".join(f"<td>{number(v)}</td>" for v in (s.truth_error, s.finite_samples, s.method, s.learning, s.training_set, s.error))}</tr>'
            for s in study.splits
        ]
        blocks += [
            (
                "<p class=note>Where the error comes from: the noise floor; what remains with the exact field"
                " (oracle minus floor); what learning adds (learned minus oracle), and the part of that which"
                " the best fit to the training set also has.</p>"
            ),
            table([(h, i == 0) for i, h in enumerate(heads)], rows),
        ]
    return "\n".join(blocks)


def reading() -> str:
    return (
        "<p>The <b>noise floor</b> is what the same estimator gives for the same number of exact draws from"
        " the truth; smaller distances cannot be seen. The <b>excess</b>, value minus mean floor, is"
        " therefore the error of the ensemble itself; it may be negative by chance. Rows that cannot be"
        " distinguished from exact draws are grey. The <b>truth's own error</b> is how much the value would"
        " change if the estimated error of the truth were added to it: smaller differences are"
        " meaningless.</p><p class=note>Averages and maxima are over the snapshots. A density on the grid has"
        " no noise and no floor. ‘Within noise’ counts the times at which the value is at most the 95%"
        " quantile of the floor plus the truth's own error; exact draws are there at 95% of times, and an"
        " ensemble counts as exact if the misses can be explained by chance and its average excess is below"
        " its floor.</p>"
    )


def provenance(study: Study) -> str:
    rows = [
        f"<tr><td>{html.escape(key)}</td><td"
        f' class="text">{html.escape(number(value) if isinstance(value, float) else str(value))}</td></tr>'
        for key, value in study.provenance.items()
        if key != "finished"
    ]
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def plan(study: Study) -> str:
    return f"<pre>{html.escape(study.plan)}</pre>"


def draw(study: Study, options: Options) -> dict[str, str]:
    """Saves every figure that the study has; returns them by name, as HTML."""
    folder = study.directory / "figures"
    folder.mkdir(exist_ok=True)
    blocks = {}
    with matplotlib.rc_context(STYLE):
        for name, make in figures(study, options.planes).items():
            figure = make(study)
            if figure is None:
                continue
            png = as_png(figure)
            write_aside(folder / f"{name}.png", functools.partial(pathlib.Path.write_bytes, data=png))
            for kind in ("svg", "pdf") if options.vector else ():
                data = as_vector(figure, kind)
                write_aside(folder / f"{name}.{kind}", functools.partial(pathlib.Path.write_bytes, data=data))
            if not options.figures_only:
                blocks[name] = _figure(study, name, png, figure.get_figwidth())
    return blocks


def _figure(study: Study, name: str, png: bytes, width: float) -> str:
    small = ' class="small"' if width < 5 else ""
    said = html.escape(caption(study, name))
    return (
        f'<figure id="{html.escape(name)}"><img{small} alt="{said}"'
        f' src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        f"<figcaption>{said}</figcaption></figure>"
    )


def caption(study: Study, name: str) -> str:
    kind = name if name in CAPTIONS else next(k for k in CAPTIONS if name.startswith(f"{k}_"))
    text = CAPTIONS[kind]
    if kind == "snapshots" and study.known_bins.dimension > 1:
        text = "Snapshots: densities of the truth and of each ensemble, on one colour scale."
    if kind == "truth_error" and study.joint:
        text = (
            "The truth's own error, estimated with companions that are coarser, and its parts; its entropy;"
            " and its divergence from the equilibrium of each moment."
        )
    if kind == "corner":
        text = f"{name[len('corner_'):]}: {text[0].lower()}{text[1:]}"
    elif len(shown(study)) < len(study.ensembles) and kind not in (
        "ranking",
        "thermodynamics",
        "truth_error",
    ):
        text += f" Shown are {len(shown(study))} of {len(study.ensembles)} ensembles."
    if study.members and kind in ("density", "snapshots", "differences"):
        text += " Of several trainings, the first is shown."
    if kind == "truth_error" and study.truth:
        text += f" The smallest density anywhere was {number(float(study.truth.minimum.min()))}."
    if kind == "thermodynamics" and study.truth and study.truth.unresolved:
        text += (
            " The truth is not resolved in space: estimated errors are good to an order of magnitude at best."
        )
    return text


def as_png(figure: Figure) -> bytes:
    """Through the canvas: savefig would draw everything twice."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    figure.set_layout_engine("none")  # the layout has been found
    return buffer.getvalue()


def as_vector(figure: Figure, kind: str) -> bytes:
    """As "svg" or "pdf", the same from run to run. Backends are loaded when they are needed."""
    buffer = io.BytesIO()
    if kind == "svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    else:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})
    return buffer.getvalue()


def page(study: Study, view: Study, drawn: dict[str, str], options: Options) -> str:
    """`view` has the trainings of a line taken together."""
    sentences = "".join(f"<li>{sentence}</li>" for sentence in findings(view))
    body = [f"<h1>{html.escape(study.name)}</h1>", f'<ul class="findings">{sentences}</ul>']
    body += [slider.block(view, options.planes)]
    body += [block for name, block in drawn.items() if name not in FOLDED]
    body += [folded(title, drawn[name]) for name, title in FOLDED.items() if name in drawn]
    body += ["<h2>Numbers</h2>", *numbers(study, view)]
    return PAGE.format(title=html.escape(study.name), body="\n".join(body))


def numbers(study: Study, view: Study) -> list[str]:
    """All tables, each behind a click."""
    everywhere, blocks = np.ones(len(study.times), bool), []
    first, names = principal(view), measured_by(view)
    others = [name for name in names if name not in first]
    for at, where in ((everywhere, ""), (study.held_out, f" at the {study.held_out.sum()} held-out times")):
        if not at.any() or not names:
            continue
        note = "<p class=note>No sampler was trained on these times.</p>" if where else ""
        blocks.append(folded(f"{' and '.join(first)}{where}", note, results(view, at, first)))
        if others:
            blocks.append(folded(f"Other measures{where}", note, results(view, at, others)))
        if view.members:
            blocks.append(folded(f"Each training{where}", note, results(_trainings(study), at, names)))
    if study.rare:
        blocks.append(folded("Rare events", rare(study)))
    if study.infer:
        blocks.append(folded("Inference", inference(study)))
    if study.potentials:
        blocks.append(folded("Potentials without a formula", potentials(study)))
    if study.designs:
        blocks.append(folded("Identifiability", identifiability(study)))
    if study.controls:
        blocks.append(folded("Control", control(study)))
    if study.ranking:
        blocks.append(folded("Ranking", ranking(study)))
    if study.ensembles or study.truth or study.joint:
        blocks.append(folded("Costs", costs(study)))
    if study.comparisons:
        blocks.append(folded("How to read it", reading()))
    return [*blocks, folded("Provenance", provenance(study)), folded("Plan, with its defaults", plan(study))]


def _trainings(study: Study) -> Study:
    """Comparisons of the ensembles that are trainings of a line with several."""
    names = {name for members in study.trainings.values() for name in members}
    part = copy.copy(study)
    part.comparisons = {label: c for label, c in study.comparisons.items() if c.ensemble in names}
    return part


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fare report: {message} (usage: fare report [options] DIR)\n")


def attempt(command: str, directory: pathlib.Path, work: Callable[[pathlib.Path], object]) -> int:
    """Works on the directory. The exit code: 0 done, 1 a file cannot be written, 2 bad input, with its reason."""
    try:
        work(directory)
    except FareError as wrong:
        print(f"fare {command}: {wrong}", file=sys.stderr)
        return 2
    except OSError as wrong:
        where, why = wrong.filename or directory, wrong.strerror or wrong
        print(f"fare {command}: {where}: cannot be written: {why}", file=sys.stderr)
        return 1
    return 0


def report(directory: pathlib.Path, options: Options) -> None:
    """Writes all files."""
    study = Study(directory)
    view = joined(study)
    planes(study, options.planes)  # what is wrong is told before anything is written
    if options.movie:
        from fare.plot import movie

        movie.check(view, options.movie)
    drawn = draw(view, options)
    if not options.figures_only:
        text = page(study, view, drawn, options)
        write_aside(study.directory / "report.html", lambda path: path.write_text(text, encoding="utf-8"))
    if options.movie:
        movie.write(view, options.movie, options.planes)


def main(words: list[str] | None = None) -> int:
    parser = Parser(
        description="Draws report.html and figures/*.png in the directory of a finished FARE study."
    )
    parser.add_argument("directory", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--figures-only", action="store_true", help="leave report.html alone")
    parser.add_argument("--vector", action="store_true", help="write figures as SVG and PDF, too")
    parser.add_argument("--movie", choices=MOVIES, default="", help="write figures/density.gif or .mp4, too")
    parser.add_argument(
        "--planes", metavar="X:Y,...", default="", help="pairs of axes to draw in 3 dimensions"
    )
    given = vars(parser.parse_args(words))
    directory = given.pop("directory")
    return attempt("report", directory, functools.partial(report, options=Options(**given)))


if __name__ == "__main__":
    sys.exit(main())
