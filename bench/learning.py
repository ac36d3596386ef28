#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Throughput of training and evaluating a small network: FARE against PyTorch, on one core, with the same
BLAS.

    bench/learning.py [--build DIR] [--seconds S] [--rounds N] [--markdown]

Builds bench_learning in the build tree, then measures both in turn, round after round, in seconds of CPU
time; the medians of rows per second are printed. PyTorch is that of the Python that runs this (on Debian:
apt-get install python3-torch, /usr/bin/python3).
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH = 4096
# inputs, width, hidden layers, outputs; the first is what the sampler diffusion has by default in one
# dimension
SHAPES = [(25, 64, 3, 1), (25, 128, 3, 1), (47, 128, 4, 3), (47, 256, 3, 3)]


def torch_rates(shape, seconds):
    """Rows per second of CPU time in training and in evaluation."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs, width, layers, outputs = shape
    parts = []
    for layer in range(layers):
        parts += [torch.nn.Linear(width if layer else inputs, width), torch.nn.SiLU()]
    network = torch.nn.Sequential(*parts, torch.nn.Linear(width, outputs))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    x, y = torch.randn(BATCH, inputs), torch.randn(BATCH, outputs)

    def train():
        optimiser.zero_grad(set_to_none=True)
        ((network(x) - y) ** 2).sum(1).mean().backward()
        optimiser.step()

    def evaluate():
        with torch.no_grad():
            network(x)

    rates = []
    for work in (train, evaluate):
        for _ in range(20):
            work()
        began, steps = time.process_time(), 0
        while time.process_time() - began < seconds:
            for _ in range(10):
                work()
            steps += 10
        rates.append(steps * BATCH / (time.process_time() - began))
    return rates


def fare_rates(program, shape, seconds):
    out = subprocess.run(
        [program, *map(str, shape), str(BATCH), str(seconds)], check=True, capture_output=True, text=True
    ).stdout
    return [float(word) for word in out.split("\n")[-2].split()]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--build", type=pathlib.Path, default=ROOT / "build", help="build tree (default: build)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--markdown", action="store_true", help="print the table of docs/benchmarks_learning.md"
    )
    arguments = parser.parse_args()

    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        os.environ[name] = "1"
    try:
        import torch
    except ImportError:
        sys.exit(
            "learning.py: no PyTorch for this Python; on Debian: apt-get install python3-torch, and run it"
            " with /usr/bin/python3"
        )
    subprocess.run(
        ["cmake", "--build", arguments.build, "--target", "bench_learning"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    program = arguments.build / "bin" / "bench_learning"

    print(
        f"batch {BATCH}, one core, thousands of rows per second of CPU time; PyTorch {torch.__version__};"
        f" medians of {arguments.rounds} rounds of {arguments.seconds} s"
    )
    heading = [
        "inputs-width x layers-outputs",
        "training: FARE",
        "PyTorch",
        "ratio",
        "evaluation: FARE",
        "PyTorch",
        "ratio",
    ]
    form = "| " + " | ".join(["{}"] * 7) + " |" if arguments.markdown else "{:>30}" + " {:>16}" * 6
    print(form.format(*heading))
    if arguments.markdown:
        print("|---" * 7 + "|")
    for shape in SHAPES:
        rounds = [
            (fare_rates(program, shape, arguments.seconds), torch_rates(shape, arguments.seconds))
            for _ in range(arguments.rounds)
        ]
        cells = ["{}-{} x {}-{}".format(*shape)]
        for k in range(2):
            ours, theirs = (statistics.median(r[who][k] for r in rounds) for who in range(2))
            cells += [f"{ours / 1e3:.0f}", f"{theirs / 1e3:.0f}", f"{ours / theirs:.2f}"]
        print(form.format(*cells), flush=True)


if __name__ == "__main__":
    main()
