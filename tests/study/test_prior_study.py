#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Priors on generators, in whole studies: densities between data and dynamics have the same bits on two ranks, are
nearer to the truth with the right dynamics than with wrong ones, and with both than without; a penalty of weight 0
changes no bit of a network; a choice of its weight that is stopped goes on to the same bits; and what is said of
mistakes.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from checks import ENVIRONMENT, FARE, conclude, differences, expect, fare

STUDY = """\
study: prior
seed: 3
system: {{name: double_well, parameters: {{height: 1.5, kT: 0.7}}}}
drive: [{{parameter: tilt, waveform: sine, amplitude: 2.0, period: 2.0}}]
initial: {{density: gaussian, mean: [-1.0], sd: [0.2]}}
snapshots: {{start: 0.0, end: 2.0, count: 6}}
truth: {{cells: [128], lower: [-2.6], upper: [2.6], tolerance: 1.0e-5}}
ensembles:
{}measures: [kl]
"""
CHAIN = (
    "  - {{name: {}, sampler: weak_constraint, cells: 40, particles: 2000, train: {{times: all, particles:"
    " 60}}{}}}\n"
)
NET = (
    "  - {{name: net, sampler: diffusion, particles: 500, steps: 100, batch: 256, width: 16, layers: 1, "
    "sampling_steps: 6, train: {{particles: {}}}{}}}\n"
)


def run(where, lines, *arguments, ranks=1, system=""):
    text = STUDY.format(lines)
    (where / "study.yaml").write_text(
        re.sub("system: .*\ndrive: .*\ninitial: .*", system, text) if system else text
    )
    return fare(where, "run", "study.yaml", "--overwrite", "--no-report", *arguments, ranks=ranks)


def table(where, name="out"):
    return (where / name / "measures.csv").read_text()


def check_chain(where):
    lines = (
        CHAIN.format("right", "")
        + CHAIN.format("wrong", ", prior: {kind: dynamics_chain, assume: {drive: none}}")
        + CHAIN.format("weak", ", prior: {kind: dynamics_chain, weight: 0}")
    )
    done = run(where, lines, "--set", "output.directory=out")
    expect(done.returncode == 0, "it runs", done.stderr)
    chosen = dict(re.findall(r"weak constraint of (\w+): weight (\S+),", done.stdout + done.stderr))
    expect(set(chosen) == {"right", "wrong"}, "weights that are chosen are told", chosen)
    gaps = re.findall(r"at most (\S+) nats per particle", done.stdout + done.stderr)
    expect(len(gaps) == 3 and max(map(float, gaps)) < 1e-5, "all are near their minimum", gaps)
    two = run(where, lines, "--set", "output.directory=two", ranks=2)
    expect(two.returncode == 0, "it runs on two ranks", two.stderr)
    expect(table(where) == table(where, "two"), "two ranks find the same bits")


def check_kl(where):
    """The order of what is learned, by the means that are printed."""
    printed = (where / "out" / "tables.txt").read_text()
    kl = {name: float(value) for name, value in re.findall(r"(\w+), model density\s+(\d\S+)", printed)}
    expect(
        len(kl) >= 3 and kl["right"] < kl["wrong"] < kl["weak"], "right, wrong and no dynamics in order", kl
    )


def check_network(where):
    prior = ", prior: {{kind: {}, weight: {}}}"
    found = {}
    for weight in (None, 0, 1):
        more = "" if weight is None else prior.format("fokker_planck", weight)
        done = run(where, NET.format(200, more), "--set", "output.directory=net")
        expect(done.returncode == 0, f"diffusion with weight {weight} runs", done.stderr)
        found[weight] = table(where, "net")
    expect(found[None] == found[0], "weight 0 is no prior, to the bit")
    expect(found[None] != found[1], "weight 1 is one")
    done = run(where, NET.format(2, prior.format("noise_equation", 1e12)), "--set", "output.directory=net")
    expect(done.returncode == 0, "two particles and a huge weight run", done.stderr)


def check_stop(where):
    """Asked to stop when the first weight has been tried, or later."""
    net = NET.replace("steps: 100", "steps: 600").format(200, ", prior: {kind: fokker_planck}")
    done = run(where, net, "--set", "output.directory=whole")
    said = re.search(r"prior of net: weight \S+, .*", done.stdout)
    expect(done.returncode == 0 and said, "a weight is chosen", done.stderr)
    command = [FARE, "run", "study.yaml", "--no-report", "--set", "output.directory=stopped"]
    with subprocess.Popen(command, cwd=where, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        while "training net done" not in (line := process.stdout.readline()) and line:
            pass
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    expect(process.returncode == 75, "it stops on request", process.returncode)
    done = fare(where, *command[1:], "--resume")
    expect(done.returncode == 0, "it goes on", done.stderr)
    expect(said and said[0] in done.stdout, "it chooses as the whole run does", done.stdout)
    expect(not differences(where / "whole", where / "stopped"), "to the same bits")
    changed = net.replace("fokker_planck", "noise_equation")
    (where / "study.yaml").write_text(STUDY.format(changed))
    done = fare(where, *command[1:], "--resume")
    expect(done.returncode == 2 and "prior" in done.stderr, "another prior is not gone on with", done.stderr)


REFUSED = {
    "{kind: fokker_plank}": "fokker_planck",
    "{kind: dynamics_chain}": "weak_constraint",
    "{weight: 1}": "kind",
    "{kind: fokker_planck, weight: -1}": "expected auto, or a number from 0",
    "{kind: fokker_planck, weight: many}": "expected auto, or a number from 0",
    "{kind: fokker_planck, assume: {}}": "with at least one of these keys",
    "{kind: fokker_planck, assume: {drives: none}}": "drive",
    "{kind: fokker_planck, assume: {drive: some}}": "",
    "{kind: fokker_planck, assume: {parameters: {heights: 2}}}": "heights",
    "{kind: fokker_planck, assume: {parameters: {height: -2}}}": "height",
    "{kind: fokker_planck, assume: {system: {name: rotational_ou}}}": "axes",
    "{kind: fokker_planck, assume: {system: {name: geometric_brownian}}}": "the same everywhere",
    "fokker_planck": "expected a map",
}


def check_refusals(where):
    for prior, said in REFUSED.items():
        (where / "study.yaml").write_text(STUDY.format(NET.format(20, f", prior: {prior}")))
        done = fare(where, "check", "study.yaml")
        expect(done.returncode == 2, f"{prior} is refused", done.stdout + done.stderr)
        lines = done.stderr.strip().splitlines()
        expect(len(lines) == 1 and "study.yaml:" in lines[0] and said in lines[0], f"{prior} says why", lines)
    plane = "system: {name: rotational_ou}"
    for line in (NET.format(20, ", prior: {kind: fokker_planck}"), CHAIN.format("chain", "")):
        done = run(where, line, "--set", "truth={cells: [8, 8]}", system=plane)
        expect(
            done.returncode == 2 and re.search("of one axis|in one axis", done.stderr),
            "two axes are refused",
            done.stderr,
        )
    oracle = NET.format(20, ", oracle: true, prior: {kind: fokker_planck}")
    done = run(where, oracle)
    expect(done.returncode == 2 and "is not trained" in done.stderr, "an oracle takes none", done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-prior-") as name:
        where = pathlib.Path(name)
        check_chain(where)
        check_kl(where)
        check_network(where)
        check_stop(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
