#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Somebody else's samples, scored: exact ones lie within the floor, shifted ones show the closed form, intervals
cover, and neither layout, width, weights nor ranks matter.
fare-test: labels=verification timeout=300
"""
import csv
import io
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from fare.samples import write_samples
from launch import ENVIRONMENT, FARE, MPIEXEC, SOURCE

# A Gaussian at rest: every snapshot has the same density, so that one file holds as many independent trials
# as there are snapshots.
TRIALS = 120
STILL = f"""\
study: still
system: {{name: ornstein_uhlenbeck}}
snapshots: {{start: 0, end: 1.19, count: {TRIALS}}}
truth: {{cells: [240], lower: [-6], upper: [6], tolerance: 1e-6}}
"""
FLAT = """\
study: flat
seed: 5
system: {name: rotational_ou}
initial: {density: gaussian, mean: [2.0, 0.0], sd: [0.7, 0.7]}
snapshots: {start: 0, end: 0.5, count: 5}
truth: {cells: [40, 32], lower: [-6, -6], upper: [6, 6], tolerance: 1e-4}
ensembles:
  - {name: walk, sampler: langevin, particles: 3001, dt: 1e-2}
  - {name: rest, sampler: boltzmann, particles: 500}
"""
RING = """\
study: ring
system: {name: tilted_washboard}
snapshots: {start: 0, end: 1, count: 3}
truth: {cells: [64], tolerance: 1e-5}
"""
SOLID = """\
study: solid
system: {name: wells_3d}
snapshots: {start: 0, end: 0.1, count: 2}
truth: {cells: [16, 18, 20], tolerance: 1e-3}
"""
MEASURES = [
    "kl",
    "reverse_kl",
    "jensen_shannon",
    "total_variation",
    "wasserstein_1",
    "wasserstein_2",
    "hellinger_squared",
    "chi_squared",
    "energy_distance",
    "sliced_wasserstein",
    "tail_error",
    "well_population",
]
DENSITY_MEASURES = ["reverse_kl_density", "kl_density", "density_mass"]


def fare(*arguments, ranks=0, where=None):
    launch = [MPIEXEC, "-n", str(ranks)] if ranks else []
    done = subprocess.run(
        [*launch, FARE, *map(str, arguments)],
        env=ENVIRONMENT,
        cwd=where,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (
        done.returncode == 0
    ), f"fare {' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}"
    return done.stdout


def study(where, name, text):
    (where / f"{name}.yaml").write_text(text)
    fare("run", f"{name}.yaml", "--no-report", "--set", f"output.directory={name}", where=where)
    with h5py.File(where / name / "study.h5") as file:
        return where / name, file["snapshots/time"][:]


def score(directory, samples, *options, ranks=0):
    return json.loads(
        fare("score", directory, samples, "--json", *options, ranks=ranks),
        parse_constant=lambda word: expect(False, f"{word} in JSON"),
    )


def column(scores, measure, key):
    return np.array([row[key] for row in scores["measures"] if row["measure"] == measure])


def same(a, b, what, relative=0.0):
    """Two scores agree in all but the name of the file."""
    expect(
        [{k: v for k, v in row.items() if isinstance(v, (str, bool))} for row in a["measures"]]
        == [{k: v for k, v in row.items() if isinstance(v, (str, bool))} for row in b["measures"]],
        f"{what}: rows differ",
    )
    for key in (
        "time",
        "value",
        "floor",
        "low",
        "high",
        "excess",
        "p_value",
        "truth_error",
        "samples",
        "effective",
        "corrected",
        "significance",
        "independent",
    ):
        x, y = (
            np.array([math.nan if row[key] is None else row[key] for row in scores["measures"]])
            for scores in (a, b)
        )
        expect(
            np.all((abs(x - y) <= relative * abs(x)) | (np.isnan(x) & np.isnan(y))),
            f"{what}: {key} differs by up to {abs(x - y).max()}",
        )


def density(directory, k):
    """Masses of the cells, slowest axis first, and the edges along x, y, z."""
    with h5py.File(directory / "snapshots" / f"snapshot_{k:06d}.h5") as file:
        meshes = file[f"data/{k}/meshes"]
        mesh = meshes["density_extrapolated" if "density_extrapolated" in meshes else "density"]
        masses, lower, spacing = mesh[()], mesh.attrs["gridGlobalOffset"], mesh.attrs["gridSpacing"]
    return masses / masses.sum(), [
        lower[i] + spacing[i] * np.arange(masses.shape[i] + 1) for i in reversed(range(masses.ndim))
    ]


def draw(directory, k, n, rng):
    """Exact samples of the density: a cell by its mass, a place within it."""
    masses, edges = density(directory, k)
    cells = np.unravel_index(rng.choice(masses.size, size=n, p=masses.ravel()), masses.shape)
    return np.stack(
        [e[c] + (e[c + 1] - e[c]) * rng.random(n) for e, c in zip(edges, reversed(cells))], axis=1
    )


def check_exact(still, times, where, rng):
    """p-values of exact samples are uniform: mean 1/2 with a standard error of 0.29/sqrt(trials), 5% of them
    below 0.05.
    """
    write_samples(where / "exact.h5", times, np.stack([draw(still, k, 4000, rng) for k in range(len(times))]))
    scores = score(still, where / "exact.h5")
    expect(
        {row["measure"] for row in scores["measures"]} == set(MEASURES),
        f"measures {[row['measure'] for row in scores['summary']]}",
    )
    for measure in MEASURES:
        p, excess, floor, high, low = (
            column(scores, measure, key) for key in ("p_value", "excess", "floor", "floor_high", "low")
        )
        if measure == "well_population":  # the truth has one well, in which all samples are
            expect(np.all(p == 1) and np.all(excess == 0), "populations of one well")
            continue
        expect(
            abs(p.mean() - 0.5) < 4 * 0.29 / math.sqrt(TRIALS),
            f"{measure} of exact samples: p-values have the mean {p.mean()}",
        )
        expect(
            (p < 0.05).sum() <= 0.05 * TRIALS + 4 * math.sqrt(0.05 * 0.95 * TRIALS),
            f"{measure} of exact samples: {(p < 0.05).sum()} of {TRIALS} p-values below 0.05",
        )
        expect(
            abs(excess.mean()) < 0.25 * max(floor.mean(), (high - floor).mean()),
            f"{measure} of exact samples: excess {excess.mean()}, floor {floor.mean()}",
        )
        expect(
            (low > 0).sum() <= 0.025 * TRIALS + 4 * math.sqrt(0.025 * TRIALS),
            f"{measure} of exact samples: {(low > 0).sum()} of {TRIALS} intervals without 0",
        )
        row = next(row for row in scores["summary"] if row["measure"] == measure)
        expect(
            math.isclose(row["average"], column(scores, measure, "value").mean(), rel_tol=1e-12)
            and row["least_p_value"] == p.min()
            and row["times_below_0.05"] == (p < 0.05).sum(),
            f"summary of {measure}: {row}",
        )
    expect(
        np.array_equal(
            column(scores, "sliced_wasserstein", "value"), column(scores, "wasserstein_1", "value")
        ),
        "in one dimension there is one direction",
    )
    held_out = column(scores, "kl", "held_out")
    expect(
        np.array_equal(held_out, np.arange(TRIALS) % 2 == 1),
        "every second time is held out where nothing was learned",
    )


def check_shifted(still, times, where, rng):
    """N(s, 1) against N(0, 1): the closed forms, without bias, in intervals that cover them as often as they
    say.
    """
    for shift, n in ((0.5, 8000), (0.1, 2000)):
        write_samples(where / "shifted.h5", times, shift + rng.normal(size=(len(times), n, 1)))
        scores = score(
            still,
            where / "shifted.h5",
            "--measures",
            "kl,total_variation,wasserstein_1,wasserstein_2,hellinger_squared,chi_squared,energy_distance",
        )
        spread = lambda m: 2 * (
            math.sqrt(4 / math.pi) * math.exp(-(m**2) / 4) + m * math.erf(m / 2)
        ) - 4 / math.sqrt(math.pi)
        closed = {
            "wasserstein_1": shift,
            "wasserstein_2": shift,
            "kl": shift**2 / 2,
            "total_variation": math.erf(shift / math.sqrt(8)),
            "hellinger_squared": 1 - math.exp(-(shift**2) / 8),
            "chi_squared": math.expm1(shift**2),
            "energy_distance": spread(shift),
        }
        for measure, exact in closed.items():
            value, floor, low, high, corrected = (
                column(scores, measure, key) for key in ("value", "floor", "low", "high", "corrected")
            )
            error = corrected.std(ddof=1) / math.sqrt(TRIALS)
            if shift == 0.5:  # pools lose up to 3% of a divergence, a floor is its bias near the truth
                expect(
                    abs(corrected.mean() - exact) < 4 * error + 0.03 * exact,
                    f"{measure} of a shift by {shift}: {corrected.mean()} +- {error}, expected {exact}",
                )
                expect(
                    column(scores, measure, "p_value").max() < 0.01,
                    f"{measure}: a shift by {shift} is not seen",
                )
            covered = ((low <= exact) & (exact <= high)).mean()
            width = (high - low).mean() / (2 * 1.96 * value.std(ddof=1))
            expect(
                covered >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / TRIALS),
                f"{measure}, shift {shift}: intervals cover in {covered} of the trials",
            )
            expect(
                0.7 < width < (1.35 if shift == 0.5 else 2 if measure != "total_variation" else 5),
                f"{measure}, shift {shift}: intervals are {width} times as wide as the values scatter",
            )
            expect(
                np.all((low <= np.maximum(0, corrected) + 1e-12) & (corrected <= high + 1e-12)),
                f"{measure}, shift {shift}: an interval without its estimate",
            )
            print(
                f"shift {shift}: {measure} {value.mean():.5f}, corrected"
                f" {corrected.mean():.5f} ({exact:.5f} exact), floor {floor.mean():.5f}, intervals cover"
                f" {100 * covered:.0f}%, {width:.2f} of the scatter wide"
            )


def check_log_density(still, times, where, rng):
    """Samples with their own density: means without bins, for N(s, 1) and for what is not normalised; the
    same on any number of ranks.
    """
    shift, n = 0.3, 1500
    x = shift + rng.normal(size=(len(times), n, 1))
    log_q = -((x[:, :, 0] - shift) ** 2) / 2 - math.log(2 * math.pi) / 2
    write_samples(where / "known.h5", times, x, log_density=log_q)
    known = score(still, where / "known.h5", "--measures", "kl,reverse_kl_density,kl_density,density_mass")
    same(
        known,
        score(
            still, where / "known.h5", "--measures", "kl,reverse_kl_density,kl_density,density_mass", ranks=3
        ),
        "log-densities on 3 ranks",
    )
    binned, of_density = (
        column(known, *which).std() for which in (("kl", "corrected"), ("kl_density", "value"))
    )
    expect(of_density < binned, f"scatter of D: {binned} from bins, {of_density} from the density")
    for measure, exact in (
        ("reverse_kl_density", shift**2 / 2),
        ("kl_density", shift**2 / 2),
        ("density_mass", 1),
    ):
        value, low, high = (column(known, measure, key) for key in ("value", "low", "high"))
        given = np.array([bound is not None for bound in low])  # withheld where a few samples decide
        corrected = column(known, measure, "corrected")
        expect(
            all((estimate is not None) == there for estimate, there in zip(corrected, given)),
            f"{measure}: corrected without an interval",
        )
        covered = ((low[given] <= exact) & (exact <= high[given])).mean()
        expect(given.mean() > 0.95, f"{measure}: intervals are given in {given.mean()} of the trials")
        expect(
            abs(value.mean() - exact) < 4 * value.std() / math.sqrt(TRIALS) + 1e-5,
            f"{measure}: {value.mean()}, exactly {exact}",
        )
        expect(
            abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / given.sum()),
            f"{measure}: intervals cover in {covered}",
        )
        print(f"{measure} {value.mean():.5f} ({exact} exact), intervals cover {100 * covered:.0f}%")
    p = column(known, "density_mass", "p_value")
    expect(
        abs(p.mean() - 0.5) < 4 * 0.29 / math.sqrt(TRIALS),
        f"density_mass of a normalised density: p-values have the mean {p.mean()}",
    )
    # exactly the truth: nothing but the error of interpolation, of fourth order in the width of a bin
    exact = rng.normal(size=(2, n, 1))
    write_samples(
        where / "true.h5",
        times[:2],
        exact,
        log_density=-(exact[:, :, 0] ** 2) / 2 - math.log(2 * math.pi) / 2,
    )
    for measure, expected in (("reverse_kl_density", 0), ("kl_density", 0), ("density_mass", 1)):
        value = column(score(still, where / "true.h5"), measure, "value")
        expect(np.all(abs(value - expected) < 2e-5), f"{measure} of the truth itself: {value}")
    # an unnormalised density is found out, and groups say the same as arrays
    write_samples(where / "double.h5", times[:3], list(x[:3]), log_density=list(log_q[:3] + math.log(2)))
    double = score(still, where / "double.h5", "--measures", "density_mass")
    expect(
        np.all(
            abs(column(double, "density_mass", "value") - column(known, "density_mass", "value")[:3] / 2)
            < 1e-12
        )
        and column(double, "density_mass", "p_value").max() < 1e-6,
        "twice the density",
    )


def check_widths_and_layouts(still, times, where, rng):
    """The same numbers in another form score the same."""
    some = [3, 0, 7, 100]
    samples = rng.normal(size=(4, 1500, 1)).astype(np.float32)
    write_samples(where / "single.h5", times[some], samples)
    single = score(still, where / "single.h5")
    expect(
        np.allclose(column(single, "kl", "time"), times[some], rtol=1e-14),
        f"times in the order of the file: {column(single, 'kl', 'time')}",
    )
    write_samples(where / "double.h5", times[some], samples.astype(np.float64))
    same(single, score(still, where / "double.h5"), "float64")
    write_samples(where / "groups.h5", times[some], list(samples))
    same(single, score(still, where / "groups.h5"), "groups")
    write_samples(
        where / "equal.h5",
        times[some],
        samples,
        weights=np.full((4, 1500), 0.37),
        log_density=-(samples[:, :, 0] ** 2) / 2,
    )
    equal = score(still, where / "equal.h5")
    expect(
        {row["measure"] for row in equal["measures"]} == {*MEASURES, *DENSITY_MEASURES},
        "measures of samples with their own density",
    )
    same(
        single,
        {"measures": [row for row in equal["measures"] if row["measure"] in MEASURES]},
        "equal weights",
    )
    with h5py.File(where / "packed.h5", "w") as file:
        file.create_dataset("samples", data=samples, chunks=(1, 700, 1), compression="gzip", shuffle=True)
        file.create_dataset("times", data=times[some].astype(np.float32))
        file["trained"] = np.array(
            [k % 2 == 0 for k in some], np.uint8
        )  # the split of the others, said aloud
    same(single, score(still, where / "packed.h5", ranks=3), "compressed, times in float32, on 3 ranks")
    with h5py.File(where / "swapped.h5", "w") as file:
        file["times"], file["samples"] = times[some].astype(">f8"), samples.astype(">f4")
    same(single, score(still, where / "swapped.h5"), "the other byte order")
    # a time scored alone has the same floor and interval
    write_samples(where / "alone.h5", times[[7]], samples[2:3])
    alone = score(still, where / "alone.h5")
    same(
        {"measures": [row for row in single["measures"] if abs(row["time"] - times[7]) < 1e-12]},
        alone,
        "one time alone",
    )
    # unequal numbers of samples
    write_samples(
        where / "unequal.h5",
        times[:3],
        [samples[0, :n] for n in (1, 50, 1500)],
        weights=[np.ones(n) for n in (1, 50, 1500)],
    )
    unequal = score(still, where / "unequal.h5", ranks=3)
    expect(
        list(column(unequal, "kl", "samples")) == [1, 50, 1500],
        f"samples per time: {column(unequal, 'kl', 'samples')}",
    )
    same(unequal, score(still, where / "unequal.h5"), "unequal numbers")
    return where / "single.h5"


def check_weights(still, times, where, rng):
    """A wider proposal with importance weights scores as what it stands for does."""
    for shift in (0.0, 0.5):
        x = shift + 1.5 * rng.normal(size=(TRIALS, 8000, 1))
        weights = np.exp(-((x - shift) ** 2) / 2 * (1 - 1 / 1.5**2))[:, :, 0]
        write_samples(where / "weighted.h5", times, x, weights=weights)
        scores = score(still, where / "weighted.h5", "--measures", "kl,wasserstein_1")
        effective = weights.sum(1) ** 2 / (weights**2).sum(1)
        expect(
            np.allclose(column(scores, "kl", "effective"), effective, rtol=1e-6),
            "effective numbers of samples",
        )
        for measure, exact in (("kl", shift**2 / 2), ("wasserstein_1", shift)):
            value, excess, floor = (column(scores, measure, key) for key in ("value", "excess", "floor"))
            if shift:
                estimate = excess.mean() if measure == "kl" else value.mean()
                expect(
                    abs(estimate - exact) < 4 * value.std() / math.sqrt(TRIALS) + 0.03 * exact,
                    f"weighted {measure} of a shift by {shift}: {estimate}",
                )
            else:
                expect(
                    abs(excess.mean()) < 0.08 * floor.mean(),
                    f"weighted {measure} of exact samples: excess {excess.mean()}, floor {floor.mean()}",
                )
                expect(
                    (column(scores, measure, "p_value") < 0.05).mean() < 0.2,
                    (
                        f"weighted {measure} of exact samples:"
                        f" {(column(scores, measure, 'p_value') < 0.05).mean()} of the p-values below 0.05"
                    ),
                )


def check_dimensions(where, rng):
    """Periodic axes, 2 and 3 dimensions, each on 1 and 3 ranks: the same bits."""
    ring, times = study(where, "ring", RING)
    samples = np.stack([draw(ring, k, 2000, rng) for k in range(3)])
    write_samples(where / "ring.h5", times, samples)
    write_samples(where / "wound.h5", times, samples + 2 * np.pi * rng.integers(-3, 4, samples.shape))
    same(score(ring, where / "ring.h5"), score(ring, where / "wound.h5"), "turns round a ring", 1e-2)
    solid, times = study(where, "solid", SOLID)
    write_samples(where / "solid.h5", times, np.stack([draw(solid, k, 5000, rng) for k in range(2)]))
    scores = score(solid, where / "solid.h5")
    expect(
        scores["dimension"] == 3
        and {row["measure"] for row in scores["measures"]}
        == {*MEASURES} - {"wasserstein_1", "wasserstein_2"},
        "measures of three dimensions",
    )
    expect(
        column(scores, "kl", "p_value").min() > 0.005,
        f"exact samples in 3 dimensions: {column(scores, 'kl', 'p_value')}",
    )
    write_samples(
        where / "mirrored.h5",
        times,
        np.stack([draw(solid, k, 5000, rng) for k in range(2)])[:, :, ::-1] * [1, 1, -0.5],
    )
    expect(
        column(score(solid, where / "mirrored.h5"), "kl", "p_value").max() < 0.01,
        "axes are mixed up in 3 dimensions",
    )
    return solid, where / "solid.h5"


def check_ranks(cases):
    for number, (directory, samples) in enumerate(cases):
        for form in (["--json"],) if number else (["--json"], ["--csv"], []):
            expect(
                fare("score", directory, samples, *form, ranks=1)
                == fare("score", directory, samples, *form, ranks=3),
                f"{samples.name} {form}: 1 and 3 ranks print different things",
            )


def check_forms(directory, samples):
    scores = score(directory, samples)
    rows = list(csv.DictReader(io.StringIO(fare("score", directory, samples, "--csv"))))
    expect(len(rows) == len(scores["measures"]), "rows of CSV")
    for row, other in zip(rows, scores["measures"]):
        expect(
            all(
                row[key] == value if isinstance(value, str) else float(row[key]) == value
                for key, value in other.items()
            )
            and row.keys() == other.keys(),
            f"CSV {row}, JSON {other}",
        )
    table = fare("score", directory, samples)
    for row in scores["summary"]:
        line = next((line for line in table.splitlines() if line.startswith(row["measure"] + " ")), "")
        expect(
            f"{row['average']:.3e}" in line
            and f"{row['maximum']:.3e}" in line
            and f"{row['floor']:.3e}" in line,
            f"table of {row['measure']}: {line}",
        )


def contents(path):
    """Datasets of all groups, and the attributes of the root."""
    datasets = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (datasets.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        )
        return datasets, {key: value for key, value in file.attrs.items() if key != "date"}


def check_export(where):
    """What is exported scores as the study says, and is the same on any number of ranks."""
    flat, times = study(where, "flat", FLAT)
    fare("export", flat, where=where)
    fare("export", flat, "--ensemble", "walk", "--out", where / "three.h5", ranks=3)
    (one, attributes), (three, same_attributes) = contents(where / "flat_training.h5"), contents(
        where / "three.h5"
    )
    expect(
        one.keys() == three.keys() == {"times", "samples", "trained", "plan", "particle", "axis"}
        and all(np.array_equal(one[name], three[name]) for name in one),
        "the export differs between 1 and 3 ranks",
    )
    expect(
        attributes.keys() == same_attributes.keys()
        and attributes["system"] == same_attributes["system"] == b"rotational_ou"
        and attributes["study"] == b"flat"
        and attributes["ensemble"] == b"walk",
        f"attributes {attributes}",
    )
    expect(
        np.array_equal(one["times"], times)
        and list(one["trained"]) == [1, 0, 1, 0, 1]
        and one["trained"].dtype == np.uint8
        and one["samples"].shape == (5, 3001, 2),
        "times and split of the export",
    )
    with h5py.File(flat / "snapshots" / "snapshot_000003.h5") as file:
        position = file["data/3/particles/walk/position"]
        expect(
            np.array_equal(one["samples"][3], np.stack([position["x"][:], position["y"][:]], axis=1)),
            "exported particles",
        )
    scores = score(flat, where / "flat_training.h5")
    with h5py.File(flat / "study.h5") as file:
        for measure in ("kl", "reverse_kl", "jensen_shannon", "total_variation"):
            for key in ("value", "truth_error"):
                of_study = file[f"comparisons/walk/{measure}/{key}"][:]
                expect(
                    np.allclose(column(scores, measure, key), of_study, rtol=1e-9, atol=1e-12),
                    f"{key} of {measure}: scored {column(scores, measure, key)}, the study has {of_study}",
                )
            floor = file[f"comparisons/walk/{measure}/floor_mean"][:]
            expect(
                np.allclose(column(scores, measure, "floor"), floor, rtol=0.1),
                f"floor of {measure}: {column(scores, measure, 'floor')}, the study has {floor}",
            )
    # weighted particles keep their weights; the study's own split is kept where it learned
    shutil.copytree(flat, where / "heavy")
    for k in range(5):
        with h5py.File(where / "heavy" / "snapshots" / f"snapshot_{k:06d}.h5", "r+") as file:
            species = file[f"data/{k}/particles/walk"]
            del species["weighting"]
            species["weighting"] = np.arange(3001.0) + k
    with h5py.File(where / "heavy" / "study.h5", "r+") as file:
        file["snapshots/trained"][...] = [1, 1, 0, 0, 1]
    fare("export", where / "heavy", "--out", where / "heavy.h5", ranks=3)
    heavy, _ = contents(where / "heavy.h5")
    expect(
        np.array_equal(heavy["weights"], np.arange(3001.0) + np.arange(5.0)[:, None])
        and list(heavy["trained"]) == [1, 1, 0, 0, 1]
        and np.array_equal(heavy["samples"], one["samples"]),
        "export of weighted particles",
    )
    expect(
        list(column(score(where / "heavy", where / "heavy.h5"), "kl", "held_out"))
        == [False, False, True, True, False],
        "held out as the study was trained",
    )
    expect(not list(where.glob("*.tmp")), "a file written aside was left")
    return flat, where / "flat_training.h5"


def example(name, *arguments):
    return subprocess.run(
        [sys.executable, str(SOURCE / "postproc" / "examples" / name), *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def check_examples(flat, training, where):
    done = example("numpy_generator.py", training, where / "mine.h5", 3000)
    expect(done.returncode == 0, f"numpy_generator.py: {done.stderr}")
    scores = score(flat, where / "mine.h5")
    kl, _floor, held_out = (column(scores, "kl", key) for key in ("value", "floor", "held_out"))
    expect(kl.mean() < 0.3 and np.all(kl > 0), f"KL of the kernel density estimate: {kl}")
    expect(kl[held_out].mean() > kl[~held_out].mean(), f"held-out times are learned from: {kl}")
    done = example(
        "torch_flow_matching.py",
        training,
        where / "flow.h5",
        "--steps",
        40,
        "--count",
        500,
        "--batch",
        64,
        "--width",
        16,
    )
    if done.returncode == 1 and "needs PyTorch" in done.stderr:
        print("skipped: torch_flow_matching.py, for this Python has no PyTorch")
        return
    expect(done.returncode == 0, f"torch_flow_matching.py: {done.stderr}")
    if done.returncode == 0:
        kl = column(score(flat, where / "flow.h5"), "kl", "value")
        expect(len(kl) == 5 and np.all(np.isfinite(kl)), f"KL of flow matching: {kl}")


def main():
    rng = np.random.default_rng(2025)
    with tempfile.TemporaryDirectory(prefix="fare-score-") as name:
        where = pathlib.Path(name)
        still, times = study(where, "still", STILL)
        check_exact(still, times, where, rng)
        check_shifted(still, times, where, rng)
        check_log_density(still, times, where, rng)
        single = check_widths_and_layouts(still, times, where, rng)
        check_weights(still, times, where, rng)
        solid = check_dimensions(where, rng)
        flat, training = check_export(where)
        check_ranks([(still, single), solid, (flat, training), (where / "heavy", where / "heavy.h5")])
        check_forms(still, single)
        check_examples(flat, training, where)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
