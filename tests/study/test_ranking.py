#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The ranking of a study with several samplers: means and spreads over trainings at the held-out times, places
and ties, what ends early, and where the error of a learned sampler comes from, all computed here a second
time from the measures themselves; as printed, in ranking.csv, in study.h5 and in the report.
fare-test: labels=study timeout=600
"""
import csv
import math
import pathlib
import re
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, failures, fare

STUDY = """\
study: ranked
seed: 5
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.5, count: 7}
truth: {cells: [512], tolerance: 1.0e-6}
ensembles:
  - {name: coarse, sampler: langevin, particles: 4000, dt: 8.0e-3}
  - {name: walk, sampler: langevin, particles: 4000, dt: 5.0e-4}
  - {name: many, sampler: langevin, particles: 16000, dt: 2.5e-4, integrator: heun}
  - {name: broken, sampler: langevin, particles: 1000, dt: 5.0e-2}
  - {name: still, sampler: boltzmann, particles: 2000}
  - {name: made, sampler: diffusion, particles: 4000, seeds: 2, steps: 300, batch: 1024, train: {particles: 4000, dt: 1.0e-3}}
  - {name: exact, sampler: diffusion, particles: 8000, oracle: true}
  - {name: memory, sampler: diffusion, particles: 4000, empirical: true, train: {particles: 4000, dt: 1.0e-3}}
  - {name: short, sampler: diffusion, particles: 4000, oracle: true, sampling_steps: 6}
  - {name: twin, sampler: diffusion, particles: 4000, steps: 300, batch: 1024, sampling_steps: 6, train: {particles: 4000, dt: 1.0e-3}}
measures: [total_variation, kl]
"""
LINES = {
    "coarse": ["coarse"],
    "walk": ["walk"],
    "many": ["many"],
    "broken": ["broken"],
    "still": ["still"],
    "made": ["made-1", "made-2"],
    "exact": ["exact"],
    "memory": ["memory"],
    "short": ["short"],
    "twin": ["twin"],
}
LEARNED = {"made", "twin"}


def near(a, b, rel=1e-8):
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=rel, abs_tol=1e-300)


def second_time(directory):
    """What the ranking should hold, from the measures of every training at the held-out times."""
    lines = {}
    with h5py.File(directory / "study.h5") as study:
        judged = study["snapshots/trained"][:] == 0
        for line, trainings in LINES.items():
            found = []
            for name in trainings:
                m = {
                    key: study[f"comparisons/{name}/kl/{key}"][:][judged]
                    for key in ("value", "floor_mean", "truth_error", "low", "high", "excess", "significance")
                }
                scatter = np.maximum(
                    (m["high"] - m["low"]) / (2 * 1.959963984540054), m["excess"] / m["significance"]
                )
                if not np.isnan(m["value"]).any():
                    found.append(
                        (
                            m["value"].mean(),
                            m["floor_mean"].mean(),
                            m["truth_error"].mean(),
                            scatter.mean(),
                            study[f"ensembles/{name}"].attrs["sample_seconds"],
                            study[f"ensembles/{name}"].attrs["force_evaluations"],
                        )
                    )
            value, floor, truth_error, scatter, seconds, forces = (
                np.mean(found, axis=0) if found else [math.nan] * 6
            )
            spread = float(np.std([f[0] for f in found], ddof=1)) if len(found) > 1 else math.nan
            error = (
                max(scatter, 0 if math.isnan(spread) else spread) / math.sqrt(len(found))
                if found
                else math.nan
            )
            lines[line] = {
                "mean": value,
                "spread": spread,
                "floor": floor,
                "excess": value - floor,
                "error": error,
                "truth_error": truth_error,
                "sample_seconds": seconds,
                "force_evaluations": forces,
                "seeds": len(found),
                "lost": len(trainings) - len(found),
            }
    for of in lines.values():
        of["factor"] = (
            lines["still"]["mean"] / max(of["mean"], of["truth_error"]) if of["seeds"] else math.nan
        )
        of["noise"] = bool(of["excess"] <= 2 * of["error"] + of["truth_error"])
    return lines


def give_places(lines):
    order = sorted((name for name in lines if lines[name]["seeds"]), key=lambda name: lines[name]["excess"])
    places, leader = {}, None
    for i, name in enumerate(order):
        this, first = lines[name], lines.get(leader)
        if first is None or (
            not (this["noise"] and first["noise"])
            and this["excess"] - first["excess"]
            > 2 * math.hypot(this["error"], first["error"]) + max(this["truth_error"], first["truth_error"])
        ):
            leader, place = name, i + 1
        places[name] = place
    return order, places


def check_table(directory, expected):
    with open(directory / "ranking.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    order, places = give_places(expected)
    expect(
        [row["line"] for row in rows] == [*order, "broken"],
        f"order {[row['line'] for row in rows]}, expected {order} and what ended early",
    )
    with h5py.File(directory / "study.h5") as study:
        ranking = study["ranking"]
        expect(
            ranking.attrs["measure"] == b"kl"
            and ranking.attrs["held_out"] == 1
            and ranking.attrs["times"] == 3,
            f"judged by {dict(ranking.attrs)}",
        )
        expect(set(ranking["lines"]) == set(LINES), f"lines {list(ranking['lines'])}")
        for row in rows:
            kept, wanted = ranking["lines"][row["line"]].attrs, expected[row["line"]]
            for name, value in wanted.items():
                expect(
                    near(float(row[name]), value), f"{name} of {row['line']}: {row[name]}, expected {value}"
                )
                expect(
                    near(float(kept[name]), value),
                    f"{name} of {row['line']} in study.h5: {kept[name]}, expected {value}",
                )
            expect(
                int(row["place"]) == kept["place"] == places.get(row["line"], 0),
                f"place of {row['line']}: {row['place']}, expected {places.get(row['line'], 0)}",
            )
    modes = {row["line"]: row["mode"] for row in rows}
    expect(
        modes
        == {
            **dict.fromkeys(("coarse", "walk", "many", "broken", "still"), "none"),
            **dict.fromkeys(LEARNED, "learned"),
            "exact": "oracle",
            "short": "oracle",
            "memory": "empirical",
        },
        f"modes {modes}",
    )


def check_sense(expected):
    """What must be so, whatever the random numbers: exact fields and fine steps cannot be told from the
    truth, coarse steps and equilibrium can.
    """
    _, places = give_places(expected)
    expect(places["walk"] == places["many"] == places["exact"] == 1, f"places {places}")
    expect(
        all(expected[name]["noise"] for name in ("walk", "many", "exact"))
        and not any(expected[name]["noise"] for name in ("coarse", "still", "made", "short")),
        "what is noise",
    )
    expect(places["still"] > places["coarse"] > 1, f"places {places}")
    expect(
        expected["broken"]["lost"] == 1 and expected["made"]["seeds"] == 2 and expected["made"]["spread"] > 0,
        "seeds",
    )


def check_splits(directory, expected):
    """The oracle of the same steps is the one that counts: exact for made, short for twin; memory has the
    same training set as made.
    """
    wanted = {"made": ("exact", "memory"), "twin": ("short", None)}
    with h5py.File(directory / "study.h5") as study:
        splits = {name: dict(group.attrs) for name, group in study["ranking/splits"].items()}
    expect(set(splits) == set(wanted), f"splits {list(splits)}")
    for name, (oracle, empirical) in wanted.items():
        split, learned, exact = splits.get(name, {}), expected[name], expected[oracle]
        training_set = expected[empirical]["excess"] - exact["excess"] if empirical else math.nan
        numbers = {
            "truth_error": learned["truth_error"],
            "finite_samples": learned["floor"],
            "method": exact["excess"],
            "learning": learned["excess"] - exact["excess"],
            "training_set": training_set,
            "error": math.hypot(learned["error"], exact["error"]),
        }
        expect(
            split.get("oracle") == oracle.encode()
            and split.get("empirical", b"").decode() == (empirical or ""),
            f"{name} is compared with {split}",
        )
        for part, value in numbers.items():
            expect(
                near(float(split.get(part, math.inf)), value),
                f"{part} of {name}: {split.get(part)}, expected {value}",
            )
    expect(
        splits["twin"]["method"] > 10 * splits["twin"]["error"]
        and abs(splits["made"]["method"]) < 4 * splits["made"]["error"],
        "six steps are too few, 24 are enough",
    )


def check_shown(directory, printed, expected):
    block = re.search(
        r"^Ranking by kl above its noise floor, averaged over 3 held-out times.*\n((?:.+\n)+)",
        printed,
        re.MULTILINE,
    )
    expect(block is not None and "Where the kl comes from" in printed, "the printed ranking")
    order, places = give_places(expected)
    shown = [line.split() for line in block.group(1).splitlines()[1:]] if block else []
    expect(
        [cells[1] for cells in shown] == [*order, "broken"], f"printed order {[cells[1] for cells in shown]}"
    )
    for cells in shown[:-1]:
        shared = list(places.values()).count(places[cells[1]]) > 1
        expect(
            cells[0] == f"{places[cells[1]]}{'=' if shared else ''}"
            and (cells[2] == "*") == expected[cells[1]]["noise"],
            f"printed {cells[:3]}",
        )
    page = (directory / "report.html").read_text()
    expect(
        re.findall(r'data-line="([\w-]+)"', page) == [*order, "broken"]
        and set(re.findall(r'data-split="(\w+)"', page)) == LEARNED,
        "rows of the report",
    )
    expect((directory / "figures" / "ranking.png").stat().st_size > 5000, "figures/ranking.png")


def check_ranks(where, expected):
    """What does not learn has the same row on any number of ranks."""
    done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=three", ranks=3)
    expect(done.returncode == 0, f"on 3 ranks: {done.returncode} {done.stderr[-300:]}")
    for line, wanted in second_time(where / "three").items():
        if line not in LEARNED | {"memory", "exact", "short"}:
            expect(
                near(wanted["mean"], expected[line]["mean"], 1e-15),
                f"{line} on 1 and 3 ranks: {expected[line]['mean']} and {wanted['mean']}",
            )
    check_table(where / "three", second_time(where / "three"))


def check_absent(where):
    """One line alone, or nothing to compare with: no ranking."""
    walk, still = (
        "{name: a, sampler: langevin, particles: 500, dt: 1.0e-3}",
        "{name: b, sampler: boltzmann, particles: 500}",
    )
    without_truth = "".join(
        line + "\n" for line in STUDY.splitlines() if not line.startswith(("truth", "measures"))
    )
    for name, study, ensembles in (("alone", STUDY, walk), ("untrue", without_truth, f"{walk}, {still}")):
        (where / "other.yaml").write_text(study)
        done = fare(
            where,
            "run",
            "other.yaml",
            "--no-report",
            "--set",
            f"output.directory={name}",
            "--set",
            f"ensembles=[{ensembles}]",
        )
        expect(
            done.returncode == 0
            and "Ranking" not in done.stdout
            and not (where / name / "ranking.csv").exists(),
            f"{name}: {done.returncode} {done.stderr}",
        )
        with h5py.File(where / name / "study.h5") as found:
            expect("ranking" not in found, f"{name}: a ranking in study.h5")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-ranking-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY)
        done = fare(where, "run", "study.yaml", "--set", "output.directory=one")
        expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-300:]}")
        if not failures:
            expected = second_time(where / "one")
            check_table(where / "one", expected)
            check_sense(expected)
            check_splits(where / "one", expected)
            check_shown(where / "one", done.stdout, expected)
            check_ranks(where, expected)
            check_absent(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
