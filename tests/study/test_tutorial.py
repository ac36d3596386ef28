#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The studies of docs/tutorial run and give what the page shows: steps 1 to 4 the same numbers, steps 5 and 6, shortened,
the same answers.
fare-test: labels=study timeout=300
"""
import csv
import pathlib
import re
import sys
import tempfile

from checks import SOURCE, conclude, expect, fare

TUTORIAL = SOURCE / "docs/tutorial"
NUMBERS = re.compile(
    r"^\w+ +(rate [12]|time at -1) +(\S+)|(largest estimated L1 error) (\S+)|(pilot with \d+) cells.* error"
    r" (\S+) in space"
    r"|^(\w+(?:, model density)?) +(-?\d\S+?)\*? +\d\S+?\*?$",
    re.MULTILINE,
)


def numbers(text):
    """What the page quotes: rates, times, errors of the truth, and the table of distances, by their names."""
    found = ([part for part in match if part] for match in NUMBERS.findall(text))
    return {name: float(value) for name, value in found}


def run(where, step, *settings):
    words = [word for setting in settings for word in ("--set", setting)]
    done = fare(where, "run", TUTORIAL / f"step{step}.yaml", "--no-report", *words)
    expect(done.returncode == 0, f"step {step}: {done.stderr}")
    return done.stdout


def check_shown(where, step, least):
    shown, said = numbers((TUTORIAL / f"step{step}.txt").read_text()), numbers(run(where, step))
    expect(len(shown) >= least, f"step {step} shows {len(shown)} numbers, not {least}", shown)
    expect(shown.keys() == said.keys(), f"step {step} prints other numbers than the page", (shown, said))
    for name in shown.keys() & said.keys():
        expect(
            abs(shown[name] - said[name]) <= 0.02 * abs(shown[name]),
            (
                f"step {step}: the page says {name} {shown[name]}, now it is {said[name]}: run"
                f" docs/figures.py step{step}"
            ),
        )


def check_generator(where):
    few = [f"ensembles.{name}.particles=4000" for name in ("equilibrium", "generator", "generator_oracle")]
    said = run(where, 5, "ensembles.generator.steps=500", "ensembles.generator.train.particles=10000", *few)
    expect(
        re.search(r"^generator_oracle +\S+\*", said, re.MULTILINE), "the oracle is at its noise floor", said
    )
    distance = numbers(said)
    expect(
        distance["generator_oracle"] < distance["generator"], "the oracle is nearer than the model", distance
    )
    expect(20 * distance["generator"] < distance["equilibrium"], "the model beats equilibrium", distance)


def check_sweep(where):
    run(where, 6, "ensembles.simulated.particles=500", "ensembles.equilibrium.particles=500")
    exact = {}
    for point, period in enumerate((0.25, 1, 4, 16, 64, 256)):
        with open(where / f"out/tutorial_6/point_{point:04}/measures.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["comparison"] == "equilibrium_density"]
        exact[period] = sum(float(row["value"]) for row in rows) / len(rows)
    text = (TUTORIAL / "step6.txt").read_text()
    shown = re.findall(r"^(\S+),equilibrium,(\S+),(\S+)$", text, re.MULTILINE)
    expect(len(shown) == len(exact) == 6, "the page shows every point of the sweep", shown)
    for period, value, floor in (map(float, row) for row in shown):
        expect(
            abs(value - floor - exact[period]) < 0.03 * exact[period] + floor,
            f"at period {period} the page says {value}",
            exact,
        )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-tutorial-") as name:
        where = pathlib.Path(name)
        for step, least in ((1, 4), (2, 1), (3, 4), (4, 8)):
            check_shown(where, step, least)
        check_generator(where)
        check_sweep(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
