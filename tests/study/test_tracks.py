#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Tracks: exported from a study they are its particles, on any number of ranks; written and read by the Python package
they are the same in HDF5 and CSV, and to `fare infer`; and ensembles that have none are refused.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare
from fare import read_tracks, write_tracks

STUDY = """
study: tracked
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0.0, end: 1.0, count: 5}
truth: {cells: [64], lower: [-6], upper: [6], tolerance: 1.0e-4}
ensembles:
  - {name: walk, sampler: langevin, particles: 700, dt: 1.0e-2}
  - {name: rest, sampler: boltzmann, particles: 512}
measures: [kl]
infer:
  - {name: fit, parameters: {stiffness: 0.7, kT: 1.3}, file: tracked_tracks.h5}
output: {directory: out}
"""


def exported(where):
    (where / "study.yaml").write_text(STUDY.replace("infer:", "#").replace("  - {name: fit", "#"))
    done = fare(where, "run", "study.yaml", "--no-report")
    expect(done.returncode == 0, "the study runs", done.stderr)
    done = fare(where, "export", "out", "--tracks")
    expect(done.returncode == 0 and "700 tracks of walk" in done.stdout, "tracks are exported", done)
    tracks = read_tracks(where / "tracked_tracks.h5")
    expect(tracks.position.shape == (3500, 1), "a row for each particle and time", tracks.position.shape)
    for k in range(5):
        with h5py.File(next((where / "out").glob(f"**/snapshot_*{k}.h5"))) as file:
            walk = file[f"data/{k}/particles/walk"]
            at = tracks.time == 0.25 * k
            expect((tracks.id[at] == walk["id"][()]).all(), f"ids at {k}")
            name = next(iter(walk["position"]))
            expect((tracks.position[at, 0] == walk["position"][name][()]).all(), f"positions at {k}")
    done = fare(where, "export", "out", "--tracks", "--out", "two.h5", ranks=2)
    two = read_tracks(where / "two.h5")
    expect(
        (two.position == tracks.position).all() and (two.id == tracks.id).all(), "the same on two ranks", done
    )
    done = fare(where, "export", "out", "--tracks", "--ensemble", "rest", "--out", "rest.h5")
    expect(done.returncode == 2 and "have no tracks" in done.stderr, "equilibrium has none", done.stderr)


def written(where):
    """From a file that the study names, and from others on the command line: the same estimates."""
    (where / "study.yaml").write_text(STUDY)
    tracks = read_tracks(where / "tracked_tracks.h5")
    found = []
    for name in (None, "again.h5", "again.csv"):
        if name:
            write_tracks(where / name, tracks.id, tracks.time, tracks.position)
        done = fare(where, "infer", "study.yaml", *([name] if name else []), "--out", "table.h5")
        expect(done.returncode == 0, f"inference from {name}", done.stderr)
        with h5py.File(where / "table.h5") as file:
            found.append([file[f"infer/{key}"][()] for key in ("estimate", "error", "pairs", "truth")])
    expect(all((np.array(f[:3]) == found[0][:3]).all() for f in found), "the same of all files", found)
    estimate, error, pairs, truth = found[0]
    expect((abs(estimate - 1) < 4 * error).all(), "stiffness and kT", (estimate, error))
    expect((pairs == 2800).all() and np.isnan(truth).all(), "pairs; of a file no truth is known", found[0])


def noise(where):
    for name, level in (("a.csv", 0.25), ("a.h5", [0.25, 0.5]), ("b.csv", [0.25, 0.5])):
        axes = np.size(level)
        write_tracks(where / name, [3, 3], [0.0, 1.0], np.ones((2, axes)), noise=level)
        back = read_tracks(where / name)
        expect((back.noise == level).all() and back.position.shape == (2, axes), f"noise in {name}", back)
    (where / "study.yaml").write_text(STUDY)
    done = fare(where, "infer", "study.yaml", "a.csv", "--set", "infer[0].method=kramers_moyal")
    expect("noise of observations for motion: of 0.25" in done.stderr, "the command reads it", done.stderr)
    with h5py.File(where / "a.h5", "w") as file:
        file["id"], file["time"], file["position"] = [3, 3], [0.0, 1.0], np.ones((2, 1))
        file["position"].attrs["noise"] = 0.5
    done = fare(where, "infer", "study.yaml", "a.h5", "--set", "infer[0].method=kramers_moyal")
    expect(
        "noise of observations for motion: of 0.5" in done.stderr,
        "an attribute of the positions",
        done.stderr,
    )
    expect(read_tracks(where / "a.h5").noise == 0.5, "which Python reads, too")
    (where / "a.csv").write_text("# Noise = 0.3\nid,time,x\n1,0,0\n")
    refused("a comment on noise", read_tracks, where / "a.csv")


def spreadsheet(where):
    """The mark that begins a file of UTF-8 is no part of a name."""
    path = where / "sheet.csv"
    path.write_text(
        "id,time,x\n" + "".join(f"1,{0.2 * k},{0.1 * (-1)**k}\n" for k in range(6)), encoding="utf-8-sig"
    )
    expect((read_tracks(path).id == 1).all(), "a mark, read by Python")
    (where / "study.yaml").write_text(STUDY)
    done = fare(where, "infer", "study.yaml", path.name, "--set", "infer[0].method=kramers_moyal")
    expect(done.returncode == 0, "a mark, read by the command", done.stderr)


def refused(what, call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return
    expect(False, f"{what} is refused")


def mistakes(where):
    path = where / "mistake.csv"
    path.write_text("id,time,x\n1,0,0\n1,1\n")
    refused("a row that is short", read_tracks, path)
    refused("an id that is no integer", write_tracks, path, [1.5, 2], [0, 0], [0, 0])
    refused("an id beyond 63 bits", write_tracks, path, np.array([2**63], np.uint64), [0], [0])
    refused("transposed positions", write_tracks, path, [1, 2, 3], [0, 0, 0], np.zeros((2, 3)))
    refused("a position that is not finite", write_tracks, path, [1, 2], [0, 0], [0, np.nan])


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        for test in (exported, written, noise, spreadsheet, mistakes):
            test(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
