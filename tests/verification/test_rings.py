#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Rings: formulas that mean what they say inside the box alone, in one, two and three axes, against a quadrature
round the ring; with boxes of another place or of several periods, on one rank and two, for the truth and for
particles; and what does not close is refused.
fare-test: labels=verification timeout=300
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from checks import expect, failures
from launch import FARE, MPIEXEC, SOURCE

# drift and diffusion on [-0.5, 2]: as formulas, and for NumPy; the slope of the diffusion jumps at the seam
LOWER, UPPER = -0.5, 2.0
RINGS = {
    "kink": ("0", "2 - abs(x - 0.75)", lambda x: 0 * x, lambda x: 2 - abs(x - 0.75)),
    "bowl": ("1.5", "0.5 + (x - 0.75)^2", lambda x: 1.5 + 0 * x, lambda x: 0.5 + (x - 0.75) ** 2),
    "root": (
        "-1 + (x - 0.75)^2",
        "0.2 + sqrt((x + 0.5)*(2 - x))",
        lambda x: -1 + (x - 0.75) ** 2,
        lambda x: 0.2 + np.sqrt((x + 0.5) * (2 - x)),
    ),
}


def exact(drift, diffusion, cells, inside=256):
    """Masses of cells of the stationary density, and the mean velocity: q = D p obeys q' = (f/D) q - J."""
    n, length = cells * inside, UPPER - LOWER
    edge = LOWER + length * np.arange(n + 1) / n
    middle = 0.5 * (edge[1:] + edge[:-1])
    G = np.concatenate([[0], np.cumsum(drift(middle) / diffusion(middle)) * length / n])
    e = np.exp(-G)
    I = np.concatenate([[0], np.cumsum(0.5 * (e[1:] + e[:-1])) * length / n])
    J = (1 - np.exp(-G[-1])) / I[-1]
    q = np.exp(G) * (1 - J * I)
    p = 0.5 * (q[1:] + q[:-1]) / diffusion(middle)
    mass = p.reshape(cells, inside).sum(axis=1)
    return mass / mass.sum(), J * length / (mass.sum() * length / n)


def launch(arguments, ranks=0, where=None):
    return subprocess.run(
        [*([MPIEXEC, "-n", str(ranks)] if ranks else []), *map(str, arguments)],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def run(place, name, study, *more, ranks=0):
    file = place / f"{name}.yaml"
    file.write_text(study)
    done = launch(
        [FARE, "run", file, "--no-report", "--overwrite", "--set", f"output.directory={place / name}", *more],
        ranks,
    )
    if done.returncode:
        sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return place / name


def last(output):
    """Masses of cells of the last snapshot, and the estimated error."""
    with h5py.File(max((output / "snapshots").glob("*.h5"))) as data:
        (iteration,) = data["data"].values()
        density = iteration["meshes/density"]
        volume = np.prod(density.attrs["gridSpacing"])
        return density[...] * volume, float(np.ravel(data["fare/truth"].attrs["error"])[0])


def study(axes, drift, diffusion, cells, more="", end=20.0):
    dim = len(axes)
    return (
        f"study: ring\nsystem:\n  expression:\n    axes: {axes}\n    drift: {drift}\n    diffusion:"
        f" {diffusion}\n    lower: {[LOWER] * dim}\n    upper: {[UPPER] * dim}\n    periodic:"
        f" {['true'] * dim}\n".replace("'true'", "true")
        + f"initial: {{density: uniform}}\nsnapshots: {{start: 0.0, end: {end}, count: 3}}\ntruth: {{cells:"
        f" {cells}}}\n{more}"
    )


def one_axis(place):
    analysis = "analysis:\n  - {name: st, kind: stationary}\n"
    for name, (drift, diffusion, f, D) in RINGS.items():
        p, v = exact(f, D, 400)
        for ranks in (0, 2):
            output = run(place, name, study(["x"], [drift], [diffusion], [400], analysis), ranks=ranks)
            mass, error = last(output)
            off = float(abs(mass - p).sum())
            with h5py.File(output / "study.h5") as data:
                velocity = float(data["analysis/st/velocity"][0])
            expect(
                (off < 2e-3 and off < 3 * error + 1e-9 and abs(velocity - v) < 2e-3 * (1 + abs(v))),
                (
                    f"{name}, {ranks or 1} rank(s): L1 error {off:.1e}, estimated {error:.1e}; velocity"
                    f" {velocity:.6f}, exactly {v:.6f}"
                ),
            )
    drift, diffusion, f, D = RINGS["bowl"]
    p, _ = exact(f, D, 200)
    # three periods that begin elsewhere: cells of [0.75, 8.25], of which the first is number 100 of the box
    output = run(
        place,
        "turns",
        study(["x"], [drift], [diffusion], [600]).replace(
            "cells: [600]", "cells: [600], lower: [0.75], upper: [8.25]"
        ),
    )
    mass, error = last(output)
    off = float(abs(mass - np.tile(np.roll(p, -100), 3) / 3).sum())
    expect(off < 1e-3, f"three periods from elsewhere: L1 error {off:.1e}, estimated {error:.1e}")


def more_axes(place):
    (f1, D1, fa, Da), (f2, D2, fb, Db) = RINGS["bowl"], RINGS["kink"]
    a, b = exact(fa, Da, 48)[0], exact(fb, Db, 48)[0]
    for ranks in (0, 2):
        mass, error = last(
            run(
                place,
                "two",
                study(["x", "y"], [f1, f2], [D1, D2.replace("x", "y")], [48, 48], end=10.0),
                ranks=ranks,
            )
        )
        off = float(abs(mass - b[:, None] * a[None, :]).sum())
        expect(
            off < 2e-3 and off < 3 * error,
            f"two axes, {ranks or 1} rank(s): L1 error {off:.1e}, estimated {error:.1e}",
        )
    a, b = exact(fa, Da, 16)[0], exact(fb, Db, 16)[0]
    mass, error = last(
        run(
            place,
            "three",
            study(
                ["x", "y", "z"],
                [f1, f2, f2],
                [D1, D2.replace("x", "y"), D2.replace("x", "z")],
                [16, 16, 16],
                end=6.0,
            ),
            "--set",
            "truth.tolerance=1e-6",
            ranks=2,
        )
    )
    off = float(abs(mass - b[:, None, None] * b[None, :, None] * a[None, None, :]).sum())
    expect(off < 1e-2 and off < 3 * error, f"three axes: L1 error {off:.1e}, estimated {error:.1e}")


def potentials(place):
    """A slope that jumps at the seam, alone and with a force round and round that varies."""
    text = (
        "study: ring\nsystem:\n  expression:\n    axes: [x]\n    potential: '3*abs(x - 0.75)'\n{extra}   "
        " lower: [-0.5]\n    upper: [2]\n    periodic: [true]\ninitial: {{density: uniform}}\nsnapshots:"
        " {{start: 0.0, end: 20.0, count: 3}}\ntruth: {{cells: [400]}}\n"
    )
    for extra, f in (
        ("", lambda x: 0 * x),
        ("    extra: ['1 + 2*(x - 0.75)^2']\n", lambda x: 1 + 2 * (x - 0.75) ** 2),
    ):
        p, _ = exact(lambda x, f=f: f(x) - 3 * np.sign(x - 0.75), lambda x: 1 + 0 * x, 400)
        mass, error = last(run(place, "potential", text.format(extra=extra)))
        off = float(abs(mass - p).sum())
        expect(
            (off < 1e-4 and off < 3 * error + 1e-9),
            (
                f"a potential with a kink at the seam{', and a force' if extra else ''}: L1 error {off:.1e},"
                f" estimated {error:.1e}"
            ),
        )


def particles(place):
    """Particles go over the seam, to where formulas would mean something else."""
    drift, diffusion, _f, _D = RINGS["bowl"]
    ensembles = "ensembles: [{name: l, sampler: langevin, particles: 20000, dt: 1.0e-3}]\nmeasures: [kl]\n"
    output = run(place, "particles", study(["x"], [drift], [diffusion], [200], ensembles, end=4.0))
    with h5py.File(output / "study.h5") as data:
        value, high = (
            float(np.ravel(data[f"comparisons/l/kl/{key}"][()])[-1]) for key in ("value", "floor_high")
        )
    expect(
        value < 1.3 * high,
        f"particles that have gone round: kl {value:.1e}, of exact samples at most {high:.1e}",
    )


PLUGIN = r"""
#include <fare/plugin.h>
static const fare_parameter parameters[] = {{"pull", 1.5, -10, 10, "drift"}, FARE_PARAMETERS_END};
static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  for (size_t i = 0; i < n; i++) f[0][i] = theta[0];
}
static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  for (size_t i = 0; i < n; i++) D[0][i] = 0.5 + (x[0][i] - 0.75) * (x[0][i] - 0.75);
}
static const fare_system_type bowl = {
  .name = "bowl", .summary = "a ring", .reference = "", .dimension_min = 1, .dimension_max = 1, .parameters = parameters,
  .lower = {-0.5}, .upper = {2}, .periodic = {PETSC_TRUE}, .drift = drift, .diffusion = diffusion,
};
FARE_PLUGIN_SYSTEM(bowl);
"""


def plugin(place):
    """The functions of a plugin are called inside its box, too."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "PETSc"], capture_output=True, text=True, check=False
    ).stdout.split()
    (place / "bowl.c").write_text(PLUGIN)
    compiler = os.environ.get("CC", "mpicc")
    built = launch(
        [
            compiler,
            "-shared",
            "-fPIC",
            "-O2",
            f"-I{SOURCE / 'include'}",
            *flags,
            place / "bowl.c",
            "-o",
            place / "bowl.so",
        ]
    )
    if built.returncode:
        sys.exit(f"the plugin cannot be compiled:\n{built.stderr}")
    text = (
        f"study: ring\nsystem: {{plugin: '{place / 'bowl.so'}'}}\ninitial: {{density: uniform}}\nsnapshots:"
        " {start: 0.0, end: 20.0, count: 3}\ntruth: {cells: [400], lower: [0.75], upper: [3.25]}\n"
    )
    _, _, f, D = RINGS["bowl"]
    p, _ = exact(f, D, 400)
    mass, error = last(run(place, "plugin", text))
    off = float(abs(mass - np.roll(p, -200)).sum())
    expect(off < 1e-3 and off < 3 * error, f"a plugin: L1 error {off:.1e}, estimated {error:.1e}")


def refusals(place):
    tilted = (
        "study: ring\nsystem:\n  expression: {{axes: [x], potential: '{V}', lower: [-1], upper: [1],"
        " periodic: [true]}}\n{parameters}{drive}initial: {{density: uniform}}\nsnapshots: {{start: 0.0, end:"
        " 1.0, count: 3}}\ntruth: {{cells: [64]}}\n"
    )
    pulse = (
        "drive: [{parameter: tilt, waveform: tabulated, times: [0, 0.41001, 0.41002, 0.41003], values: [0, 0,"
        " 1, 0]}]\n"
    )
    cases = [
        (
            "a tilt that is there",
            "cos(pi*x) - tilt*x",
            "  parameters: {tilt: 1}\n",
            "",
            "the potential is not periodic along 'x'",
        ),
        (
            "a tilt that comes with a pulse",
            "cos(pi*x) - tilt*x",
            "  parameters: {tilt: 0}\n",
            pulse,
            "at time 0.41002 the potential is not periodic along 'x'",
        ),
    ]
    for name, V, parameters, drive, message in cases:
        file = place / "refused.yaml"
        file.write_text(tilted.format(V=V, parameters=parameters, drive=drive))
        done = launch([FARE, "run", file, "--set", f"output.directory={place / 'refused'}"])
        expect(
            done.returncode == 2 and message in done.stderr and "refused.yaml:" in done.stderr,
            f"{name}: {done.stderr.strip()[:160]}",
        )
    file.write_text(study(["x"], ["-x"], ["1"], [64]))
    done = launch([FARE, "run", file, "--set", f"output.directory={place / 'refused'}"])
    expect(
        done.returncode == 2 and "the drift is not periodic along 'x'" in done.stderr,
        f"a drift that jumps at the seam: {done.stderr.strip()[:160]}",
    )


def main():
    with tempfile.TemporaryDirectory(prefix="fare-rings-") as name:
        place = pathlib.Path(name)
        one_axis(place)
        more_axes(place)
        potentials(place)
        particles(place)
        plugin(place)
        refusals(place)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
