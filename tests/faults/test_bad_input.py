#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A mistake of the user's costs one clear line, exit code 2, and leaves nothing: on one rank, and on three as on
one.
fare-test: labels=faults timeout=300
"""
import ast
import concurrent.futures
import pathlib
import re
import shutil
import sys
import tempfile

from launch import SOURCE, execute, refusal, tree

SOUND = """\
study: faulty
seed: 1
system: {name: prinz, parameters: {kT: 1.0}}
drive:
  - {parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}
initial: {density: boltzmann}
snapshots: {start: 0.0, end: 0.02, count: 2}
truth: {cells: [64], tolerance: 1.0e-4}
ensembles:
  - {name: walk, sampler: langevin, particles: 100, dt: 1.0e-2}
  - {name: rest, sampler: boltzmann, particles: 100, sweeps: 1, adaptation: 0}
measures: [kl, wasserstein_1]
output: {directory: out/faulty}
"""
CIRCLE = """\
study: circle
system: {name: tilted_washboard}
snapshots: {end: 0.02, count: 2}
truth: {cells: [64], lower: [-3], upper: [3]}
ensembles:
  - {name: rest, sampler: boltzmann, particles: 100, sweeps: 1, adaptation: 0}
"""
RING = """\
study: ring
system: {expression: {axes: [x, y], potential: cos(2*pi*x/3)*cos(pi*y), lower: [0, -1], upper: [3, 1], periodic: [true, false]}}
snapshots: {end: 0.02, count: 2}
truth: {cells: [16, 16]}
"""
PENDULUM = """\
study: ring
system: {expression: {lower: [-pi, -1], upper: [pi, 1], periodic: [true, false], mass: 1, friction: 1, potential: cos(x)}, parameters: {tilt: 0}}
drive: [{parameter: tilt, waveform: ramp, amplitude: 1, end: 0.02}]
snapshots: {end: 0.02, count: 2}
truth: {cells: [16, 16]}
"""
LEARNS = "  - {name: learned, sampler: diffusion, particles: 100, steps: 10"

# (what is replaced in the sound study, by what, the path in the message, what the message says); @ marks the
# place it must name.
EDITS = [
    # unknown keys, in every section
    ("seed: 1", "@sed: 1", "", "unknown key 'sed' (did you mean 'seed'?)"),
    ("seed: 1", "@colour: red", "", "unknown key 'colour'; known keys: study, seed, system,"),
    (
        "{name: prinz,",
        "{name: prinz, @parameter: {},",
        "system",
        "unknown key 'parameter' (did you mean 'parameters'?)",
    ),
    (
        "{kT: 1.0}",
        "{@kt: 1.0}",
        "system.parameters",
        "system 'prinz' has no parameter 'kt' (did you mean 'kT'?); it has kT, mobility",
    ),
    ("period: 1.0}", "@perod: 1.0}", "drive[0]", "unknown key 'perod' (did you mean 'period'?)"),
    (
        "{density: boltzmann}",
        "{@densty: boltzmann}",
        "initial",
        "unknown key 'densty' (did you mean 'density'?)",
    ),
    ("{start: 0.0,", "{@begin: 0.0,", "snapshots", "unknown key 'begin'"),
    ("{cells: [64],", "{@cell: [64],", "truth", "unknown key 'cell' (did you mean 'cells'?)"),
    (
        "particles: 100, dt",
        "@particle: 100, dt",
        "ensembles[0]",
        "unknown key 'particle' (did you mean 'particles'?)",
    ),
    ("dt: 1.0e-2}", "dt: 1.0e-2, @sweeps: 3}", "ensembles[0]", "unknown key 'sweeps'"),
    (
        "measures:",
        LEARNS + ", train: {@time: all}}\nmeasures:",
        "ensembles[2].train",
        "unknown key 'time' (did you mean 'times'?)",
    ),
    (
        "{directory: out/faulty}",
        "{@directry: out/faulty}",
        "output",
        "unknown key 'directry' (did you mean 'directory'?)",
    ),
    # unknown things: the message says which there are
    (
        "prinz,",
        "@printz,",
        "system.name",
        "unknown system 'printz' (did you mean 'prinz'?); choose from: prinz,",
    ),
    (
        "sampler: langevin",
        "sampler: @langevine",
        "ensembles[0].sampler",
        "unknown sampler 'langevine' (did you mean 'langevin'?); choose from: langevin, boltzmann",
    ),
    (
        "[kl, wasserstein_1]",
        "[kl, @wasserstien_1]",
        "measures[1]",
        "unknown measure 'wasserstien_1' (did you mean 'wasserstein_1'?); choose from: kl,",
    ),
    (
        "waveform: sine",
        "waveform: @sinus",
        "drive[0].waveform",
        "unknown waveform 'sinus' (did you mean 'sine'?); choose from: constant, sine, square",
    ),
    (
        "boltzmann}",
        "@maxwell}",
        "initial.density",
        "expected one of boltzmann, gaussian, uniform, mixture, point, snapshot",
    ),
    (
        "dt: 1.0e-2}",
        "dt: 1.0e-2, integrator: @hune}",
        "ensembles[0].integrator",
        "expected one of euler_maruyama, leimkuhler_matthews, heun, baoab; got hune (did you mean 'heun'?)",
    ),
    # missing keys, and sections of the wrong kind
    ("study: faulty\n", "", None, "missing key 'study'"),
    ("name: prinz, ", "", None, "system: missing key 'name'"),
    (", end: 0.02", "", None, "snapshots: missing key 'end'"),
    ("{cells: [64], tolerance", "@{tolerance", "truth", "missing key 'cells'"),
    (", period: 1.0}", "}", None, "drive[0]: missing key 'period'"),
    ("parameter: tilt, ", "", None, "drive[0]: missing key 'parameter'"),
    ("waveform: sine, ", "", None, "drive[0]: missing key 'waveform'"),
    ("name: walk, ", "", None, "ensembles[0]: missing key 'name'"),
    ("sampler: langevin, ", "", None, "ensembles[0]: missing key 'sampler'"),
    ("{name: prinz, parameters: {kT: 1.0}}", "@prinz", "system", "expected a map"),
    ("{kT: 1.0}}", "@[1.0]}", "system.parameters", "expected a map"),
    ("drive:\n  - {", "drive:\n  @{", "drive", "expected a list"),
    ("{density: boltzmann}", "@boltzmann", "initial", "expected a map"),
    ("{cells: [64], tolerance: 1.0e-4}", "@4096", "truth", "expected a map"),
    (
        "truth: {cells: [64], tolerance: 1.0e-4}",
        "truth:",
        None,
        "truth: expected a map of keys and values, got nothing",
    ),
    ("[kl, wasserstein_1]", "@kl", "measures", "expected a list"),
    ("[kl, wasserstein_1]", "[@[kl]]", "measures[0]", "expected the name of a measure"),
    ("name: walk", "name: @[walk]", "ensembles[0].name", "expected a string, got a list"),
    (
        "  - {name: walk, sampler: langevin, particles: 100, dt: 1.0e-2}",
        "  - @walk",
        "ensembles[0]",
        "expected a map",
    ),
    # counts
    *[
        (
            "particles: 100, dt",
            f"particles: @{bad}, dt",
            "ensembles[0].particles",
            "expected an integer from 1 to 1e+12, got",
        )
        for bad in (
            "-5",
            "0",
            "1.5",
            "1e30",
            "99999999999999999999",
            "0x10",
            "'100'",
            '"100"',
            "ten",
            "",
            "~",
            "[1]",
            "1_000",
            "1e-3",
            "+",
            "1e",
            "true",
        )
    ],
    *[
        ("count: 2", f"count: @{bad}", "snapshots.count", "expected an integer from 2 to 1e+06, got")
        for bad in ("1", "0", "-2", "2.5", "1e7")
    ],
    *[
        ("seed: 1", f"seed: @{bad}", "seed", "expected an integer")
        for bad in ("-1", "0.5", "9007199254740993", "1e300", "0xff")
    ],
    *[
        ("[64]", f"[@{bad}]", "truth.cells[0]", "expected an integer")
        for bad in ("-64", "0", "2", "64.5", "1e12", "'64'", "[64]")
    ],
    *[
        ("sweeps: 1,", f"sweeps: @{bad},", "ensembles[1].sweeps", "expected an integer")
        for bad in ("0", "-1", "0.1")
    ],
    (
        "name: prinz,",
        "name: prinz, dimension: @2,",
        "system.dimension",
        "system 'prinz' has 1 to 1 dimensions, got 2",
    ),
    (
        "name: prinz,",
        "name: prinz, dimension: @400,",
        "system.dimension",
        "expected an integer from 0 to 128, got 400",
    ),
    ("[64]", "[64], scheme: @upwind", "truth.scheme", "expected one of auto, fitted, high_order"),
    ("[64]", "@[65]", "truth.cells", "expected an even number of cells, got 65"),
    # dimensions
    ("[64]", "@[64, 64]", "truth.cells", "expected 1 number for a 1-dimensional system, got 2"),
    (
        "{cells: [64]",
        "@{cells: []",
        "truth",
        "missing key 'cells' (cells per axis), or 'accuracy' instead",
    ),
    ("[64]", "[64], accuracy: @1e-3", "truth.accuracy", "give either cells or accuracy, which chooses them"),
    ("cells: [64]", "accuracy: @-1", "truth.accuracy", "expected a number from 0 to 1, got -1"),
    (
        "[64]",
        "[64], lower: @[-2, -2], upper: [2]",
        "truth.lower",
        "expected 1 number for a 1-dimensional system, got 2",
    ),
    (
        "[64]",
        "[64], lower: [-2], upper: @[2, 2]",
        "truth.upper",
        "expected 1 number for a 1-dimensional system, got 2",
    ),
    ("{cells: [64]", "@{cells: [64], lower: [-2]", "truth", "lower and upper go together"),
    ("[64]", "[64], lower: [2], upper: @[-2]", "truth.upper", "upper must lie above lower, got -2 and 2"),
    ("[64]", "[64], ends: [@periodic]", "truth.ends[0]", "system 'prinz' is not periodic along x"),
    (
        "[64]",
        "[64], ends: @periodic, lower: [0], upper: [2]",
        "truth.ends",
        "system 'prinz' is not periodic along x",
    ),
    (
        "{density: boltzmann}",
        "{density: gaussian, mean: @[0, 0], sd: [1]}",
        "initial.mean",
        "a gaussian in 1 dimension needs 1 number in 'mean', got 2",
    ),
    (
        "{density: boltzmann}",
        "{density: gaussian, mean: [0], sd: @[1, 1]}",
        "initial.sd",
        "a gaussian in 1 dimension needs 1 number in 'sd', got 2",
    ),
    (
        "{density: boltzmann}",
        "@{density: gaussian, sd: [1]}",
        "initial",
        "a gaussian in 1 dimension needs 1 number in 'mean', got 0",
    ),
    (
        "{density: boltzmann}",
        "{density: gaussian, mean: [0], sd: [@0]}",
        "initial.sd[0]",
        "expected a number from 1e-09 to 1e+06, got 0",
    ),
    (
        "{density: boltzmann}",
        "{density: gaussian, mean: [0], sd: [@-1]}",
        "initial.sd[0]",
        "expected a number from 1e-09 to 1e+06, got -1",
    ),
    (
        "{density: boltzmann}",
        "{density: boltzmann, mean: @[0]}",
        "initial.mean",
        "not used with density: boltzmann",
    ),
    (
        "{density: boltzmann}",
        "{density: gaussian, mean: @[50], sd: [1]}",
        "initial.mean",
        "50 lies outside the truth's box, [-2, 2]",
    ),
    # numbers that are none
    *[
        (
            "amplitude: 4.0",
            f"amplitude: @{bad}",
            "drive[0].amplitude",
            f"expected a finite number, got '{bad}'",
        )
        for bad in (
            ".nan",
            ".NaN",
            "nan",
            "NaN",
            ".inf",
            "-.inf",
            "+.Inf",
            "inf",
            "-infinity",
            "1e999",
            "-1e999",
            "0x1p3",
            "4.0.0",
            "1e+",
        )
    ],
    *[
        ("{kT: 1.0}", f"{{kT: @{bad}}}", "system.parameters.kT", "expected a finite number")
        for bad in (".nan", ".inf", "1e999", "'1'", "warm")
    ],
    *[
        ("tolerance: 1.0e-4", f"tolerance: @{bad}", "truth.tolerance", "expected a")
        for bad in (".nan", ".inf", "0", "-1e-8", "1", "1e-999", "'1e-4'", "[1e-4]")
    ],
    *[
        ("start: 0.0", f"start: @{bad}", "snapshots.start", "expected a")
        for bad in (".nan", "-.inf", "-1e999", "1e13")
    ],
    *[("dt: 1.0e-2", f"dt: @{bad}", "ensembles[0].dt", "expected a number") for bad in ("0", "-1", "1e4")],
    ("{kT: 1.0}", "{kT: @-1}", "system.parameters.kT", "expected a number from 1e-06 to 1e+06, got -1"),
    (
        "tolerance: 1.0e-4",
        "tolerance: 1.0e-4, estimate: @maybe",
        "truth.estimate",
        "expected true or false, got maybe",
    ),
    # what does not go together
    ("end: 0.02", "end: @-1", "snapshots.end", "the end must lie after the start (0), got -1"),
    ("end: 0.02", "end: @0.0", "snapshots.end", "the end must lie after the start (0), got 0"),
    (
        "parameter: tilt",
        "parameter: @tlt",
        "drive[0].parameter",
        "system 'prinz' has no parameter 'tlt' (did you mean 'tilt'?); it has kT, mobility",
    ),
    (
        "drive:\n  - {parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}",
        "drive:\n  @- {parameter: kT, waveform: ramp, amplitude: -2, end: 0.02}",
        "drive",
        "kT reaches",
    ),
    (
        "waveform: sine, amplitude: 4.0, period: 1.0",
        "waveform: ramp, amplitude: 4.0, start: 1, end: @1",
        "drive[0].end",
        "the ramp must end after it starts (1), got 1",
    ),
    (
        "waveform: sine, amplitude: 4.0, period: 1.0",
        "waveform: tabulated, times: [0, 1], values: @[1]",
        "drive[0].values",
        "needs as many values as times (2), got 1",
    ),
    (
        "waveform: sine, amplitude: 4.0, period: 1.0",
        "waveform: tabulated, times: [], values: @[]",
        "drive[0].values",
        "needs as many values as times (0), got 0",
    ),
    (
        "waveform: sine, amplitude: 4.0, period: 1.0",
        "waveform: tabulated, times: @[0, 2, 1], values: [1, 2, 3]",
        "drive[0].times",
        "times must increase, got 1 after 2",
    ),
    ("period: 1.0", "period: @0", "drive[0].period", "expected a number from 1e-12 to 1e+12, got 0"),
    ("name: rest", "name: @walk", "ensembles[1].name", "there is an ensemble 'walk' already"),
    ("name: walk", "name: @truth", "ensembles[0].name", "'truth' is the name of the density on the grid"),
    (
        "name: walk",
        "name: rest_density",
        None,
        "'rest_density' is reserved for results of the ensemble 'rest'",
    ),
    ("name: walk", "name: rest_target", None, "'rest_target' is reserved for results of the ensemble 'rest'"),
    *[
        (
            "name: walk",
            f"name: @{bad}",
            "ensembles[0].name",
            "expected a name of letters, digits, _ and -, got '",
        )
        for bad in ("a/b", "../a", "'a b'", "a.b", "größe", "~x")
    ],
    (
        "name: walk",
        "name: @'a\tb'",
        "ensembles[0].name",
        "expected a string, got one with a control character in it",
    ),
    ("name: walk", "name: @''", "ensembles[0].name", "expected a name of 1 to 64 characters"),
    ("name: walk", "name: @" + "n" * 65, "ensembles[0].name", "expected a name of 1 to 64 characters"),
    ("study: faulty", "study: @" + "n" * 65, "study", "expected a name of 1 to 64 characters"),
    ("study: faulty", "study: @a/b", "study", "expected a name of letters, digits, _ and -, got 'a/b'"),
    ("study: faulty", "study:@", "study", "expected a string, got nothing"),
    ("study: faulty", "study: @~", "study", "expected a string, got nothing"),
    (
        "dt: 1.0e-2}",
        "dt: 1.0e-2, train: @{times: all}}",
        "ensembles[0].train",
        "sampler 'langevin' learns nothing: remove 'train'",
    ),
    (
        "measures:",
        LEARNS + ", train: {particles: @0}}\nmeasures:",
        "ensembles[2].train.particles",
        "expected an integer",
    ),
    (
        "measures:",
        LEARNS.replace("- {", "- @{") + ", sigma_min: 1, sigma_max: 1}\nmeasures:",
        "ensembles[2]",
        "ensemble learned (diffusion): sigma_min 1 must be below sigma_max 1",
    ),
    (
        "measures:",
        LEARNS.replace("diffusion", "action_matching").replace(
            "steps: 10", "transport_steps: 1, entropic: true"
        )
        + ", oracle: @true}\nmeasures:",
        "ensembles[2].oracle",
        "an oracle of action_matching is not entropic",
    ),
    (
        "truth: {cells: [64], tolerance: 1.0e-4}\n",
        "",
        None,
        "measures: measures compare with a truth: add a section 'truth'",
    ),
    ("[kl, wasserstein_1]", "[kl, @kl]", "measures[1]", "duplicate measure 'kl'"),
    # the directory
    ("out/faulty", "@''", "output.directory", "expected a directory, got nothing"),
    ("out/faulty", "@~", "output.directory", "expected a string, got nothing"),
    (
        "out/faulty",
        '@"out/a\\nb"',
        "output.directory",
        "expected a string, got one with a control character in it",
    ),
    (
        "out/faulty",
        '@"out/a\\u2028b"',
        "output.directory",
        "expected a string, got one with a line break in it",
    ),
    ("out/faulty", "occupied", None, "output.directory: occupied exists already"),
    ("out/faulty", "file", None, "output.directory: file exists and is not a directory"),
    ("out/faulty", "file/below/it", None, "cannot create file/below/it: file is not a directory"),
    ("out/faulty", "/proc/fare", None, "output.directory: cannot create /proc/fare"),
    ("out/faulty", "new/deep/" + "d" * 300, None, "output.directory: cannot create new/deep/ddd"),
    ("out/faulty", "d/" * 3000, None, "output.directory: path too long"),
    # anchors, tags and other YAML
    ("{kT: 1.0}", "@&here {kT: 1.0}", "", "anchors and aliases are not supported"),
    ("{kT: 1.0}", "@*there", "", "anchors and aliases are not supported"),
    ("seed: 1", "seed: @!!int 1", "", "YAML tags are not supported"),
    ("seed: 1", "seed: 1\n@seed: 2", "", "duplicate key 'seed' (first on line 2)"),
    (
        "{start: 0.0,",
        "{start: 0.0, @start: 1.0,",
        "snapshots",
        "duplicate key 'start' (first on line 7)",
    ),
    ("seed: 1", "? @[seed]\n: 1", "", "a key must be a plain scalar"),
    ("seed: 1", "@" + "k" * 101 + ": 1", "", "a key must have 1 to 100 characters"),
    (
        "output: {directory: out/faulty}",
        "output:\n@\tdirectory: out/faulty",
        "",
        "not YAML: a character that cannot start a value here (a tab?",
    ),
    (
        "output: {directory: out/faulty}",
        "output: {directory: out/faulty}\n@---\nstudy: another",
        "",
        "a second document; only one study per file",
    ),
    ("{start: 0.0, end: 0.02, count: 2}", "[0.0, 0.02", None, "not YAML: "),
    ("seed: 1", 'seed: "@a\\xZZ"', None, "not YAML: "),
]

# (name, bytes of the file, what the message says)
FILES = [
    ("empty", b"", "study.yaml: it is empty"),
    ("a comment", b"# nothing but this\n", "study.yaml: it is empty"),
    ("a document without content", b"---\n...\n", "expected keys and values"),
    (
        "a list",
        b"- study: x\n",
        "study.yaml:1:1: expected keys and values (study: ..., system: ...), got a list",
    ),
    (
        "a word",
        b"study\n",
        "study.yaml:1:1: expected keys and values (study: ..., system: ...), got a single value",
    ),
    ("not YAML", b"study: x: y\n", "study.yaml:1:9: not YAML: mapping values are not allowed"),
    ("an alias to itself", b"study: &a [*a]\n", "study.yaml:1:8: anchors and aliases are not supported"),
    ("an alias that nothing has", b"study: *a\n", "study.yaml:1:8: anchors and aliases are not supported"),
    (
        "a zero byte",
        SOUND.encode().replace(b"seed: 1", b"seed: 1\0"),
        "study.yaml:2:8: not UTF-8 text (control characters are not allowed)",
    ),
    (
        "a zero byte, escaped",
        SOUND.encode().replace(b"seed: 1", b'seed: "1\\0"'),
        "study.yaml:2:7: a value contains a zero byte",
    ),
    (
        "a stray byte",
        SOUND.encode().replace(b"seed: 1", "name: größe ".encode() + b"\xff"),
        "study.yaml:2:13: not UTF-8 text (invalid leading UTF-8 octet)",
    ),
    ("half a character", SOUND.encode() + b"# \xe2\x80", "not UTF-8 text (incomplete UTF-8 octet sequence)"),
    ("UTF-16", SOUND.encode("utf-16"), "study.yaml:1:1: not UTF-8 text"),
    (
        "random bytes",
        bytes((i * 7919 + i * i * 31) % 256 for i in range(4096)),
        "study.yaml:1:1: not UTF-8 text",
    ),
    ("an HDF5 file", b"\x89HDF\r\n\x1a\n" + b"\0" * 512, "study.yaml:1:1: not UTF-8 text"),
    ("17 MiB", b"# " + b"x" * (17 << 20) + b"\n", "study.yaml: larger than 16 MiB"),
    ("deep brackets", b"study: " + b"[" * 100000, "nested too deeply"),
    ("deep brackets that close", b"study: " + b"[" * 100000 + b"]" * 100000 + b"\n", "nested too deeply"),
    ("deep braces", b"{a: " * 100000, "nested too deeply"),
    ("deep dashes", b"- " * 100000 + b"x\n", "nested too deeply"),
    ("deep questions", b"? " * 100000 + b"x\n", "a key must be a plain scalar"),
    (
        "many keys",
        b"".join(b"key%d: 1\n" % i for i in range(200000)),
        "study.yaml:1001:1: too many keys in one map",
    ),
    ("many values", b"study: [" + b"1," * 4000000 + b"1]\n", "too many values"),
    ("a long line of quotes", b"study: " + b"'" * 1000001 + b"\n", "not YAML"),
    (
        "neither truth nor ensembles",
        b"study: x\nsystem: {name: prinz}\nsnapshots: {end: 1, count: 2}\n",
        "study.yaml:1:1: nothing to do: neither 'truth' nor 'ensembles'",
    ),
    (
        "a circle that does not close",
        CIRCLE.encode(),
        (
            "study.yaml:4:43: truth.upper[0]: x is periodic: its ends lie one period (6.28318530718) or"
            " several apart, not 6; without lower and upper they are the system's own"
        ),
    ),
    (
        "half a circle",
        CIRCLE.replace("[-3]", "[0]").replace("[3]", "[3.14159265358979]").encode(),
        (
            "study.yaml:4:42: truth.upper[0]: x is periodic: its ends lie one period (6.28318530718) or"
            " several apart, not 3.14159265359"
        ),
    ),
    (
        "a period that is nearly right",
        CIRCLE.replace("[-3]", "[0]").replace("[3]", "[6.2831853]").encode(),
        "study.yaml:4:42: truth.upper[0]: x is periodic",
    ),
    (
        "two turns of a circle for chains",
        CIRCLE.replace("[-3]", "[0]").replace("[3]", "[12.5663706144]").encode(),
        "study.yaml:4:41: truth.upper: ensemble 'rest' keeps its particles within one period along x",
    ),
    (
        "a circle of formulas",
        RING.replace("[16, 16]", "[16, 16], lower: [0, -1], upper: [2, 1]").encode(),
        "study.yaml:4:50: truth.upper[0]: x is periodic: its ends lie one period (3) or several apart, not 2",
    ),
    (
        "an axis of formulas that ends",
        RING.replace("[16, 16]", "[16, 16], ends: [periodic, periodic]").encode(),
        "study.yaml:4:43: truth.ends[1]: system 'expression' is not periodic along y",
    ),
    (
        "no potential to start from",
        PENDULUM.replace("potential: cos(x)", "force: tilt - sin(x)").encode(),
        "study.yaml:2:9: system: system 'expression' has no potential, so no initial Boltzmann density: give",
    ),
    (
        "a torque in the potential of a body",
        PENDULUM.replace("cos(x)", "cos(x) - tilt*x").encode(),
        "at its upper; give a torque and all other forces together under 'force'",
    ),
    (
        "neither, though a list is there",
        b"study: x\nsystem: {name: prinz}\nsnapshots: {end: 1, count: 2}\nensembles: []\n",
        "nothing to do: neither 'truth' nor 'ensembles'",
    ),
]

# (arguments, what the message says)
COMMANDS = [
    (["run", "missing.yaml"], "fare: missing.yaml: No such file or directory"),
    (["check", "missing.yaml"], "fare: missing.yaml: No such file or directory"),
    (["run", "occupied"], "fare: occupied: is a directory, not a study file"),
    (["run", "file/study.yaml"], "fare: file/study.yaml: Not a directory"),
    (["run", ""], "No such file or directory"),
    (["run"], "which study? (usage: fare run STUDY.yaml"),
    (["check"], "which study? (usage: fare check STUDY.yaml"),
    (["run", "study.yaml", "study.yaml"], "one study at a time, got 'study.yaml' and 'study.yaml'"),
    (["run", "study.yaml", "--overwirte"], "unknown option '--overwirte' (did you mean '--overwrite'?)"),
    (["run", "-x", "study.yaml"], "unknown option '-x' (usage: fare run"),
    (["check", "study.yaml", "--overwrite"], "unknown option '--overwrite' (usage: fare check"),
    (
        ["rn", "study.yaml"],
        "unknown subcommand 'rn' (did you mean 'run'?); choose from: run, check, status, list",
    ),
    (["study.yaml"], "unknown subcommand 'study.yaml'; choose from: run, check, status, list"),
    (["--overwrite"], "unknown subcommand '--overwrite'"),
    (["help", "rum"], "unknown subcommand 'rum' (did you mean 'run'?); choose from: run, check"),
    (["help", "--mam"], "unknown option '--mam' (did you mean '--man'?)"),
    (["init", "mine", "--system"], "--system needs a name (usage: fare init"),
    (
        ["init", "mine", "--system=printz"],
        "unknown system 'printz' (did you mean 'prinz'?); choose from: prinz,",
    ),
    (["help", "run", "check"], "one subcommand at a time"),
    (["list", "planets"], "cannot list 'planets'"),
    (["list", "systems", "samplers"], "cannot list 'samplers'"),
    (["describe"], "describe what?"),
    (["describe", "system"], "describe what?"),
    (["describe", "planet", "mars"], "unknown kind 'planet'"),
    (
        ["describe", "system", "printz"],
        "unknown system 'printz' (did you mean 'prinz'?); choose from: prinz,",
    ),
    (["describe", "sampler", "magic"], "unknown sampler 'magic'; choose from: langevin, boltzmann"),
    (["describe", "measure", "lk"], "unknown measure 'lk'"),
    (
        ["describe", "waveform", "sin"],
        "unknown waveform 'sin' (did you mean 'sine'?); choose from: constant, sine",
    ),
    (["info"], "which result?"),
    (["info", "missing"], "fare: missing: No such file or directory"),
    (["info", "occupied"], "fare: occupied: no finished study (no study.h5)"),
    (["info", "file"], "fare: file: not a whole HDF5 file"),
    (["info", "truncated.h5"], "fare: truncated.h5: not a whole HDF5 file"),
    (["info", "beheaded.h5"], "fare: beheaded.h5: "),
    (["info", "nothing.h5"], "fare: nothing.h5: not a whole HDF5 file"),
    (["report"], "which directory?"),
    (["report", "missing", "--movie", "webp"], "--movie needs gif or mp4, got 'webp'"),
    (["report", "missing", "--vectr"], "unknown option '--vectr' (did you mean '--vector'?)"),
    (["report", "missing"], "fare: missing: no finished study (no study.h5)"),
    (["report", "occupied"], "fare: occupied: no finished study (no study.h5)"),
    # assignments, on the sound study
    *[
        (["run", "study.yaml", "--set", assignment], message)
        for assignment, message in [
            (
                "truth.cells",
                "--set: expected key=value, for instance --set truth.cells=1024, got 'truth.cells'",
            ),
            ("=4", "--set: expected key=value, for instance --set truth.cells=1024, got '=4'"),
            ("", "--set: expected key=value"),
            ("truth.cells=", "--set truth.cells=: nothing after '='"),
            ("...=4", "--set ...=4: expected key=value, got nothing before '='"),
            ("truth.cells=-5", "--set truth.cells=-5: truth.cells: expected an integer"),
            (
                "truth.cells=[64, 65.5]",
                "--set truth.cells=[64, 65.5]: truth.cells[1]: expected an integer",
            ),
            ("truth.cells[0]=x", "--set truth.cells[0]=x: truth.cells[0]: expected an integer"),
            ("truth.cells[1]=4", "--set truth.cells[1]=4: truth.cells: there is no '1' in this list"),
            ("truth.cells[-1]=4", "--set truth.cells[-1]=4: truth.cells: there is no '-1' in this list"),
            (
                "ensembles[2].particles=1",
                "--set ensembles[2].particles=1: ensembles: there is no '2' in this list",
            ),
            (
                "ensembles.wlak.particles=1",
                "--set ensembles.wlak.particles=1: ensembles: there is no 'wlak' in this list",
            ),
            (
                "ensembles.walk.particle=1",
                (
                    "--set ensembles.walk.particle=1: ensembles[0]: unknown key 'particle' (did you mean"
                    " 'particles'?)"
                ),
            ),
            ("trut.cells=4", "--set trut.cells=4: unknown key 'trut' (did you mean 'truth'?)"),
            ("truth.cells.deep=4", "--set truth.cells.deep=4: truth.cells: there is no 'deep' in this list"),
            ("seed.of=4", "--set seed.of=4: seed: there is no 'of' in this value"),
            (
                "truth={cels: [4]}",
                "--set truth={cels: [4]}: truth: unknown key 'cels' (did you mean 'cells'?)",
            ),
            ("truth={cells: [5.5]}", "--set truth={cells: [5.5]}: truth.cells[0]: expected an integer"),
            ("seed=[", "--set seed=[: not YAML"),
            ("seed=&a 1", "--set seed=&a 1: anchors and aliases are not supported"),
            ("seed=1\n--- 2", "--set seed=1?--- 2: "),
            ("seed={a: 1, a: 2}", "--set seed={a: 1, a: 2}: duplicate key 'a'"),
            ("seed=# nothing", "--set seed=# nothing: it is empty"),
            (
                "drive[0].amplitude=.nan",
                "--set drive[0].amplitude=.nan: drive[0].amplitude: expected a finite number",
            ),
            ("output.directory=occupied", "output.directory: occupied exists already"),
            ("output.directory=", "nothing after '='"),
            ("seed=" + "9" * 100000, "expected an integer"),
            ("a" * 100000 + "=1", "unknown key 'aaa"),
            ("a" + ".b" * 50000 + "=1", "nested too deeply"),
        ]
    ],
    (["run", "study.yaml", "--set"], "--set needs key=value"),
    (["check", "study.yaml", "--set=truth.cells=3"], "truth.cells: expected an integer"),
]

# These run on three ranks too: who complains, how often, and who waits for whom are questions of their own.
ON_THREE_RANKS = [
    "missing.yaml",
    "'which study?",
    "'--overwirte'",
    "unknown system 'printz'",
    "info truncated.h5",
    "info missing",
    "report occupied",
    "--set truth.cells=-5",
    "unknown key 'sed'",
    "got nothing before",
    "nested too deeply",
    "file/below/it",
    "exists already",
    "/proc/fare",
    "sigma_min",
    "kT reaches",
    "a zero byte",
]


class Case:
    def __init__(self, name, arguments, content, message):
        self.name, self.arguments, self.content, self.message = name, arguments, content, message


def edited(old, new, path, message):
    """The sound study with a mistake in it, and the line that it should cost."""
    assert SOUND.count(old) >= 1, f"{old!r} is not in the study"
    text = SOUND.replace(old, new, 1)
    if path is None:
        return Case(f"{new[:60]!r}: {message[:60]}", ["run", "study.yaml"], text.encode(), message)
    at = text.index("@")
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    return Case(
        f"{new[:60]!r}: {message[:60]}",
        ["run", "study.yaml"],
        text.replace("@", "", 1).encode(),
        f"fare: study.yaml:{line}:{column}: {path}{': ' if path else ''}{message}",
    )


def all_cases():
    cases = [edited(*edit) for edit in EDITS]
    cases += [Case(name, ["run", "study.yaml"], content, message) for name, content, message in FILES]
    cases += [
        Case(" ".join(arguments)[:60] + ": " + message[:60], arguments, SOUND.encode(), message)
        for arguments, message in COMMANDS
    ]
    return cases


def complaint(case, snapshot, ranks):
    """What is wrong with how the program takes this case, or None."""
    with tempfile.TemporaryDirectory(prefix="fare-faults-") as name:
        where = pathlib.Path(name)
        (where / "occupied").mkdir()
        (where / "occupied" / "mine.txt").write_text("mine\n")
        (where / "file").write_text("no directory\n")
        (where / "truncated.h5").write_bytes(snapshot[: len(snapshot) // 2])
        (where / "beheaded.h5").write_bytes(snapshot[:96] + bytes(len(snapshot) - 96))
        (where / "nothing.h5").write_bytes(b"")
        if case.content is not None:
            (where / "study.yaml").write_bytes(case.content)
        before = tree(where)
        reason = refusal(execute(case.arguments, where, ranks), case.message, ranks)
        if reason:
            return reason
        if tree(where) != before:
            return f"left behind: {sorted(set(tree(where)) ^ set(before)) or 'a changed file'}"
    return None


def overwrite_spares_the_rest(where):
    """--overwrite replaces what FARE wrote, all of it, and nothing else."""
    root = where / "out" / "faulty"
    figures, planes = (
        [key.value for key in node.value.keys]
        for node in ast.parse((SOURCE / "postproc" / "fare" / "plot" / "figures.py").read_text()).body
        if isinstance(node, ast.AnnAssign) and node.target.id in ("FIGURES", "ON_PLANES")
    )
    figures += [f"{name}_axes_{pair}" for name in planes for pair in ("1_2", "1_3", "2_3")]
    own = [
        "snapshots/snapshot_000099.h5",
        "snapshots/snapshot_000001.h5.tmp",
        "report.html",
        "study.h5.tmp",
        *[f"figures/{name}.{ending}" for name in figures for ending in ("png", "svg", "pdf")],
        "figures/density.gif",
        "figures/density.mp4",
    ]
    foreign = [
        "notes.txt",
        "study_of_mine.h5",
        "measures_old.csv",
        "report_old.html",
        "snapshots/mine.h5",
        "snapshots/snapshot_best.h5",
        "figures/photo.png",
        "figures/snapshots_of_mine.png",
        "data/deep.txt",
    ]
    (root / "data").mkdir()
    for name in own + foreign:
        (root / name).write_bytes(f"this is {name}".encode())
    before = tree(where)
    refused = execute(["run", "study.yaml", "--no-report"], where)
    assert refused.returncode == 2 and b"exists already" in refused.stderr, refused
    assert tree(where) == before, "a refused run changed something"
    refused = execute(["run", "study.yaml", "--no-report", "--overwrite", "--set", "truth.cells=7"], where)
    assert refused.returncode == 2 and tree(where) == before, "a bad study with --overwrite removed something"
    done = execute(["run", "study.yaml", "--no-report", "--overwrite"], where)
    assert done.returncode == 0, done.stderr
    after = tree(root)
    for name in foreign:
        assert after.get(name) == f"this is {name}".encode(), f"{name} did not survive --overwrite"
    assert not set(own) & set(after), f"left by --overwrite: {set(own) & set(after)}"
    assert {
        "study.h5",
        "measures.csv",
        "snapshots/snapshot_000000.h5",
        "snapshots/snapshot_000001.h5",
    } <= set(after), sorted(after)
    shutil.rmtree(root / "snapshots")
    (root / "snapshots").write_text("a file in the way\n")
    before = tree(where)
    refused = execute(["run", "study.yaml", "--no-report", "--overwrite"], where)
    assert refused.returncode == 2 and b"snapshots exists and is not a directory" in refused.stderr, refused
    assert tree(where) == before, "a run that was refused removed something"


RESOLVABLE = {
    "sound": SOUND,
    "names that YAML reads otherwise": (
        SOUND.replace("study: faulty", "study: 'null'")
        .replace("name: walk", "name: '-'")
        .replace("name: rest", "name: '007'")
    ),
    "a directory with quotes": SOUND.replace("out/faulty", '"it\'s {here}: #1, \\"größe\\" "'),
    "no directory": SOUND.replace("output: {directory: out/faulty}\n", ""),
    "truth alone": re.sub(r"ensembles:\n.*\n.*\n", "", SOUND),
    "ensembles alone": SOUND.replace("truth: {cells: [64], tolerance: 1.0e-4}\n", "").replace(
        "measures: [kl, wasserstein_1]\n", ""
    ),
    "no measures": SOUND.replace("[kl, wasserstein_1]", "[]"),
    "odd numbers": (
        SOUND.replace("amplitude: 4.0", "amplitude: 0.1000000000000000055")
        .replace("0.02", "0.020000000000000004")
        .replace("seed: 1", "seed: 9.007199254740991e15")
        .replace("tolerance: 1.0e-4", "tolerance: 3.3333333333333335e-5")
    ),
    "every waveform": SOUND.replace(
        "initial:",
        (
            "  - {parameter: tilt, waveform: constant, amplitude: -1}\n  - {parameter: tilt, waveform:"
            " square, amplitude: 1e-3, period: 3, duty: 0.25, phase: 1, start: -1}\n  - {parameter: tilt,"
            " waveform: ramp, amplitude: 1, end: 1}\n  - {parameter: height, waveform: smoothstep, amplitude:"
            " 1, start: 1, end: 2}\n  - {parameter: tilt, waveform: tabulated, times: [0, 0.1, 1], values:"
            " [1, -2.5, 3e-3], amplitude: 2}\ninitial:"
        ),
    ),
    "three dimensions": (
        SOUND.replace("{name: prinz, parameters: {kT: 1.0}}", "{name: ornstein_uhlenbeck, dimension: 3}")
        .replace("parameter: tilt", "parameter: centre")
        .replace("boltzmann}", "gaussian, mean: [0.1, -0.5, 0], sd: [1, 2, 0.3]}")
        .replace("[64]", "[8, 10, 12], lower: [-5, -6, -7], upper: [5, 6, 7.5]")
        .replace(", wasserstein_1", "")
    ),
    "every aim of control": """\
study: aims
system: {name: prinz}
snapshots: {end: 0.02, count: 2}
truth: {cells: [64]}
events:
  - {name: over, b: {lower: [0.5]}, start: [-0.7], deadline: 1}
control:
  - {name: a, parameter: tilt, to: 2, duration: 1}
  - {name: b, aim: least_dissipation, parameter: tilt, to: 2, upper: 3, jumps: false, duration: 1}
  - {name: c, aim: most_likely, event: over, parameter: tilt, duration: 1, energy: 4.5}
  - {name: d, aim: least_likely, event: over, parameter: tilt, lower: -1, upper: 1, duration: 1}
  - {name: e, aim: observable, seek: smallest, power: 2, parameter: tilt, energy: 1, duration: 1}
  - {name: f, aim: observable, region: {lower: [0.1]}, parameter: tilt, energy: 1, duration: 1}
  - {name: g, aim: reach, parameter: tilt, to: 1, duration: 1}
  - {name: h, aim: reach, target: {density: gaussian, mean: [0.5], sd: [0.2]}, parameter: tilt, duration: 1}
  - {name: i, drives: [{parameter: tilt, to: 1}, {parameter: height, to: 3, lower: 1}], duration: 1}
""",
    "learned": SOUND.replace("measures:", LEARNS + ", train: {times: all, dt: 0.01}}\nmeasures:"),
}


def drift_of_plan(name, text, where):
    """Why the plan that `fare check` prints does not read back to the same plan; None if it does."""
    printed = []
    file = where / f"plan_{re.sub(r'[^a-z0-9]', '_', name)}.yaml"
    for step in range(2):
        file.write_text(text, encoding="utf-8")
        done = execute(["check", file.name, "--quick"], where)
        if done.returncode or done.stderr:
            return f"{name}, reading {step + 1}: {done.stderr.decode(errors='replace')}"
        parts = done.stdout.decode().split("\n\n")
        text = parts[parts[0].startswith("# A sweep of ")] + "\n"  # of a sweep, its first point
        printed.append(text)
    if printed[0] == printed[1]:
        return None
    return f"{name}: a plan that was printed reads back as another:\n{printed[0]}\n{printed[1]}"


def shipped_studies():
    """All of input but those that need what is not there: plugins, and what another study has found."""
    needy = {"plugin/my_system.yaml", "plugin/my_sampler.yaml", "control/swift_2d_run.yaml"}
    paths = {
        path.relative_to(SOURCE / "input").as_posix(): path for path in (SOURCE / "input").rglob("*.yaml")
    }
    assert needy <= paths.keys(), f"not in input: {needy - paths.keys()}"
    return [paths[name] for name in sorted(paths.keys() - needy)]


def main():
    failures = []
    with tempfile.TemporaryDirectory(prefix="fare-faults-") as name:
        where = pathlib.Path(name)
        (where / "study.yaml").write_text(SOUND)
        done = execute(["run", "study.yaml", "--no-report"], where)
        assert done.returncode == 0 and not done.stderr, f"the sound study does not run: {done}"
        snapshot = (where / "out" / "faulty" / "snapshots" / "snapshot_000001.h5").read_bytes()
        done = execute(["check", "study.yaml"], where)
        assert (
            done.returncode == 0
            and b"would refuse: output.directory: out/faulty exists already" in done.stdout
        ), done
        overwrite_spares_the_rest(where)
        studies = {
            **RESOLVABLE,
            **{path.relative_to(SOURCE).as_posix(): path.read_text() for path in shipped_studies()},
        }
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            reasons = pool.map(lambda study: drift_of_plan(*study, where), studies.items())
            failures += [reason for reason in reasons if reason]

    cases = all_cases()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, reason in zip(cases, pool.map(lambda case: complaint(case, snapshot, 0), cases)):
            if reason:
                failures.append(f"{case.name}: {reason}")
    several = []
    for words in ON_THREE_RANKS:
        case = next(
            (
                c
                for c in cases
                if words.strip("'") in " ".join(c.arguments)
                or words.strip("'") in c.message
                or words == c.name
            ),
            None,
        )
        assert case, f"no case has {words!r}"
        several.append(case)
    for case in several:
        reason = complaint(case, snapshot, 3)
        if reason:
            failures.append(f"on 3 ranks, {case.name}: {reason}")
    for failure in failures:
        print("FAILED", failure)
    print(
        f"{len(cases)} cases on one rank, {len(several)} on three, {len(studies)} plans printed and read"
        f" back; {len(failures)} failures"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
