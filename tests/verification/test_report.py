#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The report and the reader on small studies written here by docs/format.md, with the numbers computed a second
time.
fare-test: labels=verification timeout=600
"""
import base64
import dataclasses
import html.parser
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types

import h5py
import matplotlib

matplotlib.use("Agg")
import numpy as np
import PIL.Image

sys.dont_write_bytecode = True
import fare.plot
from fare import slider
from fare.collect import states_table, thermodynamic_rows
from fare.files import FareError
from fare.plot.densities import planes
from fare.plot.drawing import DECADES, STYLE, log_limits
from fare.plot.figures import figures
from fare.report import as_png, as_vector, caption
from fare.results import Study
from fare.trainings import joined
from launch import SOURCE

REPORT = [SOURCE / "postproc", "report"]

TIMES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
TRAINED = np.array([1, 0, 1, 0, 1], np.uint8)
SERIES = ("value", "floor_mean", "floor_high", "p_value", "excess", "truth_error")
ADDED = (
    "corrected",
    "low",
    "high",
    "significance",
    "effective",
    "independent",
)  # what results of the first format do not have
ENSEMBLES = {
    "walk": ("langevin", "simulation"),
    "still": ("boltzmann", "equilibrium"),
    "learned": ("diffusion", "generative"),
}
COMPARISONS = {
    "walk": ("walk", "samples", "truth", 4000),
    "still": ("still", "samples", "truth", 4000),
    "still_density": ("still", "density", "truth", 0),
    "still_target": ("still", "samples", "target", 4000),
    "learned": ("learned", "samples", "truth", 4000),
}
FIGURES = (
    "costs",
    "density",
    "divergences",
    "other_divergences",
    "snapshots",
    "training",
    "truth_error",
)
LEVEL = {"walk": 1e-4, "still": 0.7, "still_density": 0.71, "still_target": 1.1e-4, "learned": 2e-3}
random = np.random.default_rng(7)


def text(value):
    return np.bytes_(value.encode())


def set_attributes(node, **values):
    for key, value in values.items():
        node.attrs[key] = text(value) if isinstance(value, str) else value


def blobs(extent, t):
    """Two Gaussians that move with time, on the unit box, as masses with the axes in the order x, y, ..."""
    axes = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in extent], indexing="ij")
    masses = np.exp(-60 * sum((x - 0.3 - 0.1 * i - 0.2 * t) ** 2 for i, x in enumerate(axes)))
    return masses / masses.sum()


def write_study(directory, extent=(32,), truth=True, finished=1, old=False):
    """Returns what the report should show: series by (comparison, measure, name)."""
    directory.mkdir(parents=True, exist_ok=True)
    dim, expected = len(extent), {}
    with h5py.File(directory / "study.h5", "w") as file:
        set_attributes(
            file, study="small & <driven>", software="FARE", softwareVersion="0.2.0", format="fare-study 1.0"
        )
        file["plan"] = text(
            "study: small\nensembles:\n"
            + "".join(f"  - {{name: {name}}}\n" for name in ENSEMBLES)
            + "measures: [kl, total_variation]\n"
        )
        provenance = file.create_group("provenance")
        set_attributes(
            provenance, date="2025-01-31 12:00:00 +0000", mpi="m", petsc="p", hdf5="h", blas="b", host="n"
        )
        set_attributes(
            provenance, ranks=np.int64(2), seed=np.int64(1), seconds=1.5, finished=np.int64(finished)
        )
        file["snapshots/time"], file["snapshots/trained"] = TIMES, TRAINED
        bins = file.create_group("bins")  # slowest axis first
        set_attributes(
            bins,
            dimension=np.int64(dim),
            extent=np.array(extent[::-1], np.uint64),
            lower=np.zeros(dim),
            upper=np.arange(1.0, dim + 1)[::-1],
        )
        for name in (*ENSEMBLES, *(["truth", "still_density"] if truth else [])):
            file[f"binned/{name}"] = np.array(
                [blobs(extent, 0 if "still" in name else t).T for t in TIMES], np.float32
            )
        for name, (sampler, family) in ENSEMBLES.items():
            group = file.create_group(f"ensembles/{name}")
            set_attributes(
                group,
                sampler=sampler,
                family=family,
                particles=np.int64(4000),
                train_seconds=3.25 if name == "learned" else 0.0,
                sample_seconds=1.5,
            )
            set_attributes(group, force_evaluations=np.int64(123456), network_evaluations=np.int64(0))
        file["ensembles/learned/loss"] = np.array([[0, 1.0], [10, 0.5], [20, 0.4]])
        if truth:
            group = file.create_group("truth")
            set_attributes(
                group,
                system="prinz",
                cells=np.array(extent, np.uint64),
                tolerance=1e-8,
                seconds=0.5,
                steps=np.int64(99),
            )
            for name in ("error", "error_space", "error_time", "mass_drift", "minimum", "boundary_mass"):
                group[name] = 1e-7 * random.random(len(TIMES))
            for label, (ensemble, of, against, samples) in COMPARISONS.items():
                group = file.create_group(f"comparisons/{label}")
                set_attributes(group, ensemble=ensemble, of=of, against=against, samples=np.int64(samples))
                for measure in ("kl", "total_variation"):
                    value = LEVEL[label] * (1 + 0.2 * random.random(len(TIMES)))
                    floor = (1e-4 if samples else 0) * (1 + 0.1 * random.random(len(TIMES)))
                    series = (
                        value,
                        floor,
                        1.5 * floor,
                        random.random(len(TIMES)),
                        value - floor,
                        1e-9 * random.random(len(TIMES)),
                    )
                    set_attributes(group.create_group(measure), summary=f"about {measure}", unit="nats")
                    for name, numbers in zip(SERIES, series):
                        group[measure][name] = numbers
                        expected[label, measure, name] = numbers
                    for name, numbers in (
                        ()
                        if old
                        else zip(
                            ADDED,
                            (
                                0.9 * value - floor,
                                0.8 * value,
                                1.2 * value,
                                value / 1e-5,
                                *[np.full(len(TIMES), samples or np.inf)] * 2,
                            ),
                        )
                    ):
                        group[measure][name] = numbers
                        expected[label, measure, name] = numbers
    return expected


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-B", *REPORT, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class Page(html.parser.HTMLParser):
    """Every reference to something else, and the cells of the rows that hold a comparison."""

    def __init__(self, source):
        super().__init__()
        self.references, self.tags, self.rows, self.row = [], set(), {}, None
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self.references += [
            attributes[key]
            for key in ("src", "href", "srcset", "data", "poster", "action", "xlink:href")
            if key in attributes
        ]
        if tag == "tr":
            self.row = None
            if "data-comparison" in attributes:
                self.row = []
                self.rows.setdefault((attributes["data-comparison"], attributes["data-measure"]), []).append(
                    self.row
                )

    def handle_data(self, data):
        if self.row is not None and data.strip():
            self.row.append(data)


def check_self_contained(source):
    page = Page(source)
    assert page.references and all(r.startswith("data:image/") for r in page.references), [
        r[:60] for r in page.references
    ]
    assert not page.tags & {"link", "iframe", "object", "embed"}, page.tags
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|\bimport\b", source)
    for reference in page.references:
        data = re.fullmatch(r"data:image/png;base64,(.*)", reference)[1]
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    return page


def near(shown, number):
    """Three digits are shown."""
    return abs(float(shown) - number) <= 0.0051 * abs(number)


def check_numbers(page, expected):
    assert set(page.rows) == {key[:2] for key in expected}, set(page.rows)
    for (label, measure), rows in page.rows.items():
        assert len(rows) == 2, (label, measure, rows)
        for row, at in zip(rows, (np.full(len(TIMES), True), TRAINED == 0)):
            value, floor, high, _, excess, error = (expected[label, measure, name][at] for name in SERIES)
            assert near(row[1], sum(value) / len(value)), (label, measure, row)
            assert near(row[2], max(value)) and float(row[3]) == TIMES[at][list(value).index(max(value))], (
                label,
                measure,
                row,
            )
            if COMPARISONS[label][3]:
                assert near(row[4], np.mean(floor)) and near(row[5], np.mean(high)), (label, measure, row)
                assert abs(float(row[6]) - np.mean(excess)) <= 0.0051 * abs(np.mean(excess)), (
                    label,
                    measure,
                    row,
                )
            else:
                assert row[4] == row[5] == row[6] == "–", row
            inside = sum(1 for v, h, e in zip(value, high, error) if v <= h + e)
            assert row[7] == f"{inside} of {len(value)}", (label, measure, row)
            assert near(row[8], max(error)), (label, measure, row)
            if (label, measure, "corrected") in expected and COMPARISONS[label][3]:
                assert near(row[9], np.mean(expected[label, measure, "corrected"][at])), (label, measure, row)
            else:
                assert row[9] == "–", row


def check_summary(source, expected):
    paragraph = re.sub("<[^>]*>", "", re.search(r'<ul class="findings">(.*?)</ul>', source, re.DOTALL)[1])
    assert "walk tracks the truth" in paragraph and "still departs from the truth" in paragraph, paragraph
    assert "learned tracks the truth closely, but not to within the noise" in paragraph, paragraph
    found = re.search(
        (
            r"The best generative one, learned, is ([\d.]+)-fold closer to the truth than still; over the 2"
            r" held-out times alone, ([\d.]+)-fold"
        ),
        paragraph,
    )
    for shown, at in zip(found.groups(), (slice(None), TRAINED == 0)):
        factor = np.mean(expected["still", "kl", "value"][at]) / np.mean(
            expected["learned", "kl", "value"][at]
        )
        assert abs(float(shown) - factor) <= 0.051 * factor, (shown, factor)


def check_report(root):
    expected = write_study(root / "line")
    done = run(root / "line")
    assert done.returncode == 0 and not done.stderr, done.stderr
    source = (root / "line" / "report.html").read_text()
    assert "<title>small &amp; &lt;driven&gt;</title>" in source
    check_numbers(check_self_contained(source), expected)
    check_summary(source, expected)
    drawn = {path.name for path in (root / "line" / "figures").iterdir()}
    assert drawn == {f"{name}.png" for name in FIGURES}, drawn
    assert not list((root / "line").rglob("*.tmp"))


def check_order(root):
    """Findings and figures come first; tables, and measures that are not principal, are behind a click."""
    source = (root / "line" / "report.html").read_text()
    open_ = re.sub(r"<details>.*?</details>", "", source, flags=re.DOTALL)
    assert "<table" not in open_ and 'id="divergences"' in open_ and 'id="other_divergences"' not in open_
    places = [source.index(word) for word in ('class="findings"', 'id="slider"', "<img", "<table")]
    assert places == sorted(places), places
    folded = re.findall(r"<details><summary>([^<]*)</summary>(.*?)</details>", source, re.DOTALL)
    measures = {title: set(re.findall(r'data-measure="(\w+)"', inside)) for title, inside in folded}
    assert measures["kl"] == {"kl"} and measures["Other measures"] == {"total_variation"}, measures


def check_vector(root):
    """SVG and PDF of every figure; the same from run to run."""
    write_study(root / "vector")
    done = run("--figures-only", "--vector", root / "vector")
    assert done.returncode == 0 and not done.stderr, done.stderr
    files = sorted((root / "vector" / "figures").iterdir())
    assert [path.name for path in files] == sorted(f"{n}.{k}" for n in FIGURES for k in ("pdf", "png", "svg"))
    for path in files:
        assert path.read_bytes().startswith(
            {".pdf": b"%PDF", ".png": b"\x89PNG", ".svg": b"<?xml"}[path.suffix]
        )
    with matplotlib.rc_context(STYLE):
        figure = fare.plot.figure(Study(root / "vector"), "training")
        as_png(figure)
        for kind in ("svg", "pdf"):
            assert as_vector(figure, kind) == (root / f"vector/figures/training.{kind}").read_bytes(), kind


def check_movies(root):
    """A frame for each snapshot, which differ; one line where there is no ffmpeg."""
    write_study(root / "movie", extent=(12, 20))
    done = run("--figures-only", "--movie=gif", root / "movie")
    assert done.returncode == 0 and not done.stderr, done.stderr
    with PIL.Image.open(root / "movie/figures/density.gif") as movie:
        assert movie.n_frames == len(TIMES), movie.n_frames
        frames = []
        for k in range(movie.n_frames):
            movie.seek(k)
            frames.append(movie.convert("RGB").tobytes())
    assert len(set(frames)) == len(TIMES)
    done = run("--figures-only", "--movie=mp4", root / "movie", PATH="/nonexistent")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "ffmpeg" in done.stderr, done
    assert not list((root / "movie").rglob("*tmp*"))


def check_reading(root):
    """Figures that need the same masses share them."""
    write_study(root / "read", extent=(6, 8, 10))
    study, asked = Study(root / "read"), []
    read = study.marginal
    study.marginal = lambda *words: (asked.append(words), read(*words))[1]
    for name in ("snapshots_axes_1_2", "differences_axes_1_2", "snapshots_axes_1_3"):
        assert fare.plot.figure(study, name)
    slider.data(study, "x:y")
    assert len(asked) == len(set(asked)) == 2 * 4, asked


def check_unresolved(root):
    """Rows of a sweep and the caption of thermodynamics say that the truth is not resolved."""
    study = Study(root / "line")
    study.thermodynamics = {"time": TIMES}
    for why in ("", "take 64 cells"):
        study.truth = dataclasses.replace(study.truth, unresolved=why)
        sweep = types.SimpleNamespace(points={0: study}, keys=[], axes=[])
        (row,) = rows = thermodynamic_rows(sweep)
        assert row["unresolved"] == bool(why) and ("UNRESOLVED" in states_table(sweep, rows)) == bool(why)
        assert ("order of magnitude" in caption(study, "thermodynamics")) == bool(why)


def check_planes(root):
    """All pairs of axes in three dimensions, or those that are asked for."""
    write_study(root / "planes", extent=(6, 8, 10))
    done = run("--figures-only", "--planes", "x:z", root / "planes")
    assert done.returncode == 0 and not done.stderr, done.stderr
    drawn = {path.stem for path in (root / "planes" / "figures").iterdir()}
    assert {"snapshots_axes_1_3", "differences_axes_1_3"} <= drawn and not any(
        name.endswith(("axes_1_2", "axes_2_3")) for name in drawn
    ), drawn
    for kind in ("snapshots", "differences"):
        names = {name for name in figures(Study(root / "planes")) if name.startswith(kind)}
        assert names == {f"{kind}_{pair}" for pair in ("axes_1_2", "axes_1_3", "axes_2_3")}, names
    for word in ("x:w", "x", "x:x"):
        try:
            planes(Study(root / "planes"), word)
        except FareError as reason:
            assert "\n" not in str(reason) and "there are: x:y, x:z, y:z" in str(reason), reason
        else:
            raise AssertionError(f"{word} is a pair of axes")


def check_names_of_axes(root):
    """Names and units of axes reach every label, whatever the alphabet makes of them."""
    write_study(root / "named", extent=(8, 12))
    with h5py.File(root / "named/study.h5", "r+") as file:
        file["bins"].attrs["axisLabels"] = np.array([b"momentum", b"theta"])  # slowest first
        for name, n, unit in (("theta", 8, "rad"), ("momentum", 12, "1")):
            file[f"binned/{name}"] = np.linspace(0, 1, n)
            file[f"binned/{name}"].make_scale(name)
            file[f"binned/{name}"].attrs["units"] = text(unit)
    study = Study(root / "named")
    assert study.bins.names == ("theta", "momentum") and study.bins.units == ("rad", "")
    ax = fare.plot.snapshot_map(study, 0.5, "walk")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("theta (rad)", "momentum")
    assert fare.plot.density(study).get_ylabel() == "theta (rad), other axes summed"
    assert fare.plot.snapshot(study, 0.5, axis="momentum").get_xlabel() == "momentum, other axes summed"
    for name in ("snapshots", "differences"):
        figure = fare.plot.figure(study, name)
        assert figure.axes[-2].get_xlabel() == "theta (rad)", name
        assert figure.axes[0].get_ylabel().endswith("\nmomentum"), name
    assert slider.data(study)["views"][0]["labels"] == ["theta (rad)", "momentum"]


def check_trainings(root):
    """Trainings of one line are one row and one line with a band; each of them is in a table of its own."""
    write_study(root / "seeds")
    with h5py.File(root / "seeds/study.h5", "r+") as file:
        plan = file["plan"][()].decode().replace("{name: learned}", "{name: learned, seeds: 3}")
        file["plan"][...] = text(plan)
        values = {}
        for group in ("ensembles", "comparisons", "binned"):
            for k in (1, 2, 3):
                file.copy(file[f"{group}/learned"], file[group], f"learned-{k}")
                if group == "comparisons":
                    file[f"{group}/learned-{k}"].attrs["ensemble"] = text(f"learned-{k}")
                    for measure in ("kl", "total_variation"):
                        series = file[f"{group}/learned-{k}/{measure}/value"]
                        series[...] = values[measure, k] = 1e-3 * k * (1 + random.random(len(TIMES)))
            del file[f"{group}/learned"]
    study = joined(Study(root / "seeds"))
    assert list(study.ensembles) == ["walk", "still", "learned"], list(study.ensembles)
    together = [values["kl", k] for k in (1, 2, 3)]
    kl = study.comparisons["learned"].measures["kl"]
    assert np.allclose(kl.value, np.mean(together, axis=0))
    assert np.allclose(kl.least, np.min(together, axis=0)) and np.allclose(kl.most, np.max(together, axis=0))
    assert np.allclose(study.masses("learned"), Study(root / "seeds").masses("learned-1"))
    ax = fare.plot.divergence(study, "kl")
    assert any(np.allclose(line.get_ydata(), np.mean(together, axis=0)) for line in ax.lines)
    bands = [c.get_paths()[0].vertices[:, 1] for c in ax.collections if c.get_alpha() == 0.4]
    assert len(bands) == 1
    for limit in (np.min(together, axis=0), np.max(together, axis=0)):
        assert all(np.isclose(bands[0], value).any() for value in limit)
    done = run(root / "seeds")
    assert done.returncode == 0 and not done.stderr, done.stderr
    rows = Page((root / "seeds" / "report.html").read_text()).rows
    assert near(rows["learned", "kl"][0][1], np.mean(together)), rows["learned", "kl"]
    assert "mean of 3" in rows["learned", "kl"][0][0]
    for k in (1, 2, 3):
        assert near(rows[f"learned-{k}", "kl"][0][1], np.mean(values["kl", k]))


def check_old_results(root):
    """Results without the later series are read, and shown as far as they go."""
    expected = write_study(root / "old", old=True)
    done = run(root / "old")
    assert done.returncode == 0 and not done.stderr, done.stderr
    check_numbers(check_self_contained((root / "old" / "report.html").read_text()), expected)
    measured, later = (Study(root / name).comparisons["walk"].measures["kl"] for name in ("old", "line"))
    assert measured.corrected is None and measured.low is None and len(measured.value) == len(TIMES)
    assert all(getattr(later, name).shape == TIMES.shape for name in ADDED)


def check_measures_without_bias(root):
    """A floor with the mean 0 and negative values: judged by its width, drawn without a floor."""
    write_study(root / "unbiased")
    with h5py.File(root / "unbiased/study.h5", "r+") as file:
        group = file["comparisons/walk/kl"]
        group["floor_mean"][...] = [1e-7, -1e-7, 0, 1e-7, -1e-7]
        group["floor_high"][...] = 1e-4
        group["value"][...] = group["excess"][...] = [4e-5, -3e-5, 2e-5, -5e-5, 9e-5]
    done = run(root / "unbiased")
    assert done.returncode == 0 and not done.stderr, done.stderr
    source = (root / "unbiased" / "report.html").read_text()
    assert re.search(
        r'data-comparison="walk" data-measure="kl"><td>[^<]*</td><td class="noise">', source
    ), "walk is not told from exact draws"


def check_other_shapes(root):
    for name, options, absent in (
        ("plane", {"extent": (12, 20)}, set()),
        ("space", {"extent": (6, 8, 10)}, set()),
        ("alone", {"truth": False}, {"divergences.png", "costs.png", "truth_error.png"}),
    ):
        write_study(root / name, **options)
        done = run(root / name)
        assert done.returncode == 0 and not done.stderr, (name, done.stderr)
        check_self_contained((root / name / "report.html").read_text())
        assert not absent & {path.name for path in (root / name / "figures").iterdir()}, name
    write_study(root / "figures_only")
    assert run("--figures-only", root / "figures_only").returncode == 0
    assert (root / "figures_only/figures/density.png").exists() and not (
        root / "figures_only/report.html"
    ).exists()


def spread_out(directory, times, ensembles, measures, awkward=False):
    """A study on one axis with as many of each as is asked; where it is awkward, with values that logarithmic
    axes do not like, in its ranking, too.
    """
    kinds = list(ENSEMBLES.values())
    t, names = np.linspace(0, 1, times), [f"sampler_{i}" for i in range(ensembles)]
    write_study(directory)
    with h5py.File(directory / "study.h5", "r+") as file:
        for group in ("ensembles", "comparisons", "binned", "snapshots"):
            del file[group]
        file["plan"][...] = text(
            "study: small\nensembles:\n" + "".join(f"  - {{name: {name}}}\n" for name in names)
        )
        file["snapshots/time"], file["snapshots/trained"] = t, np.arange(times) % 2 == 0
        for name in ("truth", *names):
            file[f"binned/{name}"] = np.array([blobs((32,), at) for at in t], np.float32)
        for name in ("error", "error_space", "error_time", "mass_drift", "minimum", "boundary_mass"):
            del file["truth"][name]
            file["truth"][name] = 1e-7 * random.random(times)
        for i, name in enumerate(names):
            sampler, family = kinds[i % len(kinds)]
            set_attributes(
                file.create_group(f"ensembles/{name}"),
                sampler=sampler,
                family=family,
                particles=np.int64(4000),
                train_seconds=float(i % 3 == 2),
                sample_seconds=0.5 * (i + 1),
                force_evaluations=np.int64(1),
                network_evaluations=np.int64(0),
            )
            set_attributes(
                file.create_group(f"comparisons/{name}"),
                ensemble=name,
                of="samples",
                against="truth",
                samples=np.int64(4000),
            )
            for k in range(measures):
                group = file.create_group(f"comparisons/{name}/measure_{k}")
                set_attributes(group, summary="about it", unit="nats")
                value, floor = 1e-3 * (1 + i) * (1 + random.random(times)), np.full(times, 1e-4)
                if awkward:  # beyond what an axis can show, nowhere positive, or not a number
                    value = (
                        value,
                        np.where(t > 0, value, 4e301),
                        0 * value,
                        -value,
                        np.full(times, 1e305),
                        np.full(times, np.inf),
                        np.full(times, np.nan),
                    )[(i + k) % 7]
                    floor = floor * (k % 2)
                for series, numbers in zip(SERIES, (value, floor, 1.5 * floor, floor, value - floor, floor)):
                    group[series] = numbers
        if awkward:
            set_attributes(
                file.create_group("ranking"), measure="measure_0", times=np.int64(times), held_out=np.int64(0)
            )
            for i, name in enumerate(names):
                line = file.create_group(f"ranking/lines/{name}")
                set_attributes(
                    line,
                    sampler="s",
                    family="simulation",
                    mode="none",
                    **{
                        key: np.int64(i + 1)
                        for key in (
                            "place",
                            "particles",
                            "seeds",
                            "lost",
                            "noise",
                            "force_evaluations",
                            "network_evaluations",
                        )
                    },
                )
                set_attributes(
                    line,
                    mean=(1e-3, 4e301, 0.0, -1e-3, 1e305, 2e-3)[i % 6],
                    spread=np.nan,
                    **dict.fromkeys(
                        (
                            "error",
                            "floor",
                            "excess",
                            "truth_error",
                            "factor",
                            "train_seconds",
                            "sample_seconds",
                        ),
                        1e-3,
                    ),
                )


def check_any_number(root):
    """Of snapshots, ensembles and measures."""
    for case in (
        (1, 3, 2),
        (2, 1, 1),
        (3, 0, 0),
        (5, 2, 0),
        (5, 1, 5),
        (9, 14, 3),
        (40, 2, 11),
        (5, 7, 7, True),
    ):
        directory = root / "x".join(map(str, case))
        spread_out(directory, *case)
        done = run("--figures-only", directory)
        assert done.returncode == 0 and not done.stderr, (case, done.stderr)
        drawn = {path.stem for path in (directory / "figures").iterdir()}
        assert ({"divergences", "costs"} <= drawn) == bool(case[1] and case[2]) and {
            "density",
            "snapshots",
            "truth_error",
        } <= drawn, (case, drawn)
        assert ("ranking" in drawn) == (len(case) > 3), (case, drawn)


def check_logarithmic_axes(root):
    """They hold most of what there is, over no more decades than can be read."""
    nothing = np.array([])
    for values, floors, inside in (
        ([0.3, 0.4, 4e301], nothing, [0.3, 0.4]),
        ([1e-16, 2e-3, 5e-2], nothing, [2e-3, 5e-2]),
        ([1e-5, 7.0], nothing, [1e-5, 7.0]),
        ([2e-3, 1e300, np.inf, np.nan, -1.0, 0.0], [1e-4, 0.0], [1e-4, 2e-3]),
        ([5e-7, 3e-4], [1e-4], [1e-4, 3e-4]),
        ([1e305], nothing, []),
        ([0.0, -1.0], nothing, []),
    ):
        low, high = log_limits(np.array(values), floors)
        assert 0 < low < high <= 1.0001 * low * 10**DECADES and high < 1e300, (values, low, high)
        assert all(low < value < high for value in inside), (values, low, high)


def check_reader(root):
    study = Study(root / "plane")
    assert list(study.ensembles) == list(ENSEMBLES), "the plan's order"
    assert study.held_out.tolist() == [False, True, False, True, False]
    assert study.bins.extent == (12, 20) and study.bins.edges[0][-1] == 1 and study.bins.edges[1][-1] == 2
    masses = study.masses("truth")
    for k, t in enumerate(TIMES):
        assert np.allclose(masses[k], blobs((12, 20), t), rtol=1e-6, atol=1e-9)
    assert np.allclose((study.density("truth") * (1 / 12) * (2 / 20)).sum(axis=(1, 2)), 1)
    assert np.allclose(study.marginal("truth"), masses.sum(axis=2))
    write_study(root / "uneven", extent=(4,))
    with h5py.File(root / "uneven/study.h5", "r+") as file:  # 10 cells in blocks of 3: the last bin has one
        file["truth"].attrs["cells"] = np.array([10], np.uint64)
    assert np.allclose(Study(root / "uneven").bins.edges[0], [0, 0.3, 0.6, 0.9, 1.0])


def check_snapshot(root):
    folder = root / "plane" / "snapshots"
    folder.mkdir()
    averages, x, ids = random.random((3, 5)), random.random((7, 2)), np.arange(7, dtype=np.uint64)
    with h5py.File(folder / "snapshot_000002.h5", "w") as file:
        set_attributes(file.create_group("data/2"), time=0.5, dt=0.25, timeUnitSI=1.0)
        for name in ("density", "density_error"):
            mesh = file.create_dataset(f"data/2/meshes/{name}", data=averages.T)
            set_attributes(
                mesh,
                axisLabels=np.array([b"y", b"x"]),
                gridSpacing=np.array([0.4, 0.5]),
                gridGlobalOffset=np.array([-1.0, 2.0]),
                gridUnitSI=1.0,
                unitSI=1.0,
            )
        species = file.create_group("data/2/particles/walk")
        for axis, name in enumerate("xy"):
            species[f"position/{name}"] = x[:, axis]
            set_attributes(species[f"position/{name}"], unitSI=1.0)
            set_attributes(
                species.create_group(f"positionOffset/{name}"),
                value=10.0,
                shape=np.array([7], np.uint64),
                unitSI=1.0,
            )
        species["id"] = ids
        set_attributes(species["id"], unitSI=1.0)
        set_attributes(
            species.create_group("weighting"), value=1.0, shape=np.array([7], np.uint64), unitSI=1.0
        )
    snapshot = Study(root / "plane").snapshot(-3)
    assert snapshot.time == 0.5 and snapshot.index == 2 and snapshot.species == ("walk",)
    assert (snapshot.mesh() == averages).all() and (snapshot.mesh("density_error") == averages).all()
    assert np.allclose(snapshot.edges(0), 2 + 0.5 * np.arange(4)) and np.allclose(
        snapshot.edges(1), -1 + 0.4 * np.arange(6)
    )
    assert np.allclose(snapshot.positions("walk"), x + 10) and np.allclose(snapshot.weights("walk"), 1 / 7)
    assert snapshot.ids("walk").dtype == np.uint64 and (snapshot.ids("walk") == ids).all()
    for wrong in (
        lambda: snapshot.positions("nobody"),
        lambda: Study(root / "plane").masses("nobody"),
        lambda: Study(root / "plane").snapshot(0),
    ):
        try:
            wrong()
        except FareError as reason:
            assert "\n" not in str(reason)
        else:
            raise AssertionError("no error")


def check_mistakes(root):
    (root / "empty").mkdir()
    (root / "begun" / "snapshots").mkdir(parents=True)
    (root / "begun" / "snapshots" / "snapshot_000000.h5").touch()
    (root / "noise").mkdir()
    (root / "noise" / "study.h5").write_bytes(bytes(range(256)) * 9)
    write_study(root / "stopped", finished=0)
    write_study(root / "cut")
    with h5py.File(root / "cut" / "study.h5", "r+") as file:
        del file["comparisons/walk/kl/value"]
    (root / "other").mkdir()
    with h5py.File(root / "other" / "study.h5", "w") as file:
        file["x"] = 1
    cases = {
        "nowhere": "no such directory",
        "empty": "no study.h5",
        "begun": "unfinished",
        "noise": "HDF5",
        "stopped": "unfinished",
        "cut": "not a whole study",
        "other": "not a FARE study",
    }
    for name, says in cases.items():
        before = sorted(root.rglob("*"))
        done = run(root / name)
        assert done.returncode == 2 and not done.stdout, (name, done)
        assert done.stderr.count("\n") == 1 and says in done.stderr and str(root / name) in done.stderr, (
            name,
            done.stderr,
        )
        assert sorted(root.rglob("*")) == before, f"{name}: something was written"
    for arguments in ((), ("--unknown", root / "line")):
        done = run(*arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for check in (
            check_report,
            check_order,
            check_vector,
            check_movies,
            check_planes,
            check_reading,
            check_unresolved,
            check_names_of_axes,
            check_trainings,
            check_old_results,
            check_measures_without_bias,
            check_other_shapes,
            check_any_number,
            check_logarithmic_axes,
            check_reader,
            check_snapshot,
            check_mistakes,
        ):
            check(root)
            print(f"{check.__name__}: passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
