# SPDX-License-Identifier: BSD-2-Clause
"""What a study has found, in sentences that follow from its numbers alone."""
from __future__ import annotations

import html
import math

import numpy as np

from fare.files import Array
from fare.page import count, highest, number, unit_of
from fare.plot.drawing import headline, mean
from fare.results import Study
from fare.tables import Comparison, Measured


def findings(study: Study) -> list[str]:
    """Sentences of HTML, computed from the measures alone."""
    span = (
        f"at {len(study.times)} times from t = {study.times[0]:g} to {study.times[-1]:g}"
        if len(study.times) > 1
        else f"at t = {study.times[0]:g}"
    )
    ensembles = f"{len(study.ensembles)} ensemble{'' if len(study.ensembles) == 1 else 's'}"
    of = _truth(study, span)
    if not of:
        return [
            f"{ensembles.capitalize()} {span}. The study has no truth, so there is nothing to compare with."
        ]
    name = headline(study)
    against = [
        c
        for c in study.comparisons.values()
        if c.of == "samples" and c.against == "truth" and name in c.measures
    ]
    against = [c for c in against if not np.isnan(c.measures[name].value).all()]
    if not against:
        return [f"{of[0].upper()}{of[1:]}. Nothing was compared with it.", *_failures(study)]
    baseline = _baseline(study, against)
    text = [
        f"{ensembles.capitalize()} against {of}. The following statements use"
        f" {html.escape(name)} ({html.escape(unit_of(against[0].measures[name]))}), averaged over times"
        f"{', trained and held out' if study.held_out.any() else ''}."
    ]
    text += [_verdict(study, c, baseline, name) for c in against]
    text += _failures(study)
    text += _factors(study, against, baseline, name)
    text += _converged(study, name)
    return text


def _truth(study: Study, span: str) -> str:
    """What there is to compare with."""
    if study.joint:
        error = highest(study.joint.series["error"]) if "error" in study.joint.series else 0
        where = f"by a truth of kind {html.escape(study.joint.kind)}"
    elif study.truth:
        error, where = (
            highest(study.truth.error_extrapolated),
            f"on {' × '.join(str(n) for n in study.truth.cells)} cells",
        )
    else:
        return ""
    known = (
        f"its L1 error is estimated as {number(error)} at the most inaccurate time"
        if error > 0
        else "its error was not estimated"
    )
    if study.truth and study.truth.unresolved:
        known += (
            ", to an order of magnitude at best, as it is not resolved in space:"
            f" {html.escape(study.truth.unresolved)}"
        )
    system = (study.joint or study.truth).system  # type: ignore[union-attr]
    return f"the exact density of {html.escape(system)} {where} {span}; {known}"


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


def is_noise(measured: Measured, at: Array) -> bool:
    """Whether exact draws could do no better: above the 95% quantile no more often than chance allows (99%),
    and on average by less than the floor.
    """
    times = int(at.sum())
    chance = np.cumsum([math.comb(times, k) * 0.05**k * 0.95 ** (times - k) for k in range(times + 1)])
    misses = times - int(measured.within_noise[at].sum())
    small = mean(measured.excess[at]) <= max(mean(measured.floor_size[at]), mean(measured.truth_error[at]))
    return misses <= min(int(np.argmax(chance >= 0.99)), (times - 1) // 2) and small


def _is_seen(measured: Measured, at: Array) -> bool:
    """Whether a measure shows what is no noise: beyond it at half of the times, and beyond the truth's own error."""
    known = ~np.isnan(measured.value[at])
    misses = int((~measured.within_noise[at] & known).sum())
    return 2 * misses > max(1, int(known.sum())) and mean(measured.excess[at]) > mean(
        measured.truth_error[at]
    )


def _verdict(study: Study, comparison: Comparison, baseline: Comparison | None, name: str) -> str:
    measured, everywhere = comparison.measures[name], np.ones(len(study.times), bool)
    numbers = (
        f"{number(mean(measured.value))}, noise floor {number(mean(measured.floor_mean))}, within the noise"
        f" at {measured.within_noise.sum()} of {len(study.times)} times"
    )
    if is_noise(measured, everywhere):
        verdict = (
            f"tracks the truth: its {count(comparison.samples)} samples cannot be distinguished from exact"
            " draws"
        )
    elif (
        baseline
        and baseline is not comparison
        and mean(measured.value) < 0.1 * mean(baseline.measures[name].value)
    ):
        verdict = "tracks the truth closely, but not to within the noise"
    else:
        verdict = "departs from the truth"
    if is_noise(measured, everywhere):
        finer = [of for of, one in comparison.measures.items() if of != name and _is_seen(one, everywhere)]
        if finer:
            verdict += f" by {html.escape(name)}, but {html.escape(', '.join(finer))} can"
    trainings = len(study.members.get(comparison.ensemble, []))
    over = f"means over {trainings} trainings: " if trainings else ""
    return f"<b>{html.escape(comparison.ensemble)}</b> {verdict} ({over}{numbers})."


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
    return f"{'at least ' if is_noise(measured, at) else ''}{_two_digits(ratio)}-fold closer to the truth"


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
