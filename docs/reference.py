#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Writes the reference pages of the site from what the program says of itself: docs/reference.py FARE DIRECTORY
Every table of keys comes from the tables by which the program reads study files.
"""
from __future__ import annotations

import pathlib
import re
import subprocess
import sys

KINDS = {  # heading in `fare list`: title of the page
    "system": "Systems",
    "truth": "Truths",
    "sampler": "Samplers",
    "measure": "Measures",
    "waveform": "Waveforms",
    "analysis": "Analyses",
    "estimator": "Estimators",
    "inference": "Inferences",
}
COLUMN = re.compile(r"\S+(?: \S+)*")  # columns are two spaces or more apart


def ask(fare: str, *arguments: str) -> str:
    return subprocess.run([fare, *arguments], capture_output=True, text=True, check=True).stdout


def escape(text: str) -> str:
    """Characters that Markdown would read as markup."""
    return re.sub(r"([\\*_{}\[\]<>|$#])", r"\\\1", text.strip())


def is_header(line: str) -> bool:
    return bool(re.match(r"(key +kind|parameter +default|subcommand +description) ", line))


def table(lines: list[str]) -> list[str]:
    """A table in columns as a Markdown table; its first line is the header."""
    starts = [match.start() for match in COLUMN.finditer(lines[0])]
    bounds = list(zip(starts, [*starts[1:], None]))
    rows = [[line[start:end].strip() for start, end in bounds] for line in lines]
    out = []
    for number, row in enumerate(rows):
        cells = [escape(cell) for cell in row]
        if number:
            cells[0] = f"`{row[0]}`"
        out.append("| " + " | ".join(cells) + " |")
        if not number:
            out.append("|" + "---|" * len(row))
    return out


def page(text: str) -> list[str]:
    """What `fare describe` prints, as Markdown: tables as tables, the rest as paragraphs."""
    out: list[str] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if is_header(lines[at]):
            end = at
            while end < len(lines) and lines[end].strip():
                end += 1
            out += ["", *table(lines[at:end]), ""]
            at = end
        elif section := re.fullmatch(r"([a-z_.\[\]]+):(?:   ?(.*))?", lines[at]):
            out += ["", f"## {escape(section[1])}", "", escape((section[2] or "").strip("()")), ""]
            at += 1
        else:
            out.append(escape(lines[at]) + ("  " if lines[at].strip() else ""))
            at += 1
    return out


def entries(listing: str) -> dict[str, list[str]]:
    """Kind to its names, from `fare list`."""
    found: dict[str, list[str]] = {}
    for block in listing.strip().split("\n\n"):
        head, *rows = block.splitlines()
        found[head.split()[0]] = [row.split()[0] for row in rows]
    return found


def write(directory: pathlib.Path, name: str, lines: list[str]) -> None:
    (directory / f"{name}.md").write_text("\n".join(lines).rstrip() + "\n")


def main() -> int:
    fare, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for kind, names in entries(ask(fare, "list")).items():
        lines = [f"# {KINDS[kind]}", "", f"The same from the command line: `fare describe {kind} NAME`."]
        for name in names:
            text = ask(fare, "describe", kind, name)
            lines += ["", f"## {name}", "", *page(re.sub(r"^\w+ \S+: ", "", text))]
        write(directory, KINDS[kind].lower(), lines)
    study = ask(fare, "describe", "study").split("\n", 1)[1]
    write(
        directory,
        "study_file",
        ["# Study file", "", "The same from the command line: `fare describe study`.", "", *page(study)],
    )
    commands = re.findall(r"^([a-z]+)  +\S", ask(fare, "help").split("subcommand", 1)[1], re.MULTILINE)
    lines = ["# Commands", "", "The same from the command line: `fare help COMMAND`."]
    for command in commands:
        if command != "help":
            lines += ["", f"## fare {command}", "", "```text", ask(fare, "help", command).strip(), "```"]
    write(directory, "commands", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
