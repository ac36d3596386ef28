#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Runs of estimators of rare events, and of cloning: paths of one run shared among ranks, and a run that is killed in
its middle and goes on, on more ranks: the same bits each time.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import signal
import sys
import tempfile

import h5py

from checks import conclude, expect
from launch import compile_plugin, execute
from rare import columns, expect_same_bits, run

OVER = "{name: over, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.8]}"
LATE = "{name: late, a: {upper: [-1.0]}, b: {lower: [0.5]}, start: [-0.8], deadline: 1.0}"
FEW = (
    "{name: plain, method: brute_force, event: over, paths: 700, runs: 1, dt: 0.01}",
    "{name: split, method: splitting, event: over, walkers: 40, kill: 9, runs: 4, dt: 0.01}",
    (
        "{name: flow, method: weighted_ensemble, event: over, walkers: 24, bins: 6, resample: 0.05, dt: 0.01,"
        " time: 20, burn: 5, runs: 2}"
    ),
    (
        "{name: flux, method: forward_flux, event: over, walkers: 8, time: 30, burn: 5, interfaces: 6,"
        " trials: 50, dt: 0.01, runs: 1}"
    ),
    "{name: steer, method: doob, event: over, paths: 60, dt: 0.01, runs: 1}",
    (
        "{name: hurry, method: weighted_ensemble, event: late, walkers: 24, bins: 6, resample: 0.05, dt:"
        " 0.01, runs: 1}"
    ),
)
ONE = (
    "{name: split, method: splitting, event: over, walkers: 40, kill: 3, runs: 1, dt: 1.0e-4}",
    (
        "{name: flow, method: weighted_ensemble, event: over, walkers: 24, bins: 6, resample: 0.05, dt: 0.01,"
        " time: 240, runs: 1}"
    ),
    (
        "{name: flux, method: forward_flux, event: over, walkers: 8, time: 600, interfaces: 6, trials: 50,"
        " dt: 0.01, runs: 1}"
    ),
)
CLONED = (
    "{name: clones, kind: tilted, of: moment, tilts: [-0.5], clones: {walkers: 100, dt: 0.01, duration: 20,"
    " runs: 2, burn: 4, control_cells: 32}}"
)
# A double well that counts calls of its force. At call PAUSE it takes longer than a slice of runs, so that a
# checkpoint follows; at call KILL it ends the process. In the end it leaves its count in the file COUNT.
PLUGIN = """\
#include <fare/plugin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};
static long count, pause_at, kill_at;
static long number(const char *name) { const char *told = getenv(name); return told ? atol(told) : 0; }
__attribute__((constructor)) static void begin(void) { pause_at = number("PAUSE"); kill_at = number("KILL"); }
__attribute__((destructor)) static void end(void)
{
  FILE *file = getenv("COUNT") ? fopen(getenv("COUNT"), "w") : NULL;
  if (file) { fprintf(file, "%ld", count); fclose(file); }
}
static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{ for (size_t i = 0; i < n; i++) V[i] = (x[0][i] * x[0][i] - 1) * (x[0][i] * x[0][i] - 1); }
static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  count++;
  if (count == pause_at) usleep(400000);
  if (count == kill_at) raise(SIGKILL);
  for (size_t i = 0; i < n; i++) f[0][i] = -4 * x[0][i] * (x[0][i] * x[0][i] - 1);
}
const fare_system_type mine = {
  .name = "mine", .summary = "counts", .reference = "", .dimension_min = 1, .dimension_max = 1,
  .parameters = parameters, .lower = {-3.5}, .upper = {3.5}, .potential = potential, .force = force,
};
FARE_PLUGIN_SYSTEM(mine);
"""


def study(rare, system="name: double_well", sections=""):
    sections = sections or f"events: [{OVER}, {LATE}]\nrare: [{rare}]\n"
    return (
        f"study: runs\nsystem: {{{system}, parameters: {{kT: 0.3}}}}\n"
        f"snapshots: {{start: 0.0, end: 1.0e-6, count: 2}}\ntruth: {{cells: [128]}}\n{sections}"
    )


def check_teams(where):
    """Three ranks on one run, on two, and on four: three of them for each its own."""
    text = study(", ".join(FEW))
    one, _ = run(where, text, "alone")
    expect((one["estimate"] > 0).all(), "all find the event", one["estimate"])
    many, _ = run(where, text, "team", 3)
    expect_same_bits(one, many, "of runs that ranks share")


def under_way(folder, group):
    """Numbers of the runs whose state the newest checkpoint holds."""
    newest = sorted(folder.glob("checkpoint_*_*.h5"))[-1:]
    for path in newest:
        with h5py.File(path) as file:
            return list(file[group]["under_way"]) if "under_way" in file[group] else []
    return []


def check_kill(where, name, text, kept, group, number, slow=None, killed=None):
    """In the middle of run `number`, which goes on from there on two ranks."""
    path, count = where / f"{name}.yaml", where / f"{name}.count"
    path.write_text(text)
    directory, whole = where / name, where / f"{name}_whole"
    command = ["run", path, "--no-report", "--checkpoint-seconds", "0", "--set"]
    done = execute([*command, f"output.directory={whole}"], where, COUNT=str(count))
    expect(done.returncode == 0, f"{name} runs", done.stderr)
    calls = int(count.read_text())
    command += [f"output.directory={directory}"]
    done = execute(command, where, PAUSE=str(slow or calls // 3), KILL=str(killed or calls // 2))
    expect(done.returncode == -signal.SIGKILL, f"{name} is killed", done)
    expect(
        under_way(directory / "checkpoints", kept) == [number],
        f"{name}: a checkpoint in the middle of the run",
    )
    done = execute([*command, "--resume"], where, ranks=2, hangs=200)
    expect(done.returncode == 0, f"{name} goes on", done.stderr)
    expect_same_bits(columns(whole, group), columns(directory, group), f"of {name} after a kill")


def main():
    with tempfile.TemporaryDirectory(prefix="fare-runs-") as folder:
        where = pathlib.Path(folder)
        check_teams(where)
        compile_plugin(where, "counts", PLUGIN)
        for name, rare in zip(("split", "flow", "flux"), ONE):
            check_kill(where, name, study(rare, "plugin: ./counts.so"), "rare/0", "rare", 0)
        # each run makes 4800 calls: at 6000 and 9000 the second goes on
        text = study("", "plugin: ./counts.so", f"analysis: [{CLONED}]\n")
        check_kill(where, "cloned", text, "analyses", "analysis/clones", 1, 6000, 9000)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
