# SPDX-License-Identifier: BSD-2-Clause
"""The trainings of one line (`seeds: N`) taken together: means over them, and how far they spread."""
from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from fare.files import Array
from fare.results import Study
from fare.tables import Comparison, Ensemble, Measured, OverTrainings


def joined(study: Study) -> Study:
    """The study with one ensemble for each of its lines. Measures of a line are means over its trainings, `least`
    and `most` of them their range; the density of its first training stands for it. Trainings that ended early are
    left out, unless all did.
    """
    if not study.trainings:
        return study
    view = copy.copy(study)
    kept = {line: _whole(study, names) for line, names in study.trainings.items()}
    line_of = {name: line for line, names in study.trainings.items() for name in names}
    view.ensembles = {}
    for name, ensemble in study.ensembles.items():
        line = line_of.get(name)
        if line is None:
            view.ensembles[name] = ensemble
        elif line not in view.ensembles:
            view.ensembles[line] = _ensemble(line, [study.ensembles[each] for each in kept[line]])
    view.comparisons = {}
    for label, comparison in study.comparisons.items():
        line = line_of.get(comparison.ensemble)
        if line is None:
            view.comparisons[label] = comparison
            continue
        kind = line + label[len(comparison.ensemble) :]
        if kind not in view.comparisons:
            view.comparisons[kind] = _comparison(study, kind, line, comparison, kept[line])
    view.members = kept
    view.densities = (
        *(name for name in study.densities if name not in line_of),
        *(line for line, names in kept.items() if names[0] in study.densities),
    )
    return view


def _whole(study: Study, names: list[str]) -> list[str]:
    return [name for name in names if not study.ensembles[name].failure] or names


def _ensemble(line: str, members: list[Ensemble]) -> Ensemble:
    """Means of the costs."""
    first, count = members[0], len(members)
    return replace(
        first,
        name=line,
        train_seconds=sum(e.train_seconds for e in members) / count,
        sample_seconds=sum(e.sample_seconds for e in members) / count,
        force_evaluations=round(sum(e.force_evaluations for e in members) / count),
        network_evaluations=round(sum(e.network_evaluations for e in members) / count),
    )


def _comparison(study: Study, label: str, line: str, like: Comparison, names: list[str]) -> Comparison:
    members = [
        c
        for c in study.comparisons.values()
        if c.ensemble in names and (c.of, c.against) == (like.of, like.against)
    ]
    common = [name for name in members[0].measures if all(name in c.measures for c in members)]
    measures = {name: _measured([c.measures[name] for c in members]) for name in common}
    return Comparison(label, line, like.of, like.against, members[0].samples, measures)


def _measured(members: list[Measured]) -> OverTrainings:
    def average(name: str) -> Array | None:
        columns = [getattr(m, name) for m in members]
        return None if any(column is None for column in columns) else np.mean(columns, axis=0)

    means: dict[str, Any] = {
        f.name: average(f.name) for f in fields(Measured) if f.name not in ("summary", "unit")
    }
    values = [m.value for m in members]
    return OverTrainings(
        members[0].summary,
        members[0].unit,
        **means,
        least=np.min(values, axis=0),
        most=np.max(values, axis=0),
        averages=tuple(float(np.nanmean(value)) if not np.isnan(value).all() else np.nan for value in values),
    )
