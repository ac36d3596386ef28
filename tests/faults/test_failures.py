#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What goes wrong in the middle of a study on three ranks: a particle that is no number, a rank that fails
alone, crashes or is killed, a solver that does not converge. One line says which rank, what it was doing and
from where the study can go on; nothing hangs; what was written is whole; and going on without the fault gives
the bits of a study that never had it.
A run by hand with the argument "all" tries every way in which a rank can end.
fare-test: labels=faults timeout=900
"""
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import restart
from checks import expect, failures
from launch import ALONE, ENVIRONMENT, FARE, HANGS, compile_plugin, execute, own_lines

RANKS, BLOCK, PARTICLES, SNAPSHOTS, FAULTY = 3, 512, 10000, 6, 3
PATIENCE = "2"  # seconds that a rank with an error of its own waits for the others
# Moves particles by their number, and has a fault on one rank, or on all (-1), from a time on.
SAMPLER = """\
#define _GNU_SOURCE
#include <fare/sampler_plugin.h>
#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef struct { double speed; } mine_state;
static const fare_field fields[] = {{"speed", FARE_REAL, 0, "1", 0, 10, NULL, "", "how fast"}, FARE_FIELDS_END};
static volatile double zero = 0;
static int deep(int n) { volatile char room[4096]; room[n % 4096] = 1; return n < 0 ? 0 : room[n % 4096] + deep(n + 1); }
static PetscErrorCode fault(const char *kind, int rank, fare_ensemble *e)
{
  if (!strcmp(kind, "error")) SETERRQ(PETSC_COMM_SELF, PETSC_ERR_CONV_FAILED, "no luck");
  if (!strcmp(kind, "apart") && rank == 1) return fare_error_at(FARE_ERR_FAILED, "ensemble faulty (mine)", "no luck");
  if (!strcmp(kind, "apart")) SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "worse");
  if (!strcmp(kind, "nan")) e->x[0][5] = 0 / zero;
  if (!strcmp(kind, "infinite")) e->x[0][e->local - 1] = 1 / zero;
  if (!strcmp(kind, "weight")) {
    e->weight = malloc((size_t)e->blocks * FARE_BLOCK * sizeof(double));
    for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->weight[i] = rank == 1 && i == 7 ? -1 : 1;
  }
  if (!strcmp(kind, "segv")) *(volatile int *)8 = 1;
  if (!strcmp(kind, "abort")) abort();
  if (!strcmp(kind, "trap")) { feenableexcept(FE_DIVBYZERO); e->x[0][0] = 1 / zero; }
  if (!strcmp(kind, "stack")) e->x[0][0] = deep(1);
  if (!strcmp(kind, "exit")) exit(3);
  if (!strcmp(kind, "kill")) kill(getpid(), SIGKILL);
  return 0;
}
static PetscErrorCode advance(fare_sampler *s, double t, fare_ensemble *e)
{
  const char *told = getenv("FARE_TEST_FAULT");
  char        kind[32] = "";
  double      when;
  int         rank, who;
  PetscFunctionBeginUser;
  MPI_Comm_rank(s->comm, &rank);
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->x[0][i] += ((mine_state *)s->state)->speed * (t - e->time) * sin((double)(e->first_block * FARE_BLOCK + i));
  if (told && sscanf(told, "%31s %d %lf", kind, &who, &when) == 3 && (who < 0 || who == rank) && t >= when - 1e-9) PetscCall(fault(kind, rank, e));
  PetscFunctionReturn(0);
}
static const fare_sampler_type mine = {.name = "mine", .summary = "moves", .reference = "", .family = FARE_SIMULATION, .size = sizeof(mine_state), .fields = fields, .advance = advance};
FARE_PLUGIN_SAMPLER(mine);
"""
STUDY = f"""\
study: failing
seed: 5
system: {{name: prinz}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}}]
snapshots: {{start: 0.0, end: 0.5, count: {SNAPSHOTS}}}
truth: {{cells: [128], tolerance: 1.0e-6}}
ensembles:
  - {{name: before, sampler: langevin, particles: 3000, dt: 1.0e-2}}
  - {{name: faulty, plugin: ./mine.so, particles: {PARTICLES}}}
  - {{name: after, sampler: boltzmann, particles: 3000, sweeps: 1, adaptation: 0}}
"""
# Its drift is no number where its parameter k has grown too much, right of 0.5.
SYSTEM = """\
#include <fare/plugin.h>
static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, {"k", 1.0, 0.0, 10.0, "stiffness"}, FARE_PARAMETERS_END};
static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{ for (size_t i = 0; i < n; i++) V[i] = theta[2] > 1.5 && x[0][i] > 0.5 ? __builtin_nan("") : theta[2] * x[0][i] * x[0][i] / 2; }
static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{ for (size_t i = 0; i < n; i++) f[0][i] = theta[2] > 1.5 && x[0][i] > 0.5 ? __builtin_nan("") : -theta[2] * x[0][i]; }
static const fare_system_type broken = {
  .name = "broken", .summary = "a trap", .reference = "", .dimension_min = 1, .dimension_max = 1, .parameters = parameters,
  .lower = {-4}, .upper = {4}, .potential = potential, .force = force,
};
FARE_PLUGIN_SYSTEM(broken);
"""
BROKEN = """\
study: broken
system: {plugin: ./broken.so}
drive: [{parameter: k, waveform: ramp, amplitude: 1.0, start: 0, end: 0.5}]
snapshots: {start: 0.0, end: 0.5, count: 6}
initial: {density: gaussian, mean: [0.0], sd: [1.0]}
TRUTH
ensembles:
  - {name: walk, sampler: langevin, particles: 5000, dt: 1.0e-2}
  - {name: still, plugin: ./mine.so, particles: 5000}
  - {name: learned, sampler: diffusion, particles: 2000, steps: 20, batch: 512, train: {particles: 2000}}
"""
PLANE = """\
study: plane
system: {name: maier_stein}
snapshots: {start: 0.0, end: 0.2, count: 3}
initial: {density: gaussian, mean: [-1, 0], sd: [0.2, 0.2]}
truth: {cells: [32, 32], lower: [-3, -2], upper: [3, 2], tolerance: 1.0e-4, scheme: fitted}
ensembles:
  - {name: walk, sampler: langevin, particles: 2000, dt: 1.0e-2}
"""
# Its potential has no value in one corner when the line y = s - 2 has come that far: ranks elsewhere see
# nothing of it.
CORNER = """\
study: corner
system: {expression: {axes: [x, y], potential: "x^2 + y^2 + 0.01*log(y + 2 - s)", lower: [-1, -1], upper: [1, 1]}, parameters: {s: 0.0}}
drive: [{parameter: s, waveform: ramp, amplitude: 1.3, start: 0, end: 1}]
snapshots: {start: 0.0, end: 1.0, count: 11}
initial: {density: gaussian, mean: [0, 0], sd: [0.2, 0.2]}
truth: {cells: [32, 32], tolerance: 1.0e-5}
"""
# Ten million jumps before the first snapshot.
ENDLESS = """\
study: endless
system: {name: double_well}
drive: [{parameter: tilt, waveform: square, amplitude: 1.0, period: 1.0e-7}]
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {cells: [64], tolerance: 1.0e-5}
"""
LAST = rf"--resume continues from (\S+/checkpoints/checkpoint_00000{FAULTY - 1}_[0-9a-f]{{8}}\.h5)"
PLACE = r", in ensemble faulty \(mine\) up to time 0\.3; "
# (fault, rank that has it, what the one line says, or None where only the launcher can say anything)
ENDS = [
    (
        "error",
        1,
        (
            rf"rank 1: PETSc: no luck \(error 82 in fault\){PLACE}the other ranks, unaware of it, wait"
            rf" elsewhere; {LAST}"
        ),
    ),
    ("segv", 2, rf"rank 2: segmentation fault{PLACE}{LAST}"),
    ("stack", 1, rf"rank 1: segmentation fault{PLACE}{LAST}"),
    ("exit", 2, None),  # calls exit(3)
]
MORE_ENDS = [
    (
        "error",
        0,
        (
            rf"rank 0: PETSc: no luck \(error 82 in fault\){PLACE}the other ranks, unaware of it, wait"
            rf" elsewhere; {LAST}"
        ),
    ),
    ("abort", 0, rf"rank 0: aborted{PLACE}{LAST}"),
    ("trap", 1, rf"rank 1: floating point exception{PLACE}{LAST}"),
    ("kill", 1, None),
]


def run(where, study, out, *arguments, fault=None, ranks=RANKS):
    environment = {"FARE_PATIENCE": PATIENCE, **({"FARE_TEST_FAULT": fault} if fault else {})}
    return execute(
        [
            "run",
            study,
            "--no-report",
            "--checkpoint-seconds",
            "0",
            "--set",
            f"output.directory={out}",
            *arguments,
        ],
        where,
        ranks,
        **environment,
    )


def are_whole(directory):
    """The numbers of the snapshots there, if all that has a name can be read to the end and nothing else is
    left.
    """
    numbers = []
    for path in sorted(directory.rglob("*")):
        if (
            path.is_file() and path.suffix not in (".h5", ".txt", ".csv") and path.name != "run.lock"
        ):  # which the next run takes over
            return f"left behind: {path.name}"
        if path.suffix != ".h5":
            continue
        with h5py.File(path) as file:
            file.visititems(lambda name, node: node[()] if isinstance(node, h5py.Dataset) else None)
        if path.parent.name == "snapshots":
            numbers.append(int(path.stem[-6:]))
    return numbers


def first_particle(rank):
    return -(-PARTICLES // BLOCK) * rank // RANKS * BLOCK


def check_ends(where):
    for kind, rank, pattern in ENDS + (MORE_ENDS if "all" in sys.argv[1:] else []):
        what = f"{kind} on rank {rank}"
        out = f"{kind}{rank}"
        done = run(where, "study.yaml", out, fault=f"{kind} {rank} 0.3")
        lines = own_lines(done.stderr)
        expect(done.returncode not in (0, "hangs"), f"{what}: it ends", f"{done.returncode}")
        found = pattern and len(lines) == 1 and re.fullmatch("fare: " + pattern, lines[0])
        if kind == "error":
            expect(
                b"continues without it" not in done.stderr,
                f"{what}: it does not go on alone",
                done.stderr[-800:],
            )
        if pattern:
            expect(
                bool(found),
                f"{what}: one line says so",
                f"{lines}\n{done.stderr.decode(errors='replace')[-1500:]}",
            )
        else:
            expect(
                not lines and re.search(rf"rank {rank} |,{rank}\]".encode(), done.stderr) is not None,
                f"{what}: the launcher says so",
                done.stderr[-1500:],
            )
        if found:
            expect((where / found[1]).is_file(), f"{what}: the checkpoint that it names is there")
        if kind in ("error", "segv"):
            expect(
                b"PETSC ERROR" not in done.stderr and b"MPI_ERR" not in done.stderr,
                f"{what}: no trace",
                done.stderr[-1500:],
            )
        left = [path for path in (where / out).rglob("*.tmp")]
        expect(
            not left and are_whole(where / out) == list(range(FAULTY)),
            f"{what}: what was written is whole",
            f"{left} {are_whole(where / out)}",
        )
        done = run(where, "study.yaml", out, "--resume")
        wrong = (
            restart.differences(where / "whole", where / out) if done.returncode == 0 else done.stderr[-800:]
        )
        expect(not wrong, f"{what}: it goes on to the same bits", wrong[:5])


def check_particles(where):
    """The ensemble ends and says where; the others lose nothing."""
    count = {
        r: max(0, min(PARTICLES, first_particle(r + 1) if r + 1 < RANKS else PARTICLES) - first_particle(r))
        for r in range(RANKS)
    }
    for kind, rank, particle, says in [
        ("nan", 1, first_particle(1) + 5, "is not finite at time 0.3 (axis 0: "),
        ("infinite", 2, first_particle(2) + count[2] - 1, "is not finite at time 0.3 (axis 0: inf)"),
        ("weight", -1, first_particle(1) + 7, "has weight -1 at time 0.3"),
    ]:
        done = run(where, "study.yaml", kind, fault=f"{kind} {rank} 0.3")
        on = 1 if rank < 0 else rank
        expected = f"ensemble faulty (mine): particle {particle} on rank {on} {says}"
        said = done.stderr.decode(errors="replace")
        expect(
            done.returncode == 0 and said.count(expected) == 1 and "the study continues without it" in said,
            f"{kind}: said where",
            f"{done.returncode} {expected!r}: {said[-800:]}",
        )
        expect(
            are_whole(where / kind) == list(range(SNAPSHOTS)),
            f"{kind}: the study is whole",
            are_whole(where / kind),
        )
        same = []
        for k in range(SNAPSHOTS):
            with (
                h5py.File(where / kind / "snapshots" / f"snapshot_{k:06d}.h5") as one,
                h5py.File(where / "whole" / "snapshots" / f"snapshot_{k:06d}.h5") as two,
            ):
                there = "faulty" in one[f"data/{k}/particles"]
                same.append(
                    there == (k < FAULTY)
                    and all(
                        np.array_equal(
                            one[f"data/{k}/particles/{e}/position/x"],
                            two[f"data/{k}/particles/{e}/position/x"],
                        )
                        for e in ("before", "after")
                    )
                )
        expect(all(same), f"{kind}: the others have the same bits, and it has its snapshots before", same)
        with h5py.File(where / kind / "study.h5") as file:
            kept = [value for value in find_texts(file) if expected in value]
        expect(bool(kept), f"{kind}: the results keep why")


def check_apart(where):
    """Every rank has an error, one that of the ensemble: that is told, with the rank, and names it once."""
    done = run(where, "study.yaml", "apart", fault="apart -1 0.3")
    said = done.stderr.decode(errors="replace")
    expect(
        done.returncode == 0
        and "warning: ensemble faulty (mine): rank 1: no luck, in ensemble faulty (mine) up to time 0.3; the study continues without it"
        in said,
        "errors of different kinds: one line says whose",
        f"{done.returncode} {said[-1500:]}",
    )


def find_texts(file):
    found = []

    def visit(_, node):
        for value in node.attrs.values():
            found.append(value.decode() if isinstance(value, bytes) else str(value))
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "SO":
            found.extend(str(v) for v in np.atleast_1d(node[()]))

    file.visititems(visit)
    return found


def check_system(where):
    """A drift that is no number: for particles the ensembles that follow it end; for the truth the study
    does.
    """
    (where / "broken.yaml").write_text(BROKEN.replace("TRUTH\n", "measures: []\n"))
    done = run(where, "broken.yaml", "broken")
    said = done.stderr.decode(errors="replace")
    match = re.search(
        (
            r"ensemble walk \(langevin\): particle (\d+) on rank (\d) is not finite at time (0\.\d+) \(axis"
            r" 0: -?nan\)"
        ),
        said,
    )
    expect(
        done.returncode == 0 and bool(match) and said.count("continues without it") == 2,
        "a drift that is no number ends the walk and what learns from it",
        f"{done.returncode} {said[-900:]}",
    )
    if match:
        particle, rank, time = int(match[1]), int(match[2]), float(match[3])
        owner = next(
            r
            for r in range(RANKS)
            if particle < (-(-5000 // BLOCK) * (r + 1) // RANKS) * BLOCK or r == RANKS - 1
        )
        expect(owner == rank, "it names the rank that has the particle", f"{particle} {rank} {owner}")
        expect(abs(time - 0.3) < 1e-12, "and the time after k = 1 + t / 0.5 passes 1.5", time)
    expect(
        not re.search(r"ensemble walk \(langevin\)[^:\n]*: ensemble walk", said),
        "it is named once",
        said[-900:],
    )
    expect(
        "ensemble learned (diffusion), its training set: ensemble training (langevin): particle" in said,
        "and the one that learns is told apart",
        said[-900:],
    )
    (where / "broken.yaml").write_text(
        BROKEN.replace("TRUTH", "truth: {cells: [64], tolerance: 1e-5}").replace(
            (
                "  - {name: learned, sampler: diffusion, particles: 2000, steps: 20, batch: 512, train:"
                " {particles: 2000}}\n"
            ),
            "",
        )
    )
    done = run(where, "broken.yaml", "broken_truth")
    lines = own_lines(done.stderr)
    match = len(lines) == 1 and re.fullmatch(
        r"fare: truth: .* at time (0\.\d+).*; --resume continues from (\S+checkpoint_\d+_[0-9a-f]{8}\.h5)",
        lines[0],
    )
    expect(
        done.returncode == 1 and bool(match),
        "a drift that is no number ends the truth",
        f"{done.returncode} {lines} {done.stderr[-800:]}",
    )
    if match:
        expect(0.2 < float(match[1]) <= 0.3 and (where / match[2]).is_file(), "and says when", match[0])
        expect(
            (where / "broken_truth" / "failure.txt").read_text() == lines[0].removeprefix("fare: ") + "\n",
            "the directory keeps why",
        )


def check_solvers(where):
    (where / "plane.yaml").write_text(PLANE)
    reference = run(where, "plane.yaml", "plane", ranks=2)
    expect(reference.returncode == 0, "the study in the plane runs", reference.stderr[-500:])
    for name, options, says in [
        (
            "unpreconditioned",
            ["-truth_ksp_type", "richardson", "-truth_pc_type", "none"],
            r"fare: truth: the time stepping gave up at time \S+ with step \S+ \(DIVERGED_\w+\)",
        ),
        (
            "strict",
            ["-truth_ksp_type", "richardson", "-truth_pc_type", "none", "-truth_ksp_error_if_not_converged"],
            r"fare: PETSc: .*(not converged|did not converge|divergence)",
        ),
        ("nonsense", ["-truth_ksp_type", "nonsense"], r"fare: PETSc: .*nonsense"),
    ]:
        done = run(where, "plane.yaml", name, "--", *options, ranks=2)
        lines = own_lines(done.stderr)
        expect(
            done.returncode == 1 and len(lines) == 1 and re.match(says, lines[0]) is not None,
            f"a solver, {name}: one line says so",
            f"{done.returncode} {lines} {done.stderr[-1500:]}",
        )
        expect(b"PETSC ERROR" not in done.stderr, f"a solver, {name}: no trace", done.stderr[-1500:])


def check_rescue(where):
    """What is trained when the truth fails is in a last checkpoint, from which the study goes on to the same
    bits.
    """
    study = (
        STUDY.replace("./mine.so, particles", "./mine.so, speed: 2, particles")
        + "  - {name: learned, sampler: diffusion, particles: 500, steps: 64, batch: 512, train: {particles:"
        " 1000}}\n"
    )
    (where / "rescue.yaml").write_text(study)
    done = run(where, "rescue.yaml", "unbroken", "--checkpoint-seconds", "1000")
    expect(done.returncode == 0, "the study to be rescued runs", done.stderr[-500:])
    expect(b"simulating the training set" in done.stdout, "it learns", done.stdout[-900:])
    done = run(
        where,
        "rescue.yaml",
        "rescued",
        "--checkpoint-seconds",
        "1000",
        "--",
        "-truth_ts_type",
        "bdf",
        "-truth_ksp_type",
        "richardson",
        "-truth_pc_type",
        "none",
    )
    lines = own_lines(done.stderr)
    match = len(lines) == 1 and re.search(r"--resume continues from (\S+)", lines[0])
    expect(
        done.returncode == 1 and bool(match) and (where / match[1]).is_file(),
        "a truth that fails leaves a checkpoint",
        f"{lines} {done.stderr[-900:]}",
    )
    done = run(where, "rescue.yaml", "rescued", "--resume")
    expect(
        done.returncode == 0
        and b"resuming from" in done.stdout
        and b"simulating the training set" not in done.stdout,
        "from which nothing is learned again",
        done.stdout[-1500:],
    )
    wrong = (
        restart.differences(where / "unbroken", where / "rescued") if done.returncode == 0 else done.stderr
    )
    expect(not wrong, "and it goes on to the same bits", wrong[:4])


def check_corner(where):
    """What only some ranks can see fails on all of them."""
    (where / "corner.yaml").write_text(CORNER)
    for ranks in (1, 4):
        out = f"corner{ranks}"
        done = run(where, "corner.yaml", out, ranks=ranks)
        lines = own_lines(done.stderr)
        says = (
            r"fare: truth: the potential is not finite at time \S+, at \(\S+, -0\.9\d+\); --resume continues"
            rf" from {out}/checkpoints/\S+"
        )
        expect(
            done.returncode == 1 and len(lines) == 1 and re.fullmatch(says, lines[0]) is not None,
            f"a place without a potential, {ranks} ranks: one line says so",
            f"{done.returncode} {lines} {done.stderr[-900:]}",
        )
        expect(
            (where / out / "failure.txt").is_file(),
            f"a place without a potential, {ranks} ranks: it is on record",
        )


def check_dense_drive(where):
    """A drive that turns far more often than steps would end does not hold up a request to stop."""
    chirp = "waveform: chirp, amplitude: 1.0, frequency: 1, final_frequency: 1.0e+9, end: 1.0"
    (where / "endless.yaml").write_text(re.sub("waveform:.*(?=}])", chirp, ENDLESS))
    process = subprocess.Popen(
        [FARE, "run", "endless.yaml", "--no-report", "--grace-seconds", "0", "--max-seconds", "1"],
        cwd=where,
        env={**ENVIRONMENT, **ALONE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        expect(process.wait(HANGS) == 75, "a dense drive is left in its middle", process.returncode)
    finally:
        process.kill()
        process.communicate()
    shutil.rmtree(where / "out" / "endless")


def check_impatience(where):
    """The second SIGTERM ends what has no safe point near; the first, even if it comes twice at once, does
    not.
    """
    (where / "endless.yaml").write_text(ENDLESS)
    # the checkpoint behind the first snapshot tells that its safe point has passed; the next is an hour away
    process = subprocess.Popen(
        [FARE, "run", "endless.yaml", "--no-report", "--checkpoint-seconds", "0", "--grace-seconds", "3600"],
        cwd=where,
        env={**ENVIRONMENT, **ALONE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        checkpoints = where / "out" / "endless" / "checkpoints"
        while process.poll() is None and not list(checkpoints.glob("checkpoint_*.h5")):
            time.sleep(0.1)
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        time.sleep(6)
        expect(process.poll() is None, "asked to stop it goes on to a safe point", process.returncode)
        process.send_signal(signal.SIGTERM)
        expect(process.wait(HANGS) == -signal.SIGTERM, "asked again it ends", process.returncode)
    finally:
        process.kill()
        process.communicate()


def main():
    with tempfile.TemporaryDirectory(prefix="fare-failures-") as name:
        where = pathlib.Path(name)
        compile_plugin(where, "mine", SAMPLER)
        compile_plugin(where, "broken", SYSTEM)
        (where / "study.yaml").write_text(STUDY)
        done = run(where, "study.yaml", "whole")
        if done.returncode:
            print("FAILED: the study without a fault:", done.stderr.decode(errors="replace"))
            return 1
        for check in (
            check_particles,
            check_apart,
            check_ends,
            check_system,
            check_solvers,
            check_rescue,
            check_corner,
            check_dense_drive,
            check_impatience,
        ):
            check(where)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
