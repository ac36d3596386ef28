#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Builds the site with warnings as errors, where Sphinx is installed, and checks that docs/how_to/warnings.md
explains every warning that the program can print, and quotes nothing that it does not say.
fare-test: labels=form timeout=600
"""
from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/how_to/warnings.md"
CALL = re.compile(r"fare_warn\((.*?)\);", re.DOTALL)
PREFIX = 12  # characters of a message that the page must repeat
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
QUOTED = re.compile(
    r"\*\*([^*]+)\*\*|^\| `([^`]+)`", re.MULTILINE
)  # an entry of the page, or its first column
CONVERSION = re.compile(r"%[-+ #0-9.*]*(?:hh|h|ll|l|z|j|t)?[a-zA-Z]|%%|\(%")


def warnings() -> dict[str, str]:
    """Every warning's most telling words, with the file that prints it."""
    found = {}
    for path in [*ROOT.glob("src/**/*.c"), *ROOT.glob("apps/*.c")]:
        for call in CALL.findall(path.read_text()):
            text = "".join(LITERAL.findall(call))
            parts = [part.strip(" ;:,%()\n") for part in CONVERSION.split(text)]
            if any(len(part) > 3 for part in parts):
                found[text] = path.relative_to(ROOT).as_posix()
    return found


def explained(warning: str, page: str) -> bool:
    parts = [re.sub(r"\s+", " ", part).strip(" ;:,%()") for part in CONVERSION.split(warning)]
    return any(len(part) > 7 and part[:PREFIX] in page for part in parts)


def unsaid() -> list[str]:
    """What the page quotes, between dots, that is in no text of the program."""
    sources = (path.read_text() for path in [*ROOT.glob("src/**/*.c"), *ROOT.glob("apps/*.c")])
    said = "\n".join(re.sub(r'"\s*"', "", source) for source in sources)
    quotes = [quote for pair in QUOTED.findall(PAGE.read_text()) for quote in pair if quote]
    parts = [part.strip(" ;:,%()?") for quote in quotes for part in quote.split("...")]
    return [part for part in parts if part not in said]


def main() -> int:
    if quotes := unsaid():
        print("docs/how_to/warnings.md quotes what the program does not say:", "; ".join(quotes))
        return 1
    page = re.sub(r"\s+", " ", PAGE.read_text())
    missing = {text: path for text, path in warnings().items() if not explained(text, page)}
    for text, path in missing.items():
        print(f"docs/how_to/warnings.md does not explain a warning of {path}: {text}")
    if missing:
        return 1
    site = subprocess.run(
        [ROOT / "docs/build.sh", tempfile.mkdtemp()],
        env={**os.environ, "FARE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    print(site.stdout + site.stderr)
    if "needs python3-sphinx" in site.stderr:
        print("skipped: the site needs Sphinx, MyST and furo")
        return 77
    return site.returncode


if __name__ == "__main__":
    sys.exit(main())
