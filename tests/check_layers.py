#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Proves that the sources lie in layers.

Refused, each with the file's name: an include from a layer above; another module's private header; a circle of
files or of folders inside a module, where a file stands on another if it uses a function or an object that the
other one defines; a kernel without support/kernel.h; a folder with too many sources.
fare-test: labels=form
"""
from __future__ import annotations

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Lowest first. Modules of one layer do not include each other.
LAYERS = [
    ["support"],
    ["config", "random", "store"],
    ["system"],
    ["truth", "ensemble", "learn"],
    ["joint"],
    ["sampler", "analysis"],
    ["rare", "infer"],
    ["measure", "record", "thermo"],
    ["control"],
    ["study"],
    ["apps"],
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
# Public headers that are not called after their module.
HEADERS = {
    "system": [
        "box",
        "chain",
        "feedback",
        "formula",
        "initial",
        "mixture",
        "plugin",
        "potential_spline",
        "product",
        "schedule",
    ],
    "measure": ["joint_measure"],
    "truth": ["bridge", "evolution", "grid", "operator", "resolution"],
    "analysis": ["adjoint", "friction", "transport_bound"],
    "infer": ["tracks"],
    "rare": ["committor_field"],
    "sampler": ["current_action", "langevin", "metropolis", "prior", "sampler_plugin"],
}
MODULE_OF_HEADER = {header: module for module, headers in HEADERS.items() for header in headers}
KERNELS = ROOT / "src/support"  # its private headers are for kernels of all modules
SOURCES_MAX = 16  # in a folder
# one file for each system, and for each subcommand
SOURCES_MANY = {pathlib.Path("src/system/library"), pathlib.Path("apps")}
INCLUDE = re.compile(r'^\s*#\s*include\s*(<fare/(?P<public>\w+)\.h>|"(?P<private>[^"]+)")', re.MULTILINE)
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
DEFINITION = re.compile(
    r"^(?!static|typedef|extern|#)[A-Za-z_][^;{}()=]*?\b(fare_\w+)\s*(?P<open>\(|(?:\[[^\]]*\])*\s*=)",
    re.MULTILINE,
)

Graph = dict[pathlib.Path, set[pathlib.Path]]


def module_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "include":
        return MODULE_OF_HEADER.get(path.stem, path.stem)
    return parts[0] if parts[0] == "apps" else parts[1]


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def private_header(path: pathlib.Path, name: str) -> pathlib.Path | None:
    for base in (path.parent, ROOT / "src"):
        target = (base / name).resolve()
        if target.exists() and target.is_relative_to(ROOT):
            return target
    return None


def check_includes(path: pathlib.Path) -> list[str]:
    """What is wrong with the includes of a file."""
    mine, text, wrong = module_of(path), path.read_text(), []
    if mine == "fare":  # the header that includes all others
        return []
    if mine not in LEVEL:
        return [f"{name_of(path)}: module '{mine}' has no layer; add it to tests/check_layers.py"]
    for match in INCLUDE.finditer(text):
        where = f"{name_of(path)}:{text.count(chr(10), 0, match.start(1)) + 1}"
        if match["public"]:
            other = MODULE_OF_HEADER.get(match["public"], match["public"])
        else:
            target = private_header(path, match["private"])
            if target is None:
                continue
            other = module_of(target)
            if other != mine and not (target.parent == KERNELS and target.name.startswith("kernel")):
                wrong.append(f"{where}: {match['private']} is a private header of {other}")
                continue
        if other == mine or (other == "fare" and mine == "apps"):
            continue
        if LEVEL.get(other, len(LAYERS)) >= LEVEL[mine]:
            wrong.append(f"{where}: {mine} must not include {other}")
    return wrong


def definitions(text: str) -> set[str]:
    """Functions and objects with external linkage that a file without comments and strings defines."""
    found = set()
    for match in DEFINITION.finditer(text):
        end, depth = match.end(), 1
        while match["open"] == "(" and depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if match["open"] != "(" or text[end:].lstrip().startswith("{"):
            found.add(match[1])
    return found


def uses(files: list[pathlib.Path]) -> tuple[Graph, dict[tuple[pathlib.Path, pathlib.Path], str]]:
    """Which files of a module each of them uses, and an example of what."""
    text = {file: NOISE.sub(" ", file.read_text()) for file in files}
    home = {symbol: file for file in files for symbol in definitions(text[file])}
    graph: Graph = {file: set() for file in files}
    example = {}
    for file in files:
        for symbol in sorted(set(re.findall(r"\bfare_\w+", text[file]))):
            other = home.get(symbol, file)
            if other != file:
                graph[file].add(other)
                example[file, other] = symbol
    return graph, example


def find_circle(graph: Graph) -> list[pathlib.Path]:
    """A shortest circle of a graph; empty where there is none."""
    best: list[pathlib.Path] = []
    for start in graph:
        before: dict[pathlib.Path, pathlib.Path] = {}
        queue = collections.deque([start])
        while queue and start not in before:
            node = queue.popleft()
            for other in sorted(graph[node]):
                if other not in before:
                    before[other] = node
                    queue.append(other)
        if start in before:
            circle = [before[start]]
            while circle[-1] != start:
                circle.append(before[circle[-1]])
            if not best or len(circle) < len(best):
                best = circle[::-1]
    return best


def check_circles(files: list[pathlib.Path]) -> list[str]:
    """Circles of files and of folders in one module. One of each is named after the other is untied."""
    graph, example = uses(files)
    rooms: Graph = collections.defaultdict(set)
    between = {}
    for file, others in graph.items():
        for other in others:
            if other.parent != file.parent:
                rooms[file.parent].add(other.parent)
                rooms[other.parent] |= set()
                between[file.parent, other.parent] = f"{name_of(file)} uses {example[file, other]}"
    wrong = []
    for circle, why in ((find_circle(graph), example), (find_circle(dict(rooms)), between)):
        if circle:
            steps = zip(circle, circle[1:] + circle[:1])
            chain = "; ".join(f"{name_of(a)} -> {name_of(b)} ({why[a, b]})" for a, b in steps)
            wrong.append(f"a circle: {chain}")
    return wrong


def check_folder(folder: pathlib.Path) -> list[str]:
    count = len(list(folder.glob("*.c")))
    if count <= SOURCES_MAX or folder.relative_to(ROOT) in SOURCES_MANY:
        return []
    return [f"{name_of(folder)}: {count} sources, at most {SOURCES_MAX} are expected"]


def check_kernel(path: pathlib.Path) -> list[str]:
    is_kernel = path.name.endswith("_kernels.c") or path.parent == ROOT / "src/system/library"
    if not is_kernel or '#include "support/kernel.h"' in path.read_text():
        return []
    return [f'{name_of(path)}: a kernel has to include "support/kernel.h"']


def main() -> int:
    files = [p for folder in ("src", "apps", "include") for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    modules = collections.defaultdict(list)
    wrong = []
    for path in files:
        wrong += check_includes(path)
        if path.suffix == ".c":
            modules[module_of(path)].append(path)
            wrong += check_kernel(path)
    for sources in modules.values():
        wrong += check_circles(sources)
    for folder in sorted({path.parent for path in files if path.suffix == ".c"}):
        wrong += check_folder(folder)
    for line in wrong:
        print(line)
    print(f"layers: {len(files)} files, {len(wrong)} wrong")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
