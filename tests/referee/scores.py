#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Coverage of the intervals of scores: random pairs of known distributions, samples that are independent,
correlated, copied or weighted, and the true value of every measure from the exact masses of the bins,
computed here from the definitions in docs/measures.md. A 95% interval must hold it in 92% of cases or more,
for each measure and kind of samples; intervals that are withheld are counted apart.

    tests/referee/scores.py --command build/tests/referee_scores                      # 200 of each kind
    tests/referee/scores.py --command ... --pairs 200 --replicates 50                 # many
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import itertools
import math
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
import numpy as np
import numpy.typing as npt

from referee import write_block
from reference import Array

Values = dict[str, Any]  # of measures; None where one is not defined
Interval = tuple[float, float, float, float, float]  # low, corrected, target, high, value
Row = tuple[str, str, int, int, int, int]  # measure, kind, axes, hits, given, withheld
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
LEAST = 0.92  # coverage that is asked for
DOUBT = 1e-4  # probability of a failure by chance, per measure and kind
LOWER, UPPER = -8.0, 8.0
KINDS = [
    "independent",
    "few",
    "correlated",
    "copies",
    "shuffled copies",
    "wide proposal",
    "narrow proposal",
    "random weights",
]
DRAWS = 100


class Mixture:
    """Gaussians with axes along those of the box; so far inside that nothing lies beyond."""

    def __init__(self, weight: Array, mean: Array, sd: Array) -> None:
        self.weight, self.mean, self.sd = (
            np.asarray(weight) / np.sum(weight),
            np.asarray(mean),
            np.asarray(sd),
        )

    @classmethod
    def random(cls, rng: np.random.Generator, dim: int) -> Mixture:
        n = int(rng.integers(1, 4))
        return cls(
            rng.uniform(0.2, 1, n),
            rng.uniform(-3, 3, (n, dim)),
            np.exp(rng.uniform(math.log(0.3), math.log(0.8), (n, dim))),
        )

    def disturbed(self, rng: np.random.Generator) -> Mixture:
        """A neighbour, at a distance between nothing and much."""
        by = 0.0 if rng.random() < 0.2 else math.exp(rng.uniform(math.log(0.02), math.log(0.7)))
        shape = self.mean.shape
        return Mixture(
            self.weight * np.exp(by * rng.normal(size=shape[0])),
            self.mean + by * self.sd * rng.normal(size=shape),
            np.minimum(self.sd * np.exp(0.3 * by * rng.normal(size=shape)), 0.8),
        )

    def masses(self, edges: Array) -> Array:
        erf = np.vectorize(math.erf)
        per_axis = [
            [np.diff(0.5 * erf((edges - m) / (s * math.sqrt(2)))) for m, s in zip(mean, sd)]
            for mean, sd in zip(self.mean, self.sd)
        ]
        if self.mean.shape[1] == 1:
            total = sum(w * a[0] for w, a in zip(self.weight, per_axis))
        else:
            total = sum(
                w * np.outer(a[1], a[0]) for w, a in zip(self.weight, per_axis)
            )  # the first axis fastest
        masses: Array = total / total.sum()
        return masses

    def draw(
        self, rng: np.random.Generator, n: int, memory: float = 0.0, wider: float = 1.0
    ) -> tuple[Array, Array]:
        """Rows, of a stationary chain with that correlation from row to row; with their weights where `wider`
        is not 1.
        """
        dim = self.mean.shape[1]
        z = chain(rng, n, dim + 1, memory)
        u = 0.5 * (1 + np.vectorize(math.erf)(z[:, 0] / math.sqrt(2)))
        c = np.minimum(np.searchsorted(np.cumsum(self.weight), u), len(self.weight) - 1)
        x = self.mean[c] + wider * self.sd[c] * z[:, 1:]
        return x, self.density(x) / Mixture(self.weight, self.mean, wider * self.sd).density(x)

    def density(self, x: Array) -> Array:
        scale = (2 * math.pi) ** (-0.5 * x.shape[1])
        density: Array = scale * sum(
            w * np.exp(-0.5 * (((x - m) / s) ** 2).sum(axis=1)) / np.prod(s)
            for w, m, s in zip(self.weight, self.mean, self.sd)
        )
        return density


def chain(rng: np.random.Generator, n: int, width: int, memory: float) -> Array:
    """Normal numbers with correlation memory^lag."""
    noise = rng.normal(size=(n, width))
    if memory:
        scale = math.sqrt(1 - memory**2)
        for i in range(1, n):
            noise[i] = memory * noise[i - 1] + scale * noise[i]
    return noise


def sample(rng: np.random.Generator, kind: str, of: Mixture, dim: int) -> tuple[Array, Array | None]:
    """Positions and weights (or None)."""
    n = (
        int(np.exp(rng.uniform(math.log(2000), math.log(8000))))
        if kind != "few"
        else int(rng.integers(100, 1000))
    )
    if kind == "correlated":
        return of.draw(rng, n, memory=float(rng.choice([0.3, 0.5, 0.7, 0.9])))[0], None
    if "copies" in kind:
        copies = int(rng.choice([2, 3, 5]))
        x = np.repeat(of.draw(rng, n // copies)[0], copies, axis=0)
        return (rng.permutation(x) if kind.startswith("shuffled") else x), None
    if "proposal" in kind:
        return of.draw(
            rng, n, wider=rng.uniform(1.1, 1.8) if kind.startswith("wide") else rng.uniform(0.75, 0.95)
        )
    x = of.draw(rng, n)[0]
    return x, np.exp(rng.uniform(0.2, 1.2) * rng.normal(size=len(x))) if kind == "random weights" else None


def pools(p: Array, n: int) -> tuple[npt.NDArray[np.int_], int]:
    """Pool of every bin: the box cut in two, as near to its middle as both parts keep 5 expected samples, and
    so on. p has axes (y, x) or (x).
    """
    to, count = np.empty(p.shape, int), 0
    boxes = [tuple(slice(0, k) for k in p.shape)]
    while boxes:
        box = boxes.pop()
        part = p[box]
        # the longest side first; of two alike, x, which is the last
        for axis in sorted(range(p.ndim), key=lambda a: (-part.shape[a], -a)):
            below = np.cumsum(part.sum(axis=tuple(a for a in range(p.ndim) if a != axis)))
            cuts = np.arange(1, part.shape[axis])
            good = cuts[(below[:-1] >= 5 / n) & (below[-1] - below[:-1] >= 5 / n)]
            if len(good):
                cut = good[np.argmin(np.abs(2 * good - part.shape[axis]))]
                for low, high in ((0, cut), (cut, part.shape[axis])):
                    new = list(box)
                    new[axis] = slice(box[axis].start + low, box[axis].start + high)
                    boxes.append(tuple(new))
                break
        else:
            to[box] = count
            count += 1
    return to, count


def wells(p: Array) -> npt.NDArray[np.int_]:
    """Basin of every bin, by flooding from the highest bin down; a well stays apart when its peak is e^(1/2)
    times the pass and both have 0.001 of the mass above it.
    """
    shape, flat = p.shape, p.ravel()
    parent, above = -np.ones(flat.size, int), np.zeros(flat.size)

    def root(i: Any) -> Any:
        while parent[i] != i:
            i = parent[i]
        return i

    for i in np.argsort(-flat, kind="stable"):
        at = np.unravel_index(i, shape)
        near = [np.ravel_multi_index(j, shape) for j in neighbours(at, shape)]
        near = [j for j in near if parent[j] >= 0]
        if not near:
            parent[i] = i
        else:
            parent[i] = root(max(near, key=lambda j: float(flat[j])))
        for j in near:
            one, other = root(i), root(j)
            if flat[one] < flat[other]:
                one, other = other, one
            if one != other and not (
                flat[other] > math.exp(0.5) * flat[i] and min(above[one], above[other]) >= 0.001
            ):
                parent[other] = one
                above[one] += above[other]
        above[root(i)] += flat[i]
    return np.array([root(i) for i in range(flat.size)])


def neighbours(at: Sequence[int], shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for move in np.ndindex(*(3,) * len(shape)):
        to = tuple(a + m - 1 for a, m in zip(at, move))
        if any(m != 1 for m in move) and all(0 <= t < s for t, s in zip(to, shape)):
            yield to


def square_of_linear(a: Array, b: Array, width: Array) -> float:
    return float((width * (a * a + a * b + b * b) / 3).sum())


def transport(p: Array, q: Array, edges: Array) -> tuple[float, float, float]:
    """W1, W2 and energy distance of masses that lie evenly within bins."""
    F, G, w = np.concatenate([[0], np.cumsum(p)]), np.concatenate([[0], np.cumsum(q)]), np.diff(edges)
    d = F - G
    a, b = d[:-1], d[1:]
    crossing = a * b < 0
    first = np.where(
        crossing,
        0.5 * (a * a + b * b) / np.where(crossing, np.abs(a) + np.abs(b), 1),
        0.5 * (np.abs(a) + np.abs(b)),
    )
    u = np.unique(np.concatenate([F, G]))
    u = u[(u >= 0) & (u <= min(F[-1], G[-1]))]
    middle, both = (u[1:] + u[:-1]) / 2, []
    for C, m in ((F, p), (G, q)):
        k = np.clip(np.searchsorted(C, middle, side="right") - 1, 0, len(m) - 1)
        both.append(
            [edges[k] + w[k] * np.clip((v - C[k]) / np.maximum(m[k], 1e-300), 0, 1) for v in (u[:-1], u[1:])]
        )
    second = square_of_linear(both[0][0] - both[1][0], both[0][1] - both[1][1], np.diff(u))
    return (w * first).sum(), math.sqrt(second), 2 * square_of_linear(a, b, w)


def projected(p: Array, q: Array, edges: Array) -> tuple[float, float]:
    """Sliced W1 and energy distance in the plane: masses at the middles of bins, 16 directions."""
    x = (edges[1:] + edges[:-1]) / 2
    X, Y = np.meshgrid(x, x)
    first = square = 0
    for d in range(16):
        s = (math.cos(math.pi * (d + 0.5) / 16) * X + math.sin(math.pi * (d + 0.5) / 16) * Y).ravel()
        order = np.argsort(s, kind="stable")
        gap, difference = np.diff(s[order]), np.cumsum((p - q).ravel()[order])[:-1]
        first += (gap * np.abs(difference)).sum() / 16
        square += (gap * difference**2).sum() / 16
    return first, 2 * square / (2 / math.pi)


class Truth:
    """What infinitely many samples of q would show against p."""

    def __init__(self, p: Array, q: Array, edges: Array) -> None:
        self.p, self.q, self.dim = p, q, p.ndim
        basin = wells(p)
        difference = np.bincount(basin, (p - q).ravel(), minlength=p.size)
        order = np.argsort(p.ravel(), kind="stable")
        before = np.concatenate([[0], np.cumsum(p.ravel()[order])[:-1]])
        part = np.clip((0.01 - before) / np.maximum(p.ravel()[order], 1e-300), 0, 1)
        self.fixed = {
            "tail_error": abs((part * (q - p).ravel()[order]).sum()) / 0.01,
            "well_population": 0.5 * np.abs(difference).sum() if len(np.unique(basin)) > 1 else None,
        }
        if self.dim == 1:
            self.fixed["wasserstein_1"], self.fixed["wasserstein_2"], self.fixed["energy_distance"] = (
                transport(p, q, edges)
            )
            self.fixed["sliced_wasserstein"] = self.fixed["wasserstein_1"]
        else:
            self.fixed["sliced_wasserstein"], self.fixed["energy_distance"] = projected(p, q, edges)
        self.pooled: dict[int, Values] = {}

    def of(self, n: int) -> Values:
        """Values in the pools made for n effective samples."""
        if n not in self.pooled:
            to, count = pools(self.p, n)
            p, q = (np.bincount(to.ravel(), m.ravel(), minlength=count) for m in (self.p, self.q))
            m = (p + q) / 2

            def kl(a: Any, b: Any) -> float:
                return float((a * np.log(a / b))[a > 0].sum())

            self.pooled[n] = {
                "kl": kl(p, q),
                "reverse_kl": kl(q, p),
                "jensen_shannon": (kl(p, m) + kl(q, m)) / 2,
                "total_variation": 0.5 * np.abs(p - q).sum(),
                "hellinger_squared": 0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(),
                "chi_squared": ((p - q) ** 2 / p).sum(),
            }
        return {**self.fixed, **self.pooled[n]}


class DensityTruth:
    """Integrals of the two densities, by sums over even points, which converge faster than any power."""

    def __init__(self, one: Mixture, other: Mixture, dim: int) -> None:
        axis = np.linspace(LOWER, UPPER, 4001 if dim == 1 else 401)
        x = np.stack(np.meshgrid(*[axis] * dim), axis=-1).reshape(-1, dim)
        p, q, volume = one.density(x), other.density(x), (axis[1] - axis[0]) ** dim
        both = (p > 1e-280) & (q > 1e-280)
        p, q = p[both], q[both]
        self.fixed = {
            "density_mass": 1.0,
            "kl_density": volume * (p * np.log(p / q)).sum(),
            "reverse_kl_density": volume * (q * np.log(q / p)).sum(),
        }

    def of(self, _: int) -> Values:
        return self.fixed


def make(
    kind: str, dim: int, pair: int, density: bool
) -> tuple[np.random.Generator, int, Array, Mixture, Mixture]:
    """A pair of distributions, the same for a number, and its generator of samples."""
    rng = np.random.default_rng([1917, KINDS.index(kind), dim, pair])
    cells = int(rng.choice([64, 120, 200])) if dim == 1 else int(rng.choice([32, 48]))
    if density:
        cells = 512 if dim == 1 else 256  # ln p is interpolated: no error of that is wanted here
    edges = np.linspace(LOWER, UPPER, cells + 1)
    one = Mixture.random(rng, dim)
    other = one.disturbed(rng)
    return rng, cells, edges, one, other


def run(
    command: str, kind: str, dim: int, pair: int, replicates: int, density: bool
) -> dict[str, list[Interval]]:
    """{measure: [(low, value, target, high)]} of measures from bins, or of those from the samples' own density."""
    rng, cells, edges, one, other = make(kind, dim, pair, density)
    out: dict[str, list[Interval]] = collections.defaultdict(list)
    if density and np.array_equal(one.mean, other.mean):
        return out  # p/q is 1 everywhere: there is no noise, and the rest is interpolation
    p = one.masses(edges)
    truth: DensityTruth | Truth = (
        DensityTruth(one, other, dim) if density else Truth(p, other.masses(edges), edges)
    )
    stream = []
    for r in range(replicates):
        x, weights = sample(rng, kind, other, dim)
        head = [dim, cells, LOWER, UPPER, DRAWS, pair * 1000 + r, len(x), weights is not None, density]
        stream += [np.array(head, float), p.ravel(), x.T.ravel()]
        stream += [weights] if weights is not None else []
        stream += [np.log(other.density(x))] if density else []
    done = subprocess.run(
        [command],
        input=np.concatenate(stream).tobytes(),
        env=ENVIRONMENT,
        capture_output=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
    for line in done.stdout.decode().splitlines():
        words = line.split()
        for i in range(0, len(words) - 7, 8):
            value, corrected, low, high, _floor, pooled, _independent = map(float, words[i + 1 : i + 8])
            target = truth.of(int(pooled)).get(words[i])
            if target is not None:
                out[words[i]].append((low, corrected, target, high, value))
    return out


def least_count(n: int, share: float = LEAST, doubt: float = DOUBT) -> int:
    """So many hits of n have less than that probability to be missed when each has probability `share`."""
    log = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(share)
        + (n - k) * math.log(1 - share)
        for k in range(n + 1)
    ]
    total, k = 0.0, 0
    while k <= n and total + math.exp(log[k]) < doubt:
        total += math.exp(log[k])
        k += 1
    return k


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0])
    p.add_argument(
        "--command",
        default=str(pathlib.Path(os.environ.get("FARE_BINARY_DIR", "build")) / "tests" / "referee_scores"),
        help="the program referee_scores",
    )
    p.add_argument("--pairs", type=int, default=20, help="pairs of distributions of each kind")
    p.add_argument("--replicates", type=int, default=10, help="files of samples for each pair")
    p.add_argument("--first", type=int, default=0, help="number of the first pair")
    p.add_argument("--kind", choices=KINDS, action="append", help="this kind alone")
    p.add_argument("--dim", type=int, choices=(1, 2), action="append", help="this dimension alone")
    p.add_argument(
        "--family", choices=("bins", "density"), help="measures from bins, or from densities, alone"
    )
    p.add_argument("--jobs", type=int, default=1, help="processes that share the pairs")
    p.add_argument("--all", action="store_true", help="name every pair that alone is below")
    p.add_argument(
        "--document",
        type=pathlib.Path,
        help="put the table between the marks of this page, docs/verification.md",
    )
    o = p.parse_args()
    families = {None: (False, True), "bins": (False,), "density": (True,)}[o.family]
    return referee(
        o.command,
        range(o.first, o.first + o.pairs),
        o.replicates,
        o.kind or KINDS,
        o.dim or [1, 2],
        o.document,
        o.all,
        families,
        o.jobs,
    )


def referee(
    command: str,
    pairs: Iterable[int],
    replicates: int,
    kinds: Sequence[str] = KINDS,
    dims: Iterable[int] = (1, 2),
    document: pathlib.Path | None = None,
    everything: bool = False,
    families: Sequence[bool] = (False, True),
    jobs: int = 1,
) -> int:
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        return judge(command, pairs, replicates, kinds, dims, document, everything, families, pool)


def judge(
    command: str,
    pairs: Iterable[int],
    replicates: int,
    kinds: Sequence[str],
    dims: Iterable[int],
    document: pathlib.Path | None,
    everything: bool,
    families: Sequence[bool],
    pool: concurrent.futures.Executor,
) -> int:
    table, bad = [], []
    for dim in dims:
        for kind in kinds:
            rows: dict[str, list[Interval]] = collections.defaultdict(list)
            work = list(itertools.product(pairs, families))
            shared = zip(*((command, kind, dim, pair, replicates, density) for pair, density in work))
            for (pair, _), own in zip(work, pool.map(run, *shared)):
                for measure, got in own.items():
                    rows[measure] += got
                    given = [g for g in got if not math.isnan(g[0])]
                    hits = sum(g[0] - 1e-12 <= g[2] <= g[3] + 1e-12 for g in given)
                    if given and hits < least_count(len(given)):
                        bad.append(
                            f"  {measure}, {kind}, {dim}-D, pair {pair}: {hits} of {len(given)}; target"
                            f" {given[0][2]:.3g}, mean {np.mean([g[1] for g in given]):.3g}, interval"
                            f" {np.mean([g[0] for g in given]):.3g} to {np.mean([g[3] for g in given]):.3g}"
                        )
            for measure, got in rows.items():
                given = [g for g in got if not math.isnan(g[0])]
                hits = sum(g[0] - 1e-12 <= g[2] <= g[3] + 1e-12 for g in given)
                table.append((measure, kind, dim, hits, len(given), len(got) - len(given)))
    failed = [row for row in table if row[4] and row[3] < least_count(row[4])]
    print_table(table, kinds, document)
    if bad:
        print(
            f"{len(bad)} pairs that alone are below"
            + (", the first 20" if len(bad) > 20 and not everything else "")
            + ":\n"
            + "\n".join(bad if everything else bad[:20])
        )
    for measure, kind, dim, hits, total, withheld in failed:
        print(
            f"FAILED {measure}, {kind}, {dim}-D: {hits} of {total} intervals hold the true value"
            f" ({hits / total:.1%}), below {LEAST:.0%} beyond chance; {withheld} withheld"
        )
    return 1 if failed else 0


def print_table(table: list[Row], kinds: Sequence[str], document: pathlib.Path | None) -> None:
    """Coverage in percent, and what is withheld; a row per measure and dimension."""
    cells = {
        (m, d, k): (
            f"{100 * hits / given:.0f}"
            + (f" ({100 * withheld / (given + withheld):.0f})" if withheld else "")
            if given
            else "withheld"
        )
        for m, k, d, hits, given, withheld in table
    }
    names = sorted({(d, m) for m, _, d, *_ in table})
    columns = ["measure", "axes", *kinds]
    rows = [[m, str(d)] + [cells.get((m, d, k), "") for k in kinds] for d, m in names]
    width = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(
        "\n".join("  ".join(c.ljust(w) for c, w in zip(row, width)) for row in [columns, *rows])
        + "\nin percent; in brackets what share is withheld"
    )
    if document:
        write_block(
            document,
            "scores",
            ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
            + ["| " + " | ".join(row) + " |" for row in rows],
        )


if __name__ == "__main__":
    sys.exit(main())
