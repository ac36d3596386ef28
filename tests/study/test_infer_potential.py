#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Potentials without a formula. A dense fit in NumPy, with a natural spline, rates, exponential and penalty of its own,
finds the same values, errors and weight of smoothness; bands cover, and errors of the drift are those that the
covariance predicts; ranks agree to the bit, and what makes no sense is refused.

    tests/study/test_infer_potential.py 100      coverage in 100 sets of data, for each of several systems
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import h5py
import numpy as np

from checks import conclude, expect, fare

LINE = """
study: shape
seed: 11
system: {name: SYSTEM, parameters: {PARAMETERS}}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 1.0, count: 2}
truth: {TRUTH}
infer:
  - {name: shape, parameters: [kT], potential: {POTENTIAL}, DATA}
"""
WELL = {
    "SYSTEM": "double_well",
    "PARAMETERS": "height: 1.0, kT: 0.5",
    "TRUTH": "cells: [64], lower: [-2.0], upper: [2.0]",
    "POTENTIAL": "knots: 12, lower: -1.9, upper: 1.9",
    "DATA": "lag: [0.3], transitions: 500, dt: 1.0e-2",
}
RING = {
    "SYSTEM": "tilted_washboard",
    "PARAMETERS": "height: 1.0, kT: 0.5, force: 0.5",
    "TRUTH": "cells: [64]",
    "POTENTIAL": "knots: 8",
    "DATA": "lag: [0.5], transitions: 500, settle: 5.0, dt: 1.0e-2",
}
PRINZ = {
    "SYSTEM": "prinz",
    "PARAMETERS": "kT: 1.0",
    "TRUTH": "cells: [128], lower: [-1.5], upper: [1.5]",
    "POTENTIAL": "knots: 27, lower: -1.15, upper: 1.15",
    "DATA": "lag: [0.1], tracks: 4, transitions: 1000, dt: 2.0e-4",
}


def study(base, **changes):
    text = LINE
    for key, value in {**base, **changes}.items():
        text = text.replace(key, value, 1)
    return text


def run(where, text, *data, ranks=1):
    (where / "study.yaml").write_text(text)
    return fare(where, "infer", "study.yaml", *data, "--out", "out.h5", ranks=ranks)


def infer(where, text, *data, ranks=1):
    done = run(where, text, *data, ranks=ranks)
    expect(done.returncode == 0, "inference runs", done.stderr)
    with h5py.File(where / "out.h5") as file:
        found = {name: column[()] for name, column in file["infer"].items() if hasattr(column, "shape")}
        group = file["infer/potentials/0"]
        found.update({f"curve_{name}": column[()] for name, column in group.items()})
        found.update({f"of_{name}": value for name, value in group.attrs.items()})
        return found


class Dense:
    """The likelihood of transitions between cells of [-2, 2] under a natural spline and kT, sought as (kT, V/kT)."""

    def __init__(self, counts, lag, knots, lower, upper):
        self.n, self.lag, self.counts = len(counts), lag, counts
        self.h = 4.0 / self.n
        self.x = -2 + self.h * (np.arange(self.n) + 0.5)
        self.knots = np.linspace(lower, upper, knots)
        self.B = np.array([self.spline(row) for row in np.eye(knots)]).T
        # int V''^2, by the trapezoidal rule for products of what is straight between many points
        fine = np.linspace(lower, upper, 200 * (knots - 1) + 1)
        bends = np.array([np.interp(fine, self.knots, self.bends(row)) for row in np.eye(knots)])
        weight = np.full(len(fine), fine[1] - fine[0])
        weight[[0, -1]] /= 2
        self.S = np.zeros((knots + 1, knots + 1))
        self.S[1:, 1:] = (bends * weight) @ bends.T

    def bends(self, v):
        """Second derivatives at the knots: 0 at both ends."""
        d, n = self.knots[1] - self.knots[0], len(v) - 2
        A = 4 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
        return np.concatenate([[0], np.linalg.solve(A, 6 * np.diff(v, 2) / d**2), [0]])

    def spline(self, v):
        """By integrating its second derivative, straight beyond the ends."""
        M, k, d = self.bends(v), self.knots, self.knots[1] - self.knots[0]
        i = np.clip(((self.x - k[0]) / d).astype(int), 0, len(k) - 2)
        s = np.clip(self.x, k[0], k[-1]) - k[i]
        slope = (v[i + 1] - v[i]) / d - d * (2 * M[i] + M[i + 1]) / 6
        inner = v[i] + slope * s + M[i] * s**2 / 2 + (M[i + 1] - M[i]) * s**3 / (6 * d)
        end = slope + M[i] * s + (M[i + 1] - M[i]) * s**2 / (2 * d)
        return inner + end * (self.x - np.clip(self.x, k[0], k[-1]))

    def propagator(self, kT, u):
        """exp(L lag), by Taylor and squaring; rates by Scharfetter and Gummel."""
        step = np.diff(self.B @ u)
        step = np.where(np.abs(step) < 1e-8, 1e-8, step)
        up, down = kT / self.h**2 * step / np.expm1(step), kT / self.h**2 * -step / np.expm1(-step)
        L = np.diag(up, -1) + np.diag(down, 1)
        L -= np.diag(L.sum(0))
        squares = max(0, int(np.ceil(np.log2(np.abs(L).sum(0).max() * self.lag))) + 4)
        A, P = L * self.lag / 2**squares, np.eye(self.n)
        for k in range(10, 0, -1):
            P = np.eye(self.n) + A @ P / k
        for _ in range(squares):
            P = P @ P
        return P

    def value(self, theta):
        P = self.propagator(theta[0], theta[1:])
        return np.sum(self.counts * np.log(np.maximum(P, 1e-300)))

    def information(self, theta):
        """Fisher's, of the starts that there are, by differences of P."""
        starts, slopes = self.counts.sum(0), []
        P = self.propagator(theta[0], theta[1:])
        for k in range(len(theta)):
            e = np.zeros(len(theta))
            e[k] = 1e-4
            up, down = theta + e, theta - e
            slopes.append((self.propagator(up[0], up[1:]) - self.propagator(down[0], down[1:])) / 2e-4)
        score = np.array([np.sum(self.counts * d / P) for d in slopes])
        return score, np.array([[np.sum(a * b / P * starts) for a in slopes] for b in slopes])

    def fit(self, theta, weight):
        """Maximum and Fisher's information; the middle knot is 0."""
        free = np.delete(np.arange(len(theta)), 1 + len(self.knots) // 2)
        for _ in range(30):
            score, told = self.information(theta)
            A = (told + weight * self.S)[np.ix_(free, free)]
            step = np.linalg.solve(A, (score - weight * self.S @ theta)[free])
            theta = theta.copy()
            theta[free] += step
            if np.max(np.abs(step)) < 1e-6:
                break
        covariance = np.zeros_like(told)
        covariance[np.ix_(free, free)] = np.linalg.inv(A)
        return theta, told, covariance, free

    def marginal(self, theta, weight):
        """Laplace's, with the weight's own power."""
        theta, told, _, free = self.fit(theta, weight)
        curvature = np.linalg.slogdet((told + weight * self.S)[np.ix_(free, free)])[1]
        roughness = theta @ self.S @ theta
        rank = len(self.knots) - 2
        value = self.value(theta) - 0.5 * weight * roughness + 0.5 * rank * np.log(weight) - 0.5 * curvature
        return theta, value


def asymmetric(x):
    """No spline."""
    return 0.9 * (x**2 - 1) ** 2 + 0.4 * np.exp(-8 * (x - 0.5) ** 2) - 0.2 * x


def dense_data(where, cells=64, lag=0.3, kT=0.5, tracks=40, seen=60):
    """Transitions between cells, drawn from the exact chain of a potential."""
    random = np.random.default_rng(8)
    chain = Dense(np.zeros((cells, cells)), lag, 8, -1.6, 1.6)
    chain.B = np.eye(cells)
    gone = np.cumsum(chain.propagator(kT, asymmetric(chain.x) / kT), axis=0)
    weight = np.exp(-asymmetric(chain.x) / kT)
    cell = random.choice(cells, size=tracks, p=weight / weight.sum())
    rows, counts = [cell], np.zeros((cells, cells))
    for _ in range(seen):
        new = np.array([np.searchsorted(gone[:, c], u) for c, u in zip(cell, random.random(tracks))])
        np.add.at(counts, (new, cell), 1)
        rows.append(new)
        cell = new
    with h5py.File(where / "tracks.h5", "w") as file:
        file["id"] = np.tile(np.arange(tracks), seen + 1)
        file["time"] = np.repeat(lag * np.arange(seen + 1), tracks)
        file["position"] = chain.x[np.array(rows)].ravel()[:, None]
    return Dense(counts, lag, 8, -1.6, 1.6)


def same_as_dense(where):
    """Values, errors and weight, of a file's data."""
    dense = dense_data(where)
    text = study(
        WELL, TRUTH="cells: [64], lower: [-2.0], upper: [2.0]", POTENTIAL="knots: 8, lower: -1.6, upper: 1.6"
    ).replace("lag: [0.3], transitions: 500, ", "")
    for weight in ("0.5", "auto"):
        found = infer(where, text.replace("upper: 1.6", f"upper: 1.6, smoothness: {weight}"), "tracks.h5")
        used = found["of_smoothness"]
        begin = np.concatenate([[found["estimate"][0]], found["estimate"][1:] / found["estimate"][0]])
        begin[1:] -= begin[5]
        theta, told, covariance, _ = dense.fit(begin, used)
        J = theta[0] * np.eye(9)
        J[0, 0], J[1:, 0] = 1, theta[1:]
        with h5py.File(where / "tracks.h5") as file:
            cell = np.rint((file["position"][:, 0] + 2) / dense.h - 0.5).astype(int)
        shares = np.bincount(cell, minlength=64) / len(cell)
        rows = np.eye(9)
        rows[1:, 1:] -= shares @ dense.B
        values = np.concatenate([[theta[0]], theta[0] * theta[1:]])
        error = np.sqrt(np.diag(rows @ J @ covariance @ J.T @ rows.T))
        off = (found["estimate"] - rows @ values) / error
        expect(np.max(np.abs(off)) < 0.15, f"dense fit, smoothness {weight}: values", off)
        ratio = found["error"] / error
        expect(np.max(np.abs(ratio - 1)) < 0.05, f"dense fit, smoothness {weight}: errors", ratio)
        expect(
            abs(found["log_likelihood"][0] + 2400 * np.log(dense.h) - dense.value(theta)) < 1,
            f"dense fit, smoothness {weight}: likelihood",
            (found["log_likelihood"][0], dense.value(theta)),
        )
        effective = np.trace((covariance @ told)[1:, 1:])
        expect(abs(found["of_effective"] - effective) < 0.2, "effective parameters", effective)
        expect(np.isnan(found["of_error"]) and np.isnan(found["truth"]).all(), "no truth of a file", found)
    marginal = [dense.marginal(theta, used * factor)[1] for factor in (0.5, 1.0, 2.0)]
    slope, bend = (marginal[2] - marginal[0]) / 2, 2 * marginal[1] - marginal[0] - marginal[2]
    expect(
        bend > 0 and abs(slope / bend) * np.log(2) < 0.25, "the weight makes the marginal largest", marginal
    )


def coverage(where, base, sets, name):
    """Bands and predicted errors, over sets of data."""
    found = infer(where, study(base, DATA=f"{base['DATA']}, repeats: {sets}"))
    wide = 3 / np.sqrt(sets)  # sets are independent, places of one set are not
    known = found["covered"][0]
    print(
        f"{name}: {sets} sets, V {found['of_covered_potential']:.1%}, drift {found['of_covered_drift']:.1%},"
        f" kT {known:.1%}, error {found['of_error']:.4f} +- {found['of_error_sd'] / np.sqrt(sets):.4f},"
        f" expected {found['of_expected']:.4f}, alone {found['of_alone']:.4f}"
    )
    for what in ("of_covered_potential", "of_covered_drift"):
        expect(found[what] > 0.95 - 0.25 * wide - 0.03, f"{name}: {what[3:]}", found[what])
    expect(known > 0.95 - 0.25 * wide, f"{name}: kT covered", known)
    ratio = found["of_error"] / found["of_expected"]
    expect(abs(ratio - 1) < 0.1 + 0.3 * wide, f"{name}: the drift's error", ratio)
    expect(found["of_alone"] < 0.5 * found["of_expected"], f"{name}: the spline alone", found["of_alone"])
    return found


def through(knots, values, x, period):
    """The cubic spline through values, natural or periodic, and its slope: piecewise polynomials whose first two
    derivatives are continuous, all coefficients from one dense system.
    """
    n = len(knots) if period else len(knots) - 1
    d = knots[1] - knots[0]
    A, b, row = np.zeros((4 * n, 4 * n)), np.zeros(4 * n), 0
    end = [[1, d, d**2, d**3], [0, 1, 2 * d, 3 * d**2], [0, 0, 2, 6 * d]]
    begin = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]]
    for k in range(n):
        A[row, 4 * k : 4 * k + 4], b[row] = begin[0], values[k]
        A[row + 1, 4 * k : 4 * k + 4], b[row + 1] = end[0], values[(k + 1) % len(values)]
        row += 2
        for order in (1, 2):
            if not period and k == n - 1:
                continue
            next_one = 4 * ((k + 1) % n)
            A[row, 4 * k : 4 * k + 4] = end[order]
            A[row, next_one : next_one + 4] -= begin[order]
            row += 1
    if not period:
        A[row, :4], A[row + 1, -4:] = begin[2], end[2]
    c = np.linalg.solve(A, b).reshape(n, 4)
    inside = (x - knots[0]) % period + knots[0] if period else np.clip(x, knots[0], knots[-1])
    k = np.clip(((inside - knots[0]) / d).astype(int), 0, n - 1)
    s = inside - knots[k]
    slope = c[k, 1] + 2 * c[k, 2] * s + 3 * c[k, 3] * s**2
    value = c[k, 0] + c[k, 1] * s + c[k, 2] * s**2 + c[k, 3] * s**3
    return value + (0 if period else slope * (x - inside)), slope


def curves(found, period=0.0):
    """The curve is the spline through the rows, and the drift minus its slope, with a force around a ring."""
    x, knots = found["curve_x"], np.isfinite(found["knot"])
    V, slope = through(found["knot"][knots], found["estimate"][knots], x, period)
    force = found["estimate"][1] if period else 0.0
    expect(np.allclose(V, found["curve_potential"], atol=1e-9), "the potential is the spline", V)
    expect(np.allclose(force - slope, found["curve_drift"], atol=1e-8), "the drift is its slope's", slope)
    mean = np.sum(found["curve_density"] * found["curve_potential"]) / np.sum(found["curve_density"])
    expect(abs(mean) < 1e-10, "the mean over the density is 0", mean)


def wide_bands(found):
    """Far from data."""
    seen = found["curve_density"] > 1e-3 * found["curve_density"].max()
    error = found["curve_potential_error"]
    expect(error[~seen].max() > 5 * np.median(error[seen]), "wide where nothing is seen", error)


def driven_snapshots(where):
    """A drive is known, and drives the spline: snapshots alone tell potential and kT."""
    text = study(
        WELL,
        DATA=(
            "method: snapshot_likelihood, lag: [0.2], tracks: 4000, transitions: 4, unpaired: true, dt:"
            " 1.0e-2"
        ),
    ).replace(
        "initial: {density: boltzmann}",
        (
            "drive:\n  - {parameter: tilt, waveform: sine, amplitude: 1.5, period: 1.0}\n"
            "initial: {density: gaussian, mean: [0.0], sd: [0.4]}"
        ),
    )
    found = infer(where, text)
    expect(
        found["of_error"] < found["of_expected"] + 3 * found["of_error_sd"], "driven snapshots: drift", found
    )
    expect(
        abs(found["estimate"][0] - 0.5) < 4 * found["error"][0], "driven snapshots: kT", found["estimate"][0]
    )
    blind = infer(where, text.replace("amplitude: 1.5", "amplitude: 1.5e-9"))
    expect(
        blind["of_smoothness"] != found["of_smoothness"],
        "the drive makes a difference",
        blind["of_smoothness"],
    )


def straight(where):
    """Knots within the barrier, of which data say no more than that it is flat: the weight ends at the largest."""
    changes = {
        "DATA": "lag: [0.3], transitions: 400, dt: 1.0e-2",
        "POTENTIAL": "knots: 6, lower: -0.4, upper: 0.4",
    }
    found = infer(where, study(WELL, **changes))
    V = found["estimate"][1:]
    expect(np.max(np.abs(np.diff(V, 2))) < 1e-3, "a straight line", V)
    expect(abs(found["of_effective"] - 1) < 0.01, "one parameter, its slope", found["of_effective"])


def refusals(where):
    cases = (
        ({"POTENTIAL": "knots: 3"}, "expected an integer from 4 to 27, got 3"),
        ({"POTENTIAL": "lower: 1, upper: 0"}, "the last knot, 0, is not above the first one, 1"),
        ({"POTENTIAL": "lower: -9"}, "knots from -9 to 2 are not all in the truth's box, [-2, 2]"),
        ({"POTENTIAL": "smoothness: -1"}, "expected a weight from 0 to 1e100, or auto, got -1"),
        ({"POTENTIAL": "smoothness: soft"}, "expected a finite number, got 'soft'"),
        ({"POTENTIAL": "nodes: 4"}, "unknown key 'nodes'"),
        ({"DATA": "lag: [0.3], intervals: profile"}, "bands of a potential come from the Fisher information"),
        ({"DATA": "lag: [0.3], method: sfi"}, "sfi does not estimate a potential"),
        ({"DATA": "lag: [0.3], posterior: {draws: 200}"}, "posterior draws of a potential are not supported"),
        ({"SYSTEM": "rotational_ou", "PARAMETERS": "", "TRUTH": "cells: [32, 32]"}, "one axis"),
    )
    for changes, reason in cases:
        done = run(where, study(WELL, **changes))
        expect(done.returncode == 2 and reason in done.stderr, f"refused: {changes}", done.stderr)
    text = study(WELL, SYSTEM="geometric_brownian", PARAMETERS="", TRUTH="cells: [64]")
    done = run(where, text.replace("boltzmann", "gaussian, mean: [1.0], sd: [0.1]"))
    expect("is of another kind" in done.stderr, "refused: noise that varies", done.stderr)
    done = run(where, study(WELL).replace("[kT]", "[height]"))
    expect("beside a potential, only kT can be estimated" in done.stderr, "refused: height", done.stderr)
    done = run(where, study(RING, POTENTIAL="lower: -1"))
    expect("around a ring knots are evenly spaced" in done.stderr, "refused: knots on a ring", done.stderr)
    drive = "drive:\n  - {parameter: height, waveform: sine, amplitude: 0.1, period: 1.0}\ninitial:"
    done = run(where, study(WELL).replace("initial:", drive, 1))
    expect(
        "only a uniform force, kT and mobility drive a spline" in done.stderr, "refused: drive", done.stderr
    )
    done = run(where, study(WELL, POTENTIAL="knots: 16, smoothness: 0"))
    expect(done.returncode == 1 and "no potential is found" in done.stderr, "no penalty", done.stderr)


def main():
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        same_as_dense(where)
        coverage(where, WELL, sets, "double well")
        coverage(where, RING, sets, "washboard")
        curves(infer(where, study(RING)), 2 * np.pi)
        if sets > 8:
            coverage(
                where, {**WELL, "DATA": WELL["DATA"].replace("500", "5000")}, sets, "double well, more data"
            )
            coverage(where, PRINZ, sets, "prinz")
        one = infer(where, study(WELL))
        curves(one)
        wide_bands(one)
        two = infer(where, study(WELL), ranks=2)
        expect(
            all(
                np.array_equal(one[k], two[k], equal_nan=k != "of_inference" and k != "of_method")
                for k in one
                if k != "seconds" and not isinstance(one[k], str)
            ),
            "two ranks, the same bits",
        )
        driven_snapshots(where)
        straight(where)
        refusals(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
