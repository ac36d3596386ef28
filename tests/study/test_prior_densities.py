#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Priors on methods that learn a density: from few particles the right dynamics bring energies and flows much nearer to
the truth, wrong ones less; a penalty of weight 0 changes no bit; a choice of its weight that is stopped goes on to
the same bits, walkers and all; and what is said of mistakes.
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
{lines}measures: [kl]
"""
NET = (
    "  - {{name: {name}, sampler: {sampler}, particles: 2000, layers: 2, "
    "train: {{times: all, particles: {count}}}{prior}}}\n"
)
EBM = "ebm, conditioned: true, walkers: 512, batch: 512, width: 24, steps: 400, burn_in: 40, sweeps: 4"
FLOW = "normalizing_flow, bins: 16, batch: 512, width: 24, steps: 400"
DIFFUSION = "diffusion, width: 24, batch: 256, steps: 300, sampling_steps: 6"
PRIOR = ", prior: {{kind: {}, weight: {}{}}}"
WRONG = ", assume: {parameters: {height: 3.0}, drive: none}"


def write(where, lines):
    (where / "study.yaml").write_text(STUDY.format(lines=lines))


def run(where, lines, directory, *arguments, ranks=1):
    write(where, lines)
    done = fare(
        where,
        "run",
        "study.yaml",
        "--overwrite",
        "--no-report",
        "--set",
        f"output.directory={directory}",
        *arguments,
        ranks=ranks,
    )
    expect(done.returncode == 0, f"{directory} runs", done.stderr)
    return done


def line(name, sampler, prior="", count=20):
    return NET.format(name=name, sampler=sampler, prior=prior, count=count)


def check_gain(where):
    for sampler, directory in (
        (EBM.replace("width: 24, steps: 400", "width: 32, steps: 1000"), "ebm"),
        (FLOW, "flow"),
    ):
        lines = (
            line("none", sampler)
            + line("right", sampler, PRIOR.format("fokker_planck", 3, ""))
            + line("wrong", sampler, PRIOR.format("fokker_planck", 3, WRONG))
        )
        run(where, lines, directory)
        printed = (where / directory / "tables.txt").read_text()
        kl = {
            name: float(value)
            for name, value in re.findall(r"^(none|right|wrong) +(\d\S+)", printed, re.MULTILINE)
        }
        expect(2 * kl["right"] < kl["none"], f"{directory}: the right dynamics help", kl)
        expect(1.3 * kl["right"] < kl["wrong"], f"{directory}: more than wrong ones", kl)


def check_zero(where):
    for sampler in (EBM, FLOW, DIFFUSION):
        kind = sampler.split(",")[0]
        tables = []
        for prior in (
            "",
            PRIOR.format("least_dissipation", 0, ""),
            PRIOR.format("least_dissipation", 10, ""),
        ):
            run(where, line("net", sampler.replace("steps: 400", "steps: 60"), prior), "zero")
            tables.append((where / "zero" / "measures.csv").read_text())
        expect(tables[0] == tables[1], f"{kind}: weight 0 is no prior, to the bit")
        expect(tables[0] != tables[2], f"{kind}: weight 10 is one")


def check_stop(where, sampler):
    net = line("net", sampler.replace("steps: 400", "steps: 200"), ", prior: {kind: fokker_planck}")
    done = run(where, net, "whole")
    said = re.search(r"prior of net: weight \S+, .*", done.stdout)
    expect(said, "a weight is chosen", done.stdout)
    command = [FARE, "run", "study.yaml", "--overwrite", "--no-report", "--set", "output.directory=stopped"]
    with subprocess.Popen(command, cwd=where, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        while "training net done" not in (text := process.stdout.readline()) and text:
            pass
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    expect(process.returncode == 75, "it stops on request", process.returncode)
    done = fare(where, *[word for word in command[1:] if word != "--overwrite"], "--resume")
    expect(done.returncode == 0, "it goes on", done.stderr)
    expect(said and said[0] in done.stdout, "it chooses as the whole run does", done.stdout)
    expect(not differences(where / "whole", where / "stopped"), "to the same bits")


REFUSED = (
    (EBM, "{kind: noise_equation}", "score of every noise level"),
    (FLOW, "{kind: noise_equation}", "score of every noise level"),
    (EBM, "{kind: dynamics_chain}", "weak_constraint"),
    (EBM.replace("conditioned: true, ", ""), "{kind: fokker_planck}", "set conditioned to true"),
    ("action_matching, steps: 10", "{kind: least_dissipation}", "by itself"),
    ("poisson_flow, steps: 10", "{kind: least_dissipation}", "diffusion"),
    (FLOW, "{kind: fokker_planck, assume: {parameters: {kT: -1}}}", "kT"),
)


def check_ranks(where):
    """Particles that lie on one of two ranks: the penalty counts there, too."""
    flow = FLOW.replace("steps: 400", "steps: 60")
    lines = line("light", flow, PRIOR.format("fokker_planck", 0.01, "")) + line(
        "heavy", flow, PRIOR.format("fokker_planck", 100, "")
    )
    kl = {}
    for ranks in (1, 2):
        done = run(where, lines, f"ranks{ranks}", ranks=ranks)
        rows = re.findall(r"^(light|heavy) +(\S+)", done.stdout, re.MULTILINE)
        kl[ranks] = {name: float(value.rstrip("*")) for name, value in rows}
    for name in ("light", "heavy"):
        off = abs(kl[2][name] / kl[1][name] - 1)
        expect(off < 0.2, f"{name}: the same prior on two ranks, off by {off:.2g}", kl)


def check_refusals(where):
    for sampler, prior, said in REFUSED:
        write(where, line("net", sampler, f", prior: {prior}"))
        done = fare(where, "check", "study.yaml")
        lines = done.stderr.strip().splitlines()
        expect(done.returncode == 2 and len(lines) == 1, f"{sampler} with {prior} is refused", done.stderr)
        expect("study.yaml:" in lines[0] and said in lines[0], f"{prior} says why", lines)
    write(where, line("net", FLOW, ", prior: {kind: fokker_planck}", count=1))
    done = fare(where, "check", "study.yaml")
    expect(
        done.returncode == 2 and "but there is only one" in done.stderr,
        "one particle is refused",
        done.stderr,
    )
    text = STUDY.format(lines=line("net", FLOW, ", prior: {kind: fokker_planck}"))
    text = re.sub("system: .*\ndrive: .*\ninitial: .*", "system: {name: rotational_ou}", text)
    (where / "study.yaml").write_text(re.sub("truth: .*", "truth: {cells: [8, 8]}", text))
    done = fare(where, "check", "study.yaml")
    expect(done.returncode == 2 and "of one axis" in done.stderr, "two axes are refused", done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="fare-prior-densities-") as name:
        where = pathlib.Path(name)
        check_gain(where)
        check_zero(where)
        for sampler in (EBM, FLOW):
            check_stop(where, sampler)
        check_ranks(where)
        check_refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
