#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A file of samples that is none, and a directory without a truth, cost one clear line and exit code 2: on one
rank, and on three as on one.
fare-test: labels=faults timeout=300
"""
import os
import pathlib
import shutil
import sys
import tempfile

import h5py
import numpy as np

from launch import execute, refusal, tree

STUDY = """\
study: small
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0, end: 1, count: 11}
truth: {cells: [32], tolerance: 1e-3}
ensembles:
  - {name: walk, sampler: langevin, particles: 50, dt: 5e-2}
  - {name: rest, sampler: boltzmann, particles: 50, sweeps: 1, adaptation: 0}
"""
T, N = 4, 2000
TIMES = np.arange(T) / 10
SAMPLES = np.random.default_rng(1).normal(size=(T, N, 1))


def edited(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


def arrays(**datasets):
    """A sound file, with these datasets in place of its own; None leaves one out."""

    def write(path):
        with h5py.File(path, "w") as file:
            for name, data in {"times": TIMES, "samples": SAMPLES, **datasets}.items():
                if data is not None:
                    file[name] = data

    return write


def groups(**changes):
    """A sound file of groups, with one of them changed."""

    def write(path):
        with h5py.File(path, "w") as file:
            for k in range(T):
                group = file.create_group(f"time_{k:03d}")
                datasets = {"time": TIMES[k], "samples": SAMPLES[k, : 10 + k], **(changes if k == 2 else {})}
                for name, data in datasets.items():
                    if name == "time" and data is not None:
                        group.attrs["time"] = data
                    elif data is not None:
                        group[name] = data

    return write


def cut(fraction):
    def write(path):
        arrays()(path)
        path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])

    return write


def garbled(path):
    """Compressed samples whose bytes are not what the compressor wrote, in the part that the last rank reads."""
    with h5py.File(path, "w") as file:
        file["times"] = TIMES
        data = file.create_dataset("samples", data=SAMPLES, chunks=(1, 500, 1), compression="gzip")
        chunk = data.id.get_chunk_info(T * N // 500 - 1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(content)


def both(path):
    arrays()(path)
    with h5py.File(path, "a") as file:
        file.create_group("time_000")


def grouped_arrays(path):
    with h5py.File(path, "w") as file:
        file["times"] = TIMES
        file.create_group("samples")


def claimed(name, shape, **how):
    """A sound file but for a dataset that claims a shape and was never written."""

    def write(path):
        arrays(**{name: None})(path)
        with h5py.File(path, "a") as file:
            file.create_dataset(name, shape, "f8", **how)

    return write


def broken_name(path):
    groups()(path)
    with h5py.File(path, "a") as file:
        file.move("time_002", "time_\n02")


def stopped(name="samples", shape=(T, N, 1), chunks=(1, 500, 1), rows=3, **how):
    """A chunked dataset of a writer that was stopped: `rows` of its times are there."""

    def write(path):
        arrays(**{name: None})(path)
        with h5py.File(path, "a") as file:
            data = file.create_dataset(name, shape, "f8", chunks=chunks, **how)
            data[:rows] = 1 + np.random.default_rng(2).random((rows, *shape[1:]))

    return write


def hole(path):
    """A chunk in the middle of each time is missing."""
    arrays(samples=None)(path)
    with h5py.File(path, "a") as file:
        data = file.create_dataset("samples", (T, N, 1), "f8", chunks=(1, 300, 1), compression="gzip")
        for first in range(0, N, 300):
            if first != 900:
                data[:, first : first + 300] = SAMPLES[:, first : first + 300]


def external(raw, content=None):
    """Samples in a raw file beside the HDF5 file."""

    def write(path):
        if content is not None:
            (path.parent / raw).write_bytes(content)
        arrays(samples=None)(path)
        with h5py.File(path, "a") as file:
            file.create_dataset("samples", (T, N, 1), "f8", external=[(raw, 0, SAMPLES.nbytes)])

    return write


def pipe(path):
    if not path.exists():
        os.mkfifo(path)
    return path.name


def linked(make):
    """Samples behind a link of HDF5."""

    def write(path):
        arrays(samples=None)(path)
        with h5py.File(path, "a") as file:
            file["samples"] = make(path)

    return write


def to_truncated(path):
    arrays()(path.parent / "whole.h5")
    (path.parent / "cut.h5").write_bytes((path.parent / "whole.h5").read_bytes()[:5000])
    return h5py.ExternalLink("cut.h5", "/samples")


def piped_group(path):
    groups()(path)
    with h5py.File(path, "a") as file:
        del file["time_002"]
        file["time_002"] = h5py.ExternalLink(pipe(path.parent / "pipe"), "/time_002")


def virtual(times=range(T), missing=(), short=(), stop=()):
    """Virtual samples, whose sources are files of one time each."""

    def write(path):
        layout = h5py.VirtualLayout((T, N, 1), "f8")
        for k in range(T):
            with h5py.File(path.parent / f"part{k}.h5", "w") as part:
                if k in stop:
                    part.create_dataset("x", (N, 1), "f8", chunks=(100, 1))[:100] = 1
                else:
                    part["x"] = SAMPLES[k, : N - 10 if k in short else N]
            if k in times:
                layout[k] = h5py.VirtualSource("gone.h5" if k in missing else f"part{k}.h5", "x", (N, 1))
        arrays(samples=None)(path)
        with h5py.File(path, "a") as file:
            file.create_virtual_dataset("samples", layout)

    return write


def unlimited(path):
    """A virtual dataset that grows with its source, which is a pipe."""
    layout = h5py.VirtualLayout((T, N, 1), "f8", maxshape=(None, N, 1))
    source = h5py.VirtualSource(pipe(path.parent / "pipe"), "x", (T, N, 1), maxshape=(None, N, 1))
    layout[0 : h5py.h5s.UNLIMITED : 1, :, :] = source[0 : h5py.h5s.UNLIMITED : 1, :, :]
    arrays(samples=None)(path)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("samples", layout)


def unfiltered(path):
    """Chunks that went through a filter that nobody has: its number is changed behind the writer's back."""
    arrays(samples=None)(path)
    with h5py.File(path, "a") as file:
        file.create_dataset(
            "samples", data=np.round(SAMPLES, 1), chunks=(1, 500, 1), compression="gzip", shuffle=True
        )
    content = path.read_bytes()
    message = content.index(b"deflate\0") - 8  # number, length of the name, flags, number of values
    assert content[message : message + 2] == b"\1\0"
    path.write_bytes(content[:message] + b"\x39\x30" + content[message + 2 :])


def checksummed(path):
    """A bit changed in the last chunk, behind a checksum."""
    arrays(samples=None)(path)
    with h5py.File(path, "a") as file:
        data = file.create_dataset("samples", data=SAMPLES, chunks=(1, 500, 1), fletcher32=True)
        chunk = data.id.get_chunk_info(T * N // 500 - 1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset] ^= 1
    path.write_bytes(content)


def empty_space(path):
    arrays(times=None)(path)
    with h5py.File(path, "a") as file:
        file["times"] = h5py.Empty("f8")


WEIGHTS = np.ones((T, N))
NAN, INF = float("nan"), float("inf")
# (what is wrong, how the file is made, what the line says, whether three ranks are tried too)
FILES = [
    ("no file", None, "samples.h5: No such file or directory", True),
    ("a directory", lambda path: path.mkdir(), "samples.h5: ", False),
    ("text", lambda path: path.write_text("0.1 0.2\n"), "samples.h5: not a whole HDF5 file", True),
    ("nothing", lambda path: path.write_bytes(b""), "samples.h5: not a whole HDF5 file", False),
    ("half a file", cut(0.5), "samples.h5: not a whole HDF5 file", True),
    ("a byte short", cut(0.99999), "samples.h5: not a whole HDF5 file", False),
    ("garbled chunks", garbled, "samples.h5: /samples: ", True),
    (
        "an empty file",
        lambda path: h5py.File(path, "w").close(),
        "samples.h5: no samples: neither /times [T] and /samples [T, N, d], nor groups /time_000",
        True,
    ),
    ("no times", arrays(times=None), "samples.h5: has no dataset /times [T]", False),
    (
        "no samples",
        arrays(samples=None),
        "samples.h5: has no dataset /samples [T, N, d] (times, samples, axes)",
        False,
    ),
    ("both layouts", both, "has /samples or /times and groups /time_... too", False),
    (
        "samples a group",
        grouped_arrays,
        "samples.h5: /samples holds no numbers; expected a dataset [T, N, d]",
        False,
    ),
    ("one extent", arrays(samples=SAMPLES[0, :, 0]), "/samples has 1 dimension; expected [T, N, d]", True),
    (
        "six extents",
        arrays(samples=SAMPLES.reshape(T, N, 1, 1, 1, 1)),
        "/samples has more than 4 dimensions",
        False,
    ),
    ("a scalar", arrays(samples=1.5), "/samples has 0 dimensions; expected [T, N, d]", False),
    ("times a table", arrays(times=TIMES[:, None]), "/times has 2 dimensions; expected [T]", False),
    ("fewer times", arrays(times=TIMES[:3]), "/times has 3 times, /samples has 4", True),
    (
        "two axes",
        arrays(samples=np.dstack([SAMPLES, SAMPLES])),
        "/samples has 2 axes, the truth in small has 1",
        True,
    ),
    ("no axes", arrays(samples=SAMPLES[:, :, :0]), "/samples has 0 axes, the truth in small has 1", False),
    ("zero samples", arrays(samples=SAMPLES[:, :0]), "/samples holds no samples (N = 0)", True),
    ("zero times", arrays(times=TIMES[:0], samples=SAMPLES[:0]), "/times is empty", False),
    ("integers", arrays(samples=SAMPLES.astype(int)), "/samples holds integers; expected [T, N, d]", False),
    ("words", arrays(samples=np.full((T, N, 1), b"word")), "/samples holds no numbers", False),
    ("complex numbers", arrays(samples=SAMPLES.astype(complex)), "/samples holds no numbers", False),
    ("words for times", arrays(times=np.array([b"0", b"1", b"2", b"3"])), "/times holds no numbers", False),
    (
        "not a number",
        arrays(samples=edited(SAMPLES, (2, 17), NAN)),
        "/samples[2, 17, 0] is nan (time 0.2, row 17)",
        False,
    ),
    (
        "not a number, on the last rank",
        arrays(samples=edited(edited(SAMPLES, (3, N - 1), NAN), (3, N - 3), -NAN)),
        f"/samples[3, {N - 3}, 0] is",
        True,
    ),
    (
        "infinity",
        arrays(samples=edited(SAMPLES, (0, 0), -INF)),
        "/samples[0, 0, 0] is -inf (time 0, row 0)",
        False,
    ),
    (
        "a negative weight",
        arrays(weights=edited(WEIGHTS, (1, 5), -1)),
        "/weights[1, 5] is -1 (time 0.1, row 5); weights are finite and not negative",
        True,
    ),
    (
        "a weight that is no number",
        arrays(weights=edited(WEIGHTS, (3, N - 1), NAN)),
        f"/weights[3, {N - 1}] is nan",
        True,
    ),
    ("an infinite weight", arrays(weights=edited(WEIGHTS, (3, 0), INF)), "/weights[3, 0] is inf", False),
    (
        "no weight at all",
        arrays(weights=edited(WEIGHTS, 2, 0)),
        "all weights are 0 at time 0.2 (index 2)",
        True,
    ),
    (
        "too few weights",
        arrays(weights=WEIGHTS[:, :-1]),
        f"/weights has {N - 1} along axis 1, the samples have {N}",
        False,
    ),
    (
        "weights with an axis",
        arrays(weights=WEIGHTS[:, :, None]),
        "/weights has 3 dimensions; expected [T, N]",
        False,
    ),
    (
        "a log-density too short",
        arrays(log_density=WEIGHTS[:3]),
        "/log_density has 3 along axis 0, the samples have 4",
        False,
    ),
    (
        "a time after the end",
        arrays(times=TIMES + 1),
        (
            "/times[1] = 1.1 is not the time of a snapshot of small; there are 11: 0, 0.1, 0.2, ..., 1; the"
            " nearest is 1"
        ),
        True,
    ),
    (
        "a time before the start",
        arrays(times=TIMES - 0.1),
        "/times[0] = -0.1 is not the time of a snapshot",
        False,
    ),
    (
        "a time between",
        arrays(times=edited(TIMES, 2, 0.2501)),
        (
            "/times[2] = 0.2501 is not the time of a snapshot of small; there are 11: 0, 0.1, 0.2, ..., 1;"
            " the nearest is 0.3"
        ),
        False,
    ),
    (
        "a time nearly right",
        arrays(times=edited(TIMES, 2, 0.20001)),
        "/times[2] = 0.20001 is not the time",
        False,
    ),
    ("a time that is no number", arrays(times=edited(TIMES, 3, NAN)), "/times[3] is nan, not a time", True),
    ("a time twice", arrays(times=edited(TIMES, 3, 0.1)), "/times[3] = 0.1: duplicate time", False),
    (
        "samples never written",
        claimed("samples", (T, 10**6, 1)),
        "/samples is incomplete",
        True,
    ),
    (
        "chunks never written",
        claimed("samples", (T, 10**6, 1), chunks=(1, 1000, 1)),
        "/samples is incomplete",
        False,
    ),
    (
        "weights never written",
        claimed("weights", (T, N)),
        "/weights is incomplete",
        False,
    ),
    (
        "log-densities never written",
        claimed("log_density", (T, N), chunks=(1, N)),
        "/log_density is incomplete",
        False,
    ),
    (
        "chunks of a stopped writer",
        stopped(),
        "/samples is incomplete: 4 of its 16 chunks were never written",
        True,
    ),
    ("chunks in the middle", hole, "4 of its 28 chunks were never written", True),
    (
        "compressed chunks of a stopped writer",
        stopped(compression="gzip"),
        "4 of its 16 chunks were never written",
        True,
    ),
    ("chunks filled with ones", stopped(fillvalue=1.0), "4 of its 16 chunks were never written", False),
    (
        "weights of a stopped writer",
        stopped("weights", (T, N), (1, N)),
        "/weights is incomplete: 1 of its 4 chunks",
        True,
    ),
    (
        "log-densities of a stopped writer",
        stopped("log_density", (T, N), (1, N)),
        "/log_density is incomplete",
        False,
    ),
    (
        "a short external file",
        external("short.bin", SAMPLES[:3].tobytes()),
        f"/samples: external file short.bin has {3 * 8 * N} bytes; the dataset needs {4 * 8 * N}",
        True,
    ),
    (
        "no external file",
        external("none.bin"),
        "/samples: external file none.bin: No such file or directory",
        True,
    ),
    (
        "an external pipe",
        lambda path: external(pipe(path.parent / "pipe"))(path),
        "/samples: external file pipe: not a regular file",
        True,
    ),
    ("a pipe", pipe, "samples.h5: a named pipe, socket or device, not a file", True),
    (
        "a link to a pipe",
        lambda path: path.symlink_to(pipe(path.parent / "pipe")),
        "samples.h5: a named pipe, socket or device, not a file",
        True,
    ),
    (
        "a link to nowhere",
        lambda path: path.symlink_to("nowhere.h5"),
        "samples.h5: No such file or directory",
        True,
    ),
    (
        "a link into a pipe",
        linked(lambda path: h5py.ExternalLink(pipe(path.parent / "pipe"), "/samples")),
        "/samples is a broken link: pipe: a named pipe",
        True,
    ),
    (
        "a link into no file",
        linked(lambda path: h5py.ExternalLink("nowhere.h5", "/samples")),
        "/samples is a broken link: nowhere.h5: No such file or directory",
        True,
    ),
    (
        "a link into a text",
        linked(lambda path: h5py.ExternalLink("small.yaml", "/samples")),
        "/samples is a broken link: small.yaml: not a whole HDF5 file: ",
        False,
    ),
    ("a link into half a file", linked(to_truncated), "cut.h5: not a whole HDF5 file: truncated file", False),
    (
        "a link to no dataset of another file",
        linked(lambda path: h5py.ExternalLink("sound.h5", "/here")),
        "/samples is a broken link: sound.h5: there is no /here",
        False,
    ),
    (
        "a soft link to nowhere",
        linked(lambda path: h5py.SoftLink("/here/or/there")),
        "/samples is a broken link: samples.h5: there is no /here",
        True,
    ),
    (
        "a soft link to itself",
        linked(lambda path: h5py.SoftLink("/samples")),
        "/samples is a broken link: a chain of more than 16 links",
        True,
    ),
    (
        "a group behind a pipe",
        piped_group,
        "/time_002 is a broken link: pipe: a named pipe",
        True,
    ),
    (
        "a virtual dataset with a gap",
        virtual(times=(0, 1, 3)),
        f"/samples is virtual, and {N} of its {T * N} values are unmapped",
        True,
    ),
    (
        "a virtual dataset without a part",
        virtual(missing=(2,)),
        "/samples is virtual, and a source is missing: gone.h5: No such file or directory",
        True,
    ),
    (
        "a virtual dataset of short parts",
        virtual(short=(1,)),
        "part1.h5: /x does not have the mapped extents",
        False,
    ),
    (
        "a virtual dataset of a stopped writer",
        virtual(stop=(3,)),
        "part3.h5: /x is incomplete: 19 of its 20 chunks were never written",
        True,
    ),
    (
        "a virtual dataset without an end",
        unlimited,
        "/samples is virtual with an unlimited mapping (unsupported)",
        True,
    ),
    (
        "a filter that nobody has",
        unfiltered,
        "samples.h5: /samples: required filter 'deflate' is not registered",
        True,
    ),
    (
        "a wrong checksum",
        checksummed,
        "samples.h5: /samples: data error detected by Fletcher32 checksum",
        True,
    ),
    ("times that are empty", empty_space, "/times is empty", False),
    (
        "weight",
        arrays(weight=WEIGHTS),
        "samples.h5: unknown dataset 'weight' (did you mean 'weights'?)",
        True,
    ),
    ("logp", arrays(logp=WEIGHTS), "samples.h5: unknown dataset 'logp' (did you mean 'log_density'?)", False),
    (
        "a line break in a misspelt name",
        arrays(**{"s\nmples": SAMPLES, "samples": None}),
        "samples.h5: unknown dataset 's?mples' (did you mean 'samples'?)",
        False,
    ),
    (
        "time",
        arrays(times=None, time=TIMES),
        "samples.h5: unknown dataset 'time' (did you mean 'times'?)",
        False,
    ),
    (
        "positions",
        arrays(samples=None, positions=SAMPLES),
        "samples.h5: unknown dataset 'positions' (did you mean 'samples'?)",
        False,
    ),
    (
        "a group's weight",
        groups(weight=np.ones(12)),
        "samples.h5: unknown dataset 'weight' in /time_002 (did you mean 'weights'?)",
        False,
    ),
    (
        "a group's log_prob",
        groups(log_prob=np.ones(12)),
        "unknown dataset 'log_prob' in /time_002 (did you mean 'log_density'?)",
        False,
    ),
    (
        "weights of no time",
        arrays(weights=WEIGHTS[0, :-1]),
        f"/weights has {N - 1} along axis 0, the samples have {N}",
        False,
    ),
    (
        "log-densities of no time",
        arrays(log_density=WEIGHTS[0]),
        "/log_density has 1 dimension; expected [T, N]",
        False,
    ),
    ("one time of four", arrays(times=0.1), "/times has 1 time, /samples has 4", True),
    (
        "a wrong scalar time",
        arrays(times=0.15, samples=SAMPLES[0]),
        "/times = 0.15 is not the time of a snapshot",
        False,
    ),
    (
        "trained at too few times",
        arrays(trained=np.ones(3, int)),
        "/times has 4 times, /trained has 3",
        False,
    ),
    (
        "a split that is none",
        arrays(trained=np.array([0, 1, 2, 0])),
        "/trained[2] is 2; expected 1 (training) or 0 (held out)",
        True,
    ),
    (
        "a split of words",
        arrays(trained=np.array([b"a", b"b", b"c", b"d"])),
        "/trained holds no numbers",
        False,
    ),
    (
        "a line break in a name",
        broken_name,
        "the name of time group 0 contains a control character",
        True,
    ),
    (
        "a group without a time",
        groups(time=None),
        "/time_002 has no attribute 'time' of the expected type",
        True,
    ),
    (
        "a word for a group's time",
        groups(time="soon"),
        "/time_002 has no attribute 'time' of the expected type",
        False,
    ),
    (
        "two times in a group",
        groups(time=[0.1, 0.2]),
        "/time_002 has no attribute 'time' of the expected type",
        False,
    ),
    (
        "a group's time between",
        groups(time=0.25),
        "/time_002, time = 0.25 is not the time of a snapshot",
        False,
    ),
    ("a group's time twice", groups(time=0.1), "/time_002, time = 0.1: duplicate time", False),
    (
        "a group without samples",
        groups(samples=None),
        "has no dataset /time_002/samples [N, d] (samples, axes)",
        True,
    ),
    (
        "a group of no samples",
        groups(samples=SAMPLES[0, :0]),
        "/time_002/samples holds no samples (N = 0)",
        False,
    ),
    (
        "a group of two axes",
        groups(samples=np.zeros((10, 2))),
        "/time_002/samples has 2 axes, the truth in small has 1",
        False,
    ),
    (
        "infinity in a group",
        groups(samples=edited(SAMPLES[2], 1999, INF)),
        "/time_002/samples[1999, 0] is inf (time 0.2, row 1999)",
        True,
    ),
    (
        "a group's weights",
        groups(samples=SAMPLES[2, :9], weights=-np.ones(9)),
        "/time_002/weights[0] is -1",
        False,
    ),
    (
        "a group's weights too many",
        groups(weights=np.ones(9)),
        "/time_002/weights has 9 along axis 0, the samples have 12",
        False,
    ),
]


def without_truth(where):
    (where / "bare.yaml").write_text(
        STUDY.replace("truth: {cells: [32], tolerance: 1e-3}\n", "").replace("small", "bare")
    )
    assert (
        execute(["run", "bare.yaml", "--no-report", "--set", "output.directory=bare"], where).returncode == 0
    )


def damaged(where, name, damage):
    shutil.copytree(where / "small", where / name)
    damage(where / name)


def make_directories(where):
    """Directories that hold no truth, each for a reason of its own."""
    without_truth(where)
    (where / "empty").mkdir()
    (where / "file").write_text("no directory\n")
    damaged(where, "unfinished", lambda path: (path / "study.h5").unlink())
    damaged(where, "unseen", lambda path: shutil.rmtree(path / "snapshots"))
    damaged(where, "gap", lambda path: (path / "snapshots" / "snapshot_000002.h5").unlink())
    damaged(
        where, "cut", lambda path: (path / "study.h5").write_bytes((path / "study.h5").read_bytes()[:5000])
    )
    damaged(
        where,
        "shuffled",
        lambda path: shutil.copy(
            path / "snapshots" / "snapshot_000003.h5", path / "snapshots" / "snapshot_000002.h5"
        ),
    )
    (where / "other").mkdir()
    arrays()(where / "other" / "study.h5")

    def forget(path):
        with h5py.File(path / "snapshots" / "snapshot_000001.h5", "r+") as file:
            del file["data/1/meshes/density_extrapolated_error"]

    damaged(where, "forgetful", forget)


# (arguments, what the line says, whether three ranks are tried too)
COMMANDS = [
    (["score", "nowhere", "sound.h5"], "nowhere: no such directory", True),
    (["score", "file", "sound.h5"], "file: not a directory", False),
    (["score", "empty", "sound.h5"], "empty: no finished study (no study.h5)", True),
    (["score", "unfinished", "sound.h5"], "unfinished: no finished study (no study.h5)", False),
    (["score", "bare", "sound.h5"], "bare: the study has no truth to compare with", True),
    (["score", "unseen", "sound.h5"], "unseen/snapshots/snapshot_000000.h5: No such file or directory", True),
    (["score", "gap", "sound.h5"], "gap/snapshots/snapshot_000002.h5: No such file or directory", True),
    (["score", "shuffled", "sound.h5"], "shuffled/snapshots/snapshot_000002.h5", False),
    (["score", "forgetful", "sound.h5"], "has no dataset /data/1/meshes/density_extrapolated_error", True),
    (["score", "cut", "sound.h5"], "cut/study.h5: not a whole HDF5 file", False),
    (["score", "other", "sound.h5"], "other/study.h5: / has no attribute 'format'", False),
    (["score"], "which study's truth, and which samples? (usage: fare score TRUTH_DIR SAMPLES.h5", False),
    (["score", "small"], "which samples?", False),
    (["score", "small", "sound.h5", "more.h5"], "one directory and one file, got 'more.h5' too", False),
    (["score", "small", "sound.h5", "--jsn"], "unknown option '--jsn' (did you mean '--json'?)", False),
    (["score", "small", "sound.h5", "--json", "--csv"], "either --json or --csv", False),
    (
        ["score", "small", "sound.h5", "--measures", "kl,wasserstien_1"],
        "unknown measure 'wasserstien_1' (did you mean 'wasserstein_1'?); choose from: kl,",
        True,
    ),
    (["score", "small", "sound.h5", "--measures="], "unknown measure ''", False),
    (["score", "small", "sound.h5", "--measures", "kl,kl"], "duplicate measure 'kl'", False),
    (["score", "small", "sound.h5", "--measures"], "--measures needs a value", False),
    *[
        (
            ["score", "small", "sound.h5", "--replicates", bad],
            "--replicates: expected an integer from 40 to 100000, or 0 for values alone, got",
            False,
        )
        for bad in ("39", "-200", "1e3", "100001", "many", "", "99999999999999999999")
    ],
    (["export"], "which study?", False),
    (["export", "nowhere"], "nowhere: no such directory", True),
    (["export", "empty"], "empty: no finished study", False),
    (
        ["export", "small", "--ensemble", "wlak"],
        "small: the study has no ensemble 'wlak'; choose from: rest (equilibrium), walk (simulation)",
        True,
    ),
    (["export", "small", "--ensemble", ""], "small: the study has no ensemble ''", False),
    (["export", "small", "--out"], "--out needs a value", False),
    (["export", "small", "--output", "x.h5"], "unknown option '--output'", False),
    (["export", "small", "--out", "sound.h5"], "sound.h5: exists already", True),
    (["export", "unseen"], "unseen/snapshots/snapshot_000000.h5: No such file or directory", False),
    (["export", "gap"], "gap/snapshots/snapshot_000002.h5: No such file or directory", True),
]


def complaint(arguments, message, where, ranks):
    """What is wrong with how the program takes this, or None."""
    before = tree(where)
    reason = refusal(execute(arguments, where, ranks), message, ranks)
    if reason:
        return reason
    if tree(where) != before:
        return f"left behind: {sorted(set(tree(where)) ^ set(before)) or 'a changed file'}"
    return None


def main():
    failures, tried = [], 0
    with tempfile.TemporaryDirectory(prefix="fare-faults-") as name:
        where = pathlib.Path(name)
        (where / "small.yaml").write_text(STUDY)
        done = execute(["run", "small.yaml", "--no-report", "--set", "output.directory=small"], where)
        assert done.returncode == 0, f"the sound study does not run: {done}"
        make_directories(where)
        for sound in (arrays(weights=WEIGHTS, log_density=WEIGHTS), groups(), arrays()):
            sound(where / "sound.h5")
            done = execute(["score", "small", "sound.h5"], where)
            assert done.returncode == 0 and not done.stderr, f"sound samples are refused: {done}"
        for title, write, message, on_three in FILES:
            path = where / "samples.h5"
            if write:
                write(path)
            for ranks in (0, 3) if on_three else (0,):
                reason, tried = (
                    complaint(["score", "small", "samples.h5", "--json"], message, where, ranks),
                    tried + 1,
                )
                if reason:
                    failures.append(f"{title}{', on 3 ranks' if ranks else ''}: {reason}")
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
        for arguments, message, on_three in COMMANDS:
            for ranks in (0, 3) if on_three else (0,):
                reason, tried = complaint(arguments, message, where, ranks), tried + 1
                if reason:
                    failures.append(f"{' '.join(arguments)}{', on 3 ranks' if ranks else ''}: {reason}")
    for failure in failures:
        print("FAILED", failure)
    print(f"{tried} refusals tried, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
