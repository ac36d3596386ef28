#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Builds the reference of the public headers with Doxygen, and fails where it warns: each function documents its
parameters and its result.
fare-test: labels=form
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARNING = re.compile(r"include/fare/\w+\.h:\d+: (?:warning|error): ")


def main() -> int:
    if shutil.which("doxygen") is None:
        print("skipped: doxygen is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="fare-reference-") as where:
        done = subprocess.run(
            ["doxygen", "docs/Doxyfile"],
            cwd=ROOT,
            env={**os.environ, "FARE_REFERENCE": where, "FARE_VERSION": "check"},
            capture_output=True,
            text=True,
            check=False,
        )
        built = (pathlib.Path(where) / "html/index.html").exists()
    wrong = [line for line in done.stderr.splitlines() if WARNING.search(line)]
    for path in sorted((ROOT / "include/fare").glob("*.h")):
        if "@file" not in path.read_text():
            wrong.append(f"{path.name}: without @file at its head Doxygen passes over its functions")
    print("\n".join(wrong))
    if not built:
        print(done.stderr[-2000:])
    return 1 if wrong or not built or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
