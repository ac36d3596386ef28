#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What a newcomer meets first: `init` writes a sound study of every system, `doctor` names what is wrong, shells
complete what there is, and the manual page holds every subcommand and option.
fare-test: labels=study timeout=600
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from checks import ENVIRONMENT, SOURCE, conclude, expect, fare
from launch import ALONE, FARE


def names_of(where, kind):
    return [line.split()[0] for line in fare(where, "list", kind).stdout.splitlines()[1:]]


def check_init(where):
    for system in names_of(where, "systems"):
        done = fare(where, "init", f"my_{system}", "--system", system)
        if system in ("steered", "counterdiabatic"):  # by what another study found
            need = "needs a control" if system == "steered" else "needs a force"
            expect(done.returncode == 2 and need in done.stderr, f"init of {system}: {done.stderr}")
            continue
        file = where / f"my_{system}.yaml"
        expect(done.returncode == 0 and file.is_file(), f"init of {system}: {done.stderr}")
        done = fare(where, "check", file)
        expect("The study is sound." in done.stdout, f"{file.name} is not sound: {done.stderr}")
        text = file.read_text()
        parameters = re.findall(
            r"^(\w+) +\S+ +\[", fare(where, "describe", "system", system).stdout, re.MULTILINE
        )
        lacking = [
            name for name in parameters if not re.search(rf"^    {name}: \S+ +# \w", text, re.MULTILINE)
        ]
        if f"# The physics: `fare describe system {system}`" in text:  # of many axes
            lacking, parameters = [], parameters or [system]
        expect(parameters and not lacking, f"{file.name} does not explain {lacking or 'any parameter'}")
    for arguments, message in (
        (["my_prinz"], "my_prinz.yaml: the file exists"),
        (["new", "--system", "prins"], "did you mean 'prinz'"),
        (["a/b"], "'a/b' is not a valid name"),
        ([], "no name given for the study"),
    ):
        done = fare(where, "init", *arguments)
        expect(done.returncode == 2 and message in done.stderr, f"init {arguments}: {done.stderr}")


def check_doctor(where):
    done = fare(where, "doctor")
    for part in ("MPI", "PETSc", "HDF5", "BLAS", "formulas", "Python", "scheduler"):
        expect(
            re.search(rf"^{part} +\S", done.stdout, re.MULTILINE),
            f"doctor says nothing of {part}: {done.stdout}",
        )
    expect(done.returncode == (0 if "No problems found." in done.stdout else 1), f"doctor: {done.stdout}")
    environment = dict(ENVIRONMENT, **ALONE, CC="/bin/false", XDG_CACHE_HOME=str(where / "empty"))
    done = subprocess.run(
        [FARE, "doctor"], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    expect(
        done.returncode == 1 and "systems defined by formulas need a C compiler" in done.stdout,
        f"doctor without a compiler: {done.returncode} {done.stdout}",
    )


CASES = [  # typed words, the last of them unfinished; what completes it: all of it, or one of many
    (["ru"], ["run"]),
    (["run", "--res"], ["--resume"]),
    (["describe", "system", "pri"], ["prinz"]),
    (["describe", "sampler", "schr"], ["schrodinger_bridge"]),
    (["init", "x", "--system", "lor"], ["lorenz63_noise"]),
    (["help", "sw"], ["sweep"]),
    (["list", "wave"], ["waveforms"]),
    (["run", ""], []),  # files
    (["run", "--set", ""], []),
]


def complete_in_bash(script, words):
    ask = (
        f'source {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fare; printf "%s\\n"'
        ' "${COMPREPLY[@]}"'
    )
    return subprocess.run(
        ["bash", "-c", ask, "bash", "fare", *words], capture_output=True, text=True, check=False
    )


def complete_in_zsh(script, words):
    """The functions of its completion system, which zsh has in a terminal alone, print what they are given."""
    ask = (
        "compdef() { }; _files() { }; compadd() { shift; print -l -- ${(M)@:#$PREFIX*} };"
        f'words=("$@"); CURRENT=$#; PREFIX=$words[-1]; source {script}; _fare'
    )
    return subprocess.run(
        ["zsh", "-fc", ask, "zsh", "fare", *words], capture_output=True, text=True, check=False
    )


def check_completion(where):
    for shell, complete in (("bash", complete_in_bash), ("zsh", complete_in_zsh)):
        script = where / f"completion.{shell}"
        script.write_text(fare(where, "completion", shell).stdout)
        if not shutil.which(shell):
            print(f"completion in {shell} is skipped: not installed")
            continue
        for words, completed in CASES:
            done = complete(script, words)
            expect(
                done.stdout.split() == completed and not done.stderr,
                f"{shell}: fare {' '.join(words)}: {done.stdout.split()} {done.stderr}",
            )
    return (where / "completion.bash").read_text()


def check_options(where, script):
    """What completes is taken, and what the sources take completes."""
    offered = dict(re.findall(r'^    "(\w+) -"\) choices="(.*)"', script, re.MULTILINE))
    expect(set(offered) == set(re.search(r'    :\*\) choices="(.*) --version"', script)[1].split()), offered)
    for command, options in offered.items():
        for option in options.split():
            done = fare(where, command, option) if command != "run" else None
            expect(not done or "unknown option" not in done.stderr, f"fare {command} {option} is not taken")
    sources = "".join(path.read_text() for path in (SOURCE / "apps").glob("*.c"))
    taken = set(re.findall(r'str\w*cmp\([^"]*"(--[a-z-]+)=?"', sources)) - {"--version"}
    everything = {option for options in offered.values() for option in options.split()}
    expect(len(taken) > 10 and taken <= everything, f"not offered: {taken - everything}")
    return offered


def check_manual(where, offered):
    page = fare(where, "help", "--man").stdout
    plain = page.replace("\\-", "-")
    for command, options in offered.items():
        section = re.search(rf"^\.SS fare {command}\b(.*)$", plain, re.MULTILINE)
        expect(section, f"the manual page lacks {command}")
        lacking = [o for o in options.split() if o != "--help" and o not in (section[1] if section else "")]
        expect(not lacking, f"the manual page of {command} lacks {lacking}")
    expect(not re.search(r"(?<![\\\w])-", page), "a minus that is not escaped")
    if shutil.which("mandoc"):
        (where / "fare.1").write_text(page)
        lint = ["mandoc", "-T", "lint", "-W", "error", str(where / "fare.1")]
        done = subprocess.run(lint, capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"the manual page: {done.stdout}")


def main():
    os.environ.pop("FARE_HOME", None)
    with tempfile.TemporaryDirectory(prefix="fare-first-steps-") as name:
        where = pathlib.Path(name)
        check_init(where)
        check_doctor(where)
        script = check_completion(where)
        check_manual(where, check_options(where, script))
    return conclude()


if __name__ == "__main__":
    sys.exit(main())
