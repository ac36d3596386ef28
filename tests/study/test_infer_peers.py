#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Methods that approximate the likelihood: what they find in infinitely many data is what closed forms of Gaussian
processes say, in several units, and of a double well what quadrature says; in data they find what NumPy finds
there; sparse regression leaves out what is not there; and what is said of systems that they are not for.
fare-test: labels=study timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile

import numpy as np
from test_infer import infer, transitions

from checks import conclude, expect, fare


def study(system, box, cells, line, start=""):
    """A study of one inference, whose first guess is a bit off."""
    lower, upper = ("[" + ", ".join(str(side) for side in sides) + "]" for sides in zip(*box))
    return (
        f"study: peers\nsystem: {system}\n{start}snapshots: {{start: 0.0, end: 1.0, count: 2}}\n"
        f"truth: {{cells: {cells}, lower: {lower}, upper: {upper}}}\ninfer:\n  - {{name: fit, {line}}}\n"
    )


def trap(stiffness, kT, cells, line, mean=0.0, sd=None):
    width = np.sqrt(kT / stiffness)
    sd = width if sd is None else sd
    reach = abs(mean) + 8 * max(width, sd)
    return study(
        f"{{name: ornstein_uhlenbeck, parameters: {{stiffness: {stiffness}, kT: {kT}}}}}",
        [(-reach, reach)],
        f"[{cells}]",
        f"parameters: {{stiffness: {1.3 * stiffness}, kT: {0.8 * kT}}}, {line}",
        f"initial: {{density: gaussian, mean: [{mean}], sd: [{sd}]}}\n",
    )


def column(found, name, method):
    return found[name][found["methods"] == method]


def near(value, wanted, error, what):
    """Within twice the error that the cells make, and a part in ten thousand."""
    slack = 2 * np.asarray(error) + 1e-4 * abs(np.asarray(wanted))
    expect(bool((abs(np.asarray(value) - wanted) < slack).all()), what, (value, wanted, error))


def traps(where):
    """At short and long lags, in three units of length and time."""
    methods = ("euler_likelihood", "kramers_moyal", "sfi", "sindy")
    for k, D, lag in [(1.0, 1.0, 0.1), (1.0, 1.0, 1.5), (200.0, 3e-5, 2e-3), (2e-4, 5e3, 2.5e3)]:
        line = f"method: [{', '.join(methods)}], lag: [{lag}], tracks: 1, transitions: 200, dt: {lag / 20}"
        found = infer(where, trap(k, D, 128, line))
        r = np.exp(-k * lag)
        slope, least, square = (1 - r) / lag, D / k * (1 - r * r) / (2 * lag), D / k * (1 - r) / lag
        for method in methods:
            near(
                column(found, "limit", method),
                [slope, least if method == "euler_likelihood" else square],
                column(found, "limit_error", method),
                f"{method} at a lag of {k * lag} relaxation times",
            )


def noise(where):
    """Noise of observations, which these methods take for motion: a friction of 1 appears as 1.24435."""
    methods = ("euler_likelihood", "kramers_moyal", "sfi", "sindy")
    for k, D, lag, sd in [(1.0, 1.0, 0.2, 0.3), (200.0, 3e-5, 2e-3, 5e-4)]:
        line = (
            f"method: [{', '.join(methods)}], lag: [{lag}], tracks: 1, transitions: 2000, dt: {lag / 20},"
            f" noise: {sd}"
        )
        found = infer(where, trap(k, D, 200, line))
        r, v, seen = np.exp(-k * lag), D / k, D / k + sd * sd
        slope, square = (1 - r * v / seen) / lag, (seen - r * v) / lag
        least = (seen - (r * v) ** 2 / seen) / (2 * lag)
        if k == 1:
            expect(abs(slope - 1.24435) < 5e-6, "the closed form's number", slope)
        for method in methods:
            limit = column(found, "limit", method)
            wanted = [slope, least if method == "euler_likelihood" else square]
            near(limit, wanted, column(found, "limit_error", method), f"{method} with noise")
            z = (column(found, "estimate", method) - limit) / column(found, "error", method)
            expect((abs(z) < 4).all(), f"{method}: data lie about it", z)


def turning(where):
    """Two axes: friction, rotation and noise at a lag."""
    k, w, D, lag = 1.0, 1.0, 1.0, 0.5
    text = study(
        "{name: rotational_ou}",
        [(-5, 5), (-5, 5)],
        "[24, 24]",
        (
            "parameters: {stiffness: 0.8, rotation: 0.7, kT: 1.2}, method: [sfi, sindy], "
            f"lag: [{lag}], transitions: 200, dt: 0.02"
        ),
        "initial: {density: gaussian, mean: [0, 0], sd: [1, 1]}\n",
    )
    found = infer(where, text)
    c, s = np.exp(-k * lag) * np.cos(w * lag), np.exp(-k * lag) * np.sin(w * lag)
    wanted = np.array([(1 - c) / lag, s / lag, D / k * (1 - c) / lag])
    for method in ("sfi", "sindy"):
        near(column(found, "limit", method), wanted, column(found, "limit_error", method), method)
    two = infer(where, text, ranks=2)
    expect((two["estimate"] == found["estimate"]).all(), "the same bits on two ranks", two["estimate"])
    expect((two["limit"] == found["limit"]).all(), "and limits", two["limit"])


def well_by_quadrature(where):
    """Stratonovich's product, whose limit is not Ito's where drift is curved."""
    line = (
        "parameters: {height: 0.8, kT: 0.6}, method: [sfi, sindy], lag: [0.1, 0.5], transitions: 200, dt:"
        " 0.01"
    )
    system = "{name: double_well, parameters: {height: 1.0, kT: 0.5}}"
    found = infer(where, study(system, [(-2.6, 2.6)], "[256]", line))
    for i, lag in enumerate((0.1, 0.5)):
        results = []
        for steps in (round(lag / 0.002), round(lag / 0.001)):
            x, P = transitions(lag, steps)
            pi = np.exp(-((x * x - 1) ** 2) / 0.5)
            P = P / P.sum(axis=0) * (pi / pi.sum())
            d = x[:, None] - x
            b, slope = -4 * x * (x * x - 1), -12 * x * x + 4
            norm = lag * np.sum(P * b * b)
            turned = np.sum(P * (0.5 * (b + b[:, None]) * d - 0.5 * d * d * slope)) / norm
            results.append([turned, np.sum(P * b * d) / norm])
        wanted = 2 * np.array(results[1]) - results[0]
        at = slice(2 * i, 2 * i + 2)
        for k, method in enumerate(("sfi", "sindy")):
            error = abs(column(found, "limit", method)[at][0] - wanted[k])
            expect(error < 1.5e-3, f"{method} at {lag}", (column(found, "limit", method)[at], wanted))


def oscillator(where):
    """Friction from positions: of covariances of x alone, and of a free particle 2/3 of it at short lags."""
    for k, gamma, T, lag in [(1.0, 1.0, 1.0, 0.1), (1.0, 1.0, 1.0, 0.7), (4e4, 50.0, 1e-2, 2e-3)]:
        width, speed = np.sqrt(T / k), np.sqrt(T)
        text = study(
            (
                f'{{expression: {{potential: "0.5*k*x^2", mass: 1, friction: g, lower: [{-8 * width},'
                f" {-8 * speed}], upper: [{8 * width}, {8 * speed}]}}, parameters: {{k: {k}, g: {gamma}, kT:"
                f" {T}}}}}"
            ),
            [(-8 * width, 8 * width), (-8 * speed, 8 * speed)],
            "[64, 64]",
            (
                f"parameters: {{k: {0.8 * k}, g: {1.2 * gamma}, kT: {T}}}, method: [ulisfi,"
                f" velocity_differences], lag: [{lag}], transitions: 200, dt: {lag / 20}"
            ),
            f"initial: {{density: gaussian, mean: [0, 0], sd: [{width}, {speed}]}}\n",
        )
        found = infer(where, text)
        w = np.sqrt(k - gamma**2 / 4)
        t = lag * np.arange(3)
        phi = T / k * np.exp(-gamma * t / 2) * (np.cos(w * t) + gamma / (2 * w) * np.sin(w * t))
        x = phi[abs(np.subtract.outer(range(3), range(3)))]
        make = np.array([[0, 1, 0], [-1 / lag, 1 / lag, 0], [1 / lag, -2 / lag, 1 / lag]])
        S = make @ x @ make.T
        for method, factor, share in (("ulisfi", 1.5, 1 / 6), ("velocity_differences", 1, 0)):
            noise = factor * S[2, 2]
            rest = np.array([-S[0, 2], -S[1, 2] + share * noise]) / lag
            stiffness, friction = np.linalg.solve(S[:2, :2], rest)
            near(
                column(found, "limit", method),
                [stiffness, friction, noise / (2 * lag) / friction],
                column(found, "limit_error", method),
                f"{method} of an oscillator at {lag}",
            )
    text = study(
        (
            '{expression: {potential: "k*x", mass: 1, friction: g, lower: [-40, -8], upper: [40, 8]},'
            " parameters: {k: 0, g: 1, kT: 1}}"
        ),
        [(-40, 40), (-8, 8)],
        "[64, 64]",
        (
            "parameters: {g: 0.7, kT: 1.2}, method: velocity_differences, lag: [0.001, 0.1], transitions: 20,"
            " dt: 1.0e-4"
        ),
        "initial: {density: gaussian, mean: [0, 0], sd: [1, 1]}\n",
    )
    found = infer(where, text)
    limit, error = found["limit"], found["limit_error"]
    near(limit[2:] * [1, limit[2]], [0.63972, 0.61892], error[2:], "velocities of a free particle")
    near(limit[:2] * [1, limit[0]], [2 / 3, 2 / 3], error[:2] + 4e-4, "2/3 of friction and noise")


def snapshots(where):
    """From one Gaussian to another: implicit steps, the action's trapezoid, entropic couplings."""
    for k, D, lag, mean, sd in [(1.0, 1.0, 0.5, 2.0, 0.7), (30.0, 2e-3, 0.01, -0.02, 0.004)]:
        line = (
            f"method: [jko_star, waddington], lag: [{lag}], tracks: 400, transitions: 1, dt: {lag / 50}, "
            "unpaired: true, epsilon: 0.1"
        )
        text = trap(k, D, 200, line, mean, sd)
        found = infer(where, text)
        r, v0 = np.exp(-k * lag), sd * sd
        v1, m1 = D / k + r * r * (v0 - D / k), r * mean
        step = (np.exp(k * lag) - 1) / lag
        wanted = [step, v1 * (step + (1 - sd / np.sqrt(v1)) / lag)]
        near(column(found, "limit", "jko_star"), wanted, column(found, "limit_error", "jko_star"), "jko_star")
        if k == 1:
            near(wanted, [1.297443, 1.416930], [1e-6, 1e-6], "numbers of the closed form")
        epsilon = 0.1 * (v0 + v1 + (mean - m1) ** 2)
        cross = np.sqrt((epsilon / 4) ** 2 + v0 * v1) - epsilon / 4
        wanted = [
            (v0 + mean**2 - cross - mean * m1) / (lag * (v0 + mean**2)),
            (v0 + v1 - 2 * cross + (mean - m1) ** 2) / (2 * lag),
        ]
        error = column(found, "limit_error", "waddington")
        near(column(found, "limit", "waddington"), wanted, error, "waddington")
        implied = column(found, "implied", "waddington")[0]
        expect(abs(implied / (epsilon / (4 * lag)) - 1) < 0.2, "the diffusion of epsilon", (implied, epsilon))
        parameters = f"{{stiffness: {1.3 * k}, kT: {0.8 * D}}}"
        one = text.replace(parameters, "[stiffness]").replace("[jko_star, waddington]", "action_matching")
        found = infer(where, one)
        before, behind = v0 + mean**2, v1 + m1**2
        wanted = ((before - behind) / lag + 2 * D) / (before + behind)
        near(found["limit"], [wanted], found["limit_error"], "action_matching")


def snapshots_of_a_plane(where):
    """Two axes that turn: neither couplings nor the action see it."""
    lag, k, D, mean, sd = 0.3, 1.0, 1.0, np.array([1.5, 0.0]), 0.8
    text = study(
        "{name: rotational_ou}",
        [(-5, 5), (-5, 5)],
        "[40, 40]",
        (
            "parameters: {stiffness: 0.8, rotation: 0.5, kT: 1.2}, method: [waddington], epsilon: 0.1, "
            f"lag: [{lag}], tracks: 300, transitions: 1, dt: 0.01, unpaired: true"
        ),
        f"initial: {{density: gaussian, mean: [1.5, 0], sd: [{sd}, {sd}]}}\n",
    )
    found = infer(where, text)
    r, v0 = np.exp(-k * lag), sd * sd
    turn = np.array([[np.cos(lag), -np.sin(lag)], [np.sin(lag), np.cos(lag)]])
    v1, m1 = D / k + r * r * (v0 - D / k), r * turn @ mean
    epsilon = 0.1 * (2 * v0 + 2 * v1 + np.sum((mean - m1) ** 2))
    cross = np.sqrt((epsilon / 4) ** 2 + v0 * v1) - epsilon / 4
    size = 2 * v0 + mean @ mean
    to = np.array([[0, -1], [1, 0]]) @ mean
    wanted = np.array(
        [
            (size - 2 * cross - mean @ m1) / (lag * size),
            to @ (m1 - mean) / (lag * size),
            (2 * v0 + 2 * v1 - 4 * cross + np.sum((mean - m1) ** 2)) / (4 * lag),
        ]
    )
    near(found["limit"], wanted, found["limit_error"], "waddington of a plane")
    z = (found["estimate"] - found["limit"]) / found["error"]
    expect((abs(z) < 4).all(), "data lie about it", z)
    one = text.replace("{stiffness: 0.8, rotation: 0.5, kT: 1.2}", "{stiffness: 0.8}")
    found = infer(where, one.replace("[waddington]", "action_matching"))
    before, behind = size, 2 * v1 + m1 @ m1
    near(
        found["limit"],
        [((before - behind) / lag + 4 * D) / (before + behind)],
        found["limit_error"],
        "action_matching of a plane",
    )


def data(where):
    """With gaps and several tracks: the same sums by NumPy."""
    random = np.random.default_rng(8)
    rows = []
    for track in range(3):
        x = np.zeros((400, 2))
        for i in range(1, 400):
            v = x[i - 1, 1] + 0.05 * (-x[i - 1, 0] - 0.7 * x[i - 1, 1]) + np.sqrt(0.1) * random.normal()
            x[i] = x[i - 1, 0] + 0.05 * v, v
        rows += [(track, 0.05 * i, *x[i]) for i in range(400) if i % 7 != 3 + track]
    table = np.array(rows)
    random.shuffle(table)
    np.savetxt(where / "gaps.csv", table, delimiter=",", header="id,time,x,y", comments="", fmt="%.17g")
    text = study(
        (
            '{expression: {potential: "0.5*k*x^2", mass: 1, friction: g, lower: [-9, -9], upper: [9, 9]}, '
            "parameters: {k: 1, g: 1, kT: 1}}"
        ),
        [(-9, 9), (-9, 9)],
        "[32, 32]",
        "parameters: [k, g, kT], method: [ulisfi], lag: [0.05]",
        "initial: {density: gaussian, mean: [0, 0], sd: [1, 1]}\n",
    )
    found = infer(where, text, "gaps.csv")
    of = {(int(i), round(t / 0.05)): x for i, t, x, _ in table}
    triples = np.array(
        [(of[i, t], of[i, t + 1], of[i, t + 2]) for i, t in of if (i, t + 1) in of and (i, t + 2) in of]
    )
    v, dv = (triples[:, 1] - triples[:, 0]) / 0.05, (triples @ [1, -2, 1]) / 0.05
    A, noise = np.column_stack([-triples[:, 1], -v]), 1.5 * np.mean(dv**2)
    rest = A.T @ dv / len(v) + [0, noise / 6]
    k, g = np.linalg.solve(A.T @ A / len(v), rest / 0.05)
    expect(found["pairs"][0] == len(triples), "triples", (found["pairs"], len(triples)))
    near(found["estimate"], [k, g, noise / 0.1 / g], np.full(3, 1e-6), "ulisfi of data")


def one_time(where):
    """Rounding of times makes no new snapshot; all of one time tell nothing."""
    random = np.random.default_rng(4)
    x = np.concatenate([random.normal(2, 0.7, 50), random.normal(1.2, 0.9, 50)])
    line = "parameters: [stiffness], method: [jko_star, action_matching, waddington]"
    text = trap(1.0, 1.0, 64, line, 2.0, 0.7).replace("{stiffness: 1.3, kT: 0.8}, parameters: ", "")
    found = []
    for jitter in (0, 1e-9):
        t = np.repeat([0.0, 0.5], 50) + jitter * random.random(100)
        table = np.column_stack([np.arange(100), t, x])
        np.savetxt(where / "times.csv", table, delimiter=",", header="id,time,x", comments="", fmt="%.17g")
        found.append(infer(where, text, "times.csv")["estimate"])
    expect((abs(found[1] / found[0] - 1) < 1e-6).all(), "the same with rounded times", found)
    (where / "one.csv").write_text("id,time,x\n" + "".join(f"{i},0.5,{v}\n" for i, v in enumerate(x)))
    (where / "study.yaml").write_text(text)
    done = fare(where, "infer", "study.yaml", "one.csv")
    expect(done.returncode == 1 and "all observations are of one time" in done.stderr, "one time", done)


def few(where):
    """Five displacements of one track are not known to nine digits."""
    x = np.array([0.5241220395, 1.133291112, 1.003594002, 0.2345595524, -0.2423612814, 0.5209338259])
    rows = "".join(f"0,{0.25 * k},{value}\n" for k, value in enumerate(x))
    (where / "few.csv").write_text("id,time,x\n" + rows)
    found = infer(where, trap(1.0, 0.5, 100, "method: [kramers_moyal, sfi, sindy]"), "few.csv")
    share = (found["error"] / found["estimate"])[found["parameters"] == "kT"]
    expect(len(share) == 3 and ((share > 0.2) & (share < 1)).all(), "errors of few data", share)


def small_units(where):
    """Whether steps are long does not depend on the unit of length."""
    for unit, energy in ((1.0, 1.0), (2.0**-20, 2.0**-18)):
        potential = f"{energy}*((x/{unit})^2 - 1)^2, lower: [{-2.6 * unit}], upper: [{2.6 * unit}]"
        parameters = f"{{kT: {0.5 * energy}, mobility: {8 * unit**2 / energy}}}"
        system = f"{{expression: {{potential: {potential}}}, parameters: {parameters}}}"
        for lag, dt in ((0.0125, 0.000625), (0.125, 0.0125)):
            line = (
                f"method: sfi, parameters: {{kT: {0.4 * energy}}}, lag: [{lag}], tracks: 1, transitions: 100"
            )
            text = study(system, [(-2.6 * unit, 2.6 * unit)], "[128]", f"{line}, dt: {dt}")
            (where / "study.yaml").write_text(text)
            done = fare(where, "infer", "study.yaml", "--out", "small.h5")
            expect(done.returncode == 0, "small units run", done.stderr)
            expect(("are long" in done.stderr) == (dt > 0.01), f"steps in units of {unit}", done.stderr)


def sparse(where):
    """A tilt that is not there is left out; one that is there stays; errors scatter as they say."""
    text = study(
        "{name: double_well, parameters: {height: 1.0, kT: 0.5, tilt: 0.0}}",
        [(-2.6, 2.6)],
        "[128]",
        (
            "parameters: {height: 0.8, kT: 0.6, tilt: 0.1}, method: [sindy, sfi], lag: [0.1], transitions:"
            " 1000, dt: 0.01, repeats: 40"
        ),
    )
    found = infer(where, text)
    expect(
        found["limit"][2] == 0 or abs(found["limit"][2]) < 1e-6, "no tilt in infinitely many", found["limit"]
    )
    for method, names in (("sindy", (0, 1)), ("sfi", (0, 1, 2))):
        for i in names:
            mean, limit = column(found, "estimate", method)[i], column(found, "limit", method)[i]
            spread, error = column(found, "spread", method)[i], column(found, "error", method)[i]
            expect(abs(mean - limit) < 4 * spread / np.sqrt(40), f"{method} {i}: no more bias", (mean, limit))
            expect(0.6 < spread / error < 1.6, f"{method} {i}: scatter", (spread, error))
    held = "{height: 1.0, kT: 0.5, tilt: 0.0}"
    one = infer(where, text.replace(", repeats: 40", ""))
    expect(one["estimate"][2] == 0 and np.isnan(one["error"][2]), "left out", one["estimate"])
    tilted = infer(where, text.replace(held, held.replace("0.0", "1.0")).replace(", repeats: 40", ""))
    expect(abs(tilted["estimate"][2]) > 4 * tilted["error"][2], "a tilt that is there", tilted["estimate"])


def refusals(where):
    well = "{name: double_well}"
    box = [(-2.6, 2.6)]
    ring = "{name: tilted_washboard}"
    keys = "lag: [0.1], transitions: 20, dt: 0.01"
    for text, code, wanted in [
        (study(well, box, "[64]", f"parameters: [height], method: ulisfi, {keys}"), 2, "is for two axes"),
        (
            study(
                "{name: rotational_ou}",
                [(-5, 5)] * 2,
                "[16, 16]",
                f"parameters: [kT], method: ulisfi, {keys}",
            ),
            2,
            "the first axis has to move by the second",
        ),
        (
            study(well, box, "[64]", f"parameters: [height, kT], method: action_matching, {keys}"),
            2,
            "takes the noise as known: leave kT out",
        ),
        (
            study(ring, [(0, 6.283185307179586)], "[64]", f"parameters: [kT], method: jko_star, {keys}"),
            2,
            "quantiles",
        ),
        (
            study(
                "{name: geometric_brownian}",
                [(0.1, 6)],
                "[64]",
                f"parameters: [growth], method: jko_star, {keys}",
                "initial: {density: gaussian, mean: [1], sd: [0.1]}\n",
            ),
            2,
            "noise to be the same everywhere",
        ),
        (
            study(
                "{name: ornstein_uhlenbeck}",
                [(-5, 5)],
                "[64]",
                f"parameters: {{stiffness: 2, centre: 0.5}}, method: sindy, {keys}",
            ),
            1,
            "takes the drift for a sum of terms",
        ),
        (
            study(
                well,
                box,
                "[64]",
                f"parameters: [height], method: waddington, tracks: 99, epsilon: 1.0e-6, {keys}",
            ),
            1,
            "take a larger 'epsilon'",
        ),
    ]:
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml")
        expect(done.returncode == code and wanted in done.stderr, wanted, done)
    (where / "few.csv").write_text("id,time,x\n1,0,0.1\n2,0,0.1\n3,1,0.2\n4,1,0.1\n")
    for method, wanted in [
        ("jko_star", "4 or more make a snapshot"),
        ("sfi", "no track has two observations"),
    ]:
        text = study(well, box, "[64]", f"parameters: [height], method: {method}")
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml", "few.csv")
        expect(done.returncode == 1 and wanted in done.stderr, wanted, done)
    same = "id,time,x\n" + "".join(f"{i},{t},0.5\n" for t in (0, 1) for i in range(10))
    (where / "same.csv").write_text(same)
    for method, wanted in [("jko_star", "lie in one place"), ("sfi", "kT")]:
        text = study(well, box, "[64]", f"parameters: [height, kT], method: {method}")
        (where / "study.yaml").write_text(text)
        done = fare(where, "infer", "study.yaml", "same.csv")
        expect(wanted in done.stderr + done.stdout, wanted, done)


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        for test in globals().get("CHOSEN") or (
            traps,
            noise,
            turning,
            well_by_quadrature,
            oscillator,
            snapshots,
            snapshots_of_a_plane,
            data,
            one_time,
            few,
            small_units,
            sparse,
            refusals,
        ):
            test(where)
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
