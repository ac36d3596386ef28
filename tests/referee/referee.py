#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Random studies, judged by a reference that shares no code with FARE. Prints the histogram of FARE's estimate
of its own error over the true error, and every silent offender: an estimate below a third of the true error,
without a warning.

    tests/referee/referee.py --command build/tests/referee_truths                    # 200 studies
    tests/referee/referee.py --command ... --first 1000 --count 20000 --jobs 2       # many
    tests/referee/referee.py --command ... --seed 4711 --keep                        # one, and its study file
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
try:
    import numpy as np
except ImportError:
    sys.exit(f"{sys.executable} has no NumPy: run this with a python3 that has, Debian's is /usr/bin/python3")

import planes
import reference
import studies
from reference import Array

Said = dict[str, Any]  # of one study: what the driver printed at snapshots, its warnings, why it failed
Verdict = dict[str, Any]
Result = tuple[int, dict[str, Any], Verdict]  # seed, tags of the study, verdict
FLOOR = 1e-9  # L1 errors below are round-off
THIRD = 3.0
PORTION = 200  # studies of one process
KNOWN = 0.2  # part of the true error that the reference may leave open, for the study to be counted
BINS = [0, 0.01, 0.03, 0.1, 1 / 3, 0.5, 0.7, 0.9, 1.1, 1.5, 2, 3, 10, 100, np.inf]
WORDS = {
    "sound": "sound",
    "warned": "with a warning",
    "silent": "silent and below a third",
    "silent at the start": "so at the start",
    "exact": "exact to round-off",
    "refused": "refused",
    "failed": "failed",
    "no reference": "dropped: the reference had not converged",
}
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def run_fare(command: str, paths: list[pathlib.Path], timeout: float) -> dict[str, Said]:
    """What FARE says of every study: a dict with snapshots, warnings, or a failure."""
    said: dict[str, Said] = {}
    left = list(paths)
    while left:
        try:
            done = subprocess.run(
                [command],
                input="\n".join(map(str, left)) + "\n",
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
            output, ending = done.stdout, f"exit code {done.returncode}"
        except subprocess.TimeoutExpired as late:
            output, ending = (late.stdout or b"").decode(errors="replace"), f"no end after {timeout} s"
        before = len(said)
        path = parse(output, said)
        if path:
            said[path]["failed"] = ending
        if len(said) == before:
            said[str(left[0])] = {"at": [], "compared": {}, "warnings": [], "failed": ending}
        left = [p for p in left if str(p) not in said]
    return said


def parse(output: str, said: dict[str, Said]) -> str | None:
    """Fills `said`; the study that was not finished, if any."""
    path = None
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word == "study":
            path = rest
            said[path] = {"at": [], "compared": {}, "warnings": [], "failed": ""}
        elif path and word == "at":
            said[path]["at"].append(np.array(rest.split(), float))
        elif path and word == "compared":
            said[path]["compared"][len(said[path]["at"]) - 1] = np.array(rest.split(), float)
        elif path and word == "failed":
            said[path]["failed"] = rest
        elif path and word == "done":
            path = None
        elif path and line.strip():
            said[path]["warnings"].append(line)
    return path


def judge(study: studies.Study, said: Said, axes: int = 1) -> Verdict:
    """A verdict: kind of it, the smallest ratio, true error and estimate there."""
    if said["failed"]:
        return {
            "verdict": "refused" if said["failed"].startswith(REFUSED) else "failed",
            "why": said["failed"],
        }
    try:
        masses, own = (planes if axes == 2 else reference).reference(study.problem, study.edges)
    except (reference.NotConverged, np.linalg.LinAlgError) as why:
        return {"verdict": "no reference", "why": str(why)}
    warned = any("warning" in w and "box is small" not in w for w in said["warnings"])
    rows = [
        compare(k, numbers, exact, own, warned)
        for k, (numbers, exact, own) in enumerate(zip(said["at"], masses, own))
    ]
    better = [compare_extrapolated(rows[k], said["compared"][k], masses[k]) for k in said["compared"]]
    open_ = [r for r in rows if is_open(r)]
    rows, better = ([r for r in of if not is_open(r) and matters(r)] for of in (rows, better))
    better.sort(key=lambda r: float(r["ratio"]))
    start, rows = [r for r in rows if r["snapshot"] == 0], [r for r in rows if r["snapshot"] > 0]
    also = {
        "start": start[0] if start else None,
        "extrapolated": better[0] if better else None,
    }
    if rows:
        return min(rows, key=lambda r: (r["verdict"] != "silent", r["ratio"])) | also
    if open_:
        return {"verdict": "no reference", "why": f"open by {open_[0]['open']:.1e} of {open_[0]['true']:.1e}"}
    return {"verdict": "exact"} | also


def is_open(row: Verdict) -> bool:
    """Whether the reference leaves too much of the error open."""
    return bool(row["open"] > KNOWN * max(row["true"], FLOOR))


def matters(row: Verdict) -> bool:
    return bool(max(row["true"], row["estimate"]) > FLOOR)


def compare(k: int, numbers: Array, exact: Array, own: float, warned: bool) -> Verdict:
    """A snapshot: what the driver printed of it beside the reference."""
    return verdict_of(numbers[1], numbers[9:], exact, own, warned or numbers[7] != 0) | {
        "snapshot": k,
        "space": numbers[2],
        "time_part": numbers[3],
        "bound": numbers[4],
        "boundary": numbers[6],
    }


def compare_extrapolated(plain: Verdict, numbers: Array, exact: Array) -> Verdict:
    """Its extrapolated density: no warning excuses its estimate."""
    own = verdict_of(numbers[0], numbers[1:], exact, plain["open"], False)
    return plain | own | {"gain": plain["true"] / max(own["true"], 1e-300)}


def verdict_of(estimate: float, masses: Array, exact: Array, own: float, warned: bool) -> Verdict:
    true = np.abs(masses - exact).sum()
    verdict = "warned" if warned else "silent" if (true - own) / THIRD > estimate + FLOOR else "sound"
    return {
        "verdict": verdict,
        "ratio": estimate / max(true, 1e-300),
        "true": true,
        "estimate": estimate,
        "open": own,
    }


REFUSED = "3002 "


def make(seed: int, axes: int) -> studies.Study:
    return planes.make(seed) if axes == 2 else studies.make(seed)


def one(arguments: tuple[int, Said, int]) -> tuple[int, Verdict]:
    seed, said, axes = arguments
    began = time.perf_counter()
    verdict = judge(make(seed, axes), said, axes)
    verdict["seconds"] = time.perf_counter() - began
    return seed, verdict


def referee(
    command: str,
    seeds: Iterable[int],
    jobs: int = 1,
    where: str | None = None,
    timeout: float = 600,
    tell: Callable[[int, dict[str, Any], Verdict], None] | None = None,
    axes: int = 1,
) -> list[Result]:
    """[(seed, the study's tags, verdict)], in portions that one process of FARE runs."""
    results, seeds = [], list(seeds)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(where or name)
        folder.mkdir(parents=True, exist_ok=True)
        for portion in (seeds[i : i + PORTION] for i in range(0, len(seeds), PORTION)):
            paths, tags = {}, {}
            for seed in portion:
                study = make(seed, axes)
                paths[seed], tags[seed] = folder / f"referee_{seed}.yaml", study.tags
                paths[seed].write_text(study.yaml)
            said = run_fare(command, list(paths.values()), timeout)
            with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
                work = [(seed, said[str(paths[seed])], axes) for seed in portion]
                for seed, verdict in pool.map(one, work, chunksize=4) if jobs > 1 else map(one, work):
                    results.append((seed, tags[seed], verdict))
                    if tell:
                        tell(seed, tags[seed], verdict)
    return results


def histogram(results: Sequence[Result], markdown: bool = False) -> list[str]:
    """Lines of text: how many studies have which smallest ratio after the start, without and with a warning,
    and at the start, and of extrapolated densities.
    """
    verdicts = [v for _, _, v in results]
    starts = [v["start"] for v in verdicts if v.get("start")]
    groups = [
        [v["ratio"] for v in verdicts if v["verdict"] in ("sound", "silent")],
        [v["ratio"] for v in verdicts if v["verdict"] == "warned"],
        [v["ratio"] for v in starts],
        [v["ratio"] for v in extrapolated(results)],
    ]
    rows: list[tuple[Any, ...]] = []  # label, then a number for each group
    for low, high in zip(BINS[:-1], BINS[1:]):
        label = (
            f"below {high:g}"
            if low == 0
            else f"above {low:g}" if not np.isfinite(high) else f"{low:.3g} to {high:.3g}"
        )
        rows.append((label, *(int(sum(low <= r < high for r in group)) for group in groups)))
    if markdown:
        return [
            "| estimate over true error | studies | with a warning | at the start | extrapolated |",
            "|---|---|---|---|---|",
        ] + ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    most = max(1, max(row[1] for row in rows))
    return [f"{'estimate/true error':>20} {'silent':>7} {'warned':>7} {'start':>7} {'better':>7}"] + [
        f"{label:>20} {a:7d} {b:7d} {c:7d} {d:7d} {'#' * round(40 * a / most)}" for label, a, b, c, d in rows
    ]


def extrapolated(results: Sequence[Result]) -> list[Verdict]:
    """Those of a study with the smallest ratio."""
    return [v["extrapolated"] for _, _, v in results if v.get("extrapolated")]


def gains(results: Sequence[Result]) -> str:
    better = extrapolated(results)
    if not better:
        return "no density was extrapolated"
    gain = np.array([v["gain"] for v in better])
    return (
        f"{len(better)} studies with an extrapolated density, whose true error is {np.median(gain):.3g} times"
        f" smaller than the plain one's (median; smaller in {np.mean(gain > 1):.0%});"
        f" {sum(v['verdict'] == 'silent' for v in better)} silent and below a third"
    )


def describe(seed: int, tags: dict[str, Any], v: Verdict) -> str:
    return (
        f"seed {seed}: estimate {v['estimate']:.2e}, true {v['true']:.2e} (reference open by"
        f" {v['open']:.0e}), ratio {v['ratio']:.2g} at snapshot {v['snapshot']}; space {v['space']:.1e}, time"
        f" {v['time_part']:.1e}, bound {v['bound']:.1e}; {tags['shape']} {tags['ends']},"
        f" {tags['cells']} cells, start {tags['start']} ({tags['start_cells']:.2g} cells), drive"
        f" {tags['drive']}, kT {tags['kT']:.2g}, tolerance {tags['tolerance']:.0e}"
    )


def variant(study: studies.Study, cells: int = 1, dense: int = 1) -> str:
    """The study file on more cells, or with more snapshots."""
    n, count = study.tags["cells"], len(study.problem.times)
    return study.yaml.replace(f"cells: [{n}]", f"cells: [{n * cells}]").replace(
        f"count: {count}}}", f"count: {dense * (count - 1) + 1}}}"
    )


def classify(command: str, seed: int, verdict: Verdict, folder: str) -> str:
    """Why a silent offender is one: what mends it."""
    study, kinds = studies.make(seed), []
    paths = {key: pathlib.Path(folder) / f"{key}.yaml" for key in ("fine", "dense")}
    paths["fine"].write_text(variant(study, cells=8))
    paths["dense"].write_text(variant(study, dense=32))
    said = run_fare(command, list(paths.values()), 300)
    exact, _ = reference.reference(study.problem, study.edges)
    k = verdict["snapshot"]
    fine, dense = said[str(paths["fine"])]["at"], said[str(paths["dense"])]["at"]
    if len(dense) > 32 * k and np.abs(dense[32 * k][9:] - exact[k]).sum() < 0.3 * verdict["true"]:
        kinds.append("drive: gone with 32 times the snapshots")
    if len(fine) > k:
        true = np.abs(fine[k][9:].reshape(-1, 8).sum(axis=1) - exact[k]).sum()
        kinds.append(
            f"on 8 times the cells error {true:.1e}, estimate {fine[k][1]:.1e}"
            + (": too coarse" if fine[k][1] > true / THIRD and true < 0.5 * verdict["true"] else "")
        )
    return "; ".join(kinds)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    p.add_argument(
        "--command",
        default=str(pathlib.Path(os.environ.get("FARE_BINARY_DIR", "build")) / "tests" / "referee_truths"),
        help="the program referee_truths",
    )
    p.add_argument("--first", type=int, default=0, help="first seed")
    p.add_argument("--count", type=int, default=200, help="of studies")
    p.add_argument("--seed", type=int, action="append", help="this study alone (may be repeated)")
    p.add_argument(
        "--axes",
        type=int,
        default=1,
        choices=(1, 2),
        help="2: studies of two axes and underdamped ones, some seconds each",
    )
    p.add_argument("--keep", action="store_true", help="keep study files in referee_studies/")
    p.add_argument("--jobs", type=int, default=1, help="processes for the reference")
    p.add_argument(
        "--document",
        type=pathlib.Path,
        help="put the table between the marks of this page, docs/verification.md",
    )
    p.add_argument(
        "--classify",
        action="store_true",
        help="run silent offenders on more cells and with more snapshots, too",
    )
    p.add_argument("--all", action="store_true", help="a line for every study")
    o = p.parse_args()
    seeds = o.seed or range(o.first, o.first + o.count)

    def tell(seed: int, tags: dict[str, Any], v: Verdict) -> None:
        if v.get("start") and v["start"]["verdict"] == "silent":
            print("SILENT START " + describe(seed, tags, v["start"]), flush=True)
        if v.get("extrapolated") and (v["extrapolated"]["verdict"] == "silent" or o.all or o.seed):
            line = describe(seed, tags, v["extrapolated"]) + f"; {v['extrapolated']['gain']:.2g} times better"
            print(f"{v['extrapolated']['verdict'].upper()} EXTRAPOLATED {line}", flush=True)
        if v["verdict"] == "silent" or (o.all or o.seed) and "true" in v:
            print(
                ("SILENT " if v["verdict"] == "silent" else v["verdict"] + " ") + describe(seed, tags, v),
                flush=True,
            )
            if o.classify and o.axes == 1 and v["verdict"] == "silent":
                with tempfile.TemporaryDirectory() as folder:
                    print("    " + classify(o.command, seed, v, folder), flush=True)
        elif v["verdict"] in ("failed", "refused") or o.all or o.seed:
            print(
                (
                    f"{v['verdict']} seed {seed}: {tags['shape']} {tags['ends']} {tags['drive']}:"
                    f" {v.get('why', '')}"
                ),
                flush=True,
            )

    results = referee(o.command, seeds, o.jobs, "referee_studies" if o.keep else None, tell=tell, axes=o.axes)
    if o.document:
        write_block(
            o.document,
            "referee" if o.axes == 1 else "referee_planes",
            [*histogram(results, markdown=True), "", f"{count(results)}; {gains(results)}", ""],
        )
    return conclude(results)


def write_block(page: pathlib.Path, name: str, lines: list[str]) -> None:
    """Replaces what stands between the marks of that name."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + "\n".join(lines).rstrip() + "\n" + end + rest.split(end)[1])


def count(results: Sequence[Result]) -> str:
    """How many studies came to which end."""
    counts = collections.Counter(v["verdict"] for _, _, v in results)
    counts["silent at the start"] = sum(
        bool(v.get("start")) and v["start"]["verdict"] == "silent" for _, _, v in results
    )
    needed = sum(
        v["verdict"] == "warned" and (v["true"] - v["open"]) / THIRD > v["estimate"] + FLOOR
        for _, _, v in results
    )
    words = WORDS | {"warned": f"with a warning ({needed} of them below a third)"}
    return f"{len(results)} studies: " + ", ".join(
        f"{counts[kind]} {said}" for kind, said in words.items() if counts[kind] or kind.startswith("silent")
    )


def conclude(results: Sequence[Result]) -> int:
    ends = collections.Counter(v["verdict"] for _, _, v in results)
    also = [v[key] for _, _, v in results for key in ("start", "extrapolated") if v.get(key)]
    print("\n".join(histogram(results)))
    print(f"{count(results)}; reference {np.mean([v['seconds'] for _, _, v in results]):.2f} s a study")
    print(gains(results))
    silent = any(v["verdict"] == "silent" for v in also)
    return 1 if silent or any(ends[bad] for bad in ("silent", "failed", "refused")) else 0


if __name__ == "__main__":
    sys.exit(main())
