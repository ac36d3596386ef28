#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Files of samples in every shape that is read score the same; /trained is the split; what lies outside the
truth's box is counted by hand.
fare-test: labels=verification timeout=120
"""
import json
import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import execute

STUDY = """\
study: {name}
seed: 3
system: {{name: {system}}}
snapshots: {{start: 0, end: 0.3, count: 4}}
truth: {{cells: {cells}, lower: {lower}, upper: {upper}, tolerance: 1e-3}}
"""
T, N = 4, 600
TIMES = np.arange(T) / 10
RNG = np.random.default_rng(4)
LINE, PLANE = RNG.normal(size=(T, N, 1)).clip(-3.5, 3.5), RNG.normal(size=(T, N, 2)).clip(-3.5, 3.5)
WEIGHTS, LOGS = 0.5 + RNG.random((T, N)), RNG.normal(size=(T, N))


def score(where, study, ranks=0, **datasets):
    """The scores of a file with these datasets, and the warnings."""
    with h5py.File(where / "some.h5", "w") as file:
        for name, data in datasets.items():
            file[name] = data
    done = execute(["score", study, "some.h5", "--json"], where, ranks)
    if done.returncode:
        return {"measures": [], "summary": []}, done.stderr.decode()
    return json.loads(done.stdout), done.stderr.decode()


def check_shapes(where):
    """What a file leaves out of [T, N, d] changes no number."""
    both = {"weights": WEIGHTS, "log_density": LOGS}
    one = {name: data[1] for name, data in both.items()}
    cases = [
        (
            "line",
            {"times": TIMES, "samples": LINE, **both},
            [{"times": TIMES, "samples": LINE[:, :, 0], **both}],
        ),
        (
            "line",
            {"times": TIMES[1:2], "samples": LINE[1:2], **{name: data[1:2] for name, data in both.items()}},
            [
                {"times": 0.1, "samples": LINE[1], **one},
                {"times": 0.1, "samples": LINE[1, :, 0], **one},
                {"times": 0.1, "samples": LINE[1:2], **one},
                {"times": 0.1, "samples": LINE[1:2, :, 0], **one},
                {"times": TIMES[1:2], "samples": LINE[1, :, 0], **one},
            ],
        ),
        (
            "line",
            {"times": TIMES, "samples": LINE, "weights": np.tile(WEIGHTS[0], (T, 1))},
            [{"times": TIMES, "samples": LINE, "weights": WEIGHTS[0]}],
        ),
        (
            "plane",
            {"times": TIMES[1:2], "samples": PLANE[1:2], "weights": WEIGHTS[1:2]},
            [{"times": 0.1, "samples": PLANE[1], "weights": WEIGHTS[1]}],
        ),
    ]
    for study, full, others in cases:
        expected, said = score(where, study, **full)
        expect(expected["measures"] and not said, f"{study}: the full shape is refused: {said}")
        for other in others:
            for ranks in (0, 2):
                found, said = score(where, study, ranks, **other)
                shapes = {name: np.shape(data) for name, data in other.items()}
                expect(
                    found["measures"] == expected["measures"],
                    f"{study}, {shapes}, {ranks} ranks: other scores than in full: {said}",
                )


def check_split(where):
    """The file's own split decides, whatever the study learned from; truth values will do."""
    for trained in ([0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]):
        for form in (np.uint8, np.int64, bool, float):
            scores, said = score(where, "line", times=TIMES, samples=LINE, trained=np.array(trained, form))
            held_out = [row["held_out"] for row in scores["measures"] if row["measure"] == "kl"]
            expect(
                held_out == [not t for t in trained] and scores["split"] == "file",
                f"/trained {trained} of {form.__name__}: held out {held_out}: {said}",
            )
            kl = np.array([row["value"] for row in scores["measures"] if row["measure"] == "kl"])
            average = next(row["held_out_average"] for row in scores["summary"] if row["measure"] == "kl")
            wanted = kl[np.array(trained) == 0]
            expect(
                average is None if not len(wanted) else math.isclose(average, wanted.mean()),
                f"average over held-out times {average}, expected {wanted}",
            )
    scores, _ = score(where, "line", times=TIMES, samples=LINE)
    expect(scores["split"] == "alternate" and scores["split_differs"] == 0, "the split of nobody")
    with h5py.File(where / "line" / "study.h5", "r+") as file:
        file["snapshots/trained"][...] = [1, 0, 0, 1]
    scores, _ = score(where, "line", times=TIMES, samples=LINE)
    expect(
        scores["split"] == "study"
        and [row["held_out"] for row in scores["measures"] if row["measure"] == "kl"]
        == [False, True, True, False],
        "the study's split",
    )
    scores, _ = score(where, "line", times=TIMES, samples=LINE, trained=[1, 1, 0, 0])
    expect(
        scores["split"] == "file"
        and scores["split_differs"] == 2
        and [row["held_out"] for row in scores["measures"] if row["measure"] == "kl"]
        == [False, False, True, True],
        "a split that differs from the study's",
    )


def check_outside(where):
    """The share of weight outside [-4, 4], counted by hand, at every measure; said on stderr; none where none
    is.
    """
    samples = LINE.copy()
    samples[1, :30], samples[3, 5:20], samples[3, 20:22] = 5, -9, 4.0
    scores, said = score(where, "line", times=TIMES, samples=samples, weights=WEIGHTS)
    by_hand = (WEIGHTS * (abs(samples[:, :, 0]) > 4)).sum(axis=1) / WEIGHTS.sum(axis=1)
    for row in scores["measures"]:
        expect(
            math.isclose(row["outside"], by_hand[round(10 * row["time"])], rel_tol=1e-9, abs_tol=1e-15),
            f"outside at {row['time']}: {row['outside']}, by hand {by_hand}",
        )
    expect(math.isclose(scores["outside"], by_hand.max(), rel_tol=1e-9), f"outside {scores['outside']}")
    expect(
        said.count("\n") == 1
        and "at 2 of 4 times samples lie outside the truth's box" in said
        and f"{100 * by_hand[1]:.3g}% of the weight at time 0.1" in said,
        f"warning {said!r}",
    )
    scores, said = score(where, "line", times=TIMES, samples=LINE)
    expect(scores["outside"] == 0 and not said, f"nothing is outside: {scores['outside']}, {said!r}")


def check_energy(where):
    """
    The energy distance with samples outside, from distances of pairs: in one dimension what is outside counts
    at the end that it is beyond, in two it is left out.
    """
    samples = LINE.copy()
    samples[1, ::10], samples[1, 5::15] = 7, -5
    scores, _ = score(where, "line", times=TIMES, samples=samples)
    found = next(
        row["value"]
        for row in scores["measures"]
        if row["measure"] == "energy_distance" and abs(row["time"] - 0.1) < 1e-9
    )
    with h5py.File(where / "line" / "snapshots" / "snapshot_000001.h5") as file:
        meshes = file["data/1/meshes"]
        mass = meshes["density_extrapolated" if "density_extrapolated" in meshes else "density"][()]
    edges = np.linspace(-4, 4, len(mass) + 1)
    at = np.concatenate([[-4], (edges[1:] + edges[:-1]) / 2, [4]])
    apart = abs(at[:, None] - at) + np.diag([0, *np.diff(edges) / 3, 0])  # two points of one bin
    p = np.concatenate([[0], mass / mass.sum(), [0]])
    x = samples[1, :, 0]
    q = np.concatenate([[(x < -4).sum()], np.histogram(x, edges)[0], [(x > 4).sum()]]) / N
    by_hand = (
        2 * p @ apart @ q - p @ apart @ p - (N * q @ apart @ q - q @ np.diag(apart)) / (N - 1)
    )  # pairs of different samples
    expect(
        math.isclose(found, by_hand, rel_tol=1e-9),
        f"energy distance with samples outside: {found}, by pairs {by_hand}",
    )
    flat = PLANE.copy()
    flat[:, ::6, 0] = 6
    inside = np.arange(N) % 6 != 0
    with_outside, without = (
        {
            row["time"]: row["value"]
            for row in score(where, "plane", times=TIMES, samples=rows)[0]["measures"]
            if row["measure"] == "energy_distance"
        }
        for rows in (flat, flat[:, inside])
    )
    expect(
        all(math.isclose(with_outside[t], without[t], rel_tol=1e-9) for t in without),
        f"energy distance in two dimensions: {with_outside}, without what is outside {without}",
    )


def check_warnings(where):
    """What is not read, and a place that nobody has written to, are said."""
    _, said = score(where, "line", times=TIMES, samples=LINE, energies=LOGS)
    expect("ignored in /: energies" in said, f"an unknown dataset: {said!r}")
    unwritten = LINE.copy()
    unwritten[3, 400:] = 0
    _, said = score(where, "line", times=TIMES, samples=unwritten)
    expect(
        "the last 200 of 600 samples at time 0.3 are 0, as if never written" in said,
        f"samples that were never written: {said!r}",
    )
    with h5py.File(where / "parts.h5", "w") as file:
        file["x"] = LINE
    layout = h5py.VirtualLayout((T, N, 1), "f8")
    layout[:2], layout[2:] = (
        h5py.VirtualSource("parts.h5", "x", (T, N, 1))[:2],
        h5py.VirtualSource("parts.h5", "x", (T, N, 1))[2:],
    )
    expected, _ = score(where, "line", times=TIMES, samples=LINE)
    for make in (
        lambda file: file.create_virtual_dataset("samples", layout),
        lambda file: file.__setitem__("samples", h5py.ExternalLink("parts.h5", "/x")),
    ):
        with h5py.File(where / "virtual.h5", "w") as file:
            file["times"] = TIMES
            make(file)
        for ranks in (0, 3):
            done = execute(["score", "line", "virtual.h5", "--json"], where, ranks)
            expect(
                done.returncode == 0 and json.loads(done.stdout)["measures"] == expected["measures"],
                f"virtual or linked samples on {ranks} ranks: {done.stderr}",
            )


def check_described(where):
    """Every name in the scores can be described."""
    scores, _ = score(where, "line", times=TIMES, samples=LINE, log_density=LOGS)
    names = {row["measure"] for row in scores["measures"]} | set(scores["measures"][0]) - {
        "time",
        "held_out",
        "measure",
        "samples",
    }
    expect({"kl_density", "density_mass", "outside"} <= names, f"names {names}")
    for name in sorted(names):
        done = execute(["describe", "measure", name], where)
        expect(
            done.returncode == 0 and name in done.stdout.decode(),
            f"fare describe measure {name}: {done.stderr}",
        )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-score-files-") as name:
        where = pathlib.Path(name)
        for study, system, cells, box in (
            ("line", "ornstein_uhlenbeck", "[64]", 1),
            ("plane", "rotational_ou", "[24, 24]", 2),
        ):
            (where / f"{study}.yaml").write_text(
                STUDY.format(name=study, system=system, cells=cells, lower=[-4] * box, upper=[4] * box)
            )
            done = execute(
                ["run", f"{study}.yaml", "--no-report", "--set", f"output.directory={study}"], where
            )
            assert done.returncode == 0, f"{study} does not run: {done}"
        check_shapes(where)
        check_outside(where)
        check_energy(where)
        check_warnings(where)
        check_described(where)
        check_split(where)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
