#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Checks the form of the repository: layout, line length, types, scripts and spelling. A tool that is missing is
skipped with a word; a tool that finds something fails. Arguments choose checks: tests/check_form.py black mypy
fare-test: labels=form timeout=300
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tokenize

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = 110
LICENSE = "SPDX-License-Identifier: BSD-2-Clause"
SOURCES = (".c", ".h", ".cpp", ".py", ".cmake", ".in")
SKIPPED_DIRECTORIES = re.compile(r"^(build.*|out|\.git|__pycache__|\..*_cache)$")
# A line may be longer where a single string literal fills the excess: breaking it would change the text.
C_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
ENDS_IN_STRING = 8  # columns of punctuation that may follow the literal


def tracked_files() -> list[pathlib.Path]:
    """Files under version control, or every file outside build directories where git is missing."""
    listing = None
    if shutil.which("git"):
        git = [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]
        listing = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing and listing.returncode == 0:
        names = [ROOT / name for name in listing.stdout.splitlines()]
        return sorted(path for path in names if path.is_file())
    found = []
    for directory, children, files in os.walk(ROOT):
        children[:] = [name for name in children if not SKIPPED_DIRECTORIES.match(name)]
        found += [pathlib.Path(directory) / name for name in files]
    return sorted(found)


def is_script(path: pathlib.Path) -> bool:
    return path.suffix == ".sh" or path == ROOT / ".ci/run"


def string_columns(path: pathlib.Path) -> dict[int, int]:
    """Line number to the number of its columns inside string literals of a Python file."""
    columns: dict[int, int] = {}
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type != tokenize.STRING:
                continue
            for line in range(token.start[0], token.end[0] + 1):
                first = token.start[1] if line == token.start[0] else 0
                last = token.end[1] if line == token.end[0] else 10**6
                columns[line] = columns.get(line, 0) + last - first
    return columns


def heredoc_lines(text: str) -> set[int]:
    """Numbers of the lines inside here-documents of a shell script."""
    inside: set[int] = set()
    word = None
    for number, line in enumerate(text.splitlines(), 1):
        if word is not None:
            inside.add(number)
            word = None if line.strip() == word else word
        elif match := re.search(r"<<-?\s*['\"]?(\w+)['\"]?", line):
            word = match[1]
    return inside


def may_be_long(path: pathlib.Path, text: str) -> set[int]:
    """Numbers of the lines whose excess is inside a literal."""
    lines = text.splitlines()
    if path.suffix == ".py":
        return {n for n, width in string_columns(path).items() if len(lines[n - 1]) - width <= COLUMNS - 20}
    exempt = heredoc_lines(text) if is_script(path) else set()
    for number, line in enumerate(lines, 1):
        if any(
            m.start() < COLUMNS and m.end() >= len(line) - ENDS_IN_STRING for m in C_STRING.finditer(line)
        ):
            exempt.add(number)
    return exempt


def long_lines(files: list[pathlib.Path]) -> int:
    wrong = 0
    for path in files:
        if not (path.suffix in SOURCES or path.name == "CMakeLists.txt" or is_script(path)):
            continue
        text = path.read_text()
        long = {n for n, line in enumerate(text.splitlines(), 1) if len(line) > COLUMNS}
        for number in sorted(long - may_be_long(path, text)) if long else []:
            print(f"{path.relative_to(ROOT)}:{number}: longer than {COLUMNS} columns")
            wrong += 1
    return wrong


def permissions(files: list[pathlib.Path]) -> int:
    """A file that starts with an interpreter line is executable, and no other file is."""
    wrong = 0
    for path in files:
        with path.open("rb") as file:
            interpreted = file.read(2) == b"#!"
        if interpreted != os.access(path, os.X_OK):
            mode = "not executable" if interpreted else "executable without an interpreter line"
            print(f"{path.relative_to(ROOT)}: {mode}")
            wrong += 1
    return wrong


def licenses(files: list[pathlib.Path]) -> int:
    """Every source names its license within the first lines."""
    sources = [p for p in files if p.suffix in SOURCES or p.name == "CMakeLists.txt" or is_script(p)]
    wrong = [p for p in sources if LICENSE not in "\n".join(p.read_text().splitlines()[:3])]
    for path in wrong:
        print(f"{path.relative_to(ROOT)}: no line '{LICENSE}'")
    return len(wrong)


def main() -> int:
    files = tracked_files()
    c_files = [str(path) for path in files if path.suffix in (".c", ".h")]
    scripts = [str(path) for path in files if is_script(path)]
    prose = [str(p) for p in files if p.suffix not in (".png", ".svg") and p.name != "codespell.txt"]
    internal = {"lines": long_lines, "permissions": permissions, "licenses": licenses}
    tools = {
        "clang-format": ["clang-format-14", "--dry-run", "--Werror", *c_files],
        "black": ["black", "--check", "--quiet", "."],
        "ruff": ["ruff", "check", "--quiet", "."],
        "mypy": ["mypy"],
        "shellcheck": ["shellcheck", "-x", *scripts],
        "codespell": ["codespell", "--ignore-words", "tests/codespell.txt", *prose],
    }
    chosen = sys.argv[1:] or [*internal, *tools]
    if unknown := [name for name in chosen if name not in internal and name not in tools]:
        print(f"unknown checks: {', '.join(unknown)}; there are {', '.join([*internal, *tools])}")
        return 2
    failed = []
    for name in chosen:
        if name in internal:
            passed = internal[name](files) == 0
        elif shutil.which(tools[name][0]) is None:
            print(f"form: {name}: skipped, {tools[name][0]} is not installed")
            continue
        else:
            passed = subprocess.run(tools[name], cwd=ROOT, check=False).returncode == 0
        print(f"form: {name}: {'passed' if passed else 'FAILED'}", flush=True)
        failed += [] if passed else [name]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
