#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The notebooks of docs/notebooks run from top to bottom, where nbclient, ipykernel and what they import are
installed; and what they claim holds.
fare-test: labels=study timeout=600 arg=first_study
fare-test: labels=study timeout=600 arg=flow_matching
"""
import importlib.util
import os
import pathlib
import sys
import tempfile

from checks import conclude, expect
from launch import FARE, SOURCE

NEEDS = {"first_study": [], "flow_matching": ["torch"]}
CLAIMS = {
    "first_study": """
mean = average.value
assert mean.sel(comparison="langevin") < 2 * average.floor_mean.sel(comparison="langevin")
assert mean.sel(comparison="boltzmann") > 10 * mean.sel(comparison="langevin")
""",
    "flow_matching": """
for held_out in (False, True):
    kl = [table[(table.measure == "kl") & (table.held_out == held_out)].value.mean() for table in (before, after)]
    assert kl[1] < 0.7 * kl[0], kl
""",
}


def execute(name):
    """The notebook with its outputs; a cell that fails raises."""
    import nbclient
    import nbformat

    notebook = nbformat.read(SOURCE / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    expect(not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs")
    notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[name]))
    with tempfile.TemporaryDirectory(prefix="fare-") as place:
        os.environ.update(
            FARE_COMMAND=FARE,
            PYTHONPATH=str(SOURCE / "postproc"),
            TMPDIR=place,
            JUPYTER_RUNTIME_DIR=place,
            IPYTHONDIR=place,
        )
        os.environ.pop("MPLBACKEND", None)
        nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": place}}).execute()
    return notebook


def main(name):
    needed = ["nbclient", "nbformat", "ipykernel", "matplotlib_inline", "xarray", "pandas", *NEEDS[name]]
    missing = [module for module in needed if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: this Python has no {', '.join(missing)}")
        return 77
    outputs = [output for cell in execute(name).cells for output in cell.get("outputs", [])]
    figures = [o for o in outputs if "image/png" in o.get("data", {})]
    expect(figures, "a notebook ends in a figure")
    if keep := os.environ.get("FARE_KEEP_FIGURES"):
        import base64

        for i, figure in enumerate(figures):
            path = pathlib.Path(keep) / f"{name}-{i}.png"
            path.write_bytes(base64.b64decode(figure["data"]["image/png"]))
        print("\n".join(o.get("data", {}).get("text/plain", o.get("text", "")) for o in outputs))
    return conclude()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
