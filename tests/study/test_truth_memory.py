#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The memory that fare_truth_bytes states for a truth by transport, against the largest resident size of a run
less that of a run on a tiny grid.
fare-test: labels=study timeout=300
"""
import os
import pathlib
import re
import subprocess
import tempfile

from checks import conclude, expect

STUDY = """\
study: memory
system: {name: lorenz63_noise}
initial: {density: gaussian, mean: [3, 2, 18], sd: [3, 3, 3]}
snapshots: {start: 0, end: 1.0e-6, count: 2}
truth: {cells: [8, 8, 8], scheme: high_order, tolerance: 1.0e-4}
"""


def arguments(action, study, cells, estimate):
    return [os.environ["FARE_COMMAND"], action, str(study)] + [
        word
        for setting in (
            f"truth.cells=[{cells}, {cells}, {cells}]",
            f"truth.estimate={estimate}",
            f"output.directory={study.parent / 'out'}",
        )
        for word in ("--set", setting)
    ]


def taken(study, cells, estimate):
    """Largest resident size of a run in bytes."""
    words = arguments("run", study, cells, estimate) + ["--no-report", "--overwrite"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    expect(process.returncode == 0, f"{cells} cells run")
    return 1024 * usage.ru_maxrss


def stated(study, cells, estimate):
    words = arguments("check", study, cells, estimate)
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    number, unit = re.search(r"about ([0-9.]+) ([KMG])iB", text).groups()
    return float(number) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]


def main():
    with tempfile.TemporaryDirectory() as place:
        study = pathlib.Path(place) / "memory.yaml"
        study.write_text(STUDY)
        tiny = taken(study, 8, "false")
        for estimate in ("false", "true"):
            ratio = stated(study, 64, estimate) / (taken(study, 64, estimate) - tiny)
            expect(0.75 < ratio < 1.25, f"estimate {estimate}: stated {ratio:.2f} times what is taken")
    conclude()


if __name__ == "__main__":
    main()
