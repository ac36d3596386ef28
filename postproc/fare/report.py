# SPDX-License-Identifier: BSD-2-Clause
"""Draws report.html, one file that needs nothing else, and figures/*.png in the directory of a finished FARE
study.

    fare report DIR                            both
    python3 -m fare report --figures-only DIR  the figures alone
"""
from __future__ import annotations

import argparse
import base64
import functools
import html
import io
import math
import os
import pathlib
import sys
from collections.abc import Iterable
from typing import Callable, NoReturn

try:
    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from fare.files import Array, FareError
    from fare.plot.drawing import STYLE, describe, headline, mean, shown
    from fare.plot.figures import FIGURES
    from fare.results import Study
    from fare.tables import Comparison, Measured
except ImportError as missing:
    sys.exit(f"fare report: needs Python with h5py, numpy and matplotlib 3.6 or later ({missing})")

CAPTIONS = {
    "density": (
        "Density over time on one colour scale: the truth and each ensemble, and below, where an ensemble has"
        " too much (red) or too little (blue)."
    ),
    "snapshots": "Snapshots: the truth as a line, each ensemble as a histogram of its particles.",
    "divergences": (
        "Distance from the truth over time. Shaded, in the colour of the ensemble: what exact draws of as"
        " many particles would show (mean to 95% quantile). Nothing below that can be told apart from the"
        " truth."
    ),
    "costs": (
        "What each ensemble has cost and how far it is from the truth, averaged over times; the stem reaches"
        " down to its noise floor. Lower left is better."
    ),
    "ranking": (
        "The lines of the study in the order of the ranking, with their places. Left, the distance from the"
        " truth: the mean over trainings with their standard deviation (of a single one, its standard error),"
        " and the noise floor. Right, what one training costs, and with its samples."
    ),
    "training": "Training loss.",
    "truth_error": (
        "The truth's own error, estimated with coarser companions in space and time; and what the scheme must"
        " keep."
    ),
    "thermodynamics": (
        "What the drive costs: work, heat and entropy production of the truth. Where particles measured their"
        " work, its distribution forward and reversed: the two cross at the change of the free energy"
        " (Crooks)."
    ),
}
RASTER = {"density"}  # images; the others are lines, which SVG keeps sharp

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 72rem; margin: 2rem auto; padding: 0 1.2rem; }}
h1 {{ font-size: 1.7rem; margin-bottom: .3rem; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }}
p.summary {{ font-size: 1.05rem; max-width: 60rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .8rem; text-align: right; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; padding-left: .2rem; }}
td.text, th.text {{ text-align: left; }}
thead th {{ border-bottom: 1px solid #555; vertical-align: bottom; font-weight: 600; white-space: normal; }}
tbody th {{ padding-top: .7rem; font-weight: 600; }}
tbody th span {{ font-weight: 400; color: #555; }}
tbody tr:hover td {{ background: #f4f6f8; }}
td.noise {{ color: #6b6b6b; }}
figure {{ margin: 1.4rem 0 2rem; }}
figure img {{ width: 100%; height: auto; display: block; }}
figure img.small {{ max-width: 44rem; }}
figcaption, p.note {{ font-size: .9rem; color: #444; max-width: 60rem; }}
pre {{ background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .85rem; line-height: 1.4; }}
@media print {{ body {{ margin: 0; max-width: none; }} figure {{ break-inside: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def number(value: float, digits: int = 3) -> str:
    """Three digits, plain where that is readable (0.0123, 1.23e-5); a dash where there is no number."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1e4:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return f"{value:.{digits - 1}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def count(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}") if value < 10_000_000 else number(value)


def highest(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else math.nan


def summary(study: Study) -> str:
    """A paragraph of HTML, computed from the measures alone."""
    span = (
        f"at {len(study.times)} times from t = {study.times[0]:g} to {study.times[-1]:g}"
        if len(study.times) > 1
        else f"at t = {study.times[0]:g}"
    )
    ensembles = f"{len(study.ensembles)} ensemble{'' if len(study.ensembles) == 1 else 's'}"
    if study.truth is None:
        return (
            f"{ensembles.capitalize()} {span}. The study has no truth, so that there is nothing to compare"
            " with."
        )
    cells = " × ".join(str(n) for n in study.truth.cells)
    error = highest(study.truth.error)
    known = (
        f"its L1 error is estimated as {number(error)} at the most inaccurate time"
        if error > 0
        else "its error was not estimated"
    )
    if study.truth.unresolved:
        known += (
            ", to an order of magnitude at best, as it is not resolved in space:"
            f" {html.escape(study.truth.unresolved)}"
        )
    of = f"the exact density of {html.escape(study.truth.system)} on {cells} cells {span}; {known}"
    name = headline(study)
    against = [
        c
        for c in study.comparisons.values()
        if c.of == "samples" and c.against == "truth" and name in c.measures
    ]
    against = [c for c in against if not np.isnan(c.measures[name].value).all()]
    if not against:
        return " ".join([f"{of[0].upper()}{of[1:]}. Nothing was compared with it.", *_failures(study)])
    baseline = _baseline(study, against)
    text = [
        f"{ensembles.capitalize()} against {of}. By"
        f" {html.escape(name)} ({html.escape(_unit(against[0].measures[name]))}), averaged over times:"
    ]
    text += [_verdict(study, c, baseline, name) for c in against]
    text += _failures(study)
    text += _factors(study, against, baseline, name)
    text += _converged(study, name)
    return " ".join(text)


def _failures(study: Study) -> list[str]:
    return [
        f"<b>{html.escape(e.name)}</b> ended early: {html.escape(e.failure)}."
        for e in study.ensembles.values()
        if e.failure
    ]


def _baseline(study: Study, against: list[Comparison]) -> Comparison | None:
    """What equilibrium sampling gives: the boltzmann sampler or else the first of its family."""
    kin = [c for c in against if study.ensembles[c.ensemble].family == "equilibrium"]
    return next(
        (c for c in kin if study.ensembles[c.ensemble].sampler == "boltzmann"), kin[0] if kin else None
    )


def _is_noise(measured: Measured, at: Array) -> bool:
    """Whether exact draws could do no better: above the 95% quantile no more often than chance allows (99%),
    and on average by less than the floor.
    """
    times = int(at.sum())
    chance = np.cumsum([math.comb(times, k) * 0.05**k * 0.95 ** (times - k) for k in range(times + 1)])
    misses = times - int(measured.within_noise[at].sum())
    small = mean(measured.excess[at]) <= max(mean(measured.floor_size[at]), mean(measured.truth_error[at]))
    return misses <= min(int(np.argmax(chance >= 0.99)), (times - 1) // 2) and small


def _verdict(study: Study, comparison: Comparison, baseline: Comparison | None, name: str) -> str:
    measured, everywhere = comparison.measures[name], np.ones(len(study.times), bool)
    numbers = (
        f"{number(mean(measured.value))}, noise floor {number(mean(measured.floor_mean))}, within the noise"
        f" at {measured.within_noise.sum()} of {len(study.times)} times"
    )
    if _is_noise(measured, everywhere):
        verdict = f"tracks the truth: its {count(comparison.samples)} samples cannot be told from exact draws"
    elif (
        baseline
        and baseline is not comparison
        and mean(measured.value) < 0.1 * mean(baseline.measures[name].value)
    ):
        verdict = "tracks the truth closely, but not to within the noise"
    else:
        verdict = "departs from the truth"
    return f"<b>{html.escape(comparison.ensemble)}</b> {verdict} ({numbers})."


def _factors(study: Study, against: list[Comparison], baseline: Comparison | None, name: str) -> list[str]:
    """By how much the best ensemble, and the best generative one, beat equilibrium sampling."""
    others = [c for c in against if study.ensembles[c.ensemble].family != "equilibrium"]
    if baseline is None or not others:
        return []

    def distance(comparison: Comparison) -> float:
        return mean(comparison.measures[name].value)

    best = min(others, key=distance)
    chosen = [("The best ensemble", best)]
    generative = [c for c in others if study.ensembles[c.ensemble].family == "generative"]
    if generative and best not in generative:
        chosen.append(("The best generative one", min(generative, key=distance)))
    text = []
    for who, comparison in chosen:
        line = (
            f"{who}, <b>{html.escape(comparison.ensemble)}</b>, is"
            f" {_factor(baseline, comparison, name, np.ones(len(study.times), bool))} than"
            f" {html.escape(baseline.ensemble)}"
        )
        if study.held_out.any():
            line += (
                f"; over the {study.held_out.sum()} held-out times alone,"
                f" {_factor(baseline, comparison, name, study.held_out)}"
            )
        if _has_converged(study, baseline.ensemble, name) is False:
            line += (
                f" (but the samples of {html.escape(baseline.ensemble)} have not converged to its own"
                " density)"
            )
        text.append(line + ".")
    return text


def _factor(baseline: Comparison, comparison: Comparison, name: str, at: Array) -> str:
    measured = comparison.measures[name]
    ratio = mean(baseline.measures[name].value[at]) / max(
        mean(measured.value[at]), mean(measured.truth_error[at]), 1e-300
    )
    if ratio < 1:
        return f"{_two_digits(1 / ratio)}-fold further from the truth"
    return f"{'at least ' if _is_noise(measured, at) else ''}{_two_digits(ratio)}-fold closer to the truth"


def _two_digits(value: float) -> str:
    return count(int(float(f"{value:.1e}"))) if 10 <= value < 1e7 else number(value, 2)


def _has_converged(study: Study, ensemble: str, name: str) -> bool | None:
    """None where its method has no target."""
    for comparison in study.comparisons.values():
        if comparison.ensemble == ensemble and comparison.against == "target" and name in comparison.measures:
            measured = comparison.measures[name]
            return bool(mean(measured.excess) < 0.1 * mean(measured.floor_size))
    return None


def _converged(study: Study, name: str) -> list[str]:
    """Whether samplers with a known model density have reached it: if so, their distance from the truth is not one
    of sampling.
    """
    text = []
    for comparison in study.comparisons.values():
        if comparison.against == "target" and name in comparison.measures:
            measured = comparison.measures[name]
            reached = (
                "have converged to"
                if _has_converged(study, comparison.ensemble, name)
                else "have not converged to"
            )
            numbers = f"{number(mean(measured.value))}, noise floor {number(mean(measured.floor_mean))}"
            text.append(
                f"The samples of {html.escape(comparison.ensemble)} {reached} its own model density"
                f" ({numbers})."
            )
    return text


def _unit(measured: Measured) -> str:
    return "no unit" if measured.unit in ("1", "none", "-", "") else measured.unit


def table(heads: Iterable[tuple[str, bool]], rows: Iterable[str]) -> str:
    head = "".join(f'<th{" class=text" if text else ""}>{html.escape(title)}</th>' for title, text in heads)
    return (
        "<div"
        f' class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>'
    )


def results(study: Study, at: Array) -> str:
    """Averages and maxima over the times chosen, one block for each measure."""
    names = list(dict.fromkeys(name for c in study.comparisons.values() for name in c.measures))
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
            f' colspan="{len(heads)}">{html.escape(name)} <span>{html.escape(first.summary)} ({html.escape(_unit(first))})</span></th></tr>'
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
    kind = ' class="noise"' if noisy and _is_noise(measured, at) else ""
    body = "".join(f"<td{kind}>{cell}</td>" for cell in cells)
    line = describe(comparison) + (
        f" ({known} of {value.size})" if known < value.size else ""
    )  # a method that ended early
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


def ranking(study: Study) -> str:
    """The lines of the study in order of their distance, and where the error of those comes from that ran as
    an oracle, too.
    """
    heads = [
        "",
        "place",
        "field",
        "seeds",
        study.ranked_by.replace("_", " "),
        "spread",
        "noise floor",
        "excess",
        "its error",
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
        f" {study.ranked_over}. Means over trainings; lines share a place where two standard errors and the"
        " truth's own error do not tell them apart, and all that cannot be told from exact samples (grey)"
        " share one.</p>"
    )
    if any(r.converged == 0 for r in study.ranking):
        note += (
            "<p class=note>! marks samples that have not converged to the density that their method aims at,"
            " and what is relative to them.</p>"
        )
    blocks = [note, table([(h, i == 0) for i, h in enumerate(heads)], rows)]
    if study.splits:
        heads = [
            "",
            "truth error",
            "finite samples",
            "the method's own",
            "learning",
            "of which training set",
            "±",
        ]
        rows = [
            f'<tr data-split="{html.escape(s.line)}"><td>{html.escape(s.line)}</td>{"".join(f"<td>{number(v)}</td>" for v in (s.truth_error, s.finite_samples, s.method, s.learning, s.training_set, s.error))}</tr>'
            for s in study.splits
        ]
        blocks += [
            (
                "<p class=note>Where the error comes from: the noise floor; what is left with the exact field"
                " (oracle less floor); what learning adds (learned less oracle), and the part of that which"
                " the best fit to the training set has, too.</p>"
            ),
            table([(h, i == 0) for i, h in enumerate(heads)], rows),
        ]
    return "\n".join(blocks)


def reading() -> str:
    return (
        "<p>The <b>noise floor</b> is what the same estimator gives on exact draws from the truth, as many as"
        " the ensemble has samples: no ensemble can be seen to be closer than that. The <b>excess</b>, value"
        " minus mean floor, is therefore the part that belongs to the ensemble; it may be negative by chance,"
        " and rows that cannot be told from exact draws are grey. The <b>truth's own error</b> is how much"
        " the value would change if the estimated error of the exact density were added to it: differences"
        " smaller than that mean nothing.</p><p class=note>Averages and maxima are over the snapshots. A"
        " density on the grid has no noise and no floor. ‘Within noise’ counts the times at which the value"
        " is at most the 95% quantile of the floor plus the truth's own error; exact draws are there at 95%"
        " of times, and an ensemble counts as exact if chance could explain as many misses and its average"
        " excess is below its floor.</p>"
    )


def provenance(study: Study) -> str:
    rows = [
        f"<tr><td>{html.escape(key)}</td><td"
        f' class="text">{html.escape(number(value) if isinstance(value, float) else str(value))}</td></tr>'
        for key, value in study.provenance.items()
        if key != "finished"
    ]
    return (
        f"<table><tbody>{''.join(rows)}</tbody></table>\n<details><summary>The plan, with its"
        f" defaults</summary>\n<pre>{html.escape(study.plan)}</pre></details>"
    )


def write_aside(path: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """The file has its name only once it is complete."""
    aside = path.with_name(path.name + ".tmp")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def draw(study: Study, embed: bool) -> list[str]:
    """Saves every figure that the study has as PNG; returns them as HTML."""
    folder = study.directory / "figures"
    folder.mkdir(exist_ok=True)
    blocks = []
    with matplotlib.rc_context(STYLE):
        for name, make in FIGURES.items():
            figure = make(study)
            if figure is None:
                continue
            png = as_png(figure)
            write_aside(folder / f"{name}.png", functools.partial(pathlib.Path.write_bytes, data=png))
            if embed:
                raster = name in RASTER or (name == "snapshots" and study.known_bins.dimension > 1)
                kind, data = ("png", png) if raster else ("svg+xml", as_svg(figure))
                small = ' class="small"' if figure.get_figwidth() < 7 else ""
                image = (
                    f'<img{small} alt="{html.escape(CAPTIONS[name])}"'
                    f' src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
                )
                blocks.append(
                    "<figure"
                    f' id="{name}">{image}<figcaption>{html.escape(_caption(study, name))}</figcaption></figure>'
                )
    return blocks


def _caption(study: Study, name: str) -> str:
    some = len(shown(study)) < len(study.ensembles) and name in (
        "density",
        "snapshots",
        "divergences",
        "costs",
        "training",
    )
    note = (
        f" Shown are {len(shown(study))} of {len(study.ensembles)} ensembles, one training of a line."
        if some
        else ""
    )
    return (
        CAPTIONS[name]
        + note
        + (
            f" The smallest density anywhere was {number(float(study.truth.minimum.min()))}."
            if name == "truth_error" and study.truth
            else ""
        )
    )


def as_png(figure: Figure) -> bytes:
    """Through the canvas: savefig would draw everything twice."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    figure.set_layout_engine("none")  # the layout has been found
    return buffer.getvalue()


def as_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def page(study: Study, figures: list[str]) -> str:
    everywhere = np.ones(len(study.times), bool)
    body = [f"<h1>{html.escape(study.name)}</h1>", f'<p class="summary">{summary(study)}</p>']
    if study.comparisons:
        body += ["<h2>Results</h2>", results(study, everywhere)]
    if study.comparisons and study.held_out.any():
        body += [
            f"<h2>Results at the {study.held_out.sum()} held-out times</h2>",
            "<p class=note>No sampler was trained on these times.</p>",
            results(study, study.held_out),
        ]
    if study.ranking:
        body += ["<h2>Ranking</h2>", ranking(study)]
    if study.ensembles or study.truth:
        body += ["<h2>Costs</h2>", costs(study)]
    if figures:
        body += ["<h2>Figures</h2>", *figures]
    if study.comparisons:
        body += ["<h2>How to read it</h2>", reading()]
    body += ["<h2>Provenance</h2>", provenance(study)]
    return PAGE.format(title=html.escape(study.name), body="\n".join(body))


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fare report: {message} (usage: fare report [--figures-only] DIR)\n")


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


def report(directory: pathlib.Path, figures_only: bool) -> None:
    """Writes all files."""
    study = Study(directory)
    figures = draw(study, embed=not figures_only)
    if not figures_only:
        write_aside(
            study.directory / "report.html",
            lambda path: path.write_text(page(study, figures), encoding="utf-8"),
        )


def main(words: list[str] | None = None) -> int:
    parser = Parser(
        description="Draws report.html and figures/*.png in the directory of a finished FARE study."
    )
    parser.add_argument("directory", metavar="DIR", type=pathlib.Path)
    parser.add_argument(
        "--figures-only", action="store_true", help="write figures/*.png and leave report.html alone"
    )
    arguments = parser.parse_args(words)
    work = functools.partial(report, figures_only=arguments.figures_only)
    return attempt("report", arguments.directory, work)


if __name__ == "__main__":
    sys.exit(main())
