#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Builds the reference of the public headers with Doxygen. Lists the warnings of each header, and fails where a
header that had none has some again.
fare-test: labels=form
"""
from __future__ import annotations

import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Headers that are not fully documented yet. Remove a name once its header builds without a warning.
UNFINISHED = {
}
WARNING = re.compile(r"include/fare/(\w+\.h):\d+: (?:warning|error): ")


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
    warnings = collections.Counter(WARNING.findall(done.stderr))
    wrong = sorted(name for name in warnings if name not in UNFINISHED)
    for line in done.stderr.splitlines():
        if (match := WARNING.search(line)) and match[1] in wrong:
            print(line)
    for name, count in warnings.most_common():
        print(f"{name}: {count} warnings{'' if name in wrong else ' (unfinished)'}")
    finished = sorted(UNFINISHED - set(warnings))
    for name in finished:
        print(f"{name} has no warnings: take it off the list in tests/check_reference.py")
    if not built:
        print(done.stderr[-2000:])
    return 1 if wrong or not built or (done.returncode and not warnings) else 0


if __name__ == "__main__":
    sys.exit(main())
