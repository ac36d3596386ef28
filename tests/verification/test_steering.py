#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Steering of one density to another. Costs against closed forms of Gaussians in one and two dimensions, with and
without a potential, and against the identity of time reversal. The control as a system of its own: its truth
meets the target, particles have its density and its cost, and ranks do not matter. Other controls: how far each
is from the best, which is known for none and for the linear one; a learned one comes near.
fare-test: labels=verification timeout=300
"""
from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import h5py
import numpy as np

from checks import conclude, expect, fare

Matrix = Any


def run(where: pathlib.Path, name: str, text: str, ranks: int = 1) -> None:
    (where / f"{name}.yaml").write_text(f"study: {name}\nseed: 3\n{text}")
    done = fare(where, "run", f"{name}.yaml", "--overwrite", "--no-report", ranks=ranks)
    if done.returncode:
        raise SystemExit(done.stderr)


def bridge(
    where: pathlib.Path,
    system: str,
    truth: str,
    ends: list[tuple[list[float], list[float]]],
    duration: float,
    more: str = "",
    name: str = "bridge",
) -> dict[str, np.ndarray]:
    """What an analysis `bridge` between Gaussians (mean, sd) finds."""
    first, last = (f"{{density: gaussian, mean: {mean}, sd: {sd}}}" for mean, sd in ends)
    run(
        where,
        name,
        (
            f"system: {system}\ninitial: {{density: uniform}}\nsnapshots: {{start: 0.0, end: 1.0e-6, count:"
            f" 2}}\ntruth: {truth}\nanalysis:\n  - {{name: a, kind: bridge, from: {first}, to: {last},"
            f" duration: {duration}{more}}}\n"
        ),
    )
    with h5py.File(where / f"out/{name}/study.h5") as file:
        group = file["analysis/a"]
        found = {key: item[...] for key, item in group.items() if isinstance(item, h5py.Dataset)}
        return found | {key: item[...] for key, item in group["meshes"].items()}


def root(A: Matrix, power: float) -> Matrix:
    """A power of a positive symmetric matrix."""
    value, vector = np.linalg.eigh(A)
    return vector * value**power @ vector.T


def divergence(mean: Matrix, P: Matrix, Q: Matrix) -> float:
    """KL of N(mean, P) to N(0, Q)."""
    inverse = np.linalg.inv(Q)
    logs = np.linalg.slogdet(Q)[1] - np.linalg.slogdet(P)[1]
    return 0.5 * float(np.trace(inverse @ P) + mean @ inverse @ mean - len(mean) + logs)


def closed_form(M: Matrix, S: Matrix, ends: list[tuple[list[float], list[float]]]) -> tuple[float, float]:
    """Cost of the bridge between Gaussians, whose reference takes x to N(M x, S), and the entropy of the
    reference relative to it: by the coupling of z0 = S^-1/2 M x0 and z1 = S^-1/2 x1 (Mallasto, Gerolin and
    Minh, arXiv 2006.03416).
    """
    scale, one = root(S, -0.5), np.eye(len(S))
    m0, m1 = scale @ M @ np.array(ends[0][0]), scale @ np.array(ends[1][0])
    A = scale @ M @ np.diag(np.square(ends[0][1])) @ M.T @ scale
    B = scale @ np.diag(np.square(ends[1][1])) @ scale
    half = root(A, 0.5)
    C = half @ root(half @ B @ half + one / 4, 0.5) @ root(A, -0.5) - one / 2
    joint, reference = np.block([[A, C], [C.T, B]]), np.block([[A, A], [A, A + one]])
    n = len(S)
    assert np.allclose(np.linalg.inv(joint)[:n, n:], -one)  # the kernel's own: a and b factorise
    apart = np.concatenate([0 * m0, m1 - m0])
    return divergence(apart, joint, reference), divergence(-apart, reference, joint)


def check_cost(name: str, found: dict[str, np.ndarray], expected: float, most: float) -> None:
    cost, error = found["cost"][0], found["cost_error"][0]
    print(
        f"{name}: {cost:.9g}, expected {expected:.9g}, off {cost - expected:.1e}, bar {error:.1e}", flush=True
    )
    expect(abs(cost - expected) <= 1.5 * error, f"{name}: the bar {error:.1e} is too small", cost - expected)
    expect(error <= most, f"{name}: the bar is too wide", error)


def gaussians_have_their_closed_form(where: pathlib.Path) -> None:
    ends = [([0.0], [1.0]), ([2.0], [0.5])]
    found = bridge(
        where,
        '{expression: {drift: ["0"], diffusion: ["0.25"], lower: [-7], upper: [7]}}',
        "{cells: [512]}",
        ends,
        1.0,
        ", steps: 256",
    )
    expected = closed_form(np.eye(1), 0.5 * np.eye(1), ends)[0]
    expect(abs(expected - 4.719145514) < 1e-9, "the closed form is another one", expected)
    check_cost("brownian", found, 4.719145514, 2e-3)
    # a swirl in a trap, whose generator is no gradient: x goes to e^-T R x + noise 1 - e^-2T
    ends = [([-0.8, 0.3], [0.5, 0.8]), ([0.9, 0.6], [0.7, 0.45])]
    T, turn = 0.5, 2.0 * 0.5
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = bridge(
        where,
        "{name: rotational_ou, parameters: {rotation: 2.0}}",
        "{cells: [64, 64], lower: [-4.5, -4.5], upper: [4.5, 4.5]}",
        ends,
        T,
        ", steps: 32, moments: 9",
    )
    expected = closed_form(np.exp(-T) * R, (1 - np.exp(-2 * T)) * np.eye(2), ends)[0]
    check_cost("swirl", found, expected, 0.05)


def time_can_be_reversed(where: pathlib.Path) -> None:
    """With detailed balance, there and back cost as much but for the entropies of the ends to equilibrium; and
    densities between are the same.
    """
    ends = [([-0.9], [0.25]), ([0.4], [0.4])]
    truth = "{cells: [256], lower: [-2.5], upper: [2.5]}"
    system = "{name: double_well, parameters: {kT: 0.4}}"
    there, back = (bridge(where, system, truth, way, 0.7, ", moments: 66") for way in (ends, ends[::-1]))
    x = -2.5 + 5 * (np.arange(4096) + 0.5) / 4096
    log_pi = -((x**2 - 1) ** 2) / 0.4
    log_pi -= np.log(np.exp(log_pi).sum())
    entropy = []
    for (mean,), (sd,) in ends:
        log_p = -(((x - mean) / sd) ** 2) / 2
        log_p -= np.log(np.exp(log_p).sum())
        entropy.append((np.exp(log_p) * (log_p - log_pi)).sum())
    error = there["cost_error"][0] + back["cost_error"][0]
    off = there["cost"][0] - back["cost"][0] - (entropy[1] - entropy[0])
    print(
        f"there {there['cost'][0]:.7f}, back {back['cost'][0]:.7f}, off {off:.1e}, bar {error:.1e}",
        flush=True,
    )
    expect(abs(off) <= 1.5 * error + 1e-9, "there and back differ by something else", off)
    expect(error < 2e-3, "bars are too wide", error)
    # of 66 moments, (1 - k/65)^2 of the duration is left: 0.36 and 0.64
    for k, m in ((0, 65), (26, 13), (13, 26)):
        L1 = abs(there[f"density_{k}"] - back[f"density_{m}"]).sum() * 5 / 256
        expect(L1 < 1e-4, f"the density of moment {k} is not that of the way back", L1)


def check_steered(where: pathlib.Path) -> None:
    """The control as a system of its own."""
    initial = "{density: gaussian, mean: [-0.7], sd: [0.15]}"
    drive = "drive: [{parameter: tilt, waveform: sine, amplitude: 2.0, period: 0.5}]\n"
    found = bridge(
        where,
        "{name: prinz}\n" + drive.strip(),
        "{cells: [256]}",
        [([-0.7], [0.15]), ([0.6], [0.12])],
        0.3,
    )
    text = (
        "system: {name: steered, unit: {name: prinz}, control: out/bridge/study.h5}\n"
        f"{drive}initial: {initial}\nsnapshots: {{start: 0.0, end: 0.3, count: 3}}\ntruth: {{cells: [256]}}\n"
        "measures: [kl]\n"
        "ensembles:\n  - {name: walk, sampler: langevin, particles: 8192, dt: 1.5e-3, integrator: heun}\n"
    )
    run(where, "one", text)
    run(where, "two", text, ranks=2)
    with h5py.File(where / "out/one/study.h5") as file:
        truth_error = file["truth/error"][-1]
        cost, error = (file["ensembles/walk"].attrs[key] for key in ("control_cost", "control_cost_error"))
        p_value = file["comparisons/walk/kl/p_value"][-1]
    snapshot = max((where / "out/one/snapshots").glob("*.h5"))
    with h5py.File(snapshot) as file:
        (data,) = file["data"].values()
        density, width = data["meshes/density"][...], data["meshes/density"].attrs["gridSpacing"][0]
    missed = abs(density - found["density_64"]).sum() * width
    print(f"truth misses the target by {missed:.1e}, bar {truth_error:.1e}; cost {cost:.4f} +- {error:.4f}, ")
    print(f"bridge {found['cost'][0]:.4f}; p {p_value:.3f}", flush=True)
    expect(missed <= 3 * truth_error and truth_error < 0.01, "the truth misses the target", missed)
    expect(
        abs(cost - found["cost"][0]) <= 3 * error + found["cost_error"][0], "the cost is another one", cost
    )
    expect(error < 0.03 * cost, "the cost is not sharp", error)
    expect(p_value > 1e-3, "particles have another density than the truth", p_value)
    with h5py.File(where / "out/two/study.h5") as file:
        other = file["ensembles/walk"].attrs["control_cost"]
    expect(other == cost, "the cost depends on the number of ranks", other - cost)
    # a control that has changed since is refused, wherever the resolved plan is run
    with h5py.File(where / "out/one/study.h5") as file:
        plan = file["plan"][()].decode()
    (where / "again.yaml").write_text(plan)
    done = fare(where, "run", "again.yaml", "--overwrite", "--no-report", "--set", "snapshots.count=2")
    expect(done.returncode == 0, "the resolved plan does not run", done.stderr)
    (where / "again.yaml").write_text(plan.replace("hash: '", "hash: '0"))
    done = fare(where, "run", "again.yaml", "--overwrite", "--no-report")
    expect(done.returncode == 2 and "its control has changed" in done.stderr, "another hash", done.stderr)


def controls_are_compared(where: pathlib.Path) -> dict[str, np.ndarray]:
    """Of a trap: nothing is lost by the linear control, and by none what the closed form says."""
    ends, T = [([-1.0], [0.6]), ([1.0], [0.4])], 1.0
    found = bridge(
        where,
        "{name: ornstein_uhlenbeck}",
        "{cells: [256], lower: [-6], upper: [6]}",
        ends,
        T,
        (
            ", controllers: {compare: [zero, linear, learned, exact], particles: 4096, dt: 0.02, networks: 1,"
            " steps: 250, learning_rate: 0.01}"
        ),
    )
    cost, none = closed_form(np.exp(-T) * np.eye(1), (1 - np.exp(-2 * T)) * np.eye(1), ends)
    check_cost("trap", found, cost, 1e-3)
    for name, expected in (("zero", none), ("linear", 0.0), ("exact", 0.0)):
        value, error = found[f"excess_{name}"][0], found[f"excess_{name}_error"][0]
        print(f"excess of {name}: {value:.4f} +- {error:.4f}, expected {expected:.4f}", flush=True)
        expect(abs(value - expected) <= 4 * error, f"the excess of {name} is another one", value)
    expect(found["excess_exact_error"][0] < 0.01, "the excess of the best control is not sharp")
    for name in ("linear", "exact"):
        value, error = found[f"cost_{name}"][0], found[f"cost_{name}_error"][0]
        expect(abs(value - cost) <= 4 * error, f"the cost of {name} is another one", value)
    value, error = found["excess_learned"][0], found["excess_learned_error"][0]
    print(f"excess of a network: {value:.4f} +- {error:.4f}", flush=True)
    expect(-4 * error <= value <= 0.5, "a network does not learn", value)
    return found


def learned_controls_run(where: pathlib.Path, found: dict[str, np.ndarray]) -> None:
    """The network of `controls_are_compared`, by langevin and by the truth: what it costs and where it leads are
    what was found when it was tried, and it misses the target by no more than its excess.
    """
    text = (
        "system: {name: steered, unit: {name: ornstein_uhlenbeck}, control: out/bridge/study.h5, controller:"
        " %s}\ninitial: {density: gaussian, mean: [-1.0], sd: [0.6]}\nsnapshots: {start: 0.0, end: 1.0,"
        " count: 2}\ntruth: {cells: [256], lower: [-6], upper: [6]}\nmeasures: [kl]\nensembles:\n  - {name:"
        " walk, sampler: langevin, particles: 8192, dt: 5.0e-3, integrator: heun}\n"
    )
    x = -6 + 12 * (np.arange(256) + 0.5) / 256
    log_target = -0.5 * ((x - 1.0) / 0.4) ** 2 - np.log(0.4 * np.sqrt(2 * np.pi))
    for name, tried in (("linear", "linear"), ("learned_0", "learned")):
        run(where, name, text % name)
        with h5py.File(where / f"out/{name}/study.h5") as file:
            cost, error = (
                file["ensembles/walk"].attrs[key] for key in ("control_cost", "control_cost_error")
            )
            p_value = file["comparisons/walk/kl/p_value"][-1]
        with h5py.File(max((where / f"out/{name}/snapshots").glob("*.h5"))) as file:
            (data,) = file["data"].values()
            density = data["meshes/density"][...]
        mass = density / density.sum()
        some = mass > 0
        missed = (mass * (np.log(np.where(some, density, 1)) - log_target))[some].sum()
        said, bar = found[f"cost_{tried}"][0], found[f"cost_{tried}_error"][0]
        excess, spread = found[f"excess_{tried}"][0], found[f"excess_{tried}_error"][0]
        print(f"{name}: cost {cost:.4f} +- {error:.4f}, when tried {said:.4f} +- {bar:.4f}; ", end="")
        print(f"misses by {missed:.4f} nats, excess {excess:.4f} +- {spread:.4f}", flush=True)
        expect(abs(cost - said) <= 4 * np.hypot(error, bar), f"{name} costs something else", (cost, said))
        expect(error < 0.05 * cost, f"the cost of {name} is not sharp", error)
        expect(p_value > 1e-3, f"particles of {name} have another density than the truth", p_value)
        expect(missed <= excess + 4 * spread + 1e-3, f"{name} misses by more than its excess", missed)
        for power, key in ((1, "end_x"), (2, "end_x2")):
            mean, bar = found[f"{key}_{tried}"][0], found[f"{key}_{tried}_error"][0]
            other = float(mass @ x**power)
            expect(abs(mean - other) <= 4 * bar, f"{name}: {key} of the truth", (mean, bar, other))
    run(where, "exact", text % "exact")
    with h5py.File(where / "out/exact/study.h5") as file:
        best = file["ensembles/walk"].attrs["control_cost"]
    expect(abs(best - found["cost"][0]) < 0.2, "the best control costs something else", best)
    (where / "bad.yaml").write_text("study: bad\n" + text % "learned_1")
    done = fare(where, "check", "bad.yaml")
    message = "system.control: not usable as a control"
    expect(
        done.returncode == 2 and message in done.stderr and "there is no control 'learned_1'" in done.stderr,
        "a control that is not there is refused",
        done.stderr,
    )


def corners_are_counted(where: pathlib.Path) -> None:
    """More corners of a drive than jumps: every one of them is a time that steps meet."""
    times = [round(k / 400, 6) for k in range(401)]
    values = [0.1 * (k % 2) for k in range(401)]
    ends = [([-0.5], [0.4]), ([0.5], [0.4])]
    truth = "{cells: [32], lower: [-3], upper: [3]}"
    mean, zigzag = (
        bridge(
            where,
            f"{{name: ornstein_uhlenbeck, parameters: {{tilt: {tilt}}}}}" + drive,
            truth,
            ends,
            1.0,
            ", estimate: false, moments: 4, steps: 32",
        )["cost"][0]
        for tilt, drive in (
            (0.05, ""),
            (0.0, f"\ndrive: [{{parameter: tilt, waveform: tabulated, times: {times}, values: {values}}}]"),
        )
    )
    expect(abs(zigzag / mean - 1) < 0.02, "a fine zigzag is as good as its mean", (zigzag, mean))


def mistakes_are_refused(where: pathlib.Path) -> None:
    """On one line, with the place, and exit code 2."""
    span = "snapshots: {start: 0.0, end: 1.0, count: 2}\ninitial: {density: uniform}\n"
    ends = "from: {density: uniform}, to: {density: uniform}, duration: 1.0"
    steered = "system: {name: steered, unit: {name: %s}, control: %s}\ntruth: {cells: [16, 16]}\n"
    analysis = "system: {name: %s}\ntruth: %s\nanalysis: [{name: a, kind: bridge, " + ends + "%s}]\n"
    two = "{cells: [16, 16]}"
    falls = (
        "{name: ornstein_uhlenbeck}\ndrive: [{parameter: stiffness, waveform: ramp, amplitude: -3.0, start:"
        " 1.0, end: 2.0}"
    )
    for text, message in (
        (
            (analysis % ("XX", "{cells: [16]}", ""))
            .replace("{name: XX}", falls + "]")
            .replace("duration: 1.0", "duration: 2.0"),
            "analysis[0]: stiffness reaches",
        ),
        (steered % ("quadruple_well", "nothing.h5"), "system.control: not usable as a control"),
        (steered % ("quadruple_well", "out/bridge/study.h5"), "its grid has 1 dimension, the system 2"),
        (analysis % ("kramers_prinz", two, ""), "analysis[0]: axis x has no diffusion"),
        (analysis % ("prinz", "{cells: [16], boundaries: [absorbing]}", ""), "an end of axis x absorbs"),
        (analysis % ("prinz", "{cells: [16]}", ", controllers: [1]"), "controllers: expected a map"),
        (
            analysis % ("prinz", "{cells: [16]}", ", controllers: {compare: [zero, zero], dt: 0.1}"),
            "controllers.compare: the control 'zero' is there twice",
        ),
    ):
        (where / "bad.yaml").write_text("study: bad\n" + span + text)
        done = fare(where, "check", "bad.yaml")
        expect(done.returncode == 2 and message in done.stderr, f"not refused: {message}", done.stderr)


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        gaussians_have_their_closed_form(where)
        time_can_be_reversed(where)
        check_steered(where)
        corners_are_counted(where)
        mistakes_are_refused(where)
        learned_controls_run(where, controls_are_compared(where))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
