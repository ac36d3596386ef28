#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Proves that no file includes from a layer above its own. Exit 1 names each file that does.
fare-test: labels=form
"""
from __future__ import annotations

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Lowest first. Modules of one layer may include each other only as listed behind the name.
LAYERS: list[dict[str, list[str]]] = [
    {"support": []},
    {"config": [], "random": [], "store": []},
    {"system": ["plugin"], "plugin": ["system"]},
    {"truth": [], "ensemble": [], "learn": []},
    {"sampler": ["sampler_plugin"], "sampler_plugin": ["sampler"], "analysis": []},
    {"measure": [], "record": [], "thermo": []},
    {"study": []},
    {"apps": []},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
PEERS = {name: peers for layer in LAYERS for name, peers in layer.items()}
INCLUDE = re.compile(r'^\s*#\s*include\s*(<fare/(?P<public>\w+)\.h>|"(?P<private>[^"]+)")', re.MULTILINE)


def module_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "apps":
        return "apps"
    if parts[0] == "include":
        return path.stem
    return parts[1]


def included(path: pathlib.Path, match: re.Match[str]) -> str | None:
    if match["public"]:
        return match["public"]
    for base in (path.parent, ROOT / "src"):
        target = (base / match["private"]).resolve()
        if target.exists() and target.is_relative_to(ROOT):
            return module_of(target)
    return None


def main() -> int:
    files = [p for folder in ("src", "apps", "include") for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    wrong = 0
    for path in files:
        mine = module_of(path)
        if mine == "fare":  # the header that includes all others
            continue
        if mine not in LEVEL:
            print(f"{path.relative_to(ROOT)}: module '{mine}' has no layer; add it to tests/check_layers.py")
            wrong += 1
            continue
        for match in INCLUDE.finditer(path.read_text()):
            other = included(path, match)
            if other is None or other == mine or (other == "fare" and mine == "apps"):
                continue
            if (
                other not in LEVEL
                or LEVEL[other] > LEVEL[mine]
                or (LEVEL[other] == LEVEL[mine] and other not in PEERS[mine])
            ):
                line = path.read_text()[: match.start()].count("\n") + 1
                print(f"{path.relative_to(ROOT)}:{line}: {mine} must not include {other}")
                wrong += 1
    print(f"layers: {len(files)} files, {wrong} wrong")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
