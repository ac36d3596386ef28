#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Systems that FARE was not built with: the template of input/plugin against an installed FARE, and formulas,
both held against closed forms and built-in systems.
fare-test: labels=verification timeout=300
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import BINARY, FARE, MPIEXEC

PRINZ = "height*(x^8 + 0.8*exp(-80*x^2) + 0.2*exp(-80*(x - 1/2)^2) + 0.5*exp(-40*(x + 1/2)^2)) - tilt*x"
DRIVEN = """\
study: driven
system: {system}
drive:
  - {{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}}
snapshots: {{start: 0.0, end: 0.5, count: 3}}
truth: {{cells: [512], tolerance: 1.0e-7}}
"""


def command(arguments, where, **environment):
    return subprocess.run(
        [str(a) for a in arguments],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )


def checked(arguments, where, **environment):
    done = command(arguments, where, **environment)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def run(study, output, where, *more, ranks=0):
    """The densities of all snapshots, one row each."""
    launch = [MPIEXEC, "-n", ranks] if ranks else []
    checked([*launch, FARE, "run", study, "--no-report", "--set", f"output.directory={output}", *more], where)
    rows = []
    for file in sorted((pathlib.Path(where) / output / "snapshots").glob("*.h5")):
        with h5py.File(file) as data:
            (iteration,) = data["data"].values()
            rows.append(iteration["meshes/density"][...].ravel())
    return np.array(rows)


def plan_of(output, where):
    with h5py.File(pathlib.Path(where) / output / "study.h5") as data:
        plan = data["plan"][()]
    return plan.decode() if isinstance(plan, bytes) else str(plan)


def build_template(place):
    checked(["cmake", "--install", BINARY, "--prefix", place / "prefix"], place)
    shutil.copytree(place / "prefix" / "share" / "fare" / "input" / "plugin", place / "plugin")
    checked(
        [
            "cmake",
            "-S",
            place / "plugin",
            "-B",
            place / "plugin" / "build",
            f"-DCMAKE_PREFIX_PATH={place / 'prefix'}",
        ],
        place,
    )
    checked(["cmake", "--build", place / "plugin" / "build"], place)
    return place / "plugin"


def template(place):
    plugin = build_template(place)
    small = ["--set", "truth.cells=256", "--set", "ensembles=[]", "--set", "snapshots.count=3"]
    still = run("my_system.yaml", "still", plugin, *small, "--set", "drive=[]")
    phi = -np.pi + (np.arange(256) + 0.5) * 2 * np.pi / 256
    # the grid keeps averages over cells: Gauss quadrature of order 7 in each
    nodes, weights = np.polynomial.legendre.leggauss(7)
    boltzmann = (np.exp(-1.5 * np.cos(3 * (phi[:, None] + nodes * np.pi / 256))) * weights / 2).sum(axis=1)
    boltzmann /= boltzmann.sum() * 2 * np.pi / 256
    expect(
        abs(still / boltzmann - 1).max() < 1e-6,
        f"the ring rests in its Boltzmann density (off by {abs(still / boltzmann - 1).max():.1e})",
    )

    moved = run("my_system.yaml", "moved", plugin, *small)
    expect(abs(moved[1] - boltzmann).max() > 0.01, "a torque that swings moves it")
    formula = (
        "{axes: [phi], potential: 'height*cos(wells*phi)', nonconservative: [torque],"
        f" lower: [{-np.pi:.17g}], upper: [{np.pi:.17g}], periodic: [true]}}"
    )
    text = (plugin / "my_system.yaml").read_text()
    (plugin / "formula.yaml").write_text(
        text.replace("plugin: build/my_system.so,", f"expression: {formula},").replace(
            "wells: 3}", "wells: 3, torque: 0}"
        )
    )
    same = run("formula.yaml", "formula", plugin, *small)
    expect(
        abs(same - moved).max() < 1e-12,
        f"as a formula it has the same densities (off by {abs(same - moved).max():.1e})",
    )

    # what was written as the resolved plan runs from anywhere
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "plan.yaml").write_text(plan_of("moved", plugin))
    again = run("plan.yaml", "again", place / "elsewhere", "--set", "study=my_system")
    expect(np.array_equal(again, moved), "the resolved plan of a plugin reads back")
    expect(
        plan_of("again", place / "elsewhere").replace("'again'", "'moved'") == plan_of("moved", plugin),
        "and to the same plan",
    )


def sampler(plugin):
    """The template of a sampler: exact where the dynamics are linear, the same on one rank and three, and
    after it was stopped.
    """
    small = [
        "--set",
        "truth.cells=256",
        "--set",
        "measures=[kl]",
        "--set",
        "ensembles.langevin.particles=2000",
        "--set",
        "ensembles.boltzmann.particles=2000",
    ]
    run("my_sampler.yaml", "linear", plugin, *small)
    run("my_sampler.yaml", "on_three", plugin, *small, ranks=3)
    for k in range(30):
        done = command(
            [
                FARE,
                "run",
                "my_sampler.yaml",
                "--no-report",
                "--resume",
                "--max-seconds",
                "0.001",
                "--checkpoint-seconds",
                "0",
                "--set",
                "output.directory=stopped",
                *small,
            ],
            plugin,
        )
        if done.returncode != 75:
            break
    expect(
        done.returncode == 0 and k > 5,
        f"a study with a sampler of one's own goes on when it was stopped ({k} times)",
    )

    def read(output):
        with h5py.File(plugin / output / "study.h5") as data:
            kl = data["comparisons/mine/kl"]
            return (
                kl["value"][...],
                kl["floor_mean"][...],
                kl["floor_high"][...],
                dict(data["ensembles/mine"].attrs),
            )

    value, mean, high, about = read("linear")
    expect(
        (value.mean() < 1.1 * mean.mean() and (value > high).sum() <= 4),
        (
            f"normal distributions follow a trap that is dragged to within the noise ({value.mean():.2e},"
            f" floor {mean.mean():.2e})"
        ),
    )
    expect(
        str(about["sampler"].decode() if isinstance(about["sampler"], bytes) else about["sampler"])
        == "moving_normal",
        "study.h5 has the name that the plugin gives",
    )
    for other in ("on_three", "stopped"):
        a, b = (plugin / output / "measures.csv" for output in ("linear", other))
        expect(a.read_bytes() == b.read_bytes(), f"its numbers are the same {other.replace('_', ' ')}")
    (plugin / "plan.yaml").write_text(plan_of("linear", plugin))
    again = command([FARE, "check", "plan.yaml"], plugin)
    expect(
        again.returncode == 0 and "build/my_sampler.so" in again.stdout,
        "the resolved plan with a sampler of one's own reads back",
    )
    wide = command(
        [
            FARE,
            "run",
            "my_sampler.yaml",
            "--no-report",
            "--set",
            "output.directory=wide",
            "--set",
            "ensembles.mine.widen=2",
            *small,
        ],
        plugin,
    )
    expect(wide.returncode == 0 and read("wide")[0].mean() > 10 * mean.mean(), "its own parameter is read")
    for setting, said in [
        ("ensembles.mine.widen=-1", "widen"),
        ("ensembles.mine.wide=1", "did you mean 'widen'"),
        ("ensembles.mine.sampler=langevin", "not both"),
        ("ensembles.mine.oracle=true", "does not support this"),
        ("ensembles.mine.plugin=build/my_system.so", "is a system, expected a sampler"),
    ]:
        bad = command([FARE, "check", "my_sampler.yaml", "--set", setting], plugin)
        expect(
            bad.returncode == 2 and said in bad.stderr and bad.stderr.count("\n") == 1,
            f"{setting} is refused: {bad.stderr.strip()[:120]}",
        )


def formulas(place):
    (place / "built_in.yaml").write_text(DRIVEN.format(system="{name: prinz}"))
    (place / "formula.yaml").write_text(
        DRIVEN.format(
            system=(
                f'{{expression: {{potential: "{PRINZ}", lower: [-2], upper: [2]}}, parameters: {{height: 4.0,'
                " tilt: 0.0}}"
            )
        )
    )
    built_in = run("built_in.yaml", "built_in", place)
    formula = run("formula.yaml", "formula", place)
    expect(
        abs(formula - built_in).max() < 1e-12,
        f"prinz as a formula has the densities of prinz (off by {abs(formula - built_in).max():.1e})",
    )
    expect(abs(built_in[1] - built_in[0]).max() > 0.1, "which move")
    (place / "plan.yaml").write_text(plan_of("formula", place))
    expect(
        np.array_equal(run("plan.yaml", "again", place), formula), "the resolved plan of a formula reads back"
    )


def cache_is_shared(place):
    """Jobs and ranks that all find an empty cache: one object afterwards, no leftovers, and nobody saw half a
    file.
    """
    empty = place / "empty"
    study = place / "formula.yaml"
    jobs = [
        subprocess.Popen(
            [MPIEXEC, "-n", "2", FARE, "check", str(study)],
            cwd=place,
            env={**os.environ, "FARE_CACHE": str(empty)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    codes = [job.communicate(timeout=120) and job.returncode for job in jobs]
    left = [f.name for f in empty.iterdir()]
    expect(
        codes == [0, 0, 0] and len(left) == 1 and left[0].endswith(".so"),
        f"three jobs at once with an empty cache: {codes}, {left}",
    )
    done = command([FARE, "check", study], place, FARE_CACHE=str(empty), CC="no-compiler-is-called-this")
    expect(
        done.returncode == 1
        and "no-compiler-is-called-this" in done.stderr
        and len(list(empty.iterdir())) == 1,
        "another compiler is another object",
    )
    compiler = place / "compiler"
    compiler.write_text('#!/bin/sh\nexec cc "$@"\n')
    compiler.chmod(0o700)
    checked([FARE, "check", study], place, FARE_CACHE=str(empty), CC=str(compiler))
    compiler.unlink()
    done = command([FARE, "check", study], place, FARE_CACHE=str(empty), CC=str(compiler))
    expect(done.returncode == 0 and len(list(empty.iterdir())) == 2, "what is in the cache needs no compiler")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-plugin-") as name:
        place = pathlib.Path(name)
        os.environ["FARE_CACHE"] = str(place / "cache")
        os.environ.pop("CC", None)
        template(place)
        sampler(place / "plugin")
        formulas(place)
        cache_is_shared(place)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
