#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A plugin (a system or a sampler) or a formula that will not do costs one clear line (a formula two more, with
a caret) and leaves nothing: on one rank, on three, and where only some ranks see it.
fare-test: labels=faults timeout=300
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from checks import expect, failures
from launch import ENVIRONMENT, FARE, HANGS, MPIEXEC, compile_plugin

STUDY = """\
study: faulty
system: {system}
snapshots: {{start: 0.0, end: 0.1, count: 2}}
initial: {{density: gaussian, mean: [0.1], sd: [0.1]}}
truth: {{cells: [64]}}
"""
# a sound plugin in which a case replaces a part
PLUGIN = """\
#include <fare/plugin.h>
static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, {"k", 1.0, 0.0, 10.0, "stiffness"}, FARE_PARAMETERS_END};
static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{ (void)dim; for (size_t i = 0; i < n; i++) V[i] = theta[2] * x[0][i] * x[0][i] / 2; }
static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{ (void)dim; for (size_t i = 0; i < n; i++) f[0][i] = -theta[2] * x[0][i]; }
const fare_system_type mine = {
  .name = "mine", .summary = "a trap", .reference = "", .dimension_min = 1, .dimension_max = 1, .parameters = parameters,
  .lower = {-3}, .upper = {3}, .potential = potential, .force = force,
};
FARE_PLUGIN_SYSTEM(mine);
"""
EXPORT = (
    '__attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export; const fare_plugin'
    " fare_plugin_export = {%s};"
)
OWN = '{"k", 1.0, 0.0, 10.0, "stiffness"}'
FORCES = ".potential = potential, .force = force"
GENERAL = ".drift = force, .diffusion = force"
# (name, what is replaced, by what, what the message says)
BAD = [
    ("unresolved", "-theta[2] * x[0][i]", "nobody_has_this(x[0][i])", "cannot be loaded: .*nobody_has_this"),
    (
        "nameless",
        "FARE_PLUGIN_SYSTEM(mine);",
        "",
        "'.*/nameless.so' is not a FARE plugin: it exports no 'fare_plugin_export'",
    ),
    (
        "older",
        "FARE_PLUGIN_SYSTEM(mine);",
        EXPORT % "0, 1, {sizeof mine}, &mine",
        "was built for plugins of version 0, this FARE takes [1-9]",
    ),
    (
        "kindless",
        "FARE_PLUGIN_SYSTEM(mine);",
        EXPORT % "FARE_PLUGIN_ABI, 77, {sizeof mine}, &mine",
        "of a kind unknown to this FARE, expected a system",
    ),
    (
        "formulas",
        "FARE_PLUGIN_SYSTEM(mine);",
        EXPORT % "FARE_PLUGIN_ABI, FARE_PLUGIN_IS_FORMULAS, {sizeof mine}, &mine",
        "is formulas compiled by FARE, expected a system",
    ),
    (
        "smaller",
        "FARE_PLUGIN_SYSTEM(mine);",
        EXPORT % "FARE_PLUGIN_ABI, 1, {sizeof mine - 8}, &mine",
        "was built against headers of another FARE",
    ),
    (
        "empty",
        "FARE_PLUGIN_SYSTEM(mine);",
        EXPORT % "FARE_PLUGIN_ABI, 1, {sizeof mine}, NULL",
        "was built against headers of another FARE",
    ),
    ("unnamed", '.name = "mine",', "", "the system needs a name"),
    ("misnamed", '"mine"', '"my system"', "the system needs a name"),
    ("silent", '.summary = "a trap",', "", "system 'mine' needs a summary"),
    ("flat", ".dimension_min = 1,", "", "system 'mine' has 0 to 1 dimensions"),
    ("tall", ".dimension_max = 1", ".dimension_max = 4", "system 'mine' has 1 to 4 dimensions"),
    ("crossed", ".dimension_min = 1", ".dimension_min = 2", "system 'mine' has 2 to 1 dimensions"),
    ("boxless", ".upper = {3}", ".upper = {-3}", r"the domain of axis 0, \[-3, -3\], is empty or not finite"),
    ("tableless", ".parameters = parameters,", "", "system 'mine' has no table of parameters"),
    (
        "endless",
        OWN + ", FARE_PARAMETERS_END",
        ", ".join(OWN.replace('"k"', f'"k{i}"') for i in range(40)),
        "has more than 31 parameters, or FARE_PARAMETERS_END is missing",
    ),
    ("twice", OWN, OWN + ", " + OWN, "system 'mine' has two parameters 'k'"),
    (
        "outside",
        OWN,
        '{"k", 11.0, 0.0, 10.0, "stiffness"}',
        r"the default of 'k', 11, is outside its range \[0, 10\]",
    ),
    ("meaningless", OWN, '{"k", 1.0, 0.0, 10.0, NULL}', "parameter 2 needs a name of letters"),
    ("cold", "FARE_COMMON_PARAMETERS, ", "", "the first parameter must be kT"),
    ("stuck", "FARE_COMMON_PARAMETERS", "FARE_TEMPERATURE", "the second parameter must be mobility"),
    ("still", FORCES, ".axes = {NULL}", "system 'mine' has neither 'force' nor 'drift'"),
    (
        "forceless",
        FORCES,
        ".potential = potential, " + GENERAL,
        "system 'mine' has a 'potential' but no 'force'",
    ),
    ("noiseless", FORCES, ".drift = force", "system 'mine' has a 'drift' but no 'diffusion'"),
    ("driftless", FORCES, FORCES + ", .diffusion = force", "system 'mine' has a 'diffusion' but no 'drift'"),
    (
        "baseless",
        FORCES,
        ".nonconservative = force, " + GENERAL,
        "system 'mine' has a 'nonconservative' force but no 'force'",
    ),
    ("shapeless", FORCES, FORCES + ", .basis_count = 2", "system 'mine' has 'basis_count' but not both"),
]
# the same for samplers
SAMPLER = """\
#include <fare/sampler_plugin.h>
typedef struct { double widen; } mine_state;
static const fare_field fields[] = {{"widen", FARE_REAL, 0, "1", 0, 10, NULL, "", "how wide"}, FARE_FIELDS_END};
static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble) { (void)sampler, (void)t, (void)ensemble; return 0; }
static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data) { (void)sampler, (void)data; return 0; }
static const fare_kept kept[] = {FARE_KEEP(REAL, mine_state, widen), FARE_KEPT_END};
const fare_sampler_type mine = {
  .name = "mine", .summary = "nothing", .reference = "", .family = FARE_GENERATIVE, .size = sizeof(mine_state), .fields = fields, .train = train, .advance = advance, .kept = kept,
};
FARE_PLUGIN_SAMPLER(mine);
"""
BAD_SAMPLERS = [
    (
        "s_older",
        "FARE_PLUGIN_SAMPLER(mine);",
        EXPORT % "0, 3, FARE_PLUGIN_SAMPLER_SIZES, &mine",
        "was built for plugins of version 0",
    ),
    (
        "s_smaller",
        "FARE_PLUGIN_SAMPLER(mine);",
        EXPORT % "FARE_PLUGIN_ABI, 3, {sizeof mine, sizeof(fare_sampler), sizeof(fare_ensemble) - 8}, &mine",
        "was built against headers of another FARE",
    ),
    (
        "s_system",
        "FARE_PLUGIN_SAMPLER(mine);",
        EXPORT % "FARE_PLUGIN_ABI, FARE_PLUGIN_IS_SYSTEM, {sizeof mine}, &mine",
        "is a system, expected a sampler",
    ),
    ("s_unnamed", '.name = "mine",', "", "the sampler needs a name"),
    ("s_silent", '.summary = "nothing",', "", "sampler 'mine' needs a summary"),
    ("s_family", "FARE_GENERATIVE", "(fare_sampler_family)7", "has an unknown family"),
    ("s_stateless", ".size = sizeof(mine_state),", "", "has a state of size 0"),
    ("s_still", ".advance = advance,", "", "has no 'advance'"),
    ("s_forgetful", ".kept = kept", ".kept = NULL", "has a 'train' but no 'kept'"),
    ("s_nameless", "FARE_KEEP(REAL, mine_state, widen)", '{.name = ""}', "member 0 of 'kept' needs a name"),
    (
        "s_outside",
        "FARE_KEEP(REAL, mine_state, widen)",
        '{.name = "widen", .offset = 64}',
        "member 0 of 'kept' lies outside the state",
    ),
    (
        "s_shapeless",
        "FARE_KEEP(REAL, mine_state, widen)",
        "FARE_KEEP(STRUCT, mine_state, widen)",
        "member 0 of 'kept' is a struct without 'fields'",
    ),
    ("s_modes", ".size =", ".modes = 8, .size =", "has unknown modes"),
    ("s_fieldless", ".fields = fields,", "", "has no table of fields"),
    (
        "s_field",
        'FARE_REAL, 0, "1"',
        'FARE_REAL, 64, "1"',
        "field 'widen' lies outside the state, which has 8 bytes",
    ),
    ("s_meaningless", '"how wide"', "NULL", "field 0 needs a key of letters"),
]
FORMULA = '{expression: {potential: "x^2 + tanhh(x)", lower: [-2], upper: [2]}}'
SOUND_FORMULA = '{expression: {potential: "x^2", lower: [-2], upper: [2]}}'


def start(arguments, where, launch=(), **environment):
    where.mkdir()
    try:
        return subprocess.run(
            [*launch, FARE, *map(str, arguments)],
            cwd=where,
            capture_output=True,
            text=True,
            timeout=HANGS,
            env={**ENVIRONMENT, **environment},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, "hangs", "", "")


def own_lines(done):
    """What FARE says, without what mpirun adds about an exit code."""
    return re.sub(r"^-{5,}\n(?:.*\n)*?-{5,}\n", "", done.stderr, flags=re.MULTILINE).splitlines()


def refused(what, done, code, message, lines=1, left=()):
    said = own_lines(done)
    holds = (
        done.returncode == code
        and len(said) == lines
        and re.search(message, said[0]) is not None
        and not done.stdout
        and all(not any(p.iterdir()) for p in left)
    )
    expect(holds, what, f"exit code {done.returncode}, said {said}")


def check_plugin(place, name, path, message, system=None, key="plugin"):
    """`fare run` on one rank: the key's place, the message, nothing left."""
    study = place / f"{name}.yaml"
    system = system or f"{{parameters: {{kT: 1}}, plugin: {path}}}"
    study.write_text(STUDY.format(system=system))
    where = place / f"{name}.run"
    done = start(["run", study], where)
    column = len("system: ") + system.index(key + ": ") + len(key) + 3 if key else 9
    refused(
        name,
        done,
        2,
        f"^fare: {re.escape(str(study))}:2:{column}: system{'.' + key if key else ''}: .*(?:{message})",
        left=[where],
    )


def bad_plugins(place):
    cases = [(name, place / f"{name}.so", message) for name, _, _, message in BAD]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, old, new, _ in BAD:
            if old not in PLUGIN:
                sys.exit(f"{name}: nothing to replace")
        list(pool.map(lambda c: compile_plugin(place, c[0], PLUGIN.replace(c[1], c[2])), BAD))
    (place / "text.so").write_text("not a shared object\n")
    (place / "folder.so").mkdir()
    (place / "short.so").write_bytes((place / "nameless.so").read_bytes()[:40])
    cases += [
        (
            "missing",
            "./missing.so",
            "there is no file './missing.so' .a relative path starts from the working directory",
        ),
        ("text", place / "text.so", "cannot be loaded: .*text.so"),
        ("folder", place / "folder.so", "is not a file"),
        ("short", place / "short.so", "cannot be loaded: .*short.so"),
        ("a list", "[a, b]", "expected a string, got a list"),
        ("nothing", "''", "there is no file ''"),
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda c: check_plugin(place, *c), cases))
    check_plugin(place, "both", None, "exclude each other", system="{name: prinz, plugin: ./x.so}", key=None)
    check_plugin(
        place,
        "neither",
        None,
        "missing key 'name' .*'plugin' or 'expression'",
        system="{parameters: {kT: 1}}",
        key=None,
    )


def bad_samplers(place):
    for name, old, new, _ in BAD_SAMPLERS:
        if old not in SAMPLER:
            sys.exit(f"{name}: nothing to replace")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda c: compile_plugin(place, c[0], SAMPLER.replace(c[1], c[2])), BAD_SAMPLERS))
    for i, (name, _, _, message) in enumerate([*BAD_SAMPLERS, ("s_missing", "", "", "there is no file")]):
        study, where = place / f"{name}.yaml", place / f"{name}.run"
        study.write_text(
            "study: faulty\nsystem: {name: prinz}\nsnapshots: {start: 0.0, end: 0.1, count:"
            f" 2}}\nensembles:\n  - {{name: it, particles: 100, plugin: {place}/{name}.so}}\n"
        )
        launch = (MPIEXEC, "-n", "3") if i % 5 == 0 else ()
        refused(
            f"{name}{' on three ranks' if launch else ''}",
            start(["run", study], where, launch),
            2,
            rf"^fare: {re.escape(str(study))}:5:\d+: ensembles\[0\].plugin: .*(?:{message})",
            left=[where],
        )


def on_three_ranks(place):
    three = (MPIEXEC, "-n", "3")
    for name in ("unresolved", "older", "still", "missing", "text"):
        where = place / f"{name}.three"
        refused(
            f"{name} on three ranks",
            start(["run", place / f"{name}.yaml"], where, three),
            2,
            f"^fare: .*{name}.yaml:2:.*system.plugin: ",
            left=[where],
        )
    compile_plugin(place, "sound", PLUGIN)
    study = place / "seen_by_some.yaml"
    study.write_text(STUDY.format(system="{plugin: sound.so}"))
    (place / "with").mkdir()
    (place / "without").mkdir()
    shutil.copy(place / "sound.so", place / "with" / "sound.so")
    for first, second in (("with", "without"), ("without", "with")):
        launch = (
            MPIEXEC,
            "-n",
            "1",
            "-wdir",
            str(place / first),
            FARE,
            "run",
            str(study),
            ":",
            "-n",
            "2",
            "-wdir",
            str(place / second),
        )
        where = place / f"{first}_first"
        refused(
            f"a plugin that only some ranks see ({first} first)",
            start(["run", study], where, launch),
            2,
            "^fare: .*seen_by_some.yaml:2:18: system.plugin: there is no file 'sound.so'",
            left=[where, place / "without"],
        )
        expect([f.name for f in (place / "with").iterdir()] == ["sound.so"], "nothing is left beside it")
    done = start(
        ["check", study], place / "with" / "sound", (MPIEXEC, "-n", "3", "-wdir", str(place / "with"))
    )
    expect(
        done.returncode == 0 and "plugin: '" in done.stdout,
        "the same plugin is taken where all see it",
        done.stderr,
    )


def formulas(place):
    study, sound = place / "formula.yaml", place / "sound_formula.yaml"
    study.write_text(STUDY.format(system=FORMULA))
    sound.write_text(STUDY.format(system=SOUND_FORMULA))
    cache = place / "cache"
    for ranks in (1, 3):
        launch = (MPIEXEC, "-n", str(ranks)) if ranks > 1 else ()
        there = f"on {ranks} rank{'s' if ranks > 1 else ''}"
        where = [place / f"formula.{ranks}.{i}" for i in range(8)]
        done = start(["run", study], where[0], launch, FARE_CACHE=str(cache))
        refused(
            f"an unknown function {there}",
            done,
            2,
            (
                f"^fare: {study}:2:34: system.expression.potential: unknown function 'tanhh' .did you mean"
                " 'tanh'"
            ),
            lines=3,
            left=where[:1],
        )
        expect(
            own_lines(done)[1:] == ["  x^2 + tanhh(x)", "        ^"], "with a caret under it", own_lines(done)
        )
        expect(not cache.exists(), "and no compiler was asked")
        refused(
            f"no compiler {there}",
            start(["run", sound], where[1], launch, FARE_CACHE=str(cache), CC="no-such-cc"),
            1,
            "formulas need a C compiler .*'no-such-cc'",
            left=[where[1], cache],
        )
        refused(
            f"a compiler that fails {there}",
            start(["run", sound], where[2], launch, FARE_CACHE=str(cache), CC="cc -fno-such-flag"),
            1,
            "the C compiler failed on the formulas: 'cc': .*no-such-flag",
            left=[where[2], cache],
        )
        refused(
            f"a compiler that says nothing {there}",
            start(["run", sound], where[3], launch, FARE_CACHE=str(cache), CC="false"),
            1,
            "the C compiler failed on the formulas: 'false': it printed nothing",
            left=[where[3], cache],
        )
        refused(
            f"a cache that cannot be {there}",
            start(["run", sound], where[4], launch, FARE_CACHE=str(study / "below")),
            1,
            "cache of compiled formulas '.*formula.yaml/below'",
            left=[where[4]],
        )
        common = place / f"common.{ranks}"
        common.mkdir()
        common.chmod(0o777)
        refused(
            f"a cache that anybody writes {there}",
            start(["run", sound], where[5], launch, FARE_CACHE=str(common)),
            1,
            "others may write there, and what it holds is executed",
            left=[where[5], common],
        )
        broken = place / f"broken.{ranks}"
        done = start(["check", sound], where[6], launch, FARE_CACHE=str(broken))
        (compiled,) = broken.iterdir()
        compiled.write_bytes(b"\x7fELF")
        done = start(["run", sound], where[7], launch, FARE_CACHE=str(broken))
        expect(
            done.returncode == 0 and len(compiled.read_bytes()) > 1000,
            f"a broken file in the cache {there} is compiled again",
            f"exit code {done.returncode}: {done.stderr}",
        )
        shutil.rmtree(cache)


def main():
    os.environ.pop("CC", None)
    with tempfile.TemporaryDirectory(prefix="fare-bad-plugins-") as name:
        place = pathlib.Path(name).resolve()
        bad_plugins(place)
        bad_samplers(place)
        on_three_ranks(place)
        formulas(place)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
