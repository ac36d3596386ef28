#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Builds the site with warnings as errors, where Sphinx is installed. Checks before that docs/how_to/warnings.md
explains every warning that the program can print, and quotes nothing that it does not say; that the gallery shows
every study of input; and that no link in the repository leads nowhere. Pages on the web are not asked for: their
addresses must be well formed, and docs/build.sh --links visits them.
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
LINK = re.compile(r"!?\[[^\]]*\]\(([^)]*)\)|<(https?:[^>]*)>", re.DOTALL)
ADDRESS = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w./~%&?=+#,:-]*)?")
LARGEST = 60_000  # bytes of a picture of the gallery or the tutorial
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


def anchors(page: pathlib.Path) -> set[str]:
    """Names by which links reach the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: pathlib.Path, link: str) -> bool:
    if "://" in link or link.startswith("mailto:"):
        return not ADDRESS.fullmatch(link)
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if (page.parent / path).resolve().is_relative_to(ROOT / "docs/reference"):
        return False  # docs/build.sh writes these pages, and Sphinx checks the links to them
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


def broken_links() -> list[str]:
    """Links to files and headings that are not there, and addresses that are not well formed."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("input/**/*.md")]
    found = []
    for page in pages:
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        links = [first or second for first, second in LINK.findall(text)]
        found += [f"{page.relative_to(ROOT)}: {link}" for link in links if broken(page, link)]
    return found


def gallery() -> list[str]:
    """What the gallery lacks, and pictures that are too large for the repository."""
    page = (ROOT / "docs/gallery.md").read_text()
    studies = [path.stem for path in [*ROOT.glob("input/*.yaml"), *ROOT.glob("input/plugin/*.yaml")]]
    studies += [path.stem for path in ROOT.glob("input/control/*.yaml")]
    studies += [
        f"{folder}/{path.stem}"
        for folder in ("infer", "rare")
        for path in ROOT.glob(f"input/{folder}/*.yaml")
    ]
    entry = "### `{0}`\n\n!\\[{0}\\]\\(images/(gallery/)?{1}.png\\)\n\n"
    found = [
        f"docs/gallery.md lacks {name}"
        for name in studies
        if not re.search(entry.format(name, name.replace("/", "_")), page)
    ]
    costs = len(re.findall(r"^Cost: [0-9.]+ ", page, re.MULTILINE))
    if costs != len(shown := re.findall(r"^### `([\w/]+)`$", page, re.MULTILINE)):
        found.append(f"docs/gallery.md has {costs} costs for {len(shown)} studies")
    found += [f"docs/gallery.md shows {name}, which is not in input" for name in set(shown) - set(studies)]
    pictures = [*ROOT.glob("docs/images/gallery/*"), *ROOT.glob("docs/tutorial/*.png")]
    large = [path for path in pictures if path.stat().st_size > LARGEST]
    return found + [f"{path.relative_to(ROOT)} is larger than {LARGEST} bytes" for path in large]


def main() -> int:
    if wrong := broken_links() + gallery():
        print("\n".join(wrong))
        return 1
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
