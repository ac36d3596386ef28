#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Draws from a posterior: of an Ornstein-Uhlenbeck process, means, deviations and intervals are those of quadrature over
its closed-form likelihood with flat, Gaussian and bounded priors, within the errors that the number of draws leaves;
effective sizes and R-hat are those that NumPy finds in the draws; ranks agree to the bit; and what is refused.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

LAG, ROWS = 0.6, 150
STUDY = """
study: trap
seed: 5
system: {{name: ornstein_uhlenbeck, parameters: {{stiffness: 1.0, kT: 1.0}}}}
snapshots: {{start: 0.0, end: 1.0, count: 2}}
truth: {{cells: [64], lower: [-5.5], upper: [5.5]}}
infer:
  - {{name: fit, parameters: {{stiffness: 1.0, kT: 1.0}}, posterior: {{draws: {draws}{prior}}}}}
"""


def write(path):
    random = np.random.default_rng(8)
    r = np.exp(-LAG)
    x = [random.normal()]
    for _ in range(ROWS):
        x.append(r * x[-1] + np.sqrt(1 - r * r) * random.normal())
    with h5py.File(path, "w") as file:
        file["id"], file["time"], file["position"] = (
            np.zeros(ROWS + 1, int),
            LAG * np.arange(ROWS + 1),
            np.array(x)[:, None],
        )
    return np.array(x)


def by_quadrature(x, log_prior):
    """Mean, standard deviation and 95% interval of each parameter."""
    k, D = (np.linspace(0.02, 6, 900), np.linspace(0.2, 5, 700))
    K, T = np.meshgrid(k, D, indexing="ij")
    r = np.exp(-K * LAG)
    v = T / K * (1 - r * r)
    a, b = x[:-1], x[1:]
    square = b @ b - 2 * r * (a @ b) + r * r * (a @ a)
    total = -0.5 * (square / v + ROWS * np.log(v)) + log_prior(K, T)
    weight = np.exp(total - total.max())
    weight /= weight.sum()
    found = []
    for grid, axis in ((k, 1), (D, 0)):
        p = weight.sum(axis=axis)
        mean = p @ grid
        low, high = np.interp([0.025, 0.975], np.cumsum(p) - 0.5 * p, grid)
        found.append((mean, np.sqrt(p @ (grid - mean) ** 2), low, high))
    return np.array(found).T


def effective(draws):
    """Effective size and split R-hat of one parameter of four chains, after Vehtari et al. (2021)."""
    chains = draws.reshape(8, -1)
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    total = within * (n - 1) / n + chains.mean(axis=1).var(ddof=1)
    centred = chains - chains.mean(axis=1)[:, None]
    spectrum = abs(np.fft.rfft(centred, 2 * n, axis=1)) ** 2
    rho = 1 - (within - np.fft.irfft(spectrum, axis=1)[:, :n].mean(axis=0) / n) / total
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    stop = np.argmax(pairs <= 0) if (pairs <= 0).any() else len(pairs)
    return min(1.0, 1 / (2 * np.minimum.accumulate(pairs[:stop]).sum() - 1)) * 8 * n, np.sqrt(total / within)


def infer(where, text, ranks=1):
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", "tracks.h5", "--out", f"out{ranks}.h5", ranks=ranks)
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / f"out{ranks}.h5") as file:
        group = file["infer"]
        return (
            {key: item[()] for key, item in group.items() if key != "draws"},
            group["draws/0"][()],
            done.stdout,
        )


def compare(where, x, prior, log_prior, what):
    text = STUDY.format(draws=2000, prior=prior)
    found, draws, printed = infer(where, text)
    mean, sd, low, high = by_quadrature(x, log_prior)
    cells = 3 * found["grid"]
    for name, exact, error in (
        ("mean", mean, found["posterior_error"]),
        ("low", low, found["posterior_low_error"]),
        ("high", high, found["posterior_high_error"]),
    ):
        off = abs(found[f"posterior_{name}"] - exact)
        expect(
            (off < 4 * error + cells).all(),
            f"{what}: {name}",
            (found[f"posterior_{name}"], exact, error, cells),
        )
        expect((error < 0.35 * sd).all(), f"{what}: error of {name}", (error, sd))
    expect(
        (abs(found["posterior_sd"] / sd - 1) < 0.15).all(), f"{what}: deviations", (found["posterior_sd"], sd)
    )
    for k in range(2):
        size, r_hat = effective(draws[:, k])
        expect(
            abs(found["posterior_effective"][k] / size - 1) < 1e-6, f"{what}: effective size", (found, size)
        )
        expect(abs(found["posterior_r_hat"][k] - r_hat) < 1e-9, f"{what}: R-hat", r_hat)
    expect("Posteriors" in printed, f"{what}: a table", printed)
    return found, draws, text


def refusals(where):
    for posterior, wanted in (
        ("{draws: 10}", "expected an integer from 100"),
        ("{draws: 400, prior: {heat: {sd: 1}}}", "'heat' is no parameter of this inference"),
        ("{draws: 400, prior: {kT: {low: 2, high: 1}}}", "low: 2 is not below high: 1"),
        ("{draws: 400, prior: {kT: {mean: 2}}}", "a Gaussian needs 'sd' above 0"),
        ("{draws: 400}, method: kramers_moyal", "kramers_moyal has no likelihood"),
        ("3", "expected a map"),
    ):
        text = STUDY.format(draws=1, prior="").replace("{draws: 1}", posterior)
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml", "tracks.h5")
        expect(done.returncode == 2 and wanted in done.stderr, wanted, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        x = write(where / "tracks.h5")
        compare(where, x, "", lambda k, D: 0 * k, "flat")
        _, draws, text = compare(
            where,
            x,
            ", prior: {stiffness: {mean: 1.5, sd: 0.2}, kT: {low: 0.9, high: 1.6}}",
            lambda k, D: -0.5 * ((k - 1.5) / 0.2) ** 2 + np.where((D > 0.9) & (D < 1.6), 0, -1e9),
            "priors",
        )
        other = infer(where, text, ranks=2)
        expect((other[1] == draws).all(), "the same draws on two ranks")
        refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
