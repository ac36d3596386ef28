#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A Python function of a user as a sampler: its samples arrive as they are, on any number of ranks; a study that was
stopped goes on to the same bits; what it learned and its density are used; and each of its faults takes one line.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import json
import math
import pathlib
import re
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare
from launch import execute, own_lines, refusal

STUDY = """\
study: mine
seed: 5
system: {name: ornstein_uhlenbeck}
snapshots: {start: 0.0, end: 0.4, count: 5}
initial: {density: gaussian, mean: [0.3], sd: [0.5]}
truth: {cells: [256], lower: [-7], upper: [7]}
"""
MODULE = """\
import json, os, pathlib, signal, threading, time as clock
import numpy as np
HERE = pathlib.Path(__file__).parent

def draw(time, count, seed, model=None):
    print("printed by a user's function")
    assert not [name for name in os.environ if name.startswith(("OMPI_", "PMIX_"))]
    with open("calls.txt", "a") as calls:
        calls.write(json.dumps([time, count, seed]) + "\\n")
    if time > 0.15 and os.path.exists("stop"):
        os.unlink("stop")
        os.kill(os.getppid(), signal.SIGTERM)
    mean = 0.1 if model is None else np.interp(time, model["times"], model["mean"])
    return mean + np.random.default_rng(seed).standard_normal((count, 1))

def careless(time, count, seed):
    return list(np.random.standard_normal(count))  # neither the seed nor the shape

def learn(data, seed):
    assert data.samples.shape == (3, 2000, 1) and list(data.axes) == ["x"] and data.periodic == [False]
    assert list(data.times) == [0.0, 0.2, 0.4] and data.lower == [-7] and data.parameters["kT"] == [1, 1, 1]
    with open("trainings.txt", "a") as trainings:
        trainings.write(f"{seed}\\n")
    return {"times": data.times, "mean": data.samples.mean(axis=(1, 2)), "lock": None}

def density(time, points, model=None):
    mean = 0.1 if model is None else np.interp(time, model["times"], model["mean"])
    return -(points[:, 0] - mean) ** 2 / 2 - np.log(2 * np.pi) / 2
"""
SOUND = """\
ensembles:
  - {name: mine, sampler: {python: "my_model:draw", density: "my_model:density"}, particles: 1500}
  - {name: careless, sampler: {python: "my_model:careless"}, particles: 700}
  - {name: learned, sampler: {python: "my_model:draw", train: "my_model:learn"}, particles: 1200, train: {particles: 2000}}
"""

TURNS = """\
study: turns
seed: 2
system:
  expression: {axes: [x], potential: "0*x", lower: [-1], upper: [1], periodic: [true]}
  parameters: {kT: 1.0}
snapshots: {start: 0.0, end: 1.0, count: 3}
truth: {cells: [64]}
measures: [kl]
ensembles:
  - {name: walk, sampler: langevin, particles: 500, dt: 0.01}
  - {name: a, sampler: {python: "turned:draw", train: "turned:learn"}, particles: 50, train: {particles: 1000}}
  - {name: ends, sampler: {python: "turned:ends"}, particles: 50}
"""
TURNED = """\
import pathlib
def learn(data, seed):
    x = data.samples
    text = f"{data.lower[0]} {data.upper[0]} {x.min()} {x.max()}"
    (pathlib.Path(__file__).parent / "range.txt").write_text(text)
    return x[0]

def draw(time, count, seed, model):
    return model[:count]

def ends(time, count, seed):
    return [0.1] * count if time == 0 else 1 / 0
"""

DRIVEN = """\
study: driven
seed: 2
system: {name: double_well, parameters: {kT: 0.5}}
drive: [{parameter: tilt, waveform: sine, amplitude: 2.0, period: 0.7}]
snapshots: {start: 0.0, end: 0.4, count: 5}
truth: {cells: [64]}
measures: [kl]
ensembles:
  - {name: told, sampler: {python: "told:draw", train: "told:learn", density: "told:density"}, particles: 50,
     train: {times: every_second, particles: 100}}
  - {name: own, sampler: {python: "told:own", train: "told:learn"}, particles: 50, train: {particles: 100}}
"""
TOLD = """\
import json, numpy as np
def note(what, time, parameters):
    with open("told.txt", "a") as file:
        file.write(json.dumps([what, time, parameters]) + "\\n")

def learn(data, seed):
    return "model"

def draw(time, count, seed, model, *, parameters):
    note("draw", time, parameters)
    parameters.clear()  # its own
    return np.zeros(count)

def density(time, points, model, *, parameters):
    note("density", time, parameters)
    return -points[:, 0] ** 2

def own(time, count, seed, parameters):
    assert parameters == "model"  # an argument of this name that is not keyword-only is the function's own
    return np.zeros(count)
"""

# (name, body of f(time, count, seed), what the reason of the ensemble's end says)
FAULTS = [
    ("raises", 'raise KeyError("no key")', r"broken.py:\d+: KeyError: 'no key'$"),
    ("lines", 'raise ValueError("one\\ntwo")', r"broken.py:\d+: ValueError: one two$"),
    ("deep", "return np.linalg.inv(np.zeros((2, 2)))", r"broken.py:\d+: LinAlgError: Singular matrix$"),
    (
        "wide",
        "return np.zeros((count, 2))",
        r"f_wide returned numbers of shape \(40, 2\), expected \(40, 1\)$",
    ),
    ("few", "return np.zeros((count - 1, 1))", r"of shape \(39, 1\), expected \(40, 1\)$"),
    (
        "nan",
        "x = np.zeros(count); x[7] = np.nan; return x",
        r"1 samples that are not finite, the first is number 7$",
    ),
    ("none", "pass", r"returned None, expected numbers of shape \(40, 1\)$"),
    ("complex", "return np.zeros(count) * 1j", r"of complex128, expected real numbers$"),
    ("integers", "return np.ones((count, 1), int)", r"returned int64, expected floating-point numbers"),
    ("masked", "return np.ma.masked_less(np.arange(count) * 0.1, 1.0)", r"f_masked returned masked values"),
    ("strange", "raise Strange", r"broken.py:\d+: Strange$"),
    ("nul", 'raise ValueError("one\\0two")', r"broken.py:\d+: ValueError: one two$"),
    ("words", 'return ["a"] * count', r"expected real numbers$"),
    ("leaves", "raise SystemExit(0)", r"broken.py:\d+: SystemExit: 0$"),
    ("exits", "os._exit(3)", r"the Python process of broken:f_exits ended with exit code 3$"),
    ("killed", "os.kill(os.getpid(), 9)", r"ended by signal 9 \(Killed\)$"),
]
# (what is said in the study, files beside it, what the refusal says)
REFUSED = [
    ('"nowhere:f"', {}, "ModuleNotFoundError: No module named 'nowhere'"),
    ('"bad:f"', {"bad.py": "x = 1\ndef f(:\n"}, "bad.py:2: SyntaxError: invalid syntax"),
    (
        '"bad:f"',
        {"bad.py": "\nimport not_there\n"},
        "bad.py:2: ModuleNotFoundError: No module named 'not_there'",
    ),
    ('"bad:f"', {"bad.py": "g = 1\n"}, "has no 'f'"),
    ('"bad:g"', {"bad.py": "g = 1\n"}, "'bad:g' is no function"),
    ('"bad:f"', {"bad.py": "import os; os._exit(4)\n"}, "ended with exit code 4"),
    ("bad", {}, "expected \"module:function\", got 'bad'"),
    ('"bad:f", interpreter: /no/python', {}, "cannot start the Python interpreter '/no/python'"),
    ('"bad:f", interpreter: "true"', {}, "the Python process of bad:f ended with exit code 0"),
    ('"bad:f", interpreter: ./bare', {}, "has no NumPy"),
    ('"bad:f", path: no/where', {}, "there is no directory"),
    ('"bad:f", trainer: "bad:g"', {}, "did you mean 'train'?"),
]


def particles(where: pathlib.Path, k: int, name: str) -> np.ndarray:
    with h5py.File(where / "snapshots" / f"snapshot_{k:06d}.h5") as file:
        found = np.asarray(file[f"data/{k}/particles/{name}/position/x"])
        return found


def write(where: pathlib.Path, ensembles: str, **files: str) -> None:
    (where / "study.yaml").write_text(STUDY + ensembles)
    for name, text in files.items():
        (where / f"{name}.py").write_text(text)


def calls(where: pathlib.Path) -> list[list[float]]:
    return [json.loads(line) for line in (where / "calls.txt").read_text().splitlines()]


def check_samples(where: pathlib.Path) -> None:
    """What arrives is what the function returns: computed here anew from the calls that it noted."""
    done = fare(where, "run", "study/study.yaml", "--no-report", "--set", "output.directory=one")
    expect(done.returncode == 0, "runs", done.stderr[-500:])
    expect("printed by a user's function" in done.stderr, "prints go to stderr")
    expect("printed" not in done.stdout, "nothing of a user on stdout")
    made = calls(where)
    own = [c for c in made if c[1] == 1500]
    expect([c[0] for c in own] == [0, 0.1, 0.2, 0.1 * 3, 0.4], "one call for each snapshot", own)
    expect(len({c[2] for c in made}) == 10, "a seed of its own for each call", made)
    expect(all(0 <= c[2] < 2**31 for c in made), "seeds that every library takes")
    for k, (_, count, seed) in enumerate(own):
        exact = 0.1 + np.random.default_rng(int(seed)).standard_normal(int(count))
        expect(np.array_equal(particles(where / "one", k, "mine"), exact), f"snapshot {k} has these samples")


def check_density(where: pathlib.Path) -> None:
    """The cell masses of a Gaussian, by the error function."""
    with h5py.File(where / "one" / "study.h5") as file:
        binned = np.asarray(file["binned/mine_density"])
        bins = binned.shape[1]
    edges = np.linspace(-7, 7, bins + 1)
    cumulative = np.array([0.5 * math.erfc(-(x - 0.1) / math.sqrt(2)) for x in edges])
    for row in binned:
        expect(
            abs(row - np.diff(cumulative)).max() < 1e-9,
            "masses of the density",
            abs(row - np.diff(cumulative)).max(),
        )


def check_mass(where: pathlib.Path) -> None:
    """A density of another normalisation is scaled, and that is said once."""
    (where / "unscaled.py").write_text(MODULE + "\ndef heavy(*a): return density(*a) + 50\n")
    ensembles = (
        SOUND.splitlines()[1].replace("my_model:density", "unscaled:heavy").replace("my_model", "unscaled")
    )
    (where / "unscaled.yaml").write_text(STUDY + "ensembles:\n" + ensembles + "\n")
    done = fare(where, "run", "unscaled.yaml", "--no-report", "--set", f"output.directory={where}/unscaled")
    said = done.stdout + done.stderr
    expect(done.returncode == 0, "runs", done.stderr[-500:])
    expect(said.count("mine: its density has the mass 5.18e+21 in the box at t = 0") == 1, "says so", said)


def check_turns(where: pathlib.Path) -> None:
    """A particle that is driven round and round is learned in its box."""
    here = where / "turns"
    here.mkdir()
    (here / "turned.py").write_text(TURNED)
    (here / "study.yaml").write_text(TURNS)
    done = fare(where, "run", "turns/study.yaml", "--no-report", "--set", f"output.directory={here}/out")
    expect(done.returncode == 0, "runs", done.stderr[-500:])
    lower, upper, least, most = map(float, (here / "range.txt").read_text().split())
    told = done.stdout + (here / "out/tables.txt").read_text()
    expect("(1 of 3)" in told and "nan" not in told, "no average where no held-out time is left", told[-900:])
    expect(lower <= least < lower + 0.5 and upper - 0.5 < most <= upper, "fills its box", (least, most))
    with h5py.File(here / "out/snapshots/snapshot_000002.h5") as file:
        walked = np.asarray(file["data/2/particles/walk/position/x"])
    expect(walked.max() > upper + 1, "the simulation leaves it", walked.max())


def check_drive(where: pathlib.Path) -> None:
    """Functions are told the protocol at all times, held-out ones included: a sine, computed here anew."""
    here = where / "driven"
    here.mkdir()
    (here / "told.py").write_text(TOLD)
    (here / "study.yaml").write_text(DRIVEN)
    done = fare(where, "run", "driven/study.yaml", "--no-report", "--set", f"output.directory={here}/out")
    expect(done.returncode == 0 and "continues without" not in done.stderr, "runs", done.stderr[-500:])
    noted = [json.loads(line) for line in (where / "told.txt").read_text().splitlines()]
    for what in ("draw", "density"):
        times = sorted({round(time, 9) for kind, time, _ in noted if kind == what})
        expect(times == [0, 0.1, 0.2, 0.3, 0.4], f"{what} at all times", times)
    for what, time, parameters in noted:
        tilt = 2 * math.sin(2 * math.pi * time / 0.7)
        expect(abs(parameters["tilt"] - tilt) < 1e-12, f"{what}: the tilt at {time}", parameters)
        expect(parameters["kT"] == 0.5, f"{what}: what is not driven", parameters)


def check_ranks_and_restart(where: pathlib.Path) -> None:
    trained = len((where / "trainings.txt").read_text().split())
    done = fare(where, "run", "study/study.yaml", "--no-report", "--set", "output.directory=three", ranks=3)
    expect(done.returncode == 0, "runs on 3 ranks", done.stderr[-500:])
    (where / "stop").touch()
    arguments = ("run", "study/study.yaml", "--no-report", "--set", "output.directory=again")
    done = fare(where, *arguments)
    expect(done.returncode == 75, "stops on request", (done.returncode, done.stderr[-500:]))
    done = fare(where, *arguments, "--resume")
    expect(done.returncode == 0, "goes on", done.stderr[-500:])
    told = len((where / "trainings.txt").read_text().split())
    expect((trained, told) == (1, 3), "what was learned is kept for later", (trained, told))
    for k in range(5):
        for name in ("mine", "careless", "learned"):
            one = particles(where / "one", k, name)
            for other in ("three", "again"):
                same = np.array_equal(one, particles(where / other, k, name))
                expect(same, f"{name} has the same bits in {other}", k)


def check_faults(where: pathlib.Path) -> None:
    body = "import os\nimport numpy as np\nclass Strange(Exception):\n    def __str__(self): raise KeyError\n"
    for name, code, _ in FAULTS:
        body += (
            f"def f_{name}(time, count, seed):\n    if time < 0.05: return np.zeros((count, 1))\n    {code}\n"
        )
    body += (
        "def sound(time, count, seed):\n    import atexit, time as t\n"
        "    if time == 0: atexit.register(t.sleep, 1000)\n    return np.zeros(count)\n"
    )
    lines = [f'  - {{name: {n}, sampler: {{python: "broken:f_{n}"}}, particles: 40}}\n' for n, _, _ in FAULTS]
    lines.append('  - {name: sound, sampler: {python: "broken:sound"}, particles: 40}\n')
    write(where / "study", "ensembles:\n" + "".join(lines), broken=body)
    for ranks in (0, 3):
        out = where / f"faults{ranks}"
        done = execute(
            ["run", "study/study.yaml", "--no-report", "--set", f"output.directory={out}"], where, ranks
        )
        expect(
            done.returncode == 0, f"the study goes on, {ranks} ranks", (done.returncode, done.stderr[-900:])
        )
        if done.returncode:
            continue
        with h5py.File(out / "study.h5") as file:
            for name, _, reason in FAULTS:
                said = file[f"ensembles/{name}"].attrs.get("failure", b"").decode()
                expect(re.search(reason, said), f"{name}, {ranks} ranks: {reason}", said)
            expect("failure" not in file["ensembles/sound"].attrs, "a sound one goes on beside them")
        expect(particles(out, 4, "sound").size == 40, "to the end")
        expect(b"is killed" in done.stderr, "what hangs at its end is killed", done.stderr[-500:])


def check_refusals(where: pathlib.Path) -> None:
    bare = where / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    for number, (keys, files, message) in enumerate(REFUSED):
        here = where / f"refused{number}"
        here.mkdir()
        for name, text in files.items():
            (here / name).write_text(text)
        (here / "study.yaml").write_text(
            STUDY + f"ensembles: [{{name: a, sampler: {{python: {keys}}}, particles: 9}}]\n"
        )
        ranks = 2 if number in (1, 5) else 0
        done = execute(["check", f"refused{number}/study.yaml"], where, ranks)
        wrong = refusal(done, message, ranks)
        expect(not wrong, f"refuses {keys} on {ranks} ranks", wrong)
        said = own_lines(done.stderr)
        expect(re.match(r"fare: \S*study.yaml:\d+:\d+: ensembles\[0\]", said[0]), "with its place", said)
    (where / "study.yaml").write_text(STUDY + "ensembles: [{name: a, sampler: python, particles: 9}]\n")
    wrong = refusal(execute(["check", "study.yaml"], where), "is written as a map", 0)
    expect(not wrong, "python needs its function", wrong)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fare-") as name:
        where = pathlib.Path(name)
        (where / "study").mkdir()
        write(where / "study", SOUND, my_model=MODULE)
        check_samples(where)
        check_density(where)
        check_mass(where)
        check_turns(where)
        check_drive(where)
        check_ranks_and_restart(where)
        check_faults(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
