#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Sweeps from end to end: which points there are and in which order, how far each has come, one point or all of
them on one rank and on three, a point that fails, what is refused, and what `fare collect` makes of it,
against numbers computed here from each point's own study.h5.
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

from checks import conclude, differences, expect, fare

STUDY = """\
study: small
seed: 3
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 1.0, period: 1.0}]
snapshots: {start: 0.0, end: 0.2, count: 3}
truth: {cells: [128], tolerance: 1.0e-5}
ensembles:
  - {name: walk, sampler: langevin, particles: 700, dt: 1.0e-3}
  - {name: still, sampler: boltzmann, particles: 300}
measures: [kl, wasserstein_1]
output: {directory: out}
sweep:
"""
PRODUCT = (
    "  - {drive.0.period: [0.5, 1, 2], snapshots.end: [0.1, 0.2, 0.4]}\n  - {drive.0.amplitude: {from: 1, to:"
    " 4, count: 2}}\n"
)


def listed(where, study):
    """The rows of `fare sweep`, each as its cells, and the lines below them."""
    done = fare(where, "sweep", study)
    expect(done.returncode == 0, f"fare sweep {study}: {done.returncode} {done.stderr}")
    table, _, rest = done.stdout.partition("\n\n")
    return [line.split() for line in table.splitlines()[1:]], rest


def check_points(where):
    """Products with the last map fastest, keys of one map together, ranges of both kinds."""
    rows, rest = listed(where, "study.yaml")
    expected = [
        [str(i), "missing", period, end, amplitude, f"out/point_{i:04d}"]
        for i, (period, end, amplitude) in enumerate(
            (p, e, a) for p, e in (("0.5", "0.1"), ("1", "0.2"), ("2", "0.4")) for a in ("1", "4")
        )
    ]
    expect(rows == expected, f"points {rows}")
    expect("6 points: 0 done, 0 unfinished, 0 failed, 6 missing" in rest and "--array=0-5" in rest, rest)
    for written, values in (
        ("{from: 1, to: 1000, count: 4, spacing: log}", [1, 10, 100, 1000]),
        ("{from: -1, to: -100, count: 3, spacing: log}", [-1, -10, -100]),
        ("{from: 0.5, to: -1, count: 4}", [0.5, 0, -0.5, -1]),
        ("[3, 1, 2]", [3, 1, 2]),
    ):
        (where / "ranges.yaml").write_text(STUDY + f"  - drive.0.amplitude: {written}\n")
        found = [float(row[2]) for row in listed(where, "ranges.yaml")[0]]
        expect(
            len(found) == len(values) and np.allclose(found, values, rtol=1e-11, atol=1e-14),
            f"{written}: {found}",
        )


def check_refusals(where):
    column = len("  - {") + 1
    for written, place, said in (
        ("{drive.0.amplitud: [1]}", f"13:{column}", "unknown key 'amplitud' (did you mean 'amplitude'?)"),
        (
            "{drive.0.phase: [0, 1], seed: [1, 2, 3]}",
            f"13:{column + len('drive.0.phase: [0, 1], seed: ')}",
            "3 here, 2 for drive.0.phase",
        ),
        ("{output.directory: [a, b]}", f"13:{column}", "cannot be swept"),
        ("{sweep: [a, b]}", f"13:{column}", "cannot be swept"),
        ("{snapshots.end: [1, 0]}", f"13:{column}", "the end must lie after the start"),
        ("{seed: {from: 0, to: 1, count: 2, spacing: log}}", f"13:{column + len('seed: ')}", "nonzero ends"),
        ("{seed: 3}", f"13:{column + len('seed: ')}", "expected a list of values, or a range"),
        (
            "{seed: {from: 1, to: 2, number: 2}}",
            f"13:{column + len('seed: {from: 1, to: 2, ')}",
            "unknown key 'number'",
        ),
        ("[1]", "13:5", "expected a map of keys"),
    ):
        (where / "bad.yaml").write_text(STUDY + f"  - {written}\n")
        for command in ("sweep", "check"):
            done = fare(where, command, "bad.yaml")
            expect(
                done.returncode == 2
                and done.stderr.startswith(f"fare: bad.yaml:{place}: ")
                and said in done.stderr
                and done.stderr.count("\n") == 1,
                f"{command} of {written}: {done.returncode} {done.stderr!r}",
            )
    for arguments, said in (
        (("run", "study.yaml", "--point", 6), "points 0 to 5, got 6"),
        (("run", "study.yaml", "--point", "x"), "expected a non-negative integer"),
        (("run", "study.yaml", "--point"), "needs a number"),
        (("sweep",), "which study?"),
        (("collect",), "which directory?"),
        (("collect", "nowhere"), "nowhere: no such directory"),
        (("collect", "."), "no points of a sweep there"),
    ):
        done = fare(where, *arguments)
        expect(
            done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1,
            f"{arguments}: {done.returncode} {done.stderr!r}",
        )
    (where / "single.yaml").write_text(STUDY.replace("sweep:\n", ""))
    for arguments in (("sweep", "single.yaml"), ("run", "single.yaml", "--point", 0)):
        done = fare(where, *arguments)
        expect(
            done.returncode == 2 and "no section 'sweep'" in done.stderr,
            f"{arguments} of a study without a sweep: {done.returncode} {done.stderr!r}",
        )
    expect(not (where / "out").exists(), "what is refused writes nothing")


def check_states(where):
    """One point on three ranks, one stopped in its middle, the rest missing; then all of them."""
    done = fare(where, "run", "study.yaml", "--no-report", "--point", 4, ranks=3)
    expect(done.returncode == 0, f"point 4 on 3 ranks: {done.returncode} {done.stderr}")
    done = fare(where, "run", "study.yaml", "--no-report", "--point", 1, "--max-seconds", 0.001)
    expect(done.returncode == 75, f"point 1, stopped: {done.returncode} {done.stderr}")
    rows, rest = listed(where, "study.yaml")
    expect(
        [row[1] for row in rows] == ["missing", "unfinished", "missing", "missing", "done", "missing"],
        f"states {rows}",
    )
    expect("6 points: 1 done, 1 unfinished, 0 failed, 4 missing" in rest and "--array=0-3,5\n" in rest, rest)
    expect(fare(where, "sweep", "study.yaml", "--missing").stdout == "0-3,5\n", "--missing alone")
    done = fare(where, "collect", "out")
    expect(
        done.returncode == 0
        and done.stdout.splitlines()[:5]
        == [
            "point 0: missing",
            "point 1: unfinished",
            "point 2: missing",
            "point 3: missing",
            "point 5: missing",
        ]
        and "1 of 6 points" in done.stdout,
        f"collecting what there is: {done.stdout!r} {done.stderr!r}",
    )
    done = fare(where, "run", "study.yaml", "--resume")
    expect(
        done.returncode == 0 and "6 of 6 points in out/sweep.csv, out/sweep.html" in done.stdout,
        f"all points: {done.returncode} {done.stdout[-300:]!r} {done.stderr!r}",
    )
    rows, rest = listed(where, "study.yaml")
    expect(
        {row[1] for row in rows} == {"done"}
        and "still to run" not in rest
        and fare(where, "sweep", "study.yaml", "--missing").stdout == "\n",
        f"all are done: {rows} {rest}",
    )
    done = fare(where, "run", "study.yaml", "--no-report", "--set", "output.directory=three", ranks=3)
    expect(done.returncode == 0, f"all points on 3 ranks: {done.returncode} {done.stderr}")
    for point in range(6):
        wrong = differences(where / "out" / f"point_{point:04d}", where / "three" / f"point_{point:04d}")
        expect(not wrong, f"point {point} on 1 and 3 ranks: {wrong[:3]}")


def check_failure(where):
    """The drift overflows at so small a temperature: that point fails, the others are as they would be
    without it.
    """
    (where / "failing.yaml").write_text(
        STUDY.replace("directory: out", "directory: failing") + "  - {system.parameters.kT: [1, 1e-6, 2]}\n"
    )
    done = fare(where, "run", "failing.yaml")
    expect(
        done.returncode == 1
        and "1 of 3 points failed" in done.stderr
        and "the sweep continues without it" in done.stderr,
        f"a point that fails: {done.returncode} {done.stderr!r}",
    )
    rows, rest = listed(where, "failing.yaml")
    expect(
        [row[1] for row in rows] == ["done", "failed", "done"]
        and "point 1 failed: truth: the potential changes by more" in rest
        and "--array=1\n" in rest,
        f"{rows} {rest}",
    )
    done = fare(where, "collect", "failing")
    expect(
        done.returncode == 0
        and done.stdout.startswith("point 1: failed: truth: the potential changes by more"),
        f"collecting it: {done.stdout!r}",
    )
    expect(
        {path.name for path in (where / "failing" / "figures").iterdir()}
        == {"sweep_costs.png", "sweep_measures.png"},
        "one swept axis: lines",
    )
    done = fare(
        where,
        "run",
        "failing.yaml",
        "--no-report",
        "--point",
        1,
        "--overwrite",
        "--set",
        "sweep=[{system.parameters.kT: [1, 0.5, 2]}]",
    )
    expect(done.returncode == 0, f"the point mended: {done.returncode} {done.stderr}")
    rows, rest = listed(where, "failing.yaml")
    said = "point 1: the study was started with another plan: system.parameters.kT was 0.5, now it is 1e-06"
    expect(
        [row[1] for row in rows] == ["done", "other", "done"]
        and said in rest
        and ", 1 of another plan" in rest
        and "--array=1\n" in rest,
        f"states with the file that failed: {rows} {rest}",
    )
    (where / "failing.yaml").write_text((where / "failing.yaml").read_text().replace("1e-6", "0.5"))
    expect(
        [row[1] for row in listed(where, "failing.yaml")[0]] == ["done", "done", "done"],
        "states once it is mended",
    )


def check_collected(where):
    """sweep.csv says what the points' own files say."""
    with open(where / "out" / "sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    expect(
        len(rows) == 6 * 4 * 2, f"{len(rows)} rows in sweep.csv"
    )  # comparisons: walk, still, still_density, still_target
    for row in rows:
        with h5py.File(where / "out" / f"point_{int(row['point']):04d}" / "study.h5") as study:
            swept = dict(
                zip(
                    (k.decode() for k in study["sweep"].attrs["keys"]),
                    (v.decode() for v in study["sweep"].attrs["values"]),
                )
            )
            expect(
                study["sweep"].attrs["points"] == 6
                and all(row[key] == value for key, value in swept.items())
                and len(swept) == 3,
                f"keys of {row['point']}: {swept}",
            )
            group, ensemble = (
                study[f"comparisons/{row['comparison']}/{row['measure']}"],
                study[f"ensembles/{row['ensemble']}"],
            )
            expect(
                ensemble.attrs["sampler"].decode() == row["sampler"]
                and int(row["force_evaluations"]) == ensemble.attrs["force_evaluations"],
                f"about {row['ensemble']}",
            )
            for name, value in (
                ("average", group["value"][:].mean()),
                ("maximum", group["value"][:].max()),
                ("floor", group["floor_mean"][:].mean()),
                ("excess", group["excess"][:].mean()),
                ("truth_error", group["truth_error"][:].max()),
                ("sample_seconds", ensemble.attrs["sample_seconds"]),
            ):
                expect(
                    math.isclose(float(row[name]), value, rel_tol=1e-8, abs_tol=1e-300),
                    (
                        f"{name} of {row['comparison']} at point {row['point']}: {row[name]}, study.h5 has"
                        f" {value}"
                    ),
                )
    page = (where / "out" / "sweep.html").read_text()
    cells = {(int(p), e) for p, e in re.findall(r'data-point="(\d+)" data-ensemble="(\w+)"', page)}
    expect(
        cells == {(p, e) for p in range(6) for e in ("walk", "still")}, f"rows of sweep.html: {sorted(cells)}"
    )
    expect(
        'src="data:image/png' in page and not re.search(r'(src|href)="(?!data:)', page),
        "sweep.html stands alone",
    )
    expect(
        sorted(path.name for path in (where / "out" / "figures").iterdir())
        == ["sweep_curves.png", "sweep_maps.png"],
        "two swept axes: a map and curves",
    )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-sweep-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(STUDY + PRODUCT)
        for check in (check_points, check_refusals, check_states, check_collected, check_failure):
            check(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
